//! Passphrases: read from a file that was named, else asked for on the terminal, once for each thing that needs one.

use std::io::ErrorKind;
use std::path::Path;

use age::scrypt;
use age::secrecy::SecretString;
use age::secrecy::zeroize::Zeroizing;

use crate::{SecretError, bounded, terminal};

/// Larger files with a passphrase are refused.
const MAX_FILE: u64 = 1 << 20;

/// More work than this, as a power of two, is refused: it takes 1 GiB of memory and some seconds. `age -p` uses 18.
const MAX_WORK: u8 = 20;

/// The passphrase of something; `what` is named in the question and in errors.
///
/// # Errors
/// Where there is neither a file nor a terminal, or the file cannot be read.
pub(crate) fn passphrase(file: Option<&Path>, what: &str) -> Result<SecretString, SecretError> {
    if let Some(file) = file {
        let unread = |cause: String| SecretError::Read { file: file.to_owned(), cause };
        let read = bounded::file_or_pipe(file, MAX_FILE).map_err(|error| unread(error.to_string()))?;
        let bytes = Zeroizing::new(read);
        let text = std::str::from_utf8(&bytes).map_err(|_| unread("it is no UTF-8".to_owned()))?;
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
