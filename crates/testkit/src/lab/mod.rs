//! Disposable machines: real Debian with real systemd, booted in seconds, thrown away.
//!
//! systemd-nspawn over an overlay of an image, on a bridge of their own. A [`Machine`] that a test boots goes when the
//! test lets go of it, panics or is killed; a *standing* one (`make lab-up`) stays until it is taken down.
//!
//! Not here: what is tested on the machines. Always true here: what a dead owner left is taken away by
//! [`Lab::open`], and no machine's processes, mount, cgroup or address outlive its directory.

mod command;
mod debian;
mod error;
mod home;
mod host;
mod image;
mod lacking;
mod machine;
mod network;
mod nspawn;
mod process;
mod record;
mod service;

pub use command::{Command, Output, Running};
pub use debian::Suite;
pub use error::{Error, Result};
pub use image::Image;
pub use lacking::{Lack, lacks};
pub use machine::Machine;
pub use network::HOST_ADDRESS;

use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use home::Home;
use machine::{Verdict, take_away};
use process::Process;
use record::Record;
use service::Service;

/// What runs machines on this computer.
#[derive(Debug, Clone)]
pub struct Lab {
    home: Home,
}

/// A machine as `lab ls` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its hostname.
    pub name: String,
    /// Its address on the bridge.
    pub address: Ipv4Addr,
    /// What it booted on.
    pub image: String,
    /// Whether it runs.
    pub running: bool,
    /// Whether it stays until it is taken down; a test's machine does not.
    pub standing: bool,
}

/// The lab, where machines can run; otherwise none, after one line on standard error that says what lacks.
///
/// # Panics
/// When `PQ_E2E=require` is set and machines cannot run: then a test must not pass by being skipped.
#[expect(clippy::panic, reason = "called by tests, whose way to fail this is")]
pub fn available() -> Option<Lab> {
    match Lab::open() {
        Ok(lab) => Some(lab),
        Err(error) if std::env::var_os("PQ_E2E").is_some_and(|wish| wish == "require") => {
            panic!("machines are required: {error}")
        }
        Err(error) => {
            eprintln!("skipped: {error}");
            None
        }
    }
}

impl Lab {
    /// Makes ready what machines need: bridge, package cache; and takes away what dead tests left.
    ///
    /// # Errors
    /// This computer lacks something: see [`lacks`].
    pub fn open() -> Result<Self> {
        let lacks = lacks();
        if let Some(first) = lacks.first() {
            let all: Vec<_> = lacks.iter().map(|lack| lack.what.as_str()).collect();
            let message = format!("no machine can run here, for want of {}", all.join(", "));
            return Err(Error::new(message).hint(first.cure.clone()));
        }
        let home = Home::from_env();
        home.create()?;
        let lock = home.lock()?;
        network::raise()?;
        Service::Packages.start(&home)?;
        let lab = Lab { home };
        lab.sweep()?;
        drop(lock);
        Ok(lab)
    }

    /// Makes sure that the image of a bare Debian is there: a minute the first time.
    ///
    /// # Errors
    /// debootstrap fails.
    pub fn base(&self, suite: Suite) -> Result<()> {
        debian::base(&self.home, suite).map(drop)
    }

    /// Boots a machine that lives as long as the value: about six seconds.
    ///
    /// # Errors
    /// No such snapshot, or it does not come up.
    pub fn boot(&self, name: &str, image: &Image) -> Result<Machine> {
        let record = self.claim(name, image, Process::own())?;
        let mut machine = Machine::of(&self.home, record).owned()?;
        machine.start()?;
        Ok(machine)
    }

    /// The standing machine of that name, running: booted on `image` when there is none yet.
    ///
    /// # Errors
    /// As [`boot`](Self::boot).
    pub fn up(&self, name: &str, image: &Image) -> Result<Machine> {
        let record = match Record::read(&self.home, name) {
            Some(record) => record,
            None => self.claim(name, image, None)?,
        };
        let mut machine = Machine::of(&self.home, record.clone());
        if record.running() {
            nspawn::wait_until_up(&self.home, &record, None)?;
        } else if let Err(error) = machine.start() {
            take_away(&self.home, &record, Verdict::KeepLogs)?;
            return Err(error);
        }
        Ok(machine)
    }

    /// The standing machine of that name.
    ///
    /// # Errors
    /// There is none.
    pub fn machine(&self, name: &str) -> Result<Machine> {
        self.standing(name).map(|record| Machine::of(&self.home, record))
    }

    /// Takes a standing machine away, with its files.
    ///
    /// # Errors
    /// There is none, or something of it is still in use.
    pub fn down(&self, name: &str) -> Result<()> {
        let record = self.standing(name)?;
        let _lock = self.home.lock()?;
        take_away(&self.home, &record, Verdict::Done)
    }

    /// Takes all standing machines away; and, unless a test still runs one, services and bridge.
    ///
    /// # Errors
    /// As [`down`](Self::down).
    pub fn down_all(&self) -> Result<()> {
        let _lock = self.home.lock()?;
        let (standing, owned): (Vec<_>, Vec<_>) =
            Record::all(&self.home)?.into_iter().partition(|record| record.owner.is_none());
        for record in standing {
            take_away(&self.home, &record, Verdict::Done)?;
        }
        if owned.is_empty() {
            for service in Service::ALL {
                service.stop(&self.home);
            }
            network::lower()?;
        }
        Ok(())
    }

