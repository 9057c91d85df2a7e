//! A directory that is unpacked from an archive, whole or not at all: what `release` and `unpack` have in common.
//!
//! Always true here: at the path stands nothing, or a directory whose marker tells its archive's digest; the marker
//! is written before the directory gets its name. A directory without a marker is somebody else's and stays. What is
//! replaced goes beside, and away when the new one is in its place.

use pq_stream::{Diagnostic, Difference};

use super::in_the_way;
use crate::{AbsPath, Archive, Differences, Error, Kind, Meta, Mode, Probe, Stat, System};

/// A directory, and the archive that it comes from.
pub(super) struct Unpacked<'a> {
    /// What it is called in messages, such as `release`; also the name of its marker.
    pub what: &'static str,
    /// Where it is.
    pub path: &'a AbsPath,
    /// SHA-256 of its archive.
    pub sha256: &'a str,
    /// How many leading directories of each entry's name are dropped.
    pub strip: usize,
    /// How many are where nothing is said: only another number is told in the marker.
    pub usual_strip: usize,
}

/// What stands at the path.
pub(super) enum Found {
    /// Nothing.
    Nothing,
    /// What we made, of this archive or of another, or in another way.
    Ours {
        /// Whether of this one.
        whole: bool,
        /// The directory.
        is: Stat,
    },
}

impl Unpacked<'_> {
    /// A path below the directory.
    pub fn below(&self, name: &str) -> Result<AbsPath, Error> {
        self.path.join(name).map_err(|cause| self.cannot(cause))
    }

    /// A path beside the directory, of something that only exists while it is made.
    pub fn beside(&self, what: &str) -> Result<AbsPath, Error> {
        let parent = self.path.parent().ok_or_else(|| self.cannot("it has no parent directory"))?;
        parent.join(&format!(".tmp-{}{what}", self.path.name())).map_err(|cause| self.cannot(cause))
    }

    fn cannot(&self, cause: impl std::fmt::Display) -> Error {
        Error::failed(format!("cannot make {} `{}`", self.what, self.path), cause)
    }

    /// Looks at what stands at the path.
    ///
    /// # Errors
    /// Where something stands there that we did not make.
    pub fn look(&self, machine: &dyn Probe) -> Result<Found, Error> {
        let Some(is) = machine.stat(self.path)? else { return Ok(Found::Nothing) };
        if is.kind != Kind::Directory {
            return Err(in_the_way(self.what, self.path, &is));
        }
        match machine.read(&self.below(&format!(".paquerette/{}", self.what))?)? {
            Some(marker) => Ok(Found::Ours { whole: marker == self.marker(), is }),
            None => Err(Diagnostic::new(format!("cannot make {} `{}`", self.what, self.path))
                .cause("a directory stands there that paquerette did not make")
                .hint("move it away, then run again")
                .into()),
        }
    }

    fn marker(&self) -> Vec<u8> {
        match self.strip == self.usual_strip {
            true => format!("{}\n", self.sha256).into_bytes(),
            false => format!("{} strip {}\n", self.sha256, self.strip).into_bytes(),
        }
    }

    /// Notes what a killed run has left beside the directory.
    pub fn left_over(&self, machine: &dyn Probe, found: &mut Differences) -> Result<(), Error> {
        let replaced = self.beside(".old")?;
        if machine.stat(&replaced)?.is_some() {
            found.push(replaced.as_str(), Some("left over"), Some(Difference::ABSENT));
        }
        Ok(())
    }

    /// Removes what a killed run has left of the directory that it replaced.
    pub fn tidy(&self, machine: &mut dyn System) -> Result<(), Error> {
        machine.remove(&self.beside(".old")?)
    }

    /// Unpacks the archive under another name, marks what came out, and puts it in the place of what is there. An
    /// archive that was only fetched for this is removed as soon as it was read.
    pub fn make(&self, machine: &mut dyn System, archive: &Archive, fetched: bool) -> Result<(), Error> {
        let (fresh, replaced) = (self.beside("")?, self.beside(".old")?);
        machine.remove(&fresh)?;
        let unpacked = machine.unpack(archive, &fresh);
        if fetched {
            machine.remove(&archive.path)?;
        }
        unpacked?;
        let ours = fresh.join(".paquerette").map_err(|cause| self.cannot(cause))?;
        machine.make_dir(&ours, &Meta::new(Mode::from_bits(0o755), "root", "root"))?;
        let marker = ours.join(self.what).map_err(|cause| self.cannot(cause))?;
        machine.write(&marker, &self.marker(), &Meta::new(Mode::from_bits(0o644), "root", "root"))?;
        machine.remove(&replaced)?;
        if machine.stat(self.path)?.is_some() {
            machine.rename(self.path, &replaced)?;
        }
        machine.rename(&fresh, self.path)?;
        machine.remove(&replaced)
    }
}

/// Refuses a path that is a directory of the system itself.
pub(super) fn is_below_another(field: &str, path: &AbsPath) -> Result<(), String> {
    match path.parent().is_none_or(|parent| parent.as_str() == "/") {
        true => Err(format!("`{field}` `{path}` is a directory of the system itself")),
        false => Ok(()),
    }
}
