//! A place in the file tree, reached without following a link that somebody else could have planted.
//!
//! Always true here: a symbolic link on the way is followed only where all directories up to it belong to root (or
//! to whom we are) and are not writable by others. Inside a directory of an instance's user, every link on the way
//! is refused. The directory is held open, so nobody can exchange it under us.

use std::collections::VecDeque;
use std::ffi::{CString, OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;

use pq_steps::{AbsPath, Error};
use pq_stream::Diagnostic;
use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, Stat, fchmod, fstat, fsync, mkdirat, openat, readlinkat, statat,
};
use rustix::io::Errno;

use crate::cause::{failed, nothing_there};

/// How many links are followed on the way to one place.
const LINKS: usize = 40;

/// A name in a directory that is open.
#[derive(Debug)]
pub struct Place {
    /// The directory.
    pub dir: OwnedFd,
    /// The name in it; whether anything is there is another question.
    pub name: String,
    /// Whether only root, or who we are, can put things into the directories on the way.
    pub ours: bool,
    /// The whole path, for messages.
    pub path: AbsPath,
}

/// A directory on the way, open without any right but to go through it.
struct Step {
    dir: OwnedFd,
    ours: bool,
}

impl Place {
    /// The place of a path, where the directory that it is in exists.
    pub fn find(path: &AbsPath) -> Result<Option<Self>, Error> {
        Self::walk(path, false)
    }

    /// The place of a path whose directory must exist.
    pub fn of(path: &AbsPath) -> Result<Self, Error> {
        let parent = || path.parent().map_or_else(|| "/".to_owned(), |parent| parent.to_string());
        Self::find(path)?.ok_or_else(|| Error::absent("directory", parent()))
    }

    /// The place of a path; missing directories on the way are made, 0755.
    pub fn made(path: &AbsPath) -> Result<Self, Error> {
        Self::walk(path, true)?.ok_or_else(|| Error::failed(format!("cannot reach `{path}`"), "it went away"))
    }

    fn walk(path: &AbsPath, make: bool) -> Result<Option<Self>, Error> {
        let parent = path
            .parent()
            .ok_or_else(|| Error::failed("cannot change `/`", "it is the root of the file system"))?;
        let Some(step) = Step::to(&parent, make)? else { return Ok(None) };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = openat(&step.dir, ".", flags, Mode::empty())
            .map_err(|errno| failed(format!("cannot open directory `{parent}`"), errno))?;
        Ok(Some(Place { dir, name: path.name().to_owned(), ours: step.ours, path: path.clone() }))
    }

    /// Opens what a path leads to, for reading and without waiting for a pipe; `None` where nothing is.
    ///
    /// A link is followed only where nobody but root could have put it.
    pub fn open_to_read(path: &AbsPath) -> Result<Option<OwnedFd>, Error> {
        let cannot = |errno: Errno| failed(format!("cannot read `{path}`"), errno);
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NOCTTY;
        let (mut at, mut parts) = (Step::root()?, split(path.as_str().as_bytes()));
        for _ in 0..LINKS {
            let last = parts.pop_back().unwrap_or_else(|| OsString::from("."));
            let Some(step) = at.along(parts, path, false)? else { return Ok(None) };
            match openat(&step.dir, &*last, flags, Mode::empty()) {
                Ok(file) => return Ok(Some(file)),
                Err(Errno::LOOP) if step.ours => {}
                Err(Errno::LOOP) => {
                    return Err(Diagnostic::new(format!("cannot read `{path}`"))
                        .cause("a symbolic link stands there, in a directory that not only root can write to")
                        .hint("put the file itself where the link is, or correct the path")
                        .into());
                }
                Err(errno) if nothing_there(errno) => return Ok(None),
                Err(Errno::NXIO) => {
                    return Err(Error::failed(format!("cannot read `{path}`"), "it is a special file"));
                }
                Err(errno) => return Err(cannot(errno)),
            }
            let target: CString = readlinkat(&step.dir, &*last, Vec::new()).map_err(cannot)?;
            parts = split(target.as_bytes());
            at = if target.as_bytes().starts_with(b"/") { Step::root()? } else { step };
        }
        Err(cannot(Errno::LOOP))
    }

    /// What is there, itself and not where it leads.
    pub fn stat(&self) -> Result<Option<Stat>, Error> {
        match statat(&self.dir, self.name.as_str(), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(errno) if nothing_there(errno) => Ok(None),
            Err(errno) => Err(failed(format!("cannot look at `{}`", self.path), errno)),
        }
    }

