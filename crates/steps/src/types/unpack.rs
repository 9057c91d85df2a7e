//! An archive that is on the machine is unpacked into a directory, whole or not at all.
//!
//! What comes out is root's and only to be read by others: what an application writes belongs elsewhere, and would be
//! lost with the next archive. Whether the files are still as they came out is not looked at.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::unpacked::{Found, Unpacked, is_below_another};
use super::{compare_meta, root, rules};
use crate::ledger::{Thing, ThingKind};
use crate::{AbsPath, Archive, Check, Converge, Differences, Error, Meta, Mode, Probe, System};

/// What is in an archive, and nothing else, is in a directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Unpack {
    /// The archive, to which only root may write: zip, or tar, plain or in gzip, bzip2, xz or zstd. Once it is
    /// unpacked, it is needed no more where `sha256` is given.
    pub archive: AbsPath,
    /// The directory; the one that it is in must exist.
    pub into: AbsPath,
    /// The archive's SHA-256 in hexadecimal; by default that of the file as it is, which then is read in every run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// How many leading directories of each entry's name are dropped, 0 by default.
    #[serde(default)]
    pub strip: usize,
    /// Permission bits of the directory itself, `0755` by default.
    #[serde(default = "default_mode")]
    pub mode: Mode,
    /// Group of the directory itself, `root` by default.
    #[serde(default = "root")]
    pub group: String,
    /// The most bytes that may come out, 4 GiB by default.
    #[serde(default = "default_max_bytes")]
    pub max_bytes: u64,
    /// The most entries that may come out, 500 000 by default.
    #[serde(default = "default_max_entries")]
    pub max_entries: u64,
}

fn default_mode() -> Mode {
    Mode::from_bits(0o755)
}

pub(super) fn default_max_bytes() -> u64 {
    4 << 30
}

pub(super) fn default_max_entries() -> u64 {
    500_000
}

impl Unpack {
    fn unpacked<'a>(&'a self, sha256: &'a str) -> Unpacked<'a> {
        Unpacked { what: "unpack", path: &self.into, sha256, strip: self.strip, usual_strip: 0 }
    }

    fn meta(&self) -> Meta {
        Meta::new(self.mode, &root(), &self.group)
    }

    /// The digest that is asked for, or that of the file.
    fn digest(&self, machine: &dyn Probe) -> Result<String, Error> {
        match &self.sha256 {
            Some(sha256) => Ok(sha256.clone()),
            None => machine.sha256(&self.archive)?.ok_or_else(|| self.absent()),
        }
    }

    fn absent(&self) -> Error {
        Error::absent("file", self.archive.as_str())
    }
}

impl Converge for Unpack {
    fn check(&self, machine: &dyn Probe) -> Result<Check, Error> {
        let digest = self.digest(machine)?;
        let unpacked = self.unpacked(&digest);
        let mut found = Differences::new();
        let whole = match unpacked.look(machine)? {
            Found::Nothing => {
                found.push("directory", Some("missing"), Some("present"));
                false
            }
            Found::Ours { whole: false, .. } => {
                found.push("archive", Some("another"), Some(&digest));
                false
            }
            Found::Ours { whole: true, is } => {
                compare_meta(&mut found, &is, self.mode, &root(), &self.group);
                true
            }
        };
        if !whole && machine.stat(&self.archive)?.is_none() {
            return Err(self.absent());
        }
        unpacked.left_over(machine, &mut found)?;
        Ok(found.into_check())
    }

    fn apply(&self, machine: &mut dyn System) -> Result<(), Error> {
        let sha256 = self.digest(machine)?;
        let unpacked = self.unpacked(&sha256);
        if let Found::Ours { whole: true, .. } = unpacked.look(machine)? {
            machine.set_meta(&self.into, &self.meta())?;
            return unpacked.tidy(machine);
        }
        let archive = Archive {
            path: self.archive.clone(),
            sha256: sha256.clone(),
            strip: self.strip,
            program: None,
            max_bytes: self.max_bytes,
            max_entries: self.max_entries,
            links: std::collections::BTreeMap::new(),
            meta: self.meta(),
        };
        unpacked.make(machine, &archive, false)
    }

    fn things(&self) -> Vec<Thing> {
        vec![Thing::at(ThingKind::Tree, &self.into)]
    }

    fn validate(&self) -> Result<(), String> {
        self.sha256.as_ref().map_or(Ok(()), |sha256| rules::sha256("sha256", sha256))?;
        is_below_another("into", &self.into)?;
        if self.mode.bits() & 0o022 != 0 {
            return Err(format!("`mode` `{}` lets others than root write", self.mode));
        }
        let below = format!("{}/", self.into);
        if self.archive == self.into || self.archive.as_str().starts_with(&below) {
            return Err("`archive` is in the directory that it is unpacked into".to_owned());
        }
        Ok(())
    }
}
