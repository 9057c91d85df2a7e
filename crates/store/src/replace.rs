//! Files that are replaced as a whole: whoever reads one finds the old or the new, and after a power cut too.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// Replaces a file that only root reads; its directory is made where there is none.
///
/// # Errors
/// Where it cannot be written; the old one is as it was then.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace_for(path, bytes, 0o600)
}

/// The same for readers of that mode.
///
/// # Errors
/// Where it cannot be written; the old one is as it was then.
pub fn replace_for(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("/"));
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".pq-tmp");
    let beside = path.with_file_name(name);
    // One that a killed run left is in nobody's way.
    let _ = fs::remove_file(&beside);
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written?;
    File::open(dir)?.sync_all()
}
