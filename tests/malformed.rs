//! Malformed inventories: each ends with status 2, nothing on stdout, the file that is to blame and no more than a
//! second of processor time (release build) and 100 MB; and no secret of one is shown. A few odd ones are right, and must not fail.
//!
//! Where it is root who tests, what nobody may read is tried as somebody else.

#![expect(clippy::unwrap_used, reason = "what the runner itself cannot do ends the test")]

#[path = "malformed/case.rs"]
mod case;
#[path = "malformed/command.rs"]
mod command;
#[path = "malformed/keys.rs"]
mod keys;
#[path = "malformed/places.rs"]
mod places;
#[path = "malformed/sealed.rs"]
mod sealed;
#[path = "malformed/tables.rs"]
mod tables;

use std::sync::Mutex;

use case::Case;

/// Runs every case on two threads, and fails with all that is wrong.
fn try_all(cases: &[Case], judge: fn(&Case, &case::Outcome) -> Vec<String>) {
    let (next, wrong) = (Mutex::new(cases.iter()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let Some(case) = next.lock().unwrap().next() else { break };
                    let outcome = case.run();
                    let mut found = judge(case, &outcome);
                    found.extend(outcome.leaks());
                    if !found.is_empty() {
                        let said: String = outcome.stderr.chars().take(400).collect();
                        let text = format!("--- {}: {}\n{said}", case.name, found.join("; "));
                        wrong.lock().unwrap().push(text);
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} of {} are wrong:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn what_is_malformed_is_refused_with_its_place() {
    try_all(&tables::refused(), |case, outcome| outcome.unlike_a_refusal(case));
}

#[test]
fn what_is_wrong_with_a_sealed_file_shows_nothing_of_it() {
    try_all(&sealed::refused(), |case, outcome| outcome.unlike_a_refusal(case));
}

#[test]
fn what_cannot_be_read_is_refused_with_its_path() {
    try_all(&places::refused(), |case, outcome| outcome.unlike_a_refusal(case));
}

#[test]
fn what_is_wrong_with_keys_is_refused_and_shows_nothing() {
    try_all(&keys::refused(), |case, outcome| outcome.unlike_a_refusal(case));
}

#[test]
fn what_is_wrong_with_the_command_line_is_quoted() {
    try_all(&command::refused(), |case, outcome| outcome.unlike_a_refusal(case));
}

#[test]
fn what_is_odd_and_right_is_read() {
    try_all(&tables::read(), |_, outcome| outcome.unlike_a_success());
}

#[test]
fn a_secret_that_is_shown_would_be_seen_in_each_form() {
    let quoted = serde_json::to_string(case::CANARY).unwrap();
    for form in [case::CANARY, &quoted, "Y2FuYXJ5LzlmK1ZvZ2VsPSIyNw==", "canary%2F9f%2BVogel%3D%2227"] {
        assert!(!case::Outcome::that_said(&format!("x{form}x")).leaks().is_empty(), "{form}");
    }
    assert!(case::Outcome::that_said("a canary").leaks().is_empty());
}

#[test]
fn three_hundred_and_more_are_tried() {
    let (plain, sealed, keys) = (tables::refused().len(), sealed::refused().len(), keys::refused().len());
    let (places, command) = (places::refused().len(), command::refused().len());
    println!(
        "{plain} inventories in clear, {sealed} sealed ones, {keys} keys and headers, {places} paths, \
         {command} command lines, {} that are right",
        tables::read().len()
    );
    let all = plain + sealed + keys + places + command;
    assert!(all >= 300, "{all}");
}
