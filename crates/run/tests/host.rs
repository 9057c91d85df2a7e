//! The run of one machine's steps, on a machine in memory.

#![expect(clippy::unwrap_used, reason = "tests fail by it")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pq_run::{Allowed, Decisions, HostRun, Mode, Stop, Take, Told, Work, read};
use pq_steps::{AbsPath, Output, Probe};
use pq_store::Records;
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

fn work(steps: &[&str]) -> Work {
    read(stream(steps).as_bytes()).unwrap()
}

/// What became of which step.
#[derive(Default)]
struct Outcomes(Vec<String>);

impl Told for Outcomes {
    fn event(&mut self, event: &Event) {
        if event.outcome != Outcome::Started {
            self.0.push(format!("{} {:?}", event.id, event.outcome));
        }
    }

    fn note(&mut self, _: &str) {}

    fn come_in_anew(&mut self, _: std::time::Duration) {}
}

/// Runs a plan, and answers what became of which step, and the status.
fn run(machine: &mut MemoryMachine, mode: Mode, steps: &[&str]) -> (Vec<String>, Status) {
    let state = tempfile::tempdir().unwrap();
    run_with(state.path(), machine, mode, steps)
}

/// The same, with what earlier runs left in their journals.
fn run_with(state: &Path, machine: &mut MemoryMachine, mode: Mode, steps: &[&str]) -> (Vec<String>, Status) {
    run_deciding(state, machine, mode, &Take::default(), steps)
}

/// The same, with what the operator decided.
fn run_deciding(
    state: &Path,
    machine: &mut MemoryMachine,
    mode: Mode,
    take: &Take,
    steps: &[&str],
) -> (Vec<String>, Status) {
    run_whole(state, machine, (mode, false), take, steps)
}

/// The same, on a machine that carried services before, or did not.
fn run_on(machine: &mut MemoryMachine, mode: Mode, carries: bool, steps: &[&str]) -> (Vec<String>, Status) {
    let state = tempfile::tempdir().unwrap();
    run_whole(state.path(), machine, (mode, carries), &Take::default(), steps)
}

fn run_whole(
    state: &Path,
    machine: &mut MemoryMachine,
    (mode, carries): (Mode, bool),
    take: &Take,
    steps: &[&str],
) -> (Vec<String>, Status) {
    let work = work(steps);
    let decisions = Decisions::new(take).unwrap();
    let steps = &work.hosts[0].steps;
    let mut records = Records::open(state).unwrap();
    let unfinished = records.transactions.all().unwrap();
    let mut told = Outcomes::default();
    let verdict = HostRun {
        machine,
        earlier: &records.journal.earlier().unwrap(),
        records: &mut records,
        redactor: &Redactor::default(),
        mode,
        carries,
        unnoted: None,
        verify: false,
        unfinished,
        resume: &[],
        data_loss: &[],
        decisions: &decisions,
        stop: &Stop::default(),
        told: &mut told,
    }
    .run(steps);
    let ids = steps.iter().map(|step| step.record.id.as_str()).collect();
    records.close(verdict.status == Status::Done, &ids).unwrap();
    (told.0, verdict.status)
}

