//! The records: what one line of the stream may be.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Status;
use crate::upkeep::{HostInstalled, HostPackages, HostSpace};

/// The number of the stream's format; a tool refuses a stream of another.
pub const FORMAT: u32 = 1;

/// One line of the stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Record {
    /// The first line.
    Run(Run),
    /// One machine.
    Host(Host),
    /// The sealed secrets of one machine.
    Secret(Secret),
    /// What one machine said of itself.
    Facts(Facts),
    /// What runs left on one machine.
    Status(HostStatus),
    /// What apt would change on one machine.
    Packages(HostPackages),
    /// What paquerette keeps on one machine.
    Space(HostSpace),
    /// What is installed on one machine.
    Installed(HostInstalled),
    /// One idempotent step for one machine.
    Step(Step),
    /// What happened.
    Event(Event),
    /// The verdict of a machine, or of the whole stream.
    End(End),
}

impl Record {
    /// The machine that the record is about; the `run` line and the stream's `end` have none.
    pub fn host(&self) -> Option<&str> {
        match self {
            Record::Run(_) => None,
            Record::Host(it) => Some(&it.host),
            Record::Secret(it) => Some(&it.host),
            Record::Facts(it) => Some(&it.host),
            Record::Status(it) => Some(&it.host),
            Record::Packages(it) => Some(&it.host),
            Record::Space(it) => Some(&it.host),
            Record::Installed(it) => Some(&it.host),
            Record::Step(it) => Some(&it.host),
            Record::Event(it) => Some(&it.host),
            Record::End(it) => it.host.as_deref(),
        }
    }
}

/// The first line of every stream, written by pq-inventory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Run {
    /// Number of the stream's format.
    pub format: u32,
    /// Path of the inventory directory, absolute.
    pub inventory: String,
    /// SHA-256 over the inventory's files, in hexadecimal.
    pub digest: String,
    /// When the inventory was read, in UTC: `2026-11-23T06:42:00Z`.
    pub time: String,
}

/// One machine of the inventory, with its variables resolved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Host {
    /// Its name in the inventory.
    pub host: String,
    /// Its groups, from `all` down, as Ansible orders them.
    pub groups: Vec<String>,
    /// How it is reached.
    pub connection: Connection,
    /// Its operating system, such as `debian-12`, where the inventory says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os: Option<String>,
    /// The applications that it should carry.
    #[serde(default)]
    pub instances: Vec<Instance>,
    /// Every variable, resolved; `{"unresolved": "why"}` where it cannot be, tokens where it is secret.
    pub vars: Map<String, Value>,
    /// Where each variable was set: `group_vars/all.yml:3:1`.
    #[serde(default)]
    pub origins: BTreeMap<String, String>,
    /// What the machine said of itself, where its record came behind; never a part of this one.
    #[serde(skip)]
    pub facts: Map<String, Value>,
}

/// How a machine is reached.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Connection {
    /// `local` or `ssh`.
    pub kind: ConnectionKind,
    /// Address or name to connect to, where it is not the host's own name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// TCP port, where it is not ssh's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// User to log in as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

/// Whether a machine is this one or another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionKind {
    /// This machine.
    Local,
    /// Another machine, over ssh.
    Ssh,
}

/// One application that a machine should carry; the recipe of the application knows its other keys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Instance {
    /// Name of the application's recipe.
    pub app: String,
    /// Its id: `[a-z][a-z0-9_]{1,27}`; it also names the system user, the database and directories.
    pub id: String,
    /// Every other key, as the inventory has it.
    #[serde(flatten)]
    pub keys: Map<String, Value>,
}

/// The values of one machine's secrets, sealed to the inventory's recipients.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Secret {
    /// The machine.
    pub host: String,
    /// The names of the secret variables inside.
    pub names: Vec<String>,
    /// One age message in base64; inside is a JSON object, name to value.
    pub sealed: String,
}

/// What one machine said of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Facts {
    /// The machine.
    pub host: String,
    /// What it said: `os`, `architecture`, `memory`, `cores`, …
    #[serde(flatten)]
    pub facts: Map<String, Value>,
}

/// What the runs of paquerette left on one machine, and what is booked there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HostStatus {
    /// The machine.
    #[serde(default)]
    pub host: String,
    /// Who changes it now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_work: Option<String>,
    /// When the last run that changed something and came to a good end began, in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<String>,
    /// Runs that were killed or failed, oldest first, and that no later one made good.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<RunLeft>,
    /// Transactions that are not finished, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transactions: Vec<TransactionLeft>,
    /// Files that were changed by hand, and that the operator let be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edited: Vec<String>,
    /// Owners, and how many things of each kind they have: `{"wiki": {"file": 3, "unit": 1}}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub owners: BTreeMap<String, BTreeMap<String, usize>>,
}

