//! How files that hold secrets are written: whole or not at all, and never readable by others on the way.
//!
//! Always true here: a temporary file lies in the directory of the file that it will be, is made with mode 0600
//! whatever the umask is, and is gone when writing fails. A link is followed to the file that it leads to. The file
//! keeps its mode, and its owner and group where the system lets us (no other group may read it in that one's place); a
//! new one has mode 0600.

use std::collections::BTreeSet;
use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};
use rustix::io::Errno;
use rustix::process::geteuid;
use tempfile::{Builder, NamedTempFile};

use crate::is_age;

/// How the name of a file begins that is not in its place yet.
const TEMPORARY: &str = ".pq-secret-";

/// A file's new content, on the disk beside it and not in its place yet.
#[derive(Debug)]
pub struct Staged {
    temporary: NamedTempFile,
    path: PathBuf,
    directory: PathBuf,
    mode: u32,
    new: bool,
}

impl Staged {
    /// Writes what a file will hold; `mode` is that of a file that does not exist yet.
    ///
    /// # Errors
    /// What the system answers.
    pub fn write(path: &Path, bytes: &[u8], mode: u32) -> io::Result<Self> {
        let path = real(path)?;
        let directory = directory_of(&path);
        let old = match fs::metadata(&path) {
            Ok(metadata) => Some(metadata),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let mut temporary = temporary(&directory)?;
        temporary.write_all(bytes)?;
        let (mut mode, new) = (old.as_ref().map_or(mode, |old| old.mode() & 0o7777), old.is_none());
        if let Some(old) = &old {
            let is = temporary.as_file().metadata()?;
            let give = |user, group| fchown(temporary.as_file(), user, group).is_ok();
            if (is.uid(), is.gid()) != (old.uid(), old.gid()) && !give(Some(old.uid()), Some(old.gid())) {
                // Only root can give a file away: for others the file becomes their own, and stays its group's.
                // Where it cannot, no other group gets what that group had.
                if is.gid() != old.gid() && !give(None, Some(old.gid())) {
                    mode &= !0o2070;
                }
            }
        }
        temporary.as_file().sync_all()?;
        Ok(Staged { temporary, path, directory, mode, new })
    }

    /// Puts the file in its place; one that was not there before replaces nothing.
    ///
    /// # Errors
    /// What the system answers; the old file is as it was.
    pub fn publish(self) -> io::Result<()> {
        let file = match self.new {
            true => self.temporary.persist_noclobber(&self.path)?,
            false => self.temporary.persist(&self.path)?,
        };
        // Only now: under its temporary name nobody else could read it.
        file.set_permissions(Permissions::from_mode(self.mode))?;
        file.sync_all()?;
        File::open(&self.directory)?.sync_all()
    }
}

/// An empty file that is locked as long as somebody works on it: one that is not was left behind.
fn temporary(directory: &Path) -> io::Result<NamedTempFile> {
    loop {
        let private = Permissions::from_mode(0o600);
        let temporary = Builder::new().prefix(TEMPORARY).permissions(private).tempfile_in(directory)?;
        // Where locks are not known, nothing is ever taken for left behind either.
        let locked = flock(temporary.as_file(), FlockOperation::NonBlockingLockExclusive);
        // Between the two somebody else may have taken it for left behind.
        if locked != Err(Errno::WOULDBLOCK) && temporary.as_file().metadata()?.nlink() > 0 {
            return Ok(temporary);
        }
    }
}

/// What writers that were killed left in a directory: files of this user that nobody works on.
///
/// What is encrypted or empty is removed, for it is of no use to anybody.
///
/// # Errors
/// What the system answers.
pub fn left_behind(directory: &Path) -> io::Result<Vec<LeftBehind>> {
    let mut found = Vec::new();
    let paths: io::Result<BTreeSet<PathBuf>> =
        fs::read_dir(directory)?.map(|entry| entry.map(|entry| entry.path())).collect();
    for path in paths? {
        let ours = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(TEMPORARY));
        if !ours {
            continue;
        }
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let Ok(file) = open(&path, OFlags::RDONLY | flags, Mode::empty()) else { continue };
        let mut file = File::from(file);
        let metadata = file.metadata()?;
        if !metadata.is_file() || metadata.uid() != geteuid().as_raw() || metadata.nlink() == 0 {
            continue;
        }
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            continue;
        }
        let mut begin = Vec::new();
        Read::by_ref(&mut file).take(64).read_to_end(&mut begin)?;
        let removed = (begin.is_empty() || is_age(&begin)) && fs::remove_file(&path).is_ok();
        found.push(LeftBehind { path, removed, changed: metadata.modified()? });
    }
    Ok(found)
}

