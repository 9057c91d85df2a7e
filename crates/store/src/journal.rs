//! The write-ahead journal: what is being changed is on disk before it is.
//!
//! Always true here: a step's `begin` is synced before anything of the step is done (of the packages in one
//! transaction, that of the first), and its `end` after all of it was read back. So a step with a `begin` and no `end` is the one that a kill interrupted. A journal becomes history
//! once a run came to a good end: until then, what was begun is known to have been. It tells what to report, what to
//! finish and whose health to ask; what is left to do, every run sees by looking at the machine itself.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use pq_stream::{Outcome, utc};
use serde::{Deserialize, Serialize};

use crate::append::append;

/// Ended journals that are kept.
const KEPT: usize = 200;

/// Journals of runs that came to no good end, and that are kept as such.
const PENDING: usize = 50;

/// One line of a journal.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
enum Entry {
    /// A step begins. `wanted` is the SHA-256 of the step as it came on the stream, secrets sealed.
    Begin { time: String, id: String, wanted: String },
    /// It ended.
    End { id: String, outcome: Outcome },
    /// The run came to its end, and something in it had failed.
    Failed,
}

/// What earlier runs began and none has brought to a good end since.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Earlier {
    /// Runs that were killed, oldest first.
    pub killed: Vec<Interrupted>,
    /// The ids of all steps that were begun, whatever became of them.
    pub begun: BTreeSet<String>,
    /// The names of the runs that began them, oldest first.
    pub runs: Vec<String>,
}

impl Earlier {
    /// Whether an earlier run was killed within this step.
    pub fn killed_within(&self, id: &str) -> bool {
        self.killed.iter().any(|it| it.step.as_deref() == Some(id))
    }
}

/// A run that was killed: the step that it was in, and since when.
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
    run: String,
    open: Option<File>,
}

impl Journal {
    /// The journal of a run that begins, under the state directory. Nothing is written yet.
    pub fn new(state: &Path) -> Self {
        let now = SystemTime::now();
        let fraction = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.subsec_nanos());
        let run = format!("{}-{fraction:09}-{}", utc(now).replace(':', ""), std::process::id());
        Journal { dir: state.to_owned(), run, open: None }
    }

    /// The name of this run, by which later ones sort behind it.
    pub fn run(&self) -> &str {
        &self.run
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

    /// The run is over. If all is well, its journal becomes history, and what earlier ones left of the steps that it
    /// had in its plan. Of those whose steps nobody plans any more, the oldest follow once there are many. Answers which
    /// runs are no history.
    ///
    /// # Errors
    /// Where they cannot be read, written or moved.
    pub fn close(mut self, well: bool, plan: &BTreeSet<&str>) -> io::Result<Vec<String>> {
        if !well && self.open.is_some() {
            self.append(&Entry::Failed)?;
        }
        let mut left = Vec::new();
        for path in self.pending()? {
            let mut begun = BTreeSet::new();
            note(&path, &mut begun)?;
            let own = name(&path) == self.run;
            match well && (own || begun.iter().all(|id| plan.contains(id.as_str()))) {
                true => self.archive(&path)?,
                false => left.push(path),
            }
        }
        let many = left.len().saturating_sub(PENDING);
        left.drain(..many).try_for_each(|path| self.archive(&path))?;
        Ok(left.iter().map(|path| name(path)).collect())
    }

    /// The last run in which a step was done, whatever else became of that run; its name.
    ///
    /// # Errors
    /// Where the journals cannot be read.
    pub fn last_done(&self, id: &str) -> io::Result<Option<String>> {
        let mut all = listed(&self.dir.join("history"))?;
        all.extend(self.pending()?);
        all.sort_by_key(|path| name(path));
        for path in all.iter().rev() {
            let text = fs::read_to_string(path)?;
            let done = |entry| matches!(entry, Entry::End { id: it, outcome: Outcome::Changed } if it == id);
            if text.lines().filter_map(|line| serde_json::from_str(line).ok()).any(done) {
                return Ok(Some(name(path)));
            }
        }
        Ok(None)
    }

    /// What earlier runs left, before this one begins. Call it with the host's lock held.
    ///
    /// # Errors
    /// Where the journals cannot be read.
    pub fn earlier(&self) -> io::Result<Earlier> {
        self.earlier_but(None)
    }

    /// The same for who only looks, without the run that is at work now, as its lock's holder says.
    ///
    /// # Errors
    /// Where the journals cannot be read.
    pub fn earlier_but(&self, at_work: Option<&str>) -> io::Result<Earlier> {
        let mut earlier = Earlier::default();
        for path in self.pending()?.into_iter().filter(|path| !is_of(&name(path), at_work)) {
            earlier.killed.extend(note(&path, &mut earlier.begun)?);
            earlier.runs.push(name(&path));
        }
        Ok(earlier)
    }

    /// Each run that came to no good end, oldest first: its name, and where it was killed.
    ///
    /// # Errors
    /// Where the journals cannot be read.
    pub fn left(&self) -> io::Result<Vec<(String, Option<Interrupted>)>> {
        let mut left = Vec::new();
        for path in self.pending()? {
            left.push((name(&path), note(&path, &mut BTreeSet::new())?));
        }
        Ok(left)
    }

    /// The name of the last run that came to a good end, of those that changed something.
    ///
    /// # Errors
    /// Where the history cannot be read.
    pub fn last(&self) -> io::Result<Option<String>> {
        Ok(listed(&self.dir.join("history"))?.last().map(|path| name(path)))
    }

    /// The journals that are no history yet, oldest first.
    fn pending(&self) -> io::Result<Vec<PathBuf>> {
        listed(&self.dir.join("journal"))
    }

    fn append(&mut self, entry: &Entry) -> io::Result<()> {
        let mut line = serde_json::to_string(entry)?;
        line.push('\n');
        append(self.file()?, &line, File::sync_data)
    }

    fn file(&mut self) -> io::Result<&mut File> {
        if self.open.is_none() {
            let dir = self.dir.join("journal");
            DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
            let path = dir.join(format!("{}.ndjson", self.run));
            let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(&path)?;
            File::open(&dir)?.sync_all()?;
            self.open = Some(file);
        }
        self.open.as_mut().ok_or_else(|| io::Error::other("no journal"))
    }

    fn archive(&self, path: &Path) -> io::Result<()> {
        let history = self.dir.join("history");
        DirBuilder::new().recursive(true).mode(0o700).create(&history)?;
        if let Some(name) = path.file_name() {
            let to = history.join(name);
            match fs::rename(path, &to) {
                // Somebody keeps the history elsewhere.
                Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                    fs::copy(path, &to).and_then(|_| fs::remove_file(path))?;
                }
                other => other?,
            }
        }
        let old = listed(&history)?;
        for path in &old[..old.len().saturating_sub(KEPT)] {
            fs::remove_file(path)?;
        }
        Ok(())
    }
}

