//! Where the lab keeps its things, and the lock over them.
//!
//! Always true here: whoever allocates an address, changes an image or takes dead machines away holds the lock;
//! nobody holds it while a machine boots or an image is built.

use std::env;
use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::error::{Doing, Result};

/// The lab's directory: `$PQ_LAB_DIR`, or `/var/cache/paquerette-lab`.
#[derive(Debug, Clone)]
pub(super) struct Home {
    dir: PathBuf,
}

/// Held as long as it lives; a process that dies lets go of it.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Home {
    pub fn from_env() -> Self {
        let dir = env::var_os("PQ_LAB_DIR").filter(|dir| !dir.is_empty());
        Home { dir: dir.map_or_else(|| PathBuf::from("/var/cache/paquerette-lab"), PathBuf::from) }
    }

    pub fn create(&self) -> Result<()> {
        for dir in ["images", "layers", "building", "machines", "failed", "services", "sources"] {
            self.make(&self.dir.join(dir))?;
        }
        Ok(())
    }

    pub fn make(&self, dir: &Path) -> Result<()> {
        fs::create_dir_all(dir).doing(|| format!("create directory `{}`", dir.display()))
    }

    /// A path below the lab's directory.
    pub fn path(&self, below: impl AsRef<Path>) -> PathBuf {
        self.dir.join(below)
    }

    /// The lock over machines, addresses, images and services.
    pub fn lock(&self) -> Result<Lock> {
        self.lock_file("lock")
    }

    /// The lock over the building of one image, so that two tests do not build it twice.
    pub fn build_lock(&self, image: &str) -> Result<Lock> {
        self.lock_file(&format!("images/{image}.lock"))
    }

    fn lock_file(&self, name: &str) -> Result<Lock> {
        let path = self.path(name);
        let doing = || format!("lock `{}`", path.display());
        let file = OpenOptions::new().create(true).append(true).open(&path).doing(doing)?;
        flock(&file, FlockOperation::LockExclusive).doing(doing)?;
        Ok(Lock { _file: file })
    }
}

/// Writes a file whole or not at all.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let beside = path.with_extension("new");
    fs::write(&beside, bytes)
        .and_then(|()| fs::rename(&beside, path))
        .doing(|| format!("write `{}`", path.display()))
}
