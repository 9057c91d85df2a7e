//! An instance is not installed yet, or at the version of the plan. It looks, and never acts: a new version is no matter of a file that
//! differs, but of a backup, of migrations and of a way back. What its owner has behind it in the plan belongs to that version, and is
//! left alone where another one is installed.

use std::cmp::Ordering;

use pq_stream::Diagnostic;
use pq_stream::version::compare;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AbsPath, Check, Converge, Differences, Error, Probe, System};

/// Nothing is served, or the release of this version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Installed {
    /// The link to the release that is served, which is named as its version.
    pub current: AbsPath,
    /// The version of the plan.
    pub version: String,
    /// The key of the instance in which that stands, where it says itself where its code comes from; else it is `version`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// The version that is installed, by the link to the release that is served.
///
/// # Errors
/// Where the machine does not answer.
pub fn installed_version(machine: &dyn Probe, current: &AbsPath) -> Result<Option<String>, Error> {
    let target = machine.read_link(current)?;
    let name = target.as_deref().and_then(|target| target.trim_end_matches('/').rsplit('/').next());
    Ok(name.map(str::to_owned))
}

impl Installed {
    /// The version that is installed, where that is another one.
    ///
    /// # Errors
    /// Where the machine does not answer.
    pub fn another(&self, machine: &dyn Probe) -> Result<Option<String>, Error> {
        Ok(installed_version(machine, &self.current)?.filter(|is| *is != self.version))
    }

    /// What people are told of an instance that stays at another version.
    pub fn told(&self, id: &str, is: &str) -> Diagnostic {
        let want = &self.version;
        let stays = match &self.key {
            None => {
                format!("with `version: \"{is}\"` in the inventory, `{id}` is planned as it is installed")
            }
            Some(key) => format!(
                "with `{key}: {{ …, version: \"{is}\" }}` in the inventory, and the rest of it as it was for that, `{id}` is planned as it is installed"
            ),
        };
        match compare(is, want) {
            Ordering::Greater => {
                Diagnostic::new(format!("{id}: {is} is installed, which is newer than {want}, and stays"))
                    .cause("a version does not go back: its data may be of the newer one")
                    .hint(format!("{stays}; an older one comes back with its data, from a backup"))
            }
            _ => Diagnostic::new(format!("{id}: {is} is installed, and stays; the plan has {want}"))
                .cause("an upgrade saves what it may spoil, and is no part of this plan")
                .hint(format!("`… | pq-upgrade {id} --check` says how it comes there"))
                .hint(stays),
        }
    }
}

impl Converge for Installed {
    fn check(&self, machine: &dyn Probe) -> Result<Check, Error> {
        let mut found = Differences::new();
        if let Some(is) = self.another(machine)? {
            found.push("version", Some(&is), Some(&self.version));
        }
        Ok(found.into_check())
    }

    fn apply(&self, _: &mut dyn System) -> Result<(), Error> {
        Err(Error::failed("cannot bring an instance to another version", "this step only looks"))
    }

    fn validate(&self) -> Result<(), String> {
        match self.version.is_empty() || self.version.contains('/') {
            true => Err("`version` is empty or holds a `/`".to_owned()),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_newer_than_the_plan_is_not_said_to_be_brought_there() {
        let installed = |version: &str| Installed {
            current: AbsPath::known("/srv/paquerette/www/blog/current"),
            version: version.to_owned(),
            key: None,
        };
        let behind = installed("1.3.0").told("blog", "1.2.3");
        assert_eq!(behind.message, "blog: 1.2.3 is installed, and stays; the plan has 1.3.0");
        let stays = "with `version: \"1.2.3\"` in the inventory, `blog` is planned as it is installed";
        assert_eq!(behind.hints, ["`… | pq-upgrade blog --check` says how it comes there", stays]);
        let own = Installed { key: Some("archive".to_owned()), ..installed("1.3.0") }.told("blog", "1.2.3");
        assert!(own.hints[1].starts_with("with `archive: { …, version: \"1.2.3\" }` in"), "{own}");
        let ahead = installed("1.2.3").told("blog", "1.10");
        assert_eq!(ahead.message, "blog: 1.10 is installed, which is newer than 1.2.3, and stays");
        assert!(ahead.hints[0].contains("from a backup"));
    }
}
