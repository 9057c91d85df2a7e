//! A file with a known digest is there, fetched where it is not.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{compare_meta, in_the_way, root, rules};
use crate::ledger::{Thing, ThingKind};
use crate::{AbsPath, Check, Converge, Differences, Error, Kind, Meta, Mode, Probe, System};

/// A file with this SHA-256, of root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Download {
    /// Where it is fetched from, `https://` or `http://`.
    pub url: String,
    /// Its SHA-256 in hexadecimal.
    pub sha256: String,
    /// Where; its directory must exist.
    pub path: AbsPath,
    /// The most bytes that are taken, 2 GiB by default.
    #[serde(default = "default_max_bytes")]
    pub max_bytes: u64,
    /// Permission bits, `"0644"` by default.
    #[serde(default = "default_mode", skip_serializing_if = "is_default_mode")]
    pub mode: Mode,
}

fn default_max_bytes() -> u64 {
    2 << 30
}

fn default_mode() -> Mode {
    Mode::from_bits(0o644)
}

fn is_default_mode(mode: &Mode) -> bool {
    *mode == default_mode()
}

impl Converge for Download {
    fn check(&self, machine: &dyn Probe) -> Result<Check, Error> {
        let Some(is) = machine.stat(&self.path)? else { return Ok(Differences::missing("file")) };
        if is.kind != Kind::File {
            return Err(in_the_way("file", &self.path, &is));
        }
        let mut found = Differences::new();
        found.between("sha256", &machine.sha256(&self.path)?.unwrap_or_default(), &self.sha256);
        compare_meta(&mut found, &is, self.mode, &root(), &root());
        Ok(found.into_check())
    }

    fn apply(&self, machine: &mut dyn System) -> Result<(), Error> {
        if machine.sha256(&self.path)?.as_ref() != Some(&self.sha256) {
            let download = crate::Download {
                url: self.url.clone(),
                sha256: self.sha256.clone(),
                max_bytes: self.max_bytes,
            };
            machine.download(&download, &self.path)?;
        }
        machine.set_meta(&self.path, &Meta::new(self.mode, &root(), &root()))
    }

    fn validate(&self) -> Result<(), String> {
        rules::url("url", &self.url)?;
        rules::sha256("sha256", &self.sha256)
    }

    fn things(&self) -> Vec<Thing> {
        vec![Thing::at(ThingKind::File, &self.path)]
    }
}
