//! Takes away what stands at a name, with all that is in it.
//!
//! Always true here: no link is followed, and no mounted file system is gone into, one that is mounted from the same
//! disk (`mount --bind`) neither. However deep a tree is, two of its directories are open at a time; one that somebody moves
//! meanwhile is noticed on the way back.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, OwnedFd};

use pq_steps::Error;
use pq_stream::Diagnostic;
use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, Stat, fstat, openat, openat2, statat, unlinkat,
};
use rustix::io::Errno;

use crate::cause::{failed, nothing_there};

/// What is told of a path at most; deeper ones are cut.
const TOLD: usize = 8;

/// Removes a name from an open directory, and answers whether anything was there; the path is for messages.
pub fn remove(dir: &impl AsFd, name: &CStr, path: &str) -> Result<bool, Error> {
    let stat = match statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => stat,
        Err(errno) if nothing_there(errno) => return Ok(false),
        Err(errno) => return Err(refused(path, errno)),
    };
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => tree(dir, name, path)?,
        _ => unlinkat(dir, name, AtFlags::empty()).map_err(|errno| refused(path, errno))?,
    }
    Ok(true)
}

/// A directory that is being emptied.
struct Level {
    name: CString,
    /// Device and inode, by which it is known again.
    id: (u64, u64),
    /// Directories in it that are still there.
    left: Vec<CString>,
}

fn tree(dir: &impl AsFd, name: &CStr, path: &str) -> Result<(), Error> {
    let mut at = enter(dir, name, path)?;
    let mut levels = vec![Level::emptied(&at, name.to_owned(), path)?];
    while let Some(level) = levels.last_mut() {
        if let Some(next) = level.left.pop() {
            let path = told(path, &levels, &next);
            at = enter(&at, &next, &path)?;
            levels.push(Level::emptied(&at, next, &path)?);
            continue;
        }
        let Some(done) = levels.pop() else { break };
        let here = told(path, &levels, &done.name);
        let Some(level) = levels.last() else {
            return unlinkat(dir, name, AtFlags::REMOVEDIR).map_err(|errno| refused(path, errno));
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let above = openat(&at, "..", flags, Mode::empty()).map_err(|errno| refused(&here, errno))?;
        if id(&fstat(&above).map_err(|errno| refused(&here, errno))?) != level.id {
            return Err(Error::failed(format!("cannot remove `{here}`"), "somebody moved it meanwhile"));
        }
        unlinkat(&above, &*done.name, AtFlags::REMOVEDIR).map_err(|errno| refused(&here, errno))?;
        at = above;
    }
    Ok(())
}

impl Level {
    /// Takes everything but directories out of an open directory.
    fn emptied(at: &OwnedFd, name: CString, path: &str) -> Result<Self, Error> {
        let cannot = |errno| refused(path, errno);
        let mut left = Vec::new();
        for entry in Dir::read_from(at).map_err(cannot)? {
            let entry = entry.map_err(cannot)?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let stat = statat(at, name, AtFlags::SYMLINK_NOFOLLOW).map_err(cannot)?;
            if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
                left.push(name.to_owned());
            } else {
                let path = || format!("{path}/{}", name.to_string_lossy());
                unlinkat(at, name, AtFlags::empty()).map_err(|errno| refused(&path(), errno))?;
            }
        }
        Ok(Level { name, id: id(&fstat(at).map_err(cannot)?), left })
    }
}

/// Opens a directory, unless something is mounted there.
fn enter(dir: &impl AsFd, name: &CStr, path: &str) -> Result<OwnedFd, Error> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::NO_XDEV | ResolveFlags::NO_SYMLINKS;
    match openat2(dir, name, flags, Mode::empty(), resolve) {
        Ok(inside) => Ok(inside),
        Err(Errno::XDEV) => Err(Diagnostic::new(format!("cannot remove `{path}`"))
            .cause("a file system is mounted there")
            .hint(format!("unmount it first: `umount {path}`"))
            .into()),
        Err(errno) => Err(refused(path, errno)),
    }
}

/// A path for messages: the tree, and the last directories on the way.
fn told(path: &str, levels: &[Level], last: &CStr) -> String {
    let inner = levels.get(1..).unwrap_or_default();
    let (cut, shown) = inner.split_at(inner.len().saturating_sub(TOLD));
    let mut told = path.to_owned();
    if !cut.is_empty() {
        told.push_str("/…");
    }
    let names = shown.iter().map(|level| level.name.as_c_str());
    // The tree itself is in the path already.
    let last = (!levels.is_empty()).then_some(last);
    for name in names.chain(last) {
        told.push('/');
        told.push_str(&name.to_string_lossy());
    }
    told
}

fn id(stat: &Stat) -> (u64, u64) {
    (stat.st_dev, stat.st_ino)
}

fn refused(path: &str, errno: Errno) -> Error {
    failed(format!("cannot remove `{path}`"), errno)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};
    use std::os::unix::fs::symlink;

    fn removed(dir: &std::path::Path, name: &CStr) -> Result<bool, Error> {
        remove(&File::open(dir).unwrap(), name, &dir.join(name.to_str().unwrap()).display().to_string())
    }

    #[test]
    fn a_tree_goes_with_all_that_is_in_it_and_nothing_that_its_links_lead_to() {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| dir.path().join(path);
        fs::create_dir_all(at("tree/a/b/c")).unwrap();
        fs::create_dir_all(at("tree/d")).unwrap();
        fs::create_dir(at("beside")).unwrap();
        for file in ["tree/1", "tree/a/2", "tree/a/b/c/3", "beside/kept"] {
            fs::write(at(file), "").unwrap();
        }
        symlink("../../beside", at("tree/a/link")).unwrap();
        removed(dir.path(), c"tree").unwrap();
        assert!(!at("tree").exists() && at("beside/kept").exists());
        symlink("beside", at("link")).unwrap();
        removed(dir.path(), c"link").unwrap();
        assert!(!at("link").is_symlink() && at("beside/kept").exists());
    }

    #[test]
    fn a_tree_deeper_than_files_may_be_open_goes_too() {
        let dir = tempfile::tempdir().unwrap();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let mut at: OwnedFd = File::open(dir.path()).unwrap().into();
        for _ in 0..5_000 {
            rustix::fs::mkdirat(&at, "deep", Mode::RWXU).unwrap();
            at = openat(&at, "deep", flags, Mode::empty()).unwrap();
        }
        removed(dir.path(), c"deep").unwrap();
        assert!(!dir.path().join("deep").exists());
    }

    #[test]
    fn an_error_names_what_it_is_about_and_cuts_what_is_deep() {
        let level = |name: &CStr| Level { name: name.to_owned(), id: (0, 0), left: Vec::new() };
        assert_eq!(told("/srv/a", &[], c"a"), "/srv/a");
        assert_eq!(told("/srv/a", &[level(c"a"), level(c"b")], c"c"), "/srv/a/b/c");
        let deep: Vec<Level> = (0..20).map(|_| level(c"x")).collect();
        assert_eq!(told("/srv/a", &deep, c"y"), "/srv/a/…/x/x/x/x/x/x/x/x/y");
    }
}
