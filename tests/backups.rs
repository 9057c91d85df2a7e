//! `pq-backup` behind `pq-inventory HOST |`, with a program in the place of ssh: which standard input names hosts, and how what they say is
//! told.

use std::fs::File;
use std::io::{BufRead, BufReader, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use pq_tests::{Told, TwoHosts, tools};
use serde_json::{Value, json};

/// What a host's `pq-backup` says, and how it ends.
fn said(records: &[Value], status: u8) -> String {
    let told = records.iter().map(|record| json!({"type": "told", "told": record}));
    let lines = told.chain([json!({"type": "ended", "status": status})]);
    lines.map(|line| line.to_string()).collect::<Vec<_>>().join("\n")
}

fn backup(item: &str) -> Value {
    json!({"type": "backup", "item": item, "late": true, "unlisted": false, "newest": null, "failed": null, "proven": null})
}

fn told(words: &[&str], records: &[Value], status: u8) -> Told {
    TwoHosts::new(&said(records, status)).told("pq-backup", words)
}

#[test]
fn what_hosts_say_stands_in_one_table_with_a_column_for_the_host() {
    let target = json!({"type": "target", "target": "local", "known": null});
    let Told(code, out, err) = told(&["status", "--text"], &[backup("wiki"), target, backup("blog")], 3);
    assert_eq!(code, 75, "unreachable wins over differs: {out}{err}");
    assert_eq!(
        out,
        "  host  item  age  size  added  to  proven  state\n\
         \x20 web   wiki  -    -     -      -   never   there is no backup\n\
         \x20 web   blog  -    -     -      -   never   there is no backup\n\
         web: local: nothing was written to it yet\n"
    );
    assert!(err.contains("pq-backup: error: cannot reach host `off`") && !err.contains("`web`"), "{err}");
}

#[test]
fn into_a_pipe_go_records_with_a_verdict_for_each_host() {
    let event = json!({"type": "event", "host": "liar", "id": "wiki/backup", "title": "backed up", "outcome": "changed"});
    let Told(code, out, err) = told(&["run"], &[event, backup("wiki")], 1);
    assert_eq!(code, 1, "failed wins over unreachable: {out}{err}");
    let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<(&str, &Value)> =
        lines.iter().map(|line| (line["type"].as_str().unwrap(), &line["host"])).collect();
    let (web, off) = (json!("web"), json!("off"));
    let hosts: Vec<_> = kinds.iter().filter(|(kind, _)| *kind == "host").map(|(_, host)| *host).collect();
    assert_eq!(hosts.len(), 2);
    let of_web = kinds.iter().filter(|(_, host)| **host == web).map(|(kind, _)| *kind);
    assert_eq!(of_web.collect::<Vec<_>>(), ["host", "event", "backup", "end"], "its own name: {out}");
    let of_off = kinds.iter().filter(|(_, host)| **host == off).map(|(kind, _)| *kind);
    assert_eq!(of_off.collect::<Vec<_>>(), ["host", "end"]);
    let ends: Vec<_> =
        lines.iter().filter(|it| it["type"] == "end").map(|it| (&it["host"], &it["status"])).collect();
    assert!(ends.contains(&(&web, &json!(1))) && ends.contains(&(&off, &json!(75))), "{out}");
    assert_eq!(lines.last().unwrap(), &json!({"type": "end", "hosts": 2, "status": 1}));
}

#[test]
fn what_is_told_while_it_is_done_has_the_name_of_its_host() {
    let records = [
        json!({"type": "progress", "what": "wiki", "part": 0.5}),
        json!({"type": "note", "note": "waiting\u{1b}[2J"}),
        json!({"type": "event", "host": "web", "id": "wiki/backup", "title": "backed up", "outcome": "changed", "ms": 1500}),
        json!({"type": "wrong", "message": "`blog` is not backed up", "causes": ["no room"], "hints": ["make room"]}),
        json!({"type": "copied", "target": "away\nweb: copied to nowhere", "sets": 1}),
    ];
    let Told(code, out, err) = told(&["run", "--text"], &records, 1);
    assert_eq!(code, 1);
    assert_eq!(
        out,
        "web: ok      wiki: backed up, 1.5 s\nweb: copied to away\\nweb: copied to nowhere: 1 backup\n"
    );
    assert!(err.contains("pq-backup: note: host `web`: waiting\\u{1b}[2J\n"), "{err}");
    let error = "pq-backup: error: host `web`: `blog` is not backed up\npq-backup: cause: no room\npq-backup: hint: make room\n";
    assert!(err.contains(error), "{err}");
    let Told(_, out, err) = told(&["run", "--quiet", "--text"], &records, 1);
    assert_eq!(
        (out.as_str(), err.contains("note"), err.contains("is not backed up")),
        ("", false, true),
        "{err}"
    );
}

#[test]
fn what_no_tool_says_is_not_believed_and_a_tool_that_is_not_there_is_told_with_the_cure() {
    for (answer, words) in [
        (said(&[json!({"type": "hello"})], 0), "host `web`: it says what no `pq-backup` says"),
        (r#"{"type":"facts","facts":{}}"#.to_owned(), "host `web` does not answer as an executor does"),
        (
            r#"{"type":"refused","status":1,"problems":[{"message":"`pq-backup` is not installed","hints":["install it"]}]}"#.to_owned(),
            "host `web`: `pq-backup` is not installed\npq-backup: hint: install it",
        ),
    ] {
        let Told(code, out, err) = TwoHosts::new(&answer).told("pq-backup", &["status", "--text"]);
        assert_eq!(code, 1, "{out}{err}");
        assert!(err.contains(words), "{err}");
    }
}

#[test]
fn what_somebody_restores_stays_on_its_host_and_says_so() {
    let record = json!({"type": "restored", "item": "wiki", "into": "/srv/r", "set": "s", "time": "2026-11-28T03:12:00Z",
        "files": 3, "bytes": 4, "dumps": [], "missing": [], "failed": []});
    let Told(_, out, err) = told(&["restore", "wiki", "--text"], &[record], 0);
    assert_eq!(out, "web:/srv/r\n");
    assert!(err.contains("web: restored `wiki` as of 2026-11-28T03:12: 3 entries"), "{err}");
    let kit = TwoHosts::new("").told("pq-backup", &["restore", "wiki", "--kit", "/k", "--identity", "/i"]);
    assert!(kit.0 == 2 && kit.2.contains("a recovery kit is read on this machine"), "{}", kit.2);
}

#[test]
fn only_a_pipe_or_a_file_with_something_in_it_names_hosts() {
    let (own, other) = UnixStream::pair().unwrap();
    (&other).write_all(b"{}").unwrap();
    let (empty, end) = std::io::pipe().unwrap();
    drop(end);
    for input in
        [Stdio::null(), OwnedFd::from(own).into(), empty.into(), tempfile::tempfile().unwrap().into()]
    {
        let hosts = TwoHosts::new(&said(&[], 0));
        let Told(_, out, err) = hosts.call("pq-backup", &["status", "--text"], input);
        assert!(!hosts.were_asked() && !err.contains("stream"), "{out}{err}");
    }
    let hosts = TwoHosts::new(&said(&[], 0));
    hosts.told("pq-backup", &["status", "--here"]);
    assert!(!hosts.were_asked());
    hosts.told("pq-backup", &["status"]);
    assert!(hosts.were_asked());
    let rubbish =
        TwoHosts::new("").call("pq-backup", &["status"], File::open("/etc/hostname").unwrap().into());
    assert!(rubbish.0 == 2 && rubbish.2.contains("`--here`"), "{}", rubbish.2);
}

#[test]
fn who_waits_for_hosts_says_so() {
    let (input, mut end) = std::io::pipe().unwrap();
    let hosts = TwoHosts::new(&said(&[], 0));
    let stream = hosts.stream();
    let writes = thread::spawn(move || {
        thread::sleep(Duration::from_millis(3500));
        end.write_all(stream.as_bytes()).unwrap();
    });
    let Told(code, _, err) = hosts.call("pq-backup", &["status", "--text"], input.into());
    writes.join().unwrap();
    assert_eq!(code, 75);
    assert!(err.contains("note: waiting for hosts on standard input; `--here` is this machine"), "{err}");
}

#[test]
fn a_signal_ends_a_tool_although_who_started_it_held_signals_back() {
    const HELD: &str = "import os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
os.execv(sys.argv[1], sys.argv[1:])";
    let (input, _end) = std::io::pipe().unwrap();
    let mut tool = Command::new("python3")
        .args(["-c", HELD])
        .arg(tools().join("pq-backup"))
        .arg("status")
        .stdin(input)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(tool.stderr.take().unwrap()).lines();
    assert!(said.next().unwrap().unwrap().contains("waiting for hosts"));
    let sent = Command::new("kill").args(["-TERM", &tool.id().to_string()]).status().unwrap();
    assert!(sent.success());
    assert_eq!(tool.wait().unwrap().signal(), Some(15));
}
