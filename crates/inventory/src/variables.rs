//! `group_vars/` and `host_vars/`: which files speak for a group or a host, and what they set.
//!
//! As in Ansible, of `web/`, `web.yml`, `web.yaml` and `web.json` the first that exists counts; age files
//! (`web.yml.age`) come after it and override it. In a directory the files are read by name, hidden ones not.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use pq_secrets::{ExposeSecret, Identities, KeyFiles, SecretError, Values, VaultPasswords, is_ansible_vault};
use pq_stream::{Diagnostic, MASTER_KEY, Place};

use crate::concealed::{Encrypted, KEYS, clear_key, conceal, has_vaulted, name_vaulted, unfit};
use crate::file::{self, SourceFile};
use crate::groups::Variable;
use crate::lookups::Inside;
use crate::node::{Data, Key, Node};
use crate::yaml;

type Result<T> = std::result::Result<T, Box<Diagnostic>>;

/// The extensions of files of variables; a name without any of them is one, too.
pub const EXTENSIONS: [&str; 3] = ["yml", "yaml", "json"];

/// The group or host that a file is called after.
pub(crate) fn owner(name: &str) -> &str {
    let name = name.strip_suffix(".age").unwrap_or(name);
    match name.rsplit_once('.') {
        Some((stem, extension)) if EXTENSIONS.contains(&extension) => stem,
        _ => name,
    }
}

/// Variables of a file: each costs more than a value inside one does.
const MAX_VARIABLES: usize = 50_000;

/// After so many values in a row that no password opens, the next ones of the file are not tried: each try takes
/// milliseconds.
const MAX_FAILURES: usize = 50;

/// Directories below a group's are read to this depth.
const MAX_DEPTH: usize = 16;

/// Reads files of variables below an inventory directory.
#[derive(Debug)]
pub struct Loader {
    /// The inventory directory.
    pub directory: PathBuf,
    /// The files that open secrets; they are read when something is encrypted.
    keys: KeyFiles,
    identities: OnceLock<Identities>,
    passwords: OnceLock<VaultPasswords>,
    /// What templates look up.
    pub lookups: Arc<Inside>,
    /// The names in the directories of variables, and whom they are called after, by directory.
    listed: Mutex<HashMap<String, Arc<HashSet<String>>>>,
}

impl Loader {
    /// A reader for that directory.
    pub fn new(directory: &Path, keys: KeyFiles) -> Self {
        let (identities, passwords) = (OnceLock::new(), OnceLock::new());
        let (directory, listed) = (directory.to_owned(), Mutex::default());
        let lookups = Arc::new(Inside { directory: directory.clone(), keys: keys.all().cloned().collect() });
        Loader { directory, keys, identities, passwords, lookups, listed }
    }

    /// Reads a file as text; nothing of it is checked.
    ///
    /// # Errors
    /// Where it cannot be read, or is no text.
    pub fn source(&self, name: &str) -> Result<SourceFile> {
        let path = self.directory.join(name);
        let shown = path.display().to_string();
        let text = file::text(file::bytes(&path)?, &shown)?;
        file::demand_no_key(&text, &shown)?;
        Ok(SourceFile::new(name.to_owned(), shown, text, false))
    }

    /// What the files in `group_vars` or `host_vars` (`kind`) set for `name`; a later one of the same name wins.
    ///
    /// # Errors
    /// Where a file cannot be read or opened, or is no map of variables.
    pub fn given(&self, kind: &str, name: &str) -> Result<Vec<Variable>> {
        let mut given = Vec::new();
        for file in self.files(kind, name)? {
            self.read(&file, &mut given)?;
        }
        Ok(given)
    }

    /// The files, below the inventory directory, in the order in which they are read.
    pub(crate) fn files(&self, kind: &str, name: &str) -> Result<Vec<String>> {
        let listed = self.listed(kind)?;
        if !name.contains('/') && !listed.contains(name) {
            return Ok(Vec::new());
        }
        let exists = |path: &str| {
            // A name with a slash leads elsewhere; all others are known without asking the system again.
            let below = path.strip_prefix(kind).and_then(|path| path.strip_prefix('/')).unwrap_or(path);
            match below.contains('/') || listed.contains(below) {
                true => file::leads_to(&self.directory.join(path)),
                false => Ok(None),
            }
        };
        let mut found = Vec::new();
        let plain = format!("{kind}/{name}");
        let candidates =
            [plain.clone()].into_iter().chain(EXTENSIONS.iter().map(|ext| format!("{plain}.{ext}")));
        for candidate in candidates {
            match exists(&candidate)? {
                Some(metadata) if metadata.is_dir() => self.below(&candidate, 0, &mut found)?,
                Some(_) => found.push(candidate),
                None => continue,
            }
            break;
        }
        for sealed in EXTENSIONS.iter().map(|ext| format!("{plain}.{ext}.age")) {
            if exists(&sealed)?.is_some() {
                found.push(sealed);
            }
        }
        Ok(found)
    }

