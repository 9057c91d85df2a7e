//! Answers that a person types: hidden ones, and waiting for one without being deaf to signals.
//!
//! Always true here: the terminal shows what is typed again before this process ends, whatever signal ends it.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;

use age::secrecy::SecretString;
use age::secrecy::zeroize::Zeroizing;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use nix::sys::signalfd::SignalFd;
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};

/// A terminal takes no longer line (`N_TTY_BUF_SIZE` in tty_ldisc(7)), and says nothing of what it drops.
const MAX_LINE: usize = 4095;

/// What ends a process unless it minds it.
pub fn ending() -> SigSet {
    [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM, Signal::SIGHUP].into_iter().collect()
}

/// Waits until something can be read; `false` where one of the signals came first, which must be blocked. It stays
/// pending.
///
/// # Errors
/// What the system answers.
pub fn readable(input: &impl AsFd, signals: &SigSet) -> io::Result<bool> {
    let signals = SignalFd::new(signals)?;
    let mut both =
        [PollFd::new(input.as_fd(), PollFlags::POLLIN), PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
    loop {
        match poll(&mut both, PollTimeout::NONE) {
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
            Ok(_) => return Ok(!both[1].any().unwrap_or(false)),
        }
    }
}

/// Asks on the terminal for a line that is not shown; nothing where the input ends instead, as with ctrl-d.
///
/// A signal that ends the process does so once the terminal is what it was.
///
/// # Errors
/// Where there is no terminal, or the line is no text or too long for one.
pub fn hidden(question: &str) -> io::Result<Option<SecretString>> {
    let mut terminal = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
    let ending = ending();
    let mut held = ending;
    // A stopped process leaves the terminal to others.
    held.add(Signal::SIGTSTP);
    held.add(Signal::SIGTTOU);
    let before = held.thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
    let answer = asked(&mut terminal, question, &ending);
    // What came meanwhile ends us here.
    before.thread_set_mask()?;
    answer
}

fn asked(terminal: &mut File, question: &str, ending: &SigSet) -> io::Result<Option<SecretString>> {
    let _quiet = Quiet::new(terminal.try_clone()?)?;
    // A file's name may hold what a terminal obeys.
    let shown: String = question.chars().filter(|c| !c.is_control()).collect();
    write!(terminal, "{shown}")?;
    // A line never lies in a buffer that grows, and leaves copies behind.
    let mut bytes = Zeroizing::new([0; MAX_LINE + 1]);
    let mut length = 0;
    while length < bytes.len() && !bytes[..length].ends_with(b"\n") {
        if !readable(terminal, ending)? {
            writeln!(terminal)?;
            return Err(ErrorKind::Interrupted.into());
        }
        match terminal.read(&mut bytes[length..])? {
            0 => {
                writeln!(terminal)?;
                return Ok(None);
            }
            more => length += more,
        }
    }
    let wrong = |cause: &str| Err(io::Error::new(ErrorKind::InvalidInput, cause));
    match bytes[..length].strip_suffix(b"\n") {
        Some(line) if line.len() < MAX_LINE => match str::from_utf8(line) {
            Ok(line) => Ok(Some(line.into())),
            Err(_) => wrong("it is no text in UTF-8"),
        },
        _ => wrong("it is longer than a line of a terminal"),
    }
}

/// A terminal that does not show what is typed, until this is dropped.
struct Quiet {
    terminal: File,
    before: Termios,
}

impl Quiet {
    fn new(terminal: File) -> io::Result<Self> {
        let before = tcgetattr(&terminal)?;
        let mut quiet = before.clone();
        quiet.local_flags.remove(LocalFlags::ECHO);
        quiet.local_flags.insert(LocalFlags::ECHONL | LocalFlags::ICANON | LocalFlags::ISIG);
        let guard = Quiet { terminal, before };
        tcsetattr(&guard.terminal, SetArg::TCSANOW, &quiet)?;
        Ok(guard)
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        let _ = tcsetattr(&self.terminal, SetArg::TCSANOW, &self.before);
    }
}