    /// Opens what is there, itself and not where it leads.
    pub fn open(&self, flags: OFlags, mode: Mode) -> Result<OwnedFd, Errno> {
        openat(&self.dir, self.name.as_str(), flags | OFlags::NOFOLLOW | OFlags::CLOEXEC, mode)
    }

    /// Makes what happened in the directory last.
    pub fn sync(&self) -> Result<(), Error> {
        fsync(&self.dir)
            .map_err(|errno| failed(format!("cannot sync the directory of `{}`", self.path), errno))
    }

    /// The same directory with the name under which something is made before it gets this one.
    pub fn fresh_name(&self) -> String {
        format!(".{}.pq-tmp", self.name)
    }
}

impl Step {
    fn root() -> Result<Self, Error> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = openat(CWD, "/", flags, Mode::empty()).map_err(|errno| failed("cannot open `/`", errno))?;
        let ours = fstat(&dir).is_ok_and(|stat| is_ours(&stat));
        Ok(Step { dir, ours })
    }

    /// Goes to a directory, part by part.
    fn to(path: &AbsPath, make: bool) -> Result<Option<Self>, Error> {
        Step::root()?.along(split(path.as_str().as_bytes()), path, make)
    }

    /// Goes on from here, part by part; the path is for messages.
    fn along(self, mut parts: VecDeque<OsString>, path: &AbsPath, make: bool) -> Result<Option<Self>, Error> {
        let cannot = |errno: Errno| failed(format!("cannot reach `{path}`"), errno);
        let (mut at, mut links) = (self, 0);
        while let Some(part) = parts.pop_front() {
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let next = match openat(&at.dir, &*part, flags, Mode::empty()) {
                Ok(next) => next,
                Err(Errno::NOENT) if make => {
                    at.make(&part).map_err(cannot)?;
                    openat(&at.dir, &*part, flags, Mode::empty()).map_err(cannot)?
                }
                Err(errno) if nothing_there(errno) => return Ok(None),
                Err(errno) => return Err(cannot(errno)),
            };
            let stat = fstat(&next).map_err(cannot)?;
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => at = Step { dir: next, ours: at.ours && is_ours(&stat) },
                FileType::Symlink if at.ours && links < LINKS => {
                    let target: CString = readlinkat(&next, "", Vec::new()).map_err(cannot)?;
                    if target.as_bytes().starts_with(b"/") {
                        at = Step::root()?;
                    }
                    split(target.as_bytes()).into_iter().rev().for_each(|part| parts.push_front(part));
                    links += 1;
                }
                FileType::Symlink if at.ours => return Err(cannot(Errno::LOOP)),
                FileType::Symlink => return Err(planted(path, &part)),
                _ if make => return Err(cannot(Errno::NOTDIR)),
                _ => return Ok(None),
            }
        }
        Ok(Some(at))
    }

    fn make(&self, part: &OsStr) -> Result<(), Errno> {
        mkdirat(&self.dir, part, Mode::from_raw_mode(0o755))?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let made = openat(&self.dir, part, flags, Mode::empty())?;
        fchmod(&made, Mode::from_raw_mode(0o755))?;
        fsync(openat(&self.dir, ".", flags, Mode::empty())?)
    }
}

fn split(path: &[u8]) -> VecDeque<OsString> {
    let plain = |part: &&[u8]| !part.is_empty() && *part != b".";
    path.split(|byte| *byte == b'/').filter(plain).map(|part| OsString::from_vec(part.to_vec())).collect()
}

/// Whether nobody but root, or who we are, can put something into a directory, or write to a file.
pub fn is_ours(stat: &Stat) -> bool {
    let (me, mine) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let owner = stat.st_uid == 0 || stat.st_uid == me;
    let group = stat.st_mode & 0o020 == 0 || stat.st_gid == 0 || stat.st_gid == mine;
    owner && group && stat.st_mode & 0o002 == 0
}

fn planted(path: &AbsPath, part: &OsStr) -> Error {
    Diagnostic::new(format!("cannot reach `{path}`"))
        .cause(format!(
            "`{}` on the way is a symbolic link, in a directory that not only root can write to",
            part.display()
        ))
        .hint("put the directory itself where the link is, or correct the path")
        .into()
}
