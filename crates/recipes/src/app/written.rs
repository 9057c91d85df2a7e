//! `recipe.yml` of an application, as it is written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Guarded, Health, Job, Keep, Needs, Releases, Service, Upgrades, VersionProbe, Web};
use crate::{Apt, Link, Node, Variable};

/// What `recipe.yml` of an application says.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Recipe {
    /// Its name, which is that of its directory.
    pub app: String,
    /// What it is, in one line.
    pub about: String,
    /// What its recipe reads of its instances and of the host's variables.
    #[serde(default)]
    pub variables: BTreeMap<String, Variable>,
    /// Where its code comes from.
    #[serde(default)]
    pub releases: Releases,
    /// Where its packages come from, where they are none of Debian's.
    #[serde(default)]
    pub apt: Option<Apt>,
    /// Whether a machine can have one instance of it at most.
    #[serde(default)]
    pub single: bool,
    /// The instances that it works for, by the variable that names them.
    #[serde(default)]
    pub links: BTreeMap<String, Link>,
    /// What it stands on.
    #[serde(default)]
    pub needs: Needs,
    /// How it is reached.
    pub web: Web,
    /// Settings of PHP.
    #[serde(default)]
    pub php_values: BTreeMap<String, Node>,
    /// Variables of the environment of all that runs of an instance.
    #[serde(default)]
    pub env: BTreeMap<String, Node>,
    /// What survives a new release.
    #[serde(default)]
    pub keep: Vec<Keep>,
    /// Steps before the package transaction.
    #[schemars(with = "Vec<crate::schema::Step>")]
    #[serde(default)]
    pub before_packages: Vec<Node>,
    /// Steps at every run, before the release is switched to.
    #[schemars(with = "Vec<crate::schema::Step>")]
    #[serde(default)]
    pub configure: Vec<Node>,
    /// Steps once the release is switched to: its own installer, guarded by what it leaves behind.
    #[schemars(with = "Vec<crate::schema::Step>")]
    #[serde(default)]
    pub install: Vec<Node>,
    /// What it does from time to time.
    #[serde(default)]
    pub cron: Vec<Job>,
    /// Its own process.
    #[serde(default)]
    pub service: Option<Service>,
    /// Steps once everything else is in place.
    #[schemars(with = "Vec<crate::schema::Step>")]
    #[serde(default)]
    pub enable: Vec<Node>,
    /// Its own logs: each is there, and is rotated.
    #[serde(default)]
    pub logs: Vec<Node>,
    /// Where fail2ban finds who guesses its passwords.
    #[serde(default)]
    pub fail2ban: Option<Guarded>,
    /// How its code, or the application itself, tells its version.
    #[serde(default)]
    pub version_probe: Option<VersionProbe>,
    /// What must be answered in the end.
    #[serde(default)]
    pub health: Vec<Health>,
    /// What is watched beside its page, its process and its certificate.
    #[serde(default)]
    pub monitor: Option<Node>,
    /// What is backed up beside what is kept, or is left out of that.
    #[serde(default)]
    pub backup: Option<Node>,
    /// How it comes from one version to the next.
    #[serde(default)]
    pub upgrade: Upgrades,
}
