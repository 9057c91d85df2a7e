//! A service runs with the configuration that is on the disk. Reload is a state, not a message that can be lost.
//!
//! Always true here: the verdict follows from the files, the unit and the record of the last reload that we made,
//! never from what this run did; so no kill can lose a reload. An edit within the moment in which the service
//! reads its files may be taken for read.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pq_stream::Diagnostic;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::reads::{Reads, fits, valid_glob};
use super::rules;
use super::unit::valid_unit_name;
use crate::{
    AbsPath, Active, Check, Command, Converge, Differences, Error, Meta, Mode, Probe, System, Unit, UnitVerb,
};

/// How a service comes to read its files again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// By `systemctl reload`: it goes on serving.
    #[default]
    Reload,
    /// By `systemctl restart`; what a reload by somebody else leaves unread stays due.
    Restart,
}

impl How {
    /// When the unit last did that.
    fn since(self, unit: &Unit) -> Option<SystemTime> {
        match self {
            How::Reload => unit.changed,
            How::Restart => unit.started,
        }
    }
}

/// A service that runs has read what these globs match; one that does not run reads it when it starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reload {
    /// Its name with the suffix, as in `nginx.service`.
    pub unit: String,
    /// What it reads when it starts or reloads: absolute globs, `**` for directories of any depth.
    pub reads: Vec<String>,
    /// How it reads them again: `reload` by default, or `restart`.
    #[serde(default)]
    pub how: How,
    /// Its own test of its configuration, as in `["nginx", "-t"]`; asked before it is reloaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<Vec<String>>,
    /// Whether there may be no such unit; nothing reads the files then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
}

/// The last reload or start that we made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Done {
    /// Digest of what it read.
    hash: String,
    /// When the unit had changed after it, in microseconds since 1970.
    changed: u64,
    /// When it had started, in the same.
    started: Option<u64>,
}

impl Done {
    fn at(&self, how: How) -> Option<u64> {
        match how {
            How::Reload => Some(self.changed),
            How::Restart => self.started,
        }
    }
}

/// File times are those of the kernel's last tick: a change may be that much later than it says.
const TICK: Duration = Duration::from_millis(10);

/// Where the last reload is kept: one for each set of globs, since a unit may read some files at a reload, others when it
/// starts alone.
fn record(unit: &str, reads: &[String]) -> Result<AbsPath, Error> {
    let digest = Sha256::digest(reads.join("\n"));
    let [a, b, c, d, ..] = <[u8; 32]>::from(digest);
    AbsPath::known("/var/lib/paquerette/reload")
        .join(&format!("{unit}-{a:02x}{b:02x}{c:02x}{d:02x}.json"))
        .map_err(|cause| Error::failed(format!("cannot keep the last reload of `{unit}`"), cause))
}

/// Keeps what a unit has read, just now.
pub(super) fn keep(
    machine: &mut dyn System,
    unit: &str,
    reads: &[String],
    hash: String,
) -> Result<(), Error> {
    let Some(is) = machine.unit(unit)? else { return Ok(()) };
    let Some(changed) = is.changed.map(micros) else { return Ok(()) };
    let done = serde_json::to_vec(&Done { hash, changed, started: is.started.map(micros) })
        .map_err(|error| Error::failed(format!("cannot keep the last reload of `{unit}`"), error))?;
    let record = record(unit, reads)?;
    if let Some(directory) = record.parent() {
        machine.make_dir(&directory, &Meta::new(Mode::from_bits(0o700), "root", "root"))?;
    }
    machine.write(&record, &done, &Meta::new(Mode::from_bits(0o600), "root", "root"))
}

impl Reload {
    /// Whether a path is among what the service reads.
    pub fn is_fed_by(&self, path: &AbsPath) -> bool {
        self.reads.iter().any(|glob| fits(glob, path.as_str()))
    }

    /// The unit, where it runs.
    fn running(&self, machine: &dyn Probe) -> Result<Option<Unit>, Error> {
        match machine.unit(&self.unit)? {
            Some(unit) => Ok(Some(unit).filter(runs)),
            None if self.optional => Ok(None),
            None => Err(Error::absent("unit", self.unit.clone())),
        }
    }

    /// Whether the running service has read what is there now.
    fn is_current(&self, machine: &dyn Probe, unit: &Unit, reads: &Reads) -> Result<bool, Error> {
        let done = machine.read(&record(&self.unit, &self.reads)?)?;
        // A record that cannot be read counts for none: the times of the files decide.
        let done: Option<Done> = done.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Ok(match (done, self.how.since(unit)) {
            (Some(done), Some(since)) if done.at(self.how) == Some(micros(since)) => {
                done.hash == reads.digest()
            }
            (_, Some(since)) => reads.older_than(since.checked_sub(TICK).unwrap_or(UNIX_EPOCH)),
            (_, None) => true,
        })
    }

    fn test(&self, machine: &mut dyn System) -> Result<(), Error> {
        let Some(argv) = &self.test else { return Ok(()) };
        let command = Command::new(argv.clone());
        let output = machine.run(&command)?;
        output.success(&command).map(drop).map_err(|error| match error {
            Error::Absent(absent) => Error::Absent(absent),
            Error::Failed(found) => Diagnostic {
                message: format!("`{}` refuses its new configuration", self.unit),
                place: None,
                causes: [vec![found.message], found.causes].concat(),
                hints: vec![format!("`{}` keeps running with the old one", self.unit)],
            }
            .into(),
        })
    }
}

impl Converge for Reload {
    fn check(&self, machine: &dyn Probe) -> Result<Check, Error> {
        let Some(unit) = self.running(machine)? else { return Ok(Check::InSync) };
        let mut found = Differences::new();
        if unit.needs_daemon_reload {
            found.push("unit file", Some("changed since systemd read it"), Some("read"));
        }
        if !self.is_current(machine, &unit, &Reads::look(machine, &self.reads)?)? {
            found.push("configuration", Some("changed since it was read"), Some("read"));
        }
        Ok(found.into_check())
    }

    fn apply(&self, machine: &mut dyn System) -> Result<(), Error> {
        let Some(unit) = self.running(machine)? else { return Ok(()) };
        self.test(machine)?;
        // Before the reload: what changes while it reads must differ afterwards.
        let hash = Reads::look(machine, &self.reads)?.digest();
        if unit.needs_daemon_reload {
            machine.unit_do(UnitVerb::DaemonReload, &self.unit)?;
        }
        let verb = match self.how {
            How::Reload => UnitVerb::Reload,
            How::Restart => UnitVerb::Restart,
        };
        machine.unit_do(verb, &self.unit)?;
        keep(machine, &self.unit, &self.reads, hash)
    }

    fn validate(&self) -> Result<(), String> {
        valid_unit_name("unit", &self.unit)?;
        if self.reads.is_empty() {
            return Err("`reads` is empty".to_owned());
        }
        self.reads.iter().try_for_each(|glob| valid_glob("reads", glob))?;
        self.test.as_ref().map_or(Ok(()), |argv| rules::argv("test", argv))
    }
}

fn runs(unit: &Unit) -> bool {
    matches!(unit.active, Active::Active | Active::Changing)
}

fn micros(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
