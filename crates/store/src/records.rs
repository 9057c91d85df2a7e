//! All that one run notes: its journal, the ledger, the files that it replaces.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use crate::{Before, Journal, LedgerFile, Maintenance, Transactions, Undo};

/// What one run notes. Nothing is written before something changes.
#[derive(Debug)]
pub struct Records {
    state: PathBuf,
    /// What is being changed.
    pub journal: Journal,
    /// Who wanted which thing, and what we wrote.
    pub ledger: LedgerFile,
    /// What files were before this run.
    pub undo: Undo,
    /// What is not finished.
    pub transactions: Transactions,
    /// About whom nobody is to be alarmed.
    pub maintenance: Maintenance,
}

impl Records {
    /// The records of a run that begins, under the state directory.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub fn open(state: &Path) -> io::Result<Self> {
        let (journal, ledger) = (Journal::new(state), LedgerFile::load(state)?);
        let undo = Undo::new(state, journal.run());
        let (transactions, maintenance) = (Transactions::new(state), Maintenance::new(state));
        Ok(Records { state: state.to_owned(), journal, ledger, undo, transactions, maintenance })
    }

    /// What stood at a path before the first of these runs that replaced it, oldest first; `None` where none did,
    /// `Some(None)` where nothing was there.
    ///
    /// # Errors
    /// Where what is kept of them cannot be read.
    pub fn before<'r>(
        &self,
        path: &str,
        runs: impl IntoIterator<Item = &'r String>,
    ) -> io::Result<Option<Option<Before>>> {
        for run in runs {
            if let Some(before) = Undo::load(&self.state, run)?.before(path)? {
                return Ok(Some(before));
            }
        }
        Ok(None)
    }

    /// The run is over; `plan` are the ids of all its steps.
    ///
    /// # Errors
    /// Where something cannot be written.
    pub fn close(self, well: bool, plan: &BTreeSet<&str>) -> io::Result<()> {
        self.ledger.close()?;
        let undo = self.undo;
        let needed = self.transactions.all()?.into_iter().flat_map(|it| it.runs);
        let needed: BTreeSet<String> = needed.chain(self.journal.close(well, plan)?).collect();
        undo.prune(&needed)
    }
}
