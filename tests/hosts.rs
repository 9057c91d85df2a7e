//! What a machine says is not believed: a program in the place of ssh says what no executor would.

#![expect(clippy::unwrap_used, reason = "what the runner itself cannot do ends the test")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use pq_tests::tools;

const BEGUN: &str = r#"{"type":"begun","version":"1"}"#;

/// Runs pq-apply with a program in the place of ssh, whose script this is; answers its exit status and all that it said.
fn said(script: &str, options: &[&str]) -> (i32, String) {
    let home = tempfile::tempdir().unwrap();
    let fake = home.path().join("ssh");
    fs::write(&fake, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&fake, fs::Permissions::from_mode(0o755)).unwrap();
    let plan = home.path().join("plan");
    let fake = fake.display();
    fs::write(
        &plan,
        format!(
            r#"{{"type":"run","format":1,"inventory":"/i","digest":"0","time":"2026-11-23T00:00:00Z"}}
{{"type":"host","host":"web","groups":[],"connection":{{"kind":"ssh"}},"vars":{{"ansible_ssh_executable":"{fake}"}}}}
{{"type":"step","host":"web","id":"a/dir","title":"a directory","do":"directory","path":"/srv/a"}}
{{"type":"step","host":"web","id":"a/file","title":"a file","do":"file","path":"/srv/a/b","content":"x"}}
{{"type":"end","hosts":1,"status":0}}
"#
        ),
    )
    .unwrap();
    let output = Command::new(tools().join("pq-apply"))
        .args(options)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", home.path())
        .stdin(Stdio::from(fs::File::open(plan).unwrap()))
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout) + &text(&output.stderr))
}

/// A script that says these lines, and then that all was done.
fn lines(lines: &[&str]) -> String {
    let mut script = "cat >/dev/null &\n".to_owned();
    for line in [&[BEGUN], lines, &[r#"{"type":"end","host":"web","status":0}"#]].concat() {
        script.push_str(&format!("printf '%s\\n' '{line}'\n"));
    }
    script
}

fn event(id: &str, outcome: &str, more: &str) -> String {
    format!(r#"{{"type":"event","host":"web","id":"{id}","title":"t","outcome":"{outcome}"{more}}}"#)
}

#[test]
fn a_machine_that_says_what_a_run_could_is_heard() {
    let (dir, file) = (event("a/dir", "ok", ""), event("a/file", "changed", ""));
    let (code, text) = said(&lines(&[&dir, &file]), &["--text"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("web: 1 ok, 1 changed"), "{text}");
}

#[test]
fn what_no_run_of_the_plan_could_say_fails() {
    let ok = event("a/dir", "ok", "");
    for (name, script, cause) in [
        ("a step of another plan", lines(&[&event("b/x", "ok", "")]), "a step that it was not given"),
        ("a step twice", lines(&[&ok, &ok]), "what it tells of `a/dir` cannot be"),
        ("not all of it", lines(&[&ok]), "of some steps nothing was"),
        ("rubbish", lines(&["rubbish"]), "no part of an execution"),
        ("out of turn", lines(&[r#"{"type":"ready"}"#]), "out of turn"),
        ("an event before it began", lines(&[]).replace(BEGUN, &ok), "out of turn"),
        (
            "without end",
            format!("printf '%s\\n' '{BEGUN}'; yes {}", "x".repeat(50)),
            "no part of an execution",
        ),
        (
            "one line without end",
            format!("printf '%s\\n' '{BEGUN}'; tr '\\0' x </dev/zero"),
            "more than any plan",
        ),
        (
            "a machine of no kind",
            r#"printf '{"type":"lacks","machine":"pdp11"}\n'; cat >/dev/null"#.to_owned(),
            "its architecture is `pdp11`",
        ),
    ] {
        let (code, text) = said(&script, &["--text"]);
        assert_eq!(code, 1, "{name}: {text}");
        assert!(text.contains(cause) && text.contains("web: failed"), "{name}: {text}");
    }
    let (code, text) = said(&lines(&[&event("a/dir", "changed", "")]), &["--check"]);
    assert!(code == 1 && text.contains("what it tells of `a/dir` cannot be"), "a check that changes: {text}");
}

#[test]
fn a_failure_cannot_be_told_as_success() {
    let (dir, file) = (event("a/dir", "failed", ""), event("a/file", "not_reached", ""));
    let (code, text) = said(&lines(&[&dir, &file]), &[]);
    assert_eq!(code, 1, "{text}");
    let refused = r#"{"type":"refused","status":0,"problems":[{"message":"no"}]}"#;
    assert_eq!(said(&lines(&[refused]), &[]).0, 75);
}

#[test]
fn no_text_of_a_machine_is_obeyed_by_the_terminal() {
    let problem = r#","problem":{"message":"\u001b[2Jgone","causes":["\u001b]0;title\u0007"]}"#;
    let (dir, file) = (event("a/dir", "failed", problem), event("a/file", "not_reached", ""));
    let note = r#"{"type":"note","note":"\u001b[31mred\npq-apply: error: forged"}"#;
    let (_, text) = said(&lines(&[note, &dir, &file]), &["--text"]);
    assert!(text.contains("gone") && !text.contains("\u{1b}[2J") && !text.contains('\u{7}'), "{text:?}");
    assert!(!text.contains("\npq-apply: error: forged"), "{text}");
    let (_, text) = said("printf 'last \\033[2Jwords\\n' >&2; exit 255", &["--text"]);
    assert!(text.contains("cannot reach host `web`") && !text.contains("\u{1b}[2J"), "{text:?}");
}

#[test]
fn how_a_line_ends_says_what_became_of_the_run() {
    let started = event("a/dir", "started", "");
    for (script, code, words) in [
        ("exit 255".to_owned(), 75, "cannot reach host `web`"),
        (format!("printf '%s\\n' '{BEGUN}' '{started}'; exit 255"), 75, "step `a/dir` was at work"),
        (format!("printf '%s\\n' '{BEGUN}' '{started}'; exit 137"), 1, "ended early"),
        ("echo 'sudo: a password is required' >&2; exit 1".to_owned(), 1, "--ask-become-pass"),
        ("echo Welcome; exit 3".to_owned(), 1, "ended with status 3"),
    ] {
        let (ended, text) = said(&script, &["--text"]);
        assert_eq!(ended, code, "{script}: {text}");
        assert!(text.contains(words), "{script}: {text}");
    }
}
