//! A file that is written beside the place where it belongs, and gets there whole or not at all.
//!
//! Always true here: until it is done, what was there before is intact, and nobody but root can read the new one. Its
//! name follows from the place, so what a killed run left is found and removed by the next.

use std::fs::File;
use std::os::fd::AsFd;

use pq_steps::{AbsPath, Error};
use pq_stream::Diagnostic;
use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, Stat, Uid, XattrFlags, fchmod, fchown, fgetxattr, flistxattr,
    fsetxattr, fstat, fsync, openat, renameat, unlinkat,
};
use rustix::io::Errno;

use crate::cause::{failed, nothing_there};
use crate::place::Place;

/// Who owns something, by number, and its permission bits; what is `None` is left as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Numbers {
    /// Permission bits.
    pub mode: Option<u32>,
    /// User and group.
    pub owner: Option<(u32, u32)>,
}

/// A file being made. Dropped before it is done, it is removed.
#[derive(Debug)]
pub struct Fresh<'a> {
    place: &'a Place,
    /// The file, open for writing.
    pub file: File,
    before: Option<Stat>,
    done: bool,
}

impl<'a> Fresh<'a> {
    /// Begins a file that will stand at a place, where nothing or another file stands now.
    pub fn begin(place: &'a Place) -> Result<Self, Error> {
        let before = place.stat()?;
        if let Some(found) = &before {
            refuse_other(&place.path, found)?;
        }
        let cannot = |errno| failed(format!("cannot write beside `{}`", place.path), errno);
        match unlinkat(&place.dir, place.fresh_name(), AtFlags::empty()) {
            Err(errno) if !nothing_there(errno) => return Err(cannot(errno)),
            _ => {}
        }
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file =
            openat(&place.dir, place.fresh_name(), flags, Mode::from_raw_mode(0o600)).map_err(cannot)?;
        Ok(Fresh { place, file: file.into(), before, done: false })
    }

    /// Gives it its owner, its mode and its name, and makes that last.
    pub fn finish(mut self, numbers: Numbers) -> Result<(), Error> {
        let path = &self.place.path;
        let numbers = match &self.before {
            Some(stat) => Numbers {
                mode: numbers.mode.or(Some(stat.st_mode & 0o7777)),
                owner: numbers.owner.or(Some((stat.st_uid, stat.st_gid))),
            },
            None => Numbers { mode: numbers.mode.or(Some(0o644)), ..numbers },
        };
        if let Some(before) = &self.before {
            let narrower = numbers.mode.is_some_and(|mode| before.st_mode & 0o077 & !mode != 0);
            self.keep_attributes(narrower)
                .map_err(|errno| failed(format!("cannot keep the attributes of `{path}`"), errno))?;
        }
        set(&self.file, numbers)
            .map_err(|errno| failed(format!("cannot set owner and mode of `{path}`"), errno))?;
        fsync(&self.file).map_err(|errno| failed(format!("cannot sync `{path}`"), errno))?;
        renameat(&self.place.dir, self.place.fresh_name(), &self.place.dir, self.place.name.as_str())
            .map_err(|errno| failed(format!("cannot replace `{path}`"), errno))?;
        self.done = true;
        self.place.sync()
    }
}

impl Fresh<'_> {
    /// Takes over what people set on the file that was there: access lists, labels, attributes of their own. Where
    /// the new file is for fewer people, the access list goes: it would open the file until its mode is set.
    fn keep_attributes(&self, narrower: bool) -> Result<(), Errno> {
        let before = self.place.open(OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty())?;
        let mut names = vec![0; 64 * 1024];
        let length = match flistxattr(&before, &mut names) {
            Err(Errno::OPNOTSUPP) => return Ok(()),
            listed => listed?,
        };
        for name in names[..length].split(|byte| *byte == 0) {
            let ours = match name {
                b"system.posix_acl_access" => !narrower,
                name => name == b"security.selinux" || name.starts_with(b"user."),
            };
            if !ours {
                continue;
            }
            let mut value = vec![0; 64 * 1024];
            let length = fgetxattr(&before, name, &mut value)?;
            match fsetxattr(&self.file, name, &value[..length], XattrFlags::empty()) {
                Err(Errno::OPNOTSUPP) => {}
                done => done?,
            }
        }
        Ok(())
    }
}

impl Drop for Fresh<'_> {
    fn drop(&mut self) {
        if !self.done {
            // What cannot be removed now is removed by the next run, by its name.
            let _ = unlinkat(&self.place.dir, self.place.fresh_name(), AtFlags::empty());
        }
    }
}

/// Sets what differs: the owner first, since that takes special bits away.
pub fn set(file: impl AsFd, numbers: Numbers) -> Result<(), Errno> {
    let stat = fstat(&file)?;
    if let Some((user, group)) = numbers.owner
        && (stat.st_uid, stat.st_gid) != (user, group)
    {
        fchown(&file, Some(Uid::from_raw(user)), Some(Gid::from_raw(group)))?;
    }
    match numbers.mode {
        Some(mode) if fstat(&file)?.st_mode & 0o7777 != mode => fchmod(&file, Mode::from_raw_mode(mode)),
        _ => Ok(()),
    }
}

/// Refuses to put a file where something stands that is none.
fn refuse_other(path: &AbsPath, found: &Stat) -> Result<(), Error> {
    let what = match FileType::from_raw_mode(found.st_mode) {
        FileType::RegularFile => return Ok(()),
        FileType::Symlink => "a symbolic link stands there, which is not followed",
        FileType::Directory => "a directory stands there",
        _ => "a special file stands there",
    };
    Err(Diagnostic::new(format!("cannot write `{path}`"))
        .cause(what)
        .hint("move it away or correct the path, then run again")
        .into())
}