    /// All machines there are, tests' machines too.
    ///
    /// # Errors
    /// The lab's directory cannot be read.
    pub fn machines(&self) -> Result<Vec<Seen>> {
        let seen = |record: Record| Seen {
            running: record.running(),
            standing: record.owner.is_none(),
            name: record.name,
            address: record.address,
            image: record.image,
        };
        Ok(Record::all(&self.home)?.into_iter().map(seen).collect())
    }

    /// The snapshot of that name: what is there when it was built on the same `from` with the same `key`, else what
    /// `build` makes of a fresh machine. A second test that asks meanwhile waits for the first.
    ///
    /// # Errors
    /// `build` fails, or a machine does.
    pub fn snapshot_or(
        &self,
        name: &str,
        from: &Image,
        key: &str,
        build: impl FnOnce(&mut Machine) -> Result<()>,
    ) -> Result<Image> {
        let below = self.layers(from)?;
        let _building = self.home.build_lock(name)?;
        let current = image::stored(&self.home, name)
            .is_some_and(|image| image.key == key && image.layers.get(1..) == Some(&below[..]));
        if !current {
            let mut machine = self.boot(name, from)?;
            if let Err(error) = build(&mut machine) {
                machine.keep_logs();
                return Err(error);
            }
            machine.snapshot_keyed(name, key)?;
        }
        Ok(Image::snapshot(name))
    }

    /// Names of all images: suites and snapshots.
    ///
    /// # Errors
    /// The lab's directory cannot be read.
    pub fn images(&self) -> Result<Vec<String>> {
        image::names(&self.home)
    }

    /// Removes a snapshot; machines that run on it keep what they need.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn forget(&self, snapshot: &str) -> Result<()> {
        let _building = self.home.build_lock(snapshot)?;
        let _lock = self.home.lock()?;
        image::forget(&self.home, snapshot)?;
        self.sweep()
    }

    /// The directory that [`serve`](Self::serve) shows.
    pub fn sources(&self) -> PathBuf {
        self.home.path("sources")
    }

    /// Serves the directory [`sources`](Self::sources) over HTTP on the bridge, and answers its URL.
    ///
    /// # Errors
    /// The port is taken by something that does not answer.
    pub fn serve(&self) -> Result<String> {
        let _lock = self.home.lock()?;
        Service::Sources.start(&self.home)?;
        Ok(Service::Sources.url())
    }

    /// Layers of an image; a base is made when it is not there.
    fn layers(&self, image: &Image) -> Result<Vec<String>> {
        match image {
            Image::Base(suite) => debian::base(&self.home, *suite).map(|stored| stored.layers),
            Image::Snapshot(name) => image::stored(&self.home, name)
                .map(|stored| stored.layers)
                .ok_or_else(|| image::unknown(&self.home, name)),
        }
    }

    /// Enters a new machine into the books, with an address of its own.
    fn claim(&self, name: &str, image: &Image, owner: Option<Process>) -> Result<Record> {
        check_name(name)?;
        self.layers(image)?;
        let _lock = self.home.lock()?;
        // Asked again: only under the lock nobody takes the layers away.
        let layers = image::stored(&self.home, &image.name())
            .ok_or_else(|| image::unknown(&self.home, &image.name()))?
            .layers;
        let taken: Vec<_> = Record::all(&self.home)?.iter().map(|record| record.address).collect();
        let address = network::free_address(&taken)?;
        network::forget(address)?;
        let id = match owner {
            Some(_) => format!("{name}-{}.{}", address.octets()[3], std::process::id()),
            None => name.to_owned(),
        };
        let image = image.name();
        let record = Record { id, name: name.to_owned(), address, image, layers, owner, supervisor: None };
        self.home.make(&record.dir(&self.home))?;
        record.write(&self.home)?;
        Ok(record)
    }

    fn standing(&self, name: &str) -> Result<Record> {
        Record::read(&self.home, name).filter(|record| record.owner.is_none()).ok_or_else(|| {
            let hint = format!("`lab ls` lists them; `lab up {name}` boots it");
            Error::new(format!("no machine `{name}`")).hint(hint)
        })
    }

    /// Takes away what dead owners left, and what nobody uses any more. The caller holds the lock.
    fn sweep(&self) -> Result<()> {
        let (orphans, living): (Vec<_>, Vec<_>) =
            Record::all(&self.home)?.into_iter().partition(Record::orphaned);
        for orphan in orphans {
            take_away(&self.home, &orphan, Verdict::KeepLogs)?;
        }
        let used: Vec<_> = living.into_iter().flat_map(|record| record.layers).collect();
        image::collect(&self.home, &used)?;
        self.forget_old_logs();
        Ok(())
    }

    /// Keeps the logs of the last twenty failures.
    fn forget_old_logs(&self) {
        let Ok(entries) = fs::read_dir(self.home.path("failed")) else { return };
        let by_age: BTreeMap<_, _> = entries
            .filter_map(|entry| {
                let entry = entry.ok()?;
                Some(((entry.metadata().ok()?.modified().ok()?, entry.path()), entry.path()))
            })
            .collect();
        for path in by_age.values().rev().skip(20) {
            // A log that cannot be removed disturbs nobody.
            let _ = fs::remove_dir_all(path);
        }
    }
}

/// A name is a hostname, short enough for a network interface.
fn check_name(name: &str) -> Result<()> {
    let fine = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && !name.ends_with('-')
        && name.len() <= 40;
    if fine {
        return Ok(());
    }
    Err(Error::new(format!("`{name}` cannot be a machine's name"))
        .hint("lower case letters, digits and dashes, beginning with a letter"))
}
