//! The run of one machine's steps, on a machine in memory.

#![expect(clippy::unwrap_used, reason = "tests fail by it")]

use std::path::Path;

use pq_run::{HostRun, Mode, Planned, Stop, read};
use pq_store::Journal;
use pq_stream::{Event, Outcome, Redactor, Status};
use pq_testkit::memory::{MemoryMachine, Offer};

const HEAD: &str = r#"{"type":"run","format":1,"inventory":"/i","digest":"0","time":"2026-11-23T00:00:00Z"}
{"type":"host","host":"m","groups":["all"],"connection":{"kind":"local"},"instances":[],"vars":{}}
"#;

fn stream(steps: &[&str]) -> String {
    let lines: String = steps
        .iter()
        .map(|step| format!("{{\"type\":\"step\",\"host\":\"m\",\"title\":\"t\",{step}}}\n"))
        .collect();
    format!("{HEAD}{lines}{{\"type\":\"end\",\"hosts\":1,\"status\":0}}\n")
}

fn plan(steps: &[&str]) -> Vec<Planned> {
    let mut work = read(stream(steps).as_bytes()).unwrap();
    work.hosts.remove(0).steps
}

/// Runs a plan, and answers what became of which step, and the status.
fn run(machine: &mut MemoryMachine, mode: Mode, steps: &[&str]) -> (Vec<String>, Status) {
    let state = tempfile::tempdir().unwrap();
    run_with(state.path(), machine, mode, steps)
}

/// The same, with what earlier runs left in their journals.
fn run_with(state: &Path, machine: &mut MemoryMachine, mode: Mode, steps: &[&str]) -> (Vec<String>, Status) {
    let steps = plan(steps);
    let mut journal = Journal::new(state);
    let mut told = Vec::new();
    let verdict = HostRun {
        machine,
        earlier: &journal.earlier().unwrap(),
        journal: &mut journal,
        redactor: &Redactor::default(),
        mode,
        verify: false,
        stop: &Stop::default(),
        tell: &mut |event: &Event| {
            if event.outcome != Outcome::Started {
                told.push(format!("{} {:?}", event.id, event.outcome));
            }
        },
    }
    .run(&steps);
    let ids = steps.iter().map(|step| step.record.id.as_str()).collect();
    journal.close(verdict.status == Status::Done, &ids).unwrap();
    (told, verdict.status)
}

const FILE: &str = r#""id":"a/file","do":"file","path":"/srv/a/x","content":"x\n""#;
const DIRECTORY: &str = r#""id":"a/dir","do":"directory","path":"/srv/a""#;

#[test]
fn a_second_run_changes_nothing() {
    let mut machine = MemoryMachine::debian_12();
    assert_eq!(run(&mut machine, Mode::Check, &[DIRECTORY, FILE]).1, Status::Differs);
    assert_eq!(run(&mut machine, Mode::Apply, &[DIRECTORY, FILE]).0, ["a/dir Changed", "a/file Changed"]);
    assert_eq!(run(&mut machine, Mode::Apply, &[DIRECTORY, FILE]).0, ["a/dir Ok", "a/file Ok"]);
    assert_eq!(run(&mut machine, Mode::Check, &[DIRECTORY, FILE]).1, Status::Done);
}

#[test]
fn a_check_that_leans_on_an_earlier_difference_is_unknown_and_alone_it_is_a_failure() {
    let mut machine = MemoryMachine::debian_12();
    let unit =
        r#""id":"a/unit","do":"unit","name":"a.service","content":"[Service]\nExecStart=/bin/sleep 9\n""#;
    let service = r#""id":"a/service","do":"service","unit":"a.service""#;
    assert_eq!(run(&mut machine, Mode::Check, &[unit, service]).0, ["a/unit Differs", "a/service Unknown"]);
    assert_eq!(
        run(&mut machine, Mode::Check, &[service]),
        (vec!["a/service Failed".to_owned()], Status::Failed)
    );
}

