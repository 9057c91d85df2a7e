//! A text that a person edits: a file that only this user can read, and that never reaches a disk of its own.
//!
//! It lies in `$XDG_RUNTIME_DIR` or `/dev/shm`, where that is memory (tmpfs), in a directory of mode 0700; whatever
//! else an editor writes beside it lies there as well. It is gone when it is dropped, unless it is kept.
//! One that nobody works on any more, kept or left by a process that was killed, can be found again.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use age::secrecy::SecretString;
use rustix::fs::{FlockOperation, flock, statfs};
use rustix::process::geteuid;
use tempfile::{Builder, TempDir};

/// `TMPFS_MAGIC` of statfs(2).
const TMPFS: u64 = 0x0102_1994;

/// How the name of a draft's directory begins.
const DIRECTORY: &str = "pq-secret-";

/// The link in it to the file whose text it is.
const OF: &str = ".of";

/// A text in memory that an editor can open.
#[derive(Debug)]
pub struct Draft {
    directory: TempDir,
    path: PathBuf,
    /// Locked as long as somebody works on it.
    _held: File,
}

impl Draft {
    /// A draft with that file name, of that file; nothing where this system has no memory-backed directory.
    ///
    /// # Errors
    /// What the system answers.
    pub fn new(name: &str, of: &Path, text: &[u8]) -> io::Result<Option<Self>> {
        let Some(directory) = private_directory()? else { return Ok(None) };
        let held = File::open(directory.path())?;
        flock(&held, FlockOperation::NonBlockingLockExclusive)?;
        symlink(std::path::absolute(of)?, directory.path().join(OF))?;
        let path = directory.path().join(name);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        file.write_all(text)?;
        Ok(Some(Draft { directory, path, _held: held }))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it holds now.
    ///
    /// # Errors
    /// Where it is gone, or no text.
    pub fn text(&self) -> io::Result<SecretString> {
        fs::read_to_string(&self.path).map(SecretString::from)
    }

    /// Leaves it where it is, until somebody removes it or the machine restarts.
    pub fn keep(mut self) -> PathBuf {
        self.directory.disable_cleanup(true);
        self.path.clone()
    }
}

/// A draft that nobody works on.
#[derive(Debug)]
pub struct LeftDraft {
    /// Its directory.
    pub directory: PathBuf,
    /// The file whose text it is.
    pub of: PathBuf,
    /// When it was begun.
    pub begun: SystemTime,
}

/// The drafts of this user that nobody works on any more.
pub fn left_drafts() -> Vec<LeftDraft> {
    let entries = places().filter_map(|place| fs::read_dir(place).ok()).flatten().flatten();
    entries.filter_map(|entry| left(entry.path())).collect()
}

fn left(directory: PathBuf) -> Option<LeftDraft> {
    let metadata = fs::symlink_metadata(&directory).ok()?;
    let named = directory.file_name()?.to_string_lossy().starts_with(DIRECTORY);
    if !named || !metadata.is_dir() || metadata.uid() != geteuid().as_raw() {
        return None;
    }
    flock(File::open(&directory).ok()?, FlockOperation::NonBlockingLockExclusive).ok()?;
    let of = directory.join(OF);
    let begun = fs::symlink_metadata(&of).and_then(|link| link.modified()).ok()?;
    Some(LeftDraft { of: fs::read_link(of).ok()?, directory, begun })
}

/// A directory in memory that only this user can read; nothing where this system has no such place.
///
/// # Errors
/// What the system answers.
pub fn private_directory() -> io::Result<Option<TempDir>> {
    let Some(place) = places().next() else { return Ok(None) };
    let private = Permissions::from_mode(0o700);
    Builder::new().prefix(DIRECTORY).permissions(private).tempdir_in(place).map(Some)
}

/// The directories in memory, the user's own one first.
fn places() -> impl Iterator<Item = PathBuf> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let places = runtime.into_iter().filter(|place| place.is_absolute()).chain(["/dev/shm".into()]);
    places.filter(|place| in_memory(place))
}

fn in_memory(place: &Path) -> bool {
    place.is_dir() && statfs(place).is_ok_and(|system| system.f_type as u64 == TMPFS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use age::secrecy::ExposeSecret;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn a_draft_is_private_in_memory_and_gone_unless_it_is_kept() {
        assert!(!in_memory(Path::new("/proc")));
        let Some(draft) = Draft::new("s.yml", Path::new("/a/s.yml.age"), b"a: 1\n").unwrap() else { return };
        let path = draft.path().to_owned();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        assert!(in_memory(path.parent().unwrap()));
        assert_eq!(draft.text().unwrap().expose_secret(), "a: 1\n");
        let is_left = |path: &Path| left(path.parent().unwrap().to_owned()).map(|left| left.of);
        assert_eq!(is_left(&path), None, "somebody works on it");
        drop(draft);
        assert!(!path.parent().unwrap().exists());
        let kept = Draft::new("s.yml", Path::new("/a/s.yml.age"), b"a: 1\n").unwrap().unwrap().keep();
        assert_eq!(is_left(&kept), Some(PathBuf::from("/a/s.yml.age")));
        assert!(kept.exists());
        fs::remove_dir_all(kept.parent().unwrap()).unwrap();
    }
}
