//! What was saved comes back: loaded beside and counted before it takes the place of what failed, which stays under another name.
//!
//! PostgreSQL's databases exchange their names in one transaction. MariaDB's have no names to exchange: their tables are moved, first all of
//! what failed, then all that comes back; who is killed in between goes on there. Where there is more than tables (views, triggers,
//! routines), what failed is dumped instead.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use pq_items::{Database, Engine};
use pq_stream::{Diagnostic, Event};
use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::{DUMP, Told, cannot, copied, gone, set_aside, stamp, verified};
use crate::databases::{ask, ask_in, tell};
use crate::dump::load;
use crate::in_place::exchange_database;
use crate::manifest::{Dumped, Source};
use crate::rehearse::{compare, drop_database, load_into};
use crate::session::Teller;

/// How long a database that was set aside is kept: 14 days.
const KEPT: Duration = Duration::from_secs(14 * 24 * 3600);

/// What is there once all is back.
const RESTORED: &str = "restored";

/// What is there once all of what failed has moved away, and holds where to.
const MOVED: &str = "moved";

/// Whether there is nothing to bring back, or all is.
pub(super) fn is_restored(told: &Told) -> Result<(), Diagnostic> {
    match !told.when.exists() || told.last().join(RESTORED).exists() {
        true => Ok(()),
        false => Err(Diagnostic::new("what was saved is not back yet")),
    }
}

/// Brings back all that was saved.
pub(super) fn restore(told: &Told) -> Result<(), Diagnostic> {
    if is_restored(told).is_ok() {
        return Ok(());
    }
    let (saved, last) = (told.saved()?, told.last());
    if let Some(dump) = &saved.dump {
        let file = last.join(DUMP);
        verified(dump, &file)?;
        if let Source::Database(database) = &dump.of
            && !last.join("database-is-back").exists()
        {
            match database.engine {
                Engine::Postgres => postgres(database, dump, &file)?,
                Engine::Mariadb => mariadb(database, dump, &file, &last)?,
            }
            note(&last.join("database-is-back"), "")?;
        }
    }
    for (at, path) in saved.paths.iter().enumerate() {
        files(&last.join(format!("files-{at}")), path, &last.join(format!("failed-{at}")))?;
    }
    note(&last.join(RESTORED), "")
}

/// A directory takes the place of another, which is set aside; who was killed on the way goes on there.
fn files(saved: &Path, path: &Path, aside: &Path) -> Result<(), Diagnostic> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let beside = path.with_file_name(format!(".{name}.pq-back"));
    let mark = aside.with_extension("is-back");
    let wrong = |errno: rustix::io::Errno| cannot("bring back", path)(errno.into());
    // The number of what comes back tells whether it is in its place already: what is beside is then what failed.
    let number = |path: &Path| fs::metadata(path).map(|is| is.ino().to_string());
    let is_back = fs::read_to_string(&mark).is_ok_and(|noted| number(path).is_ok_and(|is| is == noted));
    if !is_back {
        gone(&beside)?;
        copied(saved, &beside)?;
        note(&mark, &number(&beside).map_err(cannot("read", &beside))?)?;
        let flags = if path.exists() { RenameFlags::EXCHANGE } else { RenameFlags::NOREPLACE };
        renameat_with(CWD, &beside, CWD, path, flags).map_err(wrong)?;
    }
    if !beside.exists() {
        return Ok(());
    }
    if renameat_with(CWD, &beside, CWD, aside, RenameFlags::NOREPLACE).is_err() {
        // on another file system
        let part = aside.with_extension("part");
        gone(&part)?;
        copied(&beside, &part)?;
        gone(aside)?;
        fs::rename(&part, aside).map_err(cannot("set aside", path))?;
        gone(&beside)?;
    }
    Ok(())
}

fn note(path: &Path, text: &str) -> Result<(), Diagnostic> {
    fs::write(path, text)
        .and_then(|()| File::open(path)?.sync_all())
        .and_then(|()| path.parent().map_or(Ok(()), |above| File::open(above)?.sync_all()))
        .map_err(cannot("write", path))
}

/// The database into which a dump is loaded. No instance is called so: their names begin with a letter.
fn beside(name: &str) -> String {
    format!("_pq_back_{name}")
}

