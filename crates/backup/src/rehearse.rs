//! `pq-backup rehearse`: an item is restored where nobody uses it, and held against what its manifest says; then all of that goes.
//!
//! Always true here: a database is loaded under a name of its own, which is dropped afterwards, also by the next rehearsal where this
//! one was killed. What is proven is noted with the time that it took.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use pq_items::{BackupItem, Database, Engine};
use pq_stream::{Diagnostic, system_cause, utc};

use crate::databases::{ask, ask_in, tell};
use crate::dump::load;
use crate::manifest::{Dumped, Source};
use crate::quiet::run_in;
use crate::restore::{Chosen, Restored, What, choose};
use crate::session::{Session, Teller};
use crate::state::Proven;

/// How databases of rehearsals are named.
const SCRATCH: &str = "pq_rehearse_";

/// What was proven.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rehearsed {
    /// The item.
    pub item: String,
    /// When the set was made.
    pub time: String,
    /// What was noted.
    pub proven: Proven,
    /// What is not as it was; nothing was noted then.
    pub wrong: Vec<Diagnostic>,
}

/// Rehearses the restore of an item: of a named one, or of that whose last proof is the oldest.
///
/// # Errors
/// Where there is nothing to rehearse, or no room.
pub fn rehearse(
    session: &mut Session,
    item: Option<&str>,
    target: Option<&str>,
    told: &mut dyn Teller,
) -> Result<Rehearsed, Diagnostic> {
    let item = match item {
        Some(item) => session.item(item)?.owner.as_str().to_owned(),
        None => next(session)?,
    };
    let asked = session.item(&item)?.clone();
    let what = What { item: item.clone(), target: target.map(str::to_owned), ..What::default() };
    let began = Instant::now();
    let chosen = choose(session, &what)?;
    let into = scratch(session, &item)?;
    let mut restored = Restored { into: into.clone(), ..Restored::default() };
    let ran = one(&asked, &chosen, &into, &mut restored, told);
    let removed = fs::remove_dir_all(&into);
    let (rows, mut wrong) = ran?;
    if let Err(error) = removed {
        wrong
            .push(Diagnostic::new(format!("cannot remove `{}`", into.display())).cause(system_cause(&error)));
    }
    let proven = Proven {
        when: utc(SystemTime::now()),
        set: chosen.set.id.clone(),
        seconds: began.elapsed().as_secs(),
        files: restored.files,
        bytes: restored.bytes,
        rows,
    };
    if wrong.is_empty() {
        session.state.items.entry(item.clone()).or_default().proven = Some(proven.clone());
        session.save()?;
    }
    Ok(Rehearsed { item, time: chosen.set.time, proven, wrong })
}

/// The item whose last proof is the oldest, of those that have a backup.
fn next(session: &Session) -> Result<String, Diagnostic> {
    let of = |owner: &str| session.state.items.get(owner).cloned().unwrap_or_default();
    let mut there: Vec<(Option<String>, &str)> = session
        .setup
        .items
        .iter()
        .map(|item| item.owner.as_str())
        .filter(|owner| of(owner).newest.is_some())
        .map(|owner| (of(owner).proven.map(|it| it.when), owner))
        .collect();
    there.sort();
    there.first().map(|(_, owner)| (*owner).to_owned()).ok_or_else(|| {
        Diagnostic::new("there is nothing to rehearse: nothing was backed up yet")
            .hint("`pq-backup run` makes the first backup")
    })
}

/// A directory for it, where there is room; what a rehearsal that was killed left there goes.
fn scratch(session: &Session, item: &str) -> Result<PathBuf, Diagnostic> {
    let local =
        session.setup.strategy.targets.iter().find_map(|target| Path::new(target.directory()?).parent());
    let base = local.filter(|it| it.is_dir()).unwrap_or(Path::new("/var/tmp"));
    let path = base.join(format!(".rehearsal-{item}"));
    let cannot = |error: std::io::Error| {
        Diagnostic::new(format!("cannot use `{}`", path.display())).cause(system_cause(&error))
    };
    match fs::remove_dir_all(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(cannot(error)),
        _ => {}
    }
    let needed = session.state.items.get(item).and_then(|it| it.newest.as_ref()).map_or(0, |made| made.size);
    let room = rustix::fs::statvfs(base).map(|it| it.f_bavail * it.f_frsize).unwrap_or(u64::MAX);
    if needed + needed / 10 > room {
        return Err(Diagnostic::new(format!(
            "there is no room to rehearse `{item}` in `{}`",
            base.display()
        ))
        .cause(format!("it needs {}, {} are free", pq_stream::size(needed), pq_stream::size(room)))
        .hint("rehearse a smaller one by its name, or make room"));
    }
    // Who asks whether a copy is well goes through it, and lists nothing.
    std::os::unix::fs::DirBuilderExt::mode(&mut fs::DirBuilder::new(), 0o711)
        .create(&path)
        .map_err(cannot)?;
    Ok(path)
}

/// Restores all of it, loads its databases, and says how many rows were counted and what is not as it was.
fn one(
    item: &BackupItem,
    chosen: &Chosen,
    into: &Path,
    restored: &mut Restored,
    told: &mut dyn Teller,
) -> Result<(u64, Vec<Diagnostic>), Diagnostic> {
    chosen.files(&[], into, restored, told)?;
    chosen.dumps(into, restored, told)?;
    let mut wrong = std::mem::take(&mut restored.failed);
    for path in &chosen.manifest.paths {
        if fs::symlink_metadata(into.join(path.trim_start_matches('/'))).is_err() {
            wrong.push(Diagnostic::new(format!("`{path}` did not come back")));
        }
    }
    let mut rows = 0;
    for dump in &chosen.manifest.dumps {
        let file = into.join("databases").join(format!("{}.sql", dump.part));
        if !file.is_file() {
            continue;
        }
        match loaded(dump, &file, told) {
            Ok(counted) => rows += counted,
            Err(error) => wrong.push(error),
        }
    }
    for command in &item.rehearsed {
        told.progress(&format!("ask whether `{}` is well", item.owner), 0.0);
        wrong.extend(run_in(command, "find well what came back of", item, into).err());
    }
    Ok((rows, wrong))
}

