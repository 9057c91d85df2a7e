//! Runs a program for a bounded time, and keeps a bounded part of what it says.

use std::time::Duration;

use pq_machine::Machine;
use pq_steps::{Command, Error, Output, System, Text};

/// Runs it to its end. Its session and all that it started end with its time.
///
/// # Errors
/// Where it could not be run to its end, in words.
pub fn run(
    argv: &[&str],
    user: Option<&str>,
    stdin: Option<String>,
    patience: Duration,
) -> Result<Output, String> {
    let mut command = Command::new(argv.iter().copied());
    command.user = user.map(str::to_owned);
    command.stdin = stdin.map(Text::from);
    command.timeout = patience;
    Machine::local().run(&command).map_err(|error| match error {
        Error::Failed(diagnostic) if diagnostic.message.ends_with("took too long") => {
            format!("it did not end within {} s", patience.as_secs().max(1))
        }
        other => other.to_string(),
    })
}
