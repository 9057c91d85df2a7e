//! A tool that is installed on a machine does there what it does here, and what it says comes back, record by record.
//!
//! Always true here: it is of the same release, so that both mean the same by each word; it runs in a group of processes of its own, reads
//! nothing but the end of its standard input, and ends with that: nothing of it is left running where nobody listens any more.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, Signal};
use pq_cli::Failure;
use pq_run::Stop;
use pq_secrets::KeyFiles;
use pq_stream::{Diagnostic, Run, Status, system_cause};
use rustix::io::Errno;
use rustix::process::{Pid, WaitId, WaitIdOptions, kill_process_group, waitid};
use serde_json::Value;

use crate::ask::{Answer, Asked, Asking, Spoken};
use crate::confirm::confirm;
use crate::crew::{Crew, sent_by};
use crate::order::Question;
use crate::said::Said;

/// Where they are installed.
const BACKUP: &str = "/usr/local/bin/pq-backup";
const MONITOR: &str = "/usr/local/bin/pq-monitor";

/// The tool of which a question is what it says; nothing where the executor itself answers.
pub fn program(question: Question) -> Option<&'static str> {
    match question {
        Question::Backup => Some(BACKUP),
        Question::Monitor => Some(MONITOR),
        _ => None,
    }
}

/// How soon it hears that it is to end.
const HEED: Duration = Duration::from_millis(100);

/// How long it may take to.
const PATIENCE: Duration = Duration::from_secs(20);

/// The bytes that are kept of what it writes on standard error.
const KEPT: usize = 4096;

/// What becomes of a run that is asked to stop.
const STOPPING: &str = "stopping what is at work on the hosts";

/// Has `pq-backup` of these hosts, each with its own `words`, do what it does; `heard` hears what they say. Where that `changes`
/// something that was there, and there are several hosts, a person is asked before.
///
/// # Errors
/// Where nobody can be asked, or the operator does not want it; nothing was touched then.
pub fn backup(
    changes: bool,
    run: &Run,
    hosts: &[Asked],
    keys: &KeyFiles,
    crew: &Crew,
    heard: &(dyn Fn(&str, Spoken) + Sync),
) -> Result<Vec<Answer<Status>>, Failure> {
    let names: Vec<&str> = hosts.iter().map(|it| it.host.host.as_str()).collect();
    if changes && names.len() > 1 && !crew.yes {
        confirm(&names)?;
    }
    ask(Question::Backup, run, hosts, keys, crew, heard)
}

/// Has `pq-monitor` of these hosts, each with its own `words`, say what it says; `heard` hears it. Nothing is changed.
///
/// # Errors
/// Where nobody can be asked.
pub fn monitor(
    run: &Run,
    hosts: &[Asked],
    keys: &KeyFiles,
    crew: &Crew,
    heard: &(dyn Fn(&str, Spoken) + Sync),
) -> Result<Vec<Answer<Status>>, Failure> {
    ask(Question::Monitor, run, hosts, keys, crew, heard)
}

fn ask(
    question: Question,
    run: &Run,
    hosts: &[Asked],
    keys: &KeyFiles,
    crew: &Crew,
    heard: &(dyn Fn(&str, Spoken) + Sync),
) -> Result<Vec<Answer<Status>>, Failure> {
    let signals: SigSet = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].into_iter().collect();
    let stop = Stop::watch_for(signals, STOPPING).map_err(|error| {
        Failure::failed(Diagnostic::new("cannot wait for signals").cause(error.to_string()))
    })?;
    let here = |asked: &Asked| {
        let own = std::env::current_exe().unwrap_or_else(|_| program(question).unwrap_or_default().into());
        let mut told = |told| heard(&asked.host.host, Spoken::Told(told));
        converse(&own, &sent_by(), &asked.words, &stop, &mut told).map_err(|error| {
            Failure::failed(Diagnostic {
                message: format!("host `{}`: {}", asked.host.host, error.message),
                ..error
            })
        })
    };
    let take = |said| match said {
        Said::Ended { status } => Some(status),
        _ => None,
    };
    let status = |status: &Status| *status;
    let soon = Asking::soon(question, &here, take);
    let asking = Asking { patience: None, stop: &stop, status, heard, ..soon };
    asking.ask(run, hosts, keys, crew)
}