/// A file that a writer left behind.
#[derive(Debug)]
pub struct LeftBehind {
    /// Where it is, or was.
    pub path: PathBuf,
    /// Whether it is gone now.
    pub removed: bool,
    /// When it was written.
    pub changed: SystemTime,
}

/// Removes a file, for good once this returns.
///
/// # Errors
/// What the system answers.
pub fn remove(path: &Path) -> io::Result<()> {
    fs::remove_file(path)?;
    File::open(directory_of(path))?.sync_all()
}

/// Held while a file is changed: nobody else changes it meanwhile with these tools.
#[derive(Debug)]
pub struct Lock {
    _held: File,
}

impl Lock {
    /// Locks a file, or the directory of one that does not exist yet; nothing where somebody else holds it.
    ///
    /// # Errors
    /// What the system answers.
    pub fn take(path: &Path) -> io::Result<Option<Self>> {
        let path = real(path)?;
        loop {
            let (file, new) = match File::open(&path) {
                Ok(file) => (file, false),
                Err(error) if error.kind() == ErrorKind::NotFound => (File::open(directory_of(&path))?, true),
                Err(error) => return Err(error),
            };
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
            // A file that was replaced between opening and locking is no longer the one of that name.
            let locked = file.metadata()?;
            match fs::metadata(&path) {
                Ok(now) if !new && (now.dev(), now.ino()) == (locked.dev(), locked.ino()) => {}
                Err(error) if new && error.kind() == ErrorKind::NotFound => {}
                Ok(_) => continue,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            }
            return Ok(Some(Lock { _held: file }));
        }
    }
}

/// The file that a path leads to; one that does not exist has a directory that does.
fn real(path: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(path) {
        Err(error) if error.kind() == ErrorKind::NotFound && fs::symlink_metadata(path).is_err() => {
            let name = path.file_name().ok_or(ErrorKind::InvalidInput)?;
            Ok(fs::canonicalize(directory_of(path))?.join(name))
        }
        other => other,
    }
}

fn directory_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replace(path: &Path, text: &str) {
        Staged::write(path, text.as_bytes(), 0o600).unwrap().publish().unwrap();
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn what_is_not_published_leaves_nothing_behind_and_what_is_keeps_its_mode() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s.yml.age");
        replace(&path, "one");
        assert_eq!((fs::read_to_string(&path).unwrap().as_str(), mode(&path)), ("one", 0o600));
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        let staged = Staged::write(&path, b"two", 0o600).unwrap();
        assert_eq!(mode(staged.temporary.path()), 0o600);
        drop(staged);
        assert_eq!(fs::read_to_string(&path).unwrap(), "one");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        replace(&path, "three");
        assert_eq!((fs::read_to_string(&path).unwrap().as_str(), mode(&path)), ("three", 0o640));
    }

    #[test]
    fn what_a_killed_writer_left_is_found_and_what_somebody_writes_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s.yml.age");
        let staged = Staged::write(&path, b"age-encryption.org/v1\n", 0o600).unwrap();
        assert!(left_behind(directory.path()).unwrap().is_empty());
        let at = |name: &str| directory.path().join(format!("{TEMPORARY}{name}"));
        fs::write(at("sealed"), "age-encryption.org/v1\n").unwrap();
        fs::write(at("plain"), "name: value\n").unwrap();
        std::os::unix::fs::symlink(at("plain"), at("link")).unwrap();
        let found = left_behind(directory.path()).unwrap();
        let found: Vec<_> = found.into_iter().map(|left| (left.path, left.removed)).collect();
        assert_eq!(found, [(at("plain"), false), (at("sealed"), true)]);
        assert!(!at("sealed").exists() && at("plain").exists());
        staged.publish().unwrap();
    }

    #[test]
    fn a_link_stays_one_and_a_new_file_replaces_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let (path, link) = (directory.path().join("real"), directory.path().join("link"));
        let staged = Staged::write(&path, b"ours", 0o600).unwrap();
        fs::write(&path, "theirs").unwrap();
        assert_eq!(staged.publish().unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&path).unwrap(), "theirs");
        std::os::unix::fs::symlink("real", &link).unwrap();
        replace(&link, "new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    }

    #[test]
    fn one_at_a_time_holds_a_file_or_the_place_of_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s.yml.age");
        let held = Lock::take(&path).unwrap();
        assert!(held.is_some() && Lock::take(&path).unwrap().is_none());
        drop(held);
        replace(&path, "one");
        let held = Lock::take(&path).unwrap();
        assert!(held.is_some() && Lock::take(&path).unwrap().is_none());
        replace(&path, "two");
        assert!(Lock::take(&path).unwrap().is_some(), "the file that was locked is gone");
    }
}
