//! Unpacks an archive into a new directory, and trusts nothing in it.
//!
//! Always true here: what comes out are regular files, directories, and symbolic links that stay inside, all of root,
//! 0644 or 0755; anything else is refused by its name, and so is a name that would land outside, behind a link, or on
//! something that came out before. The directory gets its name when all is there and on the disk; on an error,
//! nothing is left.

mod format;
mod name;
mod tree;

use std::path::{Path, PathBuf};

use pq_steps::{AbsPath, Archive, Error};
use pq_stream::Diagnostic;

use crate::cause::{failed, words};
use crate::files;
use crate::fresh::Numbers;
use crate::look;

use tree::Tree;

/// Unpacks an archive into a directory that does not exist yet.
pub fn unpack(archive: &Archive, into: &AbsPath) -> Result<(), Error> {
    if Path::new(into.as_str()).symlink_metadata().is_ok() {
        return Err(Diagnostic::new(format!("cannot unpack into `{into}`"))
            .cause("something stands there")
            .hint("move it away or correct the path, then run again")
            .into());
    }
    let file = look::open(&archive.path)?.ok_or_else(|| Error::absent("file", archive.path.as_str()))?;
    let fresh = beside(into)?;
    files::remove(&fresh)?;
    files::make_dir(&fresh, Numbers { mode: Some(0o755), owner: None })?;
    let done = fill(archive, file, Path::new(fresh.as_str())).map_err(|error| error.of(archive));
    match done.and_then(|()| files::rename(&fresh, into)) {
        Ok(()) => Ok(()),
        Err(error) => {
            files::remove(&fresh)?;
            Err(error)
        }
    }
}

/// The path under which a directory is filled before it gets its name.
fn beside(into: &AbsPath) -> Result<AbsPath, Error> {
    let cannot = |cause: String| Error::failed(format!("cannot unpack into `{into}`"), cause);
    let parent = into.parent().ok_or_else(|| cannot("it has no parent directory".to_owned()))?;
    parent.join(&format!(".{}.pq-tmp", into.name())).map_err(cannot)
}

fn fill(archive: &Archive, file: std::fs::File, root: &Path) -> Result<(), Refused> {
    let reader = format::open(file)?;
    let mut tar = tar::Archive::new(reader);
    let mut tree = Tree::new(root, archive);
    for entry in tar.entries().map_err(Refused::damaged)? {
        tree.take(entry.map_err(Refused::damaged)?)?;
    }
    // What follows the last entry holds the checksum of a compressed archive.
    format::drain(tar.into_inner())?;
    tree.finish()?;
    let opened = std::fs::File::open(root).map_err(|error| Refused::write(root, error))?;
    rustix::fs::syncfs(&opened).map_err(|errno| Refused::write(root, errno.into()))
}

/// Why an archive is not unpacked.
#[derive(Debug)]
enum Refused {
    /// It cannot be read as what it says it is.
    Damaged(String),
    /// An entry, by its name, and why.
    Entry(String, String),
    /// A limit, in words.
    Limit(String),
    /// It cannot be written here.
    Write(PathBuf, std::io::Error),
}

impl Refused {
    fn damaged(error: std::io::Error) -> Self {
        Refused::Damaged(words(&error))
    }

    fn write(path: &Path, error: std::io::Error) -> Self {
        Refused::Write(path.to_owned(), error)
    }

    fn of(self, archive: &Archive) -> Error {
        let diagnostic = Diagnostic::new(format!("cannot unpack `{}`", archive.path));
        match self {
            Refused::Damaged(cause) => diagnostic.cause(cause).hint("fetch it again: it is damaged").into(),
            Refused::Entry(name, cause) => diagnostic.cause(format!("`{name}` {cause}")).into(),
            Refused::Limit(cause) => diagnostic.cause(cause).hint("raise the limit if that is right").into(),
            Refused::Write(path, error) => failed(format!("cannot write `{}`", path.display()), error),
        }
    }
}
