//! A systemd unit runs, or does not; it starts at boot, or does not.
//!
//! What it runs with is the business of `reload`: a unit that is running counts, however old its configuration.

use pq_stream::Diagnostic;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::accounts::yes;
use super::reads::{Reads, valid_glob};
use super::reload;
use super::unit::valid_unit_name;
use crate::{Active, Check, Converge, Differences, Error, Probe, System, Unit, UnitFile, UnitVerb};

/// A systemd unit runs (or not) and starts at boot (or not).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Its name with the suffix, as in `nginx.service`.
    pub unit: String,
    /// Whether it runs, by default yes.
    #[serde(default = "yes")]
    pub running: bool,
    /// Whether it starts at boot, by default yes. Units that others pull in (static ones) are left as they are.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// What it reads when it starts, as its `reload` step has it: kept, so that a file that is taken away by hand and
    /// put back as it was needs no reload.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<String>,
    /// The TCP port on which it listens: while something else does, it is not started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listens: Option<u16>,
    /// Whether there may be no such unit: then it neither runs nor starts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
}

impl Service {
    /// Refuses to start it where somebody else listens already.
    fn refuse_taken(&self, machine: &dyn Probe, unit: &Unit) -> Result<(), Error> {
        let Some(port) = self.listens.filter(|_| self.running) else { return Ok(()) };
        // its own process may listen already
        if matches!(unit.active, Active::Active | Active::Changing) {
            return Ok(());
        }
        let Some(other) = machine.listener(port)? else { return Ok(()) };
        let who = if other.program.is_empty() { "something" } else { other.program.as_str() };
        let taken = Diagnostic::new(format!("cannot start `{}`", self.unit))
            .cause(format!("`{who}` listens on port {port} already"));
        let hint = format!("`ss -ltnp 'sport = :{port}'` shows it: stop it, or choose another `port`");
        Err(taken.hint(hint).into())
    }

    fn unit(&self, machine: &dyn Probe) -> Result<Option<Unit>, Error> {
        let Some(unit) = machine.unit(&self.unit)? else {
            return match self.optional {
                true => Ok(None),
                false => Err(Error::absent("unit", self.unit.clone())),
            };
        };
        if unit.file == UnitFile::Masked && (self.running || self.enabled) {
            return Err(Diagnostic::new(format!("cannot have `{}` run", self.unit))
                .cause("it is masked: somebody forbade it to start")
                .hint(format!("`systemctl unmask {}` allows it again", self.unit))
                .into());
        }
        Ok(Some(unit))
    }

    fn boots(&self, unit: &Unit) -> bool {
        match unit.file {
            UnitFile::Enabled => self.enabled,
            UnitFile::Disabled => !self.enabled,
            UnitFile::Static | UnitFile::Masked => true,
        }
    }

    fn runs(&self, unit: &Unit) -> bool {
        match unit.active {
            Active::Active => self.running,
            Active::Inactive | Active::Failed => !self.running,
            Active::Changing => false,
        }
    }
}

impl Converge for Service {
    fn check(&self, machine: &dyn Probe) -> Result<Check, Error> {
        let mut found = Differences::new();
        let Some(unit) = self.unit(machine)? else { return Ok(found.into_check()) };
        if !self.boots(&unit) {
            let word = |enabled| if enabled { "enabled" } else { "disabled" };
            found.push("at boot", Some(word(!self.enabled)), Some(word(self.enabled)));
        }
        if !self.runs(&unit) {
            let is = match unit.active {
                Active::Active => "running",
                Active::Changing => "starting or stopping",
                Active::Inactive => "stopped",
                Active::Failed => "failed",
            };
            found.push("state", Some(is), Some(if self.running { "running" } else { "stopped" }));
        }
        Ok(found.into_check())
    }

    fn apply(&self, machine: &mut dyn System) -> Result<(), Error> {
        let Some(unit) = self.unit(machine)? else { return Ok(()) };
        if !self.boots(&unit) {
            let verb = if self.enabled { UnitVerb::Enable } else { UnitVerb::Disable };
            machine.unit_do(verb, &self.unit)?;
        }
        if !self.runs(&unit) {
            self.refuse_taken(machine, &unit)?;
            let hash = Reads::look(machine, &self.reads)?.digest();
            // What starts now is to start as its files say.
            if self.running && unit.needs_daemon_reload {
                machine.unit_do(UnitVerb::DaemonReload, &self.unit)?;
            }
            let verb = if self.running { UnitVerb::Start } else { UnitVerb::Stop };
            machine.unit_do(verb, &self.unit)?;
            if self.running && !self.reads.is_empty() {
                reload::keep(machine, &self.unit, &self.reads, hash)?;
            }
        }
        Ok(())
    }

    fn validate(&self) -> Result<(), String> {
        valid_unit_name("unit", &self.unit)?;
        if self.optional && (self.running || self.enabled) {
            return Err(
                "`optional` is for what is not to run: a unit that is to run must be there".to_owned()
            );
        }
        self.reads.iter().try_for_each(|glob| valid_glob("reads", glob))
    }
}
