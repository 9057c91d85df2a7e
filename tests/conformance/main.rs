//! Conformance: the same directories, read by pq-inventory and by the real ansible-core.
//!
//! Always true here: what `ansible-inventory --list` prints is what `pq-inventory --list` prints, and every variable
//! that `ansible -m debug` resolves has the same value in the host's record. What Ansible refuses is refused. A case
//! whose difference is wanted lists it in `differs.txt` (a name that Ansible does not read as hosts), one
//! `place: reason` a line; a difference that is not listed fails, and so does a listed one that has gone away.
//!
//! `vault.txt` in a case is the password of what ansible-vault encrypted there; tokens are compared by what they stand for.
//!
//! `PQ_CASE=word` compares only the cases whose name holds the word.

#![expect(clippy::unwrap_used, reason = "what the runner itself cannot do ends the test")]

mod compare;
mod draw;
mod generated;
mod real;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use compare::{Ours, differences};
use pq_tests::Chance;
use real::Real;
use serde_json::json;

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

/// The driver could be wrong: on cases by chance its answers are those of the literal commands, and ours of `--host`.
#[test]
fn the_driver_answers_what_the_commands_print() {
    let Some(real) = Real::find() else { return };
    let mut chance = Chance::new(seed());
    let mut cases: Vec<PathBuf> = cases().into_iter().filter(|case| wanted(case).is_empty()).collect();
    chance.shuffle(&mut cases);
    cases.truncate(4);
    for (case, said) in cases.iter().zip(real.ask(&cases)) {
        let shown = case.display();
        if said.get("error").is_some() {
            continue;
        }
        assert_eq!(real.list(case), said["list"], "{shown}");
        let hosts: Vec<&String> = said["values"].as_object().unwrap().keys().collect();
        let host = chance.pick(&hosts).as_str();
        let theirs = real.host(case, host);
        let listed = said["list"]["_meta"]["hostvars"].get(host).cloned().unwrap_or(json!({}));
        assert_eq!(theirs, compare::plain(listed), "{shown}");
        let ours = compare::plain(compare::host(&pq_tests::tools(), case, host));
        assert_eq!(theirs, ours, "{shown}: --host {host}");
        let values = said["values"][host].as_object().unwrap();
        // A task's own `environment` stands before the variable of that name: `debug` cannot be asked for it.
        let asked = |name: &&String| values[*name].get("value").is_some() && *name != "environment";
        let resolved: Vec<&String> = values.keys().filter(asked).collect();
        for _ in 0..resolved.len().min(2) {
            let name = chance.pick(&resolved).as_str();
            assert_eq!(real.debug(case, host, name), values[name]["value"], "{shown}: {host}: {name}");
        }
    }
}

/// `PQ_SEED`, or another one each time, which is said.
fn seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |now| u64::from(now.subsec_nanos()));
    let seed = std::env::var("PQ_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(now);
    eprintln!("the driver: PQ_SEED={seed}");
    seed
}
