//! A group exists. Who is in it is said by the users' steps.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::accounts::{self, yes};
use super::run;
use crate::ledger::{Thing, ThingKind};
use crate::{Check, Converge, Differences, Error, Probe, System};

/// A group exists, in `/etc/group`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Whether it gets a number of the system's range, by default yes; one that exists keeps its number.
    #[serde(default = "yes")]
    pub system: bool,
}

impl Converge for Group {
    fn check(&self, machine: &dyn Probe) -> Result<Check, Error> {
        match accounts::group(machine, &self.name)? {
            Some(is) if self.system => {
                accounts::of_the_system("group", &self.name, is.id).map(|()| Check::InSync)
            }
            Some(_) => Ok(Check::InSync),
            None => Ok(Differences::missing("group")),
        }
    }

    fn apply(&self, machine: &mut dyn System) -> Result<(), Error> {
        if self.check(machine)? == Check::InSync {
            return Ok(());
        }
        let mut argv = vec!["groupadd"];
        argv.extend(self.system.then_some("--system"));
        argv.push(&self.name);
        run(machine, &argv)
    }

    fn validate(&self) -> Result<(), String> {
        accounts::valid_name("name", &self.name)
    }

    fn things(&self) -> Vec<Thing> {
        vec![Thing::new(ThingKind::Group, &*self.name)]
    }
}
