//! What something takes on the disk: the blocks of its files, each counted once, as `du` does.
//!
//! Always true here: no link is followed, no other file system is entered, and what vanishes meanwhile counts nothing. The
//! time is bounded: what was not read in it is missing from the sum, which says so.

use std::collections::HashSet;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, openat, statat};

/// How deep directories are entered.
const DEEP: usize = 200;

/// What something takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Bytes on the disk.
    pub size: u64,
    /// How many files, links and directories.
    pub files: u64,
    /// When it itself was last changed; of a directory, what is in it does not count.
    pub changed: SystemTime,
    /// Whether there is more of it.
    pub partial: bool,
}

/// Until when sizes are read.
#[derive(Debug, Clone, Copy)]
pub struct Until(Instant);

impl Until {
    /// So long from now on.
    pub fn within(most: Duration) -> Self {
        Until(Instant::now() + most)
    }
}

/// What stands at a path takes; nothing where nothing is there.
pub fn usage(path: &Path, until: Until) -> Option<Usage> {
    let stat = statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW).ok()?;
    let mut sum = Sum { until, device: stat.st_dev, seen: HashSet::new(), size: 0, files: 0, partial: false };
    sum.count(&stat);
    if is_directory(&stat) {
        sum.enter(CWD, path, DEEP);
    }
    let seconds = u64::try_from(stat.st_mtime).unwrap_or_default();
    let changed = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    Some(Usage { size: sum.size, files: sum.files, changed, partial: sum.partial })
}

fn is_directory(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Directory
}

struct Sum {
    until: Until,
    device: u64,
    /// Files that have several names.
    seen: HashSet<u64>,
    size: u64,
    files: u64,
    partial: bool,
}

impl Sum {
    fn count(&mut self, stat: &Stat) {
        if is_directory(stat) || stat.st_nlink < 2 || self.seen.insert(stat.st_ino) {
            // stat(2): always in units of 512.
            self.size += u64::try_from(stat.st_blocks).unwrap_or_default() * 512;
            self.files += 1;
        }
    }

    fn enter(&mut self, above: BorrowedFd<'_>, name: impl rustix::path::Arg, deep: usize) {
        if deep == 0 || Instant::now() > self.until.0 {
            self.partial = true;
            return;
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let Ok(directory) = openat(above, name, flags, Mode::empty()) else { return };
        self.read(&directory, deep);
    }

    fn read(&mut self, directory: &OwnedFd, deep: usize) {
        let Ok(entries) = Dir::read_from(directory) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let Ok(stat) = statat(directory.as_fd(), name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
            if stat.st_dev != self.device {
                continue;
            }
            self.count(&stat);
            if is_directory(&stat) {
                self.enter(directory.as_fd(), name, deep - 1);
            }
            if self.partial {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn until() -> Until {
        Until::within(Duration::from_secs(60))
    }

    #[test]
    fn blocks_count_once_and_links_lead_nowhere() {
        let dir = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("large"), vec![7; 1 << 20]).unwrap();
        let tree = dir.path().join("tree");
        fs::create_dir_all(tree.join("below")).unwrap();
        let empty = usage(&tree, until()).unwrap().size;
        fs::write(tree.join("below/file"), vec![7; 64 << 10]).unwrap();
        let one = usage(&tree, until()).unwrap().size;
        assert!(one >= empty + (64 << 10), "{empty} {one}");
        fs::hard_link(tree.join("below/file"), tree.join("again")).unwrap();
        std::os::unix::fs::symlink(outside.path(), tree.join("link")).unwrap();
        let linked = usage(&tree, until()).unwrap().size;
        assert!(linked < one + (32 << 10), "{one} {linked}");
        let link = usage(&tree.join("link"), until()).unwrap().size;
        assert!(link < (32 << 10), "a link itself: {link}");
        // A file with a hole takes what is in it.
        fs::File::create(tree.join("hole")).unwrap().set_len(1 << 30).unwrap();
        assert!(usage(&tree, until()).unwrap().size < (1 << 20));
    }

    #[test]
    fn what_is_gone_is_nothing_and_what_could_not_be_read_in_time_is_told() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(usage(&dir.path().join("none"), until()), None);
        fs::create_dir(dir.path().join("tree")).unwrap();
        let late = Until(Instant::now() - Duration::from_secs(1));
        assert!(usage(&dir.path().join("tree"), late).unwrap().partial);
        assert!(!usage(&dir.path().join("tree"), until()).unwrap().partial);
        let mut deep = dir.path().join("tree");
        (0..DEEP + 5).for_each(|_| deep.push("d"));
        fs::create_dir_all(&deep).unwrap();
        assert!(usage(&dir.path().join("tree"), until()).unwrap().partial);
    }
}
