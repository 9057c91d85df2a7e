//! How large a backup of an item is expected to be, before it is made.

use std::path::Path;
use std::time::Duration;

use pq_items::BackupItem;
use pq_machine::{Until, usage};
use pq_stream::Diagnostic;

use crate::databases;
use crate::room::{Room, room};
use crate::session::Session;
use crate::state::Item;

/// How long sizes are read at most, of one item.
const MOST: Duration = Duration::from_secs(120);

/// What is always allowed for: what restic itself writes.
const LEAST: u64 = 16 << 20;

/// What is expected of one item.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Forecast {
    /// The item.
    pub item: String,
    /// Bytes that are in it, about.
    pub size: u64,
    /// Bytes that the next run adds to the repository, at most about.
    pub added: u64,
    /// Whether it was backed up before.
    pub known: bool,
    /// Where it would go; nothing where it would not fit anywhere.
    pub target: Option<String>,
    /// What is wrong with it already.
    pub wrong: Vec<Diagnostic>,
}

/// The room of each target that is on this machine, by its name.
pub type Rooms = Vec<(String, Room)>;

/// What is expected of every item, and the room that there is.
///
/// # Errors
/// Where there is no item of a name.
pub fn forecast(session: &Session, names: &[String]) -> Result<(Vec<Forecast>, Rooms), Diagnostic> {
    let setup = &session.setup;
    let targets = &setup.strategy.targets;
    let rooms: Rooms =
        targets.iter().filter_map(|target| Some((target.name.to_string(), room(target)?))).collect();
    let local = targets.iter().find(|target| target.directory().is_some());
    let away = targets.iter().find(|target| target.directory().is_none());
    let mut left = local.and_then(room).map_or(0, |room| room.left(setup.strategy.keep_free));
    let mut found = Vec::new();
    for item in setup.named(names)? {
        let mut it = expected(item, &setup.items, session.state.items.get(item.owner.as_str()));
        it.target = match (local, away) {
            (Some(target), _) if it.added <= left => {
                left -= it.added;
                Some(target.name.to_string())
            }
            (_, Some(target)) => Some(target.name.to_string()),
            _ => None,
        };
        for path in &item.paths.include {
            if !Path::new(path.as_str()).exists() {
                it.wrong.push(Diagnostic::new(format!("`{path}` of item `{}` is not there", item.owner)));
            }
        }
        found.push(it);
    }
    Ok((found, rooms))
}

/// What is expected of an item. One that was backed up before is taken to grow as it did; of a new one all is new.
pub fn expected(item: &BackupItem, all: &[BackupItem], before: Option<&Item>) -> Forecast {
    let name = item.owner.as_str().to_owned();
    if let Some(made) = before.and_then(|it| it.newest.as_ref()) {
        let added = (made.added * 2).max(LEAST);
        return Forecast { item: name, size: made.size, added, known: true, ..Forecast::default() };
    }
    let until = Until::within(MOST);
    let files: u64 = item
        .paths
        .include
        .iter()
        .filter_map(|path| usage(Path::new(path.as_str()), until))
        .map(|it| it.size)
        .sum();
    let (dumps, wrong) = match databases::dumps(item, all) {
        Ok(sources) => (sources.iter().map(databases::size).sum(), Vec::new()),
        Err(error) => (0, vec![error]),
    };
    let size: u64 = files + dumps;
    Forecast { item: name, size, added: size + LEAST, known: false, target: None, wrong }
}
