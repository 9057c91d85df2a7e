//! The firewall is on, with what it does to packets that no rule names. Its rules are `firewall_rule` steps.
//!
//! ufw's own files are read: they say what it does now and at boot, since it loads them whenever it writes them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::accounts::yes;
use super::run;
use crate::{AbsPath, Check, Converge, Differences, Error, Probe, System};

/// What becomes of packets that no rule names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Incoming {
    /// They are dropped.
    #[default]
    Deny,
    /// They come in.
    Allow,
}

/// The firewall (package `ufw`) is on or off. Rules for `ssh` belong before the step that switches it on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Firewall {
    /// Whether it is on, by default yes.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// What becomes of packets that no rule names: `deny` by default.
    #[serde(default)]
    pub incoming: Incoming,
}

const SWITCH: &str = "/etc/ufw/ufw.conf";
const POLICY: &str = "/etc/default/ufw";

/// The value of a setting in a file of shell assignments; the last one counts.
fn setting(machine: &dyn Probe, path: &'static str, name: &str) -> Result<String, Error> {
    let bytes = machine.read(&AbsPath::known(path))?.ok_or_else(|| Error::absent("file", path.to_owned()))?;
    let text = String::from_utf8_lossy(&bytes);
    let value = |line: &str| line.trim().strip_prefix(name)?.strip_prefix('=').map(str::to_owned);
    let value = text.lines().rev().find_map(value).unwrap_or_default();
    Ok(value.trim_matches(['"', '\'', ' ']).to_owned())
}

/// Has the kernel's rules be what ufw's files say; nothing where the firewall is off.
pub(super) fn reload(machine: &mut dyn System) -> Result<(), Error> {
    run(machine, &["ufw", "reload"])
}

impl Firewall {
    /// The policy as ufw writes it, and as it is said on the command line.
    fn policy(&self) -> (&'static str, &'static str) {
        match self.incoming {
            Incoming::Deny => ("DROP", "deny"),
            Incoming::Allow => ("ACCEPT", "allow"),
        }
    }

    fn has_policy(&self, machine: &dyn Probe) -> Result<bool, Error> {
        Ok(setting(machine, POLICY, "DEFAULT_INPUT_POLICY")? == self.policy().0)
    }

    fn is_on(machine: &dyn Probe) -> Result<bool, Error> {
        Ok(setting(machine, SWITCH, "ENABLED")?.eq_ignore_ascii_case("yes"))
    }
}

impl Converge for Firewall {
    fn check(&self, machine: &dyn Probe) -> Result<Check, Error> {
        let mut found = Differences::new();
        if !self.has_policy(machine)? {
            let is = setting(machine, POLICY, "DEFAULT_INPUT_POLICY")?;
            found.push("incoming", Some(&is), Some(self.policy().0));
        }
        let word = |on| if on { "on" } else { "off" };
        found.between("firewall", &word(Firewall::is_on(machine)?), &word(self.enabled));
        Ok(found.into_check())
    }

    /// ufw writes its files first and the kernel's rules after.
    fn finish(&self, machine: &mut dyn System) -> Result<(), Error> {
        reload(machine)
    }

    fn rewrites(&self) -> Vec<AbsPath> {
        [SWITCH, POLICY].map(AbsPath::known).to_vec()
    }

    fn apply(&self, machine: &mut dyn System) -> Result<(), Error> {
        if !self.has_policy(machine)? {
            run(machine, &["ufw", "default", self.policy().1, "incoming"])?;
        }
        match (Firewall::is_on(machine)?, self.enabled) {
            (false, true) => run(machine, &["ufw", "--force", "enable"]),
            (true, false) => run(machine, &["ufw", "disable"]),
            _ => Ok(()),
        }
    }
}
