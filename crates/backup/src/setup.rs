//! What is backed up on this machine and how, as `/etc/paquerette` says it.
//!
//! Always true here: a file that cannot be read takes nothing else with it; it is told, and the run does not end well.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use pq_items::{BackupItem, BackupStrategy, Target, of_file};
use pq_stream::{Diagnostic, nearest, system_cause};

use crate::restic::Restic;

/// Where items and strategies are.
pub const ETC: &str = "/etc/paquerette";

/// Where restic is looked for, where the strategy does not say.
const PROGRAM: &str = "/usr/bin/restic";

/// Where `pq-server` installs one, and where people do.
const OURS: &str = "/usr/local/lib/paquerette";
const LOCAL: &str = "/usr/local/bin/restic";

/// What is backed up, and how.
#[derive(Debug)]
pub struct Setup {
    /// When, where to, how many are kept.
    pub strategy: BackupStrategy,
    /// What, in the order in which it is: what has databases first.
    pub items: Vec<BackupItem>,
    /// Files that are no items.
    pub broken: Vec<Diagnostic>,
    /// This machine's name in snapshots.
    pub host: String,
}

impl Setup {
    /// Reads it from below a directory.
    ///
    /// # Errors
    /// Where the strategy cannot be read: without it nothing is known.
    pub fn read(etc: &Path) -> Result<Self, Diagnostic> {
        let strategy = of_file(&etc.join("backup.yml"), "the strategy", |path| fs::read_to_string(path))
            .map_err(|error| error.hint("`pq-server` writes it: `pq-inventory HOST | pq-server --apply`"))?;
        let (mut items, broken) =
            pq_items::items::<BackupItem>(&etc.join("backup.d"), |path| fs::read_to_string(path))?;
        // Databases are small, and what people miss first.
        items.sort_by(|one, other| {
            other.dumps().cmp(&one.dumps()).then_with(|| one.owner.as_str().cmp(other.owner.as_str()))
        });
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Ok(Setup { strategy, items, broken, host })
    }

    /// The items of these names, all where none is named.
    ///
    /// # Errors
    /// Where there is none of a name.
    pub fn named(&self, names: &[String]) -> Result<Vec<&BackupItem>, Diagnostic> {
        if names.is_empty() {
            return Ok(self.items.iter().collect());
        }
        for name in names {
            if !self.items.iter().any(|item| item.owner.as_str() == name) {
                let known: Vec<&str> = self.items.iter().map(|item| item.owner.as_str()).collect();
                let error = Diagnostic::new(format!("no item `{name}` is backed up on this machine"));
                return Err(error.hint(match nearest(name, &known) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("there are {}", known.join(", ")),
                }));
            }
        }
        Ok(self.items.iter().filter(|item| names.iter().any(|name| name == item.owner.as_str())).collect())
    }

    /// The repository of a target, with the program that opens it.
    ///
    /// # Errors
    /// Where its password or its variables cannot be used.
    pub fn restic(&self, target: &Target) -> Result<Restic, Diagnostic> {
        let password_file = PathBuf::from(target.password_file.as_str());
        secret_file(&password_file, &format!("the password of target `{}`", target.name)).map_err(|error| {
            error.hint("`pq-server` writes it where `backup_jobs` is set; or write one there yourself, mode 0600")
        })?;
        let env = match &target.env_file {
            Some(path) => variables(Path::new(path.as_str()), target)?,
            None => Vec::new(),
        };
        Ok(Restic { program: self.program(), url: target.url.as_str().to_owned(), password_file, env })
    }

    /// restic: the one that the strategy names, or else the newest that `pq-server` installed, or Debian's, or one of the operator's.
    pub fn program(&self) -> PathBuf {
        if let Some(named) = &self.strategy.program {
            return named.as_str().into();
        }
        let ours = fs::read_dir(OURS).into_iter().flatten().flatten().map(|entry| entry.path());
        let is_one = |path: &PathBuf| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("restic-"))
        };
        let others = || [PROGRAM, LOCAL].map(PathBuf::from).into_iter().find(|path| path.exists());
        ours.filter(is_one).max().or_else(others).unwrap_or_else(|| PROGRAM.into())
    }

    /// The target of a name, the first one where none is named.
    ///
    /// # Errors
    /// Where there is none.
    pub fn target(&self, name: Option<&str>) -> Result<&Target, Diagnostic> {
        let targets = &self.strategy.targets;
        let found = match name {
            Some(name) => targets.iter().find(|target| target.name.as_str() == name),
            None => targets.first(),
        };
        found.ok_or_else(|| {
            let known: Vec<&str> = targets.iter().map(|target| target.name.as_str()).collect();
            let error = Diagnostic::new(match name {
                Some(name) => format!("there is no target `{name}`"),
                None => "there is no target: nobody said where backups go".to_owned(),
            });
            match known.is_empty() {
                true => error.hint("set `backup_targets` in the inventory"),
                false => error.hint(format!("there are {}", known.join(", "))),
            }
        })
    }
}

/// Demands that a file is there, holds something, and is read by root alone.
pub fn secret_file(path: &Path, what: &str) -> Result<(), Diagnostic> {
    let shown = path.display();
    let is = fs::metadata(path).map_err(|error| {
        Diagnostic::new(format!("cannot read {what}, `{shown}`")).cause(system_cause(&error))
    })?;
    if is.permissions().mode() & 0o077 != 0 || is.uid() != 0 {
        let error = Diagnostic::new(format!("{what}, `{shown}`, may be read by others than root"));
        return Err(error
            .hint(format!("`chown root: {shown} && chmod 0600 {shown}`, and think of it as known to them")));
    }
    match is.len() {
        0 => Err(Diagnostic::new(format!("{what}, `{shown}`, is empty"))),
        _ => Ok(()),
    }
}

/// The variables of a target's transport: lines `NAME=value`.
fn variables(path: &Path, target: &Target) -> Result<Vec<(String, String)>, Diagnostic> {
    let what = format!("the variables of target `{}`", target.name);
    secret_file(path, &what)?;
    let text = fs::read_to_string(path).map_err(|error| {
        Diagnostic::new(format!("cannot read {what}, `{}`", path.display())).cause(system_cause(&error))
    })?;
    let mut found = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        // The line may hold a secret: it is not shown.
        let (name, value) = line.split_once('=').ok_or_else(|| {
            Diagnostic::new(format!("{}:{}: no variable stands here", path.display(), at + 1))
                .hint("each line is `NAME=value`, as in `AWS_ACCESS_KEY_ID=…`")
        })?;
        let value = value.trim();
        let bare = ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
        found.push((name.trim_start_matches("export ").trim().to_owned(), bare.unwrap_or(value).to_owned()));
    }
    Ok(found)
}
