//! The firewall is on, with what it does to packets that no rule names. Its rules are `firewall_rule` steps.
//!
//! ufw's own files are read: they say what it does now and at boot, since it loads them whenever it writes them.
//!
//! Always true here: what answered others before paquerette came still does once the firewall is on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::accounts::yes;
use super::run;
use crate::{AbsPath, Check, Converge, Differences, Error, Found, Listener, Probe, System};

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

/// Its rules; those for IPv6 stand in another file, one for one.
const RULES: &str = "/etc/ufw/user.rules";

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

    /// What answered others before us and no rule names, where the firewall begins to deny now and would shut it out.
    fn shut_out(&self, machine: &dyn Probe) -> Result<Vec<Listener>, Error> {
        let shut = Firewall::is_on(machine)? && self.has_policy(machine)?;
        if !self.enabled || self.incoming == Incoming::Allow || shut {
            return Ok(Vec::new());
        }
        let rules = machine.read(&AbsPath::known(RULES))?.unwrap_or_default();
        let rules = String::from_utf8_lossy(&rules);
        let is_named = |it: &Listener| {
            let (port, protocol) = (it.port.to_string(), it.protocol.as_str());
            rules.lines().filter_map(|line| line.strip_prefix("### tuple ### ")).any(|rule| {
                let mut words = rule.split(' ').skip(1);
                let protocols = [protocol, "any"];
                words.next().is_some_and(|it| protocols.contains(&it)) && words.next() == Some(&port)
            })
        };
        let found = Found::of(machine)?.unwrap_or_default();
        Ok(found.listeners.into_iter().filter(|it| !is_named(it)).collect())
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
        for Listener { port, protocol, program } in self.shut_out(machine)? {
            let is = if program.is_empty() { "open".to_owned() } else { format!("open ({program})") };
            found.push(&format!("{port}/{protocol}"), Some(&is), Some("kept open by a rule of its own"));
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
        [SWITCH, POLICY, RULES, "/etc/ufw/user6.rules"].map(AbsPath::known).to_vec()
    }

    fn apply(&self, machine: &mut dyn System) -> Result<(), Error> {
        for Listener { port, protocol, .. } in self.shut_out(machine)? {
            let comment = "open before paquerette";
            run(machine, &["ufw", "allow", &format!("{port}/{protocol}"), "comment", comment])?;
        }
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
