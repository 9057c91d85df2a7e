//! A digest over the files that an inventory is made of, so that a plan can say what it was made from.

use std::fs;
use std::path::{Path, PathBuf};

use pq_stream::Diagnostic;
use sha2::{Digest, Sha256};

type Result<T> = std::result::Result<T, Box<Diagnostic>>;

/// What counts, below the inventory directory; identities and editors' files do not.
const PARTS: [&str; 7] =
    [".age-recipients", "group_vars", "host_vars", "hosts", "hosts.yaml", "hosts.yml", "recipes"];

/// The SHA-256, in hexadecimal, over names, lengths and contents, by name. Links are not followed.
///
/// # Errors
/// Where a file cannot be read.
pub fn of(directory: &Path, read: impl Fn(&Path) -> Result<Vec<u8>>) -> Result<String> {
    let mut files = Vec::new();
    for part in PARTS {
        collect(&directory.join(part), &mut files)?;
    }
    files.sort();
    let mut hasher = Sha256::new();
    for file in files {
        let name = file.strip_prefix(directory).unwrap_or(&file).to_string_lossy().into_owned();
        let content = read(&file)?;
        hasher.update(name.as_bytes());
        hasher.update([0]);
        hasher.update((content.len() as u64).to_be_bytes());
        hasher.update(&content);
    }
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let Ok(metadata) = fs::symlink_metadata(path) else { return Ok(()) };
    if metadata.is_file() {
        files.push(path.to_owned());
    } else if metadata.is_symlink() {
        // What a link leads to counts when it is a file; a linked directory may lead in a circle.
        if fs::metadata(path).is_ok_and(|target| target.is_file()) {
            files.push(path.to_owned());
        }
    } else if metadata.is_dir() {
        let cannot = |error: std::io::Error| crate::file::refused("directory ", path, &error);
        for entry in fs::read_dir(path).map_err(cannot)? {
            collect(&entry.map_err(cannot)?.path(), files)?;
        }
    }
    Ok(())
}
