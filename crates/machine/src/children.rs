//! Runs a program with a time limit, and hands over what it wrote.
//!
//! Always true here: a child leads its own session, or the process group of a question, so its time limit ends it with all
//! its children; its input is closed unless something is given; its environment is `PATH`, `HOME`, `LC_ALL`, the run's number and what the command
//! names. It is over when the program itself has ended, even where something that it started still holds its output
//! open. Where we are killed, it is too, unless it only answers a question; what it had started goes on, and is known by
//! the run's number (`left`).

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command as Process, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use pq_steps::{Command, Error, Output};
use pq_stream::Diagnostic;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use crate::cause::failed;
use crate::users::Users;

/// Where programs are looked for.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Most bytes that are kept of each output.
const MOST: usize = 1 << 20;

/// Runs a command to its end.
///
/// # Errors
/// `Absent` where program, user or directory do not exist; else where it cannot be started or its time is over.
pub fn run(command: &Command, users: &Users) -> Result<Output, Error> {
    finish(process(command, users, true)?, command)
}

/// Asks a program of the system that changes nothing, starts nothing, and reads no terminal: it needs no session and no end
/// with ours, which would be two programs more for one answer.
///
/// # Errors
/// As [`run`].
pub fn ask(command: &Command, users: &Users) -> Result<Output, Error> {
    finish(process(command, users, false)?, command)
}

/// Starts a process, attends to it, and hands over what it left.
fn finish(mut process: Process, command: &Command) -> Result<Output, Error> {
    let mut child =
        process.spawn().map_err(|error| failed(format!("cannot run `{}`", command.shown()), error))?;
    let input = command.stdin.as_ref().map_or(&b""[..], |text| text.as_bytes());
    let ended = attend(&mut child, input, command.timeout)
        .map_err(|error| failed(format!("cannot attend to `{}`", command.shown()), error))?;
    match ended.status {
        Some(status) => Ok(Output {
            status: number(status),
            stdout: ended.stdout.into_text(),
            stderr: ended.stderr.into_text(),
        }),
        None => {
            let mut diagnostic = Diagnostic::new(format!("`{}` took too long", command.shown())).cause(
                format!("it was ended after {} s, with all that it had started", command.timeout.as_secs()),
            );
            let said = ended.stderr.into_text();
            if let Some(last) = said.trim_end().lines().next_back() {
                diagnostic = diagnostic.cause(format!("its last words: {last}"));
            }
            Err(diagnostic.into())
        }
    }
}

/// The process of a command: a session of its own by `setsid`, user and end with us by `setpriv`, both of util-linux; or
/// just its program in a process group of its own.
fn process(command: &Command, users: &Users, session: bool) -> Result<Process, Error> {
    let cwd = command.cwd.as_ref().map_or("/", |path| path.as_str());
    if !std::path::Path::new(cwd).is_dir() {
        return Err(Error::absent("directory", cwd));
    }
    let name = command.argv.first().map_or("", String::as_str);
    let program = find(name, cwd).ok_or_else(|| Error::absent("program", name))?;
    let me = rustix::process::geteuid().as_raw();
    let user = match &command.user {
        Some(name) => Some(users.user(name).ok_or_else(|| Error::absent("user", name.clone()))?),
        None => None,
    };
    let home = user
        .map(|user| user.home.clone())
        .or_else(|| users.user(&users.user_name(me)).map(|user| user.home.clone()));
    let other = user.filter(|user| user.id != me);
    let mut process = if session || other.is_some() {
        let mut process = Process::new("/usr/bin/setsid");
        process.args(["/usr/bin/setpriv", "--pdeathsig", "KILL"]);
        if let Some(user) = other {
            let (user, group) = (user.id.to_string(), user.group.to_string());
            process.args(["--reuid", &user, "--regid", &group, "--init-groups"]);
        }
        process.arg("--").arg(program);
        process
    } else {
        let mut process = Process::new(program);
        process.process_group(0);
        process
    };
    process.args(&command.argv[1..]);
    process.env_clear().env("PATH", PATH).env("LC_ALL", "C.UTF-8");
    process.env(crate::left::VARIABLE, std::process::id().to_string());
    process.env("HOME", home.unwrap_or_else(|| "/".to_owned()));
    process.envs(command.env.iter().map(|(name, value)| (name, value.as_str())));
    process.current_dir(cwd);
    process.stdin(if command.stdin.is_some() { Stdio::piped() } else { Stdio::null() });
    process.stdout(Stdio::piped()).stderr(Stdio::piped());
    Ok(process)
}

