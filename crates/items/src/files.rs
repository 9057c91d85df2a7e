//! Items as they lie in a directory, one file an owner.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use pq_stream::{Diagnostic, system_cause};
use serde::de::DeserializeOwned;

use crate::{BackupItem, Id, MonitorItem, read};

/// How the text of a file is had.
pub type Text = fn(&Path) -> io::Result<String>;

/// What stands in a file of its own, named after its owner.
pub trait Owned: DeserializeOwned {
    /// What it is, for people.
    const WHAT: &'static str;

    /// Whose it is.
    fn owner(&self) -> &Id;
}

impl Owned for BackupItem {
    const WHAT: &'static str = "an item of backup";

    fn owner(&self) -> &Id {
        &self.owner
    }
}

impl Owned for MonitorItem {
    const WHAT: &'static str = "an item of monitoring";

    fn owner(&self) -> &Id {
        &self.owner
    }
}

/// The items in a directory, in the order of their names, and what is wrong with those that are none; others may stand beside them. A
/// directory that is not there holds none.
///
/// # Errors
/// Where the directory cannot be read at all.
pub fn items<T: Owned>(dir: &Path, text: Text) -> Result<(Vec<T>, Vec<Diagnostic>), Diagnostic> {
    let (mut items, mut broken) = (Vec::new(), Vec::new());
    for path in files(dir)? {
        match item(&path, text) {
            Ok(item) => items.push(item),
            Err(error) => broken.push(error),
        }
    }
    Ok((items, broken))
}

/// What a file says.
///
/// # Errors
/// Where it cannot be read, or says something else.
pub fn of_file<T: DeserializeOwned>(path: &Path, what: &str, text: Text) -> Result<T, Diagnostic> {
    let shown = path.display().to_string();
    let text = text(path)
        .map_err(|error| Diagnostic::new(format!("cannot read `{shown}`")).cause(system_cause(&error)))?;
    read(what, &shown, &text)
}

fn files(dir: &Path) -> Result<Vec<PathBuf>, Diagnostic> {
    let cannot = |error: &io::Error| {
        Diagnostic::new(format!("cannot read `{}`", dir.display())).cause(system_cause(error))
    };
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(cannot(&error)),
    };
    let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>();
    let mut paths = paths.map_err(|error| cannot(&error))?;
    paths.retain(|path| path.extension().is_some_and(|it| it == "yml"));
    paths.sort();
    Ok(paths)
}

fn item<T: Owned>(path: &Path, text: Text) -> Result<T, Diagnostic> {
    let item: T = of_file(path, T::WHAT, text)?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    match item.owner().as_str() == name {
        true => Ok(item),
        false => Err(Diagnostic::new(format!("`{}` says that it is of `{}`", path.display(), item.owner()))
            .hint("the file is named after its owner: rename it, or correct `owner`")),
    }
}
