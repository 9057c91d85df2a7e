//! Errors of the operating system, as people read them.

use std::io;

use pq_steps::Error;
use pq_stream::Diagnostic;

/// What the system says of an error, in lower case and without its number.
pub fn words(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut chars = text.chars();
    match (chars.next(), chars.clone().next()) {
        (Some(first), Some(second)) if second.is_lowercase() => first.to_lowercase().chain(chars).collect(),
        _ => text.to_owned(),
    }
}

/// A failure of a system call, with a hint where there is a usual cure.
pub fn failed(message: impl Into<String>, error: impl Into<io::Error>) -> Error {
    let error = error.into();
    let diagnostic = Diagnostic::new(message).cause(words(&error));
    match error.kind() {
        io::ErrorKind::ReadOnlyFilesystem => {
            diagnostic.hint("remount the file system read-write, then run again")
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            diagnostic.hint("make room (`df -h`, `df -i`), then run again: what was there is intact")
        }
        io::ErrorKind::PermissionDenied if !rustix::process::geteuid().is_root() => {
            diagnostic.hint("run as root")
        }
        _ => diagnostic,
    }
    .into()
}

/// Whether an error says that nothing is at a path.
pub fn nothing_there(error: rustix::io::Errno) -> bool {
    matches!(error, rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_in_lower_case_and_without_its_number() {
        assert_eq!(words(&io::Error::from(rustix::io::Errno::ROFS)), "read-only file system");
        assert_eq!(words(&io::Error::other("TLS broke")), "TLS broke");
    }
}
