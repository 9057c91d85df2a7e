//! Transactions: done altogether, undone, gone on with, held; on a machine in memory.

#![expect(clippy::unwrap_used, reason = "tests fail by it")]

use std::path::Path;
use std::sync::Arc;

use nix::sys::signal::Signal;
use pq_run::{Decisions, HostRun, Mode, Only, Stop, Told, Work, read};
use pq_steps::{AbsPath, Output, Probe};
use pq_store::{Records, State, Unfinished};
use pq_stream::{Event, Outcome, Redactor, Status};
use pq_testkit::memory::MemoryMachine;

const HEAD: &str = r#"{"type":"run","format":1,"inventory":"/i","digest":"0","time":"2026-11-23T00:00:00Z"}
{"type":"host","host":"m","groups":["all"],"connection":{"kind":"local"},"instances":[],"vars":{}}
"#;

/// The old version's configuration is replaced, its data are migrated, a link is switched.
const STEPS: [&str; 4] = [
    r#""id":"wiki/conf","do":"file","path":"/etc/wiki.conf","content":"new\n""#,
    r#""id":"wiki/migrate","do":"command","argv":["/usr/bin/migrate"],"creates":"/srv/wiki/migrated""#,
    r#""id":"wiki/current","do":"symlink","path":"/srv/wiki/current","target":"2""#,
    r#""id":"wiki/upgrade","do":"transaction","steps":["wiki/conf","wiki/migrate","wiki/current"],"maintenance":30,"rollback":[{"id":"wiki/back","title":"unmigrated","do":"absent","path":"/srv/wiki/migrated"}]"#,
];

fn work(steps: &[&str]) -> Result<Work, String> {
    let lines: String = steps
        .iter()
        .map(|step| format!("{{\"type\":\"step\",\"host\":\"m\",\"title\":\"t\",{step}}}\n"))
        .collect();
    let stream = format!("{HEAD}{lines}{{\"type\":\"end\",\"hosts\":1,\"status\":0}}\n");
    read(stream.as_bytes()).map_err(|error| format!("{}: {}", error.message, error.causes.join("; ")))
}

/// A machine with the old version; `migrate` works or fails, and leaves its mark first.
fn machine(works: bool) -> MemoryMachine {
    let mut machine = MemoryMachine::debian_12();
    machine.put("/srv/wiki/1/version", "1");
    machine.put("/srv/wiki/2/version", "2");
    // As we wrote it before.
    let old = [
        r#""id":"wiki/conf","do":"file","path":"/etc/wiki.conf","content":"old\n","mode":"0640""#,
        r#""id":"wiki/current","do":"symlink","path":"/srv/wiki/current","target":"1""#,
    ];
    machine.program(
        "migrate",
        Arc::new(move |machine, _| {
            machine.put("/srv/wiki/migrated", "");
            Ok(Output { status: i32::from(!works), ..Output::default() })
        }),
    );
    let state = tempfile::tempdir().unwrap();
    assert_eq!(run(state.path(), &mut machine, &old, &[]).1, Status::Done);
    machine
}

fn run(state: &Path, machine: &mut MemoryMachine, steps: &[&str], resume: &[&str]) -> (Vec<String>, Status) {
    run_until(state, machine, steps, resume, None)
}

/// What became of which step; asks to stop at one.
struct Outcomes<'a> {
    told: Vec<String>,
    until: Option<&'a str>,
    stop: &'a Stop,
    /// Whether who is told came over ssh.
    afar: bool,
}

impl Told for Outcomes<'_> {
    fn event(&mut self, event: &Event) {
        if event.outcome != Outcome::Started {
            self.told.push(format!("{} {:?}", event.id, event.outcome));
        }
        if self.until == Some(event.id.as_str()) {
            self.stop.ask(Signal::SIGINT);
        }
    }

    fn note(&mut self, _: &str) {}

    fn come_in_anew(&mut self, _: std::time::Duration) {}

    fn comes_from_afar(&self) -> bool {
        self.afar
    }
}

/// Runs a plan; asked to stop as soon as the step `until` is told.
fn run_until(
    state: &Path,
    machine: &mut MemoryMachine,
    steps: &[&str],
    resume: &[&str],
    until: Option<&str>,
) -> (Vec<String>, Status) {
    let work = work(steps).unwrap();
    let mut records = Records::open(state).unwrap();
    let resume: Vec<String> = resume.iter().map(|id| (*id).to_owned()).collect();
    let stop = Stop::default();
    let mut told = Outcomes { told: Vec::new(), until, stop: &stop, afar: state.join("afar").exists() };
    // What earlier tests' machines have of ours counts as ours.
    let ours = pq_run::Take { ours: vec!["/**".to_owned()], theirs: Vec::new() };
    let decisions = Decisions::new(&ours).unwrap();
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
        resume: &resume,
        data_loss: &[],
        decisions: &decisions,
        stop: &stop,
        told: &mut told,
    }
    .run(&work.hosts[0].steps);
    let ids = work.hosts[0].steps.iter().map(|step| step.record.id.as_str()).collect();
    records.close(verdict.status == Status::Done, &ids).unwrap();
    (told.told, verdict.status)
}

