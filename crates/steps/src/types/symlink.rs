//! A symbolic link points where it should; another link is replaced atomically, anything else is refused.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::in_the_way;
use super::reads::resolved;
use crate::ledger::{Thing, ThingKind};
use crate::{AbsPath, Check, Converge, Differences, Error, Kind, Probe, System};

/// A symbolic link points where it should. Whether anything is there is not our business.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Symlink {
    /// Where the link is.
    pub path: AbsPath,
    /// Where it points, as it is written into the link.
    pub target: String,
}

impl Symlink {
    /// The path that it leads to; nothing where its target is none.
    pub fn leads_to(&self) -> Option<AbsPath> {
        resolved(&self.path, &self.target)
    }
}

impl Converge for Symlink {
    fn check(&self, machine: &dyn Probe) -> Result<Check, Error> {
        let Some(is) = machine.stat(&self.path)? else { return Ok(Differences::missing("link")) };
        if is.kind != Kind::Symlink {
            return Err(in_the_way("link", &self.path, &is));
        }
        let mut found = Differences::new();
        found.between("target", &machine.read_link(&self.path)?.unwrap_or_default(), &self.target);
        Ok(found.into_check())
    }

    fn apply(&self, machine: &mut dyn System) -> Result<(), Error> {
        machine.symlink(&self.target, &self.path)
    }

    fn validate(&self) -> Result<(), String> {
        match self.target.is_empty() || self.target.chars().any(char::is_control) {
            true => Err("`target` is empty or holds a control character".to_owned()),
            false => Ok(()),
        }
    }

    fn things(&self) -> Vec<Thing> {
        vec![Thing::at(ThingKind::Link, &self.path)]
    }
}
