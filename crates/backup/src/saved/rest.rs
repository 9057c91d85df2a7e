//! What runs of an instance comes to an end, so that nobody writes what would be lost.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pq_stream::Diagnostic;
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;

use super::{cannot, door};

/// How long what runs may go on by itself, and then once it was asked to end.
const PATIENCE: Duration = Duration::from_secs(15);

/// Ticks a second in what the kernel tells users, on every processor that Debian runs on.
const TICKS: f64 = 100.0;

/// Whose processes are to end.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Whose {
    /// The user of the instance.
    user: String,
    /// A mark: what began after it may go on. Without it, nothing may.
    #[serde(default)]
    since: Option<PathBuf>,
    /// The socket of its PHP, through which nothing is to come any more.
    #[serde(default)]
    socket: Option<PathBuf>,
}

/// A process that is to end.
#[derive(Debug, PartialEq, Eq)]
struct Process {
    id: i32,
    name: String,
}

impl Process {
    /// Whether it is one that its master replaces.
    fn is_worker(&self) -> bool {
        self.name.starts_with("php-fpm")
    }
}

/// Has them end: those of PHP once they have answered, others when they are told to.
pub(super) fn rest(whose: &Whose) -> Result<(), Diagnostic> {
    if let Some(socket) = &whose.socket {
        door::shut(socket)?;
        drained(whose, socket)?;
    }
    // A worker of PHP that is told so answers whom it is answering, and goes. Another one may come in its place, which nobody asks anything.
    let mut workers = all(whose)?;
    if whose.socket.is_some() {
        workers = of(whose, None)?;
    }
    workers.retain(Process::is_worker);
    workers.iter().for_each(|worker| end(worker, Signal::QUIT));
    for signal in [Signal::TERM, Signal::KILL] {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            let there = of(whose, None)?;
            if is_resting(whose).is_ok() && !workers.iter().any(|worker| there.contains(worker)) {
                return Ok(());
            }
            sleep(Duration::from_millis(50));
        }
        let (old, there) = (all(whose)?, of(whose, None)?);
        there
            .iter()
            .filter(|it| if it.is_worker() { workers.contains(it) } else { old.contains(it) })
            .for_each(|process| end(process, signal));
    }
    sleep(Duration::from_millis(500));
    is_resting(whose)
}

/// Waits until all that had come through the door is at a worker; where they are all busy, they are told to end.
fn drained(whose: &Whose, socket: &Path) -> Result<(), Diagnostic> {
    for signal in [Signal::QUIT, Signal::TERM, Signal::KILL] {
        if door::answers(socket, PATIENCE) {
            return Ok(());
        }
        of(whose, None)?.iter().filter(|it| it.is_worker()).for_each(|worker| end(worker, signal));
    }
    match door::answers(socket, PATIENCE) {
        true => Ok(()),
        false => Err(Diagnostic::new(format!("what waits for the PHP of `{}` is not answered", whose.user))
            .cause(format!("`{}` takes nothing", socket.display()))
            .hint("`systemctl status 'php*-fpm'` says how PHP is")),
    }
}

/// Without a mark, a worker of PHP cannot be told from one that came in its place, and counts for nothing.
pub(super) fn is_resting(whose: &Whose) -> Result<(), Diagnostic> {
    if let Some(socket) = whose.socket.as_ref().filter(|socket| !door::is_shut(socket)) {
        return Err(Diagnostic::new(format!("`{}` takes requests", socket.display())));
    }
    let mut left = all(whose)?;
    left.retain(|process| whose.since.is_some() || !process.is_worker());
    if left.is_empty() {
        return Ok(());
    }
    let named: Vec<String> = left.iter().map(|it| format!("`{}` ({})", it.name, it.id)).collect();
    Err(Diagnostic::new(format!("what runs as `{}` does not end", whose.user)).cause(named.join(", ")))
}

fn end(process: &Process, signal: Signal) {
    if let Some(id) = Pid::from_raw(process.id) {
        let _ = kill_process(id, signal);
    }
}

/// The processes of the user that began before the mark.
fn all(whose: &Whose) -> Result<Vec<Process>, Diagnostic> {
    let Some(mark) = &whose.since else { return of(whose, None) };
    let changed = fs::metadata(mark).and_then(|is| is.modified()).map_err(cannot("read", mark))?;
    of(whose, Some(changed.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()))
}

/// The processes of the user that began before a time, in seconds since 1970; its Redis, which holds what may be forgotten, is none of them.
fn of(whose: &Whose, before: Option<f64>) -> Result<Vec<Process>, Diagnostic> {
    let users = Path::new("/etc/passwd");
    let text = fs::read_to_string(users).map_err(cannot("read", users))?;
    let theirs = |line: &&str| line.split(':').next() == Some(&whose.user);
    let number = text.lines().find(theirs).and_then(|line| line.split(':').nth(2)?.parse::<u32>().ok());
    let Some(number) = number else { return Ok(Vec::new()) };
    // `btime` of /proc/stat is of whole seconds.
    let uptime = fs::read_to_string("/proc/uptime").unwrap_or_default();
    let uptime: f64 = uptime.split(' ').next().and_then(|text| text.parse().ok()).unwrap_or_default();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let boot = now - uptime;
    let redis = format!("pq-{}-redis", whose.user);
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").map_err(cannot("read", Path::new("/proc")))?.flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        if entry.metadata().map(|is| is.uid()).ok() != Some(number) {
            continue;
        }
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        let Some((name, began)) = parse(&stat) else { continue };
        if before.is_some_and(|before| boot + began >= before) {
            continue;
        }
        let group = fs::read_to_string(entry.path().join("cgroup")).unwrap_or_default();
        if !group.contains(&redis) {
            found.push(Process { id, name });
        }
    }
    Ok(found)
}

/// The name of a process, and when it began, in seconds since boot; nothing of one that has ended. proc(5)
fn parse(stat: &str) -> Option<(String, f64)> {
    let (open, close) = (stat.find('(')?, stat.rfind(')')?);
    let words: Vec<&str> = stat.get(close + 1..)?.split_whitespace().collect();
    if matches!(*words.first()?, "Z" | "X") {
        return None;
    }
    let ticks: f64 = words.get(19)?.parse().ok()?;
    Some((stat.get(open + 1..close)?.to_owned(), ticks / TICKS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_says_its_name_and_when_it_began() {
        let stat = |state: &str| format!("7 (a (b) c) {state} {} 12345 0", vec!["1"; 18].join(" "));
        let (name, began) = parse(&stat("S")).unwrap();
        assert_eq!((name.as_str(), began), ("a (b) c", 12345.0 / TICKS));
        assert_eq!(parse(&stat("Z")), None);
    }

    #[test]
    fn nothing_runs_of_a_user_that_there_is_not() {
        rest(&Whose { user: "no-such-user".to_owned(), since: None, socket: None }).unwrap();
    }
}
