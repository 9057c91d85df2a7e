//! `pq-backup restore`: a set, or some paths of it, comes back into a directory of its own.
//!
//! Always true here: nothing that is there is touched. A file that cannot be had is named, and the rest comes back nevertheless. A
//! dump is what the manifest says, to the byte, or it is told.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use pq_stream::{Diagnostic, system_cause};
use sha2::{Digest, Sha256};

use crate::manifest::{self, Dumped, Manifest};
use crate::restic::{Kind, Restic};
use crate::session::{Session, Teller};
use crate::set::{Set, sets};

/// What comes back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct What {
    /// The item.
    pub item: String,
    /// The newest set that is not later: a time, its beginning, or a set's name; the newest of all where nothing is said.
    pub at: Option<String>,
    /// These paths alone; all where none is named.
    pub paths: Vec<String>,
    /// Databases alone.
    pub database_only: bool,
    /// Files alone.
    pub files_only: bool,
    /// From this target; the first one where none is named.
    pub target: Option<String>,
    /// Into this directory, which must not be there or be empty; a new one where none is named.
    pub into: Option<PathBuf>,
}

/// What came back.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Restored {
    /// Into which directory.
    pub into: PathBuf,
    /// The set.
    pub set: String,
    /// When that was made.
    pub time: String,
    /// Files.
    pub files: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Dumps.
    pub dumps: Vec<PathBuf>,
    /// What could not be had.
    pub failed: Vec<Diagnostic>,
    /// What was missing already when the set was made.
    pub missing: Vec<String>,
}

/// A set that was chosen, and what it says is in it.
pub struct Chosen {
    /// Where it is.
    pub restic: Restic,
    /// The set.
    pub set: Set,
    /// Its manifest.
    pub manifest: Manifest,
}

/// Restores into a directory of its own.
///
/// # Errors
/// Where there is no such set, or nothing of it can be had.
pub fn restore(session: &Session, what: &What, told: &mut dyn Teller) -> Result<Restored, Diagnostic> {
    let (restic, set) = pick(session, what)?;
    let into = match &what.into {
        Some(into) => into.clone(),
        None => place(session, &set),
    };
    empty(&into)?;
    let mut restored =
        Restored { into: into.clone(), set: set.id.clone(), time: set.time.clone(), ..Restored::default() };
    // Where all files come back, the manifest comes with them: no call for it alone.
    let with = !what.database_only && what.paths.is_empty();
    if with {
        files(&restic, &set, &[], true, &into, &mut restored, told)?;
    }
    let manifest = match with.then(|| taken(&set, &into)).flatten() {
        Some(manifest) => {
            restored.files = restored.files.saturating_sub(1);
            manifest
        }
        None => manifest(&restic, &set)?,
    };
    let chosen = Chosen { restic, set, manifest };
    restored.missing.clone_from(&chosen.manifest.missing);
    if !what.database_only && !with {
        chosen.files(&what.paths, &into, &mut restored, told)?;
    }
    if !what.files_only && what.paths.is_empty() {
        chosen.dumps(&into, &mut restored, told)?;
    }
    Ok(restored)
}

/// The manifest that came back with the files of a set, taken away from among them.
fn taken(set: &Set, into: &Path) -> Option<Manifest> {
    let dir = into.join(manifest::DIR.trim_start_matches('/'));
    let file = into.join(manifest::path(&set.item).trim_start_matches('/'));
    let read = fs::read(&file).ok().and_then(|text| understood(set, &text).ok());
    let _ = fs::remove_dir_all(&dir);
    // Directories that are there for it alone go too.
    for dir in dir.ancestors().skip(1).take_while(|dir| *dir != into) {
        if fs::remove_dir(dir).is_err() {
            break;
        }
    }
    read
}

/// Chooses a set, and reads its manifest.
///
/// # Errors
/// Where there is none.
pub fn choose(session: &Session, what: &What) -> Result<Chosen, Diagnostic> {
    let (restic, set) = pick(session, what)?;
    let manifest = manifest(&restic, &set)?;
    Ok(Chosen { restic, set, manifest })
}

/// Chooses a set.
fn pick(session: &Session, what: &What) -> Result<(Restic, Set), Diagnostic> {
    let target = session.setup.target(what.target.as_deref())?;
    let restic = session.setup.restic(target)?;
    let all = sets(&restic, Some(&what.item)).map_err(|failed| failed.why)?;
    let whole: Vec<Set> = all.into_iter().filter(Set::is_whole).collect();
    let at = what.at.as_deref().map(time).transpose()?;
    let chosen = whole.iter().rev().find(|set| match &at {
        None => true,
        Some(at) => *at == set.id || set.time.as_str() <= at.as_str(),
    });
    let named = at.as_ref().and_then(|at| whole.iter().find(|set| set.id == *at));
    let Some(set) = named.or(chosen).cloned() else {
        let error =
            Diagnostic::new(format!("there is no backup of `{}` in target `{}`", what.item, target.name));
        return Err(match (whole.first(), &what.at) {
            (Some(first), Some(at)) => error
                .cause(format!("none is of `{at}` or before; the first one is of {}", first.time))
                .hint(format!("`pq-backup list {}` shows them", what.item)),
            _ => error.hint("`pq-backup list` shows what there is; `--target` names another place"),
        });
    };
    Ok((restic, set))
}

