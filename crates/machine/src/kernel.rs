//! Sets what the running kernel does: a value written into a file below `/proc/sys`, whole, in one call.

use std::fs::OpenOptions;
use std::io::Write;

use pq_steps::{AbsPath, Error};
use pq_stream::Diagnostic;
use rustix::io::Errno;

use crate::cause::words;

/// Gives a setting a value.
pub fn set(path: &AbsPath, value: &str) -> Result<(), Error> {
    let line = format!("{value}\n");
    let done = OpenOptions::new().write(true).open(path.as_str()).and_then(|mut file| {
        // A second write would be a second value.
        match file.write(line.as_bytes())? {
            all if all == line.len() => Ok(()),
            part => Err(std::io::Error::other(format!("the kernel took {part} of {} bytes", line.len()))),
        }
    });
    let Err(error) = done else { return Ok(()) };
    let diagnostic = Diagnostic::new(format!("cannot write `{value}` to `{path}`")).cause(words(&error));
    let hint = match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::ROFS | Errno::PERM | Errno::ACCESS) => {
            "in a container, only the machine that it runs on can set this"
        }
        Some(Errno::INVAL | Errno::RANGE) => "the kernel does not take this value for it",
        _ => return Err(diagnostic.into()),
    };
    Err(diagnostic.hint(hint).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_named_with_its_cause() {
        let path = AbsPath::new("/proc/sys/paquerette/none").unwrap();
        let error = set(&path, "1").unwrap_err().to_string();
        assert!(error.starts_with("cannot write `1` to `/proc/sys/paquerette/none`: "), "{error}");
    }
}
