//! A user exists, with its group, home, shell and memberships. Its home directory is a `directory` step's business.
//!
//! Memberships beyond those listed are taken away: each is a right that nobody wrote down. A person's account is
//! not taken over. Passwords are never set; a user made here has a locked one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::accounts::{self, UserEntry, yes};
use super::run;
use crate::ledger::{Thing, ThingKind};
use crate::{AbsPath, Check, Converge, Differences, Error, Probe, System};

/// A user exists, in `/etc/passwd`; its groups must exist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// Its name.
    pub name: String,
    /// Its primary group, by default the one of the same name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Further groups that it is in; it is in no others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// Its home, `/nonexistent` by default; not created.
    #[serde(default = "nowhere")]
    pub home: AbsPath,
    /// Its login shell, `/usr/sbin/nologin` by default.
    #[serde(default = "no_login")]
    pub shell: AbsPath,
    /// Whether it gets a number of the system's range, by default yes; one that exists keeps its number.
    #[serde(default = "yes")]
    pub system: bool,
    /// Its full name or purpose.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub comment: String,
}

fn nowhere() -> AbsPath {
    AbsPath::known("/nonexistent")
}

fn no_login() -> AbsPath {
    AbsPath::known("/usr/sbin/nologin")
}

impl User {
    fn group(&self) -> &str {
        self.group.as_deref().unwrap_or(&self.name)
    }

    /// The user as it is; one that is a person's is refused where a service's is wanted.
    fn entry(&self, machine: &dyn Probe) -> Result<Option<UserEntry>, Error> {
        let is = accounts::user(machine, &self.name)?;
        if let Some(is) = &is
            && self.system
        {
            accounts::of_the_system("user", &self.name, is.id)?;
        }
        Ok(is)
    }

    /// The groups that it is in, and should not be.
    fn beyond(&self, machine: &dyn Probe) -> Result<Vec<String>, Error> {
        let mut found = accounts::groups_of(machine, &self.name)?;
        found.retain(|name| name != self.group() && !self.groups.contains(name));
        Ok(found)
    }

    /// The number of its primary group, and the further groups that it is not in yet.
    fn look(&self, machine: &dyn Probe) -> Result<(u32, Vec<&str>), Error> {
        let there = |name: &str| {
            accounts::group(machine, name)?.ok_or_else(|| Error::absent("group", name.to_owned()))
        };
        let primary = there(self.group())?.id;
        let mut not_in = Vec::new();
        for name in &self.groups {
            if !there(name)?.members.contains(&self.name) {
                not_in.push(name.as_str());
            }
        }
        Ok((primary, not_in))
    }

    fn create(&self, machine: &mut dyn System) -> Result<(), Error> {
        let groups = self.groups.join(",");
        let mut argv = vec!["useradd", "--no-create-home", "--no-user-group"];
        argv.extend(self.system.then_some("--system"));
        argv.extend(["--gid", self.group(), "--home-dir", self.home.as_str()]);
        argv.extend(["--shell", self.shell.as_str(), "--comment", &self.comment]);
        if !groups.is_empty() {
            argv.extend(["--groups", &groups]);
        }
        argv.push(&self.name);
        run(machine, &argv)
    }

    fn correct(&self, machine: &mut dyn System, is: &UserEntry) -> Result<(), Error> {
        let (primary, not_in) = self.look(machine)?;
        let groups = self.groups.join(",");
        let mut argv = vec!["usermod"];
        if is.group != primary {
            argv.extend(["--gid", self.group()]);
        }
        if is.home != self.home.as_str() {
            argv.extend(["--home", self.home.as_str()]);
        }
        if is.shell != self.shell.as_str() {
            argv.extend(["--shell", self.shell.as_str()]);
        }
        if is.comment != self.comment {
            argv.extend(["--comment", &self.comment]);
        }
        if !not_in.is_empty() || !self.beyond(machine)?.is_empty() {
            argv.extend(["--groups", &groups]);
        }
        if argv.len() == 1 {
            return Ok(());
        }
        argv.push(&self.name);
        run(machine, &argv)
    }
}

impl Converge for User {
    fn check(&self, machine: &dyn Probe) -> Result<Check, Error> {
        let (primary, not_in) = self.look(machine)?;
        let Some(is) = self.entry(machine)? else { return Ok(Differences::missing("user")) };
        let mut found = Differences::new();
        if is.group != primary {
            found.push("group", Some(&format!("number {}", is.group)), Some(self.group()));
        }
        found.between("home", &is.home.as_str(), &self.home.as_str());
        found.between("shell", &is.shell.as_str(), &self.shell.as_str());
        found.between("comment", &is.comment, &self.comment);
        for name in not_in {
            found.push("member of", None, Some(name));
        }
        for name in self.beyond(machine)? {
            found.push("member of", Some(&name), None);
        }
        Ok(found.into_check())
    }

    fn apply(&self, machine: &mut dyn System) -> Result<(), Error> {
        match self.entry(machine)? {
            None => self.create(machine),
            Some(is) => self.correct(machine, &is),
        }
    }

    fn validate(&self) -> Result<(), String> {
        accounts::valid_name("name", &self.name)?;
        if self.name == "root" {
            return Err("`name` is `root`, who is not ours to change".to_owned());
        }
        accounts::valid_name("group", self.group())?;
        self.groups.iter().try_for_each(|name| accounts::valid_name("groups", name))?;
        match self.comment.chars().any(|c| c == ':' || c == ',' || c.is_control()) {
            true => Err("`comment` holds a colon, a comma or a control character".to_owned()),
            false => Ok(()),
        }
    }

    fn things(&self) -> Vec<Thing> {
        vec![Thing::new(ThingKind::User, &*self.name)]
    }
}
