//! The directory into which an archive's entries come out.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use pq_steps::Archive;
use tar::{Entry, EntryType};

use super::{Refused, name};

/// What came out at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Made {
    Directory,
    File,
    Link,
}

/// The directory, and what is in it so far.
pub struct Tree<'a> {
    root: &'a Path,
    archive: &'a Archive,
    made: HashMap<PathBuf, Made>,
    bytes_left: u64,
    entries_left: u64,
}

impl<'a> Tree<'a> {
    /// An empty directory that is ours alone.
    pub fn new(root: &'a Path, archive: &'a Archive) -> Self {
        let (bytes_left, entries_left) = (archive.max_bytes, archive.max_entries);
        Tree { root, archive, made: HashMap::new(), bytes_left, entries_left }
    }

    /// Takes out one entry.
    pub fn take<R: Read>(&mut self, mut entry: Entry<'_, R>) -> Result<(), Refused> {
        let kind = entry.header().entry_type();
        if kind == EntryType::XGlobalHeader {
            return Ok(());
        }
        let full = entry.path_bytes().into_owned();
        let refused = |cause: String| Refused::Entry(shown(&full), cause);
        let parts = name::parts(&full, self.archive.strip).map_err(refused)?;
        self.entries_left = self.entries_left.checked_sub(1).ok_or_else(|| {
            Refused::Limit(format!("it holds more than {} entries", self.archive.max_entries))
        })?;
        // Version 7 of Unix wrote directories as files whose name ends in a slash.
        let directory = kind == EntryType::Directory || (kind == EntryType::Regular && full.ends_with(b"/"));
        if !directory && !matches!(kind, EntryType::Regular | EntryType::Symlink) {
            return Err(refused(format!("is {}", words(kind))));
        }
        let Some((_, parents)) = parts.split_last() else { return Ok(()) };
        let path = joined(&parts);
        if directory {
            return self.directory(&parts).map_err(|cause| cause.named(&full));
        }
        self.directory(parents).map_err(|cause| cause.named(&full))?;
        if self.made.contains_key(&path) {
            return Err(refused("stands twice in the archive".to_owned()));
        }
        match kind {
            EntryType::Symlink => {
                let target = entry.link_name_bytes().unwrap_or_default().into_owned();
                name::stays_inside(&target, parents.len()).map_err(refused)?;
                std::os::unix::fs::symlink(OsStr::from_bytes(&target), self.root.join(&path))
                    .map_err(|error| Refused::write(&path, error))?;
                self.made.insert(path, Made::Link);
            }
            _ => {
                self.file(&mut entry, &path)?;
                self.made.insert(path, Made::File);
            }
        }
        Ok(())
    }

    /// Makes a directory and those that it is in, unless they came out before.
    fn directory(&mut self, parts: &[Vec<u8>]) -> Result<(), InTheWay> {
        for length in 1..=parts.len() {
            let path = joined(&parts[..length]);
            match self.made.get(&path) {
                Some(Made::Directory) => continue,
                Some(Made::File) => return Err(InTheWay::Stands(path, "file")),
                Some(Made::Link) => return Err(InTheWay::Stands(path, "link")),
                None => {}
            }
            fs::DirBuilder::new()
                .mode(0o755)
                .create(self.root.join(&path))
                .map_err(|error| InTheWay::Io(path.clone(), error))?;
            self.made.insert(path, Made::Directory);
        }
        Ok(())
    }

    /// Writes a file; of its mode only the owner's right to execute counts.
    fn file<R: Read>(&mut self, entry: &mut Entry<'_, R>, path: &Path) -> Result<(), Refused> {
        let too_much = |most| Refused::Limit(format!("more than {most} bytes would come out"));
        let size = entry.size();
        self.bytes_left =
            self.bytes_left.checked_sub(size).ok_or_else(|| too_much(self.archive.max_bytes))?;
        let mode = if entry.header().mode().is_ok_and(|mode| mode & 0o100 != 0) { 0o755 } else { 0o644 };
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(self.root.join(path))
            .map_err(|error| Refused::write(path, error))?;
        let written = pour(entry, &mut file, path)?;
        if written != size {
            return Err(Refused::Damaged(format!("it ends within `{}`", path.display())));
        }
        // The mode above passes through the umask.
        file.set_permissions(fs::Permissions::from_mode(mode)).map_err(|error| Refused::write(path, error))
    }

    /// Puts the links in place; what the archive has there is kept in `.paquerette/shipped`.
    pub fn finish(&mut self) -> Result<(), Refused> {
        if self.made.is_empty() {
            return Err(Refused::Damaged(format!(
                "nothing is left of it without its {} leading directories",
                self.archive.strip
            )));
        }
        let archive = self.archive;
        for (link, target) in &archive.links {
            let refused = |cause: String| Refused::Entry(link.clone(), cause);
            let parts = name::parts(link.as_bytes(), 0).map_err(refused)?;
            let Some((_, parents)) = parts.split_last() else { return Err(refused("is no path".to_owned())) };
            self.directory(parents).map_err(|cause| cause.named(link.as_bytes()))?;
            let path = joined(&parts);
            if self.made.remove(&path).is_some() {
                let shipped = Path::new(".paquerette/shipped").join(&path);
                let parent = self.root.join(shipped.parent().unwrap_or(Path::new("")));
                fs::create_dir_all(&parent).map_err(|error| Refused::write(&parent, error))?;
                fs::rename(self.root.join(&path), self.root.join(&shipped))
                    .map_err(|error| Refused::write(&shipped, error))?;
                self.made.retain(|made, _| !made.starts_with(&path));
            }
            std::os::unix::fs::symlink(target, self.root.join(&path))
                .map_err(|error| Refused::write(&path, error))?;
            self.made.insert(path, Made::Link);
        }
        Ok(())
    }
}

/// Copies an entry, and tells a bad archive from a bad disk.
fn pour(from: &mut impl Read, to: &mut File, path: &Path) -> Result<u64, Refused> {
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

/// Why a directory of an entry cannot be made.
enum InTheWay {
    Stands(PathBuf, &'static str),
    Io(PathBuf, io::Error),
}

impl InTheWay {
    fn named(self, entry: &[u8]) -> Refused {
        match self {
            InTheWay::Stands(path, what) => {
                Refused::Entry(shown(entry), format!("would go through the {what} `{}`", path.display()))
            }
            InTheWay::Io(path, error) => Refused::Write(path, error),
        }
    }
}

fn joined(parts: &[Vec<u8>]) -> PathBuf {
    parts.iter().map(|part| OsStr::from_bytes(part)).collect()
}

fn shown(name: &[u8]) -> String {
    name.escape_ascii().to_string().chars().take(200).collect()
}

fn words(kind: EntryType) -> &'static str {
    match kind {
        EntryType::Link => "a hard link, and only files, directories and inner symbolic links come out",
        EntryType::Char | EntryType::Block => "a device",
        EntryType::Fifo => "a named pipe",
        EntryType::GNUSparse => "a sparse file, which is not read",
        _ => "of a kind that is not read",
    }
}