/// The manifest of a set.
///
/// # Errors
/// Where it cannot be read.
pub fn manifest(restic: &Restic, set: &Set) -> Result<Manifest, Diagnostic> {
    let files = set.files.as_ref().map_or("", |it| it.id.as_str());
    let mut file = tempfile::tempfile()
        .map_err(|error| Diagnostic::new("cannot read a manifest").cause(system_cause(&error)))?;
    let copy = file
        .try_clone()
        .map_err(|error| Diagnostic::new("cannot read a manifest").cause(system_cause(&error)))?;
    restic.dump(files, &manifest::path(&set.item), copy).map_err(|failed| failed.why)?;
    let mut text = Vec::new();
    io::Seek::rewind(&mut file)
        .and_then(|()| io::Read::read_to_end(&mut file, &mut text))
        .map_err(|error| unread(set, system_cause(&error)))?;
    understood(set, &text)
}

fn unread(set: &Set, cause: String) -> Diagnostic {
    Diagnostic::new(format!("the manifest of `{}` in set {} cannot be read", set.item, set.id)).cause(cause)
}

fn understood(set: &Set, text: &[u8]) -> Result<Manifest, Diagnostic> {
    let manifest: Manifest = serde_json::from_slice(text).map_err(|error| unread(set, error.to_string()))?;
    match manifest.format <= manifest::FORMAT && manifest.set == set.id.trim_end_matches('+') {
        true => Ok(manifest),
        false => Err(unread(set, format!("it is of set {}, in form {}", manifest.set, manifest.format))
            .hint("a newer pq-backup made it: take that one")),
    }
}

/// A time as people write it, as the end of what it names: `2026-11-28` is the end of that day, `2026-11-28T03` of that hour.
fn time(text: &str) -> Result<String, Diagnostic> {
    const FULL: &str = "9999-12-31T23:59:59.999999999Z";
    let text = text.trim().replacen(' ', "T", 1);
    let text = text.trim_end_matches('Z');
    if text.len() == 21 && text.as_bytes().get(15) == Some(&b'-') {
        return Ok(text.to_owned());
    }
    let fits = |(at, c): (usize, char)| match FULL.as_bytes().get(at) {
        Some(form) if form.is_ascii_digit() => c.is_ascii_digit(),
        Some(form) => c == char::from(*form),
        None => false,
    };
    if text.len() < 4 || !text.chars().enumerate().all(fits) {
        return Err(Diagnostic::new(format!("`{}` is no time", text.escape_debug()))
            .hint("write a day in UTC, `2026-11-28`, with its hour and minute where you need to, `2026-11-28T03:12`, or the name of a set"));
    }
    Ok(format!("{text}{}", FULL.get(text.len()..).unwrap_or_default()))
}

/// Where something is restored to if nobody says: beside the repository, where there is room.
fn place(session: &Session, set: &Set) -> PathBuf {
    let local =
        session.setup.strategy.targets.iter().find_map(|target| Path::new(target.directory()?).parent());
    let base = local.filter(|it| it.is_dir()).unwrap_or(Path::new("/var/tmp"));
    let mut path = base.join("restored").join(format!("{}-{}", set.item, set.id));
    let mut again = 1;
    while path.exists() {
        again += 1;
        path.set_file_name(format!("{}-{}.{again}", set.item, set.id));
    }
    path
}

/// Makes a directory that only root enters; one that is there must be empty.
fn empty(path: &Path) -> Result<(), Diagnostic> {
    let cannot = |error: &io::Error| {
        Diagnostic::new(format!("cannot restore into `{}`", path.display())).cause(system_cause(error))
    };
    if fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some()) {
        let error = Diagnostic::new(format!("`{}` is not empty", path.display()));
        return Err(
            error.hint("name a directory that is not there yet: nothing that is there is overwritten")
        );
    }
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| cannot(&error))
}

impl Chosen {
    /// The files, or some of them, below a directory.
    ///
    /// # Errors
    /// Where nothing can be had.
    pub fn files(
        &self,
        paths: &[String],
        into: &Path,
        restored: &mut Restored,
        told: &mut dyn Teller,
    ) -> Result<(), Diagnostic> {
        files(&self.restic, &self.set, paths, false, into, restored, told)
    }

