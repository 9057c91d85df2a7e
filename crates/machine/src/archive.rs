//! Unpacks an archive into a new directory, and trusts nothing in it.
//!
//! Always true here: its digest is known before anything of it is read. What comes out are regular files, directories,
//! and symbolic links that stay inside, all of root, 0644 or 0755; anything else is refused by its name, and so is a
//! name that would land outside, behind a link, or on something that came out before. The directory is held open
//! while it is filled and gets its name when all is there and on the disk; on an error, nothing is left.

mod digest;
mod entry;
mod format;
mod name;
mod tarball;
mod tree;
mod zip;

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use pq_steps::{AbsPath, Archive, Error};
use pq_stream::Diagnostic;
use rustix::fs::{Mode, OFlags, RenameFlags, fstat, mkdirat, renameat_with, syncfs};

use crate::cause::{failed, words};
use crate::files;
use crate::fresh::{Numbers, set};
use crate::look;
use crate::place::Place;

use entry::{Entry, What};
use format::Format;
use tree::Tree;

/// Unpacks an archive into a directory that does not exist yet; the numbers are for the directory itself.
pub fn unpack(archive: &Archive, into: &AbsPath, numbers: Numbers) -> Result<(), Error> {
    let place = Place::of(into)?;
    if place.stat()?.is_some() {
        return Err(Diagnostic::new(format!("cannot unpack into `{into}`"))
            .cause("something stands there")
            .hint("move it away or correct the path, then run again")
            .into());
    }
    let mut file = look::open(&archive.path)?.ok_or_else(|| Error::absent("file", archive.path.as_str()))?;
    digest::is_as_wanted(archive, &mut file)?;
    let fresh = beside(into)?;
    files::remove(&fresh)?;
    let done = fill(archive, file, &place, numbers);
    if done.is_err() {
        files::remove(&fresh)?;
    }
    done
}

/// The path under which a directory is filled before it gets its name.
fn beside(into: &AbsPath) -> Result<AbsPath, Error> {
    let cannot = |cause: String| Error::failed(format!("cannot unpack into `{into}`"), cause);
    let parent = into.parent().ok_or_else(|| cannot("it has no parent directory".to_owned()))?;
    parent.join(&format!(".{}.pq-tmp", into.name())).map_err(cannot)
}

fn fill(archive: &Archive, file: File, place: &Place, numbers: Numbers) -> Result<(), Error> {
    let cannot = |errno| failed(format!("cannot make directory `{}`", place.path), errno);
    let root = begin(place)?;
    take_out(archive, file, &root).map_err(|refused| refused.of(archive))?;
    set(&root, Numbers { mode: numbers.mode.or(Some(0o755)), owner: numbers.owner }).map_err(cannot)?;
    syncfs(&root).map_err(cannot)?;
    renameat_with(&place.dir, place.fresh_name(), &place.dir, place.name.as_str(), RenameFlags::NOREPLACE)
        .map_err(cannot)?;
    place.sync()
}

/// Makes the directory beside, ours alone and of our own group whatever the one above has, and holds it open: whoever
/// may write above can take its name away, and puts nothing into it.
fn begin(place: &Place) -> Result<OwnedFd, Error> {
    let cannot = |errno| failed(format!("cannot make a directory beside `{}`", place.path), errno);
    mkdirat(&place.dir, place.fresh_name(), Mode::from_raw_mode(0o700)).map_err(cannot)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let root = rustix::fs::openat(&place.dir, place.fresh_name(), flags, Mode::empty()).map_err(cannot)?;
    let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    if fstat(&root).map_err(cannot)?.st_uid != user {
        return Err(Error::failed(
            format!("cannot make a directory beside `{}`", place.path),
            "somebody put another one in its place",
        ));
    }
    set(&root, Numbers { mode: Some(0o700), owner: Some((user, group)) }).map_err(cannot)?;
    Ok(root)
}

fn take_out(archive: &Archive, file: File, root: &OwnedFd) -> Result<(), Refused> {
    let mut tree = Tree::new(root, archive);
    if let Some(name) = &archive.program {
        program(&mut tree, name, file, archive.max_bytes)?;
        return tree.finish();
    }
    match format::open(file)? {
        Format::Tar(mut reader) => tarball::each(&mut reader, |entry, content| tree.take(entry, content))?,
        Format::Zip(file) => zip::each(file, archive, |entry, content| tree.take(entry, content))?,
    }
    tree.finish()
}

/// Takes out a program that is compressed by itself. How long it is shows only at its end: it is read twice.
fn program(tree: &mut Tree<'_>, name: &str, file: File, most: u64) -> Result<(), Refused> {
    let mut again = file.try_clone().map_err(Refused::damaged)?;
    let compressed = |file| match format::open(file)? {
        Format::Tar(reader) => Ok(reader),
        Format::Zip(_) => {
            Err(Refused::Unwanted("it is a zip archive, not one compressed program".to_owned()))
        }
    };
    let size = io::copy(&mut compressed(file)?.take(most + 1), &mut io::sink()).map_err(Refused::damaged)?;
    if size > most {
        return Err(Refused::Limit(format!("more than {most} bytes come out of it")));
    }
    io::Seek::rewind(&mut again).map_err(Refused::damaged)?;
    let entry = Entry { name: name.as_bytes().to_vec(), what: What::File { size, executable: true } };
    tree.take(&entry, &mut compressed(again)?)
}

/// Why an archive is not unpacked.
#[derive(Debug)]
enum Refused {
    /// It cannot be read as what it says it is.
    Damaged(String),
    /// It is whole, and is not unpacked, in words.
    Unwanted(String),
    /// An entry, by its name, and why.
    Entry(String, String),
    /// A limit, in words.
    Limit(String),
    /// It cannot be written here.
    Write(PathBuf, std::io::Error),
}

impl Refused {
    fn damaged(error: std::io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<format::Bomb>()) {
            Some(bomb) => Refused::Unwanted(bomb.to_string()),
            None => Refused::Damaged(words(&error)),
        }
    }

    fn entry(name: &[u8], cause: impl Into<String>) -> Self {
        Refused::Entry(name.escape_ascii().to_string().chars().take(200).collect(), cause.into())
    }

    fn write(path: &Path, error: impl Into<std::io::Error>) -> Self {
        Refused::Write(path.to_owned(), error.into())
    }

    fn of(self, archive: &Archive) -> Error {
        let diagnostic = Diagnostic::new(format!("cannot unpack `{}`", archive.path));
        match self {
            Refused::Damaged(cause) => diagnostic.cause(cause).hint("fetch it again: it is damaged").into(),
            Refused::Unwanted(cause) => diagnostic.cause(cause).into(),
            Refused::Entry(name, cause) => diagnostic.cause(format!("`{name}` {cause}")).into(),
            Refused::Limit(cause) => diagnostic.cause(cause).hint("raise the limit if that is right").into(),
            Refused::Write(path, error) => failed(
                format!("cannot write `{}`, which comes out of `{}`", path.display(), archive.path),
                error,
            ),
        }
    }
}
