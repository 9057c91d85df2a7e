//! `pq-backup restore --in-place`: an item becomes again what it was.
//!
//! Always true here: what is there is backed up first. All that comes back is there, beside, before anything is exchanged, and a database
//! was loaded elsewhere first. PostgreSQL's is exchanged in one transaction; MariaDB has none for that, so who is killed there runs
//! the same command again. Files that were there stay, under another name.

mod settings;

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use pq_items::{BackupItem, Database, Engine};
use pq_stream::{Diagnostic, Status, system_cause};
use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::accounts;
use crate::databases::{ask_in, tell};
use crate::dump::load;
use crate::item::SCRATCH;
use crate::manifest::{Dumped, Source};
use crate::quiet::{self, quiet, wake};
use crate::rehearse::{compare, drop_database, load_into};
use crate::renamed::Renamed;
use crate::restore::{Chosen, Restored, What, choose};
use crate::run::{RunOptions, run};
use crate::session::{Session, Teller};
use crate::state;

/// What was exchanged.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Placed {
    /// The set that is there now.
    pub set: String,
    /// When that was made.
    pub time: String,
    /// The set that was made of what was there before.
    pub before: String,
    /// Where files are that were there.
    pub kept: Vec<PathBuf>,
    /// Databases that are as they were.
    pub databases: Vec<String>,
    /// What could not be had.
    pub failed: Vec<Diagnostic>,
}

/// Where certificates and their keys are.
const TLS: &str = "/etc/paquerette/tls";

/// A database that nobody uses, in which a dump is tried.
const TRIED: &str = "pq_restore_try";

/// Restores in place: its own, or that of another instance of the same application.
///
/// # Errors
/// Where what is there cannot be backed up, nothing can be had, or something cannot be exchanged: it says what is as it was.
pub fn in_place(
    session: &mut Session,
    what: &What,
    other: Option<&str>,
    told: &mut dyn Teller,
) -> Result<Placed, Diagnostic> {
    let item = session.item(other.unwrap_or(&what.item))?.clone();
    let chosen = choose(session, what)?;
    let renamed = match other {
        Some(_) => Renamed::to(&item, &chosen.manifest)?,
        None => Renamed::not(),
    };
    told.note(&format!("what `{}` is now is backed up first", item.owner));
    let options = RunOptions { items: vec![item.owner.to_string()] };
    if run(session, &options, told)? != Status::Done {
        return Err(Diagnostic::new(format!(
            "`{}` stays as it is: what is there could not be backed up whole",
            item.owner
        ))
        .hint("without `--in-place`, a restore goes into a directory of its own and needs no such backup"));
    }
    let before = session
        .state
        .items
        .get(item.owner.as_str())
        .and_then(|it| it.newest.as_ref())
        .map(|it| it.set.clone());
    let before = before.unwrap_or_default();
    put_back(session, &item, &chosen, what, &renamed, &before, told).map_err(|error| {
        error.hint(format!(
            "`pq-backup restore {} --at {}{} --in-place` goes on; `pq-backup restore {} --at {before} --in-place` brings back what was there",
            what.item,
            chosen.set.id,
            other.map(|it| format!(" --as {it}")).unwrap_or_default(),
            item.owner
        ))
    })
}

/// Puts what a set has into its place; files that are there stay beside, by the name of `before`.
///
/// # Errors
/// Where nothing can be had, or something cannot be exchanged.
pub(crate) fn put_back(
    session: &mut Session,
    item: &BackupItem,
    chosen: &Chosen,
    what: &What,
    renamed: &Renamed,
    before: &str,
    told: &mut dyn Teller,
) -> Result<Placed, Diagnostic> {
    let mut placed = Placed {
        set: chosen.set.id.clone(),
        time: chosen.set.time.clone(),
        before: before.to_owned(),
        ..Placed::default()
    };
    let staged = match what.database_only {
        true => Vec::new(),
        false => stage(chosen, item, renamed, &what.paths, &mut placed, told)?,
    };
    let dumps = match what.files_only || !what.paths.is_empty() {
        true => Vec::new(),
        false => tried(chosen, item, renamed, told)?,
    };
    if what.paths.is_empty() {
        settings::stay(item.owner.as_str(), &staged)?;
    }
    let dir = Path::new(state::DIR);
    quiet::open(item, "it is being restored", dir);
    let exchanged = quiet(item, &mut session.state, dir).and_then(|()| {
        for (dump, file) in &dumps {
            exchange_database(dump, file, told)?;
            placed.databases.push(dump.of.words());
        }
        for (from, to) in &staged {
            let Some(kept) = exchange(from, to, before)? else { continue };
            // A key lies nowhere twice: the backup of before has it.
            match to.starts_with(TLS) {
                true => drop(fs::remove_dir_all(&kept)),
                false => placed.kept.push(kept),
            }
        }
        Ok(())
    });
    let woken = wake(item, &mut session.state, dir);
    quiet::close(item, dir);
    for (from, _) in &staged {
        let stage = |it: &&Path| it.file_name().is_some_and(|name| name.to_string_lossy().starts_with(STAGE));
        let _ = from.ancestors().find(stage).map(fs::remove_dir_all);
    }
    for (_, file) in &dumps {
        let _ = fs::remove_file(file);
    }
    exchanged?;
    placed.failed.extend(woken.err());
    for command in &item.restored {
        placed.failed.extend(quiet::run(command, "tell of the restore", item).err());
    }
    Ok(placed)
}

