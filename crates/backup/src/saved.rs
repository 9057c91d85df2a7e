//! What is saved of an instance before it is upgraded, and brought back where that fails: its database and some directories, beside it on
//! the same machine. The executor calls this as a program of its own, while a transaction is not finished.
//!
//! Always true here: each time it is saved anew, since it was last closed; what is there counts only once it is whole, was read back, and is on disk. What a
//! failed upgrade made of it is set aside, never overwritten.

mod back;
mod door;
mod rest;
mod sane;

pub(crate) use back::is_aside;

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use pq_items::Database;
use pq_stream::{Diagnostic, from_utc, system_cause, utc};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::dump::{self, Told as Dumping};
use crate::manifest::{Dumped, Source};
use crate::restore::digest;

/// The words by which the helper is called, before what it is told.
pub const WORDS: [&str; 11] = [
    "save",
    "is-save",
    "sane",
    "is-sane",
    "rest",
    "is-rest",
    "open",
    "is-open",
    "restore",
    "is-restore",
    "dump",
];

/// The files of a directory of what was saved.
const MANIFEST: &str = "saved.json";
const DUMP: &str = "dump.sql";

/// The link to what was saved last.
const LAST: &str = "last";

/// How many are kept.
const KEPT: usize = 2;

/// What the helper is told of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    /// Where it is saved.
    directory: PathBuf,
    /// The mark that was made when nobody was served any more.
    since: PathBuf,
    /// The mark that is there where something may have been migrated.
    when: PathBuf,
    /// The version that it is of.
    version: String,
    #[serde(default)]
    database: Option<Database>,
    #[serde(default)]
    paths: Vec<PathBuf>,
}

/// What was saved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Saved {
    version: String,
    time: String,
    #[serde(default)]
    dump: Option<Dumped>,
    /// The directories that were there.
    paths: Vec<PathBuf>,
}

/// Does what one of the [`WORDS`] says; those that begin with `is-` only look.
///
/// # Errors
/// Where it cannot be done; where what was looked for is not so.
pub fn saved(words: &[String]) -> Result<(), Diagnostic> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["save", told] => save(&read(told)?),
        ["is-save", told] => is_saved(&read(told)?),
        ["sane" | "is-sane", told] => sane::sane(&read(told)?),
        ["restore", told] => back::restore(&read(told)?),
        ["is-restore", told] => back::is_restored(&read(told)?),
        ["rest", told] => rest::rest(&read(told)?),
        ["is-rest", told] => rest::is_resting(&read(told)?),
        ["open", told] => door::open(&read(told)?),
        ["is-open", told] => door::is_open(&read(told)?),
        ["dump", source, scratch, report] => {
            dump::dump(&read(source)?, Path::new(scratch), Path::new(report))
        }
        _ => {
            Err(Diagnostic::new(format!("`--saved` wants one of {}, and what it is about", WORDS.join(", "))))
        }
    }
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T, Diagnostic> {
    serde_json::from_str(text)
        .map_err(|error| Diagnostic::new("what is to be saved is not understood").cause(error.to_string()))
}

fn cannot(what: &str, path: &Path) -> impl Fn(io::Error) -> Diagnostic {
    let what = format!("cannot {what} `{}`", path.display());
    move |error| {
        let diagnostic = Diagnostic::new(what.clone()).cause(system_cause(&error));
        match error.kind() {
            io::ErrorKind::StorageFull => diagnostic.hint("make room (`df -h`, `df -i`), and run again"),
            _ => diagnostic,
        }
    }
}

impl Told {
    fn last(&self) -> PathBuf {
        self.directory.join(LAST)
    }

    /// What was saved last, where that was since the instance was closed.
    fn saved(&self) -> Result<Saved, Diagnostic> {
        let manifest = self.last().join(MANIFEST);
        let changed = |path: &Path| fs::metadata(path).and_then(|is| is.modified());
        let (made, closed) = (changed(&manifest), changed(&self.since));
        match (made, closed) {
            (Ok(made), Ok(closed)) if made >= closed => {
                read(&fs::read_to_string(&manifest).map_err(cannot("read", &manifest))?)
            }
            _ => Err(Diagnostic::new("nothing was saved since it was closed")),
        }
    }
}

fn is_saved(told: &Told) -> Result<(), Diagnostic> {
    told.saved().map(drop)
}

/// Saves it. What did not become whole is taken away.
fn save(told: &Told) -> Result<(), Diagnostic> {
    let new = told.directory.join("new");
    gone(&new)?;
    save_as(told, &new).inspect_err(|_| {
        let _ = gone(&new);
    })
}

