//! A text that a person edits: a file that only this user can read, and that never reaches a disk of its own.
//!
//! It lies in `$XDG_RUNTIME_DIR` or `/dev/shm`, where that is memory (tmpfs), in a directory of mode 0700; whatever
//! else an editor writes beside it lies there as well. It is gone when it is dropped, unless it is kept.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use age::secrecy::SecretString;
use rustix::fs::statfs;
use tempfile::{Builder, TempDir};

/// `TMPFS_MAGIC` of statfs(2).
const TMPFS: u64 = 0x0102_1994;

/// A text in memory that an editor can open.
#[derive(Debug)]
pub struct Draft {
    directory: TempDir,
    path: PathBuf,
}

impl Draft {
    /// A draft with that file name; nothing where this system has no memory-backed directory.
    ///
    /// # Errors
    /// What the system answers.
    pub fn new(name: &str, text: &[u8]) -> io::Result<Option<Self>> {
        let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        let places = runtime.into_iter().filter(|place| place.is_absolute()).chain(["/dev/shm".into()]);
        let Some(place) = places.into_iter().find(|place| in_memory(place)) else { return Ok(None) };
        let private = Permissions::from_mode(0o700);
        let directory = Builder::new().prefix("pq-secret-").permissions(private).tempdir_in(place)?;
        let path = directory.path().join(name);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        file.write_all(text)?;
        Ok(Some(Draft { directory, path }))
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
        let Some(draft) = Draft::new("s.yml", b"a: 1\n").unwrap() else { return };
        let path = draft.path().to_owned();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        assert!(in_memory(path.parent().unwrap()));
        assert_eq!(draft.text().unwrap().expose_secret(), "a: 1\n");
        drop(draft);
        assert!(!path.parent().unwrap().exists());
        let kept = Draft::new("s.yml", b"a: 1\n").unwrap().unwrap().keep();
        assert!(kept.exists());
        fs::remove_dir_all(kept.parent().unwrap()).unwrap();
    }
}
