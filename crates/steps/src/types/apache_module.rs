//! A module of apache2 is enabled, with those that it depends on, or disabled. What `a2enmod` does, without its 80 ms.
//!
//! apache2 must be restarted to take a module up or let it go; that is a `reload` step's business, by the links' times.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::accounts::yes;
use super::apache::{self, Enabled, Link};
use crate::{AbsPath, Check, Converge, Differences, Error, Probe, System};

/// A module of apache2 is enabled or disabled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApacheModule {
    /// Its name, as in `proxy_fcgi`; `/etc/apache2/mods-available` has its `.load` file.
    pub name: String,
    /// Whether it is enabled, by default yes: then also what it depends on. Those stay when it is disabled.
    #[serde(default = "yes")]
    pub enabled: bool,
}

const BASE: &str = "/etc/apache2";
const AVAILABLE: &str = "/etc/apache2/mods-available";
const ENABLED: &str = "/etc/apache2/mods-enabled";

/// The names behind `# Depends:` or `# Conflicts:`, in the comments at the head of a `.load` file.
fn header(text: &str, field: &str) -> Vec<String> {
    let head = text.lines().take_while(|line| line.trim().is_empty() || line.trim_start().starts_with('#'));
    let mut fields = head.filter_map(|line| line.strip_prefix("# ")?.strip_prefix(field)?.strip_prefix(':'));
    fields.next().unwrap_or_default().split_whitespace().map(str::to_owned).collect()
}

/// The two links of a module. Debian's a2enmod makes that of the `.conf` file first, and so do we.
fn links(name: &str) -> Result<[Enabled; 2], Error> {
    let link = |suffix: &str| Enabled::of(BASE, "mods", &format!("{name}.{suffix}"));
    Ok([link("conf")?, link("load")?])
}

