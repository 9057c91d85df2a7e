//! What is remembered of a peer: when its repository was last read, what it had then, and since when it lacks what is kept here.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use pq_stream::Problem;
use serde::{Deserialize, Serialize};

use crate::state::{self, Failure};

/// What is remembered of a peer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ledger {
    /// When all that it had was last fetched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pulled: Option<String>,
    /// When a new backup of it last came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest: Option<String>,
    /// How many snapshots it had then.
    pub snapshots: u64,
    /// Files and bytes that are here.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What is here and it has no more, and since when.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub missing: BTreeMap<String, String>,
    /// Files of it that are not what their names say, and their sizes: they are not fetched again.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub refused: BTreeMap<String, u64>,
    /// Since when its repository lacks what no repository loses, and what; until somebody has looked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost: Option<Lost>,
    /// Since when and why it is not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<Failure>,
}

/// What a repository lost that none loses by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lost {
    /// When that was first seen.
    pub since: String,
    /// What.
    pub what: Vec<String>,
}

impl Ledger {
    /// What is remembered of a peer; nothing where it was never read, or that is not to be understood.
    pub fn load(name: &str) -> Self {
        fs::read(path(name)).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    /// Writes it.
    ///
    /// # Errors
    /// Where it cannot be.
    pub fn save(&self, name: &str) -> io::Result<()> {
        pq_store::replace(&path(name), &serde_json::to_vec_pretty(self)?)
    }

    /// It failed to be read.
    pub fn fails(&mut self, now: &str, why: Problem) {
        let since = self.failed.take().map_or_else(|| now.to_owned(), |failure| failure.since);
        self.failed = Some(Failure { since, when: now.to_owned(), why });
    }

    /// It lacks something; what was seen before is not forgotten.
    pub fn loses(&mut self, now: &str, what: Vec<String>) {
        if what.is_empty() {
            return;
        }
        let lost = self.lost.get_or_insert_with(|| Lost { since: now.to_owned(), what: Vec::new() });
        for words in what {
            if !lost.what.contains(&words) && lost.what.len() < 20 {
                lost.what.push(words);
            }
        }
    }
}

fn path(name: &str) -> PathBuf {
    Path::new(state::DIR).join("peers").join(format!("{name}.json"))
}
