//! Of an instance's releases, the one that is served stays, so many that were made before it, and all that were made after it; older
//! ones go, and what a killed run left of others.
//!
//! Always true here: only what the ledger has for the owner goes. A release loses its name before it loses a file, so that what has the
//! name of a release is whole.

use std::collections::BTreeMap;

use pq_stream::{Difference, size};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{installed_version, rules};
use crate::ledger::{Entry, Ledger, LedgerFile, Thing, What};
use crate::{AbsPath, Check, Converge, Differences, Error, Kind, Probe, System};

/// Releases of an owner that are past their time are gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Releases {
    /// The owner, as ids of steps begin: `wiki`.
    pub owner: String,
    /// The directory that they are in.
    pub path: AbsPath,
    /// The link to the one that is served. Without it, no release goes.
    pub current: AbsPath,
    /// How many of those stay that were made before the one that is served, 2 by default.
    #[serde(default = "default_keep")]
    pub keep: usize,
}

fn default_keep() -> usize {
    2
}

/// What a killed run can have left of a release: `.tmp-<release>`, and such an end.
const ENDS: [&str; 5] = ["", ".archive", ".old", ".new", ".tar"];

/// Something that goes.
struct Past {
    path: AbsPath,
    how: How,
}

/// How it goes.
enum How {
    /// It is an old release: first it is called so.
    Old(AbsPath),
    /// It is left over, and nothing is lost with it.
    LeftOver,
    /// It is gone already, and the ledger still has it.
    Forgotten,
}

impl Releases {
    fn below(&self, name: &str) -> Result<AbsPath, Error> {
        self.path
            .join(name)
            .map_err(|cause| Error::failed(format!("cannot look at the releases of `{}`", self.owner), cause))
    }

    /// The releases that the ledger has for the owner, with their place in the order in which they were made.
    fn booked(&self, ledger: &Ledger) -> BTreeMap<String, usize> {
        let below = format!("{}/", self.path);
        let mut releases = BTreeMap::new();
        for (thing, booked) in ledger.of_owner(&self.owner) {
            let name = thing.name.strip_prefix(&below).filter(|_| thing.kind.stands_at_a_path());
            let Some(name) = name.and_then(|name| name.split('/').next()) else { continue };
            if !booked.before && booked.owners.len() == 1 {
                // All that is in one release is as old as what was made of it first.
                let first: &mut usize = releases.entry(name.to_owned()).or_insert(booked.order);
                *first = booked.order.min(*first);
            }
        }
        releases
    }

    /// What goes: old releases, the newest first, and what is left over.
    fn past(&self, machine: &dyn Probe) -> Result<Vec<Past>, Error> {
        let served = installed_version(machine, &self.current)?;
        let served = served.as_deref();
        let booked = self.booked(&Ledger::of(machine)?);
        let mut before: Vec<(&String, usize)> = Vec::new();
        if let Some(since) = served.and_then(|name| booked.get(name)) {
            for (name, order) in booked.iter().filter(|(_, order)| *order < since) {
                let is = machine.stat(&self.below(name)?)?;
                if is.is_some_and(|is| is.kind == Kind::Directory) {
                    before.push((name, *order));
                }
            }
        }
        before.sort_by_key(|(_, order)| std::cmp::Reverse(*order));
        let mut past = Vec::new();
        for (name, _) in before.into_iter().skip(self.keep) {
            let aside = self.below(&format!(".tmp-{name}.old"))?;
            past.push(Past { path: self.below(name)?, how: How::Old(aside) });
        }
        for name in booked.keys() {
            // Where the release that is served has no name, what is beside it may be what it was: its own step brings it back.
            if Some(name.as_str()) == served && machine.stat(&self.below(name)?)?.is_none() {
                continue;
            }
            for end in ENDS {
                let path = self.below(&format!(".tmp-{name}{end}"))?;
                if machine.stat(&path)?.is_some() {
                    past.push(Past { path, how: How::LeftOver });
                }
            }
            let path = self.below(name)?;
            if machine.stat(&path)?.is_none() {
                past.push(Past { path, how: How::Forgotten });
            }
        }
        Ok(past)
    }

    /// Enters that a release is gone, and all that was in it.
    fn forget(&self, machine: &mut dyn System, release: &AbsPath) -> Result<(), Error> {
        let mut file = LedgerFile::of(machine)?;
        let below = format!("{release}/");
        let known = file.ledger();
        let within = |thing: &Thing| {
            thing.kind.stands_at_a_path()
                && (thing.name == release.as_str() || thing.name.starts_with(&below))
        };
        let gone = known.things().filter(|(thing, _)| within(thing));
        file.enter(machine, gone.map(|(thing, _)| Entry { thing: thing.clone(), what: What::Gone }))
    }
}

impl Converge for Releases {
    fn check(&self, machine: &dyn Probe) -> Result<Check, Error> {
        let mut found = Differences::new();
        for past in self.past(machine)? {
            let taken = machine.taken(&past.path)?;
            let least = if taken.partial { "more than " } else { "" };
            let is = match past.how {
                How::Old(_) => format!("old release, {least}{}", size(taken.bytes)),
                How::LeftOver => format!("left over, {least}{}", size(taken.bytes)),
                How::Forgotten => "in the ledger alone".to_owned(),
            };
            found.push(past.path.as_str(), Some(&is), Some(Difference::ABSENT));
        }
        Ok(found.into_check())
    }

    fn apply(&self, machine: &mut dyn System) -> Result<(), Error> {
        for past in self.past(machine)? {
            match &past.how {
                How::LeftOver => machine.remove(&past.path)?,
                How::Forgotten => self.forget(machine, &past.path)?,
                How::Old(aside) => {
                    machine.remove(aside)?;
                    machine.rename(&past.path, aside)?;
                    machine.remove(aside)?;
                    self.forget(machine, &past.path)?;
                }
            }
        }
        Ok(())
    }

    fn validate(&self) -> Result<(), String> {
        rules::owner(&self.owner)?;
        match self.keep {
            0 => Err("`keep` is 0: the release before the one that is served stays".to_owned()),
            _ => Ok(()),
        }
    }
}
