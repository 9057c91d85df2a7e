//! What belongs together: each backup of an item is one set of snapshots, and its manifest says what is in it.
//!
//! The manifest is a file of the set's last snapshot, that of the files. So a set is there as a whole or not at all: without that
//! snapshot it does not count, whatever else of it is there.

use std::collections::BTreeMap;

use pq_items::{Database, Engine, Instance};
use serde::{Deserialize, Serialize};

/// Where manifests are written before they are backed up: a path that is the same each time, so that restic finds what it saw last.
pub const DIR: &str = "/var/lib/paquerette/backup/manifests";

/// The tag of all that is ours.
pub const OURS: &str = "paquerette";

/// The part of a set that makes it one.
pub const FILES: &str = "files";

/// The tag of a set in which something is missing.
pub const INCOMPLETE: &str = "incomplete";

/// The number of the form.
pub const FORMAT: u32 = 1;

/// What is in a set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The number of its form.
    pub format: u32,
    /// Which set it is.
    pub set: String,
    /// The machine.
    pub host: String,
    /// The item.
    pub item: String,
    /// When it was begun, in UTC.
    pub time: String,
    /// The instance, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<Instance>,
    /// Versions of what the data belongs to.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub versions: BTreeMap<String, String>,
    /// The paths that were asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// Its databases.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dumps: Vec<Dumped>,
    /// What could not be had; a set with such is better than none, and is not a whole one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// The numbers of accounts that own something of it: a restore on another machine gives it to the same names.
    #[serde(default, skip_serializing_if = "Accounts::is_empty")]
    pub accounts: Accounts,
    /// What made it.
    pub tool: String,
}

/// Names of accounts and their numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accounts {
    /// Users.
    #[serde(default)]
    pub users: BTreeMap<String, u32>,
    /// Groups.
    #[serde(default)]
    pub groups: BTreeMap<String, u32>,
}

impl Accounts {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty() && self.groups.is_empty()
    }
}

/// A dump that is in a set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dumped {
    /// Its part of the set, `mariadb-wiki`.
    pub part: String,
    /// What was dumped.
    pub of: Source,
    /// What it is and holds.
    #[serde(flatten)]
    pub report: Report,
}

/// What a dump is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Source {
    /// A database of a server.
    Database(Database),
    /// The accounts of a server.
    Accounts {
        /// Which server.
        engine: Engine,
    },
    /// A file of SQLite.
    Sqlite {
        /// Where it is.
        path: String,
    },
}

/// What a dump is and holds, counted while it went by.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
    /// Bytes.
    pub bytes: u64,
    /// Rows of each table.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rows: BTreeMap<String, u64>,
}

impl Source {
    /// The name of its part of a set, which is also the name of its file there.
    pub fn part(&self) -> String {
        match self {
            Source::Database(it) => format!("{}-{}", word(it.engine), it.name),
            Source::Accounts { engine } => format!("{}--accounts", word(*engine)),
            Source::Sqlite { path } => format!("sqlite{}", path.replace('/', "-")),
        }
    }

    /// For people.
    pub fn words(&self) -> String {
        match self {
            Source::Database(it) => format!("database `{}` of {}", it.name, name(it.engine)),
            Source::Accounts { engine } => format!("the accounts of {}", name(*engine)),
            Source::Sqlite { path } => format!("the SQLite file `{path}`"),
        }
    }
}

/// The word for an engine in names.
pub fn word(engine: Engine) -> &'static str {
    match engine {
        Engine::Mariadb => "mariadb",
        Engine::Postgres => "postgres",
    }
}

/// What people call an engine.
pub fn name(engine: Engine) -> &'static str {
    match engine {
        Engine::Mariadb => "MariaDB",
        Engine::Postgres => "PostgreSQL",
    }
}

/// Where the manifest of an item is.
pub fn path(item: &str) -> String {
    format!("{DIR}/{item}.manifest")
}

#[cfg(test)]
mod tests {
    use super::*;
    use pq_items::DatabaseName;

    #[test]
    fn a_manifest_is_read_as_it_was_written() {
        let name = DatabaseName::new("blog").unwrap();
        let sources = [
            Source::Database(Database { engine: Engine::Mariadb, name }),
            Source::Accounts { engine: Engine::Postgres },
            Source::Sqlite { path: "/srv/a/base.sqlite".to_owned() },
        ];
        let report =
            Report { sha256: "ab".repeat(32), bytes: 7, rows: BTreeMap::from([("a b".to_owned(), 3)]) };
        let dumps = sources.map(|of| Dumped { part: of.part(), of, report: report.clone() });
        let manifest = Manifest {
            format: FORMAT,
            set: "20261128T031200-00001".to_owned(),
            host: "web".to_owned(),
            item: "blog".to_owned(),
            time: "2026-11-28T03:12:00Z".to_owned(),
            instance: None,
            versions: BTreeMap::new(),
            paths: vec!["/srv/a".to_owned()],
            dumps: dumps.to_vec(),
            missing: Vec::new(),
            accounts: Accounts::default(),
            tool: "pq-backup".to_owned(),
        };
        let text = serde_json::to_string(&manifest).unwrap();
        assert_eq!(serde_json::from_str::<Manifest>(&text).unwrap(), manifest);
        let parts: Vec<String> = manifest.dumps.iter().map(|it| it.part.clone()).collect();
        assert_eq!(parts, ["mariadb-blog", "postgres--accounts", "sqlite-srv-a-base.sqlite"]);
    }
}
