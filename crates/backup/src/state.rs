//! What this machine remembers of its backups: which repositories are its own, when each item was last backed up, and how that
//! went. Never the truth about a repository: that is asked itself where it counts.
//!
//! Always true here: it is replaced as a whole, and what cannot be read is set aside, not thrown away.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use pq_store::replace;
use pq_stream::Problem;
use serde::{Deserialize, Serialize};

/// Where it is.
pub const DIR: &str = "/var/lib/paquerette/backup";

const FILE: &str = "state.json";

/// What is remembered.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// Targets that were used, by name.
    pub targets: BTreeMap<String, Known>,
    /// Items that were backed up, by owner.
    pub items: BTreeMap<String, Item>,
    /// What `rebuild` brought back on this machine, and from which set.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub rebuilt: BTreeMap<String, String>,
    /// When the recovery kit was last written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kit: Option<String>,
    /// Items that were quieted and not yet woken: who was killed in between left them so.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub quiet: Vec<String>,
}

/// A repository that is this machine's own.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Known {
    /// Its id.
    pub id: String,
    /// Where it is.
    pub url: String,
    /// When it was first used.
    pub since: String,
    /// When something was last written or copied to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub written: Option<String>,
    /// When a part of it was last read back, and how that went.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verified: Option<Verified>,
    /// The whole sets that the last copy saw in it, as `item/set`.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub seen: BTreeSet<String>,
}

/// A part of a repository was read back.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Verified {
    /// When.
    pub when: String,
    /// Which part, counted from 1.
    pub part: u32,
    /// What was wrong; empty where nothing was.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub wrong: Vec<String>,
}

/// What is remembered of an item.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Item {
    /// Its newest set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest: Option<Made>,
    /// Since when and why there is no newer one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<Failure>,
    /// When a restore of it was last proven.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proven: Option<Proven>,
}

/// A set that was made.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Made {
    /// Which.
    pub set: String,
    /// When it was begun.
    pub when: String,
    /// The target that it was written to.
    pub target: String,
    /// Bytes that are in it.
    pub size: u64,
    /// Bytes that the repository has more for it.
    pub added: u64,
    /// Seconds that it took.
    pub seconds: u64,
    /// Bytes of each dump.
    pub dumps: BTreeMap<String, u64>,
}

/// Why there is no newer set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// Since when each run failed.
    pub since: String,
    /// When the last one did.
    pub when: String,
    /// Why.
    pub why: Problem,
}

/// A restore that was proven.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Proven {
    /// When.
    pub when: String,
    /// The set.
    pub set: String,
    /// Seconds that the restore took.
    pub seconds: u64,
    /// Files and bytes that came back, rows of databases that were counted.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Rows.
    pub rows: u64,
}

impl State {
    /// What is remembered in a directory; what cannot be read is set aside, and that is answered too.
    ///
    /// # Errors
    /// Where the directory cannot be used.
    pub fn load(dir: &Path) -> io::Result<(Self, Option<PathBuf>)> {
        let path = dir.join(FILE);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((State::default(), None)),
            Err(error) => return Err(error),
        };
        match serde_json::from_slice(&bytes) {
            Ok(state) => Ok((state, None)),
            Err(_) => {
                let aside = dir.join(format!("{FILE}.bad"));
                fs::rename(&path, &aside)?;
                Ok((State::default(), Some(aside)))
            }
        }
    }

    /// Writes it.
    ///
    /// # Errors
    /// Where it cannot be.
    pub fn save(&self, dir: &Path) -> io::Result<()> {
        replace(&dir.join(FILE), &serde_json::to_vec_pretty(self)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_set_aside() {
        let dir = tempfile::tempdir().unwrap();
        let mut state = State::default();
        state.items.insert("wiki".into(), Item::default());
        state.save(dir.path()).unwrap();
        assert_eq!(State::load(dir.path()).unwrap(), (state, None));
        fs::write(dir.path().join(FILE), b"{\"items\":").unwrap();
        let (empty, aside) = State::load(dir.path()).unwrap();
        assert_eq!(empty, State::default());
        assert_eq!(fs::read(aside.unwrap()).unwrap(), b"{\"items\":");
    }
}
