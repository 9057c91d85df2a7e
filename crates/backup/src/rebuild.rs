//! What `pq-backup rebuild` brings back on a machine that was made anew: certificates before its sites, what its instances had, and what its
//! people had.
//!
//! Always true here: nothing of a person that is there is overwritten, and what an instance had that was here before is backed up and stays
//! beside. What is done is noted, item by item: the same command goes on.

mod plans;

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::SystemTime;

use pq_stream::{Diagnostic, system_cause, utc};

use crate::in_place::{Placed, in_place, put_back};
use crate::renamed::Renamed;
use crate::restore::{Chosen, Restored, What, choose};
use crate::session::{Session, Teller};
use crate::set::Set;
use crate::state::{Known, State};

pub use plans::Plans;

/// What of a machine's own files comes back before its sites are there: certificates, which nobody would issue again at once.
const BEFORE: [&str; 2] = ["/etc/letsencrypt", "/etc/paquerette/ca"];

/// What comes back of its people's, wherever nothing is there yet.
const OWN: [&str; 4] = ["/home", "/root", "/usr/local", "/var/spool/cron/crontabs"];

/// The item of the machine itself.
const SERVER: &str = "server";

/// What is noted of the items that were here when it was begun.
const HERE: &str = "here before";

/// Begins, unless it was begun before: notes which items are on this machine already.
///
/// # Errors
/// Where that cannot be read, or noted.
pub fn begin(etc: &Path, dir: &Path) -> Result<(), Diagnostic> {
    let cannot = |error: io::Error| {
        Diagnostic::new("cannot note what is on this machine already").cause(system_cause(&error))
    };
    let (mut state, _) = State::load(dir).map_err(cannot)?;
    if state.rebuilt.contains_key(HERE) {
        return Ok(());
    }
    let names = fs::read_dir(etc.join("backup.d")).into_iter().flatten().flatten().map(|it| it.path());
    let names = names.filter(|path| path.extension().is_some_and(|end| end == "yml"));
    let names: Vec<String> =
        names.filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned())).collect();
    state.rebuilt.insert(HERE.to_owned(), names.join(" "));
    state.save(dir).map_err(cannot)
}

/// Which set of an item comes back: the newest in any target that can be read.
///
/// # Errors
/// Where no target can be read, or none has one.
pub fn newest(session: &Session, item: &str) -> Result<Chosen, Diagnostic> {
    let mut best: Option<Chosen> = None;
    let mut failed = None;
    for target in &session.setup.strategy.targets {
        let what = What { item: item.to_owned(), target: Some(target.name.to_string()), ..What::default() };
        match choose(session, &what) {
            Ok(chosen) if best.as_ref().is_none_or(|it| it.set.time < chosen.set.time) => best = Some(chosen),
            Ok(_) => {}
            Err(error) => failed = Some(error),
        }
    }
    match (best, failed) {
        (Some(chosen), _) => Ok(chosen),
        (None, Some(error)) => Err(error),
        (None, None) => Err(Diagnostic::new("there is no target to restore from")
            .hint("set `backup_targets`, or name a kit with `--kit`")),
    }
}

/// Brings back what must be there before sites are: certificates. Where the machine itself was never backed up, nothing.
///
/// # Errors
/// Where they cannot be had.
pub fn certificates(session: &mut Session, told: &mut dyn Teller) -> Result<(), Diagnostic> {
    own(session, "certificates", &BEFORE, told)
}

/// Brings back what the machine's people had, and where nothing is there yet.
///
/// # Errors
/// Where it cannot be had.
pub fn people(session: &mut Session, told: &mut dyn Teller) -> Result<(), Diagnostic> {
    own(session, "people", &OWN, told)
}

/// The repositories that it came back from are this machine's own from now on, whatever the machine was called that made them.
///
/// # Errors
/// Where that cannot be noted.
pub fn adopt(session: &mut Session) -> Result<(), Diagnostic> {
    for target in session.setup.strategy.targets.clone() {
        let name = target.name.to_string();
        if session.state.targets.contains_key(&name) {
            continue;
        }
        let restic = session.setup.restic(&target)?;
        if let Ok(id) = restic.id() {
            let known =
                Known { id, url: restic.url.clone(), since: utc(SystemTime::now()), ..Known::default() };
            session.state.targets.insert(name, known);
        }
    }
    session.save()
}

