//! What every verb does with an encrypted file: find it, lock it, open it, write it.

use std::cell::OnceCell;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use pq_cli::Failure;
use pq_inventory::{Document, EXTENSIONS, MAX_FILE};
use pq_secrets::bounded::{self, Unread};
use pq_secrets::store::{Lock, Staged};
use pq_secrets::{ExposeSecret, Identities, KeyFiles, Recipients, SecretError, SecretString};
use pq_stream::{Diagnostic, system_cause};

use super::{leftovers, place, tree};

/// Where the inventory and the keys are.
#[derive(Debug, Args)]
pub struct Keys {
    /// Read the inventory in this directory (default: $PQ_INVENTORY, else ./inventory, else the current
    /// directory if it holds a file `hosts`, `hosts.yml` or `hosts.yaml`)
    #[arg(short, long, value_name = "DIR", global = true)]
    inventory: Option<PathBuf>,
    /// Open age files with the identity in this file (default: $PQ_IDENTITY, else
    /// ~/.config/paquerette/identity.txt)
    #[arg(long, value_name = "FILE", global = true)]
    identity: Vec<PathBuf>,
    /// Open what ansible-vault encrypted with the password in this file (default: $ANSIBLE_VAULT_PASSWORD_FILE)
    #[arg(long, value_name = "FILE", global = true)]
    vault_password_file: Vec<PathBuf>,
    /// Read the passphrase of what is encrypted with one from this file (default: $PQ_PASSPHRASE_FILE, else it is
    /// asked for on the terminal)
    #[arg(long, value_name = "FILE", global = true)]
    passphrase_file: Option<PathBuf>,
}

impl Keys {
    /// The inventory directory.
    pub fn inventory(&self) -> Result<PathBuf, Failure> {
        crate::inventory::directory(self.inventory.clone())
    }

    /// The files that open secrets.
    pub fn files(&self) -> KeyFiles {
        KeyFiles::new(&self.identity, &self.vault_password_file, self.passphrase_file.as_deref())
    }

    /// The identities.
    pub fn identities(&self) -> Result<Identities, Failure> {
        Identities::of(&self.files()).map_err(secret)
    }

    /// A path as it was typed, or one below the inventory directory, where only that leads to something.
    pub fn path(&self, typed: &Path) -> Result<PathBuf, Failure> {
        let there =
            |path: &Path| path.parent().is_some_and(|parent| parent == Path::new("") || parent.is_dir());
        if fs::symlink_metadata(typed).is_ok() || typed.is_absolute() {
            return Ok(typed.to_owned());
        }
        let Ok(directory) = self.inventory() else { return Ok(typed.to_owned()) };
        if typed.strip_prefix(".").unwrap_or(typed).starts_with(&directory) {
            return Ok(typed.to_owned());
        }
        let below = directory.join(typed);
        let is_below = fs::symlink_metadata(&below).is_ok() || self.inventory.is_some() || !there(typed);
        // Outside of every inventory nothing new is made.
        Ok(if is_below || place::is_nowhere(&directory, typed) { below } else { typed.to_owned() })
    }

    /// Every `*.age` file below the inventory directory, in order; hidden ones are not looked at.
    pub fn all(&self) -> Result<Vec<PathBuf>, Failure> {
        let directory = self.inventory()?;
        let found = tree::files(&directory, |name| name.ends_with(".age"))?;
        match found.is_empty() {
            true => Err(Failure::input(
                Diagnostic::new(format!("there is no age file below `{}`", directory.display()))
                    .hint("`pq-secret edit group_vars/all/secrets.yml.age` makes one"),
            )),
            false => Ok(found),
        }
    }
}

