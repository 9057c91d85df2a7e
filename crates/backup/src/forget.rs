//! `pq-backup forget`: sets that are past their time go, and what only they had.
//!
//! Always true here: what goes is chosen by what the repository says now, set by set; with `look` nothing goes.

use std::collections::BTreeMap;
use std::time::SystemTime;

use pq_items::Target;
use pq_stream::Diagnostic;

use crate::keep::goes;
use crate::restic::Restic;
use crate::session::{Session, Teller};
use crate::set::{Set, sets};

/// Most snapshots that are named in one call: arguments have a limit.
const MOST: usize = 2000;

/// What became of the sets of one item in one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forgotten {
    /// The target.
    pub target: String,
    /// The item.
    pub item: String,
    /// How many whole sets stay.
    pub stay: usize,
    /// Those that go, or would.
    pub gone: Vec<Set>,
}

/// Forgets in every target that this machine may delete from; with `look`, says what would go.
///
/// # Errors
/// Where a repository cannot be read or changed; what was forgotten before stays so.
pub fn forget(
    session: &mut Session,
    target: Option<&str>,
    look: bool,
    told: &mut dyn Teller,
) -> Result<Vec<Forgotten>, Diagnostic> {
    let targets: Vec<Target> = match target {
        Some(name) => vec![session.setup.target(Some(name))?.clone()],
        None => session.setup.strategy.targets.iter().filter(|target| !target.append_only).cloned().collect(),
    };
    let mut found = Vec::new();
    for target in targets {
        if target.append_only {
            return Err(Diagnostic::new(format!(
                "target `{}` only takes: nothing of it can be deleted from here",
                target.name
            ))
            .hint("what it keeps is decided where it is: `pq-backup peer` there"));
        }
        if !session.state.targets.contains_key(target.name.as_str()) {
            continue;
        }
        let restic = session.setup.restic(&target)?;
        found.extend(one(session, &target, &restic, look, told)?);
    }
    Ok(found)
}

fn one(
    session: &Session,
    target: &Target,
    restic: &Restic,
    look: bool,
    told: &mut dyn Teller,
) -> Result<Vec<Forgotten>, Diagnostic> {
    let setup = &session.setup;
    let all: Vec<Set> = sets(restic, None).map_err(|failed| failed.why)?;
    let mut by_item: BTreeMap<&str, Vec<&Set>> = BTreeMap::new();
    for set in all.iter().filter(|set| set.host == setup.host) {
        by_item.entry(&set.item).or_default().push(set);
    }
    let (now, mut found, mut ids) = (SystemTime::now(), Vec::new(), Vec::new());
    for (item, sets) in by_item {
        let keep = setup.items.iter().find(|it| it.owner.as_str() == item).and_then(|it| it.retention);
        let gone = goes(&sets, keep.unwrap_or(setup.strategy.retention), now);
        // The one that makes a set whole goes first: who is killed in between leaves none that lacks something.
        for set in &gone {
            ids.extend(set.files.iter().chain(set.dumps.values()).map(|it| it.id.clone()));
        }
        let stay = sets.iter().filter(|set| set.is_whole()).count()
            - gone.iter().filter(|set| set.is_whole()).count();
        found.push(Forgotten {
            target: target.name.to_string(),
            item: item.to_owned(),
            stay,
            gone: gone.into_iter().cloned().collect(),
        });
    }
    if look {
        return Ok(found);
    }
    for ids in ids.chunks(MOST) {
        let args: Vec<String> = ["forget".to_owned()].into_iter().chain(ids.iter().cloned()).collect();
        restic.call("forget", &args, &mut |_| {}).map_err(|failed| failed.why)?;
    }
    // Also where nothing went: one that was killed left what nobody needs.
    told.progress("prune", 0.0);
    restic.call("prune", &["prune".to_owned()], &mut |_| {}).map_err(|failed| failed.why)?;
    Ok(found)
}
