//! What an owner wanted and nobody else does is taken away, newest first, as the ledger has it: all of it, or what the owner
//! does not want any more.
//!
//! Always true here: what was there before us stays, and so does what another owner wants. Data stays unless it is asked for:
//! directories in which something is that we did not make, what was changed in directories of its own, databases. What stays for that reason
//! stays booked, so that it can still be removed with its data later. A file that people changed is set aside, where nothing reads it.

use std::collections::BTreeSet;

use pq_stream::{Diagnostic, Difference};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::apache;
use super::authorized_key::AuthorizedKey;
use super::drops::drop_thing;
use super::firewall_rule::FirewallRule;
use super::reads::{fits, valid_glob};
use super::{rules, run};
use crate::ledger::{Booked, Entry, Ledger, LedgerFile, Thing, ThingKind, What};
use crate::{AbsPath, Check, Converge, Differences, Error, Kind, Meta, Probe, System, UnitVerb};

/// Nothing is left of what an owner wanted, but what is to be kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Remove {
    /// The owner, as ids of steps begin: `wiki`, `platform/redis`.
    pub owner: String,
    /// What it still wants: left alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keep: Vec<Thing>,
    /// Only what stands at paths that one of these globs fits: the rest stays as it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<String>,
    /// Its data too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub with_data: bool,
}

/// What becomes of a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It is taken away.
    Taken,
    /// It stays: it was there before us, or somebody else wants it.
    Left,
    /// It is a file that somebody changed: it is put beside itself, where nothing reads it.
    Aside,
    /// It stays, and stays booked: it is data.
    Data,
}

impl Remove {
    /// What becomes of each thing of the owner, in the order in which it is done.
    fn fates(&self, machine: &dyn Probe, ledger: &Ledger) -> Result<Vec<(Thing, Fate)>, Error> {
        let mut fates: Vec<(Thing, Fate)> = Vec::new();
        let mut taken = BTreeSet::new();
        let mut of_data = false;
        let keep = Keep::of(&self.keep)?;
        for (thing, booked) in ledger.of_owner(&self.owner) {
            if keep.holds(thing)? || !self.is_meant(thing)? {
                continue;
            }
            let fate = self.fate(machine, ledger, thing, booked, &taken, of_data)?;
            match fate {
                Fate::Taken => drop(taken.insert(thing.clone())),
                Fate::Data => of_data = true,
                // It stays in its directory.
                Fate::Aside | Fate::Left => {}
            }
            fates.push((thing.clone(), fate));
        }
        // Packages behind what only their programs can take away, and before all else: where they cannot go, no file and no unit of
        // theirs is gone.
        fates.sort_by_key(|(thing, _)| match thing.kind {
            ThingKind::Database | ThingKind::DatabaseUser => 0,
            ThingKind::Package => 1,
            _ => 2,
        });
        Ok(fates)
    }

    /// Whether it is one of those that are to go.
    fn is_meant(&self, thing: &Thing) -> Result<bool, Error> {
        if self.only.is_empty() {
            return Ok(true);
        }
        if !thing.kind.stands_at_a_path() {
            return Ok(false);
        }
        let path = thing.path()?;
        Ok(self.only.iter().any(|glob| fits(glob, path.as_str())))
    }

    /// Whether a file is below a directory of the owner's own, where nothing reads it once its code is gone.
    fn is_at_home(&self, ledger: &Ledger, file: &Thing) -> Result<bool, Error> {
        let mut above = file.path()?.parent();
        while let Some(directory) = above {
            let booked = ledger.get(&Thing::at(ThingKind::Directory, &directory));
            if booked.is_some_and(|it| !it.before && it.owners.iter().all(|owner| *owner == self.owner)) {
                return Ok(true);
            }
            above = directory.parent();
        }
        Ok(false)
    }

    /// Whether something is below a directory that another owner wants, or that was there before us.
    fn holds_of_others(&self, ledger: &Ledger, directory: &str) -> bool {
        let below = format!("{directory}/");
        ledger
            .below(&below)
            .any(|booked| booked.before || booked.owners.iter().any(|owner| *owner != self.owner))
    }

