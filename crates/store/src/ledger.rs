//! The ledger's file: entries are appended, and are on disk before what they tell of is done.
//!
//! Always true here: whatever kills a run, the file holds whole lines, and perhaps one that was cut at its end, which
//! the next to append takes away.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use pq_steps::ledger::{Entry, LEDGER, Ledger};

use crate::append::append;

/// The ledger of a machine, and the file that it is kept in.
#[derive(Debug)]
pub struct LedgerFile {
    path: PathBuf,
    ledger: Ledger,
    open: Option<File>,
}

impl LedgerFile {
    /// Reads the ledger in a state directory; there need not be one. Nothing is written yet.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn load(state: &Path) -> io::Result<Self> {
        let name = Path::new(LEDGER).file_name().unwrap_or_default();
        let path = state.join(name);
        let ledger = match fs::read(&path) {
            Ok(bytes) => Ledger::parse(&bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ledger::default(),
            Err(error) => return Err(error),
        };
        Ok(LedgerFile { path, ledger, open: None })
    }

    /// Reads it again: somebody else wrote it.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn reload(&mut self) -> io::Result<()> {
        let state = self.path.parent().unwrap_or(Path::new("/"));
        *self = LedgerFile::load(state)?;
        Ok(())
    }

    /// What it says.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Enters something, and waits until that is on disk.
    ///
    /// # Errors
    /// Where it cannot be written; what it tells of must not be done then.
    pub fn enter(&mut self, entries: &[Entry]) -> io::Result<()> {
        if entries.is_empty() {
            return Ok(());
        }
        let text = lines(entries)?;
        if let Err(error) = append(self.file()?, &text, File::sync_all) {
            // Opened again, it is written on from where its whole lines end.
            self.open = None;
            return Err(error);
        }
        entries.iter().for_each(|entry| self.ledger.take(entry));
        Ok(())
    }

    /// Writes it anew where it says much that later entries changed.
    ///
    /// # Errors
    /// Where it cannot be written; the old one is intact then.
    pub fn close(self) -> io::Result<()> {
        if self.open.is_none() || !self.ledger.is_long() {
            return Ok(());
        }
        let beside = self.path.with_extension("ndjson.pq-tmp");
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        file.write_all(lines(&self.ledger.entries())?.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, &self.path)?;
        self.path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
    }

    fn file(&mut self) -> io::Result<&mut File> {
        if self.open.is_none() {
            let dir = self.path.parent().unwrap_or(Path::new("/"));
            DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
            let mut options = OpenOptions::new();
            let mut file =
                options.read(true).write(true).create(true).truncate(false).mode(0o600).open(&self.path)?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            file.set_len(whole as u64)?;
            file.seek(SeekFrom::End(0))?;
            File::open(dir)?.sync_all()?;
            self.open = Some(file);
        }
        self.open.as_mut().ok_or_else(|| io::Error::other("no ledger"))
    }
}

fn lines(entries: &[Entry]) -> io::Result<String> {
    let mut text = String::new();
    for entry in entries {
        text.push_str(&serde_json::to_string(entry)?);
        text.push('\n');
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use pq_steps::ledger::{Thing, ThingKind, What};

    use super::*;

    fn wanted(name: &str) -> Entry {
        let what = What::Wanted { owner: "wiki".to_owned(), before: false };
        Entry { thing: Thing::new(ThingKind::Package, name), what }
    }

    #[test]
    fn what_was_entered_is_there_again_and_a_line_that_was_cut_does_not_spoil_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let mut ledger = LedgerFile::load(dir.path()).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        ledger.enter(&[wanted("nginx")]).unwrap();
        let path = dir.path().join("ledger.ndjson");
        let whole = fs::read(&path).unwrap();
        fs::write(&path, [&whole[..], b"{\"kind\":\"pack"].concat()).unwrap();
        LedgerFile::load(dir.path()).unwrap().enter(&[wanted("cron")]).unwrap();
        let ledger = LedgerFile::load(dir.path()).unwrap();
        assert_eq!(ledger.ledger().of_owner("wiki").len(), 2);
    }

    #[test]
    fn a_ledger_that_became_long_is_written_anew() {
        let dir = tempfile::tempdir().unwrap();
        let mut ledger = LedgerFile::load(dir.path()).unwrap();
        let hash = |number: usize| What::Written { hash: format!("{number}") };
        let thing = Thing::new(ThingKind::File, "/etc/x");
        let entries: Vec<Entry> =
            (0..600).map(|number| Entry { thing: thing.clone(), what: hash(number) }).collect();
        ledger.enter(&entries).unwrap();
        let known = ledger.ledger().get(&thing).cloned();
        ledger.close().unwrap();
        let text = fs::read_to_string(dir.path().join("ledger.ndjson")).unwrap();
        assert_eq!(text.lines().count(), 8);
        let again = LedgerFile::load(dir.path()).unwrap();
        assert_eq!(again.ledger().get(&thing).unwrap().hashes, known.unwrap().hashes);
    }
}
