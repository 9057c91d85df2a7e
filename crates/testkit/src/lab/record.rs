//! What is known of each machine by everybody: written before the machine exists, gone when nothing of it is left.

use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::error::{Doing, Error, Result};
use super::home::{Home, write_whole};
use super::lacking::cgroup_root;
use super::process::Process;

/// One machine, as `machines/<id>/record.json` has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// Names directory and cgroup; no other machine ever had it, unless it stands under this name.
    pub id: String,
    /// Its hostname.
    pub name: String,
    pub address: Ipv4Addr,
    /// The image's name, for people.
    pub image: String,
    /// What it runs on, topmost first.
    pub layers: Vec<String>,
    /// Whose it is; a machine without an owner stands until it is taken down.
    pub owner: Option<Process>,
    /// Who keeps it running.
    pub supervisor: Option<Process>,
}

impl Record {
    pub fn dir(&self, home: &Home) -> PathBuf {
        home.path("machines").join(&self.id)
    }

    pub fn cgroup(&self) -> Result<PathBuf> {
        let root = cgroup_root().ok_or_else(|| Error::new("no cgroup2 hierarchy is mounted"))?;
        Ok(root.join("paquerette-lab").join(&self.id))
    }

    /// Where its log and journal go when its test fails.
    pub fn logs(&self, home: &Home) -> PathBuf {
        home.path("failed").join(&self.id)
    }

    pub fn write(&self, home: &Home) -> Result<()> {
        let json = serde_json::to_vec_pretty(self).doing(|| format!("record machine `{}`", self.name))?;
        write_whole(&self.dir(home).join("record.json"), &json)
    }

    pub fn read(home: &Home, id: &str) -> Option<Self> {
        let bytes = fs::read(home.path("machines").join(id).join("record.json")).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    /// Every machine there is, dead ones too.
    pub fn all(home: &Home) -> Result<Vec<Self>> {
        let dir = home.path("machines");
        let mut ids: Vec<_> = fs::read_dir(&dir)
            .doing(|| format!("list `{}`", dir.display()))?
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .collect();
        ids.sort();
        Ok(ids.iter().filter_map(|id| Record::read(home, id)).collect())
    }

    /// Whether its owner died and left it.
    pub fn orphaned(&self) -> bool {
        self.owner.is_some_and(|owner| !owner.alive())
    }

    /// Whether somebody keeps it running.
    pub fn running(&self) -> bool {
        self.supervisor.is_some_and(Process::alive)
    }
}