/// The file of a program: looked for along [`PATH`], unless its name holds a slash.
fn find(name: &str, cwd: &str) -> Option<String> {
    let executable = |path: &str| {
        use std::os::unix::fs::PermissionsExt;
        std::fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    let mut candidates: Box<dyn Iterator<Item = String>> = match name {
        "" => return None,
        name if name.starts_with('/') => Box::new(std::iter::once(name.to_owned())),
        name if name.contains('/') => {
            Box::new(std::iter::once(format!("{}/{name}", cwd.trim_end_matches('/'))))
        }
        name => Box::new(PATH.split(':').map(move |dir| format!("{dir}/{name}"))),
    };
    candidates.find(|path| executable(path))
}

fn number(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(-1)
}

/// How a child ended; no status where its time was over.
struct Ended {
    status: Option<ExitStatus>,
    stdout: Kept,
    stderr: Kept,
}

/// Feeds and hears a child until it has ended or its time is over.
fn attend(child: &mut Child, input: &[u8], timeout: Duration) -> io::Result<Ended> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?;
    let over = pidfd_open(pid, PidfdFlags::empty())?;
    let (mut stdin, mut input) = (child.stdin.take(), input);
    let (mut out, mut err) = (child.stdout.take(), child.stderr.take());
    let (mut stdout, mut stderr) = (Kept::default(), Kept::default());
    for fd in [stdin.as_ref().map(AsFd::as_fd), out.as_ref().map(AsFd::as_fd), err.as_ref().map(AsFd::as_fd)]
        .into_iter()
        .flatten()
    {
        fcntl_setfl(fd, fcntl_getfl(fd)? | OFlags::NONBLOCK)?;
    }
    let end = Instant::now() + timeout;
    let status = loop {
        if input.is_empty() {
            stdin = None;
        }
        let left = end.saturating_duration_since(Instant::now());
        let woken = wait(over.as_fd(), stdin.as_ref(), out.as_ref(), err.as_ref(), left)?;
        if let Some(pipe) = &mut stdin {
            input = match pipe.write(input) {
                Ok(written) => &input[written..],
                Err(error) if later(&error) => input,
                // It closed its input: what it does not want to read is no error.
                Err(_) => &[],
            };
        }
        hear(&mut out, &mut stdout);
        hear(&mut err, &mut stderr);
        if woken.over {
            break Some(child.wait()?);
        }
        if left.is_zero() {
            let _ = kill_process_group(pid, Signal::KILL);
            // Where `setsid` had not run yet, the group is not there.
            let _ = child.kill();
            child.wait()?;
            break None;
        }
    };
    hear(&mut out, &mut stdout);
    hear(&mut err, &mut stderr);
    Ok(Ended { status, stdout, stderr })
}

struct Woken {
    over: bool,
}

/// Waits until something can be done: the child ended, wrote, or can read.
fn wait(
    over: BorrowedFd<'_>,
    stdin: Option<&impl AsFd>,
    out: Option<&impl AsFd>,
    err: Option<&impl AsFd>,
    left: Duration,
) -> io::Result<Woken> {
    let mut fds = vec![PollFd::from_borrowed_fd(over, PollFlags::IN)];
    fds.extend(stdin.map(|fd| PollFd::new(fd, PollFlags::OUT)));
    fds.extend(out.map(|fd| PollFd::new(fd, PollFlags::IN)));
    fds.extend(err.map(|fd| PollFd::new(fd, PollFlags::IN)));
    let limit = Timespec {
        tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: left.subsec_nanos().into(),
    };
    match poll(&mut fds, Some(&limit)) {
        Ok(_) => Ok(Woken { over: !fds[0].revents().is_empty() }),
        Err(rustix::io::Errno::INTR) => Ok(Woken { over: false }),
        Err(errno) => Err(errno.into()),
    }
}

/// Takes what there is to read; a pipe at its end is dropped.
fn hear(pipe: &mut Option<impl Read>, kept: &mut Kept) {
    let mut buffer = [0; 16 * 1024];
    while let Some(open) = pipe {
        match open.read(&mut buffer) {
            Ok(0) => *pipe = None,
            Ok(read) => kept.add(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if later(&error) => return,
            Err(_) => *pipe = None,
        }
    }
}

fn later(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// The beginning and the end of an output.
#[derive(Default)]
struct Kept {
    head: Vec<u8>,
    tail: Vec<u8>,
    left_out: bool,
}

impl Kept {
    fn add(&mut self, bytes: &[u8]) {
        let room = (MOST / 2).saturating_sub(self.head.len()).min(bytes.len());
        self.head.extend_from_slice(&bytes[..room]);
        self.tail.extend_from_slice(&bytes[room..]);
        if self.tail.len() > MOST {
            self.cut();
        }
    }

    fn cut(&mut self) {
        let most = MOST / 2 - 64;
        if self.tail.len() > most {
            self.tail.drain(..self.tail.len() - most);
            self.left_out = true;
        }
    }

    fn into_text(mut self) -> String {
        self.cut();
        if self.left_out {
            self.head.extend_from_slice("\n[… part of the output is left out …]\n".as_bytes());
        }
        self.head.append(&mut self.tail);
        let text = String::from_utf8_lossy(&self.head).into_owned();
        if text.len() <= MOST {
            text
        } else {
            text.chars().filter(|c| *c != char::REPLACEMENT_CHARACTER).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_output_beginning_and_end_are_kept() {
        let mut kept = Kept::default();
        kept.add(b"begin");
        for _ in 0..400 {
            kept.add(&[b'x'; 10_000]);
        }
        kept.add(b"end");
        let text = kept.into_text();
        assert!(text.len() <= MOST, "{}", text.len());
        assert!(text.starts_with("beginx") && text.ends_with("xend") && text.contains("left out"));
    }
}