fn unfinished(state: &Path) -> Vec<Unfinished> {
    Records::open(state).unwrap().transactions.all().unwrap()
}

/// Configuration, link, and whether data were migrated.
fn version(machine: &MemoryMachine) -> (String, String, bool) {
    let path = |path: &str| AbsPath::new(path).unwrap();
    let conf = machine.read(&path("/etc/wiki.conf")).unwrap().unwrap_or_default();
    let link = machine.read_link(&path("/srv/wiki/current")).unwrap().unwrap_or_default();
    let migrated = machine.stat(&path("/srv/wiki/migrated")).unwrap().is_some();
    (String::from_utf8(conf).unwrap(), link, migrated)
}

fn old() -> (String, String, bool) {
    ("old\n".to_owned(), "1".to_owned(), false)
}

fn new() -> (String, String, bool) {
    ("new\n".to_owned(), "2".to_owned(), true)
}

#[test]
fn all_of_it_is_done_and_nothing_is_left_to_finish() {
    let (state, mut machine) = (tempfile::tempdir().unwrap(), machine(true));
    let (told, status) = run(state.path(), &mut machine, &STEPS, &[]);
    assert_eq!(
        told,
        ["wiki/conf Changed", "wiki/migrate Changed", "wiki/current Changed", "wiki/upgrade Changed"]
    );
    assert_eq!((status, version(&machine)), (Status::Done, new()));
    assert_eq!(unfinished(state.path()), []);
    let (told, _) = run(state.path(), &mut machine, &STEPS, &[]);
    assert!(told.iter().all(|told| told.ends_with(" Ok")), "{told:?}");
}

#[test]
fn what_fails_is_undone_at_once() {
    let (state, mut machine) = (tempfile::tempdir().unwrap(), machine(false));
    let before = machine.snapshot();
    let (told, status) = run(state.path(), &mut machine, &STEPS, &[]);
    assert_eq!(
        told,
        ["wiki/conf Changed", "wiki/migrate Failed", "wiki/current NotReached", "wiki/upgrade Failed"]
    );
    assert_eq!((status, version(&machine)), (Status::Failed, old()));
    assert_eq!(machine.snapshot(), before);
    assert_eq!(unfinished(state.path()), []);
}

