//! A snapshot as restic lists it.

use serde::Deserialize;

/// A snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Snapshot {
    /// Its id.
    pub id: String,
    /// When it was begun, in UTC with a fraction of a second.
    pub time: String,
    /// What is in it.
    #[serde(default)]
    pub paths: Vec<String>,
    /// The machine that made it.
    #[serde(default)]
    pub hostname: String,
    /// Its tags.
    #[serde(default)]
    pub tags: Vec<String>,
    /// What its run summed up.
    #[serde(default)]
    pub summary: Option<Size>,
}

/// How large a snapshot is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[derive(Default)]
pub struct Size {
    /// Bytes of what is in it.
    pub total_bytes_processed: u64,
    /// Files that are in it.
    pub total_files_processed: u64,
    /// Bytes that the repository has more for it.
    pub data_added_packed: u64,
}

impl Snapshot {
    /// What stands behind `name:` in one of its tags.
    pub fn tag(&self, name: &str) -> Option<&str> {
        self.tags.iter().find_map(|tag| tag.strip_prefix(name)?.strip_prefix(':'))
    }
}
