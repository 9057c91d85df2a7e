//! What a machine carried when paquerette first came to it: services that answer others, and rules of a firewall.
//!
//! Always true here: it is looked at once, before the first change, and stays what it is.

use pq_stream::Diagnostic;
use serde::{Deserialize, Serialize};

use crate::{AbsPath, Error, Meta, Mode, Probe, System};

/// Where it is noted.
pub const FOUND: &str = "/var/lib/paquerette/found.json";

/// The directory that it is in.
const STATE: &str = "/var/lib/paquerette";

/// What a machine carried when paquerette first came to it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Found {
    /// What answered others, ssh aside, in the order of ports.
    pub listeners: Vec<Listener>,
    /// The rules of a firewall that were there, as the tool that shows them writes them.
    pub rules: Vec<String>,
}

/// Something that answers whoever reaches the machine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Listener {
    /// The port.
    pub port: u16,
    /// `tcp` or `udp`.
    pub protocol: String,
    /// The program; empty where it is the kernel itself, or could not be told.
    pub program: String,
}

impl Found {
    /// What is noted on a machine; nothing where it was not looked at yet.
    ///
    /// # Errors
    /// Where the note cannot be read, or is none.
    pub fn of(machine: &dyn Probe) -> Result<Option<Self>, Error> {
        let Some(bytes) = machine.read(&AbsPath::known(FOUND))? else { return Ok(None) };
        let found = serde_json::from_slice(&bytes).map_err(|error| {
            Diagnostic::new(format!("cannot read `{FOUND}`"))
                .cause(error.to_string())
                .hint("it says what the machine carried before paquerette: without it, write `{}` into it")
        })?;
        Ok(Some(found))
    }

    /// Notes it.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn note(&self, machine: &mut dyn System) -> Result<(), Error> {
        let text = serde_json::to_string_pretty(self)
            .map_err(|error| Error::failed(format!("cannot write `{FOUND}`"), error))?;
        let meta = |bits| Meta::new(Mode::from_bits(bits), "root", "root");
        machine.make_dir(&AbsPath::known(STATE), &meta(0o700))?;
        machine.write(&AbsPath::known(FOUND), format!("{text}\n").as_bytes(), &meta(0o600))
    }

    /// Whether somebody else's services ran there, or it passed on what is for others.
    pub fn carries(&self) -> bool {
        !self.listeners.is_empty() || self.rules.iter().any(|rule| !rule.starts_with("ufw: "))
    }

    /// What answered others, as people say it: `8443/tcp (java)`; where nothing did, that it has rules.
    pub fn services(&self) -> Vec<String> {
        let shown = |it: &Listener| match it.program.as_str() {
            "" => format!("{}/{}", it.port, it.protocol),
            program => format!("{}/{} ({program})", it.port, it.protocol),
        };
        match self.listeners.is_empty() {
            true => vec![format!("{} rules of a firewall", self.rules.len())],
            false => self.listeners.iter().map(shown).collect(),
        }
    }
}
