//! One file of the catalogue: its text, and the name that people know it by.

use pq_stream::Place;

/// A file of the catalogue, built in or the user's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its name for people: `<built-in>/apps/dokuwiki/recipe.yml`, or the path of the user's file.
    pub shown: String,
    /// What it holds.
    pub text: String,
}

/// A place in a file of the catalogue. Both count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mark {
    /// Line.
    pub line: usize,
    /// Column, in characters.
    pub column: usize,
}

impl Source {
    /// A place in this file, with the text of its line.
    pub fn place(&self, mark: Mark) -> Place {
        let line = mark.line.max(1);
        Place {
            file: self.shown.clone(),
            line,
            column: mark.column.max(1),
            text: self.text.lines().nth(line - 1).unwrap_or_default().to_owned(),
        }
    }
}