/// What a database is called that failed at a time.
pub(super) fn failing(name: &str, when: SystemTime) -> String {
    format!("_{name}_failed_{}", stamp(when))
}

/// Whether a database is one of those: it is no backup's.
pub(crate) fn is_aside(name: &str) -> bool {
    let stamped = |time: &str| time.len() == 15 && time.chars().all(|c| c.is_ascii_digit() || c == 't');
    name.starts_with(&beside(""))
        || name.starts_with('_') && name.rsplit_once("_failed_").is_some_and(|it| stamped(it.1))
}

fn postgres(database: &Database, dump: &Dumped, file: &Path) -> Result<(), Diagnostic> {
    let (engine, name) = (Engine::Postgres, database.name.as_str());
    let back = beside(name);
    let failed = failing(name, SystemTime::now());
    drop_database(engine, &back)?;
    let make = format!(
        "SELECT format('CREATE DATABASE %I OWNER %I TEMPLATE template0 ENCODING %L LC_COLLATE %L LC_CTYPE %L', '{back}', pg_catalog.pg_get_userbyid(datdba), pg_catalog.pg_encoding_to_char(encoding), datcollate, datctype) FROM pg_catalog.pg_database WHERE datname = '{name}'"
    );
    let make = ask(engine, &make)?.into_iter().next();
    let make = make.ok_or_else(|| Diagnostic::new(format!("there is no {} any more", dump.of.words())))?;
    tell(engine, &make)?;
    tell(engine, &format!("REVOKE ALL ON DATABASE \"{back}\" FROM PUBLIC"))?;
    let words = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", &back].map(str::to_owned);
    let wrong = |cause: String| {
        Diagnostic::new(format!("the dump of {} cannot be loaded", dump.of.words())).cause(cause)
    };
    load(engine, &words, file).map_err(wrong)?;
    compare(engine, &back, dump)?;
    tell(engine, &format!("ALTER DATABASE \"{name}\" WITH ALLOW_CONNECTIONS false"))?;
    tell(
        engine,
        &format!(
            "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE datname IN ('{name}', '{back}')"
        ),
    )?;
    let (away, here) = (
        format!("ALTER DATABASE \"{name}\" RENAME TO \"{failed}\""),
        format!("ALTER DATABASE \"{back}\" RENAME TO \"{name}\""),
    );
    let words =
        ["psql", "-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", "-d", "postgres", "-c", &away, "-c", &here]
            .map(str::to_owned);
    let wrong =
        |cause: String| Diagnostic::new(format!("{} cannot take its place", dump.of.words())).cause(cause);
    // Who was told to go may not have gone yet.
    let mut tries = 0;
    while let Err(cause) = load(engine, &words, Path::new("/dev/null")) {
        tries += 1;
        if tries == 20 {
            return Err(wrong(cause));
        }
        std::thread::sleep(Duration::from_millis(250));
    }
    tell(engine, &format!("ALTER DATABASE \"{failed}\" WITH ALLOW_CONNECTIONS true"))
}

fn mariadb(database: &Database, dump: &Dumped, file: &Path, last: &Path) -> Result<(), Diagnostic> {
    let (engine, name) = (Engine::Mariadb, database.name.as_str());
    let back = beside(name);
    let moved = last.join(MOVED);
    if !moved.exists() {
        drop_database(engine, &back)?;
        load_into(engine, &back, file, &dump.of.words())?;
        compare(engine, &back, dump)?;
        if beyond_tables(&[name, &back])? {
            keep_by_dump(database, last)?;
            exchange_database(dump, file, &mut Silent)?;
            compare(engine, name, dump)?;
            return drop_database(engine, &back);
        }
        let aside = last.join("aside");
        let failed = match fs::read_to_string(&aside) {
            Ok(failed) => failed,
            Err(_) => {
                let failed = failing(name, SystemTime::now());
                note(&aside, &failed)?;
                failed
            }
        };
        tell(engine, &format!("CREATE DATABASE IF NOT EXISTS `{failed}` CHARACTER SET utf8mb4"))?;
        move_tables(name, &failed)?;
        note(&moved, &failed)?;
    }
    move_tables(&back, name)?;
    compare(engine, name, dump)?;
    drop_database(engine, &back)
}

