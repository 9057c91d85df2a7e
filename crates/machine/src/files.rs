//! Changes files, directories and links. Every change is atomic, or can be done again from where it stopped.

use std::ffi::CString;
use std::io::{Read, Write};

use pq_steps::{AbsPath, Error};
use pq_stream::Diagnostic;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, fstat, mkdirat, renameat, symlinkat, unlinkat};
use rustix::io::Errno;

use crate::cause::{failed, nothing_there};
use crate::fresh::{Fresh, Numbers, set};
use crate::place::Place;
use crate::removal;

/// Replaces a file; one that has the content, owner and mode already is left alone.
pub fn write(path: &AbsPath, content: &[u8], numbers: Numbers) -> Result<(), Error> {
    let place = Place::of(path)?;
    if same(&place, content, numbers)? {
        return Ok(());
    }
    let mut fresh = Fresh::begin(&place)?;
    fresh.file.write_all(content).map_err(|error| failed(format!("cannot write `{path}`"), error))?;
    fresh.finish(numbers)
}

/// Whether a regular file is there with this content, owner and mode.
fn same(place: &Place, content: &[u8], numbers: Numbers) -> Result<bool, Error> {
    let Some(stat) = place.stat()? else { return Ok(false) };
    let wanted = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
        && u64::try_from(stat.st_size) == Ok(content.len() as u64)
        && numbers.mode.is_none_or(|mode| stat.st_mode & 0o7777 == mode)
        && numbers.owner.is_none_or(|owner| (stat.st_uid, stat.st_gid) == owner);
    if !wanted {
        return Ok(false);
    }
    let Ok(file) = place.open(OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty()) else { return Ok(false) };
    let mut is = Vec::with_capacity(content.len() + 1);
    let read = std::fs::File::from(file).take(content.len() as u64 + 1).read_to_end(&mut is);
    Ok(read.is_ok() && is == content)
}

/// Makes a directory and those that it is in; one that is there gets owner and mode.
pub fn make_dir(path: &AbsPath, numbers: Numbers) -> Result<(), Error> {
    if path.parent().is_none() {
        return Ok(());
    }
    let place = Place::made(path)?;
    let cannot = |errno| failed(format!("cannot make directory `{path}`"), errno);
    let new = match mkdirat(&place.dir, place.name.as_str(), Mode::from_raw_mode(0o700)) {
        Ok(()) => true,
        Err(Errno::EXIST) => false,
        Err(errno) => return Err(cannot(errno)),
    };
    let dir = match place.open(OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()) {
        Err(Errno::NOTDIR | Errno::LOOP) => return Err(not_a_directory(path)),
        opened => opened.map_err(cannot)?,
    };
    let default = new.then_some(0o755);
    set(&dir, Numbers { mode: numbers.mode.or(default), ..numbers }).map_err(cannot)?;
    rustix::fs::fsync(&dir).map_err(cannot)?;
    place.sync()
}

/// Sets owner and mode of a file or directory.
pub fn set_meta(path: &AbsPath, numbers: Numbers) -> Result<(), Error> {
    let place = Place::of(path)?;
    let cannot = |errno| failed(format!("cannot set owner and mode of `{path}`"), errno);
    let stat = place.stat()?.ok_or_else(|| Error::absent("file", path.as_str()))?;
    let refuse = |cause: &str| {
        Diagnostic::new(format!("cannot set owner and mode of `{path}`"))
            .cause(cause)
            .hint("move it away or correct the path, then run again")
    };
    let file = match FileType::from_raw_mode(stat.st_mode) {
        FileType::Symlink => return Err(refuse("a symbolic link stands there, which is not followed").into()),
        FileType::RegularFile | FileType::Directory => {
            place.open(OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty()).map_err(cannot)?
        }
        _ => return Err(refuse("a special file stands there").into()),
    };
    // What was opened, which may be another one by now.
    let stat = fstat(&file).map_err(cannot)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::Directory && stat.st_nlink > 1 && !place.ours {
        return Err(
            refuse("the file has other names too, and not only root can write to its directory").into()
        );
    }
    set(&file, numbers).map_err(cannot)?;
    rustix::fs::fsync(&file).map_err(cannot)
}

/// Makes a symbolic link, in the place of nothing or of another one.
pub fn symlink(target: &str, path: &AbsPath) -> Result<(), Error> {
    let place = Place::of(path)?;
    let cannot = |errno| failed(format!("cannot make link `{path}`"), errno);
    match place.stat()? {
        Some(stat) if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink => {
            return Err(Diagnostic::new(format!("cannot make link `{path}`"))
                .cause("something stands there that is no symbolic link")
                .hint("move it away or correct the path, then run again")
                .into());
        }
        _ => {}
    }
    match unlinkat(&place.dir, place.fresh_name(), AtFlags::empty()) {
        Err(errno) if !nothing_there(errno) => return Err(cannot(errno)),
        _ => {}
    }
    symlinkat(target, &place.dir, place.fresh_name()).map_err(cannot)?;
    renameat(&place.dir, place.fresh_name(), &place.dir, place.name.as_str()).map_err(cannot)?;
    place.sync()
}

/// Renames, within a file system.
pub fn rename(from: &AbsPath, to: &AbsPath) -> Result<(), Error> {
    let (source, target) = (Place::of(from)?, Place::of(to)?);
    if source.stat()?.is_none() {
        return Err(Error::absent("file", from.as_str()));
    }
    renameat(&source.dir, source.name.as_str(), &target.dir, target.name.as_str())
        .map_err(|errno| failed(format!("cannot rename `{from}` to `{to}`"), errno))?;
    target.sync()?;
    source.sync()
}

/// Removes what is there, with all that is in it.
pub fn remove(path: &AbsPath) -> Result<(), Error> {
    let Some(place) = Place::find(path)? else { return Ok(()) };
    let name = CString::new(place.name.as_str())
        .map_err(|_| Error::failed(format!("cannot remove `{path}`"), "its name holds a NUL"))?;
    match removal::remove(&place.dir, &name, path.as_str())? {
        true => place.sync(),
        false => Ok(()),
    }
}

fn not_a_directory(path: &AbsPath) -> Error {
    Diagnostic::new(format!("cannot make directory `{path}`"))
        .cause("something stands there that is no directory")
        .hint("move it away or correct the path, then run again")
        .into()
}
