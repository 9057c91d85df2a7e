//! Lines at the end of a file: whole, or not there.

use std::fs::File;
use std::io::{self, Write};

/// Writes at the end of a file, and waits for `synced`: until that is on disk. What could only be written in part is taken
/// away again: the next line would else be one with it.
pub fn append(file: &mut File, text: &str, synced: fn(&File) -> io::Result<()>) -> io::Result<()> {
    let before = file.metadata()?.len();
    let written = file.write_all(text.as_bytes()).and_then(|()| synced(file));
    if written.is_err() {
        // A disk that takes no truncation takes no further line either.
        let _ = file.set_len(before);
    }
    written
}
