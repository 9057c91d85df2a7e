//! Images: what machines boot on, a name over a stack of directories.
//!
//! A *layer* is a directory that never changes again; an *image* names layers, topmost first, and the key it was built
//! by. A snapshot is the upper directory of a stopped machine put on the layers it had.
//!
//! Always true here: an image appears whole or not at all, and a layer goes only when no image and no machine names it.

use std::fs;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::debian::Suite;
use super::error::{Doing, Error, Result};
use super::home::{Home, write_whole};

/// What a machine boots on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Image {
    /// A bare Debian.
    Base(Suite),
    /// What [`Machine::snapshot`](super::Machine::snapshot) left under this name.
    Snapshot(String),
}

impl Image {
    /// The snapshot of this name.
    pub fn snapshot(name: impl Into<String>) -> Self {
        Image::Snapshot(name.into())
    }

    pub(super) fn name(&self) -> String {
        match self {
            Image::Base(suite) => suite.to_string(),
            Image::Snapshot(name) => name.clone(),
        }
    }
}

/// What is kept of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stored {
    /// What it was built from, in the builder's words: another key is another image.
    pub key: String,
    /// Names of its layers, topmost first.
    pub layers: Vec<String>,
}

/// The image of that name, when there is one and its layers are there.
pub(super) fn stored(home: &Home, name: &str) -> Option<Stored> {
    let bytes = fs::read(home.path(format!("images/{name}.json"))).ok()?;
    let stored: Stored = serde_json::from_slice(&bytes).ok()?;
    stored.layers.iter().all(|layer| layer_path(home, layer).is_dir()).then_some(stored)
}

/// Makes a finished directory the top layer of an image, in the place of the image that had this name.
pub(super) fn store(home: &Home, name: &str, key: &str, top: &PathBuf, below: &[String]) -> Result<Stored> {
    let _lock = home.lock()?;
    let time = std::time::UNIX_EPOCH.elapsed().unwrap_or_default().as_millis();
    let layer = format!("{name}-{time:x}-{:x}", std::process::id());
    let doing = || format!("keep image `{name}`");
    fs::rename(top, layer_path(home, &layer)).doing(doing)?;
    let layers = std::iter::once(layer).chain(below.iter().cloned()).collect();
    let stored = Stored { key: key.to_owned(), layers };
    let json = serde_json::to_vec_pretty(&stored).doing(doing)?;
    write_whole(&home.path(format!("images/{name}.json")), &json)?;
    Ok(stored)
}

/// Takes a name off its layers. The caller holds the lock.
pub(super) fn forget(home: &Home, name: &str) -> Result<()> {
    if stored(home, name).is_none() {
        return Err(unknown(home, name));
    }
    fs::remove_file(home.path(format!("images/{name}.json"))).doing(|| format!("remove snapshot `{name}`"))
}

/// Names of all images.
pub(super) fn names(home: &Home) -> Result<Vec<String>> {
    let dir = home.path("images");
    let mut names: Vec<_> = fs::read_dir(&dir)
        .doing(|| format!("list `{}`", dir.display()))?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_suffix(".json").map(str::to_owned))
        .collect();
    names.sort();
    Ok(names)
}

/// Removes the layers that neither an image nor a machine names. The caller holds the lock.
pub(super) fn collect(home: &Home, used_by_machines: &[String]) -> Result<()> {
    let mut used = used_by_machines.to_vec();
    for name in names(home)? {
        used.extend(stored(home, &name).map(|image| image.layers).unwrap_or_default());
    }
    let dir = home.path("layers");
    for entry in fs::read_dir(&dir).doing(|| format!("list `{}`", dir.display()))?.flatten() {
        if !used.iter().any(|layer| entry.file_name() == layer.as_str()) {
            fs::remove_dir_all(entry.path())
                .doing(|| format!("remove layer `{}`", entry.path().display()))?;
        }
    }
    Ok(())
}

pub(super) fn layer_path(home: &Home, layer: &str) -> PathBuf {
    home.path("layers").join(layer)
}

/// The error for an image that nobody has made.
pub(super) fn unknown(home: &Home, name: &str) -> Error {
    let known = names(home).unwrap_or_default().join("`, `");
    let hint = if known.is_empty() { "there is none yet".into() } else { format!("there are `{known}`") };
    Error::new(format!("no snapshot `{name}`")).hint(hint)
}
