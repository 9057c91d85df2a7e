//! Whether apt has read the lists of the sources that there are: a note of what they were at the last update of ours.
//!
//! Always true here: the note is written only when an update fetched all lists, and says what the sources were before
//! it began. So a source that is new or changed is fetched before packages are installed, whoever wrote it and however
//! often a run was killed in between.

use std::io;
use std::path::{Path, PathBuf};

use pq_steps::{AbsPath, Error};
use sha2::{Digest, Sha256};

use crate::cause::failed;
use crate::files;
use crate::fresh::Numbers;
use crate::look::hex;

/// What says where packages come from, and by which keys they are known; sources.list(5).
const PLACES: [&str; 4] =
    ["/etc/apt/sources.list", "/etc/apt/sources.list.d", "/etc/apt/keyrings", "/etc/apt/trusted.gpg.d"];

const NOTE: &str = "/var/lib/paquerette/apt/sources";

/// The sources as they are now.
#[derive(Debug, PartialEq, Eq)]
pub struct Sources {
    digest: String,
}

impl Sources {
    /// Reads them.
    pub fn look() -> Result<Self, Error> {
        Self::below(&PLACES.map(Path::new))
    }

    fn below(places: &[&Path]) -> Result<Self, Error> {
        let mut hasher = Sha256::new();
        for place in places {
            for file in files_of(place).map_err(|error| cannot(place, error))? {
                let bytes = std::fs::read(&file).map_err(|error| cannot(&file, error))?;
                hasher.update(file.as_os_str().as_encoded_bytes());
                hasher.update([0]);
                hasher.update((bytes.len() as u64).to_be_bytes());
                hasher.update(bytes);
            }
        }
        Ok(Sources { digest: hex(&hasher.finalize()) })
    }

    /// Whether an update of ours fetched the lists of just these.
    pub fn are_fetched(&self) -> bool {
        std::fs::read_to_string(NOTE).is_ok_and(|note| note.trim() == self.digest)
    }

    /// Notes that an update which began with these fetched all of their lists.
    pub fn note(&self) -> Result<(), Error> {
        let path =
            AbsPath::new(NOTE).map_err(|cause| Error::failed("cannot note the sources of apt", cause))?;
        if let Some(directory) = path.parent() {
            files::make_dir(&directory, Numbers { mode: Some(0o755), owner: None })?;
        }
        let content = format!("{}\n", self.digest);
        files::write(&path, content.as_bytes(), Numbers { mode: Some(0o644), owner: None })
    }
}

impl Sources {
    /// When the last update of ours fetched all lists.
    pub fn noted() -> Option<std::time::SystemTime> {
        std::fs::metadata(NOTE).and_then(|it| it.modified()).ok()
    }
}

/// A file, or the files of a directory; nothing where there is neither.
fn files_of(place: &Path) -> io::Result<Vec<PathBuf>> {
    let there = match std::fs::metadata(place) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        there => there?,
    };
    if !there.is_dir() {
        return Ok(vec![place.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(place)? {
        let path = entry?.path();
        // What apt passes over is none of its sources: directories, and links that lead nowhere.
        if std::fs::metadata(&path).is_ok_and(|it| it.is_file()) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn cannot(path: &Path, error: io::Error) -> Error {
    failed(format!("cannot read `{}`, where apt takes packages from", path.display()), error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_that_is_new_changed_or_gone_makes_other_sources() {
        let held = tempfile::tempdir().unwrap();
        let (list, directory) = (held.path().join("sources.list"), held.path().join("sources.list.d"));
        let look = || Sources::below(&[&list, &directory]).unwrap();
        let mut seen = vec![look()];
        let mut then = |what: &dyn Fn()| {
            what();
            let now = look();
            assert!(!seen.contains(&now), "{} states, and this is one of them", seen.len());
            seen.push(now);
        };
        then(&|| std::fs::write(&list, "deb a").unwrap());
        std::fs::create_dir(&directory).unwrap();
        then(&|| std::fs::write(directory.join("x.sources"), "Types: deb").unwrap());
        then(&|| std::fs::write(directory.join("x.sources"), "Types: deb\n").unwrap());
        then(&|| std::fs::rename(directory.join("x.sources"), directory.join("y.sources")).unwrap());
        std::fs::remove_file(directory.join("y.sources")).unwrap();
        std::os::unix::fs::symlink("nowhere", directory.join("z.sources")).unwrap();
        assert_eq!(look(), seen[1]);
    }
}
