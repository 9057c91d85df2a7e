//! Reads files of others without being overwhelmed by them.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The most that is read of a file.
pub const MOST: u64 = 4 << 20;

/// A file's bytes.
///
/// # Errors
/// Where it cannot be read, is no file, or is too large.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let is = file.metadata()?;
    if !is.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mut bytes = Vec::new();
    file.take(MOST + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > MOST {
        true => Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 4 MiB")),
        false => Ok(bytes),
    }
}

/// A file's text, bytes that are none replaced.
///
/// # Errors
/// As [`read`].
pub fn text(path: &Path) -> io::Result<String> {
    read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}