#[test]
fn one_instance_that_fails_does_not_stop_another_but_the_server_stops_all() {
    let mut machine = MemoryMachine::debian_12();
    let missing = r#""do":"line","path":"/etc/nowhere","line":"x""#;
    let steps = [
        &*format!("\"id\":\"b/line\",{missing}"),
        r#""id":"b/dir","do":"directory","path":"/srv/b""#,
        DIRECTORY,
    ];
    let (told, status) = run(&mut machine, Mode::Apply, &steps);
    assert_eq!(told, ["b/line Failed", "b/dir NotReached", "a/dir Changed"]);
    assert_eq!(status, Status::Failed);
    let (told, _) =
        run(&mut machine, Mode::Apply, &[&format!("\"id\":\"server/line\",{missing}"), DIRECTORY]);
    assert_eq!(told, ["server/line Failed", "a/dir NotReached"]);
}

#[test]
fn what_must_be_true_comes_first_then_sources_then_all_packages_at_once() {
    let mut machine = MemoryMachine::debian_12();
    machine.offer(Offer::new("tree", []));
    machine.offer(Offer::new("ufw", []));
    let steps = [
        DIRECTORY,
        r#""id":"a/packages","do":"package","names":["tree"]"#,
        r#""id":"a/source","do":"directory","path":"/srv/source","before":"packages""#,
        r#""id":"b/packages","do":"package","names":["tree","ufw"]"#,
        r#""id":"platform/os","do":"assert","os":"debian-12""#,
    ];
    let (told, _) = run(&mut machine, Mode::Apply, &steps);
    assert_eq!(
        told,
        ["platform/os Ok", "a/source Changed", "a/packages Changed", "b/packages Changed", "a/dir Changed"]
    );
    let (told, status) =
        run(&mut machine, Mode::Apply, &[DIRECTORY, r#""id":"platform/os","do":"assert","os":"debian-13""#]);
    assert_eq!(told, ["platform/os Failed", "a/dir NotReached"]);
    assert_eq!(status, Status::Failed);
}

#[test]
fn packages_that_cannot_be_installed_stop_the_machine() {
    let mut machine = MemoryMachine::debian_12();
    let (told, _) = run(
        &mut machine,
        Mode::Apply,
        &[r#""id":"platform/nginx/packages","do":"package","names":["no-such-package"]"#, DIRECTORY],
    );
    assert_eq!(told, ["platform/nginx/packages Failed", "a/dir NotReached"]);
}

#[test]
fn an_application_is_asked_for_its_health_only_after_a_change_of_its_own() {
    let mut machine = MemoryMachine::debian_12();
    machine.answer("http://a.test/", 500, "", None, 0);
    let health = r#""id":"a/health","do":"http","url":"http://a.test/","timeout":1"#;
    let other = r#""id":"b/health","do":"http","url":"http://a.test/","timeout":1"#;
    let (told, _) = run(&mut machine, Mode::Apply, &[DIRECTORY, health, other]);
    assert_eq!(told, ["a/dir Changed", "a/health Failed", "b/health Ok"]);
    let (told, _) = run(&mut machine, Mode::Apply, &[DIRECTORY, health]);
    assert_eq!(told, ["a/dir Ok", "a/health Ok"]);
}

#[test]
fn an_application_that_was_not_well_is_asked_again_until_it_is() {
    let state = tempfile::tempdir().unwrap();
    let mut machine = MemoryMachine::debian_12();
    machine.answer("http://a.test/", 500, "", None, 0);
    let health = r#""id":"a/health","do":"http","url":"http://a.test/","timeout":1"#;
    let run = |machine: &mut _| run_with(state.path(), machine, Mode::Apply, &[DIRECTORY, health]).0;
    assert_eq!(run(&mut machine), ["a/dir Changed", "a/health Failed"]);
    assert_eq!(run(&mut machine), ["a/dir Ok", "a/health Failed"]);
    // Neither a check nor another plan hides that.
    let check = |machine: &mut _| run_with(state.path(), machine, Mode::Check, &[DIRECTORY, health]).0;
    assert_eq!(check(&mut machine), ["a/dir Ok", "a/health Differs"]);
    run_with(state.path(), &mut machine, Mode::Apply, &[DIRECTORY]);
    assert_eq!(run(&mut machine), ["a/dir Ok", "a/health Failed"]);
    machine.answer("http://a.test/", 200, "", None, 0);
    assert_eq!(run(&mut machine), ["a/dir Ok", "a/health Ok"]);
    // Well at last: from now on it is left in peace.
    machine.answer("http://a.test/", 500, "", None, 0);
    assert_eq!(run(&mut machine), ["a/dir Ok", "a/health Ok"]);
}

#[test]
fn a_plan_killed_at_any_change_and_run_again_ends_as_if_nothing_had_been() {
    let steps = [
        DIRECTORY,
        FILE,
        r#""id":"a/group","do":"group","name":"a""#,
        r#""id":"a/user","do":"user","name":"a""#,
        r#""id":"a/link","do":"symlink","path":"/srv/a/link","target":"x""#,
        r#""id":"a/unit","do":"unit","name":"a.service","content":"[Service]\nExecStart=/bin/sleep 9\n""#,
        r#""id":"a/service","do":"service","unit":"a.service""#,
    ];
    let mut undisturbed = MemoryMachine::debian_12();
    run(&mut undisturbed, Mode::Apply, &steps);
    let changes = undisturbed.changes();
    for point in 0..changes {
        let mut machine = MemoryMachine::debian_12();
        machine.kill_after(point);
        run(&mut machine, Mode::Apply, &steps);
        assert!(machine.killed(), "point {point} of {changes}");
        machine.revive();
        let (told, status) = run(&mut machine, Mode::Apply, &steps);
        assert_eq!(status, Status::Done, "point {point}: {told:?}");
        assert_eq!(machine.snapshot(), undisturbed.snapshot(), "point {point}");
    }
}

#[test]
fn two_steps_never_write_one_place_whatever_their_types() {
    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGxhdyBvZiB0aGUgbGFuZCwgYSBrZXkgb2Ygbm9ib2R5";
    let key = |rest: &str| format!(r#""do":"authorized_key","user":"anna","key":"{KEY}{rest}"#);
    let link = |path: &str| format!(r#""do":"symlink","path":"{path}","target":"x""#);
    let text = |path: &str| format!(r#""do":"file","path":"{path}","content":"x""#);
    for (one, other) in [
        (key(r#"","options":"pty""#), key(r#" me""#)),
        (r#""do":"site","server":"nginx","name":"a""#.to_owned(), link("/etc/nginx/sites-enabled/a")),
        (
            r#""do":"site","server":"apache2","name":"a""#.to_owned(),
            link("/etc/apache2/sites-enabled/a.conf"),
        ),
        (
            r#""do":"apache_module","name":"a""#.to_owned(),
            r#""do":"apache_module","name":"a","enabled":false"#.to_owned(),
        ),
        (
            r#""do":"sysctl","name":"vm.a","value":"1""#.to_owned(),
            r#""do":"sysctl","name":"vm/a","value":"2""#.to_owned(),
        ),
        (
            r#""do":"sysctl","name":"vm.a","value":"1""#.to_owned(),
            text("/etc/sysctl.d/60-paquerette-vm.a.conf"),
        ),
    ] {
        let (one, other) = (format!(r#""id":"a/one",{one}"#), format!(r#""id":"a/other",{other}"#));
        let error = read(stream(&[&one, &other]).as_bytes()).unwrap_err();
        assert!(error.causes[0].contains("`a/one` (\"t\") writes the same"), "{one} {other}: {error:?}");
    }
}
