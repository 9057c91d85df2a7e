//! The ledger: who wanted which thing of a machine, what of it was there before us, and what we wrote.
//!
//! Always true here: it grows by entries, each a line of its own, and what it says follows from them in their order. A thing
//! is entered before it is made, so nothing of ours can be unknown to it; entered and not made is no harm.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::types::{AuthorizedKey, FirewallRule, database_is_there, user_is_there};
use crate::{AbsPath, Check, Converge, Error, Meta, Mode, Probe, System};

/// Where the ledger of a machine is.
pub const LEDGER: &str = "/var/lib/paquerette/ledger.ndjson";

/// How many of the contents that we gave a file are remembered.
const REMEMBERED: usize = 8;

/// Whether what owners are called is an instance's id: all others have a `/`, or are these.
pub fn is_an_instance(owner: &str) -> bool {
    !owner.contains('/') && !["server", "platform"].contains(&owner)
}

/// A kind of thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ThingKind {
    /// A file; its name is its path.
    File,
    /// A symbolic link; its name is its path.
    Link,
    /// A directory, whatever is in it; its name is its path.
    Directory,
    /// A directory with all that is in it, such as a release; its name is its path.
    Tree,
    /// A unit file in `/etc/systemd/system`; its name is the unit's.
    Unit,
    /// A Debian package.
    Package,
    /// A user.
    User,
    /// A group.
    Group,
    /// A database; its name is `engine/name`.
    Database,
    /// A user of a database server; its name is `engine/name`.
    DatabaseUser,
    /// A public key that opens an account over ssh; its name is the user's, and the key without its comment.
    Key,
    /// A rule of the firewall; its name is as people write it, `limit 22/tcp from 10.0.0.0/8`.
    Rule,
}

impl ThingKind {
    /// Whether its name says at which path it stands.
    pub fn stands_at_a_path(self) -> bool {
        matches!(
            self,
            ThingKind::File | ThingKind::Link | ThingKind::Directory | ThingKind::Tree | ThingKind::Unit
        )
    }

    /// What it is called.
    pub fn word(self) -> &'static str {
        match self {
            ThingKind::File => "file",
            ThingKind::Link => "link",
            ThingKind::Directory => "directory",
            ThingKind::Tree => "tree",
            ThingKind::Unit => "unit",
            ThingKind::Package => "package",
            ThingKind::User => "user",
            ThingKind::Group => "group",
            ThingKind::Database => "database",
            ThingKind::DatabaseUser => "database user",
            ThingKind::Key => "key",
            ThingKind::Rule => "rule",
        }
    }
}

/// Something on a machine that a step makes or needs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Thing {
    /// What it is.
    pub kind: ThingKind,
    /// Its name, by which there is one of its kind.
    pub name: String,
}

impl Thing {
    /// A thing of a kind.
    pub fn new(kind: ThingKind, name: impl Into<String>) -> Self {
        Thing { kind, name: name.into() }
    }

    /// A thing that stands at a path.
    pub fn at(kind: ThingKind, path: &AbsPath) -> Self {
        Thing::new(kind, path.as_str())
    }

    /// Whether it is on the machine now. Databases and their users are asked of their server.
    ///
    /// # Errors
    /// Where the machine does not answer.
    pub fn is_there(&self, machine: &dyn Probe) -> Result<bool, Error> {
        let listed = |path: &'static str| -> Result<bool, Error> {
            let text = machine.read(&AbsPath::known(path))?.unwrap_or_default();
            let begins = format!("{}:", self.name);
            Ok(String::from_utf8_lossy(&text).lines().any(|line| line.starts_with(&begins)))
        };
        match self.kind {
            ThingKind::File | ThingKind::Link | ThingKind::Directory | ThingKind::Tree | ThingKind::Unit => {
                Ok(machine.stat(&self.path()?)?.is_some())
            }
            ThingKind::Package => Ok(machine.package(&self.name)?.is_some()),
            ThingKind::User => listed("/etc/passwd"),
            ThingKind::Group => listed("/etc/group"),
            ThingKind::Database => database_is_there(machine, &self.name),
            ThingKind::DatabaseUser => user_is_there(machine, &self.name),
            ThingKind::Rule => FirewallRule::named(&self.name)?.is_there(machine),
            ThingKind::Key => Ok(AuthorizedKey::gone(&self.name).check(machine)? != Check::InSync),
        }
    }

    /// Where it stands, for what stands at a path.
    ///
    /// # Errors
    /// Where its name is none.
    pub fn path(&self) -> Result<AbsPath, Error> {
        let path = match self.kind {
            ThingKind::Unit => AbsPath::known("/etc/systemd/system").join(&self.name),
            _ => AbsPath::new(self.name.clone()),
        };
        path.map_err(|cause| Error::failed(format!("cannot find {self}"), cause))
    }
}

