//! Whether standard input names hosts.
//!
//! A pipe or a file in which something is does. What ends at once (as cron has it), a terminal, a socket and a device are nothing of ours,
//! and neither is the pipe by which an ssh server hands over what somebody types on another machine: it may stay open and empty for ever.

use std::fs;
use std::io::{BufRead as _, stdin};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use pq_cli::{tell, tool_name};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, fstat};

/// After how long somebody is told what is waited for.
const SOON: Duration = Duration::from_secs(3);

/// Who hands over what is typed elsewhere.
const SERVERS: [&str; 2] = ["sshd", "dropbear"];

/// Whether standard input is a pipe that ends before anything comes. Waits for that, whoever holds its other end.
pub(crate) fn is_empty_pipe() -> bool {
    let pipe =
        fstat(stdin().as_fd()).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Fifo);
    pipe && stdin().lock().fill_buf().is_ok_and(<[u8]>::is_empty)
}

/// Whether standard input is a stream of hosts. Waits for its first byte, or its end; who waits long is told what else there is.
pub(crate) fn names_hosts(else_there_is: &'static str) -> bool {
    let Ok(stat) = fstat(stdin().as_fd()) else { return false };
    let kind = FileType::from_raw_mode(stat.st_mode);
    if !matches!(kind, FileType::Fifo | FileType::RegularFile) {
        return false;
    }
    if kind == FileType::Fifo && is_silent() && is_of_a_server(&format!("pipe:[{}]", stat.st_ino)) {
        return false;
    }
    let (came, waits) = mpsc::channel::<()>();
    thread::spawn(move || {
        if waits.recv_timeout(SOON) == Err(mpsc::RecvTimeoutError::Timeout) {
            let tool = tool_name();
            tell(&format!("{tool}: note: waiting for hosts on standard input; {else_there_is}\n"));
        }
    });
    let named = stdin().lock().fill_buf().is_ok_and(|bytes| !bytes.is_empty());
    drop(came);
    named
}

/// Whether nothing has come yet, and it did not end.
fn is_silent() -> bool {
    let input = stdin();
    let mut polled = [PollFd::new(&input, PollFlags::IN)];
    poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) == Ok(0)
}

/// Whether a server of ssh holds the other end of a pipe. Who may not look at its processes does not know.
fn is_of_a_server(pipe: &str) -> bool {
    let Ok(processes) = fs::read_dir("/proc") else { return false };
    processes.flatten().map(|it| it.path()).any(|process| is_server(&process) && holds(&process, pipe))
}

fn is_server(process: &Path) -> bool {
    let name = fs::read_to_string(process.join("comm")).unwrap_or_default();
    SERVERS.iter().any(|server| name.starts_with(server))
}

fn holds(process: &Path, pipe: &str) -> bool {
    let Ok(files) = fs::read_dir(process.join("fd")) else { return false };
    files.flatten().any(|file| fs::read_link(file.path()).is_ok_and(|it| it == Path::new(pipe)))
}