/// Demands that the tool is there, and of this release.
///
/// # Errors
/// Where it is not.
pub fn same_release(program: &Path) -> Result<(), Diagnostic> {
    let name = name(program);
    let jobs = if name == "pq-backup" { " and `backup_jobs`" } else { "" };
    let cure = format!(
        "install this release there: `paquerette_tools`{jobs} in the inventory, and `pq-inventory HOST | pq-server --apply`"
    );
    let answer = Command::new(program).arg("--version").stdin(Stdio::null()).output();
    let answer = answer.map_err(|error| {
        Diagnostic::new(format!("`{name}` is not installed"))
            .cause(format!("`{}`: {}", program.display(), system_cause(&error)))
            .hint(cure.clone())
    })?;
    let (is, ours) = (String::from_utf8_lossy(&answer.stdout).trim().to_owned(), env!("CARGO_PKG_VERSION"));
    match is == format!("{name} {ours}") {
        true => Ok(()),
        false => {
            let is: String = is.chars().filter(|it| !it.is_control()).take(60).collect();
            Err(Diagnostic::new(format!("`{name}` there is of another release"))
                .cause(format!("`{}` says `{is}`, and this is {ours}", program.display()))
                .hint(cure))
        }
    }
}

/// Runs the tool with these arguments, tells what it says, and ends it where that is asked for.
///
/// # Errors
/// Where it cannot be run, is ended, or ends as none of these tools does.
pub fn converse(
    program: &Path,
    sent_by: &str,
    words: &[String],
    stop: &Stop,
    told: &mut dyn FnMut(Value),
) -> Result<Status, Diagnostic> {
    let name = name(program);
    let cannot = |error: &std::io::Error| {
        Diagnostic::new(format!("cannot run `{}`", program.display())).cause(system_cause(error))
    };
    let mut child = Command::new(program)
        .args(["--remote", sent_by])
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|error| cannot(&error))?;
    let (Some(input), Some(output), Some(errors)) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(Diagnostic::new(format!("`{name}` was started without its pipes")));
    };
    let over = AtomicBool::new(false);
    let (status, last, heard) = thread::scope(|scope| {
        let (group, over) = (child.id(), &over);
        scope.spawn(move || end_when_asked(input, group, stop, over));
        scope.spawn(move || end_rest(group, over));
        let errors = scope.spawn(|| last_words(errors));
        let heard = hear(BufReader::new(output), told);
        if heard.is_err() {
            end(group);
        }
        while !over.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(2));
        }
        let status = child.wait();
        (status, errors.join().unwrap_or_default(), heard)
    });
    if stop.asked().is_some() {
        let error = Diagnostic::new(format!("`{name}` was stopped")).cause("the run was asked to stop");
        return Err(match name == "pq-monitor" {
            true => error,
            false => error.hint(
                "what was whole stays so, and what was not counts for nothing; run the same command again",
            ),
        });
    }
    heard.map_err(|error| cannot(&error))?;
    let code = status.map_err(|error| cannot(&error))?.code();
    match code.and_then(|code| Status::try_from(u8::try_from(code).ok()?).ok()) {
        Some(status)
            if last.is_empty() || matches!(status, Status::Done | Status::Differs | Status::Busy) =>
        {
            Ok(status)
        }
        _ => {
            let how = match code {
                Some(code) => format!("`{name}` ended with status {code}"),
                None => format!("`{name}` was killed"),
            };
            Err(last.into_iter().fold(Diagnostic::new(how), Diagnostic::cause))
        }
    }
}

fn name(program: &Path) -> String {
    program.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Tells each record that is said.
fn hear(mut lines: impl BufRead, told: &mut dyn FnMut(Value)) -> std::io::Result<()> {
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line)? > 0 {
        let record = serde_json::from_slice(&line)
            .map_err(|_| std::io::Error::other("it says what is no record of it"))?;
        told(record);
        line.clear();
    }
    Ok(())
}

/// The last lines of standard error: there, a tool that speaks in records has nothing to say.
fn last_words(mut errors: impl Read) -> Vec<String> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 1024];
    while let Ok(read @ 1..) = errors.read(&mut chunk) {
        bytes.extend_from_slice(&chunk[..read]);
        let beyond = bytes.len().saturating_sub(KEPT);
        bytes.drain(..beyond);
    }
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.iter().rev().take(3).rev().map(|line| line.chars().take(300).collect()).collect()
}