#[test]
fn what_is_only_reported_stays_as_it_is_and_counts_as_no_difference() {
    let mut machine = MemoryMachine::debian_12();
    run(&mut machine, Mode::Apply, &[DIRECTORY]);
    let audited = |word: &str| format!(r#"{FILE},"audit":"{word}""#);
    for word in ["always", "carried"] {
        for mode in [Mode::Check, Mode::Apply] {
            let (told, status) = run_on(&mut machine, mode, true, &[DIRECTORY, &audited(word)]);
            assert_eq!(
                (told, status),
                (vec!["a/dir Ok".to_owned(), "a/file Reported".to_owned()], Status::Done)
            );
        }
    }
    // On a machine that carried nothing it is done.
    let done = run_on(&mut machine, Mode::Apply, false, &[DIRECTORY, &audited("carried")]);
    assert_eq!(done.0, ["a/dir Ok", "a/file Changed"]);
    assert_eq!(run(&mut machine, Mode::Apply, &[DIRECTORY, &audited("always")]).0, ["a/dir Ok", "a/file Ok"]);
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
fn what_is_installed_is_not_upgraded_when_another_package_comes_beside_it() {
    let mut machine = MemoryMachine::debian_12();
    machine.offer(Offer::new("tree", []));
    machine.offer(Offer::new("ufw", []));
    let step = |names: &str| format!(r#""id":"a/packages","do":"package","names":{names}"#);
    assert_eq!(run(&mut machine, Mode::Apply, &[&step(r#"["tree"]"#)]).1, Status::Done);
    let version = |machine: &MemoryMachine| machine.package("tree").unwrap().unwrap().version;
    let before = version(&machine);
    machine.offer(Offer { version: "2.0-1".to_owned(), ..Offer::new("tree", []) });
    assert_eq!(run(&mut machine, Mode::Apply, &[&step(r#"["tree","ufw"]"#)]).1, Status::Done);
    assert_eq!(version(&machine), before);
    assert!(machine.package("ufw").unwrap().is_some());
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
    // A check does not say that all is well where something is still to be done.
    let (told, _) = run(&mut machine, Mode::Check, &[DIRECTORY, health, other]);
    assert_eq!(told, ["a/dir Differs", "a/health Unknown", "b/health Ok"]);
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

/// What is at a path.
fn text(machine: &MemoryMachine, path: &str) -> Option<String> {
    let bytes = machine.read(&AbsPath::new(path).unwrap()).unwrap();
    bytes.map(|bytes| String::from_utf8(bytes).unwrap())
}

fn paths(list: &[&str]) -> Vec<String> {
    list.iter().map(|path| (*path).to_owned()).collect()
}

#[test]
fn a_file_that_was_changed_by_hand_is_kept_until_the_operator_decides() {
    let state = tempfile::tempdir().unwrap();
    let mut machine = MemoryMachine::debian_12();
    let (old, new) = (FILE, FILE.replace("x\\n", "y\\n"));
    let run = |machine: &mut _, mode, take: &Take, file: &str| {
        run_deciding(state.path(), machine, mode, take, &[DIRECTORY, file])
    };
    let apply = |machine: &mut _, take: &Take, file: &str| run(machine, Mode::Apply, take, file).0.remove(1);
    let undecided = Take::default();
    assert_eq!(apply(&mut machine, &undecided, old), "a/file Changed");
    // What we wrote ourselves is replaced, and goes in sync again.
    assert_eq!(apply(&mut machine, &undecided, &new), "a/file Changed");
    machine.put("/srv/a/x", "edited\n");
    assert_eq!(
        run(&mut machine, Mode::Check, &undecided, &new),
        (paths(&["a/dir Ok", "a/file Kept"]), Status::Differs)
    );
    assert_eq!(text(&machine, "/srv/a/x.new"), None);
    assert_eq!(
        run(&mut machine, Mode::Apply, &undecided, &new),
        (paths(&["a/dir Ok", "a/file Kept"]), Status::Done)
    );
    assert_eq!(text(&machine, "/srv/a/x").unwrap(), "edited\n");
    assert_eq!(text(&machine, "/srv/a/x.new").unwrap(), "y\n");
    let changes = machine.changes();
    assert_eq!(apply(&mut machine, &undecided, &new), "a/file Kept");
    assert_eq!(machine.changes(), changes, "a second run writes nothing");
    // Theirs: left in peace, until something else is wanted.
    let theirs = Take { theirs: paths(&["/srv/a/x"]), ..Take::default() };
    assert_eq!(apply(&mut machine, &theirs, &new), "a/file Kept");
    assert_eq!(text(&machine, "/srv/a/x.new"), None);
    assert_eq!(run(&mut machine, Mode::Check, &undecided, &new).1, Status::Done);
    assert_eq!(apply(&mut machine, &undecided, &new), "a/file Ok");
    assert_eq!(apply(&mut machine, &undecided, old), "a/file Kept");
    // Ours: replaced, and what was there is kept among the old files.
    let ours = Take { ours: paths(&["/srv/**"]), ..Take::default() };
    assert_eq!(apply(&mut machine, &ours, old), "a/file Changed");
    assert_eq!(text(&machine, "/srv/a/x").unwrap(), "x\n");
    assert_eq!(text(&machine, "/srv/a/x.new"), None);
    let run =
        std::fs::read_dir(state.path().join("undo")).unwrap().map(|it| it.unwrap().path()).max().unwrap();
    assert_eq!(std::fs::read_to_string(run.join("0000")).unwrap(), "edited\n");
    assert_eq!(apply(&mut machine, &undecided, old), "a/file Ok");
}

#[test]
fn a_file_that_was_there_before_us_is_kept_unless_it_is_as_debian_brought_it() {
    let mut machine = MemoryMachine::debian_12();
    machine.put("/etc/a.conf", "of somebody\n");
    let file = r#""id":"a/file","do":"file","path":"/etc/a.conf","content":"x\n""#;
    assert_eq!(run(&mut machine, Mode::Apply, &[file]).0, ["a/file Kept"]);
    machine.put("/var/lib/dpkg/info/a.md5sums", "d41d8cd98f00b204e9800998ecf8427e  usr/share/a\n");
    machine.put("/var/lib/ucf/hashfile", "50d8ff1d0d9d4b4d8a4f3ed9b3b4d8c3  /etc/a.conf\n");
    assert_eq!(run(&mut machine, Mode::Apply, &[file]).0, ["a/file Kept"]);
    machine.put("/etc/a.conf", "");
    machine.put("/var/lib/ucf/hashfile", "d41d8cd98f00b204e9800998ecf8427e  /etc/a.conf\n");
    assert_eq!(run(&mut machine, Mode::Apply, &[file]).0, ["a/file Changed"]);
}

#[test]
fn a_decision_about_a_file_that_no_step_writes_is_refused() {
    let take = Take { ours: paths(&["/srv/a/y"]), ..Take::default() };
    let mut decisions = Decisions::new(&take).unwrap();
    decisions.see(&work(&[DIRECTORY, FILE]).hosts[0]);
    let error = decisions.all_fit().unwrap_err();
    assert_eq!(error.message, "`--take`: no step of the plan writes the whole of `/srv/a/y`");
    assert!(error.hints[0].contains("did you mean `/srv/a/x`"), "{error:?}");
}

#[test]
fn what_the_plan_does_not_hold_can_neither_lose_data_nor_go_on() {
    let steps = [r#""id":"a/drop","do":"absent","path":"/srv/a","destroys":"data""#, FILE];
    let refused = |data_loss: &[&str], resume: &[&str]| {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let (data_loss, resume) = (owned(data_loss), owned(resume));
        let mut allowed = Allowed::new(&data_loss, &resume);
        allowed.see(&work(&steps).hosts[0]);
        allowed.all_fit().err().map(|error| error.message)
    };
    assert_eq!(refused(&["a", "a/drop"], &[]), None);
    assert_eq!(refused(&["b"], &[]).unwrap(), "`--allow-data-loss`: no step of `b` destroys data");
    assert_eq!(refused(&[], &["nope"]).unwrap(), "`--resume`: the plan holds no transaction `nope`");
}

/// A service that reads `/etc/web/*`, and refuses a file that holds `bad`.
fn web(machine: &mut MemoryMachine) {
    machine.put("/etc/web/main", "main\n");
    machine.program(
        "webtest",
        Arc::new(|machine, _| {
            let directory = AbsPath::new("/etc/web").unwrap();
            for name in machine.list(&directory)?.unwrap_or_default() {
                let text = machine.read(&directory.join(&name).unwrap())?.unwrap_or_default();
                if text.starts_with(b"bad") {
                    let stderr = format!("bad word in /etc/web/{name}:1");
                    return Ok(Output { status: 1, stderr, ..Output::default() });
                }
            }
            Ok(Output::default())
        }),
    );
}

const WEB: [&str; 3] = [
    r#""id":"platform/web/unit","do":"unit","name":"web.service","content":"[Service]\nExecStart=/bin/sleep 9\nExecReload=/bin/true\n""#,
    r#""id":"platform/web/service","do":"service","unit":"web.service","reads":["/etc/web/*"],"after":"files""#,
    r#""id":"platform/web/reload","do":"reload","unit":"web.service","reads":["/etc/web/*"],"test":["/usr/bin/webtest"],"after":"files""#,
];

fn site(owner: &str, content: &str) -> String {
    format!(
        "\"id\":\"{owner}/site\",\"do\":\"file\",\"path\":\"/etc/web/{owner}\",\"content\":\"{content}\\n\""
    )
}

#[test]
fn files_that_a_shared_service_refuses_never_get_into_place_and_hold_up_nobody_else() {
    let state = tempfile::tempdir().unwrap();
    let mut machine = MemoryMachine::debian_12();
    web(&mut machine);
    let run = |machine: &mut _, a: &str, b: &str| {
        let steps = [WEB[0], &site("a", a), &site("b", b), WEB[1], WEB[2]];
        run_with(state.path(), machine, Mode::Apply, &steps)
    };
    assert_eq!(run(&mut machine, "one", "one").1, Status::Done);
    let (told, status) = run(&mut machine, "bad", "two");
    assert_eq!(
        told,
        [
            "platform/web/unit Ok",
            "a/site Failed",
            "b/site Changed",
            "platform/web/service Ok",
            "platform/web/reload Changed"
        ]
    );
    assert_eq!(status, Status::Failed);
    assert_eq!(text(&machine, "/etc/web/a").unwrap(), "one\n");
    assert_eq!(text(&machine, "/etc/web/b").unwrap(), "two\n");
}

#[test]
fn a_service_that_is_broken_already_stops_a_run_before_its_first_change_unless_the_run_mends_it() {
    let state = tempfile::tempdir().unwrap();
    let mut machine = MemoryMachine::debian_12();
    web(&mut machine);
    let run = |machine: &mut _, a: &str| {
        let steps = [WEB[0], DIRECTORY, &site("a", a), WEB[1], WEB[2]];
        run_with(state.path(), machine, Mode::Apply, &steps)
    };
    assert_eq!(run(&mut machine, "one").1, Status::Done);
    machine.put("/etc/web/main", "bad\n");
    let changes = machine.changes();
    let (told, status) = run(&mut machine, "two");
    assert_eq!((told[0].as_str(), status), ("platform/web/reload Failed", Status::Failed));
    assert!(told[1..].iter().all(|told| told.ends_with("NotReached")), "{told:?}");
    assert_eq!(machine.changes(), changes);
    // The file that is broken is the one that this run writes.
    machine.put("/etc/web/main", "main\n");
    machine.put("/etc/web/a", "bad\n");
    let steps = [WEB[0], DIRECTORY, &site("a", "two"), WEB[1], WEB[2]];
    let ours = Take { ours: paths(&["/etc/web/a"]), ..Take::default() };
    let (told, status) = run_deciding(state.path(), &mut machine, Mode::Apply, &ours, &steps);
    assert_eq!(status, Status::Done, "{told:?}");
    assert_eq!(text(&machine, "/etc/web/a").unwrap(), "two\n");
}

/// Makes the service's test content with what begins with a word once, when it is tried out, and not again.
fn deceiving(machine: &mut MemoryMachine, word: &'static str) {
    let asked = AtomicUsize::new(0);
    machine.program(
        "webtest",
        Arc::new(move |machine, _| {
            let text = machine.read(&AbsPath::new("/etc/web/a").unwrap())?.unwrap_or_default();
            let fails = text.starts_with(word.as_bytes()) && asked.fetch_add(1, Ordering::SeqCst) > 0;
            Ok(Output { status: i32::from(fails), ..Output::default() })
        }),
    );
}

#[test]
fn what_a_service_cannot_load_is_taken_back_and_what_it_had_is_loaded() {
    let state = tempfile::tempdir().unwrap();
    let mut machine = MemoryMachine::debian_12();
    web(&mut machine);
    let run = |machine: &mut _, a: &str| {
        let steps = [WEB[0], &site("a", a), WEB[1], WEB[2]];
        run_with(state.path(), machine, Mode::Apply, &steps)
    };
    assert_eq!(run(&mut machine, "one").1, Status::Done);
    deceiving(&mut machine, "two");
    let (told, status) = run(&mut machine, "two");
    assert_eq!(told.last().unwrap(), "platform/web/reload Failed");
    assert_eq!(status, Status::Failed);
    assert_eq!(text(&machine, "/etc/web/a").unwrap(), "one\n");
}

#[test]
fn what_comes_back_is_what_the_service_has_and_neither_older_nor_what_somebody_wrote_since() {
    let state = tempfile::tempdir().unwrap();
    let mut machine = MemoryMachine::debian_12();
    web(&mut machine);
    let run = |machine: &mut _, a: &str, b: &str, last: &str| {
        let steps = [WEB[0], &site("a", a), &site("b", b), WEB[1], WEB[2], last];
        run_with(state.path(), machine, Mode::Apply, &steps)
    };
    let fails = r#""id":"c/fails","do":"command","argv":["/usr/bin/fails"],"creates":"/srv/never""#;
    machine.program("fails", Arc::new(|_, _| Ok(Output { status: 1, ..Output::default() })));
    assert_eq!(run(&mut machine, "one", "one", DIRECTORY).1, Status::Done);
    // This run comes to no good end, and the service was reloaded in it: it has `two`.
    assert_eq!(run(&mut machine, "two", "two", fails).1, Status::Failed);
    deceiving(&mut machine, "three");
    machine.put("/etc/web/b", "by hand\n");
    let (told, status) = run(&mut machine, "three", "three", DIRECTORY);
    assert!(told.contains(&"platform/web/reload Failed".to_owned()), "{told:?}");
    assert_eq!(status, Status::Failed);
    assert_eq!(text(&machine, "/etc/web/a").unwrap(), "two\n");
    assert_eq!(text(&machine, "/etc/web/b").unwrap(), "by hand\n");
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

#[test]
fn nothing_of_an_instance_at_another_version_is_touched_and_a_check_says_that_it_differs() {
    let plan = |version: &str| {
        let installed = format!(
            r#""id":"a/installed","do":"installed","current":"/srv/a/current","version":"{version}""#
        );
        let link = format!(
            r#""id":"a/current","do":"symlink","path":"/srv/a/current","target":"releases/{version}""#
        );
        let conf = format!(r#""id":"a/conf","do":"file","path":"/srv/a/conf","content":"{version}\n""#);
        let page = r#""id":"a/page","do":"http","url":"http://127.0.0.1/","after":"files""#.to_owned();
        [installed, DIRECTORY.to_owned(), conf, link, page]
    };
    let other = r#""id":"b/dir","do":"directory","path":"/srv/b""#;
    let mut machine = MemoryMachine::debian_12();
    machine.answer("http://127.0.0.1/", 200, "", None, 1);
    let mut go = |mode, version: &str, other: &str| {
        let plan = plan(version);
        let steps: Vec<&str> = plan.iter().map(String::as_str).chain([other]).collect();
        run(&mut machine, mode, &steps)
    };
    // Nothing is installed: what is pinned is.
    let (told, status) = go(Mode::Apply, "1.2", other);
    assert_eq!(told[..2], ["a/installed Ok".to_owned(), "a/dir Changed".to_owned()]);
    assert_eq!((told.len(), status), (6, Status::Done));
    for version in ["1.3", "1.1"] {
        let stays = (vec!["a/installed Kept".to_owned(), "b/dir Ok".to_owned()], Status::Differs);
        assert_eq!(go(Mode::Check, version, other), stays);
        let (told, status) = go(Mode::Apply, version, other);
        assert_eq!((told, status), (stays.0, Status::Done));
    }
    assert!(go(Mode::Check, "1.2", other).0.iter().all(|it| it.ends_with(" Ok")));
    assert_eq!(
        machine.read(&AbsPath::new("/srv/a/conf").unwrap()).unwrap().as_deref(),
        Some(b"1.2\n".as_slice())
    );
}

#[test]
fn what_people_made_of_a_seed_is_data_and_one_that_nobody_touched_goes() {
    let state = tempfile::tempdir().unwrap();
    let mut machine = MemoryMachine::debian_12();
    let seed = |name: &str| {
        format!(r#""id":"a/{name}","do":"file","path":"/srv/a/{name}","content":"first\n","seed":true"#)
    };
    let (users, rights) = (seed("users"), seed("rights"));
    run_with(state.path(), &mut machine, Mode::Apply, &[DIRECTORY, &users, &rights]);
    machine.put("/srv/a/users", "first\nbob\n");
    let remove = |machine: &mut MemoryMachine, more: &str| {
        let ledger = std::fs::read_to_string(state.path().join("ledger.ndjson")).unwrap();
        machine.put("/var/lib/paquerette/ledger.ndjson", ledger);
        let step = format!(r#""id":"a/gone","do":"remove","owner":"a"{more}"#);
        run_with(state.path(), machine, Mode::Apply, &[&step]);
    };
    remove(&mut machine, "");
    assert_eq!(text(&machine, "/srv/a/users").unwrap(), "first\nbob\n");
    assert_eq!(text(&machine, "/srv/a/rights"), None);
    remove(&mut machine, r#","with_data":true"#);
    assert_eq!(text(&machine, "/srv/a/users"), None);
}
