//! No service starts because its package is installed: `/usr/sbin/policy-rc.d` says so while a transaction runs.
//!
//! Always true here: a policy that somebody else put there is kept beside ours and comes back; ours is known by its
//! content, so one that a killed run left is found, and removed when the next run begins.

use std::path::{Path, PathBuf};

use pq_steps::{AbsPath, Error};

use crate::cause::failed;
use crate::files;
use crate::fresh::Numbers;

/// The policy of a running transaction; `invoke-rc.d(8)`: 101 forbids what is asked.
const OURS: &str =
    "#!/bin/sh\n# paquerette: no service starts while packages are being installed\nexit 101\n";

/// The policy of a directory, by default `/usr/sbin`. Dropped, the earlier policy is back.
#[derive(Debug)]
pub struct Policy {
    at: AbsPath,
    kept: AbsPath,
}

impl Policy {
    /// Forbids services to start.
    pub fn forbid(directory: &AbsPath) -> Result<Self, Error> {
        let policy = Policy::in_directory(directory)?;
        if !policy.is_ours()? && path(&policy.at).symlink_metadata().is_ok() {
            files::rename(&policy.at, &policy.kept)?;
        }
        files::write(&policy.at, OURS.as_bytes(), Numbers { mode: Some(0o755), owner: None })?;
        Ok(policy)
    }

    /// Whether a transaction that was killed left its policy there.
    pub fn left_over(directory: &AbsPath) -> Result<bool, Error> {
        let policy = Policy::in_directory(directory)?;
        Ok(policy.is_ours()? || path(&policy.kept).symlink_metadata().is_ok())
    }

    /// Puts back what was there before a transaction that was killed; whether there was one.
    pub fn lift_left_over(directory: &AbsPath) -> Result<bool, Error> {
        let left = Policy::left_over(directory)?;
        if left {
            Policy::in_directory(directory)?.put_back()?;
        }
        Ok(left)
    }

    /// Puts back what was there before.
    pub fn lift(self) -> Result<(), Error> {
        self.put_back()
    }

    fn in_directory(directory: &AbsPath) -> Result<Self, Error> {
        let join = |name| {
            directory.join(name).map_err(|cause| Error::failed("cannot set a policy for services", cause))
        };
        Ok(Policy { at: join("policy-rc.d")?, kept: join(".policy-rc.d.kept-by-paquerette")? })
    }

    fn is_ours(&self) -> Result<bool, Error> {
        match std::fs::read(path(&self.at)) {
            Ok(bytes) => Ok(bytes == OURS.as_bytes()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(failed(format!("cannot read `{}`", self.at), error)),
        }
    }

    fn put_back(&self) -> Result<(), Error> {
        if path(&self.kept).symlink_metadata().is_ok() {
            return files::rename(&self.kept, &self.at);
        }
        match self.is_ours()? {
            true => files::remove(&self.at),
            false => Ok(()),
        }
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        // After `lift`, there is nothing left to do; otherwise an error is already being told.
        let _ = self.put_back();
    }
}

fn path(path: &AbsPath) -> PathBuf {
    Path::new(path.as_str()).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory() -> (tempfile::TempDir, AbsPath) {
        let held = tempfile::tempdir().unwrap();
        let path = AbsPath::new(held.path().to_str().unwrap()).unwrap();
        (held, path)
    }

    #[test]
    fn a_policy_of_somebody_else_comes_back_even_after_a_kill() {
        let (held, at) = directory();
        let file = held.path().join("policy-rc.d");
        std::fs::write(&file, "theirs").unwrap();
        std::mem::forget(Policy::forbid(&at).unwrap()); // killed
        assert_eq!(std::fs::read_to_string(&file).unwrap(), OURS);
        assert!(Policy::left_over(&at).unwrap());
        let again = Policy::forbid(&at).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), OURS);
        again.lift().unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "theirs");
        assert!(!Policy::left_over(&at).unwrap());
    }

    #[test]
    fn a_kill_between_setting_theirs_aside_and_writing_ours_loses_nothing() {
        let (held, at) = directory();
        std::fs::write(held.path().join(".policy-rc.d.kept-by-paquerette"), "theirs").unwrap();
        assert!(Policy::left_over(&at).unwrap());
        drop(Policy::forbid(&at).unwrap());
        assert_eq!(std::fs::read_to_string(held.path().join("policy-rc.d")).unwrap(), "theirs");
    }

    #[test]
    fn what_a_kill_left_is_lifted_and_what_is_theirs_stays() {
        let (held, at) = directory();
        let file = held.path().join("policy-rc.d");
        std::mem::forget(Policy::forbid(&at).unwrap()); // killed
        assert!(Policy::lift_left_over(&at).unwrap());
        assert!(!file.exists());
        std::fs::write(&file, "theirs").unwrap();
        assert!(!Policy::lift_left_over(&at).unwrap());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "theirs");
        std::mem::forget(Policy::forbid(&at).unwrap()); // killed
        assert!(Policy::lift_left_over(&at).unwrap());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "theirs");
    }

    #[test]
    fn where_there_was_none_there_is_none_afterwards() {
        let (held, at) = directory();
        drop(Policy::forbid(&at).unwrap());
        assert_eq!(std::fs::read_dir(held.path()).unwrap().count(), 0);
    }
}
