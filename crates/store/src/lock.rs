//! The host's lock: one run changes a machine at a time.
//!
//! The kernel lets go of it when its holder dies, however it dies, and with it every command that it had started:
//! they hold it too, so a run that follows a kill does not meet them at work. The file's text only names the holder.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::{Errno, FdFlags, fcntl_setfd};

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
    /// Takes the host's lock in `dir` for `command`. Does not wait for another run, but for what a killed one had
    /// started, up to `patience`.
    ///
    /// # Errors
    /// Where somebody has it, or the file cannot be used.
    pub fn take(dir: &Path, command: &str, patience: Duration) -> Result<Self, Locked> {
        let path = dir.join("host.lock");
        let unusable = |error: io::Error| Locked::Unusable(path.clone(), error);
        fs::DirBuilder::new().recursive(true).mode(0o755).create(dir).map_err(unusable)?;
        // Nobody else may open it: who can open it can hold it.
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
            .open(&path)
            .map_err(unusable)?;
        file.set_permissions(fs::Permissions::from_mode(0o600)).map_err(unusable)?;
        let begun = Instant::now();
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break,
                Err(Errno::WOULDBLOCK) => {}
                Err(errno) => return Err(unusable(errno.into())),
            }
            let mut holder = String::new();
            file.rewind().map_err(unusable)?;
            (&mut file).take(400).read_to_string(&mut holder).map_err(unusable)?;
            if !is_dead(&holder) {
                let holder = holder.trim();
                return Err(Locked::By(if holder.is_empty() { "another run" } else { holder }.to_owned()));
            }
            if begun.elapsed() >= patience {
                return Err(Locked::By(format!("what {} had started before it was killed", holder.trim())));
            }
            std::thread::sleep(Duration::from_millis(100));
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
        // Every command that is started from now on holds it too.
        fcntl_setfd(&file, FdFlags::empty()).map_err(|errno| unusable(errno.into()))?;
        Ok(HostLock { _file: file })
    }
}

/// Whether the process that a holder's text names is gone.
fn is_dead(holder: &str) -> bool {
    let process = holder.split(", process ").nth(1).and_then(|rest| rest.split(',').next());
    process
        .and_then(|id| id.parse::<u32>().ok())
        .is_some_and(|id| !Path::new(&format!("/proc/{id}")).exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    #[test]
    fn the_second_to_come_is_told_who_is_first() {
        let dir = tempfile::tempdir().unwrap();
        let first = HostLock::take(dir.path(), "pq-apply", PATIENCE).unwrap();
        let text = HostLock::take(dir.path(), "pq-server --apply", PATIENCE).unwrap_err().to_string();
        assert!(text.contains("`pq-apply`, process"), "{text}");
        drop(first);
        HostLock::take(dir.path(), "pq-server --apply", PATIENCE).unwrap();
    }

    #[test]
    fn what_a_killed_run_had_started_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let lock = HostLock::take(dir.path(), "pq-apply", PATIENCE).unwrap();
        let mut child = std::process::Command::new("sleep").arg("0.6").spawn().unwrap();
        drop(lock);
        // The holder's text is that of a process that is gone.
        let gone = "`pq-apply`, process 4194399, since 2026-11-23T06:42:00Z\n";
        fs::write(dir.path().join("host.lock"), gone).unwrap();
        let text = HostLock::take(dir.path(), "pq-apply", Duration::ZERO).unwrap_err().to_string();
        assert!(text.contains("had started before it was killed"), "{text}");
        HostLock::take(dir.path(), "pq-apply", PATIENCE).unwrap();
        assert!(child.try_wait().unwrap().is_some(), "the lock was taken while the command ran");
    }
}
