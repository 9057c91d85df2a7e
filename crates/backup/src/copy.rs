//! `pq-backup copy`: what is in the repository of this machine goes to the other targets.
//!
//! Always true here: of a set, the snapshot that makes it whole is copied last, so a copy that was cut leaves whole sets and no other.

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
    let known = sets(&away, None).map_err(|failed| failed.why)?;
    let lacking = |set: &&Set| {
        set.is_whole() && !known.iter().any(|it| it.id == set.id && it.item == set.item && it.is_whole())
    };
    let lacking: Vec<&Set> = there.iter().filter(lacking).collect();
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
    // What is believed of a copy is what is read there.
    let now_there = sets(&away, None).map_err(|failed| failed.why)?;
    let missing =
        lacking.iter().filter(|set| !now_there.iter().any(|it| it.id == set.id && it.is_whole())).count();
    if missing > 0 {
        return Err(Diagnostic::new(format!(
            "{missing} sets are not in target `{name}`, although restic copied them"
        )));
    }
    if let Some(known) = session.state.targets.get_mut(name) {
        known.written = Some(utc(SystemTime::now()));
    }
    session.save()?;
    Ok(Copied { target: name.to_owned(), sets: lacking.len() })
}
