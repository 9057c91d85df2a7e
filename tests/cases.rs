//! The case directories: `tests/cases/<area>/<sentence>/`, readable and writable without Rust.
//!
//! `cmd` is run by bash in a copy of the directory, with the built tools on the `PATH` and nothing else in the
//! environment. What it writes and how it ends must be what stands in `stdout`, `stderr` and `code`; a missing file
//! means nothing, and 0. `make bless` rewrites these three, and git shows what moved. `PQ_CASE=word` runs only the
//! cases whose `<area>/<sentence>` holds the word.

#![expect(clippy::unwrap_used, reason = "what the runner itself cannot do ends the test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use similar::TextDiff;

/// The time in the streams that cases hold; every other time is the clock's.
const FIXED_TIME: &str = "2026-11-23T06:42:00Z";

struct Outcome {
    stdout: String,
    stderr: String,
    code: String,
}

#[test]
fn every_case_does_what_it_says() {
    let tools = pq_tests::tools();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let bless = std::env::var_os("PQ_BLESS").is_some_and(|set| !set.is_empty());
    let only = std::env::var("PQ_CASE").unwrap_or_default();
    let (mut failures, mut count) = (Vec::new(), 0);
    for area in directories(&root) {
        for case in directories(&area) {
            let name = case.strip_prefix(&root).unwrap_or(&case).display().to_string();
            if !name.contains(&only) {
                continue;
            }
            count += 1;
            let outcome = run(&case, &tools);
            if bless {
                write(&case, &outcome);
            } else if let Some(difference) = difference(&case, &outcome) {
                failures.push(format!("--- {name}\n{difference}"));
            }
        }
    }
    assert!(count > 0, "there is no such case in {}", root.display());
    assert!(
        failures.is_empty(),
        "{} of {count} cases differ (`make bless` rewrites them):\n{}",
        failures.len(),
        failures.join("\n")
    );
}

fn directories(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut found: Vec<PathBuf> =
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    found.sort();
    found
}

/// Runs a case in a copy of its directory.
fn run(case: &Path, tools: &Path) -> Outcome {
    let temporary = tempfile::tempdir().unwrap();
    let work = temporary.path().join("work");
    let home = temporary.path().join("home");
    fs::create_dir(&home).unwrap();
    copy(case, &work);
    let script = fs::read_to_string(case.join("cmd"))
        .unwrap_or_else(|error| panic!("{}/cmd: {error}", case.display()));
    let output = Command::new("bash")
        .args(["-c", &script])
        .current_dir(&work)
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", tools.display()))
        .env("HOME", &home)
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let place = work.canonicalize().unwrap().display().to_string();
    let normal = |bytes: &[u8]| normal(&String::from_utf8_lossy(bytes).replace(&place, "/CASE"));
    Outcome {
        stdout: normal(&output.stdout),
        stderr: normal(&output.stderr),
        code: output.status.code().map_or_else(|| "killed".to_owned(), |code| code.to_string()),
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap();
        match path.is_dir() {
            true => copy(&path, &to.join(name)),
            false => drop(fs::copy(&path, to.join(name)).unwrap()),
        }
    }
}

/// The text without what differs from run to run: times, digests of directories, sealed messages.
fn normal(text: &str) -> String {
    let line = |line: &str| {
        let line = value(line, "sealed", |old| (old != "SEALED").then_some("SEALED"));
        if !line.contains(r#""type":"run""#) {
            return line;
        }
        let line = value(&line, "time", |old| (old != FIXED_TIME).then_some("TIME"));
        value(&line, "digest", |old| (old.len() == 64).then_some("DIGEST"))
    };
    let mut out: Vec<String> = text.lines().map(line).collect();
    if text.ends_with('\n') {
        out.push(String::new());
    }
    out.join("\n")
}

/// The line with the value of a JSON string's key replaced.
fn value(line: &str, key: &str, new: impl Fn(&str) -> Option<&'static str>) -> String {
    let opening = format!("\"{key}\":\"");
    let Some(start) = line.find(&opening).map(|at| at + opening.len()) else { return line.to_owned() };
    let Some(length) = line[start..].find('"') else { return line.to_owned() };
    match new(&line[start..start + length]) {
        Some(new) => format!("{}{new}{}", &line[..start], &line[start + length..]),
        None => line.to_owned(),
    }
}

fn expected(case: &Path) -> Outcome {
    let read = |name: &str| fs::read_to_string(case.join(name)).unwrap_or_default();
    let code = read("code").trim().to_owned();
    Outcome {
        stdout: normal(&read("stdout")),
        stderr: normal(&read("stderr")),
        code: if code.is_empty() { "0".to_owned() } else { code },
    }
}

/// What differs from what the case expects.
fn difference(case: &Path, outcome: &Outcome) -> Option<String> {
    let want = expected(case);
    let parts = [
        ("stdout", &want.stdout, &outcome.stdout),
        ("stderr", &want.stderr, &outcome.stderr),
        ("code", &want.code, &outcome.code),
    ];
    let differing: Vec<String> = parts
        .into_iter()
        .filter(|(_, want, is)| want != is)
        .map(|(name, want, is)| {
            TextDiff::from_lines(want.as_str(), is.as_str())
                .unified_diff()
                .header(&format!("{name} expected"), &format!("{name} now"))
                .to_string()
        })
        .collect();
    (!differing.is_empty()).then(|| differing.join(""))
}

/// Writes what the case gave as what it expects.
fn write(case: &Path, outcome: &Outcome) {
    for (name, text) in [("stdout", &outcome.stdout), ("stderr", &outcome.stderr)] {
        fs::write(case.join(name), text).unwrap();
    }
    fs::write(case.join("code"), format!("{}\n", outcome.code)).unwrap();
}
