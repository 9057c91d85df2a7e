//! Recipients: the public keys to which secrets are encrypted.

use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use age::armor::{ArmoredWriter, Format};
use age::ssh::{ParseRecipientKeyError, Recipient as Ssh};
use age::{Encryptor, Recipient, x25519};

use crate::{SecretError, bounded};

/// Larger files of keys are refused.
pub(crate) const MAX_KEYS: u64 = 1 << 20;

/// Who may open what is sealed.
#[derive(Default)]
pub struct Recipients {
    keys: Vec<Key>,
}

/// A public key: as it is written, without a comment, and as what encrypts.
type Key = (String, Box<dyn Recipient + Send + Sync>);

impl fmt::Debug for Recipients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recipients({})", self.keys.len())
    }
}

impl Recipients {
    /// Reads a recipients file (`.age-recipients`): one `age1…` or `ssh-ed25519 …` a line, `#` begins a comment.
    ///
    /// # Errors
    /// Where it cannot be read, or a line is no recipient.
    pub fn load(file: &Path) -> Result<Self, SecretError> {
        match Recipients::text(file)? {
            Some(text) => Recipients::parse(&text, file),
            None => {
                Err(SecretError::Read { file: file.to_owned(), cause: "there is no such file".to_owned() })
            }
        }
    }

    /// The text of a recipients file; nothing where there is no file.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn text(file: &Path) -> Result<Option<String>, SecretError> {
        let unread = |cause: String| SecretError::Read { file: file.to_owned(), cause };
        match bounded::file(file, MAX_KEYS) {
            Ok(bytes) => match String::from_utf8(bytes) {
                Ok(text) => Ok(Some(text)),
                Err(_) => Err(unread("it is no UTF-8".to_owned())),
            },
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(unread(error.to_string())),
        }
    }

    /// Reads the text of a recipients file; `file` is for errors.
    ///
    /// # Errors
    /// Where a line is no recipient.
    pub fn parse(text: &str, file: &Path) -> Result<Self, SecretError> {
        let lines = text.lines().map(str::trim).enumerate();
        let keys = lines
            .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
            .map(|(at, line)| {
                parse(line).map_err(|cause| SecretError::Recipient {
                    file: PathBuf::from(file),
                    line: at + 1,
                    cause,
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(Recipients { keys })
    }

    /// Those of them that are among others as well.
    pub fn among(mut self, others: &Recipients) -> Self {
        self.keys.retain(|(key, _)| others.keys.iter().any(|(other, _)| other == key));
        self
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Encrypts to all of them; `armored` gives the form that survives mail and git.
    ///
    /// # Errors
    /// Where there are none.
    pub fn encrypt(&self, plain: &[u8], armored: bool) -> Result<Vec<u8>, SecretError> {
        let keys = self.keys.iter().map(|(_, key)| &**key as &dyn Recipient);
        let encryptor = Encryptor::with_recipients(keys).map_err(|_| SecretError::NoRecipients)?;
        let format = if armored { Format::AsciiArmor } else { Format::Binary };
        let write = || -> io::Result<Vec<u8>> {
            let mut out = encryptor.wrap_output(ArmoredWriter::wrap_output(Vec::new(), format)?)?;
            out.write_all(plain)?;
            out.finish()?.finish()
        };
        // Writing into memory fails only where the library itself does.
        write().map_err(|error| SecretError::Damaged {
            what: "what was encrypted".to_owned(),
            cause: error.to_string(),
        })
    }
}

fn parse(line: &str) -> Result<Key, String> {
    if line.starts_with("ssh-") {
        return match line.parse::<Ssh>() {
            Ok(key @ Ssh::SshEd25519(..)) => Ok((key.to_string(), Box::new(key))),
            Ok(_) | Err(ParseRecipientKeyError::RsaModulusTooLarge) => {
                Err("of ssh keys only those of type ed25519 are used".to_owned())
            }
            Err(_) => Err("it is no ssh key of type ed25519".to_owned()),
        };
    }
    match line.parse::<x25519::Recipient>() {
        Ok(key) => Ok((key.to_string(), Box::new(key))),
        Err(_) if line.starts_with("AGE-SECRET-KEY") => {
            Err("it is an identity, which must stay secret; its recipient begins with `age1`".to_owned())
        }
        Err(cause) => Err(cause.to_owned()),
    }
}
