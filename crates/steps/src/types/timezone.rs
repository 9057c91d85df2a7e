//! The machine's time zone: where `/etc/localtime` points, and the name in `/etc/timezone` for those who read that.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AbsPath, Check, Converge, Differences, Error, Kind, Meta, Mode, Probe, System};

/// The machine keeps this time zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Timezone {
    /// Its name, as in `Europe/Paris`; the machine must know it (package `tzdata`).
    pub zone: String,
}

const LINK: &str = "/etc/localtime";
const NAME: &str = "/etc/timezone";

impl Timezone {
    fn target(&self) -> String {
        format!("/usr/share/zoneinfo/{}", self.zone)
    }

    fn zone_file_exists(&self, machine: &dyn Probe) -> Result<(), Error> {
        let missing = || Error::absent("time zone", self.zone.clone());
        let path = AbsPath::new(self.target()).map_err(|_| missing())?;
        match machine.stat(&path)?.map(|is| is.kind) {
            Some(Kind::File | Kind::Symlink) => Ok(()),
            _ => Err(missing()),
        }
    }

    /// Whether a link's text leads to the zone; Debian's own tools also write it relative to `/etc`.
    fn is_target(&self, link: &str) -> bool {
        let absolute = link.strip_prefix("..").filter(|rest| rest.starts_with('/')).unwrap_or(link);
        absolute == self.target()
    }
}

impl Converge for Timezone {
    fn check(&self, machine: &dyn Probe) -> Result<Check, Error> {
        self.zone_file_exists(machine)?;
        let mut found = Differences::new();
        match machine.read_link(&AbsPath::known(LINK))? {
            Some(link) if self.is_target(&link) => {}
            link => found.push(LINK, link.as_deref(), Some(&self.target())),
        }
        let name = machine.read(&AbsPath::known(NAME))?;
        let name = name.map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned());
        if name.as_deref() != Some(self.zone.as_str()) {
            found.push(NAME, name.as_deref(), Some(&self.zone));
        }
        Ok(found.into_check())
    }

    fn apply(&self, machine: &mut dyn System) -> Result<(), Error> {
        self.zone_file_exists(machine)?;
        let link = AbsPath::known(LINK);
        if machine.stat(&link)?.is_some_and(|is| is.kind == Kind::File) {
            machine.remove(&link)?;
        }
        machine.symlink(&self.target(), &link)?;
        let meta = Meta::new(Mode::from_bits(0o644), "root", "root");
        machine.write(&AbsPath::known(NAME), format!("{}\n", self.zone).as_bytes(), &meta)
    }

    fn validate(&self) -> Result<(), String> {
        let plain = |part: &str| {
            part.starts_with(|c: char| c.is_ascii_alphabetic())
                && part.chars().all(|c| c.is_ascii_alphanumeric() || "_+-".contains(c))
        };
        match self.zone.split('/').all(plain) {
            true => Ok(()),
            false => {
                Err(format!("`zone` `{}` is no time zone, as in `Europe/Paris`", self.zone.escape_debug()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_that_would_leave_its_directory_is_refused() {
        for zone in ["", "../x", "Europe/../../etc", "/etc", "Europe/", "Europe//Paris", "a b"] {
            assert!(Timezone { zone: zone.to_owned() }.validate().is_err(), "{zone}");
        }
        for zone in ["UTC", "Europe/Paris", "America/Argentina/Buenos_Aires", "Etc/GMT+5"] {
            assert!(Timezone { zone: zone.to_owned() }.validate().is_ok(), "{zone}");
        }
    }
}
