//! Where the keys are: the files that open secrets, as they were named, or as the environment names them.

use std::path::{Path, PathBuf};

use crate::{identity_files, vault_password_files};

/// The files that open secrets.
#[derive(Debug, Clone, Default)]
pub struct KeyFiles {
    /// Identities, which open age files.
    pub identities: Vec<PathBuf>,
    /// Passwords, which open what ansible-vault encrypted.
    pub vault_passwords: Vec<PathBuf>,
    /// The passphrase of what is encrypted with one; it is asked for on the terminal where there is no such file.
    pub passphrase: Option<PathBuf>,
}

impl KeyFiles {
    /// Those given on the command line; for each kind of which none is, those that the environment names.
    pub fn new(identities: &[PathBuf], vault_passwords: &[PathBuf], passphrase: Option<&Path>) -> Self {
        let set = || std::env::var_os("PQ_PASSPHRASE_FILE").filter(|value| !value.is_empty());
        KeyFiles {
            identities: identity_files(identities),
            vault_passwords: vault_password_files(vault_passwords),
            passphrase: passphrase.map(Path::to_owned).or_else(|| set().map(PathBuf::from)),
        }
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &PathBuf> {
        self.identities.iter().chain(&self.vault_passwords).chain(&self.passphrase)
    }
}
