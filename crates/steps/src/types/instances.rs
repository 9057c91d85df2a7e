//! Every instance on the machine is one that the inventory lists. It looks, and never acts: what is not listed any more may hold
//! somebody's data, and goes when it is asked for.

use std::collections::BTreeMap;

use pq_stream::Diagnostic;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ledger::{Ledger, ThingKind, is_an_instance};
use crate::{Check, Converge, Differences, Error, Probe, System};

/// The ledger knows of no other instances than these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Instances {
    /// Their ids.
    pub listed: Vec<String>,
}

impl Converge for Instances {
    fn check(&self, machine: &dyn Probe) -> Result<Check, Error> {
        let ledger = Ledger::of(machine)?;
        // Whether anything but data is left of each.
        let mut found: BTreeMap<&str, bool> = BTreeMap::new();
        for (thing, booked) in ledger.things() {
            for owner in booked.owners.iter().filter(|it| is_an_instance(it) && !self.listed.contains(it)) {
                let code = matches!(thing.kind, ThingKind::Link | ThingKind::Tree | ThingKind::Unit);
                *found.entry(owner).or_default() |= code;
            }
        }
        let mut differences = Differences::new();
        for (id, code) in found {
            let is = if code { "on the machine" } else { "removed but for its data" };
            let want = match code {
                true => format!(
                    "not in the inventory: `pq-instance remove {id}` takes it away, and leaves its data"
                ),
                false => format!(
                    "not in the inventory: `pq-instance remove {id} --with-data` takes that away, too"
                ),
            };
            differences.push(&format!("instance `{id}`"), Some(is), Some(&want));
        }
        Ok(differences.into_check())
    }

    fn apply(&self, _: &mut dyn System) -> Result<(), Error> {
        Err(Diagnostic::new("instances that are not listed are only reported")
            .hint("plan it with `audit: always`, as pq-instance does")
            .into())
    }

    fn validate(&self) -> Result<(), String> {
        let bad = self.listed.iter().find(|id| pq_stream::valid_instance_id(id).is_err());
        bad.map_or(Ok(()), |id| Err(format!("`{}` of `listed` is no id", id.escape_debug())))
    }
}
