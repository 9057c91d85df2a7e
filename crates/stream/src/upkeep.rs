//! What a machine says of its upkeep: packages, what is kept on it, what is installed.
//!
//! Times are in UTC, as in `2026-11-23T06:42:00Z`; sizes are bytes that are allocated on the disk.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Problem;

/// What apt would change on one machine, and what is not in effect yet of what it changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HostPackages {
    /// The machine.
    #[serde(default)]
    pub host: String,
    /// When apt last fetched its lists; absent where it never did. What is newer than that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lists: Option<String>,
    /// What would be upgraded, security first, or installed for that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub upgrades: Vec<PackageUpgrade>,
    /// What there is a newer version of, and apt leaves as it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<PackageHeld>,
    /// What would have to be removed for it; `--apply` refuses that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removes: Vec<String>,
    /// Packages whose installation failed or was interrupted; `--apply` goes on with them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unfinished: Vec<String>,
    /// Why the machine should be booted anew; empty where it need not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reboot: Vec<String>,
    /// Services that still run on files that were replaced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outdated: Vec<OutdatedService>,
    /// Units that failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<String>,
    /// What was done (`--apply`); the rest is how things are after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<PackagesDone>,
}

impl HostPackages {
    /// Whether `--apply` has something to do: upgrades, what is unfinished, or services to restart.
    pub fn is_behind(&self) -> bool {
        !self.upgrades.is_empty()
            || !self.unfinished.is_empty()
            || self.outdated.iter().any(|it| it.listed.is_none())
    }
}

/// A package of which there is a newer version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PackageUpgrade {
    /// Its name, with its architecture where that is not the machine's own.
    pub name: String,
    /// The version that is installed; absent where it is new, and others need it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The version that would be.
    pub to: String,
    /// Where that comes from, as apt says it: `Debian-Security:12/stable-security`.
    pub origins: Vec<String>,
    /// Whether one of these is for security.
    pub security: bool,
}

/// A package that stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PackageHeld {
    /// Its name.
    pub name: String,
    /// The version that is installed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The newer version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Why, as far as it is known.
    pub why: String,
}

/// A service that runs on files that are not there any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OutdatedService {
    /// Its unit.
    pub unit: String,
    /// Some of these files.
    pub files: Vec<String>,
    /// Why `--apply` does not restart it; absent where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listed: Option<String>,
}

/// What `pq-server packages --apply` did on one machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PackagesDone {
    /// The packages that have another version now, by what dpkg says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub upgraded: Vec<PackageUpgrade>,
    /// The services that were restarted for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub restarted: Vec<String>,
    /// The applications that were asked whether they are well, and are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub well: Vec<String>,
    /// What failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
}

/// What paquerette keeps on one machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HostSpace {
    /// The machine.
    #[serde(default)]
    pub host: String,
    /// The sum of all.
    pub total: u64,
    /// Each of it, the largest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<Kept>,
}

/// Something that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Kept {
    /// Where it is.
    pub path: String,
    /// What it is, in a few words: `old release`.
    pub what: String,
    /// Whose it is: an instance, `server`, `platform/nginx`; `paquerette` for what belongs to no owner.
    pub owner: String,
    /// When it was last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Bytes that it takes on the disk.
    pub size: u64,
    /// It is larger: not all of it was read in the time that there was.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
}

/// What is installed on one machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HostInstalled {
    /// The machine.
    #[serde(default)]
    pub host: String,
    /// Instances of applications.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub instances: Vec<InstalledInstance>,
    /// Components of the platform, with their versions: `{"nginx": "1.22.1"}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub components: BTreeMap<String, String>,
}

/// An instance on a machine, and what the inventory says of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InstalledInstance {
    /// Its id.
    pub id: String,
    /// Its application, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// `present`; `incomplete` where no release is served; `absent` where the inventory has it and the machine has not.
    pub state: String,
    /// The version that is installed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The version that the inventory wants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<String>,
    /// Whether the inventory has it; absent where none was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listed: Option<bool>,
    /// The names that its site answers to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub domains: Vec<String>,
    /// Bytes of its data on the disk: what survives a new release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// When it was last backed up; absent where there is no record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<String>,
    /// When a restore of it was last proven; absent where that never was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proven: Option<String>,
    /// When the certificate that its site serves ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
}
