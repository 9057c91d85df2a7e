//! A machine in memory: files, accounts, packages, units, programs, a clock, and a death that can be ordered.
//!
//! It is a model: each part does to the machine what the real one does as far as steps can tell, and no more. Every
//! elementary change counts ([`MemoryMachine::kill_after`]); what one method of `System` does is several of them, in
//! an order no kinder than a real machine's. Nothing here touches the machine that the tests run on.

mod archive;
mod bare;
mod certificates;
mod databases;
mod disk;
mod packages;
mod probe;
mod programs;
mod snapshot;
mod system;
mod units;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use pq_steps::{Command, Error, Output};

use disk::Disk;
pub use packages::Offer;
pub(crate) use probe::sha256;
use units::Service;

/// What a program does to a machine.
pub type Program = Arc<dyn Fn(&mut MemoryMachine, &Command) -> Result<Output, Error> + Send + Sync>;

/// A machine in memory, as Debian 12 is when it was just installed.
#[derive(Clone)]
pub struct MemoryMachine {
    disk: Disk,
    /// What packages there are to install.
    offers: BTreeMap<String, Offer>,
    /// What is installed: version, and whether it is configured.
    installed: BTreeMap<String, (String, bool)>,
    /// What systemd knows of units beyond their files.
    services: BTreeMap<String, Service>,
    /// When systemd last read all units' files.
    reloaded: u64,
    /// What can be fetched.
    served: BTreeMap<String, Vec<u8>>,
    /// What servers on this machine answer.
    answers: BTreeMap<String, Answer>,
    programs: BTreeMap<String, Program>,
    /// The chains that were there when a service was last started or reloaded.
    presented: Vec<Vec<u8>>,
}

/// What a server answers.
#[derive(Debug, Clone)]
struct Answer {
    status: u16,
    body: String,
    /// The unit that must run.
    unit: Option<String>,
    /// How many requests fail first.
    late: Cell<u32>,
}

impl std::fmt::Debug for MemoryMachine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.snapshot())
    }
}

impl Default for MemoryMachine {
    fn default() -> Self {
        MemoryMachine::debian_12()
    }
}

impl MemoryMachine {
    /// A machine of the given system that has what Debian's minimal installation has.
    pub fn debian_12() -> Self {
        let mut machine = MemoryMachine {
            disk: Disk::default(),
            offers: packages::offers(),
            installed: BTreeMap::new(),
            services: BTreeMap::new(),
            reloaded: 0,
            served: BTreeMap::new(),
            answers: BTreeMap::new(),
            programs: programs::all(),
            presented: Vec::new(),
        };
        bare::furnish(&mut machine.disk);
        machine.reloaded = machine.disk.clock;
        machine
    }

    /// Puts a file there, 0644 and of root, with the directories that it needs.
    pub fn put(&mut self, path: &str, content: impl AsRef<[u8]>) {
        self.disk.lay(path, content.as_ref());
    }

    /// Makes bytes available for downloads at a URL.
    pub fn serve(&mut self, url: &str, content: impl Into<Vec<u8>>) {
        self.served.insert(url.to_owned(), content.into());
    }

    /// Has a server on this machine answer at a URL: while `unit` runs, where one is named, and only after `late`
    /// requests that fail.
    pub fn answer(&mut self, url: &str, status: u16, body: &str, unit: Option<&str>, late: u32) {
        let unit = unit.map(str::to_owned);
        self.answers
            .insert(url.to_owned(), Answer { status, body: body.to_owned(), unit, late: Cell::new(late) });
    }

    /// Offers a package for installation.
    pub fn offer(&mut self, offer: Offer) {
        self.offers.insert(offer.name.clone(), offer);
    }

    /// Puts a program at `/usr/bin/NAME` that does this.
    pub fn program(&mut self, name: &str, does: Program) {
        self.disk.lay(&format!("/usr/bin/{name}"), b"a program\n");
        self.programs.insert(name.to_owned(), does);
    }

    /// Lets time pass.
    pub fn wait(&mut self, time: Duration) {
        self.disk.clock += u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    }

    /// Kills whoever changes the machine after this many more elementary changes: every later one is an error.
    pub fn kill_after(&mut self, changes: usize) {
        self.disk.left = Some(changes);
        self.disk.killed = false;
    }

    /// Has whoever changes the machine die after this many more elementary changes: by a panic, with nothing done behind it.
    pub fn die_after(&mut self, changes: usize) {
        self.kill_after(changes);
        self.disk.dead = true;
    }

    /// Whether the kill happened.
    pub fn killed(&self) -> bool {
        self.disk.killed
    }

    /// Lets the machine be changed again, as it was left.
    pub fn revive(&mut self) {
        self.disk.left = None;
        self.disk.killed = false;
        self.disk.dead = false;
    }

    /// How many elementary changes there have been.
    pub fn changes(&self) -> usize {
        self.disk.changes
    }

    /// All that can be told of the machine, one line a thing, sorted: equal texts are equal machines.
    ///
    /// Left out are times, paquerette's records of reloads, and the numbers of keys: keys are named by their order.
    pub fn snapshot(&self) -> String {
        snapshot::of(self)
    }
}