/// The list that says who can open a file.
pub fn recipients_file(file: &Path) -> Result<PathBuf, Failure> {
    let found = pq_inventory::recipients_file(file).map_err(|error| cannot("find", file, &error))?;
    found.ok_or_else(|| {
        Failure::input(
            Diagnostic::new(format!("nobody is named who may open `{}`", file.display()))
                .cause("no directory above it holds a file `.age-recipients`, up to that of the inventory")
                .hint("`pq-secret keygen --add` makes an identity and lists it there"),
        )
    })
}

/// An encrypted file that is being worked on.
pub struct Keeper {
    /// Its path as people type it.
    pub path: PathBuf,
    /// Its path below the inventory directory.
    pub below: PathBuf,
    identities: Identities,
    /// The bytes of the file when they were first read; nothing inside where there was none.
    seen: OnceCell<Option<Vec<u8>>>,
}

impl Keeper {
    /// The file at a path, which must be one of the inventory, with the identities to open it.
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
        let below = place::below(keys, &path)?;
        Ok(Keeper { path, below, identities: keys.identities()?, seen: OnceCell::new() })
    }

    /// Refuses a file from which no host ever gets a value.
    pub fn demand_read(&self) -> Result<(), Failure> {
        place::demand_read(&self.below, &self.path)
    }

    /// Keeps everybody else from changing it until the lock is dropped; the directory of a new file is made.
    pub fn lock(&self) -> Result<Held, Failure> {
        let missing = |directory: &&Path| !directory.as_os_str().is_empty() && !directory.exists();
        let made = self.path.ancestors().skip(1).take_while(missing).map(Path::to_owned).collect();
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
        Ok(Held { _lock: lock, made })
    }

    /// The bytes of the file; nothing where there is none.
    pub fn encrypted(&self) -> Result<Option<Vec<u8>>, Failure> {
        let bytes = self.bytes()?;
        self.seen.get_or_init(|| bytes.clone());
        Ok(bytes)
    }

    fn bytes(&self) -> Result<Option<Vec<u8>>, Failure> {
        match bounded::file(&self.path, MAX_FILE) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(unread(&self.path, &error)),
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
        self.opened(&bytes).map(Some).map_err(secret)
    }

    /// What these bytes of the file hold.
    pub fn opened(&self, bytes: &[u8]) -> Result<SecretString, SecretError> {
        self.identities.decrypt(bytes, &format!("`{}`", self.path.display()))
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
        if bytes.len() as u64 > MAX_FILE {
            let error = Diagnostic::new(format!("`{}` would be larger than 6 MiB", self.path.display()));
            let error = error.cause("the inventory reads no larger file; nothing was changed");
            return Err(Failure::input(error.hint("put some of the values into another file")));
        }
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

/// A file that nobody else changes meanwhile. Directories that were made for it go again if nothing came into them.
pub struct Held {
    _lock: Lock,
    /// The innermost first.
    made: Vec<PathBuf>,
}

impl Drop for Held {
    fn drop(&mut self) {
        // The system removes a directory only if it is empty.
        let _ = self.made.iter().try_for_each(fs::remove_dir);
    }
}

/// The name of the age file that stands for a plain file of variables.
pub fn age_name(plain: &Path) -> PathBuf {
    let mut name = plain.to_owned().into_os_string();
    let extension = plain.extension().and_then(OsStr::to_str);
    // What lies in one of these is called after a group or host, in whose name there may be a dot.
    let directory = plain.parent().and_then(Path::file_name).and_then(OsStr::to_str);
    let named = matches!(directory, Some("group_vars" | "host_vars"));
    if extension.is_none_or(|extension| named && !EXTENSIONS.contains(&extension)) {
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

/// A file that was named, and cannot be read.
pub fn unread(path: &Path, error: &Unread) -> Failure {
    secret(SecretError::Read { file: path.to_owned(), cause: error.to_string() })
}

/// A failure of the system.
pub fn cannot(what: &str, path: &Path, error: &io::Error) -> Failure {
    let cause = system_cause(error);
    Failure::failed(Diagnostic::new(format!("cannot {what} `{}`", path.display())).cause(cause))
}
