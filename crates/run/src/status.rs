//! What runs left on this machine, and what is booked on it: read, without a lock.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use pq_steps::ledger::Ledger;
use pq_store::{
    HostLock, Interrupted, Journal, LedgerFile, RUN_DIR, STATE_DIR, State, Transactions, began, is_of,
};
use pq_stream::{Diagnostic, HostStatus, RunLeft, TransactionLeft, system_cause};

/// What runs left on this machine; its name is left empty.
///
/// # Errors
/// Where the state directory cannot be read.
pub fn status() -> Result<HostStatus, Diagnostic> {
    read(Path::new(STATE_DIR), Path::new(RUN_DIR)).map_err(|error| {
        let told = Diagnostic::new(format!("cannot read what runs left in `{STATE_DIR}`"))
            .cause(system_cause(&error));
        match error.kind() {
            io::ErrorKind::PermissionDenied => told.hint("put `sudo` before it: only root can read that"),
            _ => told,
        }
    })
}

fn read(state: &Path, run: &Path) -> io::Result<HostStatus> {
    let at_work = HostLock::holder(run)?;
    let journal = Journal::new(state);
    let ledger = LedgerFile::load(state)?;
    // The journal of the run that is at work is no history either.
    let runs = journal
        .left()?
        .into_iter()
        .filter(|(name, _)| !is_of(name, at_work.as_deref()))
        .map(|(name, killed)| left(&name, killed));
    let transactions = Transactions::new(state).all()?.into_iter().map(|it| TransactionLeft {
        state: match it.state {
            State::Open => "open",
            State::Held => "held",
            State::Returning => "returning",
            State::Finishing => "finishing",
        }
        .to_owned(),
        id: it.id,
        since: it.since,
        command: it.command.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect(),
    });
    Ok(HostStatus {
        host: String::new(),
        changed: journal.last()?.map(|name| began(&name)),
        runs: runs.collect(),
        transactions: transactions.collect(),
        edited: ledger.ledger().accepted().map(|thing| thing.name.clone()).collect(),
        owners: owners(ledger.ledger()),
        at_work,
    })
}

fn left(name: &str, killed: Option<Interrupted>) -> RunLeft {
    RunLeft { began: began(name), killed: killed.is_some(), step: killed.and_then(|it| it.step) }
}

/// How many things of each kind each owner has.
fn owners(ledger: &Ledger) -> BTreeMap<String, BTreeMap<String, usize>> {
    let mut owners: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
    for owner in ledger.owners() {
        let kinds = owners.entry(owner.to_owned()).or_default();
        for (thing, _) in ledger.of_owner(owner) {
            *kinds.entry(thing.kind.word().to_owned()).or_default() += 1;
        }
    }
    owners
}

#[cfg(test)]
mod tests {
    use super::*;
    use pq_steps::ledger::{Entry, Thing, ThingKind, What};
    use pq_store::Records;
    use pq_stream::Outcome;
    use std::collections::BTreeSet;

    #[test]
    fn a_machine_without_a_run_has_nothing_to_tell() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(dir.path(), dir.path()).unwrap(), HostStatus::default());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "a look writes nothing");
    }

    #[test]
    fn runs_that_were_killed_or_failed_and_who_is_at_work_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let mut well = Records::open(dir.path()).unwrap();
        let thing = Thing::new(ThingKind::Unit, "wiki.service");
        let wanted = What::Wanted { owner: "wiki".to_owned(), before: false };
        well.ledger.enter(&[Entry { thing, what: wanted }]).unwrap();
        well.journal.begin("wiki/unit", "1").unwrap();
        well.journal.end("wiki/unit", Outcome::Changed).unwrap();
        well.close(true, &BTreeSet::from(["wiki/unit"])).unwrap();
        let mut failed = Journal::new(dir.path());
        failed.begin("wiki/site", "1").unwrap();
        failed.end("wiki/site", Outcome::Failed).unwrap();
        failed.close(false, &BTreeSet::new()).unwrap();
        let mut killed = Journal::new(dir.path());
        killed.begin("wiki/release", "1").unwrap();
        drop(killed);
        let is = read(dir.path(), dir.path()).unwrap();
        assert!(
            is.changed.as_deref().is_some_and(|it| it.len() == 20 && it.ends_with('Z')),
            "{:?}",
            is.changed
        );
        let steps: Vec<_> = is.runs.iter().map(|run| (run.killed, run.step.as_deref())).collect();
        assert_eq!(steps, [(false, None), (true, Some("wiki/release"))]);
        assert_eq!(is.owners["wiki"], BTreeMap::from([("unit".to_owned(), 1)]));
        assert_eq!(is.at_work, None);
        // These journals are of this process: while it has the lock, they are of the run that is at work.
        let mut lock = HostLock::take(dir.path()).unwrap();
        lock.name("pq-apply").unwrap();
        let is = read(dir.path(), dir.path()).unwrap();
        assert!(is.at_work.is_some_and(|holder| holder.starts_with("`pq-apply`")) && is.runs.is_empty());
    }
}
