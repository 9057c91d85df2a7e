//! Errors on standard error, as `error:`, `cause:` and `hint:` lines that begin with the tool's name.

use std::fmt::Write;
use std::io::Write as _;

use pq_stream::{Diagnostic, Place};

const RED: &str = "\u{1b}[1;31m";
const BLUE: &str = "\u{1b}[34m";
const GREEN: &str = "\u{1b}[32m";
const PLAIN: &str = "\u{1b}[0m";

/// The name that the tool was called by.
pub fn tool_name() -> String {
    std::env::args().next().and_then(|path| path.rsplit('/').next().map(str::to_owned)).unwrap_or_default()
}

/// Writes one error to standard error; colours only on a terminal that wants them.
pub fn report(diagnostic: &Diagnostic) {
    tell(&rendered(&tool_name(), diagnostic));
}

/// Writes text to standard error, as it is, colours only on a terminal that wants them.
///
/// Where nobody can be told (the disk is full, the terminal is closed), nothing fails: what was done is done, and
/// the exit status says how it ended.
pub fn tell(text: &str) {
    let _ = anstream::stderr().write_all(text.as_bytes());
}

/// The lines of one error, with colours.
fn rendered(tool: &str, diagnostic: &Diagnostic) -> String {
    let mut text = String::new();
    let mut line = |colour: &str, word: &str, what: &str| {
        // Continuation lines are indented, so that each new statement is seen to begin with the tool's name.
        let what = printable(what).replace('\n', "\n    ");
        let _ = writeln!(text, "{tool}: {colour}{word}:{PLAIN} {what}");
    };
    // A message is one line: a line end in it comes from a name that it quotes.
    line(RED, "error", &diagnostic.message.replace('\n', "\\n"));
    if let Some(place) = &diagnostic.place {
        line(BLUE, "at", &pointed(place));
    }
    diagnostic.causes.iter().for_each(|cause| line(BLUE, "cause", cause));
    diagnostic.hints.iter().for_each(|hint| line(GREEN, "hint", hint));
    text
}

/// The place, and below it the line with a caret under the column.
fn pointed(place: &Place) -> String {
    let mut text = place.to_string();
    if !place.text.trim().is_empty() {
        let shown: String = place.text.chars().take(160).map(|c| if c == '\t' { ' ' } else { c }).collect();
        let number = place.line.to_string();
        let margin = " ".repeat(number.len());
        let _ = write!(text, "\n{number} | {shown}");
        if place.column <= 160 {
            let _ = write!(text, "\n{margin} | {}^", " ".repeat(place.column.saturating_sub(1)));
        }
    }
    text
}

/// Control characters, which a terminal would obey, as escapes; line ends and tabs stay.
pub fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|c| match c.is_control() && c != '\n' && c != '\t' {
            true => c.escape_default().collect::<Vec<_>>(),
            false => vec![c],
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_a_message_begins_no_line() {
        let diagnostic = Diagnostic::new("no domain `a\npq-x: error: b`");
        let plain = anstream::adapter::strip_str(&rendered("pq-x", &diagnostic)).to_string();
        assert_eq!(plain, "pq-x: error: no domain `a\\npq-x: error: b`\n");
    }

    #[test]
    fn an_error_points_into_its_file() {
        let place = Place { file: "hosts".into(), line: 12, column: 3, text: "a b\u{7}".into() };
        let diagnostic =
            Diagnostic::new("unknown `b`").at(place).cause("first\nsecond").hint("did you mean `c`?");
        let plain = anstream::adapter::strip_str(&rendered("pq-inventory", &diagnostic)).to_string();
        assert_eq!(
            plain,
            "pq-inventory: error: unknown `b`\n\
             pq-inventory: at: hosts:12:3\n    12 | a b\\u{7}\n       |   ^\n\
             pq-inventory: cause: first\n    second\n\
             pq-inventory: hint: did you mean `c`?\n"
        );
    }
}