    /// The dumps, in `databases` below a directory.
    ///
    /// # Errors
    /// Where they cannot be written.
    pub fn dumps(
        &self,
        into: &Path,
        restored: &mut Restored,
        told: &mut dyn Teller,
    ) -> Result<(), Diagnostic> {
        if self.manifest.dumps.is_empty() {
            return Ok(());
        }
        let dir = into.join("databases");
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir).map_err(|error| {
            Diagnostic::new(format!("cannot write into `{}`", dir.display())).cause(system_cause(&error))
        })?;
        for dump in &self.manifest.dumps {
            told.progress(&format!("restore {}", dump.of.words()), 0.0);
            let file = dir.join(format!("{}.sql", dump.part));
            match self.dump(dump, &file) {
                Ok(()) => {
                    restored.bytes += dump.report.bytes;
                    restored.dumps.push(file);
                }
                Err(error) => restored.failed.push(error),
            }
        }
        Ok(())
    }

    /// One dump into a file, which is removed again where it is not what the manifest says.
    ///
    /// # Errors
    /// Where it is not, or cannot be had.
    pub fn dump(&self, dump: &Dumped, file: &Path) -> Result<(), Diagnostic> {
        let words = dump.of.words();
        let snapshot = self.set.dumps.get(&dump.part).ok_or_else(|| {
            Diagnostic::new(format!("the dump of {words} is missing in set {}", self.set.id))
                .hint("another target or another set may have it: `pq-backup list`")
        })?;
        let cannot = |error: &io::Error| {
            Diagnostic::new(format!("cannot write `{}`", file.display())).cause(system_cause(error))
        };
        let out = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(file)
            .map_err(|error| cannot(&error))?;
        let ran =
            self.restic.dump(&snapshot.id, &format!("/{}.sql", dump.part), out).map_err(|failed| failed.why);
        let ran = ran.and_then(|()| {
            let is = digest(file).map_err(|error| cannot(&error))?;
            match is == dump.report.sha256 {
                true => Ok(()),
                false => Err(Diagnostic::new(format!("the dump of {words} is not the one that was made"))
                    .cause(format!("its SHA-256 is {is}, the manifest says {}", dump.report.sha256))),
            }
        });
        if ran.is_err() {
            let _ = fs::remove_file(file);
        }
        ran
    }
}

/// The files of a set, or some of them, below a directory; with its manifest where that is wanted.
fn files(
    restic: &Restic,
    set: &Set,
    paths: &[String],
    manifest: bool,
    into: &Path,
    restored: &mut Restored,
    told: &mut dyn Teller,
) -> Result<(), Diagnostic> {
    let Some(snapshot) = &set.files else { return Ok(()) };
    let mut args = ["restore", snapshot.id.as_str(), "--sparse", "--target"].map(str::to_owned).to_vec();
    args.push(into.display().to_string());
    for path in paths {
        let path = path.trim_end_matches('/');
        if !path.starts_with('/') {
            return Err(Diagnostic::new(format!("`{path}` is no absolute path"))
                .hint(format!("`pq-backup find {} NAME` says how files are called in backups", set.item)));
        }
        args.push(format!("--include={}", literal(path)));
    }
    if paths.is_empty() && !manifest {
        args.push(format!("--exclude={}", literal(manifest::DIR)));
    }
    let what = format!("restore `{}`", set.item);
    let ran = restic.summed(&what, &args, &mut |progress| told.progress(&what, progress.percent_done));
    let summary = match ran {
        Ok(summary) => summary,
        // It goes on behind a file that is damaged, and says which they were.
        Err(failed) if failed.kind == Kind::Other && failed.summary.is_some() && !failed.parts.is_empty() => {
            let of = |(path, why): &(String, String)| {
                Diagnostic::new(format!("`{path}` did not come back whole")).cause(why.clone()).hint(format!(
                    "an earlier set may have it: `pq-backup find {} '{path}'`; or another target",
                    set.item
                ))
            };
            restored.failed.extend(failed.parts.iter().map(of));
            failed.summary.unwrap_or_default()
        }
        Err(failed) => return Err(failed.why),
    };
    restored.files += summary.files_restored;
    restored.bytes += summary.bytes_restored;
    for path in paths {
        if fs::symlink_metadata(into.join(path.trim_matches('/'))).is_err() {
            restored.failed.push(
                Diagnostic::new(format!("`{path}` is not in the backup of {}", set.time))
                    .hint(format!("`pq-backup find {} NAME` says where it is", set.item)),
            );
        }
    }
    Ok(())
}

/// A path as a pattern of restic that fits it alone.
fn literal(path: &str) -> String {
    path.chars().flat_map(|c| if "*?[]\\".contains(c) { vec!['\\', c] } else { vec![c] }).collect()
}

/// SHA-256 of a file, in hexadecimal.
pub(crate) fn digest(path: &Path) -> io::Result<String> {
    let mut digest = Sha256::new();
    io::copy(&mut fs::File::open(path)?, &mut Hashed(&mut digest))?;
    Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

struct Hashed<'a>(&'a mut Sha256);

impl io::Write for Hashed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_the_end_of_what_it_names() {
        assert_eq!(time("2026-11-28").unwrap(), "2026-11-28T23:59:59.999999999Z");
        assert_eq!(time("2026-11-28 03:12").unwrap(), "2026-11-28T03:12:59.999999999Z");
        assert_eq!(time("2026-11-28T03:12:05Z").unwrap(), "2026-11-28T03:12:05.999999999Z");
        assert_eq!(time("20261128T031200-00123").unwrap(), "20261128T031200-00123");
        for bad in ["yesterday", "28.11.2026", "2026-11-28T03:12:05+01:00", ""] {
            assert!(time(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_path_fits_itself_alone() {
        assert_eq!(literal("/srv/a[1]*"), "/srv/a\\[1\\]\\*");
    }
}