    fn fate(
        &self,
        machine: &dyn Probe,
        ledger: &Ledger,
        thing: &Thing,
        booked: &Booked,
        taken: &BTreeSet<Thing>,
        of_data: bool,
    ) -> Result<Fate, Error> {
        if booked.before || booked.owners.iter().any(|owner| *owner != self.owner) {
            return Ok(Fate::Left);
        }
        let is_data = match thing.kind {
            ThingKind::File => {
                let is = machine.stat(&thing.path()?)?;
                let edited = || -> Result<bool, Error> {
                    let hash = machine.sha256(&thing.path()?)?;
                    Ok(!booked.hashes.is_empty() && hash.is_some_and(|hash| !booked.hashes.contains(&hash)))
                };
                let changed = !self.with_data && is.is_some_and(|is| is.kind == Kind::File) && edited()?;
                let at_home = changed && self.is_at_home(ledger, thing)?;
                if changed && !at_home {
                    return Ok(Fate::Aside);
                }
                at_home
            }
            ThingKind::Directory => holds_more(machine, &thing.path()?, taken)?,
            ThingKind::Database | ThingKind::DatabaseUser => true,
            // As long as its data stays, it stays somebody's.
            ThingKind::User | ThingKind::Group => of_data,
            ThingKind::Link
            | ThingKind::Tree
            | ThingKind::Unit
            | ThingKind::Package
            | ThingKind::Key
            | ThingKind::Rule => false,
        };
        let whole = matches!(thing.kind, ThingKind::Directory | ThingKind::Tree);
        let kept = !self.with_data || whole && self.holds_of_others(ledger, &thing.name);
        Ok(if is_data && kept { Fate::Data } else { Fate::Taken })
    }
}

/// What is still wanted. What stands at a path is known by that: whatever it was booked as, it may be of another kind now.
struct Keep<'k> {
    things: BTreeSet<&'k Thing>,
    paths: BTreeSet<String>,
}

impl<'k> Keep<'k> {
    fn of(things: &'k [Thing]) -> Result<Self, Error> {
        let mut paths = BTreeSet::new();
        for thing in things.iter().filter(|thing| thing.kind.stands_at_a_path()) {
            paths.insert(thing.path()?.as_str().to_owned());
        }
        Ok(Keep { things: things.iter().collect(), paths })
    }

    fn holds(&self, thing: &Thing) -> Result<bool, Error> {
        if !thing.kind.stands_at_a_path() {
            return Ok(self.things.contains(thing));
        }
        let path = thing.path()?;
        // `x.new` was put beside `x`, because that was changed by hand.
        let beside = path.as_str().strip_suffix(".new").unwrap_or_default();
        let below = format!("{path}/");
        let within = self.paths.range(below.clone()..).next().is_some_and(|it| it.starts_with(&below));
        let whole = matches!(thing.kind, ThingKind::Tree | ThingKind::Directory);
        Ok(self.paths.contains(path.as_str()) || self.paths.contains(beside) || whole && within)
    }
}

