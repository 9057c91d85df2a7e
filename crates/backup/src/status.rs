//! `pq-backup status` and `list`: how old backups are, and which there are.

use std::time::SystemTime;

use pq_stream::{Diagnostic, from_utc};

use crate::session::Session;
use crate::set::sets;
use crate::state::{Item, Known};

/// How one item is.
#[derive(Debug, Clone, PartialEq)]
pub struct Newest {
    /// The item.
    pub item: String,
    /// What is remembered of it.
    pub remembered: Item,
    /// Whether its newest backup is older than it may be, or there is none.
    pub late: bool,
    /// Whether nothing names it any more: what there is of it stays, and nothing new comes.
    pub unlisted: bool,
}

/// How every item and every target is, by what this machine remembers: no repository is asked.
pub fn status(session: &Session) -> (Vec<Newest>, Vec<(String, Option<Known>)>) {
    let setup = &session.setup;
    let now = SystemTime::now();
    let of = |name: &str, unlisted: bool| {
        let remembered = session.state.items.get(name).cloned().unwrap_or_default();
        let time = remembered.newest.as_ref().and_then(|made| from_utc(&made.when));
        // One of the future says nothing of how old it is.
        let age = time.and_then(|time| now.duration_since(time).ok());
        let late = age.is_none_or(|age| age.as_secs() > setup.strategy.max_age.seconds());
        Newest { item: name.to_owned(), remembered, late: late && !unlisted, unlisted }
    };
    let listed = setup.items.iter().map(|item| of(item.owner.as_str(), false));
    let gone =
        session.state.items.keys().filter(|name| !setup.items.iter().any(|it| it.owner.as_str() == *name));
    let items = listed.chain(gone.map(|name| of(name, true))).collect();
    let known = |name: &str| session.state.targets.get(name).cloned();
    let targets =
        setup.strategy.targets.iter().map(|it| (it.name.to_string(), known(it.name.as_str()))).collect();
    (items, targets)
}

/// A set in a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The item.
    pub item: String,
    /// Which set.
    pub set: String,
    /// When it was made.
    pub time: String,
    /// Bytes that are in it.
    pub size: u64,
    /// How many dumps it has.
    pub dumps: usize,
    /// Whether nothing is missing of it.
    pub complete: bool,
}

/// The whole sets of a repository, the oldest first: of an item, or of all.
///
/// # Errors
/// Where it cannot be read.
pub fn list(session: &Session, target: Option<&str>, item: Option<&str>) -> Result<Vec<Listed>, Diagnostic> {
    let restic = session.setup.restic(session.setup.target(target)?)?;
    let sets = sets(&restic, item).map_err(|failed| failed.why)?;
    let listed = sets.into_iter().filter(crate::set::Set::is_whole).map(|set| Listed {
        size: set.size(),
        dumps: set.dumps.len(),
        complete: set.is_complete(),
        item: set.item,
        set: set.id,
        time: set.time,
    });
    Ok(listed.collect())
}
