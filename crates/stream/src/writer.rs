//! Writes records, one JSON object a line.

use std::io::{self, Write};

use crate::Record;

/// Writes a stream's lines.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
}

impl<W: Write> Writer<W> {
    /// A writer of lines to `out`.
    pub fn new(out: W) -> Self {
        Writer { out }
    }

    /// Writes one record.
    ///
    /// # Errors
    /// What the output answers; a closed pipe among them.
    pub fn write(&mut self, record: &Record) -> io::Result<()> {
        let line = serde_json::to_string(record)?;
        self.copy(&line)
    }

    /// Writes a line as it was read.
    ///
    /// # Errors
    /// What the output answers.
    pub fn copy(&mut self, line: &str) -> io::Result<()> {
        self.out.write_all(line.as_bytes())?;
        self.out.write_all(b"\n")
    }

    /// Hands everything written so far to the reader.
    ///
    /// # Errors
    /// What the output answers.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