/// The journals in a directory, oldest first; none where there is no directory.
fn listed(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = match fs::read_dir(dir) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    paths.sort();
    Ok(paths)
}

/// The name of the run whose journal this is.
fn name(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// Whether a run of that name is the one of whom the host's lock says `` `pq-apply`, process 17, since … ``.
pub fn is_of(run: &str, holder: Option<&str>) -> bool {
    let process = run.rsplit('-').next().unwrap_or_default();
    holder.is_some_and(|holder| holder.contains(&format!(", process {process},")))
}

/// When the run of that name began, in UTC.
pub fn began(run: &str) -> String {
    // `2026-11-27T011728Z-000000000-123`, as `Journal::new` makes it.
    let time = run.get(..18).unwrap_or(run);
    match (time.get(..13), time.get(13..15), time.get(15..)) {
        (Some(hour), Some(minute), Some(second)) => format!("{hour}:{minute}:{second}"),
        _ => time.to_owned(),
    }
}

/// Notes the steps that a journal says were begun; answers where its run was killed, unless it came to an end.
fn note(path: &Path, begun: &mut BTreeSet<String>) -> io::Result<Option<Interrupted>> {
    let text = fs::read_to_string(path)?;
    let mut last = Some(Interrupted { step: None, since: String::new() });
    // The last line of a killed run may be cut.
    for entry in text.lines().filter_map(|line| serde_json::from_str(line).ok()) {
        match entry {
            Entry::Begin { time, id, .. } => {
                begun.insert(id.clone());
                last = Some(Interrupted { step: Some(id), since: time });
            }
            Entry::End { .. } => {
                if let Some(last) = &mut last {
                    last.step = None;
                }
            }
            Entry::Failed => last = None,
        }
    }
    Ok(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_without_changes_writes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::new(dir.path());
        assert_eq!(journal.earlier().unwrap(), Earlier::default());
        journal.close(true, &BTreeSet::new()).unwrap();
        Journal::new(dir.path()).close(false, &BTreeSet::new()).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_killed_run_is_known_until_one_came_to_a_good_end() {
        let dir = tempfile::tempdir().unwrap();
        let mut killed = Journal::new(dir.path());
        killed.begin("wiki/dir", "1").unwrap();
        killed.end("wiki/dir", Outcome::Changed).unwrap();
        killed.begin("wiki/site", "2").unwrap();
        drop(killed);
        let mut next = Journal::new(dir.path());
        let earlier = next.earlier().unwrap();
        assert_eq!(earlier.killed.len(), 1);
        assert!(earlier.killed_within("wiki/site") && !earlier.killed_within("wiki/dir"));
        assert_eq!(earlier.begun.iter().collect::<Vec<_>>(), ["wiki/dir", "wiki/site"]);
        next.begin("wiki/health", "3").unwrap();
        next.end("wiki/health", Outcome::Failed).unwrap();
        next.close(false, &BTreeSet::new()).unwrap();
        // A run that failed was not killed, but what it began is still open.
        let last = Journal::new(dir.path());
        let earlier = last.earlier().unwrap();
        assert_eq!((earlier.killed.len(), earlier.begun.len()), (1, 3));
        // A plan without these steps says nothing about them.
        last.close(true, &BTreeSet::from(["server/dir"])).unwrap();
        let last = Journal::new(dir.path());
        assert_eq!(last.earlier().unwrap(), earlier);
        last.close(true, &BTreeSet::from(["wiki/dir", "wiki/site", "wiki/health"])).unwrap();
        assert_eq!(Journal::new(dir.path()).earlier().unwrap(), Earlier::default());
        assert_eq!(fs::read_dir(dir.path().join("history")).unwrap().count(), 2);
    }
}
