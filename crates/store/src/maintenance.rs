//! Maintenance windows: until when somebody works on an owner's things, so that nobody raises an alarm about them.
//!
//! Always true here: a window has an end. A run that dies leaves one that ends by itself.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use pq_stream::utc;
use serde::{Deserialize, Serialize};

use crate::replace::replace_for;

/// Somebody works on an owner's things.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// The owner, such as an instance.
    pub owner: String,
    /// Why, for people.
    pub why: String,
    /// Since when, in UTC.
    pub since: String,
    /// Until when at most, in UTC.
    pub until: String,
}

/// The maintenance windows of a machine.
#[derive(Debug)]
pub struct Maintenance {
    dir: PathBuf,
}

impl Maintenance {
    /// Those under a state directory. Nothing is written yet.
    pub fn new(state: &Path) -> Self {
        Maintenance { dir: state.join("maintenance") }
    }

    /// Opens a window that ends by itself after `most`.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn open(&self, owner: &str, why: &str, now: SystemTime, most: Duration) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o755).create(&self.dir)?;
        let window =
            Window { owner: owner.to_owned(), why: why.to_owned(), since: utc(now), until: utc(now + most) };
        replace_for(&self.path(owner), &serde_json::to_vec(&window)?, 0o644)
    }

    /// Closes a window; there need not be one.
    ///
    /// # Errors
    /// Where it cannot be removed.
    pub fn close(&self, owner: &str) -> io::Result<()> {
        match fs::remove_file(self.path(owner)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// The window of an owner that is open at this time.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn of(&self, owner: &str, now: SystemTime) -> io::Result<Option<Window>> {
        match fs::read(self.path(owner)) {
            Ok(bytes) => {
                let window: Window = serde_json::from_slice(&bytes)?;
                Ok((utc(now) < window.until).then_some(window))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn path(&self, owner: &str) -> PathBuf {
        self.dir.join(format!("{}.json", owner.replace('/', "+")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_ends_when_it_is_closed_and_by_itself() {
        let dir = tempfile::tempdir().unwrap();
        let windows = Maintenance::new(dir.path());
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let hour = Duration::from_secs(3600);
        assert_eq!(windows.of("wiki", now).unwrap(), None);
        windows.open("wiki", "upgrade", now, hour).unwrap();
        assert_eq!(windows.of("wiki", now + hour / 2).unwrap().unwrap().why, "upgrade");
        assert_eq!(windows.of("wiki", now + hour).unwrap(), None);
        windows.close("wiki").unwrap();
        windows.close("wiki").unwrap();
        assert_eq!(windows.of("wiki", now).unwrap(), None);
    }
}
