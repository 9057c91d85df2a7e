//! The files of a copy, as they lie on this machine.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use sha2::{Digest, Sha256};

use super::names::{FLAT, Name};

/// A copy.
pub struct Files {
    /// Its directory.
    pub root: PathBuf,
}

impl Files {
    /// The files that are here, and their sizes.
    ///
    /// # Errors
    /// What the system answers.
    pub fn here(&self) -> io::Result<BTreeMap<Name, u64>> {
        let mut found = BTreeMap::new();
        let mut add = |directory: PathBuf, before: &str| -> io::Result<()> {
            let entries = match fs::read_dir(directory) {
                Ok(entries) => entries,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(error),
            };
            for entry in entries {
                let entry = entry?;
                let path = format!("{before}{}", entry.file_name().to_string_lossy());
                if let (Some(name), Ok(meta)) = (Name::read(&path), entry.metadata()) {
                    found.insert(name, meta.size());
                }
            }
            Ok(())
        };
        add(self.root.clone(), "")?;
        for kind in FLAT {
            add(self.root.join(kind), &format!("{kind}/"))?;
        }
        for number in 0..=u8::MAX {
            let head = format!("{number:02x}");
            add(self.root.join("data").join(&head), &format!("data/{head}/"))?;
        }
        Ok(found)
    }

    /// The directories that a repository has, so that restic takes the copy for one.
    ///
    /// # Errors
    /// What the system answers.
    pub fn make(&self) -> io::Result<()> {
        ["", "keys", "snapshots", "index", "data", "locks"]
            .iter()
            .try_for_each(|it| directory(&self.root.join(it)))
    }

    /// Puts a file into its place, where none is.
    ///
    /// # Errors
    /// Where one is there, and what the system answers.
    pub fn keep(&self, beside: &Path, name: &Name) -> io::Result<()> {
        let path = self.root.join(name.path());
        let parent = path.parent().unwrap_or(&self.root);
        directory(parent)?;
        renameat_with(CWD, beside, CWD, &path, RenameFlags::NOREPLACE)?;
        File::open(parent)?.sync_all()
    }

    /// Where files come first, beside the copy.
    ///
    /// # Errors
    /// What the system answers.
    pub fn incoming(&self) -> io::Result<PathBuf> {
        let path = self.root.with_extension("incoming");
        directory(&path)?;
        Ok(path)
    }
}

fn directory(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// A new file, for root alone.
///
/// # Errors
/// What the system answers.
pub fn create(path: &Path) -> io::Result<File> {
    fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

/// Where taking a file failed.
pub enum Took {
    /// Where it comes from.
    Line(io::Error),
    /// Where it goes to.
    Disk(io::Error),
}

/// Takes so many bytes into a file, and answers their digest in hexadecimal.
///
/// # Errors
/// Where they do not come, or cannot be written.
pub fn take(from: &mut impl Read, size: u64, into: &mut File) -> Result<String, Took> {
    let mut digest = Sha256::new();
    let mut chunk = vec![0; 1 << 16];
    let mut left = size;
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(chunk.len());
        let Some(part) = chunk.get_mut(..most) else { break };
        let read = from.read(part).map_err(Took::Line)?;
        let Some(part) = part.get(..read).filter(|it| !it.is_empty()) else {
            return Err(Took::Line(io::Error::other("the line ended within a file")));
        };
        digest.update(part);
        into.write_all(part).map_err(Took::Disk)?;
        left -= read as u64;
    }
    Ok(digest.finalize().iter().fold(String::with_capacity(64), |text, byte| text + &format!("{byte:02x}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_never_overwritten_and_what_is_no_file_of_a_repository_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files { root: dir.path().join("prod") };
        files.make().unwrap();
        let digest = "fb8e20fc2e4c3f248c60c39bd652f3c1347298bb977b8b4d5903b85055620603";
        let name = Name::read(&format!("data/fb/{digest}")).unwrap();
        let beside = files.incoming().unwrap().join("x");
        let mut file = create(&beside).unwrap();
        assert!(matches!(take(&mut &b"ab"[..], 2, &mut file), Ok(it) if it == digest));
        files.keep(&beside, &name).unwrap();
        fs::write(&beside, "other").unwrap();
        assert_eq!(files.keep(&beside, &name).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        fs::write(files.root.join("data/fb/evil"), "").unwrap();
        assert_eq!(files.here().unwrap(), BTreeMap::from([(name, 2)]));
        let short = take(&mut &b"a"[..], 2, &mut create(&beside).unwrap());
        assert!(matches!(short, Err(Took::Line(_))));
    }
}
