//! Downloads that are not what was pinned: refused before anything opens them, with nothing at the path and nothing beside.

use std::time::Instant;

use pq_testkit::lab::{self, Machine, Result};
use pq_testkit::laws;
use pq_tests::Matrix;
use serde_json::{Map, Value, json};

use crate::world::{apply_measured, bare, said, sha256};

/// A server that is attacked, broken, or slow.
const SERVER: &str = include_str!("tampered.py");

/// What is asked for, and words of the error; `FOUND` stands for the digest of what is served there.
const CASES: &[(&str, &[&str])] = &[
    ("flipped", &["its SHA-256 is FOUND", "wanted is WANTED"]),
    ("longer", &["its SHA-256 is FOUND", "wanted is WANTED"]),
    ("shorter", &["its SHA-256 is FOUND", "wanted is WANTED"]),
    ("html", &["its SHA-256 is FOUND", "wanted is WANTED"]),
    ("empty", &["its SHA-256 is FOUND", "wanted is WANTED"]),
    ("elsewhere", &["its SHA-256 is FOUND", "wanted is WANTED"]),
    ("truncated", &["it broke off after 100 bytes"]),
    ("missing", &["the server answers 404"]),
    ("endless", &["it is larger than 1000000 bytes"]),
    ("huge", &["it is larger than 1000000 bytes"]),
    ("file", &["cannot fetch"]),
    ("ftp", &["cannot fetch"]),
    ("loop", &["cannot fetch"]),
    ("slow", &["it comes too slowly"]),
];

/// How many of them are tried in each `make test`, each by one of the two steps that fetch.
const SAMPLE: usize = 5;

/// The steps that fetch: what is at their path afterwards is told apart from what is beside it.
fn steps(case: &str, wanted: &str) -> [Map<String, Value>; 2] {
    let fetched = json!({"url": format!("http://127.0.0.1:8087/{case}"), "sha256": wanted, "max_bytes": 1_000_000,
                         "path": "/srv/tampered/it"});
    ["download", "release"].map(|kind| {
        let fields = fetched.as_object().cloned().unwrap_or_default();
        [("do".to_owned(), Value::from(kind))].into_iter().chain(fields).collect()
    })
}

/// What is wrong after one step of one case.
fn wrong(machine: &Machine, step: &Map<String, Value>, words: &[String]) -> Result<Vec<String>> {
    let (output, used) = apply_measured(machine, &laws::plan(std::slice::from_ref(step)))?;
    let said = said(&output);
    let mut wrong: Vec<String> = words
        .iter()
        .filter(|word| !said.contains(word.as_str()))
        .map(|word| format!("no `{word}`"))
        .collect();
    if output.code != 1 {
        wrong.push(format!("status {}", output.code));
    }
    let left = machine.sh("find /srv/tampered -mindepth 1")?.stdout;
    if !left.is_empty() {
        wrong.push(format!("left: {left}"));
    }
    if used.kilobytes > 64 << 10 || used.seconds > 5.0 {
        wrong.push(format!("{} KB, {:.1} s", used.kilobytes, used.seconds));
    }
    if !wrong.is_empty() {
        wrong.push(said.chars().take(600).collect());
    }
    Ok(wrong)
}

#[test]
fn matrix_tampered_a_tampered_download_is_refused_before_anything_opens_it() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let mut matrix = Matrix::open("tampered");
    let points =
        CASES.iter().flat_map(|(case, _)| ["download", "release"].map(|kind| format!("{case} ({kind})")));
    let points = matrix.draw(points, SAMPLE);
    let machine = bare(&lab, "artampered")?;
    let app = laws::sources().remove("law/app-1.tar").unwrap_or_default();
    let wanted = sha256(&app);
    machine.write("/root/good", app.clone())?;
    machine.write("/root/tampered.py", SERVER)?;
    machine
        .sh("mkdir /srv/tampered; systemd-run --unit tampered python3 /root/tampered.py; sleep 1")?
        .success()?;
    for (case, words) in CASES {
        let served =
            machine.sh(&format!("cat /root/served-{case} 2>/dev/null | sha256sum | cut -c1-64"))?.stdout;
        let filled = |word: &&str| word.replace("FOUND", served.trim()).replace("WANTED", &wanted);
        let mut words: Vec<String> = words.iter().map(filled).collect();
        words.push(format!("http://127.0.0.1:8087/{case}"));
        for step in steps(case, &wanted) {
            let point = format!("{case} ({})", step["do"].as_str().unwrap_or_default());
            if points.contains(&point) {
                let begun = Instant::now();
                let found = wrong(&machine, &step, &words)?;
                let verdict = if found.is_empty() { Ok(()) } else { Err(found.join("; ")) };
                matrix.note(&point, verdict, begun.elapsed());
            }
        }
    }
    // The same bytes from another host are the same bytes.
    for case in ["good", "moved"] {
        for step in steps(case, &wanted) {
            let (output, _) = apply_measured(&machine, &laws::plan(std::slice::from_ref(&step)))?;
            assert_eq!(output.code, 0, "{case}: {}", said(&output));
            machine.sh("rm -rf /srv/tampered/*")?.success()?;
        }
    }
    matrix.finish();
    Ok(())
}
