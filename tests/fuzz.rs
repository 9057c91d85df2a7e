//! Every parser that we wrote takes what nobody would write: each target of `fuzz/` its corpus, and then for 10 seconds
//! what the fuzzer makes of it, for 300 in the whole matrix; two at a time.

#![expect(clippy::unwrap_used, reason = "what the runner itself cannot do ends the test")]

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use pq_tests::Matrix;

#[test]
fn matrix_fuzz() {
    let required = std::env::var("PQ_E2E").is_ok_and(|wish| wish == "require");
    let home = std::env::current_exe().unwrap().ancestors().nth(3).unwrap().join("fuzz");
    if let Err(cause) = build(&home) {
        assert!(!required, "{cause}");
        eprintln!("skipped: nothing is fuzzed: {cause}");
        return;
    }
    let mut matrix = Matrix::open("fuzz");
    let seconds = if matrix.whole() { 300 } else { 10 };
    let points = Mutex::new(VecDeque::from(matrix.draw(targets(), usize::MAX)));
    let matrix = Mutex::new(matrix);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(target) = next(&points) {
                    let start = Instant::now();
                    let verdict = verdict(
                        &at("run")
                            .env("CARGO_TARGET_DIR", &home)
                            .args([&target, &seconds.to_string()])
                            .output()
                            .unwrap(),
                    );
                    matrix.lock().unwrap_or_else(PoisonError::into_inner).note(
                        &target,
                        verdict,
                        start.elapsed(),
                    );
                }
            });
        }
    });
    matrix.into_inner().unwrap_or_else(PoisonError::into_inner).finish();
}

fn next(points: &Mutex<VecDeque<String>>) -> Option<String> {
    points.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
}

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz")
}

/// One of the programs in `fuzz/`.
fn at(program: &str) -> Command {
    Command::new(here().join(program))
}

fn build(home: &Path) -> Result<(), String> {
    // libFuzzer is C++.
    let compiler = Command::new("c++").arg("--version").output();
    if !compiler.is_ok_and(|output| output.status.success()) {
        return Err("there is no C++ compiler: `make tools` installs one".to_owned());
    }
    let output = at("build").env("CARGO_TARGET_DIR", home).output().map_err(|error| error.to_string())?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("the targets cannot be built:\n{}", String::from_utf8_lossy(&output.stderr))),
    }
}

fn targets() -> Vec<String> {
    let files = fs::read_dir(here().join("fuzz_targets")).unwrap().map(|file| file.unwrap().path());
    let mut names: Vec<String> =
        files.filter_map(|file| file.file_stem().and_then(OsStr::to_str).map(str::to_owned)).collect();
    names.sort();
    names
}

fn verdict(output: &Output) -> Result<(), String> {
    let said = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = said.lines().collect();
    match output.status.success() {
        true => Ok(()),
        false => Err(lines[lines.len().saturating_sub(40)..].join("\n")),
    }
}
