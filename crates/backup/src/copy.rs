//! `pq-backup copy`: what is in the repository of this machine goes to the other targets.
//!
//! Always true here: of a set, the snapshot that makes it whole is copied last, so a copy that was cut leaves whole sets and no other.

use std::collections::BTreeSet;
use std::time::SystemTime;

use pq_items::Target;
use pq_stream::{Diagnostic, utc};

use crate::restic::Restic;
use crate::session::{Session, Teller};
use crate::set::{Set, sets};

/// Most snapshots that are named in one call.
const MOST: usize = 500;

/// What went to one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// The target.
    pub target: String,
    /// How many sets are there now that were not.
    pub sets: usize,
}

/// Copies to each target beside the first one that is on this machine. One that fails stops no other; all that failed are
/// answered.
///
/// # Errors
/// Where there is nothing to copy from.
pub fn copy(
    session: &mut Session,
    only: Option<&str>,
    told: &mut dyn Teller,
) -> Result<(Vec<Copied>, Vec<Diagnostic>), Diagnostic> {
    let targets = session.setup.strategy.targets.clone();
    let Some(from) = targets.iter().find(|target| target.directory().is_some()) else {
        // What a run wrote elsewhere at once is there already.
        return Ok((Vec::new(), Vec::new()));
    };
    if let Some(name) = only {
        session.setup.target(Some(name))?;
    }
    if !session.state.targets.contains_key(from.name.as_str()) {
        return Err(Diagnostic::new(format!(
            "there is nothing to copy: target `{}` was never written to",
            from.name
        ))
        .hint("`pq-backup run` makes the first backup"));
    }
    let source = session.setup.restic(from)?;
    let there = sets(&source, None).map_err(|failed| failed.why)?;
    let (mut copied, mut failed) = (Vec::new(), Vec::new());
    for target in
        targets.iter().filter(|it| it.name != from.name && only.is_none_or(|only| only == it.name.as_str()))
    {
        match one(session, target, &source, &there, told) {
            Ok(done) => copied.push(done),
            Err(error) => failed.push(error),
        }
    }
    Ok((copied, failed))
}

fn one(
    session: &mut Session,
    target: &Target,
    source: &Restic,
    there: &[Set],
    told: &mut dyn Teller,
) -> Result<Copied, Diagnostic> {
    let name = target.name.as_str();
    let away = session.open(target, Some(source), told)?;
    // What was seen there last is where to begin, and what is seen there afterwards is what counts: to open a repository takes longer
    // than a day's copy.
    let mut seen = session.state.targets.get(name).map(|known| known.seen.clone()).unwrap_or_default();
    let mut copied = BTreeSet::new();
    loop {
        let lacking: Vec<&Set> =
            there.iter().filter(|set| set.is_whole() && !seen.contains(&mark(set))).collect();
        let again = lacking.iter().filter(|set| copied.contains(&mark(set))).count();
        if again > 0 {
            return Err(Diagnostic::new(format!(
                "{again} sets are not in target `{name}`, although restic copied them"
            )));
        }
        all(&away, source, &lacking, name, told)?;
        copied.extend(lacking.into_iter().map(mark));
        let now = sets(&away, None).map_err(|failed| failed.why)?;
        seen = now.iter().filter(|set| set.is_whole()).map(mark).collect();
        if there.iter().all(|set| !set.is_whole() || seen.contains(&mark(set))) {
            break;
        }
    }
    if let Some(known) = session.state.targets.get_mut(name) {
        known.written = Some(utc(SystemTime::now()));
        known.seen = seen;
    }
    session.save()?;
    Ok(Copied { target: name.to_owned(), sets: copied.len() })
}

/// What a set is called among all that are in a repository.
fn mark(set: &Set) -> String {
    format!("{}/{}", set.item, set.id)
}

/// Copies sets, many in a call.
fn all(
    away: &Restic,
    source: &Restic,
    lacking: &[&Set],
    name: &str,
    told: &mut dyn Teller,
) -> Result<(), Diagnostic> {
    let mut ids = Vec::new();
    for (done, set) in lacking.iter().enumerate() {
        ids.extend(set.snapshots().map(|it| it.id.clone()));
        if ids.len() >= MOST || done + 1 == lacking.len() {
            told.progress(&format!("copy to {name}"), done as f64 / lacking.len() as f64);
            let args = std::iter::once("copy".to_owned()).chain(source.as_source()).chain(ids.drain(..));
            let args: Vec<String> = args.collect();
            away.call(&format!("copy from `{}`", source.url), &args, &mut |_| {})
                .map_err(|failed| failed.why)?;
        }
    }
    Ok(())
}
