//! What databases a server has, and how large they are.

use std::collections::BTreeSet;
use std::time::Duration;

use pq_items::{BackupItem, Database, DatabaseName, Engine};
use pq_machine::Machine;
use pq_steps::{Probe as _, Session, System as _};
use pq_stream::Diagnostic;

use crate::manifest::{Source, name};
use crate::saved::is_aside;

/// Databases that belong to MariaDB itself.
const OF_MARIADB: [&str; 4] = ["information_schema", "performance_schema", "sys", "mysql"];

/// What of an item is dumped, in order. `*` is each database that no item names, and the accounts.
///
/// # Errors
/// Where a server does not say what it has.
pub fn dumps(item: &BackupItem, all: &[BackupItem]) -> Result<Vec<Source>, Diagnostic> {
    let mut found = Vec::new();
    for database in &item.databases {
        if database.name.as_str() != "*" {
            found.push(Source::Database(database.clone()));
            continue;
        }
        let engine = database.engine;
        let named: BTreeSet<&str> = all
            .iter()
            .flat_map(|item| &item.databases)
            .filter(|it| it.engine == engine)
            .map(|it| it.name.as_str())
            .collect();
        found.push(Source::Accounts { engine });
        for there in list(engine)? {
            if named.contains(there.as_str()) {
                continue;
            }
            let name = DatabaseName::new(&there).map_err(|cause| {
                Diagnostic::new(format!("cannot back up a database of {}", name(engine)))
                    .cause(cause)
                    .hint("rename it, or dump it yourself: its name has characters that names here have not")
            })?;
            found.push(Source::Database(Database { engine, name }));
        }
    }
    found.extend(item.sqlite.iter().map(|path| Source::Sqlite { path: path.as_str().to_owned() }));
    Ok(found)
}

/// Bytes that a database takes on its server, about.
pub fn size(source: &Source) -> u64 {
    let answer = match source {
        Source::Database(Database { engine: Engine::Mariadb, name }) => ask(
            Engine::Mariadb,
            &format!(
                "SELECT COALESCE(SUM(data_length), 0) FROM information_schema.tables WHERE table_schema = '{name}'"
            ),
        ),
        Source::Database(Database { engine: Engine::Postgres, name }) => {
            ask(Engine::Postgres, &format!("SELECT pg_catalog.pg_database_size('{name}')"))
        }
        Source::Accounts { .. } => return 4096,
        Source::Sqlite { path } => return std::fs::metadata(path).map_or(0, |is| is.len()),
    };
    let first = answer.unwrap_or_default().into_iter().next();
    first.and_then(|size| size.parse::<f64>().ok()).map_or(0, |size| size as u64)
}

/// The databases of a server, without its own and without those that an upgrade set aside.
fn list(engine: Engine) -> Result<Vec<String>, Diagnostic> {
    let question = match engine {
        Engine::Mariadb => "SHOW DATABASES",
        Engine::Postgres => {
            "SELECT datname FROM pg_catalog.pg_database WHERE NOT datistemplate AND datallowconn ORDER BY 1"
        }
    };
    let mut found = ask(engine, question)?;
    if engine == Engine::Mariadb {
        found.retain(|it| !OF_MARIADB.contains(&it.as_str()));
    }
    found.retain(|it| !is_aside(it));
    Ok(found)
}

/// Asks a server, as who administers it, and answers the first field of each row.
///
/// # Errors
/// Where it does not answer.
pub fn ask(engine: Engine, question: &str) -> Result<Vec<String>, Diagnostic> {
    ask_in(engine, None, question)
}

/// The same in one of its databases.
///
/// # Errors
/// Where it does not answer.
pub fn ask_in(engine: Engine, database: Option<&str>, question: &str) -> Result<Vec<String>, Diagnostic> {
    let session = Session {
        engine: spoken(engine),
        database: database.map(str::to_owned),
        user: None,
        timeout: Duration::from_secs(600),
    };
    let heard = Machine::local().query(&session, question).map_err(pq_steps::Error::into_diagnostic)?;
    let rows = heard
        .map_err(|refusal| Diagnostic::new(format!("{} refuses", name(engine))).cause(refusal.message))?;
    Ok(rows.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect())
}

/// Tells a server to do something, as who administers it.
///
/// # Errors
/// Where it does not.
pub fn tell(engine: Engine, statement: &str) -> Result<(), Diagnostic> {
    let session =
        Session { engine: spoken(engine), database: None, user: None, timeout: Duration::from_secs(600) };
    let refused = |refusal: pq_steps::Refusal| {
        Diagnostic::new(format!("{} refuses", name(engine))).cause(refusal.message)
    };
    let mut machine = Machine::local();
    let talk = machine.talk(&session).map_err(pq_steps::Error::into_diagnostic)?;
    let heard = talk.map_err(refused)?.say(statement).map_err(pq_steps::Error::into_diagnostic)?;
    heard.map(|_| ()).map_err(refused)
}

/// The engine as those who speak to it call it.
pub fn spoken(engine: Engine) -> pq_steps::Engine {
    match engine {
        Engine::Mariadb => pq_steps::Engine::Mariadb,
        Engine::Postgres => pq_steps::Engine::Postgres,
    }
}
