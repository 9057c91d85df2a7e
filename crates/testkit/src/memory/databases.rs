//! The database servers of the machine in memory: each keeps a catalogue in one file, and listens where a socket is.
//!
//! They understand the statements that steps write, and of tables what the examples need: rows of one text. Outside of a
//! transaction each statement is a change of its own; in PostgreSQL, all that is said at once is one.

mod mariadb;
mod postgres;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use pq_steps::{Engine, Error, Heard, Refusal, Rows, Session, Talk};
use serde::{Deserialize, Serialize};

use super::MemoryMachine;
use words::statements;

/// All that a server keeps.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Catalogue {
    databases: BTreeMap<String, Base>,
    /// By name; in MariaDB by `name@host`.
    users: BTreeMap<String, Account>,
}

/// A database.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Base {
    owner: String,
    charset: String,
    collation: String,
    /// What every user may do.
    open: BTreeSet<String>,
    extensions: BTreeSet<String>,
    tables: BTreeMap<String, Vec<String>>,
}

/// A user.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Account {
    /// How it shows who it is.
    plugin: String,
    /// What is kept of its password.
    kept: String,
    login: bool,
    superuser: bool,
    /// Its rights by database, or by the pattern that means some.
    rights: BTreeMap<String, BTreeSet<String>>,
}

/// What a statement does: it gets the database of the session and the statement's words.
type Does = fn(&mut Catalogue, &str, &[&str]) -> Heard;

/// A server: where it keeps its catalogue and listens, its administrator, what statements do to it.
struct Server {
    engine: Engine,
    catalogue: &'static str,
    socket: &'static str,
    administrator: &'static str,
    no_database: &'static str,
    no_user: &'static str,
    read_only: &'static str,
    does: Does,
}

impl MemoryMachine {
    /// The server of a session, where it runs and knows who asks.
    fn server(&self, session: &Session) -> Result<Result<&'static Server, Refusal>, Error> {
        let server: &'static Server = match session.engine {
            Engine::Mariadb => &mariadb::SERVER,
            Engine::Postgres => &postgres::SERVER,
        };
        let listed = |name: &str| {
            self.disk.text("/etc/passwd").lines().any(|line| line.split(':').next() == Some(name))
        };
        match &session.user {
            Some(name) if !listed(name) => return Err(Error::absent("user", name.clone())),
            None if self.disk.follow(server.socket).is_none() || !listed(server.administrator) => {
                return Err(Error::absent("running database server", session.engine.word()));
            }
            _ => {}
        }
        let all = self.catalogue(server);
        if let Some(name) = &session.user
            && !all.users.keys().any(|user| user == name || *user == format!("{name}@localhost"))
        {
            return Ok(Err(Refusal::new(server.no_user, format!("there is no user {name}"))));
        }
        match &session.database {
            Some(name) if !all.databases.contains_key(name) => {
                Ok(Err(Refusal::new(server.no_database, format!("there is no database {name}"))))
            }
            _ => Ok(Ok(server)),
        }
    }

    fn catalogue(&self, server: &Server) -> Catalogue {
        serde_json::from_str(&self.disk.text(server.catalogue)).unwrap_or_default()
    }

    /// Answers a question.
    pub(super) fn answer_query(&self, session: &Session, sql: &str) -> Result<Heard, Error> {
        let server = match self.server(session)? {
            Ok(server) => server,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let before = self.catalogue(server);
        let mut all = before.clone();
        let mut rows = Rows::new();
        for statement in statements(sql) {
            match does(server, session, &mut all, &statement) {
                Ok(more) => rows.extend(more),
                Err(refusal) => return Ok(Err(refusal)),
            }
        }
        match all == before {
            true => Ok(Ok(rows)),
            false => Ok(Err(Refusal::new(server.read_only, "it cannot be done in a read-only transaction"))),
        }
    }

    /// Opens a session.
    pub(super) fn open_talk(
        &mut self,
        session: &Session,
    ) -> Result<Result<Box<dyn Talk + '_>, Refusal>, Error> {
        Ok(self.server(session)?.map(|server| {
            let talk = MemoryTalk { session: session.clone(), server, machine: self, open: None };
            Box::new(talk) as Box<dyn Talk + '_>
        }))
    }
}

fn does(server: &Server, session: &Session, all: &mut Catalogue, statement: &[String]) -> Heard {
    let words: Vec<&str> = statement.iter().map(String::as_str).collect();
    (server.does)(all, session.database.as_deref().unwrap_or(""), &words)
}

/// A session in which things are changed. What of a transaction was not committed goes with it.
struct MemoryTalk<'a> {
    session: Session,
    server: &'static Server,
    machine: &'a mut MemoryMachine,
    /// What an open transaction sees.
    open: Option<Catalogue>,
}

