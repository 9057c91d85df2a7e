//! What was, for curves, bars and incidents: a database of SQLite, and never more than about a year of it.
//!
//! Always true here: it is of no consequence for what people are told. One that is spoilt is set aside, and begun anew.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pq_stream::Diagnostic;
use rusqlite::{Connection, ErrorCode, OptionalExtension, params};

use crate::state::Memory;
use crate::{Level, State};

/// How long a slot of the curves is, in seconds.
pub const SLOT: i64 = 900;

/// How long slots, days and incidents are kept, in seconds.
const SLOTS: i64 = 8 * 86_400;
const DAYS: i64 = 400 * 86_400;

/// How many incidents are kept.
const INCIDENTS: i64 = 10_000;

const FILE: &str = "history.sqlite";

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS name (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE IF NOT EXISTS slot (
    id INTEGER NOT NULL, at INTEGER NOT NULL, asked INTEGER NOT NULL, bad INTEGER NOT NULL, unknown INTEGER NOT NULL,
    ms INTEGER NOT NULL, value REAL, PRIMARY KEY (id, at)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS day (
    id INTEGER NOT NULL, at INTEGER NOT NULL, asked INTEGER NOT NULL, bad INTEGER NOT NULL, unknown INTEGER NOT NULL,
    ms INTEGER NOT NULL, value REAL, PRIMARY KEY (id, at)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS incident (
    number INTEGER PRIMARY KEY, id INTEGER NOT NULL, level INTEGER NOT NULL, began INTEGER NOT NULL, ended INTEGER,
    message TEXT NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS incident_began ON incident (began);
";

/// What was.
#[derive(Debug)]
pub struct History {
    database: Connection,
}

/// How a check was within a length of time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Span {
    /// Its beginning.
    pub at: i64,
    /// How many times it was asked, and something is known of the answer.
    pub asked: i64,
    /// How many of these were bad.
    pub bad: i64,
    /// How many times nothing was known.
    pub unknown: i64,
    /// The middle of how long answers took, in milliseconds.
    pub ms: f64,
    /// What was measured last.
    pub value: Option<f64>,
}

/// A time in which a check failed.
#[derive(Debug, Clone, PartialEq)]
pub struct Incident {
    /// Which check.
    pub check: String,
    /// How bad it was.
    pub level: Level,
    /// Its beginning.
    pub began: i64,
    /// Its end; nothing while it lasts.
    pub ended: Option<i64>,
    /// What the check answered.
    pub message: String,
}

impl History {
    /// The history of a directory; where it was spoilt, where that is kept is answered too.
    ///
    /// # Errors
    /// Where there can be none.
    pub fn open(dir: &Path) -> Result<(Self, Option<PathBuf>), Diagnostic> {
        let path = dir.join(FILE);
        match begun(&path) {
            Ok(database) => Ok((History { database }, None)),
            Err(error) if is_spoilt(&error) => {
                let aside = path.with_extension("sqlite.bad");
                std::fs::rename(&path, &aside).map_err(|error| cannot(&path, &error))?;
                let _ = std::fs::remove_file(path.with_extension("sqlite-journal"));
                let database = begun(&path).map_err(|error| cannot(&path, &error))?;
                Ok((History { database }, Some(aside)))
            }
            Err(error) => Err(cannot(&path, &error)),
        }
    }

    /// The same to look at alone: nothing where there is none.
    pub fn look(dir: &Path) -> Option<Self> {
        let path = dir.join(FILE);
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY | rusqlite::OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let database = Connection::open_with_flags(path, flags).ok()?;
        database.busy_timeout(Duration::from_secs(2)).ok()?;
        Some(History { database })
    }

    /// Takes in what was asked in a run.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn record(&mut self, state: &State, asked: &[String], now: i64) -> Result<(), Diagnostic> {
        self.written(state, asked, now).map_err(unwritten)
    }

    fn written(&mut self, state: &State, asked: &[String], now: i64) -> rusqlite::Result<()> {
        let all = self.database.transaction()?;
        {
            let mut named = all.prepare("SELECT id FROM name WHERE name = ?1")?;
            let mut name = all.prepare("INSERT INTO name (name) VALUES (?1)")?;
            let add = |table: &str| {
                format!(
                    "INSERT INTO {table} (id, at, asked, bad, unknown, ms, value) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                     ON CONFLICT DO UPDATE SET asked = asked + ?3, bad = bad + ?4, unknown = unknown + ?5, ms = ms + ?6, value = coalesce(?7, value)"
                )
            };
            let mut slot = all.prepare(&add("slot"))?;
            let mut day = all.prepare(&add("day"))?;
            let mut open =
                all.prepare("SELECT number, level FROM incident WHERE id = ?1 AND ended IS NULL")?;
            let mut begin =
                all.prepare("INSERT INTO incident (id, level, began, message) VALUES (?1, ?2, ?3, ?4)")?;
            let mut worse = all.prepare("UPDATE incident SET level = ?2, message = ?3 WHERE number = ?1")?;
            let mut end = all.prepare("UPDATE incident SET ended = ?2 WHERE number = ?1")?;
            for check in asked {
                let Some(memory) = state.checks.get(check) else { continue };
                let id: i64 = match named.query_row([check], |row| row.get(0)).optional()? {
                    Some(id) => id,
                    None => {
                        name.execute([check])?;
                        all.last_insert_rowid()
                    }
                };
                let (known, bad) = counts(memory);
                let ms = i64::try_from(memory.last.ms).unwrap_or(i64::MAX);
                let row = |at: i64| params_of(id, at, known, bad, ms, memory.last.value);
                slot.execute(row(now - now.rem_euclid(SLOT)))?;
                day.execute(row(now - now.rem_euclid(86_400)))?;
                let found: Option<(i64, i64)> =
                    open.query_row([id], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
                let level = i64::from(rank(memory.level));
                let message = &memory.last.message;
                match found {
                    None if memory.level.is_bad() => {
                        begin.execute(params![id, level, memory.since, message])?
                    }
                    Some((number, before)) if level > before => {
                        worse.execute(params![number, level, message])?
                    }
                    Some((number, _)) if !memory.level.is_bad() => {
                        end.execute(params![number, memory.since])?
                    }
                    _ => 0,
                };
            }
        }
        all.commit()
    }

    /// Takes away what is old.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn prune(&mut self, now: i64) -> Result<(), Diagnostic> {
        let mut pruned = || {
            let all = self.database.transaction()?;
            all.execute("DELETE FROM slot WHERE at < ?1", [now - SLOTS])?;
            all.execute("DELETE FROM day WHERE at < ?1", [now - DAYS])?;
            all.execute("DELETE FROM incident WHERE began < ?1", [now - DAYS])?;
            let newest = "DELETE FROM incident WHERE number <= (SELECT max(number) FROM incident) - ?1";
            all.execute(newest, [INCIDENTS])?;
            all.commit()
        };
        pruned().map_err(unwritten)
    }

    /// The slots of a check since a time, in their order.
    pub fn slots(&self, check: &str, since: i64) -> Vec<Span> {
        self.spans("slot", check, since).unwrap_or_default()
    }

    /// The days of a check since a time, in their order.
    pub fn days(&self, check: &str, since: i64) -> Vec<Span> {
        self.spans("day", check, since).unwrap_or_default()
    }

    fn spans(&self, table: &str, check: &str, since: i64) -> rusqlite::Result<Vec<Span>> {
        let mut found = self.database.prepare(&format!(
            "SELECT at, asked, bad, unknown, ms, value FROM {table} JOIN name USING (id) WHERE name = ?1 AND at >= ?2 ORDER BY at"
        ))?;
        let rows = found.query_map(params![check, since], |row| {
            let (asked, unknown, ms): (i64, i64, i64) = (row.get(1)?, row.get(3)?, row.get(4)?);
            #[expect(clippy::cast_precision_loss, reason = "milliseconds")]
            let ms = ms as f64 / (asked + unknown).max(1) as f64;
            Ok(Span { at: row.get(0)?, asked, bad: row.get(2)?, unknown, ms, value: row.get(5)? })
        })?;
        rows.collect()
    }

    /// What failed since a time, the newest first.
    pub fn incidents(&self, since: i64) -> Vec<Incident> {
        self.failed(since).unwrap_or_default()
    }

    fn failed(&self, since: i64) -> rusqlite::Result<Vec<Incident>> {
        let mut found = self.database.prepare(
            "SELECT name, level, began, ended, message FROM incident JOIN name USING (id)
             WHERE began >= ?1 OR ended IS NULL OR ended >= ?1 ORDER BY began DESC, number DESC LIMIT 1000",
        )?;
        let rows = found.query_map([since], |row| {
            let level: u8 = row.get(1)?;
            Ok(Incident {
                check: row.get(0)?,
                level: of_rank(level),
                began: row.get(2)?,
                ended: row.get(3)?,
                message: row.get(4)?,
            })
        })?;
        rows.collect()
    }

    /// What part of the time each check was well since a time, in percent; nothing where it was not asked.
    pub fn uptime(&self, since: i64) -> BTreeMap<String, f64> {
        let sql = "SELECT name, sum(asked), sum(bad) FROM day JOIN name USING (id) WHERE at >= ?1 GROUP BY id HAVING sum(asked) > 0";
        let found = (|| {
            let mut found = self.database.prepare(sql)?;
            let rows = found.query_map([since], |row| {
                let (asked, bad): (i64, i64) = (row.get(1)?, row.get(2)?);
                #[expect(clippy::cast_precision_loss, reason = "a percentage")]
                let share = (asked - bad) as f64 * 100.0 / asked as f64;
                Ok((row.get(0)?, share))
            })?;
            rows.collect::<rusqlite::Result<BTreeMap<String, f64>>>()
        })();
        found.unwrap_or_default()
    }
}

fn params_of(id: i64, at: i64, known: bool, bad: bool, ms: i64, value: Option<f64>) -> impl rusqlite::Params {
    (id, at, i64::from(known), i64::from(bad), i64::from(!known), ms, value)
}

/// Whether something is known of the last answer, and whether it was bad. What fails because of something else failed too.
fn counts(memory: &Memory) -> (bool, bool) {
    let known = memory.last.level != Level::Unknown;
    (known, memory.last.level == Level::Critical)
}

/// A number whose order is that of the levels.
fn rank(level: Level) -> u8 {
    level as u8
}

fn of_rank(rank: u8) -> Level {
    [Level::Ok, Level::Unknown, Level::Warning, Level::Critical]
        .into_iter()
        .find(|it| *it as u8 == rank)
        .unwrap_or_default()
}

fn begun(path: &Path) -> rusqlite::Result<Connection> {
    let database = Connection::open(path)?;
    database.busy_timeout(Duration::from_secs(2))?;
    database.pragma_update(None, "synchronous", "NORMAL")?;
    database.pragma_update(None, "cache_size", -1_000)?;
    database.execute_batch(TABLES)?;
    Ok(database)
}

fn is_spoilt(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt))
}

