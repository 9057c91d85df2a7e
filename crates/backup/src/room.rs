//! How much room there is where a repository is, and how much of it must stay.

use std::path::Path;

use pq_items::{Percent, Target};

/// Room on the file system of a local target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Bytes of it.
    pub size: u64,
    /// Bytes that are free.
    pub free: u64,
}

/// The room where a target is; nothing where it is elsewhere.
pub fn room(target: &Target) -> Option<Room> {
    room_at(Path::new(target.directory()?))
}

/// The room where a path is.
pub fn room_at(mut path: &Path) -> Option<Room> {
    // Where it is not there yet, what will hold it is.
    loop {
        if let Ok(stat) = rustix::fs::statvfs(path) {
            return Some(Room { size: stat.f_blocks * stat.f_frsize, free: stat.f_bavail * stat.f_frsize });
        }
        path = path.parent()?;
    }
}

impl Room {
    /// Bytes that may be written so that as much stays free as must.
    pub fn left(self, keep: Percent) -> u64 {
        let kept = self.size / 100 * u64::from(keep.get());
        self.free.saturating_sub(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_stays_free() {
        let keep = Percent::try_from(20).unwrap();
        assert_eq!(Room { size: 1000, free: 500 }.left(keep), 300);
        assert_eq!(Room { size: 1000, free: 100 }.left(keep), 0);
    }
}