    /// The names in `group_vars` or `host_vars`, and those without their extensions, read once: most hosts have no
    /// file of their own.
    fn listed(&self, kind: &str) -> Result<Arc<HashSet<String>>> {
        let mut known = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.get(kind) {
            return Ok(known.clone());
        }
        let path = self.directory.join(kind);
        let cannot = |error: io::Error| file::refused("directory ", &path, &error);
        let mut names = HashSet::new();
        match fs::read_dir(&path) {
            Ok(entries) => {
                for entry in entries {
                    if let Ok(name) = entry.map_err(cannot)?.file_name().into_string() {
                        names.insert(owner(&name).to_owned());
                        names.insert(name);
                    }
                }
            }
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
            Err(error) => return Err(cannot(error)),
        }
        Ok(known.entry(kind.to_owned()).or_insert(Arc::new(names)).clone())
    }

    fn below(&self, directory: &str, depth: usize, found: &mut Vec<String>) -> Result<()> {
        let path = self.directory.join(directory);
        let cannot = |cause: String| {
            Box::new(Diagnostic::new(format!("cannot read directory `{}`", path.display())).cause(cause))
        };
        let refused = |error: io::Error| file::refused("directory ", &path, &error);
        if depth > MAX_DEPTH {
            return Err(Box::new(
                cannot("it is more than 16 directories deep".to_owned())
                    .hint("does a symbolic link lead in a circle?"),
            ));
        }
        let mut names = Vec::new();
        for entry in fs::read_dir(&path).map_err(refused)? {
            let name = entry.map_err(refused)?.file_name();
            names.push(name.into_string().map_err(|_| {
                Box::new(cannot("a name in it is no UTF-8".to_owned()).hint("rename that file, or remove it"))
            })?);
        }
        names.sort();
        for name in names.iter().filter(|name| !name.starts_with('.') && !name.ends_with('~')) {
            let full = format!("{directory}/{name}");
            let inner = name.strip_suffix(".age").unwrap_or(name);
            let extension = inner.rsplit_once('.').map_or("", |(_, extension)| extension);
            match fs::metadata(self.directory.join(&full)) {
                Ok(metadata) if metadata.is_dir() && extension.is_empty() => {
                    self.below(&full, depth + 1, found)?
                }
                Ok(metadata) if metadata.is_dir() => {}
                // What is no regular file is refused where it is read.
                Ok(_) => {
                    if extension.is_empty() || EXTENSIONS.contains(&extension) {
                        found.push(full);
                    }
                }
                Err(_) => {
                    // A link that leads nowhere, or in a circle, is an error; what has just vanished is not.
                    file::leads_to(&self.directory.join(&full))?;
                }
            }
        }
        Ok(())
    }

    fn read(&self, name: &str, given: &mut Vec<Variable>) -> Result<()> {
        let mut kind = Encrypted::Age;
        let file = match name.ends_with(".age") {
            true => self.decrypted(name)?,
            false => {
                let file = self.source(name)?;
                match is_ansible_vault(file.text()) {
                    true => {
                        kind = Encrypted::Vault;
                        self.unvaulted(&file)?
                    }
                    false => file,
                }
            }
        };
        let file = Arc::new(file);
        let Some(root) = yaml::load(&file)? else { return Ok(()) };
        let entries = match &root.data {
            Data::Map(entries) => entries,
            nothing if nothing.is_nothing() => return Ok(()),
            other => {
                let error = file.error(root.start, format!("`{}` holds no variables", file.shown));
                return Err(Box::new(
                    error
                        .cause(format!("it is {}, not a map", other.kind()))
                        .hint("write one `name: value` a line"),
                ));
            }
        };
        demand_few(&file, entries)?;
        let mut failures = 0;
        for (key, node) in entries {
            let name = key.text();
            let mut secrets = Values::new();
            let mut locked = None;
            let node = match file.is_secret() {
                true if is_variable(&name) => conceal(node, &name, &file, kind, &mut secrets)?,
                true => return Err(unfit(&file, key)),
                false if has_vaulted(node) => {
                    if !is_variable(&name) {
                        return Err(unfit(&file, key));
                    }
                    let (node, reason) =
                        self.unvaulted_values(node, &name, &file, &mut secrets, &mut failures)?;
                    locked = reason;
                    node
                }
                false if KEYS.contains(&name.as_str()) => return Err(clear_key(&file, &name, key.mark)),
                false => node.clone(),
            };
            let mut variable = Variable::new(name, node, key.mark, file.clone(), secrets);
            variable.locked = locked;
            given.push(variable);
        }
        Ok(())
    }

