//! Asks before more than one machine is changed, where a person is there to answer.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, IsTerminal, Write, stderr};

use pq_cli::{Failure, printable};
use pq_stream::{Diagnostic, Status};

/// The names that are shown.
const SHOWN: usize = 10;

/// The terminal of a person who reads what this tool says.
pub fn terminal() -> Option<File> {
    let open = || OpenOptions::new().read(true).write(true).open("/dev/tty").ok();
    stderr().is_terminal().then(open).flatten()
}

/// Asks whether these hosts are to be changed. Without a terminal nobody is asked.
///
/// # Errors
/// Where the answer is no; nothing was touched.
pub fn confirm(hosts: &[&str]) -> Result<(), Failure> {
    let Some(terminal) = terminal() else { return Ok(()) };
    let unread = |error: io::Error| {
        Failure::failed(Diagnostic::new("cannot ask on the terminal").cause(error.to_string()))
    };
    match answer(&terminal, &question(hosts)).map_err(unread)? {
        true => Ok(()),
        false => {
            pq_cli::tell(&format!("{}: note: nothing was touched\n", pq_cli::tool_name()));
            Err(Failure::Told(Status::Input))
        }
    }
}

fn question(hosts: &[&str]) -> String {
    let mut names = hosts.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    if hosts.len() > SHOWN {
        names.push_str(", …");
    }
    format!("change {} hosts ({})? [y/N] ", hosts.len(), printable(&names))
}

fn answer(mut terminal: &File, question: &str) -> io::Result<bool> {
    write!(terminal, "{question}")?;
    let mut line = String::new();
    BufReader::new(terminal).read_line(&mut line)?;
    Ok(matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_names_the_hosts() {
        assert_eq!(question(&["a", "b"]), "change 2 hosts (a, b)? [y/N] ");
        assert!(question(&["host"; 40]).ends_with("host, …)? [y/N] "));
    }
}
