//! Identities: the private keys that open age files, and where they are looked for.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use age::ssh;
use age::{Identity, IdentityFile};

use crate::SecretError;

/// The files with identities: those given on the command line, else `$PQ_IDENTITY`, else
/// `~/.config/paquerette/identity.txt` where it exists.
pub fn identity_files(given: &[PathBuf]) -> Vec<PathBuf> {
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
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identities({})", self.keys.len())
    }
}

impl Identities {
    /// Reads identity files: what `age-keygen` writes, or ssh keys of type ed25519 without a passphrase.
    ///
    /// # Errors
    /// Where a file cannot be read or holds no usable identity.
    pub fn load(files: &[PathBuf]) -> Result<Self, SecretError> {
        let mut keys = Vec::new();
        for file in files {
            read(file, &mut keys)?;
        }
        Ok(Identities { keys })
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

/// Reads the identities of one file.
fn read(file: &Path, keys: &mut Vec<Box<dyn Identity + Send + Sync>>) -> Result<(), SecretError> {
    let bytes = fs::read(file)
        .map_err(|error| SecretError::Read { file: file.to_owned(), cause: error.to_string() })?;
    let no_identity = |cause: &str| SecretError::Identity { file: file.to_owned(), cause: cause.to_owned() };
    if bytes.trim_ascii_start().starts_with(b"-----BEGIN AGE ENCRYPTED FILE-----") {
        return Err(no_identity("it is itself encrypted with a passphrase"));
    }
    if bytes.trim_ascii_start().starts_with(b"-----BEGIN") {
        let key = ssh::Identity::from_buffer(bytes.trim_ascii_start(), None)
            .map_err(|_| no_identity("it is no ssh key that age can use"))?;
        let cause = match &key {
            ssh::Identity::Unencrypted(_) => match ssh::Recipient::try_from(key.clone()) {
                Ok(ssh::Recipient::SshEd25519(..)) => {
                    keys.push(Box::new(key));
                    return Ok(());
                }
                _ => "it is an ssh key of another type than ed25519",
            },
            ssh::Identity::Encrypted(_) => "it is an ssh key with a passphrase",
            ssh::Identity::Unsupported(_) => "it is an ssh key of a type that age cannot use",
        };
        return Err(no_identity(cause));
    }
    let found = IdentityFile::from_buffer(&bytes[..])
        .and_then(|parsed| parsed.into_identities().map_err(std::io::Error::other))
        .map_err(|error| no_identity(&error.to_string()))?;
    if found.is_empty() {
        return Err(no_identity("it is empty"));
    }
    keys.extend(found);
    Ok(())
}
