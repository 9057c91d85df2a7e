//! A file of the inventory: its names, its text, and places in it.

use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::OnceLock;

use pq_secrets::bounded::{self, Unread};
use pq_stream::{Diagnostic, Place, system_cause};

use crate::node::Mark;

/// What the system says of a symbolic link that leads in a circle.
const ELOOP: i32 = 40;

/// Larger files of an inventory are refused; in bytes.
pub const MAX_FILE: u64 = 6 << 20;

/// What a private key begins with, or a certificate, which often has one beside it.
const PRIVATE: [&str; 2] = ["AGE-SECRET-KEY-", "-----BEGIN"];

/// A file that was read.
#[derive(Debug)]
pub struct SourceFile {
    /// Its path below the inventory directory: `group_vars/all.yml`.
    pub name: String,
    /// Its path as the user would type it.
    pub shown: String,
    /// Its text; what was decrypted, for a secret one.
    text: String,
    /// Whether its values are secrets.
    secret: bool,
    /// Whether a private key stands in it, encrypted or not.
    keyed: bool,
    /// Where each line begins, once a line was asked for: there may be as many errors as lines.
    lines: OnceLock<Vec<usize>>,
}

impl SourceFile {
    /// A file with the text that it holds.
    pub fn new(name: String, shown: String, text: String, secret: bool) -> Self {
        let keyed = PRIVATE.iter().any(|begin| text.contains(begin));
        SourceFile { name, shown, text, secret, keyed, lines: OnceLock::new() }
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// A line, counted from 1; empty where it may not be shown or there is none.
    pub fn line(&self, number: usize) -> &str {
        if self.is_hidden() {
            return "";
        }
        let begins = || [0].into_iter().chain(self.text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        let begin = self.lines.get_or_init(begins).get(number.saturating_sub(1));
        begin.and_then(|at| self.text.get(*at..)?.lines().next()).unwrap_or("")
    }

    /// Whether its values are secrets.
    pub fn is_secret(&self) -> bool {
        self.secret
    }

    /// Whether no text of it may be shown.
    pub fn is_hidden(&self) -> bool {
        self.secret || self.keyed
    }

    /// A text from it for an error, after a space and in backticks; nothing where it may not be shown.
    pub fn quoted(&self, text: &str) -> String {
        if self.is_hidden() { String::new() } else { format!(" `{}`", short(text)) }
    }

    /// The column that may be told of a mark: the first where no text may be shown, since what stands behind a value
    /// on its line tells how long that is.
    pub fn column(&self, mark: Mark) -> usize {
        if self.secret { 1 } else { mark.column() }
    }

    /// A place in it, for errors.
    pub fn place(&self, mark: Mark) -> Place {
        let line: String = self.line(mark.line()).chars().take(400).collect();
        Place { file: self.shown.clone(), line: mark.line(), column: self.column(mark), text: line }
    }

    /// An error at a place in it.
    pub fn error(&self, mark: Mark, message: impl Into<String>) -> Box<Diagnostic> {
        Box::new(Diagnostic::new(message).at(self.place(mark)))
    }
}

/// Whether a text is a file of private keys: one begins at the beginning of a line, where no value would stand.
pub fn is_key(text: &str) -> bool {
    let begins = |line: &str| {
        line.starts_with(PRIVATE[0]) || line.starts_with(PRIVATE[1]) && line.contains("PRIVATE KEY")
    };
    text.lines().any(begins)
}

/// Refuses a file of private keys; nothing of it is shown, or taken for the name of anything.
///
/// # Errors
/// That it is one.
pub fn demand_no_key(text: &str, shown: &str) -> Result<(), Box<Diagnostic>> {
    if !is_key(text) {
        return Ok(());
    }
    let error = Diagnostic::new(format!("`{shown}` is a private key, in clear"));
    Err(Box::new(error.cause("an inventory is copied, and stored with its history").hint(KEY_HINT)))
}

/// What to do with a private key that lies in an inventory.
pub const KEY_HINT: &str = "move it out of the inventory, to where only you read it (`~/.config/paquerette/identity.txt`); \
    whoever had the inventory has the key, so make another: `pq-secret keygen`, then `pq-secret rekey`";

/// A text as it may stand in an error: at most 80 characters, on one line.
pub fn short(text: &str) -> String {
    let shown = |c: char| match c.is_control() {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    let more = if text.chars().nth(80).is_some() { "…" } else { "" };
    text.chars().take(80).map(shown).collect::<String>() + more
}

/// What a path leads to, through links; nothing where there is nothing of that name.
///
/// # Errors
/// Where that cannot be told, or the path is a link that leads nowhere.
pub fn leads_to(path: &Path) -> Result<Option<Metadata>, Box<Diagnostic>> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) => match (error.kind(), fs::symlink_metadata(path)) {
            (ErrorKind::NotFound, Ok(_)) => {
                Err(unreadable("", path, "it is a symbolic link to nothing", "mend or remove the link"))
            }
            (ErrorKind::NotFound | ErrorKind::NotADirectory, _) => Ok(None),
            _ => Err(refused("", path, &error)),
        },
    }
}

