//! Passphrases: read from the file that `$PQ_PASSPHRASE_FILE` names, else asked for on the terminal, once for each
//! thing that needs one.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use age::scrypt;
use age::secrecy::SecretString;

use crate::{SecretError, terminal};

/// More work than this, as a power of two, is refused: it takes 1 GiB of memory and some seconds. `age -p` uses 18.
const MAX_WORK: u8 = 20;

/// The passphrase of something; `what` is named in the question and in errors.
///
/// # Errors
/// Where there is neither a file nor a terminal, or the file cannot be read.
pub(crate) fn passphrase(what: &str) -> Result<SecretString, SecretError> {
    if let Some(file) = std::env::var_os("PQ_PASSPHRASE_FILE").filter(|value| !value.is_empty()) {
        let file = PathBuf::from(file);
        let text = fs::read_to_string(&file)
            .map_err(|error| SecretError::Read { file, cause: error.to_string() })?;
        return Ok(SecretString::from(text.lines().next().unwrap_or("").to_owned()));
    }
    let typed = |cause: &str| SecretError::NotTyped { what: what.to_owned(), cause: cause.to_owned() };
    match terminal::hidden(&format!("passphrase of {what}: ")) {
        Ok(Some(line)) => Ok(line),
        Ok(None) => Err(typed("the input ended before a line did")),
        Err(error) if error.kind() == ErrorKind::InvalidInput => Err(typed(&error.to_string())),
        Err(error) if error.kind() == ErrorKind::Interrupted => Err(typed("a signal came")),
        Err(_) => Err(SecretError::NoPassphrase { what: what.to_owned() }),
    }
}

/// The key that a passphrase makes.
pub(crate) fn key(passphrase: SecretString) -> scrypt::Identity {
    let mut key = scrypt::Identity::new(passphrase);
    key.set_max_work_factor(MAX_WORK);
    key
}
