//! A migration that ends well and has emptied a table is none. What grows and shrinks by itself does not count.

use pq_items::{Database, Engine};
use pq_stream::Diagnostic;

use super::Told;
use crate::databases::ask_in;
use crate::manifest::Source;

/// Words in the names of tables of things that are made again, or come and go.
const PASSING: [&str; 18] = [
    "cache",
    "caches",
    "job",
    "jobs",
    "lock",
    "locks",
    "log",
    "logs",
    "logging",
    "queue",
    "recentchanges",
    "searchindex",
    "session",
    "sessions",
    "stats",
    "temp",
    "tmp",
    "token",
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

/// By whole words: `objectcache` is a cache, a `catalog` is no log.
fn passes(table: &str) -> bool {
    let table = table.to_lowercase();
    let words = table.split(|c: char| !c.is_alphanumeric());
    words
        .into_iter()
        .any(|word| PASSING.contains(&word) || word.ends_with("cache") || word.ends_with("token"))
}

fn first(engine: Engine, name: &str, question: &str) -> Result<u64, Diagnostic> {
    Ok(ask_in(engine, Some(name), question)?.first().and_then(|it| it.parse().ok()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_and_goes_is_known_by_the_words_of_its_name() {
        for table in [
            "objectcache",
            "l10n_cache",
            "wp_sessions",
            "oc_authtoken",
            "job",
            "mediawiki.recentchanges",
            "log_search",
            "oc_file_locks",
        ] {
            assert!(passes(table), "{table}");
        }
        for table in ["wp_posts", "catalog", "blog", "llx_template", "statement", "login", "attempts"] {
            assert!(!passes(table), "{table}");
        }
    }
}
