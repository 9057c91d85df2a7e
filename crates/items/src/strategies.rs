//! How a machine is backed up and watched: `/etc/paquerette/backup.yml` and `/etc/paquerette/monitor.yml`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    AbsolutePath, Damping, Id, Line, MachineName, MailAddress, MonitorAlerts, Percent, PublicKey, Retention,
    Schedule, Span, TargetUrl, Url, Window,
};

/// How a machine is backed up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BackupStrategy {
    /// When.
    pub schedule: BackupTimes,
    /// How many are kept.
    pub retention: Retention,
    /// Where to, the first one first.
    pub targets: Vec<Target>,
    /// Which of them a run writes to, and whether copies follow.
    #[serde(default, skip_serializing_if = "Place::is_both")]
    pub repository: Place,
    /// The restic that is used, `/usr/bin/restic` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<AbsolutePath>,
    /// Who can open the recovery kit: age recipients whose identities are kept away from every machine.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recovery_recipients: Vec<Line>,
    /// The machines whose repositories are kept here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peers: Option<BackupPeers>,
    /// How old the newest backup of an item may grow before it is told.
    pub max_age: Span,
    /// How much of a file system must stay free for a target on it.
    pub keep_free: Percent,
    /// Who is told.
    #[serde(default, skip_serializing_if = "BackupAlerts::is_empty")]
    pub alerts: BackupAlerts,
}

/// When cron does what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BackupTimes {
    /// Dumps and files.
    pub run: Schedule,
    /// Copies to the other targets.
    pub copy: Schedule,
    /// What is stored is read back, a part each time.
    pub verify: Schedule,
    /// What is no longer kept goes.
    pub forget: Schedule,
    /// What is new in the repositories of peers is fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<Schedule>,
    /// A restore is rehearsed.
    pub rehearse: Schedule,
    /// The one day of the week (1 is Monday, 7 Sunday) on which `rehearse` counts: cron itself cannot ask for both days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 7))]
    pub rehearse_weekday: Option<u8>,
}

/// Where backups go. No secret stands here: the password is in a file of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Its name.
    pub name: Id,
    /// Where, as restic writes it.
    pub url: TargetUrl,
    /// The file with the repository's password, which only root reads.
    pub password_file: AbsolutePath,
    /// A file with variables of the transport, such as `AWS_ACCESS_KEY_ID`, which only root reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env_file: Option<AbsolutePath>,
    /// It takes, and lets nobody here delete: what it keeps is decided where it is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub append_only: bool,
}

/// The machines whose repositories are kept here, as files that only they can open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BackupPeers {
    /// Below which directory: each peer's in one of its name.
    pub directory: AbsolutePath,
    /// The private key of ssh by which they are read.
    pub key_file: AbsolutePath,
    /// How long what a peer has no more is kept here.
    pub keep: Span,
    /// Which.
    pub of: Vec<Peer>,
}

/// A machine whose repository is kept here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// Its name here.
    pub name: Id,
    /// Where it is.
    pub host: MachineName,
    /// The port of its ssh.
    #[serde(default = "ssh_port", skip_serializing_if = "is_ssh_port")]
    #[schemars(range(min = 1))]
    pub port: u16,
    /// The key by which it shows that it is that machine, as in `/etc/ssh/ssh_host_ed25519_key.pub`.
    pub host_key: PublicKey,
}

fn ssh_port() -> u16 {
    22
}

fn is_ssh_port(port: &u16) -> bool {
    *port == 22
}

/// Who is told of a backup that failed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BackupAlerts {
    /// By mail.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mail: Vec<MailAddress>,
    /// A page that is asked for after each run, with `/start` before it and `/fail` where it failed, as healthchecks has it:
    /// who is there tells of a run that did not come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ping: Option<Url>,
}

impl BackupAlerts {
    /// Whether nobody is.
    pub fn is_empty(&self) -> bool {
        self.mail.is_empty() && self.ping.is_none()
    }
}

/// Where backups are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// On this machine, and copied to the other targets.
    #[default]
    Both,
    /// On this machine alone.
    Local,
    /// Elsewhere alone: nothing of them is on this machine.
    Offsite,
}

impl Place {
    /// Whether they are here and elsewhere.
    pub fn is_both(&self) -> bool {
        *self == Place::Both
    }
}

impl Target {
    /// The directory of this machine that it is; nothing where it is elsewhere.
    pub fn directory(&self) -> Option<&str> {
        Some(self.url.as_str()).filter(|url| url.starts_with('/'))
    }
}

/// How a machine is watched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MonitorStrategy {
    /// When.
    pub schedule: MonitorTimes,
    /// Who is told, and how often.
    pub alerts: MonitorAlerts,
    /// From when on something is told.
    pub thresholds: Thresholds,
    /// Places beyond this machine, `192.0.2.1:443`: while none of them answers, it is this machine that has no network, and
    /// what is asked of others is not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub network: Vec<Line>,
    /// Times in which nobody is woken.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<Window>,
}

/// When cron does what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MonitorTimes {
    /// Checks that are due.
    pub run: Schedule,
    /// What says that all is well.
    pub digest: Schedule,
}

/// From when on something is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Thresholds {
    /// How often a check must fail.
    pub damping: Damping,
    /// How full a file system may be.
    pub disk: Used,
    /// How soon it may be full, at the pace of late.
    pub disk_full_within: Span,
    /// How much of its lifetime a certificate may have used: not days, which mean nothing for short-lived ones.
    pub certificate: Used,
}

/// How much of something may be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Used {
    /// From here on it is told.
    pub warn: Percent,
    /// From here on it is pressing.
    pub critical: Percent,
}