fn save_as(told: &Told, new: &Path) -> Result<(), Diagnostic> {
    let now = SystemTime::now();
    fs::DirBuilder::new().mode(0o700).create(new).map_err(cannot("make", new))?;
    let mut saved = Saved { version: told.version.clone(), time: utc(now), dump: None, paths: Vec::new() };
    if let Some(database) = &told.database {
        saved.dump = Some(dumped(database, new)?);
    }
    for path in &told.paths {
        match fs::symlink_metadata(path) {
            Ok(is) if is.is_dir() => {}
            Ok(is) if is.is_symlink() => {
                return Err(Diagnostic::new(format!("`{}` is a link, and is not saved so", path.display()))
                    .cause("what it leads to would be migrated, and could not be brought back")
                    .hint(
                        "put the directory itself there, or mount what it leads to there (`mount --bind`)",
                    ));
            }
            _ => continue,
        }
        let to = new.join(format!("files-{}", saved.paths.len()));
        copied(path, &to)?;
        saved.paths.push(path.clone());
    }
    let manifest = new.join(MANIFEST);
    let text = serde_json::to_vec(&saved)
        .map_err(|error| Diagnostic::new("cannot write down what was saved").cause(error.to_string()))?;
    fs::write(&manifest, text).map_err(cannot("write", &manifest))?;
    let directory = File::open(new).map_err(cannot("open", new))?;
    rustix::fs::syncfs(&directory).map_err(|errno| cannot("write", new)(errno.into()))?;
    let name = stamp(now);
    let place = told.directory.join(&name);
    gone(&place)?;
    fs::rename(new, &place).map_err(cannot("name", new))?;
    let link = told.directory.join("last.new");
    gone(&link)?;
    symlink(&name, &link).map_err(cannot("make", &link))?;
    fs::rename(&link, told.last()).map_err(cannot("name", &link))?;
    let above = File::open(&told.directory).and_then(|directory| directory.sync_all());
    above.map_err(cannot("write", &told.directory))?;
    prune(told, &name, now);
    Ok(())
}

/// A time as part of a name: `20261129t014425`.
fn stamp(time: SystemTime) -> String {
    utc(time)
        .trim_end_matches('Z')
        .chars()
        .filter(|c| *c != '-' && *c != ':')
        .collect::<String>()
        .to_lowercase()
}

/// Takes older ones away, but some; what cannot be taken away stays.
fn prune(told: &Told, name: &str, now: SystemTime) {
    let is_one = |name: &str| name.len() == 15 && name.as_bytes()[8] == b't';
    let names = fs::read_dir(&told.directory).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        names.filter_map(|entry| entry.file_name().into_string().ok()).filter(|it| is_one(it)).collect();
    names.sort();
    for old in names.iter().rev().skip(KEPT).filter(|old| *old != name) {
        let _ = fs::remove_dir_all(told.directory.join(old));
    }
    if let Some(database) = &told.database {
        back::forget(database, now);
    }
}

/// Dumps a database by a helper of our own, and reads back what was written.
fn dumped(database: &Database, into: &Path) -> Result<Dumped, Diagnostic> {
    let (file, report) = (into.join(DUMP), into.join("dump.json"));
    let of = Source::Database(database.clone());
    let out = File::options().write(true).create_new(true).open(&file).map_err(cannot("write", &file))?;
    let wrong = |cause: String| Diagnostic::new(format!("cannot dump {}", of.words())).cause(cause);
    let source = serde_json::to_string(&of).map_err(|error| wrong(error.to_string()))?;
    let ended = Command::new("/proc/self/exe")
        .args(["--saved", "dump", &source])
        .args([into, &report])
        .stdin(Stdio::null())
        .stdout(out.try_clone().map_err(cannot("write", &file))?)
        .stderr(Stdio::piped())
        .output()
        .map_err(|error| wrong(system_cause(&error)))?;
    let told: Option<Dumping> = fs::read(&report).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let report = match told {
        Some(Dumping::Whole(report)) if ended.status.success() => report,
        Some(Dumping::Failed(why)) => return Err(wrong(why)),
        _ => {
            let said = String::from_utf8_lossy(&ended.stderr).into_owned();
            let last = said.trim().lines().next_back().unwrap_or("it said nothing").to_owned();
            return Err(wrong(last));
        }
    };
    out.sync_all().map_err(cannot("write", &file))?;
    let dumped = Dumped { part: of.part(), of, report };
    verified(&dumped, &file)?;
    Ok(dumped)
}

