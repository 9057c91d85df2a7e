//! What an instance would make, and is there without paquerette having made it: refused before the first change, since nobody can
//! tell whose it is.

use std::collections::{BTreeMap, BTreeSet};

use pq_steps::ledger::{Booked, Ledger, Thing, ThingKind};
use pq_steps::{Error, Probe};
use pq_stream::{Diagnostic, owner_of};

use crate::behind::Behind;
use crate::work::WorkHost;

/// Most things that are named.
const NAMED: usize = 8;

/// Refuses a plan whose instances would take what they did not make; those that are `behind` take nothing.
///
/// # Errors
/// Where something is foreign, or the machine does not answer.
pub(crate) fn refuse(
    machine: &dyn Probe,
    ledger: &Ledger,
    host: &WorkHost,
    behind: &Behind<'_>,
) -> Result<(), Diagnostic> {
    let ids: BTreeSet<&str> = host.host.instances.iter().map(|it| it.id.as_str()).collect();
    let mut found: BTreeMap<&str, Vec<Thing>> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for planned in host.steps.iter().filter(|it| !behind.holds(it)) {
        let owner = owner_of(&planned.record.id);
        if !ids.contains(owner) {
            continue;
        }
        for thing in planned.step.converge().things() {
            let within = |outer: &Thing| {
                outer.kind == ThingKind::Directory && thing.name.starts_with(&format!("{}/", outer.name))
            };
            let foreign = found.get(owner).is_some_and(|found| found.iter().any(within));
            let known = is_shared(&thing) || booked(ledger, &thing).is_some() || foreign;
            if known || !seen.insert(thing.clone()) {
                continue;
            }
            match thing.is_there(machine) {
                Ok(true) => found.entry(owner).or_default().push(thing),
                Ok(false) | Err(Error::Absent(_)) => {}
                Err(error) => return Err(error.into_diagnostic()),
            }
        }
    }
    let first = host.host.instances.iter().find_map(|it| found.get_key_value(it.id.as_str()));
    first.map_or(Ok(()), |(id, found)| Err(foreign(id, found)))
}

/// What is booked of a thing, or of another kind at its path: what was made as a file may become a link.
pub(crate) fn booked<'l>(ledger: &'l Ledger, thing: &Thing) -> Option<&'l Booked> {
    let kinds = [ThingKind::File, ThingKind::Link, ThingKind::Directory, ThingKind::Tree];
    let other = |kind: &ThingKind| ledger.get(&Thing { kind: *kind, name: thing.name.clone() });
    ledger.get(thing).or_else(|| kinds.contains(&thing.kind).then(|| kinds.iter().find_map(other)).flatten())
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
