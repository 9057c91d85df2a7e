//! What every verb does with an encrypted file: find it, lock it, open it, write it.

use std::cell::OnceCell;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use clap::Args;
use pq_cli::Failure;
use pq_inventory::Document;
use pq_secrets::store::{Lock, Staged};
use pq_secrets::{
    ExposeSecret, Identities, Recipients, SecretError, SecretString, identity_files, vault_password_files,
};
use pq_stream::Diagnostic;

use super::leftovers;

/// Where the inventory and the keys are.
#[derive(Debug, Args)]
pub struct Keys {
    /// Read the inventory in this directory (default: $PQ_INVENTORY, else ./inventory, else the current
    /// directory if it holds a file `hosts`)
    #[arg(short, long, value_name = "DIR", global = true)]
    inventory: Option<PathBuf>,
    /// Open age files with the identity in this file (default: $PQ_IDENTITY, else
    /// ~/.config/paquerette/identity.txt)
    #[arg(long, value_name = "FILE", global = true)]
    identity: Vec<PathBuf>,
    /// Open what ansible-vault encrypted with the password in this file (default: $ANSIBLE_VAULT_PASSWORD_FILE)
    #[arg(long, value_name = "FILE", global = true)]
    vault_password_file: Vec<PathBuf>,
}

impl Keys {
    /// The inventory directory.
    pub fn inventory(&self) -> Result<PathBuf, Failure> {
        crate::inventory::directory(self.inventory.clone())
    }

    /// The files with identities.
    pub fn identity_files(&self) -> Vec<PathBuf> {
        identity_files(&self.identity)
    }

    /// The files with passwords of ansible-vault.
    pub fn vault_password_files(&self) -> Vec<PathBuf> {
        vault_password_files(&self.vault_password_file)
    }

    /// The identities.
    pub fn identities(&self) -> Result<Identities, Failure> {
        Identities::load(&self.identity_files()).map_err(secret)
    }

    /// A path as it was typed, or one below the inventory directory, where only that leads to something.
    pub fn path(&self, typed: &Path) -> Result<PathBuf, Failure> {
        let there =
            |path: &Path| path.parent().is_some_and(|parent| parent == Path::new("") || parent.is_dir());
        if fs::symlink_metadata(typed).is_ok() || typed.is_absolute() {
            return Ok(typed.to_owned());
        }
        let directory = self.inventory();
        let plain = typed.strip_prefix(".").unwrap_or(typed);
        if directory.as_ref().is_ok_and(|directory| plain.starts_with(directory)) {
            return Ok(typed.to_owned());
        }
        match directory.map(|directory| directory.join(typed)) {
            Ok(below) if fs::symlink_metadata(&below).is_ok() => Ok(below),
            Ok(below) if self.inventory.is_some() || !there(typed) => Ok(below),
            _ => Ok(typed.to_owned()),
        }
    }

    /// Every `*.age` file below the inventory directory, in order; hidden ones are not looked at.
    pub fn all(&self) -> Result<Vec<PathBuf>, Failure> {
        let directory = self.inventory()?;
        let mut found = Vec::new();
        below(&directory, 0, &mut found)?;
        match found.is_empty() {
            true => Err(Failure::input(
                Diagnostic::new(format!("there is no age file below `{}`", directory.display()))
                    .hint("`pq-secret edit group_vars/all/secrets.yml.age` makes one"),
            )),
            false => Ok(found),
        }
    }
}

/// The age files below a directory.
fn below(directory: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let entries = fs::read_dir(directory).map_err(|error| cannot("read directory", directory, &error))?;
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry.map_err(|error| cannot("read directory", directory, &error))?.path());
    }
    paths.sort();
    for path in paths {
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if hidden {
            continue;
        }
        if path.is_dir() && !path.is_symlink() && depth < 16 {
            below(&path, depth + 1, found)?;
        } else if path.extension().is_some_and(|extension| extension == "age") && path.is_file() {
            found.push(path);
        }
    }
    Ok(())
}

