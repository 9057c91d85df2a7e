//! Who may open the secrets of a host: those who may open every file from which they come.
//!
//! Always true here: what is sealed for a host opens for nobody for whom one of its files does not.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use pq_secrets::{Recipients, SecretError};
use pq_stream::Diagnostic;

use crate::recipients::recipients_file;

type Result<T> = std::result::Result<T, Box<Diagnostic>>;

/// The recipients of each host's secrets; a list is looked for and read once.
#[derive(Debug)]
pub struct Audience<'d> {
    directory: &'d Path,
    /// The list that speaks for a file, by the file's name below the inventory directory.
    lists: HashMap<String, PathBuf>,
    /// Who stands in all of some lists.
    common: HashMap<BTreeSet<PathBuf>, Recipients>,
}

impl<'d> Audience<'d> {
    /// That of the hosts of an inventory directory.
    pub fn new(directory: &'d Path) -> Self {
        Audience { directory, lists: HashMap::new(), common: HashMap::new() }
    }

    /// Those to whom a host's secrets are sealed that come from these files.
    ///
    /// # Errors
    /// Where no list speaks for a file, one cannot be read, or nobody stands in all of them.
    pub fn of<'f>(&mut self, host: &str, files: impl Iterator<Item = &'f str>) -> Result<&Recipients> {
        let mut lists = BTreeSet::new();
        for file in files {
            if !self.lists.contains_key(file) {
                let list = recipients_file(&self.directory.join(file)).ok().flatten();
                let list = list.ok_or_else(|| Box::new(SecretError::NoRecipients.diagnostic()))?;
                self.lists.insert(file.to_owned(), list);
            }
            lists.extend(self.lists.get(file).cloned());
        }
        if !self.common.contains_key(&lists) {
            let common = common(host, &lists)?;
            self.common.insert(lists.clone(), common);
        }
        self.common.get(&lists).ok_or_else(|| Box::new(SecretError::NoRecipients.diagnostic()))
    }
}

/// Who stands in all of some lists.
fn common(host: &str, lists: &BTreeSet<PathBuf>) -> Result<Recipients> {
    let mut common: Option<Recipients> = None;
    for list in lists {
        let these = Recipients::load(list).map_err(|error| Box::new(error.diagnostic()))?;
        if these.is_empty() {
            return Err(Box::new(SecretError::NoRecipients.diagnostic()));
        }
        common = Some(match common {
            Some(common) => common.among(&these),
            None => these,
        });
    }
    let common = common.unwrap_or_default();
    if common.is_empty() && lists.len() > 1 {
        let names: Vec<String> = lists.iter().map(|list| format!("`{}`", list.display())).collect();
        let error = Diagnostic::new(format!("nobody may open all secrets of host `{host}`"));
        let error = error.cause(format!("no recipient stands in each of {}", names.join(", ")));
        return Err(Box::new(error.hint(
            "list who applies there in each of them, then encrypt the files again with `pq-secret rekey`",
        )));
    }
    Ok(common)
}
