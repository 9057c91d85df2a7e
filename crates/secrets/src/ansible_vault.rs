//! What `ansible-vault` encrypted, opened with a password; nothing is ever written in this format.
//!
//! The format is that of Ansible's `parsing/vault`: a line `$ANSIBLE_VAULT;1.1;AES256` (1.2 adds a label), then hex
//! over lines of 80 characters. It spells three more lines of hex: a salt, an HMAC-SHA256 and the ciphertext.
//! PBKDF2-HMAC-SHA256 of the password and the salt, 10,000 rounds, gives 80 bytes: the key of AES-256-CTR, the key
//! of the HMAC, the first counter. The plain text is padded as PKCS#7 says.
//!
//! Always true here: nothing is decrypted whose HMAC is not right, and it is compared in constant time. A wrong
//! password and a changed ciphertext both show as a wrong HMAC, so an error names both.

use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use age::secrecy::zeroize::Zeroizing;
use age::secrecy::{ExposeSecret, SecretString};
use ctr::cipher::{KeyIvInit, StreamCipher};
use hmac::{Hmac, Mac};
use sha2_of_age::Sha256;

use crate::SecretError;
use crate::bounded::{self, Unread};

const MAGIC: &str = "$ANSIBLE_VAULT";
const ROUNDS: u32 = 10_000;

/// After so many values in a row that no password opens, the next ones are not tried: each try takes milliseconds.
const MAX_FAILURES: usize = 50;

const BLOCK: usize = 16;

/// Larger files with a password are refused.
const MAX_PASSWORD: u64 = 1 << 20;

/// Whether a text begins as what `ansible-vault` encrypted does.
pub fn is_ansible_vault(text: &str) -> bool {
    text.trim_start().starts_with(MAGIC)
}

/// The files with passwords: those given on the command line (`FILE`, or `LABEL@FILE`), else the one that
/// `$ANSIBLE_VAULT_PASSWORD_FILE` names.
pub(crate) fn vault_password_files(given: &[PathBuf]) -> Vec<PathBuf> {
    let unlabelled = |path: &PathBuf| match path.to_str().and_then(|text| text.split_once('@')) {
        Some((label, file)) if !label.contains('/') && !path.exists() => PathBuf::from(file),
        _ => path.clone(),
    };
    if !given.is_empty() {
        return given.iter().map(unlabelled).collect();
    }
    let file = std::env::var_os("ANSIBLE_VAULT_PASSWORD_FILE").filter(|value| !value.is_empty());
    file.map(PathBuf::from).into_iter().collect()
}

/// Passwords that open what `ansible-vault` encrypted.
#[derive(Default)]
pub struct VaultPasswords {
    passwords: Vec<SecretString>,
    failures: AtomicUsize,
}

impl fmt::Debug for VaultPasswords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VaultPasswords({})", self.passwords.len())
    }
}

impl VaultPasswords {
    /// Reads files that hold one password each; white space around it is none of it, as in Ansible.
    ///
    /// # Errors
    /// Where a file cannot be read, is empty, or is executable: Ansible would run it, and we do not.
    pub fn load(files: &[PathBuf]) -> Result<Self, SecretError> {
        let passwords = files.iter().map(|file| password(file)).collect::<Result<_, _>>()?;
        Ok(VaultPasswords { passwords, failures: AtomicUsize::new(0) })
    }

    /// Opens what `ansible-vault` encrypted; `what` names it in errors, as in "`group_vars/all.yml`".
    ///
    /// # Errors
    /// Where it is damaged or of another version, there is no password, or none opens it.
    pub fn decrypt(&self, encrypted: &str, what: &str) -> Result<SecretString, SecretError> {
        let damaged =
            |cause: &str| SecretError::VaultDamaged { what: what.to_owned(), cause: cause.to_owned() };
        let envelope = Envelope::read(encrypted).map_err(|cause| damaged(&cause))?;
        if self.passwords.is_empty() {
            return Err(SecretError::NoVaultPassword { what: what.to_owned() });
        }
        let opened = match self.failures.load(Relaxed) < MAX_FAILURES {
            true => self.passwords.iter().find_map(|password| envelope.open(password)),
            false => None,
        };
        match opened {
            Some(_) => self.failures.store(0, Relaxed),
            None => drop(self.failures.fetch_add(1, Relaxed)),
        }
        let padded = opened.ok_or_else(|| SecretError::VaultLocked {
            what: what.to_owned(),
            label: envelope.label.clone(),
        })?;
        let plain = unpadded(&padded).ok_or_else(|| damaged("its padding is wrong"))?;
        let plain = std::str::from_utf8(plain).map_err(|_| damaged("what it holds is no text"))?;
        Ok(SecretString::from(plain.to_owned()))
    }
}

