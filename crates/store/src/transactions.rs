//! Transactions that are not finished: one file each, from before their first change until they are done or undone.
//!
//! Always true here: as long as something of a transaction may be half-way, its file is on disk, with all that is needed to
//! undo it without the plan and without a secret.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use pq_stream::Step;
use serde::{Deserialize, Serialize};

use crate::replace::replace;

/// What may be done about a transaction that is not finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Its run was killed: the same plan goes on with it, everything else undoes it.
    Open,
    /// The operator interrupted it: nothing touches it until they decide.
    Held,
    /// It is being undone.
    Returning,
    /// All of its steps are done, and what comes behind them is: nothing of it is undone any more.
    Finishing,
}

/// A transaction that is not finished.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Unfinished {
    /// The id of its step.
    pub id: String,
    /// SHA-256 of its step.
    pub digest: String,
    /// When it began, in UTC.
    pub since: String,
    /// The command that began it.
    pub command: String,
    /// What may be done about it.
    pub state: State,
    /// The runs that worked on it, oldest first: their old files come back when it is undone.
    pub runs: Vec<String>,
    /// The files and links that its steps write.
    pub places: Vec<String>,
    /// Whether a timer undoes it, should its run die before somebody came in anew.
    #[serde(default)]
    pub guarded: bool,
    /// The ids of its steps whose work is brought back by `rollback` alone.
    #[serde(default)]
    pub beyond: Vec<String>,
    /// The steps that undo the rest, in their order.
    pub rollback: Vec<Step>,
    /// The steps that undo something before files and links come back.
    #[serde(default)]
    pub data: Vec<Step>,
    /// The steps that finish it once all others are done.
    #[serde(default)]
    pub finish: Vec<Step>,
    /// Whether the same plan goes on with it.
    #[serde(default = "yes")]
    pub resumes: bool,
    /// What is said of its owner once it is undone.
    #[serde(default)]
    pub undone: Option<String>,
}

fn yes() -> bool {
    true
}

/// All transactions of a machine that are not finished.
#[derive(Debug)]
pub struct Transactions {
    dir: PathBuf,
}

impl Transactions {
    /// Those under a state directory. Nothing is written yet.
    pub fn new(state: &Path) -> Self {
        Transactions { dir: state.join("transactions") }
    }

    /// All of them, oldest first.
    ///
    /// # Errors
    /// Where one cannot be read.
    pub fn all(&self) -> io::Result<Vec<Unfinished>> {
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut all: Vec<Unfinished> = Vec::new();
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                all.push(serde_json::from_slice(&fs::read(&path)?)?);
            }
        }
        all.sort_by(|one, other| one.since.cmp(&other.since));
        Ok(all)
    }

    /// Writes one down, and waits until that is on disk.
    ///
    /// # Errors
    /// Where it cannot be written; nothing of it must be done then.
    pub fn write(&self, unfinished: &Unfinished) -> io::Result<()> {
        replace(&self.path(&unfinished.id), &serde_json::to_vec(unfinished)?)
    }

    /// Takes one away: it is finished.
    ///
    /// # Errors
    /// Where it cannot be removed.
    pub fn finish(&self, id: &str) -> io::Result<()> {
        gone(&self.confirmed(id))?;
        gone(&self.path(id))?;
        File::open(&self.dir)?.sync_all()
    }

    /// Notes that what it waits for was seen.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn confirm(&self, id: &str) -> io::Result<()> {
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(self.confirmed(id))
            .map(drop)
    }

    /// Whether what it waits for was seen.
    pub fn is_confirmed(&self, id: &str) -> bool {
        self.confirmed(id).exists()
    }

    /// Forgets that what it waits for was seen: for one that begins, or goes on.
    ///
    /// # Errors
    /// Where it cannot be removed.
    pub fn unconfirm(&self, id: &str) -> io::Result<()> {
        gone(&self.confirmed(id))
    }

    fn confirmed(&self, id: &str) -> PathBuf {
        self.path(id).with_extension("confirmed")
    }

    fn path(&self, id: &str) -> PathBuf {
        self.dir.join(format!("{}.json", id.replace('/', "+")))
    }
}

/// Removes a file that need not be there.
fn gone(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_is_known_until_it_is_finished() {
        let dir = tempfile::tempdir().unwrap();
        let all = Transactions::new(dir.path());
        assert_eq!(all.all().unwrap(), []);
        let mut one = Unfinished {
            id: "wiki/upgrade".to_owned(),
            digest: "0".to_owned(),
            since: "2026-11-23T00:00:00Z".to_owned(),
            command: "pq-upgrade wiki".to_owned(),
            state: State::Open,
            runs: vec!["r".to_owned()],
            places: Vec::new(),
            guarded: false,
            beyond: Vec::new(),
            rollback: Vec::new(),
            data: Vec::new(),
            finish: Vec::new(),
            resumes: true,
            undone: None,
        };
        all.write(&one).unwrap();
        one.state = State::Held;
        all.write(&one).unwrap();
        assert_eq!(all.all().unwrap(), [one]);
        assert!(!all.is_confirmed("wiki/upgrade"));
        all.confirm("wiki/upgrade").unwrap();
        assert!(all.is_confirmed("wiki/upgrade") && all.all().unwrap().len() == 1);
        all.finish("wiki/upgrade").unwrap();
        assert!(!all.is_confirmed("wiki/upgrade"));
        assert_eq!(all.all().unwrap(), []);
    }
}