impl fmt::Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.kind == ThingKind::Tree { ThingKind::Directory } else { self.kind };
        write!(f, "{} `{}`", kind.word(), self.name)
    }
}

/// One line of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// What it is about.
    #[serde(flatten)]
    pub thing: Thing,
    /// What happened to it.
    #[serde(flatten)]
    pub what: What,
}

/// What an entry says of its thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub enum What {
    /// An owner wants it. `before`: it was there before we touched it; only the first entry of a thing can say that.
    Wanted {
        /// Who.
        owner: String,
        /// Whether it was there before us.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        before: bool,
    },
    /// A file gets this content: its SHA-256.
    Written {
        /// SHA-256 in hexadecimal.
        hash: String,
    },
    /// The operator let an edited file be as it is, for as long as we want the same of it.
    Accepted {
        /// SHA-256 of what is there.
        theirs: String,
        /// SHA-256 of what we would have written.
        ours: String,
    },
    /// An owner does not want it any more.
    Dropped {
        /// Who.
        owner: String,
    },
    /// It was taken away.
    Gone,
}

/// What the ledger knows of one thing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Booked {
    /// Who wants it.
    pub owners: BTreeSet<String>,
    /// Whether it was there before us.
    pub before: bool,
    /// What we wrote into it, newest last.
    pub hashes: Vec<String>,
    /// What the operator accepted: what is there, and what we would have written.
    pub accepted: Option<(String, String)>,
    /// Its place in the order in which things were entered.
    pub order: usize,
}

/// All that was entered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    things: BTreeMap<Thing, Booked>,
    /// How many lines it was read from and grew by.
    lines: usize,
}

/// The ledger's file, which a step that takes things away goes on with itself: what is gone is entered at once.
pub(crate) struct LedgerFile {
    text: Vec<u8>,
}

impl LedgerFile {
    /// That of a machine; a last line that a kill cut is ended.
    pub fn of(machine: &dyn Probe) -> Result<Self, Error> {
        let mut text = machine.read(&AbsPath::known(LEDGER))?.unwrap_or_default();
        if text.last().is_some_and(|byte| *byte != b'\n') {
            text.push(b'\n');
        }
        Ok(LedgerFile { text })
    }

    /// What it says.
    pub fn ledger(&self) -> Ledger {
        Ledger::parse(&self.text)
    }

    /// Enters these, all at once.
    pub fn enter(
        &mut self,
        machine: &mut dyn System,
        entries: impl IntoIterator<Item = Entry>,
    ) -> Result<(), Error> {
        for entry in entries {
            let line = serde_json::to_string(&entry)
                .map_err(|error| Error::failed("cannot write the ledger", error))?;
            self.text.extend(line.bytes());
            self.text.push(b'\n');
        }
        let meta = Meta::new(Mode::from_bits(0o600), "root", "root");
        machine.write(&AbsPath::known(LEDGER), &self.text, &meta)
    }
}

impl Ledger {
    /// Reads a ledger; a last line that a kill cut is left out, and so is what a newer version wrote.
    pub fn parse(bytes: &[u8]) -> Self {
        let mut ledger = Ledger::default();
        for line in bytes.split(|byte| *byte == b'\n') {
            if let Ok(entry) = serde_json::from_slice(line) {
                ledger.take(&entry);
            }
        }
        ledger
    }