/// Holds its standard input open until it has ended, or is to.
fn end_when_asked(input: std::process::ChildStdin, group: u32, stop: &Stop, over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        if stop.asked().is_some() {
            drop(input);
            let since = Instant::now();
            while !over.load(Ordering::Relaxed) && since.elapsed() < PATIENCE {
                thread::sleep(HEED);
            }
            if !over.load(Ordering::Relaxed) {
                end(group);
            }
            return;
        }
        thread::sleep(HEED);
    }
}

/// Ends a group of processes.
fn end(group: u32) {
    if let Some(group) = pid(group) {
        let _ = kill_process_group(group, rustix::process::Signal::KILL);
    }
}

/// Ends what the tool left of its group once it has ended: one that was killed does not end its own. It is not waited for yet, so that
/// nobody else has its number.
fn end_rest(group: u32, over: &AtomicBool) {
    if let Some(tool) = pid(group) {
        let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while let Err(Errno::INTR) = waitid(WaitId::Pid(tool), ended) {}
    }
    end(group);
    over.store(true, Ordering::Relaxed);
}

fn pid(number: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(number).ok()?)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A program in the place of the tool.
    fn tool(dir: &Path, script: &str) -> std::path::PathBuf {
        let path = dir.join("pq-backup");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    fn said(script: &str) -> (Result<Status, String>, Vec<Value>) {
        let dir = tempfile::tempdir().unwrap();
        let mut all = Vec::new();
        let words = ["status".to_owned()];
        let told = &mut |it| all.push(it);
        let ended = converse(&tool(dir.path(), script), "me", &words, &Stop::default(), told);
        (ended.map_err(|error| error.to_string()), all)
    }

    #[test]
    fn what_it_says_is_told_and_how_it_ends_is_its_status() {
        let (ended, all) = said(r#"echo "{\"type\":\"note\",\"note\":\"$*\"}"; exit 3"#);
        assert_eq!(ended, Ok(Status::Differs));
        assert_eq!(all, [serde_json::json!({"type": "note", "note": "--remote me status"})]);
    }

    #[test]
    fn what_none_of_these_tools_does_is_a_failure() {
        let (ended, _) = said("echo 'unexpected argument' >&2; exit 2");
        assert_eq!(ended.unwrap_err(), "`pq-backup` ended with status 2: unexpected argument");
        assert!(said("kill -9 $$").0.unwrap_err().contains("was killed"));
        assert!(said("exit 101").0.unwrap_err().contains("status 101"));
        assert!(said("echo hello; sleep 60").0.unwrap_err().contains("no record"));
    }

    #[test]
    fn one_that_is_missing_or_of_another_release_is_told_with_the_cure() {
        let dir = tempfile::tempdir().unwrap();
        let missing = same_release(&dir.path().join("pq-backup")).unwrap_err();
        assert!(missing.to_string().starts_with("`pq-backup` is not installed"), "{missing}");
        let ours = format!("echo pq-backup {}", env!("CARGO_PKG_VERSION"));
        assert!(same_release(&tool(dir.path(), &ours)).is_ok());
        let old = same_release(&tool(dir.path(), "echo pq-backup 0.0.1")).unwrap_err();
        assert!(old.to_string().contains("says `pq-backup 0.0.1`"), "{old}");
        assert!(old.hints[0].contains("pq-server --apply"));
    }

    #[test]
    fn one_that_is_to_stop_ends_with_its_standard_input_and_takes_along_what_it_started() {
        let dir = tempfile::tempdir().unwrap();
        let left = dir.path().join("left");
        let script = format!("sleep 300 & echo $! > '{}'; read -r x; exit 130", left.display());
        let program = tool(dir.path(), &script);
        let stop = Stop::default();
        let asked = stop.clone();
        let waits = left.clone();
        let asks = thread::spawn(move || {
            while fs::read_to_string(&waits).unwrap_or_default().is_empty() {
                thread::sleep(Duration::from_millis(5));
            }
            asked.ask(Signal::SIGINT);
        });
        let begun = Instant::now();
        let ended = converse(&program, "me", &[], &stop, &mut |_| {});
        asks.join().unwrap();
        assert!(ended.unwrap_err().to_string().contains("was stopped"));
        assert!(begun.elapsed() < PATIENCE);
        let process = format!("/proc/{}", fs::read_to_string(left).unwrap().trim());
        let gone = || fs::read_to_string(format!("{process}/stat")).map_or(true, |it| it.contains(") Z "));
        while !gone() {
            assert!(begun.elapsed() < PATIENCE, "`{process}` is left");
            thread::sleep(Duration::from_millis(5));
        }
    }
}
