//! Errors of the operating system, as people read them.

use std::io;

use pq_steps::Error;
use pq_stream::Diagnostic;
pub use pq_stream::system_cause as words;

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
