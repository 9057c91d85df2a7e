//! A command is run unless the machine shows that it need not be. It is argv, never a shell string.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rules;
use super::unpacked::is_below_another;
use crate::ledger::{Thing, ThingKind};
use crate::{AbsPath, Check, Converge, Differences, Error, Output, Probe, System, Text};

/// A command whose effect can be seen: by a path that it creates, or by other commands that only look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// The user to run as, root by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Where to run, `/` by default; it must exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<AbsPath>,
    /// Variables of its environment.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, Text>,
    /// What it reads from its input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdin: Option<Text>,
    /// Seconds that it may take, 300 by default.
    #[serde(default = "default_timeout")]
    pub timeout: u64,
    /// It is not run where this exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creates: Option<AbsPath>,
    /// It is not run where this command, which only looks, ends with status 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unless: Option<Vec<String>>,
    /// It is run only where this command, which only looks, ends with status 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only_if: Option<Vec<String>>,
    /// The directory that it makes, with all that is in it: it is the owner's, and goes with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub makes: Option<AbsPath>,
}

fn default_timeout() -> u64 {
    300
}

impl Command {
    /// This or another program, run as this user, there, with these variables.
    fn command(&self, argv: &[String]) -> crate::Command {
        crate::Command {
            argv: argv.to_vec(),
            user: self.user.clone(),
            cwd: self.cwd.clone(),
            env: self.env.clone(),
            stdin: None,
            timeout: Duration::from_secs(self.timeout),
        }
    }

    /// The command itself, for who only wants to hear what it says.
    pub(super) fn asked(&self) -> crate::Command {
        self.command(&self.argv)
    }

    fn asks(&self, machine: &dyn Probe, argv: &[String]) -> Result<Output, Error> {
        if let Some(cwd) = &self.cwd
            && machine.stat(cwd)?.is_none()
        {
            return Err(Error::absent("directory", cwd.as_str()));
        }
        machine.ask(&self.command(argv))
    }
}

impl Converge for Command {
    fn check(&self, machine: &dyn Probe) -> Result<Check, Error> {
        if let Some(path) = &self.creates
            && machine.stat(path)?.is_some()
        {
            return Ok(Check::InSync);
        }
        if let Some(argv) = &self.only_if
            && self.asks(machine, argv)?.status != 0
        {
            return Ok(Check::InSync);
        }
        if let Some(argv) = &self.unless
            && self.asks(machine, argv)?.status == 0
        {
            return Ok(Check::InSync);
        }
        let mut found = Differences::new();
        match &self.creates {
            Some(path) => found.push(path.as_str(), Some("missing"), Some("present")),
            None => found.push("command", Some("due"), Some(&self.argv.join(" "))),
        }
        Ok(found.into_check())
    }

    fn apply(&self, machine: &mut dyn System) -> Result<(), Error> {
        let mut command = self.command(&self.argv);
        command.stdin = self.stdin.clone();
        machine.run(&command)?.success(&command)?;
        Ok(())
    }

    fn validate(&self) -> Result<(), String> {
        rules::argv("argv", &self.argv)?;
        for (field, argv) in [("unless", &self.unless), ("only_if", &self.only_if)] {
            argv.as_ref().map_or(Ok(()), |argv| rules::argv(field, argv))?;
        }
        if self.creates.is_none() && self.unless.is_none() && self.only_if.is_none() {
            return Err(
                "none of `creates`, `unless`, `only_if` is given: nothing would tell when to run".to_owned()
            );
        }
        self.makes.as_ref().map_or(Ok(()), |path| is_below_another("makes", path))?;
        if self.timeout == 0 {
            return Err("`timeout` is 0".to_owned());
        }
        match self.env.keys().find(|name| !rules::is_variable(name)) {
            Some(name) => Err(format!("`env`: `{}` is no name of a variable", name.escape_debug())),
            None => Ok(()),
        }
    }

    fn things(&self) -> Vec<Thing> {
        self.makes.iter().map(|path| Thing::at(ThingKind::Tree, path)).collect()
    }

    fn texts(&mut self) -> Vec<&mut Text> {
        self.env.values_mut().chain(&mut self.stdin).collect()
    }
}
