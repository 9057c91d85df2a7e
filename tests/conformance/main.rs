//! Conformance: the same directories, read by pq-inventory and by the real ansible-core.
//!
//! Always true here: what `ansible-inventory --list` prints is what `pq-inventory --list` prints, and every variable
//! that `ansible -m debug` resolves has the same value in the host's record. What Ansible refuses is refused. A case
//! whose difference is wanted lists it in `differs.txt` (a name that Ansible does not read as hosts), one
//! `place: reason` a line; a difference that is not listed fails, and so does a listed one that has gone away.
//!
//! `PQ_CASE=word` compares only the cases whose name holds the word.

#![expect(clippy::unwrap_used, reason = "what the runner itself cannot do ends the test")]

mod compare;
mod real;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use compare::{Ours, differences};
use real::Real;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance")
}

fn cases() -> Vec<PathBuf> {
    let only = std::env::var("PQ_CASE").unwrap_or_default();
    let entries = fs::read_dir(root().join("cases")).unwrap();
    let mut found: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir() && path.to_string_lossy().contains(&only))
        .collect();
    found.sort();
    found
}

/// The places of a case's wanted differences.
fn wanted(case: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(case.join("differs.txt")).unwrap_or_default();
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines.map(|line| line.split_once(": ").unwrap_or((line, "")).0.to_owned()).collect()
}

#[test]
fn every_case_is_read_as_ansible_reads_it() {
    let Some(real) = Real::find() else { return };
    let (cases, tools) = (cases(), pq_tests::tools());
    assert!(!cases.is_empty(), "there is no such case");
    let mut failures = Vec::new();
    for (case, said) in cases.iter().zip(real.ask(&cases)) {
        let found = differences(&said, &Ours::read(&tools, case));
        let wanted = wanted(case);
        let name = case.file_name().unwrap().to_string_lossy();
        for (place, what) in &found {
            if !wanted.contains(place) {
                failures.push(format!("{name}: {place}: {what}"));
            }
        }
        for gone in wanted.iter().filter(|place| !found.contains_key(*place)) {
            failures.push(format!("{name}: {gone}: `differs.txt` says that it differs, and it does not"));
        }
    }
    eprintln!("conformance: {} cases compared", cases.len());
    assert!(failures.is_empty(), "{} differences:\n{}", failures.len(), failures.join("\n"));
}

/// The driver could be wrong: on some cases its answers are those of the literal commands.
#[test]
fn the_driver_answers_what_the_commands_print() {
    let Some(real) = Real::find() else { return };
    let names = ["templates_keep_types", "types_in_a_host_line_are_pythons", "integers_of_yaml"];
    let cases = names.map(|name| root().join("cases").join(name));
    for (case, said) in cases.iter().zip(real.ask(&cases)) {
        assert_eq!(real.list(case), said["list"], "{}", case.display());
        for name in ["a", "b", "d"] {
            let resolved = &said["values"]["w1"][name]["value"];
            assert_eq!(real.debug(case, "w1", name), *resolved, "{}: {name}", case.display());
        }
    }
}
