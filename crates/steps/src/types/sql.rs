//! Statements are run in a database unless a question says that they need not be: all of them or none.

use std::time::Duration;

use pq_stream::Diagnostic;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::catalogue::Catalogue;
use super::engine::{PATIENCE, asking, field, refused, valid_name};
use super::{accounts, statements};
use crate::{Check, Converge, Differences, Engine, Error, Probe, Refusal, Rows, Session, System, Text};

/// Statements whose effect can be seen by a question, run in one transaction. MariaDB ends a transaction at each `CREATE`,
/// `ALTER` and the like: there, write them so that they can be run twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sql {
    /// The server.
    pub engine: Engine,
    /// The database.
    pub database: String,
    /// The user of the system, whom the server knows by the same name, to connect as; the server's administrator by default.
    /// Name the application's own where it can write to the database: what it put there (views, functions) would
    /// else run with an administrator's rights. As such a user, what the server's own settings log is logged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The statements. A quote in a string is doubled, a backslash is a backslash.
    pub sql: Text,
    /// A question that only looks: they are not run where it answers `1` or `t`, and are where it answers `0`, `f` or nothing.
    pub unless: String,
    /// Seconds that they may take, 300 by default.
    #[serde(default = "default_timeout")]
    pub timeout: u64,
}

fn default_timeout() -> u64 {
    300
}

/// What would end the transaction in which statements are run, or is no statement but the client's own word.
const REFUSED: [&str; 9] =
    ["abort", "begin", "commit", "delimiter", "end", "release", "rollback", "savepoint", "start"];

impl Sql {
    fn session(&self) -> Session {
        Session {
            engine: self.engine,
            database: Some(self.database.clone()),
            user: self.user.clone(),
            timeout: Duration::from_secs(self.timeout),
        }
    }

    /// The sentence about statements that are not to be run.
    fn statements(&self) -> Result<(), String> {
        let read = statements::read(self.engine, self.sql.as_str()).map_err(|why| format!("`sql` {why}"))?;
        if read.is_empty() {
            return Err("`sql` holds no statement".to_owned());
        }
        match read.iter().find_map(|words| REFUSED.iter().find(|it| words[0] == **it)) {
            Some(word) => {
                Err(format!("`sql` holds `{word}`: its statements are run in one transaction of their own"))
            }
            None => Ok(()),
        }
    }

    fn question(&self) -> Result<(), String> {
        let read = statements::read(self.engine, &self.unless).map_err(|why| format!("`unless` {why}"))?;
        match &read[..] {
            [words] if matches!(words[0].as_str(), "select" | "with") => {
                match words.iter().any(|word| word == "into") {
                    true => Err("`unless` holds `into`: a question writes nothing".to_owned()),
                    false => Ok(()),
                }
            }
            _ => Err("`unless` is no single `SELECT`".to_owned()),
        }
    }

    /// Secrets may have come into the statements since they were validated.
    fn hold(&self) -> Result<(), Error> {
        self.statements().map_err(|why| Error::failed(self.what(), why))
    }

    fn what(&self) -> String {
        format!("cannot run statements in database `{}`", self.engine.named(&self.database))
    }

    /// Whether the question says that all is done.
    fn answer(&self, rows: &Rows) -> Result<bool, Error> {
        let one = match rows.as_slice() {
            [] => "",
            [row] if row.len() == 1 => field(row, 0).trim(),
            _ => "more",
        };
        match one {
            "1" | "t" => Ok(true),
            "0" | "f" | "" => Ok(false),
            _ => Err(Diagnostic::new(self.what())
                .cause(
                    "`unless` answers neither `1` or `t`, nor `0`, `f` or nothing, in one field of one row",
                )
                .hint("compare in the question itself, as in `SELECT count(*) > 0 FROM …`")
                .into()),
        }
    }

    /// What the refusal of a question or a session means: that something is missing which an earlier step may make, or a failure.
    fn missing(&self, machine: &dyn Probe, refusal: &Refusal) -> Error {
        let absent = match (self.engine, refusal.code.as_str()) {
            (Engine::Mariadb, "1146") | (Engine::Postgres, "42P01") => {
                Some(Error::absent("table that `unless` asks in database", self.engine.named(&self.database)))
            }
            (Engine::Mariadb, "1049") | (Engine::Postgres, "3D000") => {
                Some(Error::absent("database", self.engine.named(&self.database)))
            }
            (Engine::Mariadb, "1044" | "1045" | "1698") | (Engine::Postgres, "28000" | "42501") => {
                self.stranger(machine).unwrap_or_else(Some)
            }
            _ => None,
        };
        absent.unwrap_or_else(|| refused(refusal, self.engine, &self.what(), self.sql.is_secret()))
    }

    /// Whether the database, or its user, is what is missing where somebody was turned away.
    fn stranger(&self, machine: &dyn Probe) -> Result<Option<Error>, Error> {
        let all = Catalogue::of(self.engine, &self.what(), asking(machine, &self.engine.server()))?;
        if !all.databases.contains_key(&self.database) {
            return Ok(Some(Error::absent("database", self.engine.named(&self.database))));
        }
        let Some(user) = &self.user else { return Ok(None) };
        let there =
            all.users.keys().any(|(name, host)| name == user && matches!(host.as_str(), "" | "localhost"));
        Ok((!there).then(|| Error::absent("database user", self.engine.named(user))))
    }

    /// Opens a session, asks once more, and has the statements done: the last word of a run that was killed has been said by
    /// then. Where the session or the question is refused, something may be missing; that is told apart by the caller.
    fn attempt(&self, machine: &mut dyn System) -> Result<Result<(), Refusal>, Error> {
        let session = self.session();
        let mut talk = match machine.talk(&session)? {
            Ok(talk) => talk,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let asked = match talk.say(&self.unless)? {
            Ok(rows) => rows,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let begin = match self.engine {
            Engine::Mariadb => "START TRANSACTION",
            Engine::Postgres => "BEGIN",
        };
        if self.answer(&asked)? {
            return Ok(Ok(()));
        }
        for sql in [begin, self.sql.as_str(), "COMMIT"] {
            let done = talk.say(sql)?;
            done.map_err(|it| refused(&it, self.engine, &self.what(), self.sql.is_secret()))?;
        }
        Ok(Ok(()))
    }
}

impl Converge for Sql {
    fn check(&self, machine: &dyn Probe) -> Result<Check, Error> {
        self.hold()?;
        let session = Session { timeout: PATIENCE, ..self.session() };
        let rows = machine.query(&session, &self.unless)?.map_err(|it| self.missing(machine, &it))?;
        if self.answer(&rows)? {
            return Ok(Check::InSync);
        }
        let mut found = Differences::new();
        found.push("statements", Some("due"), Some("run"));
        Ok(found.into_check())
    }

    fn apply(&self, machine: &mut dyn System) -> Result<(), Error> {
        self.hold()?;
        self.attempt(machine)?.map_err(|refusal| self.missing(machine, &refusal))
    }

    fn validate(&self) -> Result<(), String> {
        valid_name("database", &self.database)?;
        if let Some(user) = &self.user {
            accounts::valid_name("user", user)?;
        }
        self.statements()?;
        self.question()?;
        match (1..=86_400).contains(&self.timeout) {
            true => Ok(()),
            false => Err(format!("`timeout` {} is not from 1 to 86400 seconds", self.timeout)),
        }
    }

    fn texts(&mut self) -> Vec<&mut Text> {
        vec![&mut self.sql]
    }
}