    /// The ledger of a machine, as its file has it.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn of(machine: &dyn Probe) -> Result<Self, Error> {
        Ok(Ledger::parse(&machine.read(&AbsPath::known(LEDGER))?.unwrap_or_default()))
    }

    /// Takes an entry in.
    pub fn take(&mut self, entry: &Entry) {
        self.lines += 1;
        let (new, order) = (!self.things.contains_key(&entry.thing), self.lines);
        if matches!(entry.what, What::Gone) {
            self.things.remove(&entry.thing);
            return;
        }
        let booked = self.things.entry(entry.thing.clone()).or_default();
        match &entry.what {
            What::Wanted { owner, before } => {
                if new {
                    (booked.before, booked.order) = (*before, order);
                }
                booked.owners.insert(owner.clone());
            }
            What::Written { hash } => {
                booked.hashes.retain(|it| it != hash);
                booked.hashes.push(hash.clone());
                let surplus = booked.hashes.len().saturating_sub(REMEMBERED);
                booked.hashes.drain(..surplus);
                booked.accepted = None;
            }
            What::Accepted { theirs, ours } => booked.accepted = Some((theirs.clone(), ours.clone())),
            What::Dropped { owner } => {
                booked.owners.remove(owner);
            }
            What::Gone => {}
        }
    }

    /// What is known of a thing.
    pub fn get(&self, thing: &Thing) -> Option<&Booked> {
        self.things.get(thing)
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.things.is_empty()
    }

    /// Everything that is known.
    pub fn things(&self) -> impl Iterator<Item = (&Thing, &Booked)> {
        self.things.iter()
    }

    /// All owners.
    pub fn owners(&self) -> BTreeSet<&str> {
        self.things.values().flat_map(|booked| &booked.owners).map(String::as_str).collect()
    }

    /// The files that the operator let be as they were changed by hand.
    pub fn accepted(&self) -> impl Iterator<Item = &Thing> {
        self.things.iter().filter(|(_, booked)| booked.accepted.is_some()).map(|(thing, _)| thing)
    }

    /// What is known of the things whose paths begin so.
    pub fn below<'a>(&'a self, beginning: &'a str) -> impl Iterator<Item = &'a Booked> {
        self.things
            .iter()
            .filter(move |(thing, _)| thing.name.starts_with(beginning))
            .map(|(_, booked)| booked)
    }

    /// What an owner wants, newest first.
    pub fn of_owner(&self, owner: &str) -> Vec<(&Thing, &Booked)> {
        let mut things: Vec<_> =
            self.things.iter().filter(|(_, booked)| booked.owners.contains(owner)).collect();
        things.sort_by_key(|(_, booked)| std::cmp::Reverse(booked.order));
        things
    }

    /// Whether its lines say much that later ones changed.
    pub fn is_long(&self) -> bool {
        self.lines > 500 + 4 * self.things.len()
    }

    /// The shortest entries that say the same.
    pub fn entries(&self) -> Vec<Entry> {
        let mut things: Vec<_> = self.things.iter().collect();
        things.sort_by_key(|(_, booked)| booked.order);
        let entry = |thing: &Thing, what| Entry { thing: thing.clone(), what };
        let mut entries = Vec::new();
        for (thing, booked) in things {
            for owner in &booked.owners {
                entries.push(entry(thing, What::Wanted { owner: owner.clone(), before: booked.before }));
            }
            entries
                .extend(booked.hashes.iter().map(|hash| entry(thing, What::Written { hash: hash.clone() })));
            if let Some((theirs, ours)) = booked.accepted.clone() {
                entries.push(entry(thing, What::Accepted { theirs, ours }));
            }
        }
        entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(name: &str, owner: &str, before: bool) -> Entry {
        let what = What::Wanted { owner: owner.to_owned(), before };
        Entry { thing: Thing::new(ThingKind::Package, name), what }
    }

    #[test]
    fn a_thing_belongs_to_all_who_want_it_and_its_past_is_told_once() {
        let mut ledger = Ledger::default();
        for entry in [
            wanted("nginx", "wiki", false),
            wanted("cron", "server", true),
            // Already there when the second comes: by then it is ours.
            wanted("nginx", "dav", true),
        ] {
            ledger.take(&entry);
        }
        let nginx = ledger.get(&Thing::new(ThingKind::Package, "nginx")).unwrap();
        assert!(!nginx.before);
        assert_eq!(nginx.owners.iter().collect::<Vec<_>>(), ["dav", "wiki"]);
        assert!(ledger.get(&Thing::new(ThingKind::Package, "cron")).unwrap().before);
        assert_eq!(ledger.owners().into_iter().collect::<Vec<_>>(), ["dav", "server", "wiki"]);
    }

    #[test]
    fn a_line_that_was_cut_is_left_out_and_the_shortest_form_says_the_same() {
        let mut ledger = Ledger::default();
        let file = Thing::new(ThingKind::File, "/etc/x");
        let written =
            |hash: &str| Entry { thing: file.clone(), what: What::Written { hash: hash.to_owned() } };
        ledger.take(&Entry { thing: file.clone(), what: wanted("", "a", false).what });
        (0..20).for_each(|number| ledger.take(&written(&format!("{number:02}"))));
        ledger.take(&written("15"));
        let hashes = &ledger.get(&file).unwrap().hashes;
        assert_eq!((hashes.len(), hashes.last().unwrap().as_str()), (8, "15"));
        let lines: Vec<String> =
            ledger.entries().iter().map(|entry| serde_json::to_string(entry).unwrap()).collect();
        let cut = format!("{}\n{{\"kind\":\"file\",\"na", lines.join("\n"));
        assert_eq!(Ledger::parse(cut.as_bytes()).get(&file), ledger.get(&file));
        ledger.take(&Entry { thing: file.clone(), what: What::Gone });
        assert_eq!(ledger.get(&file), None);
    }

    #[test]
    fn the_newest_things_of_an_owner_come_first() {
        let mut ledger = Ledger::default();
        for name in ["b", "a", "c"] {
            ledger.take(&wanted(name, "wiki", false));
        }
        let names: Vec<_> = ledger.of_owner("wiki").iter().map(|(thing, _)| thing.name.as_str()).collect();
        assert_eq!(names, ["c", "a", "b"]);
    }
}