/// A run that came to no good end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunLeft {
    /// When it began, in UTC.
    pub began: String,
    /// Whether it was killed; else something in it failed.
    pub killed: bool,
    /// The step in which it was killed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
}

/// A transaction that is not finished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TransactionLeft {
    /// The id of its step.
    pub id: String,
    /// `open`, `held`, `returning` or `finishing`.
    pub state: String,
    /// When it began, in UTC.
    pub since: String,
    /// The command that began it.
    pub command: String,
}

/// One idempotent step for one machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// The machine.
    pub host: String,
    /// `owner/name`; known by host and id, booked to its owner.
    pub id: String,
    /// What it is, for people.
    pub title: String,
    /// The step type, such as `file`.
    #[serde(rename = "do")]
    pub kind: String,
    /// `packages` where the step must come before the package transaction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// `files` where the step comes behind all steps that have no such mark: it wants the files of every owner in place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// `data` where the step destroys some: it is done only behind a backup that was verified in the same run, or where the
    /// operator allows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destroys: Option<String>,
    /// Where it is reported and not done: `always`, or `carried`, on a machine that carried services of others before
    /// paquerette came to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<String>,
    /// The secret variables that its tokens need.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
    /// The fields of its type.
    #[serde(flatten)]
    pub body: Map<String, Value>,
}

/// What happened to one step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// The machine.
    pub host: String,
    /// The step.
    pub id: String,
    /// The step's title.
    pub title: String,
    /// What became of it.
    pub outcome: Outcome,
    /// What differed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Difference>,
    /// Why it failed, or why nothing can be said yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
    /// Milliseconds that it took; absent for a step in sync.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ms: Option<u64>,
}

/// What became of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was as wanted.
    Ok,
    /// It is being changed now; another event follows.
    Started,
    /// It was changed, and read back as wanted.
    Changed,
    /// A hand edit was kept; ours lies beside it.
    Kept,
    /// It differs, and stays so: it is only reported.
    Reported,
    /// It differs (`--check`).
    Differs,
    /// It depends on an earlier step that differs (`--check`).
    Unknown,
    /// It failed.
    Failed,
    /// An earlier step failed, so it was not looked at.
    NotReached,
}

/// One way in which what is there is not what is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Difference {
    /// What differs: `content`, `mode`, `owner`, `state`…
    pub what: String,
    /// What is there; absent where nothing is, or where it may not be shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is: Option<String>,
    /// What is wanted; absent where nothing is wanted, or where it may not be shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub want: Option<String>,
    /// A unified diff of a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diff: Option<String>,
}

impl Difference {
    /// What is wanted where nothing may be there.
    pub const ABSENT: &str = "absent";
    /// With what begins what is wanted where a thing is moved out of the way.
    pub const ASIDE: &str = "set aside as ";

    /// Whether what is there goes.
    pub fn goes(&self) -> bool {
        self.want.as_deref().is_some_and(|want| want == Self::ABSENT || want.starts_with(Self::ASIDE))
    }
}

/// An error as it travels: the thing, its causes, the cures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// What could not be done.
    pub message: String,
    /// Why, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
    /// What to do, or the state that things are in now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<String>,
}

/// The verdict of one machine (with `host`), or of the whole stream (with `hosts`), always its last line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct End {
    /// The machine, for a machine's verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// How many `host` records the stream held, for the stream's verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hosts: Option<usize>,
    /// The worst so far.
    pub status: Status,
    /// How many steps ended how, for a machine's verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<Counts>,
}

/// How many steps ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Counts {
    /// As wanted.
    pub ok: usize,
    /// Changed.
    pub changed: usize,
    /// Hand edits kept.
    pub kept: usize,
    /// Different, and only reported.
    pub reported: usize,
    /// Different (`--check`).
    pub differs: usize,
    /// Dependent on what differs (`--check`).
    pub unknown: usize,
    /// Failed.
    pub failed: usize,
    /// Not reached.
    pub not_reached: usize,
}

impl Counts {
    /// Counts one step; `started` is no end and counts nothing.
    pub fn add(&mut self, outcome: Outcome) {
        *match outcome {
            Outcome::Ok => &mut self.ok,
            Outcome::Started => return,
            Outcome::Changed => &mut self.changed,
            Outcome::Kept => &mut self.kept,
            Outcome::Reported => &mut self.reported,
            Outcome::Differs => &mut self.differs,
            Outcome::Unknown => &mut self.unknown,
            Outcome::Failed => &mut self.failed,
            Outcome::NotReached => &mut self.not_reached,
        } += 1;
    }
}
