//! A directory exists with the wanted owner and mode. What is inside it is not our business.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{compare_meta, in_the_way, root};
use crate::ledger::{Thing, ThingKind};
use crate::{AbsPath, Check, Converge, Differences, Error, Kind, Meta, Mode, Probe, System};

/// A directory exists with the wanted owner and mode; missing parents are made 0755, of root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Directory {
    /// Where.
    pub path: AbsPath,
    /// Permission bits, `"0755"` by default.
    #[serde(default = "default_mode")]
    pub mode: Mode,
    /// Owner, `root` by default.
    #[serde(default = "root")]
    pub owner: String,
    /// Group, `root` by default.
    #[serde(default = "root")]
    pub group: String,
}

fn default_mode() -> Mode {
    Mode::from_bits(0o755)
}

impl Converge for Directory {
    fn check(&self, machine: &dyn Probe) -> Result<Check, Error> {
        let Some(is) = machine.stat(&self.path)? else { return Ok(Differences::missing("directory")) };
        if is.kind != Kind::Directory {
            return Err(in_the_way("directory", &self.path, &is));
        }
        let mut found = Differences::new();
        compare_meta(&mut found, &is, self.mode, &self.owner, &self.group);
        Ok(found.into_check())
    }

    fn apply(&self, machine: &mut dyn System) -> Result<(), Error> {
        machine.make_dir(&self.path, &Meta::new(self.mode, &self.owner, &self.group))
    }

    fn things(&self) -> Vec<Thing> {
        vec![Thing::at(ThingKind::Directory, &self.path)]
    }
}
