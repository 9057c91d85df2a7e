//! Files that are read whole, up to a bound: a device has no end, and a named pipe may never begin.

use std::fmt;
use std::fs::{self, File, FileType, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use pq_stream::system_cause;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

/// Why a file was not read.
#[derive(Debug)]
pub enum Unread {
    /// The system said so.
    System(io::Error),
    /// It is no file but this, as in "a directory".
    Kind(&'static str),
    /// It is larger than so many bytes.
    Large(u64),
}

impl Unread {
    /// Whether there is nothing of that name.
    pub fn is_missing(&self) -> bool {
        matches!(self, Unread::System(error) if error.kind() == ErrorKind::NotFound)
    }
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unread::System(error) => f.write_str(&system_cause(error)),
            Unread::Kind(kind) => write!(f, "it is {kind}, not a file"),
            Unread::Large(limit) => write!(f, "it is larger than {} MiB", limit >> 20),
        }
    }
}

/// The bytes of a regular file; links are followed.
///
/// # Errors
/// Where it cannot be read, is no regular file, or is larger than the limit.
pub fn file(path: &Path, limit: u64) -> Result<Vec<u8>, Unread> {
    let kind = fs::metadata(path).map_err(Unread::System)?.file_type();
    match kind.is_file() {
        true => whole(File::open(path).map_err(Unread::System)?, limit),
        false => Err(Unread::Kind(called(kind))),
    }
}

/// The bytes of a regular file, or what somebody writes into a pipe, as in `--identity <(…)`; links are followed.
///
/// # Errors
/// As [`file()`].
pub fn file_or_pipe(path: &Path, limit: u64) -> Result<Vec<u8>, Unread> {
    if !fs::metadata(path).map_err(Unread::System)?.file_type().is_fifo() {
        return file(path, limit);
    }
    // A pipe that nobody writes into is empty; to open it in the usual way would be to wait for somebody.
    let nonblock = OFlags::NONBLOCK.bits().cast_signed();
    let open = OpenOptions::new().read(true).custom_flags(nonblock).open(path);
    let pipe = open.map_err(Unread::System)?;
    let waits = fcntl_getfl(&pipe).and_then(|flags| fcntl_setfl(&pipe, flags - OFlags::NONBLOCK));
    waits.map_err(|error| Unread::System(error.into()))?;
    whole(pipe, limit)
}

fn whole(file: File, limit: u64) -> Result<Vec<u8>, Unread> {
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(Unread::System)?;
    match bytes.len() as u64 > limit {
        true => Err(Unread::Large(limit)),
        false => Ok(bytes),
    }
}

fn called(kind: FileType) -> &'static str {
    match kind {
        kind if kind.is_dir() => "a directory",
        kind if kind.is_fifo() => "a named pipe",
        kind if kind.is_socket() => "a socket",
        _ => "a device",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, FileType as Made, Mode, mknodat};

    #[test]
    fn what_has_no_end_or_no_beginning_is_refused_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let (path, pipe) = (directory.path().join("file"), directory.path().join("pipe"));
        fs::write(&path, vec![0; 1 << 20]).unwrap();
        mknodat(CWD, &pipe, Made::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let said = |path: &Path, limit| file(path, limit).map_err(|error| error.to_string());
        assert_eq!(said(&path, 1 << 20).unwrap().len(), 1 << 20);
        fs::write(&path, vec![0; (1 << 20) + 1]).unwrap();
        assert_eq!(said(&path, 1 << 20), Err("it is larger than 1 MiB".to_owned()));
        assert_eq!(said(Path::new("/dev/zero"), 1), Err("it is a device, not a file".to_owned()));
        assert_eq!(said(directory.path(), 1), Err("it is a directory, not a file".to_owned()));
        assert_eq!(said(&pipe, 1), Err("it is a named pipe, not a file".to_owned()));
        assert_eq!(said(Path::new("/nowhere"), 1), Err("no such file or directory".to_owned()));
        assert!(file_or_pipe(Path::new("/dev/zero"), 1).is_err());
        assert!(file_or_pipe(&pipe, 1).unwrap().is_empty());
    }

    #[test]
    fn what_is_written_into_a_pipe_is_waited_for() {
        let (reader, mut writer) = io::pipe().unwrap();
        let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&reader));
        let told = std::thread::spawn(move || file_or_pipe(Path::new(&path), 100).unwrap());
        std::thread::sleep(std::time::Duration::from_millis(50));
        io::Write::write_all(&mut writer, b"secret").unwrap();
        drop(writer);
        assert_eq!(told.join().unwrap(), b"secret");
    }
}
