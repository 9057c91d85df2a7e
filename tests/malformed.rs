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
#[path = "malformed/large.rs"]
mod large;
#[path = "malformed/places.rs"]
mod places;
#[path = "malformed/sealed.rs"]
mod sealed;
#[path = "malformed/tables.rs"]
mod tables;

use std::sync::Mutex;

use case::Case;
use pq_tests::{Chance, wish};

/// Of how many broken secrets one is looked at in every way, in each `make test`.
const LOOKED_AT: usize = 3;

/// Asks something of every case, on two threads: a paragraph for each of which something is wrong.
fn on_two_threads(cases: &[Case], ask: impl Fn(&Case) -> Vec<String> + Sync) -> Vec<String> {
    let (next, wrong) = (Mutex::new(cases.iter()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let Some(case) = next.lock().unwrap().next() else { break };
                    let found = ask(case);
                    if !found.is_empty() {
                        wrong.lock().unwrap().push(format!("--- {}: {}", case.name, found.join("; ")));
                    }
                }
            });
        }
    });
    wrong.into_inner().unwrap()
}

/// What the outcome of a case has to be: all that is wrong with it.
type Judge = fn(&Case, &case::Outcome) -> Vec<String>;

/// Runs every case, and fails with all that is wrong.
fn try_all(cases: &[Case], judge: Judge) {
    let wrong = on_two_threads(cases, |case| judged(case, judge));
    assert!(wrong.is_empty(), "{} of {} are wrong:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// The same for cases that are made one by one.
fn try_each(made: &[large::Made], judge: Judge) {
    let wrong: Vec<String> = made
        .iter()
        .map(|make| make())
        .map(|case| (judged(&case, judge), case.name))
        .filter(|(found, _)| !found.is_empty())
        .map(|(found, name)| format!("--- {name}: {}", found.join("; ")))
        .collect();
    assert!(wrong.is_empty(), "{} of {} are wrong:\n{}", wrong.len(), made.len(), wrong.join("\n"));
}

fn judged(case: &Case, judge: Judge) -> Vec<String> {
    let outcome = case.run();
    let mut found = judge(case, &outcome);
    found.extend(outcome.leaks());
    if !found.is_empty() {
        found.push(format!("\n{}", outcome.stderr.chars().take(400).collect::<String>()));
    }
    found
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
fn however_a_broken_secret_is_looked_at_it_is_not_shown() {
    let (whole, seed) = wish();
    eprintln!("PQ_SEED={seed}");
    let mut chance = Chance::new(seed);
    let cases = sealed::refused().into_iter().chain(keys::refused());
    let cases: Vec<Case> = cases.filter(|_| whole || chance.one_in(LOOKED_AT)).collect();
    let wrong = on_two_threads(&cases, |case| {
        let looks = case.looked_at().into_iter();
        let judged = looks.flat_map(|(look, outcome)| {
            let found = outcome.unlike_any().into_iter().chain(outcome.leaks());
            found.map(move |found| format!("{look}: {found}")).collect::<Vec<_>>()
        });
        judged.collect()
    });
    assert!(wrong.is_empty(), "{} of {} are wrong:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
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
fn what_is_too_large_is_refused_with_its_place() {
    try_each(large::REFUSED, |case, outcome| outcome.unlike_a_refusal(case));
}

#[test]
fn what_is_large_and_right_is_read() {
    try_each(large::READ, |_, outcome| outcome.unlike_a_success());
}

#[test]
fn what_is_odd_and_right_is_read() {
    try_all(&tables::read(), |_, outcome| outcome.unlike_a_success());
}

#[test]
fn a_secret_that_is_shown_would_be_seen_in_each_form() {
    for form in [case::CANARY, case::BARE, case::KEY, &case::CANARY[..12], "canary%2F9f%2BVogel%3D%2227"] {
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
