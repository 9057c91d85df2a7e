//! How an item was last backed up, as pq-backup remembers it and others read it.

use std::collections::BTreeMap;

use serde::Deserialize;

/// Where pq-backup remembers it, below the state directory.
pub const BACKED: &str = "backup/state.json";

/// What pq-backup remembers, as far as others read it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Backed {
    /// By owner of an item.
    pub items: BTreeMap<String, BackedItem>,
    /// By name of a target.
    pub targets: BTreeMap<String, BackedTarget>,
}

/// What is remembered of an item.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct BackedItem {
    /// Its newest set.
    pub newest: Option<At>,
    /// Why there is no newer one.
    pub failed: Option<Failed>,
    /// A restore of it that was proven.
    pub proven: Option<At>,
}

/// Something happened at a time.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct At {
    /// When, in UTC.
    pub when: String,
}

/// A run failed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Failed {
    /// Why.
    pub why: Why,
}

/// Why a run failed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Why {
    /// In one line.
    pub message: String,
}

/// What is remembered of a repository.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct BackedTarget {
    /// A part of it was read back.
    pub verified: Option<ReadBack>,
}

/// A part of a repository was read back.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ReadBack {
    /// What was wrong.
    pub wrong: Vec<String>,
}