/// Whether something is in a directory that we are not about to take away.
fn holds_more(machine: &dyn Probe, path: &AbsPath, taken: &BTreeSet<Thing>) -> Result<bool, Error> {
    if machine.stat(path)?.is_none_or(|is| is.kind != Kind::Directory) {
        return Ok(false);
    }
    for name in machine.list(path)?.unwrap_or_default() {
        let Ok(inside) = path.join(&name) else { return Ok(true) };
        let ours = [ThingKind::File, ThingKind::Link, ThingKind::Directory, ThingKind::Tree];
        if !ours.iter().any(|kind| taken.contains(&Thing::at(*kind, &inside))) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Where a file is put that somebody changed: nothing reads a name that ends so. One that is there with other content stays.
fn aside(machine: &dyn Probe, thing: &Thing) -> Result<AbsPath, Error> {
    let path = thing.path()?;
    let is = machine.sha256(&path)?;
    let mut number = 1;
    loop {
        let end = if number == 1 { ".old".to_owned() } else { format!(".{number}.old") };
        let other = AbsPath::new(format!("{path}{end}"))
            .map_err(|cause| Error::failed(format!("cannot set {thing} aside"), cause))?;
        if machine.stat(&other)?.is_none() || machine.sha256(&other)? == is {
            return Ok(other);
        }
        number += 1;
    }
}

/// Puts a file aside, as it is.
fn set_aside(machine: &mut dyn System, thing: &Thing) -> Result<(), Error> {
    let (path, other) = (thing.path()?, aside(machine, thing)?);
    let (Some(content), Some(is)) = (machine.read(&path)?, machine.stat(&path)?) else { return Ok(()) };
    machine.write(&other, &content, &Meta::new(is.mode, &is.owner, &is.group))?;
    machine.remove(&path)
}

/// Takes a thing away that is there.
fn take(machine: &mut dyn System, thing: &Thing, with_data: bool) -> Result<(), Error> {
    match thing.kind {
        ThingKind::Directory if !with_data => {
            let path = thing.path()?;
            match machine.list(&path)? {
                Some(names) if !names.is_empty() => Err(Diagnostic::new(format!("cannot remove {thing}"))
                    .cause("something has come into it meanwhile")
                    .hint("run again: what is data is told apart anew")
                    .into()),
                _ => machine.remove(&path),
            }
        }
        ThingKind::Link => {
            let path = thing.path()?;
            apache::forget_site(machine, &path)?;
            machine.remove(&path)
        }
        ThingKind::File | ThingKind::Directory | ThingKind::Tree => machine.remove(&thing.path()?),
        ThingKind::Unit => {
            if machine.unit(&thing.name)?.is_some() {
                machine.unit_do(UnitVerb::Stop, &thing.name)?;
                machine.unit_do(UnitVerb::Disable, &thing.name)?;
            }
            machine.remove(&thing.path()?)?;
            machine.unit_do(UnitVerb::DaemonReload, &thing.name)
        }
        ThingKind::User => run(machine, &["userdel", "--", &thing.name]),
        ThingKind::Group => run(machine, &["groupdel", "--", &thing.name]),
        // They go together.
        ThingKind::Package => Ok(()),
        ThingKind::Key => AuthorizedKey::gone(&thing.name).apply(machine),
        ThingKind::Rule => FirewallRule::named(&thing.name)?.take_away(machine),
        ThingKind::Database | ThingKind::DatabaseUser => drop_thing(machine, thing),
    }
}

impl Converge for Remove {
    fn check(&self, machine: &dyn Probe) -> Result<Check, Error> {
        let mut found = Differences::new();
        let ledger = Ledger::of(machine)?;
        for (thing, fate) in self.fates(machine, &ledger)? {
            match fate {
                Fate::Taken => {
                    found.push(&thing.to_string(), Some("wanted by nobody else"), Some(Difference::ABSENT))
                }
                Fate::Left => {
                    let whose = ledger.get(&thing).is_some_and(|it| it.before);
                    let whose = if whose { "was here before" } else { "is wanted by another, too" };
                    found.push(&thing.to_string(), Some(whose), Some("left as it is, and no longer ours"));
                }
                Fate::Aside => {
                    let aside = aside(machine, &thing)?;
                    let want = format!("{}`{aside}`", Difference::ASIDE);
                    found.push(&thing.to_string(), Some("was changed by hand"), Some(&want));
                }
                Fate::Data => {}
            }
        }
        Ok(found.into_check())
    }

    fn apply(&self, machine: &mut dyn System) -> Result<(), Error> {
        let mut file = LedgerFile::of(machine)?;
        let ledger = file.ledger();
        let fates = self.fates(machine, &ledger)?;
        // Packages go together: one may need another.
        let mut packages = Vec::new();
        let others = |booked: &Booked| booked.before || booked.owners.iter().any(|it| *it != self.owner);
        let theirs: Vec<&str> = ledger
            .things()
            .filter(|(thing, booked)| thing.kind == ThingKind::Package && others(booked))
            .map(|(thing, _)| thing.name.as_str())
            .collect();
        for (thing, fate) in &fates {
            if thing.kind == ThingKind::Package && *fate == Fate::Taken && thing.is_there(machine)? {
                packages.push(thing.name.as_str());
            }
        }
        for (thing, fate) in fates.iter().cloned() {
            let what = match fate {
                Fate::Data => continue,
                Fate::Left => What::Dropped { owner: self.owner.clone() },
                Fate::Aside => {
                    set_aside(machine, &thing)?;
                    What::Gone
                }
                Fate::Taken if thing.kind == ThingKind::Package => {
                    if !packages.is_empty() {
                        machine.uninstall(&std::mem::take(&mut packages), &theirs)?;
                    }
                    What::Gone
                }
                Fate::Taken => {
                    if thing.is_there(machine)? {
                        take(machine, &thing, self.with_data)?;
                    }
                    What::Gone
                }
            };
            file.enter(machine, [Entry { thing, what }])?;
        }
        Ok(())
    }

    fn validate(&self) -> Result<(), String> {
        rules::owner(&self.owner)?;
        self.only.iter().try_for_each(|glob| valid_glob("only", glob))
    }
}