fn unwritten(error: rusqlite::Error) -> Diagnostic {
    Diagnostic::new("cannot write the history")
        .cause(error.to_string())
        .hint("checks are asked and told all the same; what is missing are curves")
}

fn cannot(path: &Path, error: &dyn std::error::Error) -> Diagnostic {
    Diagnostic::new(format!("cannot use the history in `{}`", path.display())).cause(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Answer;

    const T: i64 = 1_800_000_000;

    fn state(level: Level, since: i64) -> State {
        let mut state = State::default();
        let last = Answer { ms: 20, ..Answer::of(level, "x", "words") }.value(3.5, "%");
        state.checks.insert("wiki/page".to_owned(), Memory { level, since, last, ..Memory::default() });
        state
    }

    #[test]
    fn bars_curves_and_incidents_come_of_what_was_asked() {
        let dir = tempfile::tempdir().unwrap();
        let (mut history, aside) = History::open(dir.path()).unwrap();
        assert_eq!(aside, None);
        let asked = ["wiki/page".to_owned()];
        for minute in 0..60 {
            let bad = (20..35).contains(&minute);
            let level = if bad { Level::Critical } else { Level::Ok };
            let since = T + 60
                * if bad {
                    20
                } else if minute < 20 {
                    0
                } else {
                    35
                };
            history.record(&state(level, since), &asked, T + minute * 60).unwrap();
        }
        let slots = history.slots("wiki/page", 0);
        assert_eq!(
            slots.iter().map(|it| (it.asked, it.bad)).collect::<Vec<_>>(),
            [(15, 0), (15, 10), (15, 5), (15, 0)]
        );
        assert_eq!((slots[0].ms, slots[0].value), (20.0, Some(3.5)));
        assert_eq!(history.uptime(0)["wiki/page"], 75.0);
        let incidents = history.incidents(0);
        assert_eq!(incidents.len(), 1);
        assert_eq!((incidents[0].began, incidents[0].ended), (T + 1_200, Some(T + 2_100)));
        drop(history);
        assert_eq!(History::look(dir.path()).unwrap().days("wiki/page", 0).len(), 1);
    }

    #[test]
    fn what_is_old_goes() {
        let dir = tempfile::tempdir().unwrap();
        let (mut history, _) = History::open(dir.path()).unwrap();
        let asked = ["wiki/page".to_owned()];
        for day in 0..500 {
            history.record(&state(Level::Ok, T), &asked, T + day * 86_400).unwrap();
            history.prune(T + day * 86_400).unwrap();
        }
        assert_eq!(history.days("wiki/page", 0).len(), 400);
        assert_eq!(history.slots("wiki/page", 0).len(), 9);
    }

    #[test]
    fn a_spoilt_history_is_set_aside() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE), [7; 4096]).unwrap();
        let (mut history, aside) = History::open(dir.path()).unwrap();
        assert!(aside.is_some_and(|path| path.exists()));
        history.record(&state(Level::Ok, T), &["wiki/page".to_owned()], T).unwrap();
    }
}
