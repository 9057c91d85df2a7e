//! The write-ahead journal: what is being changed is on disk before it is.
//!
//! Always true here: a step's `begin` is synced before anything of the step is done, and its `end` after all of it
//! was read back. So a step with a `begin` and no `end` is the one that a kill interrupted. It tells what to report and
//! what to finish; what is left to do, every run sees by looking at the machine itself.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use pq_stream::Outcome;
use serde::{Deserialize, Serialize};

use pq_stream::utc;

/// Ended journals that are kept.
const KEPT: usize = 200;

/// One line of a journal.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
enum Entry {
    /// A step begins. `wanted` is the SHA-256 of the step as it came on the stream, secrets sealed.
    Begin { time: String, id: String, wanted: String },
    /// It ended.
    End { id: String, outcome: Outcome },
}

/// A run that did not end: the step that it was in, and since when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interrupted {
    /// The step's id; nothing where the run died between two steps.
    pub step: Option<String>,
    /// When that step began, in UTC.
    pub since: String,
}

/// The journal of one run; its file is made with the first step that changes something.
#[derive(Debug)]
pub struct Journal {
    dir: PathBuf,
    open: Option<(PathBuf, File)>,
}

impl Journal {
    /// The journal of a run that begins, under the state directory. Nothing is written yet.
    pub fn new(state: &Path) -> Self {
        Journal { dir: state.to_owned(), open: None }
    }

    /// Notes that a step begins, and waits until that is on disk.
    ///
    /// # Errors
    /// Where it cannot be written; the step must not be done then.
    pub fn begin(&mut self, id: &str, wanted: &str) -> io::Result<()> {
        let entry =
            Entry::Begin { time: utc(SystemTime::now()), id: id.to_owned(), wanted: wanted.to_owned() };
        self.append(&entry)
    }

    /// Notes how a step ended.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn end(&mut self, id: &str, outcome: Outcome) -> io::Result<()> {
        self.append(&Entry::End { id: id.to_owned(), outcome })
    }

    /// The run is over, and with it what earlier ones left: their journals become history.
    ///
    /// # Errors
    /// Where they cannot be moved.
    pub fn close(self) -> io::Result<()> {
        self.open_journals()?.iter().try_for_each(|path| self.archive(path))
    }

    /// Runs that did not end, oldest first, before this one begins. Call it with the host's lock held.
    ///
    /// # Errors
    /// Where the journals cannot be read.
    pub fn interrupted(&self) -> io::Result<Vec<Interrupted>> {
        let mut found = Vec::new();
        for path in self.open_journals()? {
            let text = fs::read_to_string(&path)?;
            let mut last = Interrupted { step: None, since: String::new() };
            // The last line of a killed run may be cut.
            for entry in text.lines().filter_map(|line| serde_json::from_str(line).ok()) {
                match entry {
                    Entry::Begin { time, id, .. } => last = Interrupted { step: Some(id), since: time },
                    Entry::End { .. } => last.step = None,
                }
            }
            found.push(last);
        }
        Ok(found)
    }

    /// The journals that are no history yet, oldest first.
    fn open_journals(&self) -> io::Result<Vec<PathBuf>> {
        let mut paths = match fs::read_dir(self.dir.join("journal")) {
            Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        paths.sort();
        Ok(paths)
    }

    fn append(&mut self, entry: &Entry) -> io::Result<()> {
        let mut line = serde_json::to_string(entry)?;
        line.push('\n');
        let file = self.file()?;
        file.write_all(line.as_bytes())?;
        file.sync_data()
    }

    fn file(&mut self) -> io::Result<&mut File> {
        if self.open.is_none() {
            let dir = self.dir.join("journal");
            DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
            let name = format!("{}-{}.ndjson", utc(SystemTime::now()).replace(':', ""), std::process::id());
            let path = dir.join(name);
            let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(&path)?;
            File::open(&dir)?.sync_all()?;
            self.open = Some((path, file));
        }
        match &mut self.open {
            Some((_, file)) => Ok(file),
            None => Err(io::Error::other("no journal")),
        }
    }

    fn archive(&self, path: &Path) -> io::Result<()> {
        let history = self.dir.join("history");
        DirBuilder::new().recursive(true).mode(0o700).create(&history)?;
        if let Some(name) = path.file_name() {
            fs::rename(path, history.join(name))?;
        }
        let mut old =
            fs::read_dir(&history)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
        old.sort();
        for path in &old[..old.len().saturating_sub(KEPT)] {
            fs::remove_file(path)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_without_changes_writes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::new(dir.path());
        assert_eq!(journal.interrupted().unwrap(), []);
        journal.close().unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_killed_run_is_known_by_the_step_that_it_was_in() {
        let dir = tempfile::tempdir().unwrap();
        let mut killed = Journal::new(dir.path());
        killed.begin("wiki/dir", "1").unwrap();
        killed.end("wiki/dir", Outcome::Changed).unwrap();
        killed.begin("wiki/site", "2").unwrap();
        drop(killed);
        let next = Journal::new(dir.path());
        let found = next.interrupted().unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].step.as_deref(), Some("wiki/site"));
        // It stays known until a run comes to its end.
        assert_eq!(next.interrupted().unwrap(), found);
        next.close().unwrap();
        assert_eq!(Journal::new(dir.path()).interrupted().unwrap(), []);
        assert_eq!(fs::read_dir(dir.path().join("history")).unwrap().count(), 1);
    }

    #[test]
    fn a_run_that_ended_is_history() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = Journal::new(dir.path());
        journal.begin("wiki/dir", "1").unwrap();
        journal.end("wiki/dir", Outcome::Changed).unwrap();
        journal.close().unwrap();
        assert_eq!(Journal::new(dir.path()).interrupted().unwrap(), []);
    }
}