/// Moves every table of a database into another, all of them or none.
fn move_tables(from: &str, to: &str) -> Result<(), Diagnostic> {
    let tables = ask(
        Engine::Mariadb,
        &format!(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = '{from}' AND table_type = 'BASE TABLE' ORDER BY 1"
        ),
    )?;
    if tables.is_empty() {
        return Ok(());
    }
    let quoted = |table: &String| table.replace('`', "``");
    let all: Vec<String> =
        tables.iter().map(quoted).map(|table| format!("`{from}`.`{table}` TO `{to}`.`{table}`")).collect();
    tell(Engine::Mariadb, &format!("RENAME TABLE {}", all.join(", ")))
}

/// Whether databases hold what cannot be moved with tables.
fn beyond_tables(names: &[&str]) -> Result<bool, Diagnostic> {
    let names: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
    let names = names.join(", ");
    let count = format!(
        "SELECT (SELECT COUNT(*) FROM information_schema.views WHERE table_schema IN ({names})) + (SELECT COUNT(*) FROM information_schema.triggers WHERE trigger_schema IN ({names})) + (SELECT COUNT(*) FROM information_schema.routines WHERE routine_schema IN ({names})) + (SELECT COUNT(*) FROM information_schema.events WHERE event_schema IN ({names}))"
    );
    Ok(ask_in(Engine::Mariadb, None, &count)?.first().is_some_and(|it| it != "0"))
}

/// Dumps what failed, as far as that can be: it is only to be looked at.
fn keep_by_dump(database: &Database, last: &Path) -> Result<(), Diagnostic> {
    let into: PathBuf = last.join("failed");
    gone(&into)?;
    fs::create_dir(&into).map_err(cannot("make", &into))?;
    if let Err(error) = super::dumped(database, &into) {
        note(&into.join("why-not"), &format!("{error}\n"))?;
    }
    Ok(())
}

/// Drops databases that were set aside long ago; what cannot be dropped stays.
pub(super) fn forget(database: &Database, now: SystemTime) {
    let (engine, name) = (database.engine, database.name.as_str());
    let all = match engine {
        Engine::Mariadb => format!("SHOW DATABASES LIKE '\\_{}\\_failed\\_%'", name.replace('_', "\\_")),
        Engine::Postgres => format!(
            "SELECT datname FROM pg_catalog.pg_database WHERE datname LIKE '\\_{}\\_failed\\_%'",
            name.replace('_', "\\_")
        ),
    };
    for old in ask(engine, &all).unwrap_or_default() {
        let age = set_aside(&old).and_then(|then| now.duration_since(then).ok());
        if age.is_some_and(|age| age > KEPT) {
            let _ = drop_database(engine, &old);
        }
    }
}

/// Nobody is told how far it is.
struct Silent;

impl Teller for Silent {
    fn progress(&mut self, _: &str, _: f64) {}

    fn event(&mut self, _: Event) {}

    fn note(&mut self, _: &str) {}

    fn wrong(&mut self, _: &Diagnostic) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_killed_between_an_exchange_and_setting_aside_loses_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let [saved, path, aside] = ["saved", "kept", "failed-0"].map(|name| dir.path().join(name));
        for (at, text) in [(&saved, "old"), (&path, "failed")] {
            fs::create_dir(at).unwrap();
            fs::write(at.join("page"), text).unwrap();
        }
        let page = |at: &Path| fs::read_to_string(at.join("page")).unwrap();
        files(&saved, &path, &aside).unwrap();
        assert_eq!((page(&path), page(&aside)), ("old".to_owned(), "failed".to_owned()));
        fs::rename(&aside, dir.path().join(".kept.pq-back")).unwrap();
        for _ in 0..2 {
            files(&saved, &path, &aside).unwrap();
            assert_eq!((page(&path), page(&aside)), ("old".to_owned(), "failed".to_owned()));
        }
    }

    #[test]
    fn what_was_set_aside_is_known_by_its_name() {
        let name = failing("wiki", SystemTime::UNIX_EPOCH);
        assert!(is_aside(&name) && is_aside("_pq_back_wiki"), "{name}");
        assert!(!is_aside("wiki") && !is_aside("_own") && !is_aside("wiki_failed_20261129t070000"));
    }
}