/// The directory whose `.age-recipients` speaks for a file: the nearest above it that has one.
pub fn recipients_file(file: &Path) -> Result<PathBuf, Failure> {
    let absolute = std::path::absolute(file).map_err(|error| cannot("find", file, &error))?;
    let typed = |found: PathBuf| {
        let here = std::env::current_dir().ok();
        here.and_then(|here| found.strip_prefix(here).ok().map(Path::to_owned)).unwrap_or(found)
    };
    let found = absolute.ancestors().skip(1).map(|directory| directory.join(".age-recipients"));
    found.into_iter().find(|list| list.is_file()).map(typed).ok_or_else(|| {
        Failure::input(
            Diagnostic::new(format!("nobody is named who may open `{}`", file.display()))
                .cause("no directory above it holds a file `.age-recipients`")
                .hint("`pq-secret keygen --add` makes an identity and lists it there"),
        )
    })
}

/// An encrypted file that is being worked on.
pub struct Keeper {
    /// Its path as people type it.
    pub path: PathBuf,
    identities: Identities,
    /// The bytes of the file when they were first read; nothing inside where there was none.
    seen: OnceCell<Option<Vec<u8>>>,
}

impl Keeper {
    /// The file at a path, with the identities to open it.
    pub fn new(keys: &Keys, typed: &Path) -> Result<Self, Failure> {
        Keeper::at(keys, keys.path(typed)?)
    }

    /// The file at just this path, with the identities to open it.
    pub fn at(keys: &Keys, path: PathBuf) -> Result<Self, Failure> {
        if path.extension().is_none_or(|extension| extension != "age") {
            return Err(Failure::input(
                Diagnostic::new(format!("`{}` is not the name of an age file", path.display()))
                    .cause("the inventory opens what ends in `.yml.age`, and reads all else as it stands")
                    .hint("name the encrypted file, such as `group_vars/all/secrets.yml.age`"),
            ));
        }
        Ok(Keeper { path, identities: keys.identities()?, seen: OnceCell::new() })
    }

    /// Keeps everybody else from changing it until the lock is dropped; the directory of a new file is made.
    pub fn lock(&self) -> Result<Lock, Failure> {
        let parent = self.path.parent().filter(|parent| *parent != Path::new("") && !parent.exists());
        if let Some(parent) = parent {
            // The first file of a group, unless there is nobody to encrypt it to.
            recipients_file(&self.path)?;
            directory(parent).map_err(|error| cannot("make directory", parent, &error))?;
        }
        let lock = Lock::take(&self.path).map_err(|error| cannot("lock", &self.path, &error))?;
        let lock = lock.ok_or_else(|| {
            let path = self.path.display();
            // A file that is not there yet is locked with its directory.
            let busy = match self.path.exists() {
                true => Diagnostic::new(format!("`{path}` is being changed"))
                    .cause("another `pq-secret` has it open"),
                false => Diagnostic::new(format!("`{path}` cannot be made now"))
                    .cause("another `pq-secret` is making a file in that directory"),
            };
            Failure::busy(busy.hint("end that one, or wait for it"))
        })?;
        leftovers::said(&self.path);
        Ok(lock)
    }

    /// The bytes of the file; nothing where there is none.
    pub fn encrypted(&self) -> Result<Option<Vec<u8>>, Failure> {
        let bytes = self.bytes()?;
        self.seen.get_or_init(|| bytes.clone());
        Ok(bytes)
    }

    fn bytes(&self) -> Result<Option<Vec<u8>>, Failure> {
        match fs::read(&self.path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(cannot("read", &self.path, &error)),
        }
    }

    /// Refuses to go on where the file is no longer the one that was read: a lock keeps away these tools alone.
    ///
    /// # Errors
    /// Where somebody replaced, made or removed it meanwhile.
    pub fn unchanged(&self) -> Result<(), Failure> {
        let now = self.bytes()?;
        if self.seen.get().is_none_or(|seen| *seen == now) {
            return Ok(());
        }
        let path = self.path.display();
        let cause = match now.is_some() {
            true => "it is no longer the file that was opened: something else wrote it, such as `git pull`",
            false => "it is gone: something else removed it, such as `git pull`",
        };
        Err(Failure::busy(
            Diagnostic::new(format!("`{path}` was changed by somebody else meanwhile"))
                .cause(cause)
                .hint("nothing was written over it: run this again, on what it holds now"),
        ))
    }

