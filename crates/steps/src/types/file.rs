//! A file has the wanted content, owner and mode; it is replaced atomically or not at all.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{compare_meta, in_the_way, root};
use crate::ledger::{Thing, ThingKind};
use crate::{AbsPath, Check, Converge, Differences, Error, Kind, Meta, Mode, Probe, System, Text};

/// A file has the wanted content, owner and mode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Where; its directory must exist.
    pub path: AbsPath,
    /// What it holds.
    pub content: Text,
    /// Permission bits, `"0644"` by default, `"0600"` where the content holds a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// Owner, `root` by default.
    #[serde(default = "root")]
    pub owner: String,
    /// Group, `root` by default.
    #[serde(default = "root")]
    pub group: String,
    /// Written only where there is no file; afterwards its content is somebody else's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub seed: bool,
}

impl File {
    fn mode(&self) -> Mode {
        self.mode.unwrap_or(Mode::from_bits(if self.content.is_secret() { 0o600 } else { 0o644 }))
    }
}

impl Converge for File {
    fn check(&self, machine: &dyn Probe) -> Result<Check, Error> {
        let Some(is) = machine.stat(&self.path)? else { return Ok(Differences::missing("file")) };
        if is.kind != Kind::File {
            return Err(in_the_way("file", &self.path, &is));
        }
        let mut found = Differences::new();
        if !self.seed {
            let open = is.mode.read_by_others() && self.mode().read_by_others();
            found.content(&machine.read(&self.path)?.unwrap_or_default(), &self.content, open);
        }
        compare_meta(&mut found, &is, self.mode(), &self.owner, &self.group);
        Ok(found.into_check())
    }

    fn apply(&self, machine: &mut dyn System) -> Result<(), Error> {
        let meta = Meta::new(self.mode(), &self.owner, &self.group);
        match self.seed && machine.stat(&self.path)?.is_some() {
            true => machine.set_meta(&self.path, &meta),
            false => machine.write(&self.path, self.content.as_bytes(), &meta),
        }
    }

    fn validate(&self) -> Result<(), String> {
        if self.content.is_secret() && self.mode().open_to_others() {
            return Err(format!("`mode` {} lets others read a file that holds a secret", self.mode()));
        }
        Ok(())
    }

    fn texts(&mut self) -> Vec<&mut Text> {
        vec![&mut self.content]
    }

    fn things(&self) -> Vec<Thing> {
        vec![Thing::at(ThingKind::File, &self.path)]
    }

    fn whole_file(&self) -> Option<(AbsPath, Vec<u8>)> {
        self.made_file().filter(|_| !self.seed)
    }

    fn made_file(&self) -> Option<(AbsPath, Vec<u8>)> {
        Some((self.path.clone(), self.content.as_bytes().to_vec()))
    }
}
