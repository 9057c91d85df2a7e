//! A site of nginx or apache2 is enabled or disabled: the link in `sites-enabled` to its file in `sites-available`.
//!
//! More than a link: the file must be there, and apache2's own notes are kept. What the file says is a `file` step's
//! business, and having it read a `reload` step's.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::accounts::yes;
use super::apache::{self, Enabled, Link};
use crate::ledger::{Thing, ThingKind};
use crate::{AbsPath, Check, Converge, Differences, Error, Probe, System};

/// A web server of Debian.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Server {
    /// nginx, in `/etc/nginx`.
    Nginx,
    /// apache2, in `/etc/apache2`.
    Apache2,
}

/// A site of a web server is enabled or disabled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// Whose site.
    pub server: Server,
    /// Its name: that of its file, for apache2 without the `.conf`.
    pub name: String,
    /// Whether it is enabled, by default yes.
    #[serde(default = "yes")]
    pub enabled: bool,
}

impl Site {
    fn link(&self) -> Result<Enabled, Error> {
        match self.server {
            Server::Nginx => Enabled::of("/etc/nginx", "sites", &self.name),
            Server::Apache2 => Enabled::of("/etc/apache2", "sites", &format!("{}.conf", self.name)),
        }
    }

    /// Its file in `sites-available`.
    pub fn file(&self) -> Option<AbsPath> {
        self.link().ok().map(|link| link.target)
    }

    /// Where its link is.
    pub fn place(&self) -> String {
        self.link().map_or(String::new(), |link| link.link.as_str().to_owned())
    }

    /// The server is installed, and the file of a site that is to be enabled is there.
    fn stands(&self, machine: &dyn Probe, link: &Enabled) -> Result<(), Error> {
        for directory in [link.target.parent(), link.link.parent()].into_iter().flatten() {
            if machine.stat(&directory)?.is_none() {
                return Err(Error::absent("directory", directory.as_str()));
            }
        }
        match self.enabled && !link.is_available(machine)? {
            true => Err(Error::absent("site", link.target.as_str())),
            false => Ok(()),
        }
    }
}

impl Converge for Site {
    fn check(&self, machine: &dyn Probe) -> Result<Check, Error> {
        let link = self.link()?;
        self.stands(machine, &link)?;
        let mut found = Differences::new();
        let to = |target: &str| format!("-> {target}");
        match (link.look(machine)?, self.enabled) {
            (Link::Right, true) | (Link::Missing, false) => {}
            (Link::Missing, true) => found.push("site", Some("disabled"), Some("enabled")),
            (Link::Right, false) => found.push("site", Some("enabled"), Some("disabled")),
            (Link::Elsewhere(is), true) => {
                found.push(link.link.as_str(), Some(&to(&is)), Some(&to(&link.text())));
            }
            (Link::Elsewhere(is), false) => found.push(link.link.as_str(), Some(&to(&is)), Some("disabled")),
        }
        Ok(found.into_check())
    }

    fn apply(&self, machine: &mut dyn System) -> Result<(), Error> {
        if self.check(machine)? == Check::InSync {
            return Ok(());
        }
        if self.server == Server::Apache2 {
            apache::note(machine, "site", &self.name, self.enabled)?;
        }
        let link = self.link()?;
        if self.enabled { link.enable(machine) } else { link.disable(machine) }
    }

    fn validate(&self) -> Result<(), String> {
        apache::valid_name(&self.name)?;
        match self.server == Server::Apache2 && self.name.ends_with(".conf") {
            true => Err(format!(
                "`name` is `{}`: a site of apache2 is named without the `.conf` of its file",
                self.name
            )),
            false => Ok(()),
        }
    }

    fn things(&self) -> Vec<Thing> {
        vec![Thing::new(ThingKind::Link, self.place())]
    }
}