    /// What the file holds; nothing where there is none.
    pub fn open(&self) -> Result<Option<SecretString>, Failure> {
        let Some(bytes) = self.encrypted()? else { return Ok(None) };
        let what = format!("`{}`", self.path.display());
        self.identities.decrypt(&bytes, &what).map(Some).map_err(secret)
    }

    /// What the file holds.
    pub fn plain(&self) -> Result<SecretString, Failure> {
        self.open()?.ok_or_else(|| self.missing())
    }

    /// The bytes of the file, which must be there.
    pub fn there(&self) -> Result<Vec<u8>, Failure> {
        self.encrypted()?.ok_or_else(|| self.missing())
    }

    fn missing(&self) -> Failure {
        Failure::input(
            Diagnostic::new(format!("there is no file `{}`", self.path.display()))
                .hint("`pq-secret who` lists the age files of the inventory"),
        )
    }

    /// A text as the inventory would read it from this file.
    pub fn document(&self, plain: &SecretString) -> Result<Document, Failure> {
        Ok(Document::read(&self.path.display().to_string(), plain.expose_secret())?)
    }

    /// Encrypts a text to the recipients, and lays it beside the file.
    pub fn stage(&self, plain: &str, mode: u32) -> Result<Staged, Failure> {
        let bytes = self.sealed(plain)?;
        Staged::write(&self.path, &bytes, mode).map_err(|error| cannot("write beside", &self.path, &error))
    }

    /// A text encrypted to the recipients, and opened again.
    pub fn sealed(&self, plain: &str) -> Result<Vec<u8>, Failure> {
        let list = recipients_file(&self.path)?;
        let recipients = Recipients::load(&list).map_err(secret)?;
        let bytes = recipients.encrypt(plain.as_bytes(), true).map_err(secret)?;
        let what = format!("what was encrypted for `{}`", self.path.display());
        let again = self.identities.decrypt(&bytes, &what).map_err(|error| {
            let mut diagnostic = error.diagnostic();
            diagnostic.hints.insert(
                0,
                format!("`{}` must list your own recipient too; nothing was changed", list.display()),
            );
            Failure::input(diagnostic)
        })?;
        if again.expose_secret() != plain {
            return Err(Failure::failed(Diagnostic::new(format!(
                "{what} is not what it was; nothing was changed"
            ))));
        }
        Ok(bytes)
    }

    /// Encrypts a text into the file.
    pub fn write(&self, plain: &str) -> Result<(), Failure> {
        self.publish(self.stage(plain, 0o600)?)
    }

    /// Puts what was staged in the place of the file, where that is still the one that was read.
    pub fn publish(&self, staged: Staged) -> Result<(), Failure> {
        self.unchanged()?;
        publish(staged, &self.path)
    }
}

/// Makes a directory of the inventory, and those above it: as open as the one in which they lie.
fn directory(path: &Path) -> io::Result<()> {
    let absolute = std::path::absolute(path)?;
    let missing: Vec<&Path> = absolute.ancestors().take_while(|above| !above.exists()).collect();
    fs::create_dir_all(&absolute)?;
    for made in missing.into_iter().rev() {
        let above = fs::metadata(made.parent().unwrap_or(made))?;
        fs::set_permissions(made, above.permissions())?;
    }
    Ok(())
}

/// The name of the age file that stands for a plain file of variables.
pub fn age_name(plain: &Path) -> PathBuf {
    let mut name = plain.to_owned().into_os_string();
    if plain.extension().is_none() {
        name.push(".yml");
    }
    name.push(".age");
    PathBuf::from(name)
}

/// Puts a file in its place.
pub fn publish(staged: Staged, path: &Path) -> Result<(), Failure> {
    staged.publish().map_err(|error| cannot("write", path, &error))
}

/// A failure of what concerns secrets.
pub fn secret(error: SecretError) -> Failure {
    Failure::input(error.diagnostic())
}

/// A failure of the system.
pub fn cannot(what: &str, path: &Path, error: &io::Error) -> Failure {
    let text = error.to_string();
    let cause = text.split(" (os error").next().unwrap_or("").to_lowercase();
    Failure::failed(Diagnostic::new(format!("cannot {what} `{}`", path.display())).cause(cause))
}
