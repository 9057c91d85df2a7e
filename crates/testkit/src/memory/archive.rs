//! Unpacking a plain tar. Hostile archives are the real machine's business and tests: these come from the laws.

use std::io::Read;

use pq_steps::{AbsPath, Archive, Error, Kind};

use super::disk::{Disk, What};

/// Unpacks entry by entry, then puts the links in their places.
pub(super) fn unpack(disk: &mut Disk, archive: &Archive, into: &AbsPath) -> Result<(), Error> {
    let cannot =
        |cause: &dyn std::fmt::Display| Error::failed(format!("cannot unpack `{}`", archive.path), cause);
    let Some(What::File(bytes)) = disk.follow(archive.path.as_str()).map(|node| node.what.clone()) else {
        return Err(Error::absent("file", archive.path.as_str()));
    };
    let digest = super::sha256(&bytes);
    if digest != archive.sha256 {
        return Err(cannot(&format!("its SHA-256 is {digest}, not {}", archive.sha256)));
    }
    disk.make(into.as_str(), What::Directory, 0o755)?;
    let (mut entries, mut total) = (0, 0);
    for entry in tar::Archive::new(bytes.as_slice()).entries().map_err(|error| cannot(&error))? {
        let mut entry = entry.map_err(|error| cannot(&error))?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).trim_end_matches('/').to_owned();
        let parts: Vec<&str> = name.split('/').skip(archive.strip).collect();
        if parts.is_empty() {
            continue;
        }
        let path = into.join(&parts.join("/")).map_err(|cause| cannot(&cause))?;
        entries += 1;
        total += entry.size();
        if entries > archive.max_entries || total > archive.max_bytes {
            return Err(cannot(&"it holds more than the limit"));
        }
        parents(disk, path.as_str())?;
        match entry.header().entry_type() {
            tar::EntryType::Directory if disk.get(path.as_str()).is_some() => {}
            tar::EntryType::Directory => disk.make(path.as_str(), What::Directory, 0o755)?,
            tar::EntryType::Regular => {
                let mut content = Vec::new();
                entry.read_to_end(&mut content).map_err(|error| cannot(&error))?;
                let executable = entry.header().mode().map_err(|error| cannot(&error))? & 0o111 != 0;
                disk.make(path.as_str(), What::File(content), if executable { 0o755 } else { 0o644 })?;
            }
            other => return Err(cannot(&format!("`{name}` is {other:?}"))),
        }
    }
    for (name, target) in &archive.links {
        let path = into.join(name).map_err(|cause| cannot(&cause))?;
        if disk.get(path.as_str()).is_some_and(|node| node.kind() != Kind::Symlink) {
            let shipped =
                into.join(&format!(".paquerette/shipped/{name}")).map_err(|cause| cannot(&cause))?;
            parents(disk, shipped.as_str())?;
            disk.rename(path.as_str(), shipped.as_str())?;
        }
        parents(disk, path.as_str())?;
        disk.make(path.as_str(), What::Link(target.clone()), 0o777)?;
    }
    Ok(())
}

/// Makes the directories above a path.
fn parents(disk: &mut Disk, path: &str) -> Result<(), Error> {
    for (end, _) in path.match_indices('/').skip(1) {
        if disk.follow(&path[..end]).is_none() {
            disk.make(&path[..end], What::Directory, 0o755)?;
        }
    }
    Ok(())
}
