//! What an instance would make, and is there without paquerette having made it: refused before the first change, since nobody can
//! tell whose it is.

use std::collections::BTreeSet;

use pq_steps::ledger::{Ledger, Thing, ThingKind};
use pq_steps::{Error, Probe};
use pq_stream::{Diagnostic, owner_of};

use crate::work::WorkHost;

/// Most things that are named.
const NAMED: usize = 8;

/// Refuses a plan whose instances would take what they did not make.
///
/// # Errors
/// Where something is foreign, or the machine does not answer.
pub(crate) fn refuse(machine: &dyn Probe, ledger: &Ledger, host: &WorkHost) -> Result<(), Diagnostic> {
    let mut seen = BTreeSet::new();
    for instance in &host.host.instances {
        let mut found: Vec<Thing> = Vec::new();
        let own = host.steps.iter().filter(|planned| owner_of(&planned.record.id) == instance.id);
        for thing in own.flat_map(|planned| planned.step.converge().things()) {
            let within = |outer: &Thing| {
                outer.kind == ThingKind::Directory && thing.name.starts_with(&format!("{}/", outer.name))
            };
            let known = is_shared(&thing) || ledger.get(&thing).is_some() || found.iter().any(within);
            if known || !seen.insert(thing.clone()) {
                continue;
            }
            match thing.is_there(machine) {
                Ok(true) => found.push(thing),
                Ok(false) | Err(Error::Absent(_)) => {}
                Err(error) => return Err(error.into_diagnostic()),
            }
        }
        if !found.is_empty() {
            return Err(foreign(&instance.id, &found));
        }
    }
    Ok(())
}

/// Whether whoever was there first may have it, and nobody loses it to us.
fn is_shared(thing: &Thing) -> bool {
    matches!(thing.kind, ThingKind::Package | ThingKind::Key | ThingKind::Rule)
}

fn foreign(id: &str, found: &[Thing]) -> Diagnostic {
    let mut named: Vec<String> = found.iter().take(NAMED).map(Thing::to_string).collect();
    match found.len().saturating_sub(NAMED) {
        0 => {}
        more => named.push(format!("and {more} more")),
    }
    Diagnostic::new(format!("`{id}` would take what is not its own"))
        .cause(format!("there already, and not made by paquerette: {}", named.join(", ")))
        .hint("move it away, or give the instance another id; if paquerette made it, its ledger was lost: bring back /var/lib/paquerette")
}
