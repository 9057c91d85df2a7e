//! A job of cron, in a file of its own below `/etc/cron.d`. cron reads changed files by itself, each minute.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{accounts, compare_meta, in_the_way, root, rules};
use crate::ledger::{Thing, ThingKind};
use crate::{AbsPath, Check, Converge, Differences, Error, Kind, Meta, Mode, Probe, System, Text};

/// cron runs this command at these times; the package `cron` must be there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cron {
    /// The name of its file: letters, digits, `_` and `-`; cron reads no other.
    pub name: String,
    /// When, as in crontab(5): `12 3 * * *`, or `@daily`.
    pub schedule: String,
    /// Who runs it, `root` by default; the user must exist.
    #[serde(default = "root")]
    pub user: String,
    /// What `/bin/sh` is given; `%` is written `\%`, since it ends a line for cron.
    pub command: String,
    /// Variables of the job, such as `MAILTO`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
}

/// A longer line cron does not take (`MAX_COMMAND` of Debian's cron).
const MAX_COMMAND: usize = 998;

const MODE: Mode = Mode::from_bits(0o644);

impl Cron {
    /// Where its file is.
    pub fn place(&self) -> String {
        format!("/etc/cron.d/{}", self.name)
    }

    fn path(&self) -> Result<AbsPath, Error> {
        AbsPath::new(self.place())
            .map_err(|cause| Error::failed(format!("cannot use cron's file `{}`", self.name), cause))
    }

    fn content(&self) -> Text {
        let mut text = "# written by paquerette: changes are put back\n".to_owned();
        for (name, value) in &self.env {
            text.push_str(&format!("{name}={value}\n"));
        }
        text.push_str(&format!("{} {} {}\n", self.schedule, self.user, self.command));
        text.as_str().into()
    }

    /// cron's directory, and the user: without them no job runs.
    fn stands(&self, machine: &dyn Probe) -> Result<(), Error> {
        let directory = AbsPath::known("/etc/cron.d");
        if machine.stat(&directory)?.is_none() {
            return Err(Error::absent("directory", directory.as_str()));
        }
        match accounts::user(machine, &self.user)? {
            Some(_) => Ok(()),
            None => Err(Error::absent("user", self.user.clone())),
        }
    }
}

impl Converge for Cron {
    fn check(&self, machine: &dyn Probe) -> Result<Check, Error> {
        self.stands(machine)?;
        let path = self.path()?;
        let Some(is) = machine.stat(&path)? else { return Ok(Differences::missing("job")) };
        if is.kind != Kind::File {
            return Err(in_the_way("file", &path, &is));
        }
        let mut found = Differences::new();
        found.content(&machine.read(&path)?.unwrap_or_default(), &self.content(), is.mode.read_by_others());
        compare_meta(&mut found, &is, MODE, "root", "root");
        Ok(found.into_check())
    }

    fn apply(&self, machine: &mut dyn System) -> Result<(), Error> {
        self.stands(machine)?;
        machine.write(&self.path()?, self.content().as_bytes(), &Meta::new(MODE, "root", "root"))
    }

    fn validate(&self) -> Result<(), String> {
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if self.name.is_empty() || self.name.len() > 100 || !self.name.chars().all(word) {
            return Err("`name` has other characters than letters, digits, `_` and `-`".to_owned());
        }
        accounts::valid_name("user", &self.user)?;
        pq_items::cron_time(&self.schedule).map_err(|cause| format!("`schedule`: {cause}"))?;
        let line = |text: &str| !text.chars().any(char::is_control);
        if self.command.trim().is_empty() || !line(&self.command) || self.command.len() > MAX_COMMAND {
            return Err(format!(
                "`command` is empty, more than one line, or longer than {MAX_COMMAND} bytes"
            ));
        }
        if self.command.contains("\\\\") {
            return Err(
                "`command` has two backslashes in a row, which cron reads as one: put it into a script"
                    .to_owned(),
            );
        }
        if self.command.replace("\\%", "").contains('%') {
            return Err("`command` holds a `%`, which ends a line for cron: write `\\%`".to_owned());
        }
        match self.env.iter().find(|(name, value)| !rules::is_variable(name) || !line(value)) {
            Some((name, _)) => Err(format!("`env`: `{}` is no variable of one line", name.escape_debug())),
            None => Ok(()),
        }
    }

    fn things(&self) -> Vec<Thing> {
        vec![Thing::new(ThingKind::File, self.place())]
    }

    fn whole_file(&self) -> Option<(AbsPath, Vec<u8>)> {
        Some((self.path().ok()?, self.content().as_bytes().to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_cron_would_cut_is_refused() {
        let job = |command: &str| Cron {
            name: "law".to_owned(),
            schedule: "@daily".to_owned(),
            user: root(),
            command: command.to_owned(),
            env: BTreeMap::new(),
        };
        assert_eq!(job(r"date +\%F >/tmp/x").validate(), Ok(()));
        for command in ["", "date +%F", "a\nb", &"x".repeat(999)] {
            assert!(job(command).validate().is_err(), "{command:?}");
        }
        assert!(Cron { schedule: "* * * *".to_owned(), ..job("true") }.validate().is_err());
        assert!(Cron { name: "a.b".to_owned(), ..job("true") }.validate().is_err());
        assert!(
            Cron { env: BTreeMap::from([("A B".to_owned(), String::new())]), ..job("true") }
                .validate()
                .is_err()
        );
    }
}