fn own(session: &mut Session, step: &str, wanted: &[&str], told: &mut dyn Teller) -> Result<(), Diagnostic> {
    if session.state.rebuilt.contains_key(step) {
        return Ok(());
    }
    let chosen = newest(session, SERVER)?;
    let manifest = &chosen.manifest;
    let extra = manifest.paths.iter().map(String::as_str).filter(|path| {
        step == "people"
            && !path.starts_with("/etc")
            && !path.starts_with("/var/lib/paquerette")
            && !OWN.contains(path)
    });
    let wanted: Vec<String> = wanted.iter().copied().chain(extra).map(str::to_owned).collect();
    let scratch = tempfile::Builder::new()
        .prefix(".rebuild-")
        .tempdir_in("/var/tmp")
        .map_err(|error| Diagnostic::new("cannot use `/var/tmp`").cause(system_cause(&error)))?;
    let mut restored = Restored::default();
    told.progress(&format!("restore {step}"), 0.0);
    // What is not in the set is told as missing: not every machine has all of this.
    chosen.files(&wanted, scratch.path(), &mut restored, told)?;
    crate::accounts::give(scratch.path(), &manifest.accounts)
        .map_err(|error| Diagnostic::new("cannot give files to their owners").cause(system_cause(&error)))?;
    for path in &wanted {
        let from = scratch.path().join(path.trim_start_matches('/'));
        if fs::symlink_metadata(&from).is_err() {
            continue;
        }
        copy_where_nothing_is(&from, Path::new(path)).map_err(|error| {
            Diagnostic::new(format!("cannot bring back `{path}`")).cause(system_cause(&error))
        })?;
    }
    done(session, step, &chosen.set)?;
    told.note(&format!(
        "{step}: as of {}; what was there stayed",
        chosen.set.time.get(..16).unwrap_or_default()
    ));
    Ok(())
}

/// Copies what is in a directory to where nothing is yet, with all that a file has.
fn copy_where_nothing_is(from: &Path, to: &Path) -> io::Result<()> {
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent)?;
    }
    let target = to.parent().unwrap_or(Path::new("/"));
    let ran = Command::new("cp")
        .args(["-a", "-n", "--"])
        .arg(from)
        .arg(target)
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output()?;
    let said = String::from_utf8_lossy(&ran.stderr).trim().to_owned();
    // Some versions end badly, and say nothing, where something was there already.
    match ran.status.success() || said.is_empty() {
        true => Ok(()),
        false => Err(io::Error::other(said)),
    }
}

/// Puts what an item had into the place that was made for it anew, unless that was done before. What was made there goes: nobody used it. What was
/// here before that is backed up first, and stays beside.
///
/// # Errors
/// Where it cannot be had, or not be put there.
pub fn item(session: &mut Session, name: &str, told: &mut dyn Teller) -> Result<Option<Placed>, Diagnostic> {
    if session.state.rebuilt.contains_key(name) {
        told.note(&format!("`{name}` came back before"));
        return Ok(None);
    }
    let item = session.item(name)?.clone();
    let chosen = newest(session, name)?;
    if session.state.rebuilt.get(HERE).is_some_and(|names| names.split(' ').any(|it| it == name)) {
        let targets = &session.setup.strategy.targets;
        let target = targets.iter().find(|it| it.url.as_str() == chosen.restic.url);
        let what = What {
            item: name.to_owned(),
            target: target.map(|it| it.name.to_string()),
            at: Some(chosen.set.id.clone()),
            ..What::default()
        };
        let placed = in_place(session, &what, None, told)?;
        if placed.failed.is_empty() {
            done(session, name, &chosen.set)?;
        }
        return Ok(Some(placed));
    }
    let what = What { item: name.to_owned(), ..What::default() };
    let placed = put_back(session, &item, &chosen, &what, &Renamed::not(), "rebuild", told)?;
    for made in &placed.kept {
        let removed = if made.is_dir() { fs::remove_dir_all(made) } else { fs::remove_file(made) };
        removed.map_err(|error| {
            Diagnostic::new(format!("cannot remove `{}`", made.display())).cause(system_cause(&error))
        })?;
    }
    if placed.failed.is_empty() {
        done(session, name, &chosen.set)?;
    }
    Ok(Some(placed))
}

fn done(session: &mut Session, name: &str, set: &Set) -> Result<(), Diagnostic> {
    session.state.rebuilt.insert(name.to_owned(), format!("{} at {}", set.id, utc(SystemTime::now())));
    session.save()
}
