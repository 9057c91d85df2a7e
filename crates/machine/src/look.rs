//! Looks at files, directories and links.

use std::fmt::Write;
use std::fs::File;
use std::io::{self, Read};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pq_steps::{AbsPath, Error, Kind, LARGEST_READ, Mode as StepMode, Stat};
use pq_stream::Diagnostic;
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, fstat, statat};
use rustix::io::Errno;
use sha2::{Digest, Sha256};

use crate::cause::{failed, nothing_there};
use crate::place::Place;
use crate::users::Users;

/// What stands at a path, itself and not where it leads.
pub fn stat(path: &AbsPath, users: &Users) -> Result<Option<Stat>, Error> {
    let found = match statat(CWD, path.as_str(), AtFlags::SYMLINK_NOFOLLOW) {
        Ok(found) => found,
        Err(errno) if nothing_there(errno) => return Ok(None),
        Err(errno) => return Err(failed(format!("cannot look at `{path}`"), errno)),
    };
    Ok(Some(Stat {
        kind: match FileType::from_raw_mode(found.st_mode) {
            FileType::RegularFile => Kind::File,
            FileType::Directory => Kind::Directory,
            FileType::Symlink => Kind::Symlink,
            _ => Kind::Other,
        },
        mode: StepMode::from_bits(found.st_mode),
        owner: users.user_name(found.st_uid),
        group: users.group_name(found.st_gid),
        size: u64::try_from(found.st_size).unwrap_or(0),
        changed: time(found.st_ctime, u64::from(u32::try_from(found.st_ctime_nsec).unwrap_or(0))),
    }))
}

fn time(seconds: i64, nanos: u64) -> SystemTime {
    let nanos = Duration::from_nanos(nanos);
    match u64::try_from(seconds) {
        Ok(seconds) => UNIX_EPOCH + Duration::from_secs(seconds) + nanos,
        Err(_) => {
            UNIX_EPOCH.checked_sub(Duration::from_secs(seconds.unsigned_abs())).unwrap_or(UNIX_EPOCH) + nanos
        }
    }
}

/// Opens a regular file, through links that only root can have put there; a pipe or a device is neither waited for
/// nor read.
pub fn open(path: &AbsPath) -> Result<Option<File>, Error> {
    let cannot = |errno: Errno| failed(format!("cannot read `{path}`"), errno);
    let Some(file) = Place::open_to_read(path)? else { return Ok(None) };
    match FileType::from_raw_mode(fstat(&file).map_err(cannot)?.st_mode) {
        FileType::RegularFile => Ok(Some(file.into())),
        FileType::Directory => Err(Error::failed(format!("cannot read `{path}`"), "it is a directory")),
        _ => Err(Error::failed(format!("cannot read `{path}`"), "it is a special file")),
    }
}

/// The bytes of a file, through links; one of more than 64 MiB is an error.
pub fn read(path: &AbsPath) -> Result<Option<Vec<u8>>, Error> {
    let Some(file) = open(path)? else { return Ok(None) };
    let mut bytes = Vec::new();
    let read = file.take(LARGEST_READ + 1).read_to_end(&mut bytes);
    read.map_err(|error| failed(format!("cannot read `{path}`"), error))?;
    match bytes.len() as u64 > LARGEST_READ {
        true => Err(Diagnostic::new(format!("cannot read `{path}`"))
            .cause("it is larger than 64 MiB")
            .hint("no configuration is as large: look at what it is, and move it away")
            .into()),
        false => Ok(Some(bytes)),
    }
}

/// SHA-256 of a file, through links.
pub fn sha256(path: &AbsPath) -> Result<Option<String>, Error> {
    let Some(mut file) = open(path)? else { return Ok(None) };
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(Some(hex(&hasher.finalize()))),
            Ok(read) => hasher.update(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(format!("cannot read `{path}`"), error)),
        }
    }
}

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Where a link points, as it is written.
pub fn read_link(path: &AbsPath) -> Result<Option<String>, Error> {
    match rustix::fs::readlink(path.as_str(), Vec::new()) {
        Ok(target) => Ok(Some(target.to_string_lossy().into_owned())),
        Err(Errno::INVAL) => Ok(None),
        Err(errno) if nothing_there(errno) => Ok(None),
        Err(errno) => Err(failed(format!("cannot read link `{path}`"), errno)),
    }
}

/// The names in a directory, through links, sorted.
pub fn list(path: &AbsPath) -> Result<Option<Vec<String>>, Error> {
    match names(path.as_str()) {
        Ok(mut names) => {
            names.sort();
            Ok(Some(names))
        }
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(failed(format!("cannot list `{path}`"), errno)),
    }
}

/// The names in a directory as the kernel tells them. The standard library's own panics where a directory cannot be closed.
pub fn names(path: &str) -> Result<Vec<String>, Errno> {
    let how = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut names = Vec::new();
    for entry in Dir::new(rustix::fs::open(path, how, Mode::empty())?)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy();
        if name != "." && name != ".." {
            names.push(name.into_owned());
        }
    }
    Ok(names)
}