/// The error of a path that cannot be read, with what the system said; `what` is empty, or `directory `.
pub fn refused(what: &str, path: &Path, error: &io::Error) -> Box<Diagnostic> {
    let hint = match error.kind() {
        ErrorKind::PermissionDenied => "see with `namei -l` who may read it, and run this as one of them",
        _ if error.raw_os_error() == Some(ELOOP) => "mend or remove the symbolic link that leads in a circle",
        ErrorKind::NotFound => "it was there a moment ago: run this again when nobody changes the inventory",
        _ => "see with `ls -l` what it is, and whether its disk can be read",
    };
    unreadable(what, path, &system_cause(error), hint)
}

fn unreadable(what: &str, path: &Path, cause: &str, hint: &str) -> Box<Diagnostic> {
    let error = Diagnostic::new(format!("cannot read {what}`{}`", path.display()));
    Box::new(error.cause(cause).hint(hint))
}

/// The bytes of a regular file of at most 6 MiB; links are followed.
///
/// # Errors
/// Where it cannot be read, is larger, or is no regular file.
pub fn bytes(path: &Path) -> Result<Vec<u8>, Box<Diagnostic>> {
    bounded::file(path, MAX_FILE).map_err(|error| {
        let hint = match &error {
            Unread::System(error) => return refused("", path, error),
            Unread::Kind(_) => "put a file in its place, or remove it",
            Unread::Large(_) => "is it meant to lie here? variables are a few lines: move the rest elsewhere",
        };
        unreadable("", path, &error.to_string(), hint)
    })
}

/// Bytes as text.
///
/// # Errors
/// Where they are no UTF-8, or hold a NUL; the place is the first such byte's.
pub fn text(bytes: Vec<u8>, shown: &str) -> Result<String, Box<Diagnostic>> {
    let (text, bad) = match String::from_utf8(bytes) {
        Ok(text) => {
            let nul = text.find('\0');
            (text, nul.map(|at| (at, "a NUL byte stands in it")))
        }
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let text = String::from_utf8_lossy(&error.as_bytes()[..at]).into_owned();
            (text, Some((at, "it is no UTF-8")))
        }
    };
    match bad {
        None => Ok(text),
        Some((at, cause)) => {
            let before = &text[..at];
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
            let place = Place { file: shown.to_owned(), line, column, text: String::new() };
            let error = Diagnostic::new(format!("`{shown}` is no text file")).cause(cause).at(place);
            Err(Box::new(error.hint("save it as UTF-8, as in `iconv -f latin1 -t utf-8`, or restore it")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_by_its_number() {
        let file = |secret| SourceFile::new("a".into(), "a".into(), "one\r\n\nthree".into(), secret);
        let lines = |file: &SourceFile| (0..5).map(|at| file.line(at).to_owned()).collect::<Vec<_>>();
        assert_eq!(lines(&file(false)), ["one", "one", "", "three", ""]);
        assert_eq!(lines(&file(true)), [""; 5]);
    }

    #[test]
    fn nothing_is_shown_of_a_file_with_a_private_key() {
        for text in ["a: 1\nb: AGE-SECRET-KEY-1X\n", "a: |\n  -----BEGIN PRIVATE KEY-----\n"] {
            let file = SourceFile::new("a".into(), "a".into(), text.into(), false);
            assert!(file.line(1).is_empty() && file.quoted("a").is_empty() && !file.is_secret());
            assert!(!is_key(text));
        }
        assert!(is_key("# made today\nAGE-SECRET-KEY-1X\n"));
        assert!(is_key("-----BEGIN OPENSSH PRIVATE KEY-----\n"));
    }

    #[test]
    fn a_text_in_an_error_is_short_and_stays_on_its_line() {
        assert_eq!(short("été"), "été");
        assert_eq!(short("a\nb\u{1b}"), "a\\nb\\u{1b}");
        assert_eq!(short(&"é".repeat(81)), format!("{}…", "é".repeat(80)));
    }
}
