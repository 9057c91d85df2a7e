//! A rule of the firewall, for IPv4 and IPv6, as ufw keeps it. Whether the firewall is on is a `firewall` step.
//!
//! ufw's own files are read, which costs microseconds; `ufw status` is a Python program.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::firewall::reload;
use super::run;
use crate::ledger::{Thing, ThingKind};
use crate::{AbsPath, Check, Converge, Differences, Error, Probe, System};

/// What is done with the packets of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// They come in.
    Allow,
    /// They come in, unless one address opens six connections within 30 seconds.
    Limit,
    /// They are dropped.
    Deny,
}

/// What travels on a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// The firewall has a rule for a port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FirewallRule {
    /// What is done.
    pub action: Action,
    /// The port on this machine.
    pub port: u16,
    /// What travels on it.
    pub protocol: Protocol,
    /// Only from this address or network, as in `10.0.0.0/8`; from everywhere by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

/// The two files of rules, and what stands for any address in each.
const FILES: [(&str, &str); 2] = [("/etc/ufw/user.rules", "0.0.0.0/0"), ("/etc/ufw/user6.rules", "::/0")];

impl FirewallRule {
    fn action(&self) -> &'static str {
        match self.action {
            Action::Allow => "allow",
            Action::Limit => "limit",
            Action::Deny => "deny",
        }
    }

    fn protocol(&self) -> &'static str {
        match self.protocol {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        }
    }

    /// How ufw notes the rule in a file of rules.
    fn tuple(&self, any: &str) -> String {
        let from = self.from.as_deref().unwrap_or(any);
        let (action, protocol) = (self.action(), self.protocol());
        format!("### tuple ### {action} {protocol} {} {any} any {from} in", self.port)
    }

    /// The rule as people write it.
    fn name(&self) -> String {
        let from = self.from.as_ref().map_or(String::new(), |from| format!(" from {from}"));
        format!("{} {}/{}{from}", self.action(), self.port, self.protocol())
    }

    /// The rule of the ledger.
    ///
    /// # Errors
    /// Where its name is none.
    pub(crate) fn named(name: &str) -> Result<Self, Error> {
        let read = || {
            let (what, from) =
                name.split_once(" from ").map_or((name, None), |(what, from)| (what, Some(from)));
            let (action, what) = what.split_once(' ')?;
            let (port, protocol) = what.split_once('/')?;
            let fields = serde_json::json!({ "action": action, "port": port.parse::<u16>().ok()?, "protocol": protocol, "from": from });
            serde_json::from_value::<FirewallRule>(fields).ok().filter(|rule| rule.validate().is_ok())
        };
        read().ok_or_else(|| {
            Error::failed(format!("cannot find the rule `{}`", name.escape_debug()), "it is none")
        })
    }

    /// Whether one of ufw's files has it.
    pub(crate) fn is_there(&self, machine: &dyn Probe) -> Result<bool, Error> {
        for (path, any) in FILES {
            let rules = machine.read(&AbsPath::known(path))?.unwrap_or_default();
            if self.concerns(any.contains(':')) && self.is_noted(&rules, any) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Takes it away.
    pub(crate) fn take_away(&self, machine: &mut dyn System) -> Result<(), Error> {
        self.ufw(machine, &["--force", "delete"])
    }

    fn is_noted(&self, rules: &[u8], any: &str) -> bool {
        let tuple = self.tuple(any);
        let noted = |line: &str| line.split(" comment=").next() == Some(&tuple);
        String::from_utf8_lossy(rules).lines().any(noted)
    }

    /// Has ufw do something about the rule.
    fn ufw(&self, machine: &mut dyn System, verb: &[&str]) -> Result<(), Error> {
        let port = self.port.to_string();
        let simple = format!("{port}/{}", self.protocol());
        let rule = match &self.from {
            None => vec![self.action(), &simple],
            Some(from) => {
                vec![self.action(), "proto", self.protocol(), "from", from, "to", "any", "port", &port]
            }
        };
        run(machine, &[&["ufw"], verb, &rule[..]].concat())
    }

    /// Whether the rule belongs into the file of that family.
    fn concerns(&self, six: bool) -> bool {
        self.from.as_ref().is_none_or(|from| from.contains(':') == six)
    }
}

/// Whether ufw looks after IPv6, from the text of `/etc/default/ufw`; it does unless that says no.
fn uses_six(defaults: &str) -> bool {
    let value = defaults.lines().rev().find_map(|line| line.trim().strip_prefix("IPV6="));
    value.is_none_or(|value| !value.trim_matches(['"', '\'']).eq_ignore_ascii_case("no"))
}

impl Converge for FirewallRule {
    fn check(&self, machine: &dyn Probe) -> Result<Check, Error> {
        let defaults = machine.read(&AbsPath::known("/etc/default/ufw"))?.unwrap_or_default();
        let six = uses_six(&String::from_utf8_lossy(&defaults));
        let mut found = Differences::new();
        for (path, any) in FILES {
            if !self.concerns(any.contains(':')) || (any.contains(':') && !six) {
                continue;
            }
            let rules =
                machine.read(&AbsPath::known(path))?.ok_or_else(|| Error::absent("file", path.to_owned()))?;
            if !self.is_noted(&rules, any) {
                found.push(path, Some("no such rule"), self.tuple(any).strip_prefix("### tuple ### "));
            }
        }
        Ok(found.into_check())
    }

    /// ufw writes its files first and the kernel's rules after.
    fn finish(&self, machine: &mut dyn System) -> Result<(), Error> {
        reload(machine)
    }

    fn rewrites(&self) -> Vec<AbsPath> {
        FILES.map(|(path, _)| AbsPath::known(path)).to_vec()
    }

    fn apply(&self, machine: &mut dyn System) -> Result<(), Error> {
        self.ufw(machine, &[])
    }

    fn things(&self) -> Vec<Thing> {
        vec![Thing::new(ThingKind::Rule, self.name())]
    }

    fn validate(&self) -> Result<(), String> {
        if self.port == 0 {
            return Err("`port` is 0".to_owned());
        }
        self.from.as_deref().map_or(Ok(()), valid_network)
    }
}

/// Refuses what is no address or network, or is written otherwise than ufw would note it.
fn valid_network(from: &str) -> Result<(), String> {
    let bad = |why: &str| Err(format!("`from` `{}` {why}", from.escape_debug()));
    let (address, bits) = match from.split_once('/') {
        Some((address, bits)) => (address, Some(bits)),
        None => (from, None),
    };
    let Ok(ip) = address.parse::<IpAddr>() else {
        return bad("is no address or network, as in `10.0.0.0/8`");
    };
    if ip.to_string() != address {
        return bad(&format!("has its short form `{ip}`: write that"));
    }
    let width = if ip.is_ipv4() { 32 } else { 128 };
    let Some(bits) = bits else { return Ok(()) };
    let length = match bits.parse::<u32>() {
        Ok(length) if (1..width).contains(&length) && length.to_string() == bits => length,
        Ok(length) if length == width => return bad("is one address: leave out the length"),
        _ => return bad("has no length between its address's 1 and its last bit"),
    };
    let value = match ip {
        IpAddr::V4(ip) => u128::from(ip.to_bits()) << 96,
        IpAddr::V6(ip) => ip.to_bits(),
    };
    match value << length {
        0 => Ok(()),
        _ => bad("has bits set beyond its length"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(from: Option<&str>) -> FirewallRule {
        FirewallRule {
            action: Action::Limit,
            port: 22,
            protocol: Protocol::Tcp,
            from: from.map(str::to_owned),
        }
    }

    #[test]
    fn a_rule_is_noted_as_ufw_notes_it() {
        assert_eq!(rule(None).tuple("0.0.0.0/0"), "### tuple ### limit tcp 22 0.0.0.0/0 any 0.0.0.0/0 in");
        assert_eq!(rule(None).tuple("::/0"), "### tuple ### limit tcp 22 ::/0 any ::/0 in");
        let from = rule(Some("10.0.0.0/8"));
        assert_eq!(from.tuple("0.0.0.0/0"), "### tuple ### limit tcp 22 0.0.0.0/0 any 10.0.0.0/8 in");
        assert!(from.concerns(false) && !from.concerns(true));
    }

    #[test]
    fn a_network_that_ufw_would_write_otherwise_is_refused() {
        for bad in [
            "any",
            "10.0.0.0/33",
            "10.0.0.1/8",
            "10.0.0.1/32",
            "0.0.0.0/0",
            "FE80::/10",
            "fe80::1/64",
            "10/8",
        ] {
            assert!(rule(Some(bad)).validate().is_err(), "{bad}");
        }
        for good in ["10.0.0.0/8", "192.168.1.7", "fe80::/10", "2001:db8::1"] {
            assert_eq!(rule(Some(good)).validate(), Ok(()), "{good}");
        }
    }

    #[test]
    fn ipv6_is_looked_after_unless_ufw_says_no() {
        assert!(uses_six("IPV6=yes\n") && uses_six(""));
        assert!(!uses_six("# x\nIPV6=\"no\"\n"));
    }
}
