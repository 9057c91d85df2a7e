//! The directory into which an archive's entries come out.
//!
//! Always true here: it is reached through its open handle, and all on the way inside it was made here.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use pq_steps::Archive;
use rustix::fs::{Mode, OFlags, mkdirat, openat, renameat, symlinkat};

use super::entry::{Entry, What};
use super::{Refused, name};
use crate::fresh::{Numbers, set};

/// Most bytes that all names together may have: they are held in memory.
const NAMES: usize = 32 << 20;

/// What came out at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Made {
    Directory,
    File,
    Link,
}

/// The directory, and what is in it so far.
pub struct Tree<'a> {
    root: &'a OwnedFd,
    archive: &'a Archive,
    made: HashMap<PathBuf, Made>,
    bytes_left: u64,
    entries_left: u64,
    names_left: usize,
}

impl<'a> Tree<'a> {
    /// An empty directory that is ours alone.
    pub fn new(root: &'a OwnedFd, archive: &'a Archive) -> Self {
        let (bytes_left, entries_left) = (archive.max_bytes, archive.max_entries);
        Tree { root, archive, made: HashMap::new(), bytes_left, entries_left, names_left: NAMES }
    }

    /// Takes out one entry.
    pub fn take(&mut self, entry: &Entry, content: &mut dyn Read) -> Result<(), Refused> {
        let refused = |cause: String| Refused::entry(&entry.name, cause);
        let parts = name::parts(&entry.name, self.archive.strip).map_err(refused)?;
        if let What::Refused(cause) = &entry.what {
            return Err(refused(cause.clone()));
        }
        self.count()?;
        let Some((_, parents)) = parts.split_last() else {
            return match entry.what == What::Directory || self.archive.strip > 0 {
                true => Ok(()),
                false => Err(refused("has no name".to_owned())),
            };
        };
        let path = joined(&parts);
        self.directories(parents, &entry.name)?;
        if entry.what == What::Directory {
            return self.directory(path, &entry.name).map(drop);
        }
        if self.made.contains_key(&path) {
            return Err(refused("stands twice in the archive".to_owned()));
        }
        match &entry.what {
            What::Link(target) => {
                name::stays_inside(target, parents.len()).map_err(refused)?;
                symlinkat(target.as_slice(), self.root, &path)
                    .map_err(|error| Refused::write(&path, error))?;
                self.note(path, Made::Link)
            }
            What::File { size, executable } => {
                self.file(content, &path, *size, *executable)?;
                self.note(path, Made::File)
            }
            What::Directory | What::Refused(_) => Ok(()),
        }
    }

    /// Counts one thing that comes out.
    fn count(&mut self) -> Result<(), Refused> {
        self.entries_left = self.entries_left.checked_sub(1).ok_or_else(|| {
            Refused::Limit(format!("it holds more than {} entries", self.archive.max_entries))
        })?;
        Ok(())
    }

    fn note(&mut self, path: PathBuf, made: Made) -> Result<(), Refused> {
        self.names_left = self
            .names_left
            .checked_sub(path.as_os_str().len())
            .ok_or_else(|| Refused::Unwanted(format!("its names have more than {NAMES} bytes together")))?;
        self.made.insert(path, made);
        Ok(())
    }

    /// Makes the directories that something is in, unless they came out before.
    fn directories(&mut self, parts: &[Vec<u8>], entry: &[u8]) -> Result<(), Refused> {
        for length in 1..=parts.len() {
            if self.directory(joined(&parts[..length]), entry)? {
                self.count()?;
            }
        }
        Ok(())
    }

    /// Makes a directory, unless it came out before; whether it is new.
    fn directory(&mut self, path: PathBuf, entry: &[u8]) -> Result<bool, Refused> {
        let through =
            |what| Refused::entry(entry, format!("would go through the {what} `{}`", path.display()));
        match self.made.get(&path) {
            Some(Made::Directory) => return Ok(false),
            Some(Made::File) => return Err(through("file")),
            Some(Made::Link) => return Err(through("link")),
            None => {}
        }
        mkdirat(self.root, &path, Mode::from_raw_mode(0o755))
            .map_err(|error| Refused::write(&path, error))?;
        self.note(path, Made::Directory).map(|()| true)
    }

    /// Writes a file.
    fn file(
        &mut self,
        content: &mut dyn Read,
        path: &Path,
        size: u64,
        executable: bool,
    ) -> Result<(), Refused> {
        let too_much = |most| Refused::Limit(format!("more than {most} bytes would come out"));
        self.bytes_left =
            self.bytes_left.checked_sub(size).ok_or_else(|| too_much(self.archive.max_bytes))?;
        let mode = if executable { 0o755 } else { 0o644 };
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file: File = openat(self.root, path, flags, Mode::from_raw_mode(mode))
            .map_err(|error| Refused::write(path, error))?
            .into();
        let written = pour(content, &mut file, path)?;
        if written != size {
            return Err(Refused::Damaged(format!("it ends within `{}`", path.display())));
        }
        // The mode above passes through the umask, or an access list of the directory.
        set(&file, Numbers { mode: Some(mode), owner: None }).map_err(|error| Refused::write(path, error))
    }

    /// Puts the links in place; what the archive has there is kept in `.paquerette/shipped`.
    pub fn finish(&mut self) -> Result<(), Refused> {
        if self.made.is_empty() {
            return Err(Refused::Damaged(match self.archive.strip {
                0 => "it is empty".to_owned(),
                strip => format!("nothing is left of it without its {strip} leading directories"),
            }));
        }
        let archive = self.archive;
        for (link, target) in &archive.links {
            let refused = |cause: &str| Refused::entry(link.as_bytes(), cause);
            let parts = name::parts(link.as_bytes(), 0).map_err(|cause| refused(&cause))?;
            let Some((_, parents)) = parts.split_last() else { return Err(refused("is no path")) };
            self.directories(parents, link.as_bytes())?;
            let path = joined(&parts);
            if self.made.remove(&path).is_some() {
                self.set_aside(&path)?;
            }
            symlinkat(target.as_str(), self.root, &path).map_err(|error| Refused::write(&path, error))?;
            self.note(path, Made::Link)?;
        }
        Ok(())
    }

    /// Moves what the archive has at a path to where it is kept; no entry can stand there.
    fn set_aside(&mut self, path: &Path) -> Result<(), Refused> {
        let shipped = Path::new(".paquerette/shipped").join(path);
        let parents: Vec<&Path> = shipped.ancestors().skip(1).filter(|it| *it != Path::new("")).collect();
        for parent in parents.into_iter().rev() {
            match mkdirat(self.root, parent, Mode::from_raw_mode(0o755)) {
                Ok(()) | Err(rustix::io::Errno::EXIST) => {}
                Err(error) => return Err(Refused::write(parent, error)),
            }
        }
        renameat(self.root, path, self.root, &shipped).map_err(|error| Refused::write(&shipped, error))?;
        self.made.retain(|made, _| !made.starts_with(path));
        Ok(())
    }
}

/// Copies an entry, and tells a bad archive from a bad disk.
fn pour(from: &mut dyn Read, to: &mut File, path: &Path) -> Result<u64, Refused> {
    let mut buffer = vec![0; 64 * 1024];
    let mut written = 0;
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(written),
            Ok(read) => {
                to.write_all(&buffer[..read]).map_err(|error| Refused::write(path, error))?;
                written += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Refused::damaged(error)),
        }
    }
}

fn joined(parts: &[Vec<u8>]) -> PathBuf {
    parts.iter().map(|part| OsStr::from_bytes(part)).collect()
}