/// The text of a module's `.load` file.
fn load(machine: &dyn Probe, name: &str) -> Result<String, Error> {
    let [_, load] = links(name)?;
    let text = machine.read(&load.target)?.ok_or_else(|| Error::absent("module of apache2", name))?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Whether a module is enabled.
fn is_enabled(machine: &dyn Probe, name: &str) -> Result<bool, Error> {
    let [_, load] = links(name)?;
    Ok(machine.stat(&load.link)?.is_some())
}

impl ApacheModule {
    /// Where its link is.
    pub fn place(&self) -> String {
        format!("{ENABLED}/{}.load", self.name)
    }

    /// The module and all that it depends on, each behind those that it depends on itself.
    fn closure(&self, machine: &dyn Probe) -> Result<Vec<String>, Error> {
        let (mut found, mut begun) = (Vec::new(), BTreeSet::new());
        let mut open = vec![(self.name.clone(), false)];
        while let Some((name, looked)) = open.pop() {
            if looked {
                found.push(name);
            } else if begun.insert(name.clone()) {
                let text = load(machine, &name)?;
                open.push((name, true));
                open.extend(header(&text, "Depends").into_iter().rev().map(|other| (other, false)));
            }
        }
        Ok(found)
    }

    /// The links that are not as they should be, of a module that is to be enabled.
    fn wanting(machine: &dyn Probe, name: &str) -> Result<Vec<(Enabled, Link)>, Error> {
        let mut wanting = Vec::new();
        for link in links(name)? {
            let is = link.look(machine)?;
            if is != Link::Right && link.is_available(machine)? {
                wanting.push((link, is));
            }
        }
        Ok(wanting)
    }

    /// Enabled modules that one of those excludes.
    fn conflicts(machine: &dyn Probe, names: &[String]) -> Result<Vec<String>, Error> {
        let mut found = Vec::new();
        for name in names {
            for other in header(&load(machine, name)?, "Conflicts") {
                if is_enabled(machine, &other)? && !found.contains(&other) {
                    found.push(other);
                }
            }
        }
        Ok(found)
    }

    /// Enabled modules that depend on this one.
    fn dependents(&self, machine: &dyn Probe) -> Result<Vec<String>, Error> {
        let mut found = Vec::new();
        for file in machine.list(&AbsPath::known(ENABLED))?.unwrap_or_default() {
            let Some(name) = file.strip_suffix(".load").filter(|name| *name != self.name) else { continue };
            let path = AbsPath::known(ENABLED).join(&file);
            let path = path.map_err(|cause| Error::failed(format!("cannot read module `{name}`"), cause))?;
            let text = machine.read(&path)?.unwrap_or_default();
            if header(&String::from_utf8_lossy(&text), "Depends").contains(&self.name) {
                found.push(name.to_owned());
            }
        }
        Ok(found)
    }

    fn check_enabled(&self, machine: &dyn Probe) -> Result<Check, Error> {
        let modules = self.closure(machine)?;
        let mut wanting = Vec::new();
        for name in &modules {
            wanting.extend(Self::wanting(machine, name)?);
        }
        if wanting.is_empty() {
            return Ok(Check::InSync);
        }
        let mut found = Differences::new();
        for (link, is) in wanting {
            match is {
                Link::Elsewhere(target) => {
                    let (is, want) = (format!("-> {target}"), format!("-> {}", link.text()));
                    found.push(link.link.as_str(), Some(&is), Some(&want));
                }
                _ => found.push(link.link.name(), Some("disabled"), Some("enabled")),
            }
        }
        for other in Self::conflicts(machine, &modules)? {
            found.push(&format!("module {other}, which conflicts"), Some("enabled"), Some("disabled"));
        }
        Ok(found.into_check())
    }

    fn check_disabled(&self, machine: &dyn Probe) -> Result<Check, Error> {
        let mut found = Differences::new();
        for link in links(&self.name)? {
            if link.look(machine)? != Link::Missing {
                found.push(link.link.name(), Some("enabled"), Some("disabled"));
            }
        }
        Ok(found.into_check())
    }

    /// apache2 is installed.
    fn stands(machine: &dyn Probe) -> Result<(), Error> {
        match machine.stat(&AbsPath::known(AVAILABLE))? {
            Some(_) => Ok(()),
            None => Err(Error::absent("directory", AVAILABLE)),
        }
    }
}

impl Converge for ApacheModule {
    fn check(&self, machine: &dyn Probe) -> Result<Check, Error> {
        Self::stands(machine)?;
        if self.enabled { self.check_enabled(machine) } else { self.check_disabled(machine) }
    }

    fn apply(&self, machine: &mut dyn System) -> Result<(), Error> {
        if self.check(machine)? == Check::InSync {
            return Ok(());
        }
        if !self.enabled {
            let dependents = self.dependents(machine)?;
            if !dependents.is_empty() {
                let message = format!("cannot disable module `{}` of apache2", self.name);
                return Err(apache::others_first(
                    message,
                    "it is needed by".to_owned(),
                    &dependents,
                    "disables",
                ));
            }
            apache::note(machine, "module", &self.name, false)?;
            // The other way round than enabling: a `.load` file without its `.conf` is a module with its defaults.
            let [conf, load] = links(&self.name)?;
            load.disable(machine)?;
            return conf.disable(machine);
        }
        let modules = self.closure(machine)?;
        let conflicts = Self::conflicts(machine, &modules)?;
        if !conflicts.is_empty() {
            let message = format!("cannot enable module `{}` of apache2", self.name);
            return Err(apache::others_first(
                message,
                "it conflicts with".to_owned(),
                &conflicts,
                "disables",
            ));
        }
        for name in modules {
            let wanting = Self::wanting(machine, &name)?;
            if wanting.is_empty() {
                continue;
            }
            apache::note(machine, "module", &name, true)?;
            wanting.into_iter().try_for_each(|(link, _)| link.enable(machine))?;
        }
        Ok(())
    }

    fn validate(&self) -> Result<(), String> {
        apache::valid_name(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_comments_at_the_head_say_what_a_module_depends_on() {
        let text = "# Depends: setenvif mime\tsocache_shmcb \n\n# Conflicts: x\nLoadModule ssl_module y\n# Depends: z\n";
        assert_eq!(header(text, "Depends"), ["setenvif", "mime", "socache_shmcb"]);
        assert_eq!(header(text, "Conflicts"), ["x"]);
        assert_eq!(header("LoadModule a b\n# Depends: z\n", "Depends"), Vec::<String>::new());
    }

    #[test]
    fn a_name_that_leads_elsewhere_is_refused() {
        for name in ["", "../x", "a/b", "a b", ".x", "-x", "é"] {
            assert!(ApacheModule { name: name.to_owned(), enabled: true }.validate().is_err(), "{name}");
        }
        assert_eq!(ApacheModule { name: "php8.2".to_owned(), enabled: true }.validate(), Ok(()));
    }
}
