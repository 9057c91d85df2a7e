//! An inventory as the tools use it: open, select, and the records of the stream.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use pq_secrets::{Recipients, SecretError, Values, seal};
use pq_stream::{Diagnostic, End, FORMAT, Record, Run, Secret, Status, utc};

use crate::world::World;
use crate::{pattern, record};

type Result<T> = std::result::Result<T, Box<Diagnostic>>;

/// An opened inventory.
#[derive(Debug)]
pub struct Inventory {
    world: Arc<World>,
}

impl Inventory {
    /// Opens an inventory directory. Files of variables are read when a host is asked for whom they speak, and
    /// the identities when the first of them is encrypted.
    ///
    /// # Errors
    /// Where there is no `hosts` file, or it is wrong.
    pub fn open(directory: &Path, identity_files: Vec<PathBuf>) -> Result<Self> {
        Ok(Inventory { world: World::open(directory, identity_files)? })
    }

    /// The whole stream for the hosts that the patterns mean: `run`, each host with its sealed secrets, `end`.
    /// Nothing of it is worth writing when one host is wrong, so all of them are looked at first.
    ///
    /// # Errors
    /// What is wrong with the inventory, and where.
    pub fn stream(&self, patterns: &[String], now: SystemTime) -> Result<Vec<Record>> {
        let hosts = pattern::select(&self.world.groups, patterns)?;
        let mut records = vec![Record::Run(Run {
            format: FORMAT,
            inventory: self.world.absolute()?,
            digest: self.world.digest()?,
            time: utc(now),
        })];
        let mut recipients = None;
        for index in &hosts {
            let (host, secrets) = record::of_host(&self.world, *index)?;
            let name = host.host.clone();
            records.push(Record::Host(host));
            if !secrets.is_empty() {
                let recipients = match &recipients {
                    Some(recipients) => recipients,
                    None => recipients.insert(self.recipients()?),
                };
                records.push(Record::Secret(sealed(name, &secrets, recipients)?));
            }
        }
        records.push(Record::End(End {
            host: None,
            hosts: Some(hosts.len()),
            status: Status::Done,
            counts: None,
        }));
        Ok(records)
    }

    /// Who may open what is sealed.
    fn recipients(&self) -> Result<Recipients> {
        let file = self.world.loader.directory.join(".age-recipients");
        let loaded = match file.exists() {
            true => Recipients::load(&file),
            false => Err(SecretError::NoRecipients),
        };
        loaded.map_err(|error| Box::new(error.diagnostic()))
    }
}

fn sealed(host: String, secrets: &Values, recipients: &Recipients) -> Result<Secret> {
    let sealed = seal(secrets, recipients).map_err(|error| Box::new(error.diagnostic()))?;
    Ok(Secret { host, names: secrets.keys().cloned().collect(), sealed })
}
