//! How a database server of the machine is talked to: as its administrator or as a user of the system, never by a password.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Error;

/// A database server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// MariaDB.
    Mariadb,
    /// PostgreSQL.
    Postgres,
}

impl Engine {
    /// Its name, as steps and the ledger have it.
    pub fn word(self) -> &'static str {
        match self {
            Engine::Mariadb => "mariadb",
            Engine::Postgres => "postgres",
        }
    }
}

/// To whom, and as whom, something is said.
///
/// In every session a string is the SQL standard's: a quote in it is doubled, a backslash is a backslash.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Session {
    /// The server.
    pub engine: Engine,
    /// The database; the server's own where it is `None`, and then nothing that users made is in reach.
    pub database: Option<String>,
    /// The user of the system whom the server takes for its own of that name; its administrator where it is `None`. What an
    /// administrator says leaves no trace in the server's logs.
    pub user: Option<String>,
    /// How long each thing that is said may take.
    pub timeout: Duration,
}

/// Rows of fields, of all that was asked, one after the other; no text where a field is null.
pub type Rows = Vec<Vec<Option<String>>>;

/// What a server answers: rows, or what it refused.
pub type Heard = Result<Rows, Refusal>;

/// What a server refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// MariaDB's number or PostgreSQL's SQLSTATE.
    pub code: String,
    /// What it says; it may quote the statement.
    pub message: String,
}

impl Refusal {
    /// A refusal.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Refusal { code: code.into(), message: message.into() }
    }
}

/// A session in which things are changed.
pub trait Talk {
    /// Has statements done, and hears what comes of them; behind one that is refused, none is done.
    ///
    /// # Errors
    /// Where the server does not answer, or not in time. What it refuses is heard.
    fn say(&mut self, sql: &str) -> Result<Heard, Error>;
}
