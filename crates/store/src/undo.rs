//! What files and links were before a run replaced them, so that they can come back: `undo/<run>/`, for root alone.
//!
//! Always true here: a file's old content is on disk before the new one takes its place; of a file that was not there, that
//! is noted. Of one file a run keeps what was there before its first change.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::append::append;

/// Runs whose old files are kept.
const KEPT: usize = 50;

/// What stood at a path before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Before {
    /// A file.
    File {
        /// Its bytes.
        content: Vec<u8>,
        /// Its permission bits.
        mode: u32,
        /// Its owner.
        owner: String,
        /// Its group.
        group: String,
    },
    /// A symbolic link.
    Link {
        /// Where it pointed.
        target: String,
    },
}

/// A line of a run's list.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    path: String,
    #[serde(flatten)]
    was: Was,
}

/// What stood there, as the list has it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "was", rename_all = "snake_case")]
enum Was {
    Nothing,
    File { copy: String, mode: u32, owner: String, group: String },
    Link { target: String },
}

/// The old files of one run.
#[derive(Debug)]
pub struct Undo {
    all: PathBuf,
    dir: PathBuf,
    lines: Vec<Line>,
}

impl Undo {
    /// The old files of a run, under the state directory. Nothing is written yet.
    pub fn new(state: &Path, run: &str) -> Self {
        let all = state.join("undo");
        Undo { dir: all.join(run), all, lines: Vec::new() }
    }

    /// The old files of a run that was before this one.
    ///
    /// # Errors
    /// Where its list cannot be read; there need not be one.
    pub fn load(state: &Path, run: &str) -> io::Result<Self> {
        let mut undo = Undo::new(state, run);
        match fs::read_to_string(undo.dir.join("list.ndjson")) {
            // The last line of a killed run may be cut: what it tells of was not replaced.
            Ok(text) => {
                undo.lines = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(undo)
    }

    /// Keeps what stands at a path now, unless that was done before in this run.
    ///
    /// # Errors
    /// Where it cannot be written; the file must not be replaced then.
    pub fn keep(&mut self, path: &str, before: Option<&Before>) -> io::Result<()> {
        if self.lines.iter().any(|line| line.path == path) {
            return Ok(());
        }
        DirBuilder::new().recursive(true).mode(0o700).create(&self.dir)?;
        let was = match before {
            None => Was::Nothing,
            Some(Before::Link { target }) => Was::Link { target: target.clone() },
            Some(Before::File { content, mode, owner, group }) => {
                let copy = format!("{:04}", self.lines.len());
                let mut file = fresh(&self.dir.join(&copy))?;
                file.write_all(content)?;
                file.sync_all()?;
                Was::File { copy, mode: *mode, owner: owner.clone(), group: group.clone() }
            }
        };
        let line = Line { path: path.to_owned(), was };
        let mut list =
            OpenOptions::new().append(true).create(true).mode(0o600).open(self.dir.join("list.ndjson"))?;
        append(&mut list, &format!("{}\n", serde_json::to_string(&line)?), File::sync_all)?;
        File::open(&self.dir)?.sync_all()?;
        self.lines.push(line);
        Ok(())
    }

    /// What stood at a path before this run: `None` where the run did not touch it, `Some(None)` where nothing was there.
    ///
    /// # Errors
    /// Where its copy cannot be read.
    pub fn before(&self, path: &str) -> io::Result<Option<Option<Before>>> {
        let Some(line) = self.lines.iter().find(|line| line.path == path) else { return Ok(None) };
        Ok(Some(match line.was.clone() {
            Was::Nothing => None,
            Was::Link { target } => Some(Before::Link { target }),
            Was::File { copy, mode, owner, group } => {
                Some(Before::File { content: fs::read(self.dir.join(copy))?, mode, owner, group })
            }
        }))
    }

    /// The paths whose old state is kept.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(|line| line.path.as_str())
    }

    /// Where the old files are.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Takes away what runs long ago kept, but for those that are still needed.
    ///
    /// # Errors
    /// Where it cannot be removed.
    pub fn prune(&self, needed: &BTreeSet<String>) -> io::Result<()> {
        if self.lines.is_empty() {
            return Ok(());
        }
        let mut runs =
            fs::read_dir(&self.all)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
        runs.sort();
        let old = &runs[..runs.len().saturating_sub(KEPT)];
        let is_needed = |run: &&PathBuf| {
            run.file_name().is_some_and(|name| needed.contains(name.to_string_lossy().as_ref()))
        };
        old.iter().filter(|run| !is_needed(run)).try_for_each(fs::remove_dir_all)
    }
}

fn fresh(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn before(content: &str) -> Before {
        let root = || "root".to_owned();
        Before::File { content: content.into(), mode: 0o640, owner: root(), group: root() }
    }

    #[test]
    fn what_was_there_first_comes_back_also_to_another_run() {
        let dir = tempfile::tempdir().unwrap();
        let mut undo = Undo::new(dir.path(), "one");
        undo.prune(&BTreeSet::new()).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        undo.keep("/etc/a", Some(&before("old"))).unwrap();
        undo.keep("/etc/b", None).unwrap();
        let link = Before::Link { target: "../x".to_owned() };
        undo.keep("/etc/l", Some(&link)).unwrap();
        undo.keep("/etc/a", Some(&before("newer"))).unwrap();
        let later = Undo::load(dir.path(), "one").unwrap();
        assert_eq!(later.before("/etc/a").unwrap(), Some(Some(before("old"))));
        assert_eq!(later.before("/etc/b").unwrap(), Some(None));
        assert_eq!(later.before("/etc/l").unwrap(), Some(Some(link)));
        assert_eq!(later.before("/etc/c").unwrap(), None);
        assert_eq!(Undo::load(dir.path(), "two").unwrap().paths().count(), 0);
    }

    #[test]
    fn runs_long_ago_are_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        for run in 0..KEPT + 3 {
            let mut undo = Undo::new(dir.path(), &format!("{run:04}"));
            undo.keep("/etc/a", None).unwrap();
            undo.prune(&BTreeSet::from(["0001".to_owned()])).unwrap();
        }
        assert_eq!(fs::read_dir(dir.path().join("undo")).unwrap().count(), KEPT + 1);
        assert!(Undo::load(dir.path(), "0000").unwrap().before("/etc/a").unwrap().is_none());
        let needed = Undo::load(dir.path(), "0001").unwrap();
        assert_eq!(needed.before("/etc/a").unwrap(), Some(None), "a transaction may need it");
    }
}
