//! A plan that uses every step type, killed at every single change on a machine in memory: what comes after a kill is
//! another run, and its end is as if nothing had been.

#![expect(clippy::unwrap_used, reason = "tests fail by it")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use pq_run::{Decisions, HostRun, Mode, Stop, Told, Work, read};
use pq_steps::AnyStep;
use pq_steps::ledger::LEDGER;
use pq_store::Records;
use pq_stream::{Event, Outcome, Redactor, Status};
use pq_testkit::laws;
use pq_testkit::memory::MemoryMachine;

/// What went wrong.
#[derive(Default)]
struct Failures(Vec<String>);

impl Told for Failures {
    fn event(&mut self, event: &Event) {
        if matches!(event.outcome, Outcome::Failed | Outcome::Kept | Outcome::NotReached) {
            self.0.push(format!("{} {:?}: {:?}", event.id, event.outcome, event.problem));
        }
    }

    fn note(&mut self, _: &str) {}

    fn come_in_anew(&mut self, _: std::time::Duration) {}
}

fn run(state: &Path, machine: &mut MemoryMachine, work: &Work) -> (Vec<String>, Status) {
    let mut records = Records::open(state).unwrap();
    let mut failures = Failures::default();
    let verdict = HostRun {
        carries: false,
        unnoted: None,
        machine,
        earlier: &records.journal.earlier().unwrap(),
        unfinished: records.transactions.all().unwrap(),
        records: &mut records,
        redactor: &Redactor::default(),
        mode: Mode::Apply,
        verify: false,
        resume: &[],
        data_loss: &[],
        decisions: &Decisions::default(),
        stop: &Stop::default(),
        told: &mut failures,
    }
    .run(&work.hosts[0].steps);
    let ids = work.hosts[0].steps.iter().map(|step| step.record.id.as_str()).collect();
    records.close(verdict.status == Status::Done, &ids).unwrap();
    (failures.0, verdict.status)
}

/// A machine on which the plan was prepared, and the records of that.
fn prepared(prepare: &Work) -> (tempfile::TempDir, MemoryMachine) {
    let (state, mut machine) = (tempfile::tempdir().unwrap(), laws::machine());
    let (failures, status) = run(state.path(), &mut machine, prepare);
    assert_eq!(status, Status::Done, "{failures:?}");
    machine.put(LEDGER, std::fs::read(state.path().join("ledger.ndjson")).unwrap());
    (state, machine)
}

#[test]
fn the_plan_uses_every_step_type() {
    let every = laws::every().unwrap();
    for (kind, _) in AnyStep::KINDS {
        assert!(every.kinds.iter().any(|it| it == kind), "no `{kind}` in every.json");
    }
}

#[test]
fn killed_at_any_change_the_next_run_ends_as_if_nothing_had_been() {
    let every = laws::every().unwrap();
    let (prepare, work) = (read(every.prepare.as_bytes()).unwrap(), read(every.plan.as_bytes()).unwrap());
    let (state, mut undisturbed) = prepared(&prepare);
    let before = undisturbed.changes();
    let (failures, status) = run(state.path(), &mut undisturbed, &work);
    assert_eq!(status, Status::Done, "{failures:#?}");
    let changes = undisturbed.changes() - before;
    assert!(changes > 150, "only {changes} changes");
    let again = undisturbed.changes();
    assert_eq!(run(state.path(), &mut undisturbed, &work).1, Status::Done);
    assert_eq!(undisturbed.changes(), again, "a second run changes something");
    // A third of them in each `make test`, by its seed.
    let whole = std::env::var("PQ_MATRIX").is_ok_and(|wish| wish == "whole");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.subsec_nanos() as usize);
    let seed = std::env::var("PQ_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(now);
    let (first, stride) = if whole { (0, 1) } else { (seed % 3, 3) };
    // A death by the test is no news.
    std::panic::set_hook(Box::new(|_| {}));
    let mut wrong = Vec::new();
    for point in (first..changes).step_by(stride) {
        let (state, mut machine) = prepared(&prepare);
        machine.die_after(point);
        let died = catch_unwind(AssertUnwindSafe(|| run(state.path(), &mut machine, &work)));
        machine.revive();
        if died.is_ok() {
            wrong.push(format!("point {point}: it did not die"));
            continue;
        }
        let (failures, status) = run(state.path(), &mut machine, &work);
        if status != Status::Done {
            wrong.push(format!("point {point}: {failures:?}"));
        } else if machine.snapshot() != undisturbed.snapshot() {
            let (one, other) = (undisturbed.snapshot(), machine.snapshot());
            let unlike = one.lines().zip(other.lines()).find(|(one, other)| one != other);
            wrong.push(format!("point {point}: another end: {unlike:?}"));
        }
    }
    let _ = std::panic::take_hook();
    assert!(wrong.is_empty(), "{} of {changes} kills:\n{}", wrong.len(), wrong.join("\n"));
    println!(
        "PQ_SEED={seed}: {} kills, each followed by a clean run",
        (first..changes).step_by(stride).count()
    );
}
