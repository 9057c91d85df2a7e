//! What is backed up of one owner: `/etc/paquerette/backup.d/<owner>.yml`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AbsolutePath, Command, DatabaseName, Id, Line};

/// What is backed up of one owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BackupItem {
    /// Whose it is: an instance's id, `platform-nginx`, `server`; also the name of the file.
    pub owner: Id,
    /// The instance, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<Instance>,
    /// Versions of what the data belongs to, by name: `{ mariadb: "10.11" }`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub versions: BTreeMap<Id, Line>,
    /// Files and directories.
    #[serde(default, skip_serializing_if = "Paths::is_empty")]
    pub paths: Paths,
    /// Databases, which are dumped; never copied as files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub databases: Vec<Database>,
    /// Files of SQLite: copied by SQLite itself, wherever they are; never as they lie there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sqlite: Vec<AbsolutePath>,
    /// Commands before it is read, in order: what is written meanwhile would not fit together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quiesce: Vec<Command>,
    /// Commands afterwards, in order, also where reading failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resume: Vec<Command>,
    /// Commands once it was restored in its place, in order, such as one that finds files which came back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub restored: Vec<Command>,
    /// Commands that ask a copy whether it is well, in order, while a restore is rehearsed: `{restored}` in an argument is the
    /// directory below which the files are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rehearsed: Vec<Command>,
    /// How many are kept, where that is not what the strategy says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<Retention>,
}

/// The instance that is backed up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Instance {
    /// Its application.
    pub app: Id,
    /// Its version.
    pub version: Line,
    /// The name under which it is reached.
    pub domain: Line,
    /// What its derived passwords belong to; a restore elsewhere keeps it.
    pub secret_scope: Line,
}

/// Files and directories.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Paths {
    /// What is taken, with all below; each must be there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<AbsolutePath>,
    /// What is left out, as restic's patterns: `*.tmp`, `/home/*/.cache`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<Line>,
}

impl Paths {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        self.include.is_empty() && self.exclude.is_empty()
    }
}

/// A database.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// Its server.
    pub engine: Engine,
    /// Its name; `*` is each that no other item names, and the accounts.
    pub name: DatabaseName,
}

/// What serves a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// MariaDB, or MySQL.
    Mariadb,
    /// PostgreSQL.
    Postgres,
}

/// How many are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// The last of each of so many days.
    pub daily: u16,
    /// The last of each of so many weeks.
    pub weekly: u16,
    /// The last of each of so many months.
    pub monthly: u16,
}

impl BackupItem {
    /// An item of which nothing is backed up yet.
    pub fn new(owner: Id) -> Self {
        BackupItem {
            owner,
            instance: None,
            versions: BTreeMap::new(),
            paths: Paths::default(),
            databases: Vec::new(),
            sqlite: Vec::new(),
            quiesce: Vec::new(),
            resume: Vec::new(),
            restored: Vec::new(),
            rehearsed: Vec::new(),
            retention: None,
        }
    }

    /// Whether nothing is backed up.
    pub fn is_empty(&self) -> bool {
        self.paths.include.is_empty() && self.dumps() == 0
    }

    /// How many dumps belong to it.
    pub fn dumps(&self) -> usize {
        self.databases.len() + self.sqlite.len()
    }

    /// Takes in another part of the same owner's; where both say how many are kept, its own counts.
    pub fn add(&mut self, other: BackupItem) {
        self.versions.extend(other.versions);
        self.paths.include.extend(other.paths.include);
        self.paths.exclude.extend(other.paths.exclude);
        self.databases.extend(other.databases);
        self.sqlite.extend(other.sqlite);
        self.quiesce.extend(other.quiesce);
        self.resume.extend(other.resume);
        self.restored.extend(other.restored);
        self.rehearsed.extend(other.rehearsed);
        self.retention = self.retention.or(other.retention);
        sort(&mut self.paths.include);
        sort(&mut self.paths.exclude);
        sort(&mut self.databases);
        sort(&mut self.sqlite);
    }
}

fn sort<T: Ord>(list: &mut Vec<T>) {
    list.sort();
    list.dedup();
}