/// How directories begin in which files wait for their place.
const STAGE: &str = ".pq-restore-";

/// Restores files beside their places: where they are now, and where they belong.
fn stage(
    chosen: &Chosen,
    item: &BackupItem,
    renamed: &Renamed,
    paths: &[String],
    placed: &mut Placed,
    told: &mut dyn Teller,
) -> Result<Vec<(PathBuf, PathBuf)>, Diagnostic> {
    let known = |path: &&String| {
        paths.is_empty() || chosen.manifest.paths.iter().any(|it| path.starts_with(it.as_str()))
    };
    let wanted: Vec<String> = if paths.is_empty() { chosen.manifest.paths.clone() } else { paths.to_vec() };
    if let Some(other) = wanted.iter().find(|path| !known(path)) {
        return Err(Diagnostic::new(format!("`{other}` does not belong to `{}`", item.owner))
            .hint(format!("what does is below {}", chosen.manifest.paths.join(", "))));
    }
    let mut staged = Vec::new();
    for path in &wanted {
        let to = PathBuf::from(renamed.path(path.trim_end_matches('/')));
        let Some(parent) = to.parent().filter(|it| it.is_dir()) else {
            return Err(Diagnostic::new(format!("`{path}` has no directory to be in"))
                .hint("`pq-instance` makes the instance anew; then run this again"));
        };
        let stage = parent.join(format!("{STAGE}{}", chosen.set.item));
        let cannot = |error: &std::io::Error| {
            Diagnostic::new(format!("cannot restore beside `{path}`")).cause(system_cause(error))
        };
        match staged.iter().any(|(from, _): &(PathBuf, PathBuf)| from.starts_with(&stage)) {
            true => {}
            false => {
                match fs::remove_dir_all(&stage) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(cannot(&error)),
                    _ => {}
                }
                fs::DirBuilder::new().mode(0o700).create(&stage).map_err(|error| cannot(&error))?;
            }
        }
        let mut restored = Restored::default();
        chosen.files(std::slice::from_ref(path), &stage, &mut restored, told)?;
        placed.failed.extend(restored.failed);
        let from = stage.join(path.trim_matches('/'));
        if fs::symlink_metadata(&from).is_ok() {
            accounts::give(&from, &renamed.accounts(&chosen.manifest.accounts))
                .map_err(|error| cannot(&error))?;
            staged.push((from, to));
        }
    }
    Ok(staged)
}

/// Puts one thing in the place of another, which stays beside under the name that is answered.
fn exchange(from: &Path, to: &Path, before: &str) -> Result<Option<PathBuf>, Diagnostic> {
    let cannot = |errno: rustix::io::Errno| {
        Diagnostic::new(format!("cannot put `{}` in its place", to.display()))
            .cause(system_cause(&errno.into()))
    };
    if fs::symlink_metadata(to).is_err() {
        renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE).map_err(cannot)?;
        return Ok(None);
    }
    let name = to.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let kept = to.with_file_name(format!("{name}.before-{before}"));
    renameat_with(CWD, from, CWD, to, RenameFlags::EXCHANGE).map_err(cannot)?;
    renameat_with(CWD, from, CWD, &kept, RenameFlags::NOREPLACE).map_err(cannot)?;
    Ok(Some(kept))
}

