//! A migration that ends well and has emptied a table is none. What grows and shrinks by itself does not count.

use pq_items::{Database, Engine};
use pq_stream::Diagnostic;

use super::Told;
use crate::databases::ask_in;
use crate::manifest::Source;

/// What tables of things that are made again, or come and go, have in their names.
const PASSING: [&str; 12] = [
    "cache",
    "session",
    "job",
    "queue",
    "lock",
    "log",
    "tmp",
    "temp",
    "token",
    "recent",
    "stat",
    "searchindex",
];

/// Every table that had rows and is still there has some.
pub(super) fn sane(told: &Told) -> Result<(), Diagnostic> {
    let saved = told.saved()?;
    let Some(dump) = &saved.dump else { return Ok(()) };
    let Source::Database(Database { engine, name }) = &dump.of else { return Ok(()) };
    let mut emptied = Vec::new();
    let had = dump.report.rows.iter().filter(|(table, rows)| **rows > 0 && !passes(table));
    let (mut there, mut all) = (0, 0);
    for (table, rows) in had {
        all += 1;
        let known = match engine {
            Engine::Mariadb => format!(
                "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = '{name}' AND table_name = '{}'",
                table.replace('\'', "''")
            ),
            Engine::Postgres => format!("SELECT COUNT(to_regclass('{}'))", table.replace('\'', "''")),
        };
        if first(*engine, name.as_str(), &known)? == 0 {
            continue;
        }
        there += 1;
        let quoted = match engine {
            Engine::Mariadb => format!("`{}`", table.replace('`', "``")),
            Engine::Postgres => table.clone(),
        };
        if first(
            *engine,
            name.as_str(),
            &format!("SELECT COUNT(*) FROM (SELECT 1 FROM {quoted} LIMIT 1) AS one"),
        )? == 0
        {
            emptied.push(format!("`{table}` had {rows} rows"));
        }
    }
    let wrong = Diagnostic::new(format!("{} has lost what was in it", dump.of.words()));
    if !emptied.is_empty() {
        return Err(wrong.cause(format!("empty now: {}", emptied.join(", "))));
    }
    match there * 2 < all {
        true => Err(wrong.cause(format!("of {all} tables with rows, {there} are left"))),
        false => Ok(()),
    }
}

fn passes(table: &str) -> bool {
    let table = table.to_lowercase();
    PASSING.iter().any(|word| table.contains(word))
}

fn first(engine: Engine, name: &str, question: &str) -> Result<u64, Diagnostic> {
    Ok(ask_in(engine, Some(name), question)?.first().and_then(|it| it.parse().ok()).unwrap_or_default())
}
