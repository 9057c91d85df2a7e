//! The host's lock: one run changes a machine at a time.
//!
//! The kernel lets go of it when its holder dies, however it dies. The file's text only names the holder.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

/// Held for as long as it lives.
#[derive(Debug)]
pub struct HostLock {
    _file: File,
}

/// Why the lock was not taken.
#[derive(Debug)]
pub enum Locked {
    /// Somebody else has it: what the file says of them.
    By(String),
    /// The lock file cannot be used.
    Unusable(PathBuf, io::Error),
}

impl fmt::Display for Locked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Locked::By(holder) => write!(f, "this machine is being changed by {holder}"),
            Locked::Unusable(path, _) => write!(f, "cannot lock `{}`", path.display()),
        }
    }
}

impl std::error::Error for Locked {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Locked::By(_) => None,
            Locked::Unusable(_, error) => Some(error),
        }
    }
}

impl HostLock {
    /// Takes the host's lock in `dir` for `command`, without waiting.
    ///
    /// # Errors
    /// Where somebody has it, or the file cannot be used.
    pub fn take(dir: &Path, command: &str) -> Result<Self, Locked> {
        let path = dir.join("host.lock");
        let unusable = |error: io::Error| Locked::Unusable(path.clone(), error);
        fs::DirBuilder::new().recursive(true).mode(0o755).create(dir).map_err(unusable)?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o644)
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
            .open(&path)
            .map_err(unusable)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                let mut holder = String::new();
                file.take(400).read_to_string(&mut holder).map_err(unusable)?;
                let holder = holder.trim();
                return Err(Locked::By(if holder.is_empty() { "another run" } else { holder }.to_owned()));
            }
            Err(errno) => return Err(unusable(errno.into())),
        }
        let holder = format!(
            "`{command}`, process {}, since {}\n",
            std::process::id(),
            pq_stream::utc(SystemTime::now())
        );
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(holder.as_bytes()))
            .map_err(unusable)?;
        Ok(HostLock { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_to_come_is_told_who_is_first() {
        let dir = tempfile::tempdir().unwrap();
        let first = HostLock::take(dir.path(), "pq-apply").unwrap();
        let text = HostLock::take(dir.path(), "pq-server --apply").unwrap_err().to_string();
        assert!(text.contains("`pq-apply`, process"), "{text}");
        drop(first);
        HostLock::take(dir.path(), "pq-server --apply").unwrap();
    }
}
