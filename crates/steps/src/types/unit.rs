//! A unit file of ours is in `/etc/systemd/system`, and systemd has read it as it is.
//!
//! Starting it is a `service` step; restarting it when it changed is a `reload` step.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::File;
use crate::ledger::{Thing, ThingKind};
use crate::{AbsPath, Check, Converge, Differences, Error, Probe, System, Text, UnitVerb};

/// A unit file has the wanted content, and systemd has read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Unit {
    /// Its name with the suffix, as in `radicale.service`; no template (`x@.service`).
    pub name: String,
    /// What the file holds; one with a secret in it is 0600, any other 0644.
    pub content: Text,
}

/// The suffixes of the units that can be written as files and started.
const SUFFIXES: [&str; 6] = [".service", ".socket", ".timer", ".path", ".target", ".mount"];

/// Refuses what is no name of a unit with its suffix.
pub(super) fn valid_unit_name(field: &str, name: &str) -> Result<(), String> {
    let stem = SUFFIXES.iter().find_map(|suffix| name.strip_suffix(suffix));
    let plain = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
    match stem {
        Some(stem)
            if !stem.is_empty()
                && !stem.starts_with(['-', '.', '@'])
                && !stem.ends_with('@')
                && name.len() < 256
                && stem.chars().all(plain) =>
        {
            Ok(())
        }
        _ => Err(format!(
            "`{field}` is `{}`: a unit is named with its suffix, as in `nginx.service`",
            name.escape_debug()
        )),
    }
}

impl Unit {
    fn file(&self) -> Result<File, Error> {
        let path = AbsPath::known("/etc/systemd/system")
            .join(&self.name)
            .map_err(|cause| Error::failed(format!("cannot write unit `{}`", self.name), cause))?;
        let root = || "root".to_owned();
        Ok(File {
            path,
            content: self.content.clone(),
            mode: None,
            owner: root(),
            group: root(),
            seed: false,
        })
    }
}

impl Converge for Unit {
    fn check(&self, machine: &dyn Probe) -> Result<Check, Error> {
        if let Check::Differs(found) = self.file()?.check(machine)? {
            return Ok(Check::Differs(found));
        }
        let mut found = Differences::new();
        match machine.unit(&self.name)? {
            None => found.push("known to systemd", Some("no"), Some("yes")),
            Some(unit) if unit.needs_daemon_reload => {
                found.push("read by systemd", Some("an older content"), Some("this content"));
            }
            Some(_) => {}
        }
        Ok(found.into_check())
    }

    fn apply(&self, machine: &mut dyn System) -> Result<(), Error> {
        let file = self.file()?;
        if file.check(machine)? != Check::InSync {
            file.apply(machine)?;
        }
        machine.unit_do(UnitVerb::DaemonReload, &self.name)
    }

    fn validate(&self) -> Result<(), String> {
        valid_unit_name("name", &self.name)
    }

    fn texts(&mut self) -> Vec<&mut Text> {
        vec![&mut self.content]
    }

    fn things(&self) -> Vec<Thing> {
        vec![Thing::new(ThingKind::Unit, &*self.name)]
    }

    fn whole_file(&self) -> Option<(AbsPath, Vec<u8>)> {
        Some((self.file().ok()?.path, self.content.as_bytes().to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_would_leave_the_directory_or_names_no_unit_is_refused() {
        for name in
            ["", "nginx", ".service", "../x.service", "a b.service", "-a.service", "php@.service", "x.conf"]
        {
            assert!(valid_unit_name("unit", name).is_err(), "{name}");
        }
        for name in ["nginx.service", "php8.2-fpm.service", "getty@tty1.service", "srv-x\\x2dy.mount"] {
            assert_eq!(valid_unit_name("unit", name), Ok(()), "{name}");
        }
    }
}
