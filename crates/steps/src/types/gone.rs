//! Nothing is left of an owner, wherever it may have been. It looks, and never acts: what the ledger knows is `remove`'s business,
//! and this finds what the ledger does not know.

use pq_stream::Diagnostic;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::reads::{matching, valid_glob};
use super::rules;
use crate::ledger::{Ledger, Thing, ThingKind};
use crate::{AbsPath, Check, Converge, Differences, Error, Probe, System};

/// Nothing of these is on the machine, but what is booked to the owner: data that was to stay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gone {
    /// The owner, as ids of steps begin.
    pub owner: String,
    /// Users, groups, databases and what else is known by its name. A database server that is not there has none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub things: Vec<Thing>,
    /// Globs of paths; directories below which data stays may stay themselves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
}

impl Gone {
    /// What is left, in words.
    fn left(&self, machine: &dyn Probe) -> Result<Vec<String>, Error> {
        let ledger = Ledger::of(machine)?;
        let booked = |thing: &Thing| ledger.get(thing).is_some_and(|it| it.owners.contains(&self.owner));
        let mut left = Vec::new();
        for thing in self.things.iter().filter(|thing| !booked(thing)) {
            match thing.is_there(machine) {
                Ok(true) => left.push(thing.to_string()),
                Ok(false) | Err(Error::Absent(_)) => {}
                Err(error) => return Err(error),
            }
        }
        for glob in &self.paths {
            for path in matching(machine, glob)? {
                let stays = [ThingKind::Directory, ThingKind::Tree, ThingKind::File, ThingKind::Link]
                    .iter()
                    .any(|kind| booked(&Thing::at(*kind, &path)));
                if !stays {
                    left.push(format!("`{path}`"));
                }
            }
        }
        Ok(left)
    }
}

impl Converge for Gone {
    fn check(&self, machine: &dyn Probe) -> Result<Check, Error> {
        let mut found = Differences::new();
        for what in self.left(machine)? {
            found.push(&what, Some("there"), Some(pq_stream::Difference::ABSENT));
        }
        Ok(found.into_check())
    }

    fn apply(&self, machine: &mut dyn System) -> Result<(), Error> {
        let left = self.left(machine)?;
        Err(Diagnostic::new(format!("something of `{}` is left", self.owner))
            .cause(format!("{}: no step of paquerette made it", left.join(", ")))
            .hint("look at it, keep what you want of it elsewhere, remove it, and run again")
            .into())
    }

    fn validate(&self) -> Result<(), String> {
        rules::owner(&self.owner)?;
        if self.things.is_empty() && self.paths.is_empty() {
            return Err("neither `things` nor `paths` is given: there is nothing to look for".to_owned());
        }
        let standing = self.things.iter().find(|thing| thing.kind.stands_at_a_path());
        if let Some(thing) = standing.filter(|thing| AbsPath::new(thing.name.clone()).is_err()) {
            return Err(format!("{thing} of `things` is at no path"));
        }
        self.paths.iter().try_for_each(|glob| valid_glob("paths", glob))
    }
}
