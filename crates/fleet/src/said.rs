//! What a machine says, one JSON object a line. It may be anybody's machine: lengths and numbers have limits.

use std::io::{self, BufRead, BufReader, Read};

use pq_machine::Facts;
use pq_stream::{End, Event, HostInstalled, HostPackages, HostSpace, HostStatus, Problem, Status};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// No line is longer; a diff of a long file is far below.
const MAX_LINE: u64 = 8 << 20;

/// No machine says more in one run.
const MAX_ALL: u64 = 256 << 20;

/// Lines that login shells may write before anything of ours.
const MAX_CHATTER: usize = 200;

/// One line.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Said {
    /// Nothing else reads what is sent any more.
    Ready,
    /// No executor is kept there.
    Lacks {
        /// The architecture, as `uname -m` names it.
        machine: String,
    },
    /// The executor has read and understood the order.
    Begun {
        /// Its version.
        version: String,
    },
    /// Something happened to a step.
    Event(Event),
    /// Something that belongs to no step.
    Note {
        /// One line.
        note: String,
    },
    /// Nothing was looked at or changed.
    Refused {
        /// What follows.
        status: Status,
        /// Why.
        problems: Vec<Problem>,
    },
    /// What it is.
    Facts {
        /// All of it.
        facts: Facts,
    },
    /// What runs left on it.
    Status(HostStatus),
    /// What apt would change, or has changed.
    Packages(Box<HostPackages>),
    /// What is kept there.
    Space(HostSpace),
    /// What is installed there.
    Installed(HostInstalled),
    /// Somebody must come in by a new connection, or what was done is undone.
    ComeIn {
        /// Within so many seconds.
        seconds: u64,
    },
    /// It was noted that somebody did.
    CameIn,
    /// What a tool there says: a record of its own.
    Told {
        /// As it came.
        told: Value,
    },
    /// That tool has ended.
    Ended {
        /// With what.
        status: Status,
    },
    /// All was done.
    End(End),
}

/// The lines that a machine says.
pub struct Lines<R> {
    input: BufReader<R>,
    all: u64,
    chatter: usize,
    begun: bool,
}

impl<R: Read> Lines<R> {
    /// The lines of this output.
    pub fn new(output: R) -> Self {
        Lines { input: BufReader::new(output), all: 0, chatter: 0, begun: false }
    }

    /// The next line; nothing at the end.
    ///
    /// # Errors
    /// Where a line is none of these, or there is too much of them. In front of the first one, others are read over.
    pub fn next(&mut self) -> io::Result<Option<Said>> {
        loop {
            let mut line = Vec::new();
            let read = (&mut self.input).take(MAX_LINE).read_until(b'\n', &mut line)? as u64;
            self.all += read;
            // Cut within: the line ended.
            if read == 0 || (read < MAX_LINE && !line.ends_with(b"\n")) {
                return Ok(None);
            }
            if read >= MAX_LINE || self.all > MAX_ALL {
                return Err(io::Error::other("it says more than any plan could make it say"));
            }
            match serde_json::from_slice(&line) {
                Ok(said) => {
                    self.begun = true;
                    return Ok(Some(said));
                }
                Err(_) if !self.begun && self.chatter < MAX_CHATTER => self.chatter += 1,
                Err(_) => return Err(io::Error::other("it says what is no part of an execution")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_login_shell_greets_with_is_read_over() {
        let text = b"Welcome!\n{\"type\":\"lacks\",\"machine\":\"x86_64\"}\n{\"type\":\"begun\",\"version\":\"1\"}\n";
        let mut lines = Lines::new(&text[..]);
        assert_eq!(lines.next().unwrap(), Some(Said::Lacks { machine: "x86_64".to_owned() }));
        assert_eq!(lines.next().unwrap(), Some(Said::Begun { version: "1".to_owned() }));
        assert_eq!(lines.next().unwrap(), None);
    }

    #[test]
    fn nothing_is_read_without_end() {
        let mut lines = Lines::new(io::repeat(b'x'));
        assert!(lines.next().is_err());
        let mut lines = Lines::new(io::repeat(b'\n'));
        assert!(lines.next().is_err());
        let mut lines = Lines::new(&b"{\"type\":\"ready\"}\nrubbish\n"[..]);
        assert_eq!(lines.next().unwrap(), Some(Said::Ready));
        assert!(lines.next().is_err());
    }

    #[test]
    fn a_line_that_is_cut_is_the_end() {
        assert_eq!(Lines::new(&b"{\"type\":\"ready\"}"[..]).next().unwrap(), None);
    }
}