/// The dumps, each of which was loaded where nobody uses it and is whole.
fn tried(
    chosen: &Chosen,
    item: &BackupItem,
    renamed: &Renamed,
    told: &mut dyn Teller,
) -> Result<Vec<(Dumped, PathBuf)>, Diagnostic> {
    let mut dumps = Vec::new();
    for was in &chosen.manifest.dumps {
        let dump = &renamed.dump(was, item)?;
        let file = Path::new(SCRATCH).join(format!("{}.restore", dump.part));
        let _ = fs::remove_file(&file);
        chosen.dump(was, &file)?;
        renamed.owners(dump, &file).map_err(|error| {
            Diagnostic::new(format!("cannot write `{}`", file.display())).cause(system_cause(&error))
        })?;
        if let Source::Database(Database { engine, .. }) = &dump.of {
            told.progress(&format!("try {}", dump.of.words()), 0.0);
            drop_database(*engine, TRIED)?;
            let loaded = load_into(*engine, TRIED, &file, &dump.of.words())
                .and_then(|()| compare(*engine, TRIED, dump));
            drop_database(*engine, TRIED)?;
            loaded?;
        }
        dumps.push((dump.clone(), file));
    }
    Ok(dumps)
}

/// A database becomes what its dump says.
pub(crate) fn exchange_database(dump: &Dumped, file: &Path, told: &mut dyn Teller) -> Result<(), Diagnostic> {
    told.progress(&format!("exchange {}", dump.of.words()), 0.0);
    match &dump.of {
        Source::Accounts { .. } => Ok(()),
        Source::Sqlite { path } => sqlite(file, Path::new(path)),
        Source::Database(Database { engine: Engine::Mariadb, name }) => {
            let name = name.as_str();
            let forms = "SELECT CONCAT('CHARACTER SET ', default_character_set_name, ' COLLATE ', default_collation_name) FROM information_schema.schemata WHERE schema_name = ";
            let form = ask_in(Engine::Mariadb, None, &format!("{forms}'{name}'"))?.into_iter().next();
            tell(Engine::Mariadb, &format!("DROP DATABASE IF EXISTS `{name}`"))?;
            tell(
                Engine::Mariadb,
                &format!(
                    "CREATE DATABASE `{name}` {}",
                    form.unwrap_or_else(|| "CHARACTER SET utf8mb4".to_owned())
                ),
            )?;
            let argv = ["mariadb", "--batch", "--", name].map(str::to_owned);
            pour(Engine::Mariadb, &argv, file, dump)
        }
        Source::Database(Database { engine: Engine::Postgres, name }) => {
            let own = "SELECT 'DROP SCHEMA ' || quote_ident(nspname) || ' CASCADE;' FROM pg_catalog.pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'";
            let mut clear = ask_in(Engine::Postgres, Some(name.as_str()), own)?;
            clear.insert(0, "SET lock_timeout = '60s';".to_owned());
            // As a new database has it; before PostgreSQL 14 the schema was the administrator's.
            clear.push("CREATE SCHEMA public; GRANT USAGE ON SCHEMA public TO PUBLIC;".to_owned());
            let owner = "SELECT 'ALTER SCHEMA public OWNER TO pg_database_owner;' FROM pg_catalog.pg_roles WHERE rolname = 'pg_database_owner'";
            clear.extend(ask_in(Engine::Postgres, Some(name.as_str()), owner)?);
            let clear = clear.join(" ");
            let words = [
                "psql",
                "-X",
                "-q",
                "-1",
                "-v",
                "ON_ERROR_STOP=1",
                "-d",
                name.as_str(),
                "-c",
                clear.as_str(),
                "-f",
                "-",
            ];
            pour(Engine::Postgres, &words.map(str::to_owned), file, dump)
        }
    }
}

/// Has a client read a dump.
fn pour(engine: Engine, argv: &[String], file: &Path, dump: &Dumped) -> Result<(), Diagnostic> {
    let cannot =
        |cause: String| Diagnostic::new(format!("cannot bring back {}", dump.of.words())).cause(cause);
    load(engine, argv, file).map_err(cannot)
}

/// A file of SQLite gets its place, with the owner and mode that the one before has.
fn sqlite(from: &Path, to: &Path) -> Result<(), Diagnostic> {
    let cannot = |error: std::io::Error| {
        Diagnostic::new(format!("cannot bring back `{}`", to.display())).cause(system_cause(&error))
    };
    let beside = to.with_extension("pq-restore");
    fs::copy(from, &beside).map_err(cannot)?;
    if let Ok(is) = fs::metadata(to) {
        use std::os::unix::fs::MetadataExt as _;
        std::os::unix::fs::chown(&beside, Some(is.uid()), Some(is.gid())).map_err(cannot)?;
        fs::set_permissions(&beside, is.permissions()).map_err(cannot)?;
    }
    for end in ["-wal", "-shm", "-journal"] {
        let _ = fs::remove_file(format!("{}{end}", to.display()));
    }
    fs::rename(&beside, to).map_err(cannot)
}
