//! Debian packages are installed and configured. Which version is apt's business; nothing is upgraded or removed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ledger::{Thing, ThingKind};
use crate::{Check, Converge, Differences, Error, Probe, System};

/// Packages are installed; the executor installs those of all such steps in one transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// Their names.
    pub names: Vec<String>,
}

impl Package {
    /// Those that are not installed, or not configured.
    ///
    /// # Errors
    /// Where dpkg's status cannot be read.
    pub fn wanting(&self, machine: &dyn Probe) -> Result<Vec<&str>, Error> {
        let mut wanting = Vec::new();
        for name in &self.names {
            if !machine.package(name)?.is_some_and(|package| package.configured) {
                wanting.push(name.as_str());
            }
        }
        Ok(wanting)
    }
}

impl Converge for Package {
    fn check(&self, machine: &dyn Probe) -> Result<Check, Error> {
        let mut found = Differences::new();
        for name in self.wanting(machine)? {
            let is = match machine.package(name)? {
                None => "not installed",
                Some(_) => "not configured",
            };
            found.push(&format!("package {name}"), Some(is), Some("installed"));
        }
        Ok(found.into_check())
    }

    fn apply(&self, machine: &mut dyn System) -> Result<(), Error> {
        let wanting: Vec<String> = self.wanting(machine)?.into_iter().map(str::to_owned).collect();
        let names: Vec<&str> = wanting.iter().map(String::as_str).collect();
        match names.is_empty() {
            true => Ok(()),
            false => machine.install(&names, &mut |_| {}),
        }
    }

    fn validate(&self) -> Result<(), String> {
        if self.names.is_empty() {
            return Err("`names` is empty".to_owned());
        }
        match self.names.iter().find(|name| !valid_name(name)) {
            Some(name) => {
                Err(format!("`names` holds `{}`, which no package can be called", name.escape_debug()))
            }
            None => Ok(()),
        }
    }

    fn things(&self) -> Vec<Thing> {
        self.names.iter().map(|name| Thing::new(ThingKind::Package, &**name)).collect()
    }
}

/// Debian policy 5.6.1: lower case letters, digits, `+`, `-`, `.`; at least two, the first alphanumeric. A last
/// `-` would tell apt to remove.
fn valid_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    name.len() >= 2
        && name.bytes().next().is_some_and(plain)
        && name.bytes().all(|b| plain(b) || b"+-.".contains(&b))
        && !name.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_apt_would_read_as_more_than_a_name_is_refused() {
        for name in ["-y", "nginx-", "nginx=1.2", "nginx/sid", "nginx:i386", "ng*", "~n", "x"] {
            assert!(Package { names: vec![name.to_owned()] }.validate().is_err(), "{name}");
        }
        assert!(valid_name("libstdc++6") && valid_name("php8.2-fpm"));
    }
}