/// Loads a dump where nobody uses it, and counts its rows.
fn loaded(dump: &Dumped, file: &Path, told: &mut dyn Teller) -> Result<u64, Diagnostic> {
    let words = dump.of.words();
    told.progress(&format!("load {words}"), 0.0);
    match &dump.of {
        // Accounts cannot be made anew where they are in use; that they came back whole was seen.
        Source::Accounts { .. } => Ok(0),
        Source::Sqlite { .. } => sqlite(dump, file),
        Source::Database(Database { engine, .. }) => {
            let name = format!("{SCRATCH}{}", std::process::id());
            drop_left(*engine)?;
            let counted =
                load_into(*engine, &name, file, &words).and_then(|()| compare(*engine, &name, dump));
            let dropped = drop_database(*engine, &name);
            let counted = counted?;
            dropped?;
            Ok(counted)
        }
    }
}

/// Makes a database and loads a dump into it.
///
/// # Errors
/// Where the server refuses a statement of it.
pub(crate) fn load_into(engine: Engine, name: &str, file: &Path, words: &str) -> Result<(), Diagnostic> {
    let cannot =
        |cause: String| Diagnostic::new(format!("the dump of {words} cannot be loaded")).cause(cause);
    match engine {
        Engine::Mariadb => tell(engine, &format!("CREATE DATABASE `{name}` CHARACTER SET utf8mb4"))?,
        Engine::Postgres => tell(engine, &format!("CREATE DATABASE \"{name}\" TEMPLATE template0"))?,
    };
    let argv: Vec<&str> = match engine {
        Engine::Mariadb => vec!["mariadb", "--batch", "--", name],
        Engine::Postgres => vec!["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", name],
    };
    let argv: Vec<String> = argv.into_iter().map(str::to_owned).collect();
    load(engine, &argv, file).map_err(cannot)
}

/// Counts the rows of each table, and holds them against the manifest.
pub(crate) fn compare(engine: Engine, name: &str, dump: &Dumped) -> Result<u64, Diagnostic> {
    let mut sum = 0;
    for (table, want) in &dump.report.rows {
        let quoted = match engine {
            Engine::Mariadb => format!("`{}`", table.replace('`', "``")),
            // as the dump itself has it: with its schema, and with quotes where it needs them
            Engine::Postgres => table.clone(),
        };
        let counted = ask_in(engine, Some(name), &format!("SELECT count(*) FROM {quoted}"))?;
        let is: u64 = counted.first().and_then(|it| it.parse().ok()).unwrap_or(0);
        if is != *want {
            return Err(Diagnostic::new(format!(
                "table `{table}` of {} came back with {is} rows",
                dump.of.words()
            ))
            .cause(format!("the manifest says {want}")));
        }
        sum += is;
    }
    Ok(sum)
}

/// Drops what rehearsals that were killed left.
fn drop_left(engine: Engine) -> Result<(), Diagnostic> {
    let list = match engine {
        Engine::Mariadb => format!("SHOW DATABASES LIKE '{}%'", SCRATCH.replace('_', "\\_")),
        Engine::Postgres => format!(
            "SELECT datname FROM pg_catalog.pg_database WHERE datname LIKE '{}%'",
            SCRATCH.replace('_', "\\_")
        ),
    };
    ask(engine, &list)?.iter().try_for_each(|name| drop_database(engine, name))
}

/// Drops a database, where there is one.
///
/// # Errors
/// Where the server refuses.
pub(crate) fn drop_database(engine: Engine, name: &str) -> Result<(), Diagnostic> {
    match engine {
        Engine::Mariadb => tell(engine, &format!("DROP DATABASE IF EXISTS `{name}`")),
        Engine::Postgres => tell(engine, &format!("DROP DATABASE IF EXISTS \"{name}\"")),
    }
}

/// A file of SQLite that came back is whole, and has its rows.
fn sqlite(dump: &Dumped, file: &Path) -> Result<u64, Diagnostic> {
    let wrong = |cause: String| {
        Diagnostic::new(format!("{} did not come back as it was", dump.of.words())).cause(cause)
    };
    let ask = |question: &str| -> Result<String, Diagnostic> {
        let output = std::process::Command::new("/usr/bin/sqlite3")
            .args(["-batch", "-readonly"])
            .arg(file)
            .arg(question)
            .stdin(std::process::Stdio::null())
            .output()
            .map_err(|error| wrong(system_cause(&error)))?;
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
            false => Err(wrong(String::from_utf8_lossy(&output.stderr).trim().to_owned())),
        }
    };
    let well = ask("PRAGMA integrity_check")?;
    if well != "ok" {
        return Err(wrong(well));
    }
    let mut sum = 0;
    for (table, want) in &dump.report.rows {
        let is: u64 =
            ask(&format!("SELECT count(*) FROM \"{}\"", table.replace('"', "\"\"")))?.parse().unwrap_or(0);
        if is != *want {
            return Err(wrong(format!("table `{table}` has {is} rows, the manifest says {want}")));
        }
        sum += is;
    }
    Ok(sum)
}
