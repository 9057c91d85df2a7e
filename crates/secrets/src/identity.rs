//! Identities: the private keys that open age files, and where they are looked for.

use std::fmt;
use std::path::{Path, PathBuf};

use age::secrecy::{ExposeSecret, SecretString};
use age::ssh;
use age::{Identity, IdentityFile};

use crate::bounded;
use crate::passphrase::passphrase;
use crate::recipients::MAX_KEYS;
use crate::{KeyFiles, SecretError, is_age};

/// The files with identities: those given on the command line, else `$PQ_IDENTITY`, else
/// `~/.config/paquerette/identity.txt` where it exists.
pub(crate) fn identity_files(given: &[PathBuf]) -> Vec<PathBuf> {
    if !given.is_empty() {
        return given.to_vec();
    }
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(file) = set("PQ_IDENTITY") {
        return vec![file.into()];
    }
    let configuration = set("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| set("HOME").map(|home| PathBuf::from(home).join(".config")));
    configuration
        .map(|directory| directory.join("paquerette/identity.txt"))
        .filter(|file| file.exists())
        .into_iter()
        .collect()
}

/// Keys to open age files with.
#[derive(Default)]
pub struct Identities {
    keys: Vec<Box<dyn Identity + Send + Sync>>,
    /// The file with the passphrase of what is encrypted with one.
    passphrase: Option<PathBuf>,
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identities({})", self.keys.len())
    }
}

impl Identities {
    /// Reads identity files: what `age-keygen` writes, the same encrypted with a passphrase, or ssh keys of type
    /// ed25519.
    ///
    /// # Errors
    /// Where a file cannot be read or holds no usable identity.
    pub fn of(files: &KeyFiles) -> Result<Self, SecretError> {
        let mut identities = Identities { keys: Vec::new(), passphrase: files.passphrase.clone() };
        for file in &files.identities {
            identities.read(file)?;
        }
        Ok(identities)
    }

    /// Reads identity files; a passphrase is asked for on the terminal.
    ///
    /// # Errors
    /// As [`Identities::of`].
    pub fn load(files: &[PathBuf]) -> Result<Self, SecretError> {
        Identities::of(&KeyFiles { identities: files.to_vec(), ..KeyFiles::default() })
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The keys, as the age library takes them.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &dyn Identity> {
        self.keys.iter().map(|key| &**key as &dyn Identity)
    }
}

impl Identities {
    /// The passphrase of something; `what` is named in the question and in errors.
    pub(crate) fn passphrase(&self, what: &str) -> Result<SecretString, SecretError> {
        passphrase(self.passphrase.as_deref(), what)
    }

    /// Reads the identities of one file; where it is itself encrypted with a passphrase, that is asked for.
    fn read(&mut self, file: &Path) -> Result<(), SecretError> {
        let bytes = bounded::file_or_pipe(file, MAX_KEYS)
            .map_err(|error| SecretError::Read { file: file.to_owned(), cause: error.to_string() })?;
        let no_identity =
            |cause: &str| SecretError::Identity { file: file.to_owned(), cause: cause.to_owned() };
        let what = format!("the identity file `{}`", file.display());
        let opened;
        let text = match is_age(&bytes) {
            false => &bytes[..],
            true => {
                // No other identity opens an identity: this is one passphrase, not a chain of files.
                let none = Identities { keys: Vec::new(), passphrase: self.passphrase.clone() };
                opened = none.decrypt(&bytes, &what).map_err(|error| match error {
                    SecretError::NoIdentity { .. } => no_identity("it is encrypted to another identity"),
                    other => other,
                })?;
                opened.expose_secret().as_bytes()
            }
        };
        if text.trim_ascii_start().starts_with(b"-----BEGIN") {
            let key = self.ssh_key(text, &what, no_identity)?;
            self.keys.push(key);
            return Ok(());
        }
        // A plugin is a program: none is ever run, whatever a file says.
        let plugin = |line: &[u8]| line.trim_ascii_start().starts_with(b"AGE-PLUGIN-");
        if text.split(|byte| *byte == b'\n').any(plugin) {
            return Err(no_identity("it names a plugin, and plugins are not run"));
        }
        let found = IdentityFile::from_buffer(text)
            .and_then(|parsed| parsed.into_identities().map_err(std::io::Error::other))
            .map_err(|error| no_identity(&error.to_string()))?;
        if found.is_empty() {
            return Err(no_identity("it is empty"));
        }
        self.keys.extend(found);
        Ok(())
    }

    /// An ssh key of type ed25519; where it has a passphrase, that is asked for.
    fn ssh_key(
        &self,
        text: &[u8],
        what: &str,
        no_identity: impl Fn(&str) -> SecretError,
    ) -> Result<Box<dyn Identity + Send + Sync>, SecretError> {
        let key = ssh::Identity::from_buffer(text.trim_ascii_start(), None)
            .map_err(|_| no_identity("it is no ssh key that age can use"))?;
        let ed25519 = |key: &ssh::Identity| {
            matches!(ssh::Recipient::try_from(key.clone()), Ok(ssh::Recipient::SshEd25519(..)))
        };
        match &key {
            ssh::Identity::Unencrypted(_) if ed25519(&key) => Ok(Box::new(key)),
            ssh::Identity::Unencrypted(_) => {
                Err(no_identity("it is an ssh key of another type than ed25519"))
            }
            ssh::Identity::Encrypted(_) if !ed25519(&key) => {
                Err(no_identity("it is an ssh key of another type than ed25519"))
            }
            // Opened here: it takes long on purpose, and a wrong passphrase is told from a wrong key.
            ssh::Identity::Encrypted(locked) => match locked.decrypt(self.passphrase(what)?) {
                Ok(opened) => Ok(Box::new(ssh::Identity::from(opened))),
                Err(_) => Err(SecretError::WrongPassphrase { what: what.to_owned() }),
            },
            ssh::Identity::Unsupported(_) => {
                Err(no_identity("it is an ssh key of a type that age cannot use"))
            }
        }
    }
}
