//! `pq-server packages`, `space` and `query` as somebody types them, with a program in the place of ssh: what machines answer becomes
//! a table or records, and what they cannot have said is not believed.

use std::process::{Command, Stdio};

use pq_tests::{Told, TwoHosts, tools};

/// Asks two hosts: `web`, where this answers in the place of an executor, and `off`, which is not reached.
fn told(words: &[&str], answer: &str) -> Told {
    TwoHosts::new(answer).told("pq-server", words)
}

const PACKAGES: &str = r#"{"type":"packages","host":"liar","upgrades":[{"name":"curl","from":"1","to":"2","origins":["Debian:12.9/stable"],"security":false}]}"#;

#[test]
fn a_host_that_answers_is_a_table_and_one_that_is_off_is_told() {
    let Told(code, out, err) = told(&["packages", "--text"], PACKAGES);
    assert_eq!(code, 75, "{out}{err}");
    assert_eq!(
        out,
        "web\n  upgrade  curl  1 → 2  Debian:12.9/stable\nweb: 1 to upgrade, 0 for security (apt has no lists)\n"
    );
    assert!(err.contains("error: cannot reach host `off`") && !err.contains("`web`"), "{err}");
}

#[test]
fn into_a_pipe_go_records_with_a_verdict_for_each_host() {
    let Told(code, out, _) = told(&["packages"], PACKAGES);
    assert_eq!(code, 75, "{out}");
    let lines: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<&str> = lines.iter().map(|line| line["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["run", "host", "packages", "end", "host", "end", "end"]);
    assert_eq!(
        (&lines[2]["host"], &lines[3]["status"]),
        (&"web".into(), &3.into()),
        "its own name, and 3: {out}"
    );
    assert_eq!((&lines[5]["host"], &lines[5]["status"]), (&"off".into(), &75.into()));
    assert_eq!((&lines[6]["hosts"], &lines[6]["status"]), (&2.into(), &75.into()));
}

#[test]
fn only_what_is_for_security_counts_where_that_is_asked_for() {
    let Told(_, out, _) = told(&["packages", "--security", "--text"], PACKAGES);
    assert!(out.contains("web: nothing to upgrade"), "{out}");
}

#[test]
fn what_failed_in_an_upgrade_is_an_error_of_its_host() {
    let done = r#"{"type":"packages","done":{"restarted":["cron.service"],"problems":[{"message":"apt could not upgrade `clock`","causes":["dpkg: error"],"hints":["look"]}]}}"#;
    let Told(code, out, err) = told(&["packages", "--apply", "--yes", "--text"], done);
    assert_eq!(code, 1, "failed wins over unreachable: {out}{err}");
    let error = "pq-server: error: host `web`: apt could not upgrade `clock`\npq-server: cause: dpkg: error\npq-server: hint: look\n";
    assert!(err.contains(error), "{err}");
    let note = "pq-server: note: the instances of host `web` are not asked whether they are well: the operating system of `web` is not known";
    assert!(err.contains(note), "{err}");
    assert!(out.contains("web: 0 upgraded, 1 restarted, 1 problem, nothing to upgrade"), "{out}");
}

#[test]
fn what_is_kept_and_installed_is_shown() {
    let space = r#"{"type":"space","total":2048,"kept":[{"path":"/srv/x","what":"old release","owner":"wiki","size":2048}]}"#;
    let Told(code, out, _) = told(&["space", "--text"], space);
    assert_eq!(code, 75);
    assert!(out.contains("  2.0 KiB  -    wiki   old release  /srv/x\nweb: 2.0 KiB kept\n"), "{out}");
    let installed = r#"{"type":"installed","instances":[]}"#;
    let Told(_, out, _) = told(&["query", "--text"], installed);
    assert!(out.contains("wiki  dokuwiki  absent") && out.contains("web: 1 instance\n"), "{out}");
}

#[test]
fn an_answer_that_is_another_or_that_a_terminal_would_obey_is_none() {
    for answer in [
        r#"{"type":"space","total":0}"#,
        r#"{"type":"packages","failed":["\u001b[2J"]}"#,
        r#"{"type":"end","status":0}"#,
        "rubbish",
    ] {
        let Told(code, out, err) = told(&["packages", "--text"], answer);
        assert_eq!(code, 1, "{answer}: {out}{err}");
        assert!(err.contains("host `web` does not answer as an executor does"), "{answer}: {err}");
    }
}

#[test]
fn without_a_stream_the_command_says_what_to_type() {
    let output = Command::new(tools().join("pq-server"))
        .arg("space")
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{err}");
    assert!(err.contains("the stream is empty") && err.contains("`--here` asks this machine"), "{err}");
}

#[test]
fn the_options_of_planning_do_not_go_with_a_command() {
    let output = Command::new(tools().join("pq-server")).args(["--check", "packages"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let help = Command::new(tools().join("pq-server")).args(["packages", "--help"]).output().unwrap();
    let help = String::from_utf8_lossy(&help.stdout);
    assert!(help.contains("--security") && help.contains("exit status is 3 where"), "{help}");
}