/// Reads a dump back: it is what went by when it was made.
fn verified(dumped: &Dumped, file: &Path) -> Result<(), Diagnostic> {
    let is = digest(file).map_err(cannot("read", file))?;
    match is == dumped.report.sha256 {
        true => Ok(()),
        false => Err(Diagnostic::new(format!("the dump of {} is not what was written", dumped.of.words()))
            .cause(format!("`{}` reads back otherwise: is the disk well?", file.display()))),
    }
}

/// Copies a directory with owners, modes and all, and compares.
fn copied(from: &Path, to: &Path) -> Result<(), Diagnostic> {
    let run = |program: &str, words: &[&str]| {
        let wrong = || Diagnostic::new(format!("cannot copy `{}`", from.display()));
        let output = Command::new(program)
            .args(words)
            .args([from, to])
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::null())
            .output()
            .map_err(|error| wrong().cause(system_cause(&error)))?;
        let said = [output.stderr, output.stdout].concat();
        let said = String::from_utf8_lossy(&said).trim().lines().next().unwrap_or_default().to_owned();
        match output.status.success() {
            true => Ok(()),
            false => Err(wrong().cause(if said.is_empty() {
                format!("`{program}` ended with {}", output.status)
            } else {
                said
            })),
        }
    };
    run("cp", &["-a", "--reflink=auto", "-T", "--"])?;
    run("diff", &["-r", "-q", "--no-dereference", "--"])
}

/// Takes away what may be there.
fn gone(path: &Path) -> Result<(), Diagnostic> {
    let removed = match fs::symlink_metadata(path) {
        Ok(is) if is.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(_) => Ok(()),
    };
    removed.map_err(cannot("remove", path))
}

/// When something was set aside, by the end of its name.
fn set_aside(name: &str) -> Option<SystemTime> {
    let stamp = name.rsplit_once("_failed_")?.1;
    let (date, time) = stamp.split_once('t')?;
    if date.len() != 8 || time.len() != 6 || !stamp.is_ascii() {
        return None;
    }
    from_utc(&format!(
        "{}-{}-{}T{}:{}:{}Z",
        &date[..4],
        &date[4..6],
        &date[6..],
        &time[..2],
        &time[2..4],
        &time[4..]
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_saved_before_it_was_closed_does_not_count() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir(at("conf")).unwrap();
        fs::write(at("conf/a"), "1").unwrap();
        let told = Told {
            directory: at(""),
            since: at("closed"),
            when: at("migrating"),
            version: "1".to_owned(),
            database: None,
            paths: vec![at("conf"), at("none")],
        };
        assert!(is_saved(&told).is_err());
        fs::write(at("closed"), "").unwrap();
        save(&told).unwrap();
        is_saved(&told).unwrap();
        assert_eq!(told.saved().unwrap().paths, [at("conf")]);
        // closed once more, as by a second try
        std::thread::sleep(std::time::Duration::from_millis(20));
        fs::write(at("closed"), "").unwrap();
        assert!(is_saved(&told).is_err());
    }

    #[test]
    fn files_come_back_and_what_failed_stays_aside() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir(at("conf")).unwrap();
        fs::write(at("conf/a"), "1").unwrap();
        fs::write(at("closed"), "").unwrap();
        let told = Told {
            directory: at(""),
            since: at("closed"),
            when: at("migrating"),
            version: "1".to_owned(),
            database: None,
            paths: vec![at("conf")],
        };
        save(&told).unwrap();
        fs::write(at("conf/a"), "2").unwrap();
        // nothing was migrated yet
        back::is_restored(&told).unwrap();
        fs::write(at("migrating"), "").unwrap();
        assert!(back::is_restored(&told).is_err());
        for _ in 0..2 {
            back::restore(&told).unwrap();
            back::is_restored(&told).unwrap();
        }
        assert_eq!(fs::read_to_string(at("conf/a")).unwrap(), "1");
        assert_eq!(fs::read_to_string(at("last/failed-0/a")).unwrap(), "2");
    }

    #[test]
    fn the_time_of_what_was_set_aside_is_in_its_name() {
        let time = from_utc("2026-11-29T01:44:25Z").unwrap();
        assert_eq!(stamp(time), "20261129t014425");
        assert_eq!(set_aside(&back::failing("blog", time)), Some(time));
        assert_eq!(set_aside("_blog_failed_x"), None);
    }
}