/// The password that a file holds.
fn password(file: &Path) -> Result<SecretString, SecretError> {
    let cannot = |error: Unread| SecretError::Read { file: file.to_owned(), cause: error.to_string() };
    let wrong = |cause| SecretError::VaultPassword { file: file.to_owned(), cause };
    let metadata = fs::metadata(file).map_err(|error| cannot(Unread::System(error)))?;
    if metadata.is_file() && metadata.permissions().mode() & 0o111 != 0 {
        return Err(wrong("it is executable, and no program is run for a password"));
    }
    let bytes = Zeroizing::new(bounded::file_or_pipe(file, MAX_PASSWORD).map_err(cannot)?);
    let text = std::str::from_utf8(&bytes).map_err(|_| wrong("it is no text"))?.trim();
    match text.is_empty() {
        true => Err(wrong("it is empty")),
        false => Ok(SecretString::from(text.to_owned())),
    }
}

/// The parts of an encrypted text.
struct Envelope {
    label: Option<String>,
    salt: Vec<u8>,
    mac: Vec<u8>,
    ciphertext: Vec<u8>,
}

impl Envelope {
    fn read(text: &str) -> Result<Self, String> {
        let mut lines = text.trim().lines().map(str::trim);
        let header: Vec<&str> = lines.next().unwrap_or("").split(';').map(str::trim).collect();
        let label = match header[..] {
            ["$ANSIBLE_VAULT", "1.1", "AES256"] => None,
            ["$ANSIBLE_VAULT", "1.2", "AES256", label] => Some(label.escape_debug().to_string()),
            ["$ANSIBLE_VAULT", "1.0", ..] => {
                return Err("it is of version 1.0, which cannot be checked for changes".to_owned());
            }
            _ => {
                return Err(
                    "its first line is not `$ANSIBLE_VAULT;1.1;AES256`, nor of version 1.2".to_owned()
                );
            }
        };
        let inner =
            unhex(&lines.collect::<String>()).ok_or("a character in it is no hex, or one is missing")?;
        let mut parts = inner
            .split(|byte| *byte == b'\n')
            .map(|part| std::str::from_utf8(part).ok().and_then(unhex).filter(|bytes| !bytes.is_empty()));
        match (parts.next().flatten(), parts.next().flatten(), parts.next().flatten(), parts.next()) {
            (Some(salt), Some(mac), Some(ciphertext), None)
                if mac.len() == 32 && ciphertext.len() % BLOCK == 0 =>
            {
                Ok(Envelope { label, salt, mac, ciphertext })
            }
            _ => Err("its end is cut off, or it was changed".to_owned()),
        }
    }

    /// The padded plain text, where the password is the right one.
    fn open(&self, password: &SecretString) -> Option<Zeroizing<Vec<u8>>> {
        let mut keys = Zeroizing::new([0; 80]);
        let password = password.expose_secret().as_bytes();
        pbkdf2::pbkdf2_hmac::<Sha256>(password, &self.salt, ROUNDS, &mut keys[..]);
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(&keys[32..64]).ok()?;
        mac.update(&self.ciphertext);
        mac.verify_slice(&self.mac).ok()?;
        let mut cipher = ctr::Ctr128BE::<aes::Aes256>::new_from_slices(&keys[..32], &keys[64..]).ok()?;
        let mut plain = Zeroizing::new(self.ciphertext.clone());
        cipher.apply_keystream(&mut plain);
        Some(plain)
    }
}

/// The bytes that hex digits spell.
fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| (byte as char).to_digit(16).map(|digit| digit as u8);
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| Some(digit(pair[0])? << 4 | digit(*pair.get(1)?)?)).collect()
}

/// What stands before the padding: as many bytes as each of them says.
fn unpadded(padded: &[u8]) -> Option<&[u8]> {
    let count = usize::from(*padded.last()?);
    let (plain, padding) = padded.split_at_checked(padded.len().checked_sub(count)?)?;
    let right = (1..=BLOCK).contains(&count) && padding.iter().all(|byte| usize::from(*byte) == count);
    right.then_some(plain)
}

#[cfg(test)]
#[path = "ansible_vault_tests.rs"]
mod tests;