    /// An age file as the text that it holds.
    fn decrypted(&self, name: &str) -> Result<SourceFile> {
        let path = self.directory.join(name);
        let shown = path.display().to_string();
        let encrypted = file::bytes(&path)?;
        let wrong = |error: SecretError| at_top(&shown, &error);
        let identities = match self.identities.get() {
            Some(identities) => identities,
            None => {
                let loaded = Identities::of(&self.keys).map_err(wrong)?;
                self.identities.get_or_init(|| loaded)
            }
        };
        let plain = identities.decrypt(&encrypted, &format!("`{shown}`")).map_err(wrong)?;
        Ok(SourceFile::new(name.to_owned(), shown.clone(), plain.expose_secret().to_owned(), true))
    }

    fn passwords(&self) -> std::result::Result<&VaultPasswords, SecretError> {
        match self.passwords.get() {
            Some(passwords) => Ok(passwords),
            None => {
                let loaded = VaultPasswords::load(&self.keys.vault_passwords)?;
                Ok(self.passwords.get_or_init(|| loaded))
            }
        }
    }

    /// A variable's value with names for what `ansible-vault` encrypted inside it, whose texts go into `secrets`;
    /// and why there are none, where they cannot be opened: that is an error only where somebody needs them.
    fn unvaulted_values(
        &self,
        node: &Arc<Node>,
        name: &str,
        file: &SourceFile,
        secrets: &mut Values,
        failures: &mut usize,
    ) -> Result<(Arc<Node>, Option<Arc<Diagnostic>>)> {
        let (node, found) = name_vaulted(node, name, file)?;
        for (name, ciphertext, start) in found {
            let what = format!("`{name}`");
            let opened = match *failures < MAX_FAILURES {
                true => self.passwords().and_then(|passwords| passwords.decrypt(&ciphertext, &what)),
                false => Err(SecretError::VaultLocked { what, label: None }),
            };
            match &opened {
                Ok(_) => *failures = 0,
                Err(_) => *failures += 1,
            }
            match opened {
                Ok(plain) if name == MASTER_KEY && plain.expose_secret().len() < 16 => {
                    return Err(crate::concealed::short_key(file, start));
                }
                Ok(plain) => secrets.insert(name, plain),
                Err(error) => {
                    let mut diagnostic = error.diagnostic();
                    diagnostic.place = Some(Place { text: String::new(), ..file.place(start) });
                    return Ok((node, Some(Arc::new(diagnostic))));
                }
            };
        }
        Ok((node, None))
    }

    /// A file that `ansible-vault` encrypted as the text that it holds: a secret like that of an age file.
    fn unvaulted(&self, file: &SourceFile) -> Result<SourceFile> {
        let wrong = |error: SecretError| at_top(&file.shown, &error);
        let what = format!("`{}`", file.shown);
        let plain =
            self.passwords().and_then(|passwords| passwords.decrypt(file.text(), &what)).map_err(wrong)?;
        Ok(SourceFile::new(file.name.clone(), file.shown.clone(), plain.expose_secret().to_owned(), true))
    }
}

/// What is wrong with a whole encrypted file, at its first line.
fn at_top(shown: &str, error: &SecretError) -> Box<Diagnostic> {
    let mut diagnostic = error.diagnostic();
    diagnostic.place = Some(Place { file: shown.to_owned(), line: 1, column: 1, text: String::new() });
    Box::new(diagnostic)
}

/// Refuses a file that sets too many variables.
///
/// # Errors
/// At the first that is too much.
pub fn demand_few(file: &SourceFile, entries: &[(Key, Arc<Node>)]) -> Result<()> {
    let Some((key, _)) = entries.get(MAX_VARIABLES) else { return Ok(()) };
    let error = file.error(key.mark, format!("`{}` sets more than 50,000 variables", file.shown));
    Err(Box::new(
        error.hint("put some of them into other files, or into maps: `group_vars/GROUP/` is a directory"),
    ))
}

/// Whether a name can be one of a secret variable.
pub fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
#[path = "variables_tests.rs"]
mod tests;