impl MemoryTalk<'_> {
    fn keep(&mut self, all: &Catalogue) -> Result<(), Error> {
        if self.machine.catalogue(self.server) == *all {
            return Ok(());
        }
        let text =
            serde_json::to_string(all).map_err(|error| Error::failed("cannot keep a catalogue", error))?;
        self.machine.disk.replace(self.server.catalogue, text.as_bytes())
    }

    fn commit(&mut self) -> Result<(), Error> {
        match self.open.take() {
            Some(all) => self.keep(&all),
            None => Ok(()),
        }
    }

    fn one(&mut self, statement: &[String]) -> Result<Heard, Error> {
        let definition = ["CREATE", "ALTER", "DROP", "GRANT", "REVOKE"];
        match statement[0].as_str() {
            "BEGIN" | "START" => {
                self.open = Some(self.machine.catalogue(self.server));
                return Ok(Ok(Rows::new()));
            }
            "COMMIT" => return self.commit().map(|()| Ok(Rows::new())),
            word if self.session.engine == Engine::Mariadb && definition.contains(&word) => self.commit()?,
            _ => {}
        }
        let mut all = self.open.clone().unwrap_or_else(|| self.machine.catalogue(self.server));
        let heard = does(self.server, &self.session, &mut all, statement);
        if heard.is_ok() {
            match &mut self.open {
                Some(open) => *open = all,
                None => self.keep(&all)?,
            }
        }
        Ok(heard)
    }
}

impl Talk for MemoryTalk<'_> {
    fn say(&mut self, sql: &str) -> Result<Heard, Error> {
        let said = statements(sql);
        let at_once = self.session.engine == Engine::Postgres && said.len() > 1 && self.open.is_none();
        if at_once {
            self.open = Some(self.machine.catalogue(self.server));
        }
        let mut rows = Rows::new();
        for statement in said {
            match self.one(&statement)? {
                Ok(more) => rows.extend(more),
                Err(refusal) => {
                    self.open = None;
                    return Ok(Err(refusal));
                }
            }
        }
        if at_once {
            self.commit()?;
        }
        Ok(Ok(rows))
    }
}

/// Rows of texts.
fn rows<const N: usize>(rows: impl IntoIterator<Item = [String; N]>) -> Heard {
    Ok(rows.into_iter().map(|row| row.into_iter().map(Some).collect()).collect())
}

/// What both understand: tables of a database.
fn tables(server: &Server, all: &mut Catalogue, database: &str, words: &[&str]) -> Heard {
    let (no_table, syntax) = match server.engine {
        Engine::Mariadb => ("1146", "1064"),
        Engine::Postgres => ("42P01", "42601"),
    };
    let syntax = || Err(Refusal::new(syntax, format!("syntax error in {}", words.join(" "))));
    let Some(base) = all.databases.get_mut(database) else { return syntax() };
    let none = |table: &str| Refusal::new(no_table, format!("table {table} does not exist"));
    match *words {
        ["CREATE", "TABLE", "IF", "NOT", "EXISTS", table, "(", _, "text", ")"]
        | ["CREATE", "TABLE", table, "(", _, "text", ")"] => {
            base.tables.entry(table.to_owned()).or_default();
            rows::<0>([])
        }
        ["INSERT", "INTO", table, "VALUES", "(", value, ")"] => {
            base.tables.get_mut(table).ok_or_else(|| none(table))?.push(value.to_owned());
            rows::<0>([])
        }
        ["DELETE", "FROM", table] => {
            base.tables.get_mut(table).ok_or_else(|| none(table))?.clear();
            rows::<0>([])
        }
        [.., "FROM", "information_schema", ".", "tables", "WHERE", "table_name", "=", table]
        | [.., "FROM", "pg_tables", "WHERE", "tablename", "=", table] => {
            rows([[u8::from(base.tables.contains_key(table)).to_string()]])
        }
        ["SELECT", "count", "(", "*", ")", "=", "1", "FROM", table, "WHERE", _, "=", value] => {
            let there = base.tables.get(table).ok_or_else(|| none(table))?;
            let one = there.iter().filter(|row| *row == value).count() == 1;
            rows([[u8::from(one).to_string()]])
        }
        ["SELECT", "count", "(", "*", ")", "=", count, "FROM", table] => {
            let there = base.tables.get(table).ok_or_else(|| none(table))?.len();
            rows([[u8::from(there.to_string() == count).to_string()]])
        }
        ["SELECT", "count", "(", "*", ")", "FROM", table] => {
            rows([[base.tables.get(table).ok_or_else(|| none(table))?.len().to_string()]])
        }
        _ => syntax(),
    }
}
