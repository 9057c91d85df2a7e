//! A program, as a Nagios plugin: its exit status says how it is, the first line of its output why.

use std::time::Instant;

use pq_items::Command;

use super::left;
use crate::{Answer, Level, program};

/// Runs it.
pub fn ask(command: &Command, until: Instant) -> Answer {
    let argv: Vec<&str> = command.argv.words().collect();
    let patience = left(until);
    match program::run(&argv, command.user.as_ref().map(|it| it.as_str()), None, patience) {
        Err(why) if why.starts_with("it did not end") => Answer::critical(
            "timeout",
            format!("`{}` was ended, with all that it had started: {why}", shown(&argv)),
        ),
        Err(why) => Answer::unknown("program", why),
        Ok(output) => said(shown(&argv), output.status, &output.stdout, &output.stderr),
    }
}

/// What is told of it: its arguments may hold a password.
fn shown<'a>(argv: &[&'a str]) -> &'a str {
    argv.first().copied().unwrap_or_default()
}

fn said(shown: &str, status: i32, stdout: &str, stderr: &str) -> Answer {
    let text = if stdout.trim().is_empty() { stderr } else { stdout };
    let first = text.trim().lines().next().unwrap_or_default();
    let (words, data) = first.split_once('|').unwrap_or((first, ""));
    let level = Level::of_number(status);
    let code = match status {
        0 => "ok",
        1 => "warning",
        2 => "critical",
        3 => "unknown",
        126.. => "program",
        _ => "status",
    };
    let words = match words.trim() {
        "" => format!("`{shown}` ended with {status}"),
        words => words.to_owned(),
    };
    let answer = match code {
        "status" | "program" => {
            Answer::of(level, code, format!("`{shown}` ended with {status}, which no plugin does: {words}"))
        }
        _ => Answer::of(level, code, words),
    };
    match measured(data) {
        Some((value, unit)) => answer.value(value, &unit),
        None => answer,
    }
}

/// The first thing that was measured: `'label'=12.5%;80;90`.
fn measured(data: &str) -> Option<(f64, String)> {
    let value = data.split_once('=')?.1.split([';', ' ']).next()?;
    let end = value.find(|c: char| !c.is_ascii_digit() && !"+-.eE".contains(c)).unwrap_or(value.len());
    Some((value[..end].parse().ok()?, value[end..].to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_says_how_it_is_and_what_it_measured() {
        let answer = said("x", 1, "DISK WARNING - 86 % | '/'=86.5%;85;95\nmore\n", "");
        assert_eq!((answer.level, answer.message.as_str()), (Level::Warning, "DISK WARNING - 86 %"));
        assert_eq!((answer.value, answer.unit.as_str()), (Some(86.5), "%"));
        assert_eq!(said("x", 0, "", "").message, "`x` ended with 0");
        assert_eq!(said("x", 2, "", "no way\n").message, "no way");
        assert_eq!(said("x", 127, "", "not found").level, Level::Unknown);
        assert_eq!(said("x", 0, "OK | a=b", "").value, None);
    }

    #[test]
    fn a_program_that_hangs_is_ended_with_all_that_it_started() {
        let dir = tempfile::tempdir().unwrap();
        let mark = dir.path().join("mark");
        let script = format!("(sleep 2; touch '{}') & sleep 30", mark.display());
        let text = format!("{{ argv: [sh, -c, \"{script}\"] }}");
        let command: Command = pq_items::read("a command", "x.yml", &text).unwrap();
        let began = Instant::now();
        let answer = ask(&command, began + std::time::Duration::from_millis(500));
        assert_eq!(answer.code, "timeout", "{answer:?}");
        assert!(began.elapsed().as_secs() < 2);
        std::thread::sleep(std::time::Duration::from_millis(2_200));
        assert!(!mark.exists(), "what it had started lives on");
    }
}
