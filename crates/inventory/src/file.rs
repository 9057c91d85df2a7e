//! A file of the inventory: its names, its text, and places in it.

use std::fs::{self, FileType, Metadata};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use pq_stream::{Diagnostic, Place};

use crate::node::Mark;

/// Larger files are refused.
const MAX_FILE: u64 = 16 << 20;

/// A file that was read.
#[derive(Debug)]
pub struct SourceFile {
    /// Its path below the inventory directory: `group_vars/all.yml`.
    pub name: String,
    /// Its path as the user would type it.
    pub shown: String,
    /// Its text; what was decrypted, for a secret one.
    text: String,
    /// Whether no text of it may be shown.
    secret: bool,
}

impl SourceFile {
    /// A file with the text that it holds.
    pub fn new(name: String, shown: String, text: String, secret: bool) -> Self {
        SourceFile { name, shown, text, secret }
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// A line, counted from 1; empty where it may not be shown or there is none.
    pub fn line(&self, number: usize) -> &str {
        match self.secret {
            true => "",
            false => self.text.lines().nth(number.saturating_sub(1)).unwrap_or(""),
        }
    }

    /// Whether no text of it may be shown.
    pub fn is_secret(&self) -> bool {
        self.secret
    }

    /// A text from it for an error, after a space and in backticks; nothing where it may not be shown.
    pub fn quoted(&self, text: &str) -> String {
        if self.secret { String::new() } else { format!(" `{text}`") }
    }

    /// A place in it, for errors.
    pub fn place(&self, mark: Mark) -> Place {
        let line: String = self.line(mark.line).chars().take(400).collect();
        Place { file: self.shown.clone(), line: mark.line, column: mark.column, text: line }
    }

    /// An error at a place in it.
    pub fn error(&self, mark: Mark, message: impl Into<String>) -> Box<Diagnostic> {
        Box::new(Diagnostic::new(message).at(self.place(mark)))
    }
}

/// A text as it may stand in an error: at most 80 characters.
pub fn short(text: &str) -> String {
    match text.char_indices().nth(80) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// What a path leads to, through links; nothing where there is nothing of that name.
///
/// # Errors
/// Where that cannot be told, or the path is a link that leads nowhere.
pub fn leads_to(path: &Path) -> Result<Option<Metadata>, Box<Diagnostic>> {
    let cannot =
        |cause: String| Box::new(Diagnostic::new(format!("cannot read `{}`", path.display())).cause(cause));
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) => match (error.kind(), fs::symlink_metadata(path)) {
            (ErrorKind::NotFound, Ok(_)) => Err(Box::new(
                cannot("it is a symbolic link to nothing".to_owned()).hint("mend or remove the link"),
            )),
            (ErrorKind::NotFound | ErrorKind::NotADirectory, _) => Ok(None),
            _ => Err(cannot(cause(&error))),
        },
    }
}

/// What the system said, in our spelling: `permission denied`.
pub fn cause(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or("").to_lowercase()
}

/// What it is that has no content to read: a named pipe could be waited for without end.
fn kind(what: FileType) -> &'static str {
    match what {
        what if what.is_dir() => "a directory",
        what if what.is_fifo() => "a named pipe",
        what if what.is_socket() => "a socket",
        _ => "a device",
    }
}

/// The bytes of a regular file of at most 16 MiB; links are followed.
///
/// # Errors
/// Where it cannot be read, is larger, or is no regular file.
pub fn bytes(path: &Path) -> Result<Vec<u8>, Box<Diagnostic>> {
    let cannot =
        |cause: String| Box::new(Diagnostic::new(format!("cannot read `{}`", path.display())).cause(cause));
    let what = fs::metadata(path).map_err(|error| cannot(cause(&error)))?.file_type();
    if !what.is_file() {
        return Err(cannot(format!("it is {}, not a file", kind(what))));
    }
    let file = fs::File::open(path).map_err(|error| cannot(cause(&error)))?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(|error| cannot(cause(&error)))?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(cannot("it is larger than 16 MiB".to_owned()));
    }
    Ok(bytes)
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
            Err(Box::new(Diagnostic::new(format!("`{shown}` is no text file")).cause(cause).at(place)))
        }
    }
}
