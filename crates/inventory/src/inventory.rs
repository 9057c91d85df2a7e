//! An inventory as the tools use it: open, select, and the records of the stream.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use pq_secrets::{KeyFiles, Recipients, Values, seal};
use pq_stream::{Diagnostic, End, FORMAT, Record, Run, Secret, Status, utc};

use crate::audience::Audience;
use crate::explain::{self, Explanation};
use crate::list::{self, Secrets};
use crate::survey::{self, Survey};
use crate::variables::Loader;
use crate::world::World;
use crate::{pattern, record};

type Result<T> = std::result::Result<T, Box<Diagnostic>>;

/// What becomes of secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sealing {
    /// They are in the stream, sealed.
    Sealed,
    /// They are not in it.
    Left,
}

/// An opened inventory.
#[derive(Debug)]
pub struct Inventory {
    world: Arc<World>,
}

impl Inventory {
    /// Whether a directory holds a hosts file, under any of its names.
    pub fn is_in(directory: &Path) -> bool {
        crate::hosts::NAMES.iter().any(|name| directory.join(name).is_file())
    }

    /// Opens an inventory directory. Files of variables are read when a host is asked for whom they speak, and
    /// the identities when the first of them is encrypted.
    ///
    /// # Errors
    /// Where there is no `hosts` file, or it is wrong.
    pub fn open(directory: &Path, keys: KeyFiles) -> Result<Self> {
        let loader = Loader::new(directory, keys);
        Ok(Inventory { world: World::open(loader)? })
    }

    /// The same, of a changed copy of another directory: values have that one's paths, and look files up there.
    #[must_use]
    pub fn in_place_of(mut self, directory: &Path) -> Self {
        if let Some(world) = Arc::get_mut(&mut self.world) {
            world.stand_for(directory);
        }
        self
    }

    /// The whole stream for the hosts that the patterns mean, line by line: `run`, each host with its sealed
    /// secrets, `end`. When one host is wrong, nothing of what came before is worth writing.
    ///
    /// # Errors
    /// What is wrong with the inventory, and where; or what `each` answers.
    pub fn stream<E: From<Box<Diagnostic>>>(
        &self,
        patterns: &[String],
        now: SystemTime,
        each: impl FnMut(&str) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        self.lines(patterns, now, Sealing::Sealed, each)
    }

    /// The same records, with or without the secrets.
    fn lines<E: From<Box<Diagnostic>>>(
        &self,
        patterns: &[String],
        now: SystemTime,
        sealing: Sealing,
        mut each: impl FnMut(&str) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let hosts = pattern::select(&self.world.groups, patterns)?;
        each(&line(&Record::Run(Run {
            format: FORMAT,
            inventory: self.world.absolute()?,
            digest: self.world.digest()?,
            time: utc(now),
        }))?)?;
        let mut audience = Audience::new(&self.world.loader.directory);
        for index in &hosts {
            let told = record::of_host(&self.world, *index)?;
            each(&told.line)?;
            if sealing == Sealing::Sealed && !told.secrets.is_empty() {
                let name = self.world.groups.hosts[*index].name.clone();
                let recipients = audience.of(&name, told.files.iter().map(String::as_str))?;
                each(&line(&Record::Secret(sealed(name, &told.secrets, recipients)?))?)?;
            }
        }
        each(&line(&Record::End(End {
            host: None,
            hosts: Some(hosts.len()),
            status: Status::Done,
            counts: None,
        }))?)
    }

    /// The records of [`Inventory::stream`].
    ///
    /// # Errors
    /// What is wrong with the inventory, and where.
    pub fn records(&self, patterns: &[String], now: SystemTime) -> Result<Vec<Record>> {
        self.collected(patterns, now, Sealing::Sealed)
    }

    /// The records of [`Inventory::stream`] without the secrets, for people: nobody has to be named who may open
    /// them.
    ///
    /// # Errors
    /// What is wrong with the inventory, and where.
    pub fn looks(&self, patterns: &[String], now: SystemTime) -> Result<Vec<Record>> {
        self.collected(patterns, now, Sealing::Left)
    }

    fn collected(&self, patterns: &[String], now: SystemTime, sealing: Sealing) -> Result<Vec<Record>> {
        let mut records = Vec::new();
        self.lines(patterns, now, sealing, |line| {
            records.push(serde_json::from_str(line).map_err(unwritable)?);
            Ok::<_, Box<Diagnostic>>(())
        })?;
        Ok(records)
    }

    /// Writes what `ansible-inventory --list` prints, in the protocol of Ansible's dynamic inventories.
    ///
    /// # Errors
    /// What is wrong with the inventory, and where; or what the output answers.
    pub fn list<E: From<Box<Diagnostic>> + From<io::Error>>(
        &self,
        secrets: Secrets,
        out: &mut impl Write,
    ) -> std::result::Result<(), E> {
        list::write(&self.world, secrets, out)
    }

    /// Writes what `ansible-inventory --host NAME` prints.
    ///
    /// # Errors
    /// Where there is no such host, or something is wrong; or what the output answers.
    pub fn host<E: From<Box<Diagnostic>> + From<io::Error>>(
        &self,
        name: &str,
        secrets: Secrets,
        out: &mut impl Write,
    ) -> std::result::Result<(), E> {
        list::write_host(&self.world, pattern::host(&self.world.groups, name)?, secrets, out)
    }

    /// Why a variable has its value, for each host that the patterns mean.
    ///
    /// # Errors
    /// Where the name or a pattern is wrong, or a file of a host.
    pub fn explain(&self, name: &str, patterns: &[String], secrets: Secrets) -> Result<Vec<Explanation>> {
        let hosts = pattern::select(&self.world.groups, patterns)?;
        hosts.into_iter().map(|host| explain::of_host(&self.world, host, name, secrets)).collect()
    }

    /// What the whole inventory sets and reads, and what is odd about it.
    ///
    /// # Errors
    /// All that is wrong with the inventory, and where.
    pub fn survey(&self) -> std::result::Result<Survey, Vec<Diagnostic>> {
        survey::of(&self.world)
    }
}

/// A record as a line.
fn line(record: &Record) -> Result<String> {
    serde_json::to_string(record).map_err(unwritable)
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` gives")]
fn unwritable(error: serde_json::Error) -> Box<Diagnostic> {
    Box::new(Diagnostic::new("a record has no form as JSON").cause(error.to_string()))
}

fn sealed(host: String, secrets: &Values, recipients: &Recipients) -> Result<Secret> {
    let sealed = seal(secrets, recipients).map_err(|error| Box::new(error.diagnostic()))?;
    Ok(Secret { host, names: secrets.keys().cloned().collect(), sealed })
}