#[test]
fn what_could_lock_somebody_out_is_not_begun_where_nothing_would_undo_it() {
    let guarded = STEPS[3].replace(r#""maintenance":30"#, r#""confirm":"connection""#);
    let steps = [STEPS[0], STEPS[1], STEPS[2], guarded.as_str()];
    let (state, mut machine) = (tempfile::tempdir().unwrap(), machine(true));
    let before = machine.snapshot();
    // There is no `pq-apply` beside this test, which a timer could start.
    std::fs::write(state.path().join("afar"), "").unwrap();
    let (told, status) = run(state.path(), &mut machine, &steps, &[]);
    assert_eq!(
        told,
        ["wiki/conf NotReached", "wiki/migrate NotReached", "wiki/current NotReached", "wiki/upgrade Failed"]
    );
    assert_eq!((status, unfinished(state.path())), (Status::Failed, vec![]));
    assert_eq!(machine.snapshot(), before);
    // At the machine itself nobody can be locked out.
    std::fs::remove_file(state.path().join("afar")).unwrap();
    let (_, status) = run(state.path(), &mut machine, &steps, &[]);
    assert_eq!((status, version(&machine)), (Status::Done, new()));
}

#[test]
fn one_that_was_killed_is_gone_on_with_by_its_plan_and_undone_by_every_other() {
    let other = [r#""id":"dav/dir","do":"directory","path":"/srv/dav""#];
    let changes = {
        let (state, mut machine) = (tempfile::tempdir().unwrap(), machine(true));
        let before = machine.changes();
        run(state.path(), &mut machine, &STEPS, &[]);
        machine.changes() - before
    };
    for point in 1..changes {
        for plan in [&STEPS[..], &other[..]] {
            let (state, mut machine) = (tempfile::tempdir().unwrap(), machine(true));
            machine.kill_after(point);
            run(state.path(), &mut machine, &STEPS, &[]);
            machine.revive();
            let (told, status) = run(state.path(), &mut machine, plan, &[]);
            assert_eq!(status, Status::Done, "point {point} of {changes}: {told:?}");
            let wanted = if plan.len() == 1 { old() } else { new() };
            assert_eq!(version(&machine), wanted, "point {point} of {changes}: {told:?}");
            assert_eq!(unfinished(state.path()), [], "point {point}");
        }
    }
}

#[test]
fn one_that_the_operator_interrupts_is_held_until_they_decide() {
    let (state, mut machine) = (tempfile::tempdir().unwrap(), machine(true));
    let (told, status) = run_until(state.path(), &mut machine, &STEPS, &[], Some("wiki/conf"));
    assert_eq!(
        told,
        ["wiki/conf Changed", "wiki/migrate NotReached", "wiki/current NotReached", "wiki/upgrade Failed"]
    );
    assert_eq!(status, Status::Failed);
    assert_eq!(unfinished(state.path())[0].state, State::Held);
    // Neither its own plan nor another touches it.
    let dav = r#""id":"dav/dir","do":"directory","path":"/srv/dav""#;
    let (told, status) = run(state.path(), &mut machine, &[dav, STEPS[0], STEPS[1], STEPS[2], STEPS[3]], &[]);
    assert_eq!((told[0].as_str(), status), ("dav/dir Changed", Status::Failed));
    assert!(told[1..].iter().all(|told| told.ends_with("NotReached")), "{told:?}");
    assert_eq!(version(&machine), ("new\n".to_owned(), "1".to_owned(), false));
    let (told, status) = run(state.path(), &mut machine, &STEPS, &["wiki/upgrade"]);
    assert_eq!((status, version(&machine)), (Status::Done, new()), "{told:?}");
    assert_eq!(unfinished(state.path()), []);
}

#[test]
fn what_is_done_together_is_there_once_and_of_one_owner() {
    let refused = |steps: &[&str]| work(steps).unwrap_err();
    let transaction = |named: &str| format!("\"id\":\"wiki/t\",\"do\":\"transaction\",\"steps\":[{named}]");
    assert!(refused(&[&transaction("\"wiki/x\"")]).contains("the plan does not have"));
    assert!(refused(&[STEPS[0], &transaction("\"wiki/conf\",\"wiki/conf\"")]).contains("named twice"));
    let dav = r#""id":"dav/dir","do":"directory","path":"/srv/dav""#;
    assert!(refused(&[dav, &transaction("\"dav/dir\"")]).contains("of another owner"));
    let package = r#""id":"wiki/p","do":"package","names":["tree"]"#;
    assert!(refused(&[package, &transaction("\"wiki/p\"")]).contains("its own place"));
}

#[test]
fn data_are_not_destroyed_without_leave() {
    let step = r#""id":"wiki/drop","do":"absent","path":"/srv/wiki/1","destroys":"data""#;
    let (state, mut machine) = (tempfile::tempdir().unwrap(), machine(true));
    assert_eq!(run(state.path(), &mut machine, &[step], &[]).0, ["wiki/drop Failed"]);
    assert!(machine.stat(&AbsPath::new("/srv/wiki/1").unwrap()).unwrap().is_some());
}

#[test]
fn what_could_not_be_brought_back_is_not_touched() {
    let away = r#""id":"wiki/away","do":"absent","path":"/srv/wiki/1""#;
    let upgrade = r#""id":"wiki/upgrade","do":"transaction","steps":["wiki/conf","wiki/away"]"#;
    let (state, mut machine) = (tempfile::tempdir().unwrap(), machine(true));
    let before = machine.snapshot();
    let (told, status) = run(state.path(), &mut machine, &[STEPS[0], away, upgrade], &[]);
    assert_eq!(told, ["wiki/conf Changed", "wiki/away Failed", "wiki/upgrade Failed"]);
    assert_eq!(status, Status::Failed);
    assert_eq!(machine.snapshot(), before, "a directory was taken away, or the file did not come back");
    assert_eq!(unfinished(state.path()), []);
}

#[test]
fn the_old_files_of_one_that_is_held_outlast_any_number_of_runs() {
    let (state, mut machine) = (tempfile::tempdir().unwrap(), machine(true));
    run_until(state.path(), &mut machine, &STEPS, &[], Some("wiki/conf"));
    assert_eq!(unfinished(state.path())[0].state, State::Held);
    for number in 0..60 {
        let step = format!(r#""id":"dav/file","do":"file","path":"/etc/dav.conf","content":"{number}\n""#);
        assert_eq!(run(state.path(), &mut machine, &[&step], &[]).1, Status::Done);
    }
    let kept = std::fs::read_dir(state.path().join("undo")).unwrap().count();
    assert!((50..=51).contains(&kept), "{kept}");
    // Undone as the operator would have it undone.
    let mut held = unfinished(state.path()).remove(0);
    held.state = State::Open;
    Records::open(state.path()).unwrap().transactions.write(&held).unwrap();
    let dav = r#""id":"dav/dir","do":"directory","path":"/srv/dav""#;
    assert_eq!(run(state.path(), &mut machine, &[dav], &[]).1, Status::Done);
    assert_eq!(version(&machine), old());
    assert_eq!(unfinished(state.path()), []);
}

#[test]
fn of_a_transaction_all_steps_are_chosen_or_none() {
    let dav = r#""id":"dav/dir","do":"directory","path":"/srv/dav""#;
    let chosen = |pattern: &str| {
        let mut work = work(&[STEPS[0], STEPS[1], STEPS[2], STEPS[3], dav]).unwrap();
        Only::new(&[pattern.to_owned()]).unwrap().keep(&mut work.hosts[0]);
        work.hosts[0].steps.iter().map(|step| step.record.id.clone()).collect::<Vec<_>>()
    };
    let all = ["wiki/conf", "wiki/migrate", "wiki/current", "wiki/upgrade"];
    assert_eq!(chosen("wiki/upgrade"), all);
    assert_eq!(chosen("wiki/conf"), all);
    assert_eq!(chosen("dav/*"), ["dav/dir"]);
}

/// The plan whose transaction is finished by a link that people follow.
fn finishing() -> [String; 4] {
    let finish = r#""finish":[{"id":"wiki/open","title":"open","do":"symlink","path":"/srv/wiki/open","target":"2"}],"maintenance":30"#;
    STEPS.map(|step| step.replace(r#""maintenance":30"#, finish))
}

#[test]
fn what_is_done_is_finished_whoever_comes_and_never_undone_from_there() {
    let steps = finishing();
    let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
    let open = |machine: &MemoryMachine| {
        machine.read_link(&AbsPath::new("/srv/wiki/open").unwrap()).unwrap().is_some()
    };
    let changes = {
        let (state, mut machine) = (tempfile::tempdir().unwrap(), machine(true));
        let before = machine.changes();
        let (_, status) = run(state.path(), &mut machine, &steps, &[]);
        assert_eq!((status, version(&machine), open(&machine)), (Status::Done, new(), true));
        machine.changes() - before
    };
    let other = [r#""id":"dav/dir","do":"directory","path":"/srv/dav""#];
    let mut finished = 0;
    for point in 1..changes {
        let (state, mut machine) = (tempfile::tempdir().unwrap(), machine(true));
        machine.kill_after(point);
        run(state.path(), &mut machine, &steps, &[]);
        machine.revive();
        let left = unfinished(state.path());
        let done = left.is_empty() || left[0].state == State::Finishing;
        let (told, status) = run(state.path(), &mut machine, &other, &[]);
        assert_eq!(status, Status::Done, "point {point} of {changes}: {told:?}");
        let wanted = if done && version(&machine) == new() { (new(), true) } else { (old(), false) };
        assert_eq!((version(&machine), open(&machine)), wanted, "point {point} of {changes}, {left:?}");
        finished += usize::from(left.first().is_some_and(|it| it.state == State::Finishing));
        assert_eq!(unfinished(state.path()), [], "point {point}");
    }
    assert!(finished > 0, "no point of {changes} was one at which it was being finished");
}

#[test]
fn one_that_no_run_goes_on_with_is_undone_first_by_its_own_plan_too() {
    let (state, mut machine) = (tempfile::tempdir().unwrap(), machine(true));
    let (told, _) = run_until(state.path(), &mut machine, &STEPS, &[], Some("wiki/migrate"));
    assert_eq!(told[1], "wiki/migrate Changed");
    let mut left = unfinished(state.path()).remove(0);
    (left.state, left.resumes) = (State::Open, false);
    Records::open(state.path()).unwrap().transactions.write(&left).unwrap();
    let (told, status) = run(state.path(), &mut machine, &STEPS, &[]);
    assert_eq!((status, version(&machine)), (Status::Done, new()), "{told:?}");
    // what was there already was done once more
    assert_eq!(told[..2], ["wiki/conf Changed", "wiki/migrate Changed"]);
}

#[test]
fn steps_that_are_done_once_may_write_one_path_after_the_other() {
    let twice = |end: &str| {
        work(&[
            r#""id":"wiki/a","do":"file","path":"/etc/wiki.conf","content":"1""#,
            r#""id":"wiki/b","do":"file","path":"/etc/wiki.conf","content":"2""#,
            &format!(r#""id":"wiki/upgrade","do":"transaction","steps":["wiki/a","wiki/b"]{end}"#),
        ])
    };
    assert!(twice("").unwrap_err().contains("writes the same path"));
    assert!(twice(r#","resumes":false"#).is_ok());
}
