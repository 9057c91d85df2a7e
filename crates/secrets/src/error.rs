//! What can be wrong with secrets and the files they lie in.

use std::fmt;
use std::path::PathBuf;

use pq_stream::Diagnostic;

/// What can be wrong with secrets. No variant holds a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretError {
    /// A file that was named could not be read.
    Read {
        /// The file.
        file: PathBuf,
        /// What the system said.
        cause: String,
    },
    /// A file that should hold identities holds something else, or none.
    Identity {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// A line that should be a recipient is none.
    Recipient {
        /// The file.
        file: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        cause: String,
    },
    /// Nothing can be sealed, since nobody is there who could open it.
    NoRecipients,
    /// There is no identity to open anything with.
    NoIdentity {
        /// What should have been opened, as in "`group_vars/all/secrets.yml.age`".
        what: String,
    },
    /// None of the identities opens it.
    Locked {
        /// What should have been opened.
        what: String,
        /// The kinds of its recipients, such as `X25519`.
        recipients: Vec<String>,
    },
    /// It is no age message, or a damaged one.
    Damaged {
        /// What should have been opened.
        what: String,
        /// What is wrong with it.
        cause: String,
    },
    /// It is encrypted with a passphrase, and there is none.
    NoPassphrase {
        /// What should have been opened.
        what: String,
    },
    /// It is encrypted with a passphrase, and none was typed where it was asked for.
    NotTyped {
        /// What should have been opened.
        what: String,
        /// What came instead.
        cause: String,
    },
    /// The passphrase does not open it.
    WrongPassphrase {
        /// What should have been opened.
        what: String,
    },
    /// Opening it would take more work than is allowed.
    TooMuchWork {
        /// What should have been opened.
        what: String,
        /// The work, as a power of two.
        factor: u8,
    },
    /// A file that should hold the password of ansible-vault holds none that can be used.
    VaultPassword {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        cause: &'static str,
    },
    /// There is no password to open with what ansible-vault encrypted.
    NoVaultPassword {
        /// What should have been opened.
        what: String,
    },
    /// None of the passwords opens what ansible-vault encrypted.
    VaultLocked {
        /// What should have been opened.
        what: String,
        /// The label of the password, where it names one.
        label: Option<String>,
    },
    /// It begins as what ansible-vault encrypted does, and is damaged or of another version.
    VaultDamaged {
        /// What should have been opened.
        what: String,
        /// What is wrong with it.
        cause: String,
    },
    /// A token names a secret that is not there.
    Missing {
        /// Its name.
        name: String,
    },
    /// A text holds what only looks like a token.
    Token {
        /// What is wrong with it.
        cause: String,
    },
    /// A value cannot be written as a sink demands.
    Sink {
        /// The secret's name.
        name: String,
        /// The sink.
        sink: &'static str,
        /// Why not.
        cause: &'static str,
    },
}

impl SecretError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        const PASS: &str = "pass the right one with `--identity FILE`, or set `PQ_IDENTITY`";
        Some(match self {
            SecretError::Read { .. } => "check the path, and who may read the file".to_owned(),
            SecretError::Identity { .. } => {
                "an identity file is what `age-keygen` writes, or an ssh key of type ed25519".to_owned()
            }
            SecretError::Recipient { .. } => {
                "write one recipient a line: `age1…` or `ssh-ed25519 …`".to_owned()
            }
            SecretError::NoRecipients => {
                "`pq-secret keygen --add` makes an identity of yours and lists it in `.age-recipients` of the inventory; others are one `age1…` a line".to_owned()
            }
            SecretError::NoIdentity { .. } => format!(
                "{PASS}; without either, `~/.config/paquerette/identity.txt` is used, which `pq-secret keygen` makes"
            ),
            SecretError::NoPassphrase { .. } => {
                "run it on a terminal, or name a file with the passphrase in `PQ_PASSPHRASE_FILE`".to_owned()
            }
            SecretError::NotTyped { .. } => {
                "run again, and type it, or name a file with the passphrase in `PQ_PASSPHRASE_FILE`".to_owned()
            }
            SecretError::WrongPassphrase { .. } => {
                "run again, and type it once more; see what `PQ_PASSPHRASE_FILE` names".to_owned()
            }
            SecretError::TooMuchWork { .. } => {
                "encrypt it anew with `age -p`, whose work factor is 18".to_owned()
            }
            SecretError::Locked { .. } => format!(
                "{PASS}; where none is right, have one of yours listed: `pq-secret keygen` makes it"
            ),
            SecretError::Damaged { .. } => "restore the file from a copy or from git".to_owned(),
            SecretError::VaultPassword { .. } => {
                "write the password alone into a file that is not executable, as in `chmod 0600 FILE`".to_owned()
            }
            SecretError::NoVaultPassword { .. } => {
                "pass the file that holds its password with `--vault-password-file FILE`, or set `ANSIBLE_VAULT_PASSWORD_FILE`".to_owned()
            }
            SecretError::VaultLocked { .. } => {
                "see whether `ansible-vault view` opens it with the same password; else restore the file".to_owned()
            }
            SecretError::VaultDamaged { .. } => {
                "restore the file from a copy or from git; `ansible-vault rekey` renews one of an old version"
                    .to_owned()
            }
            SecretError::Missing { name } => format!(
                "set `{name}` in an age file of the inventory, such as `group_vars/all/secrets.yml.age`"
            ),
            SecretError::Token { .. } => return None,
            SecretError::Sink { .. } => "choose a shorter or simpler value".to_owned(),
        })
    }

    /// The error as people read it.
    pub fn diagnostic(&self) -> Diagnostic {
        let mut diagnostic = Diagnostic::new(self.to_string());
        diagnostic.causes = self.causes();
        diagnostic.hints.extend(self.hint());
        diagnostic
    }

    fn causes(&self) -> Vec<String> {
        match self {
            SecretError::Read { cause, .. }
            | SecretError::Identity { cause, .. }
            | SecretError::Recipient { cause, .. }
            | SecretError::Token { cause }
            | SecretError::NotTyped { cause, .. }
            | SecretError::VaultDamaged { cause, .. }
            | SecretError::Damaged { cause, .. } => vec![cause.clone()],
            SecretError::Sink { cause, .. } | SecretError::VaultPassword { cause, .. } => {
                vec![(*cause).to_owned()]
            }
            SecretError::VaultLocked { label, .. } => {
                let label = label.as_ref().map(|label| format!("it wants the password of `{label}`"));
                let wrong = "the password is wrong, or the file was changed".to_owned();
                [wrong].into_iter().chain(label).collect()
            }
            SecretError::Locked { recipients, .. } => {
                vec![format!("it is encrypted to recipients of type {}", recipients.join(", "))]
            }
            SecretError::TooMuchWork { factor, .. } => {
                vec![format!("its work factor is {factor}, and at most 20 are allowed")]
            }
            SecretError::NoPassphrase { .. } => {
                vec!["there is no terminal to ask on, and `PQ_PASSPHRASE_FILE` is not set".to_owned()]
            }
            SecretError::NoRecipients
            | SecretError::WrongPassphrase { .. }
            | SecretError::NoIdentity { .. }
            | SecretError::NoVaultPassword { .. }
            | SecretError::Missing { .. } => vec![],
        }
    }
}

impl fmt::Display for SecretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SecretError::Read { file, .. } => write!(f, "cannot read `{}`", file.display()),
            SecretError::Identity { file, .. } => write!(f, "`{}` holds no identity", file.display()),
            SecretError::Recipient { file, line, .. } => {
                write!(f, "{}:{line}:1: this is no recipient", file.display())
            }
            SecretError::NoRecipients => {
                f.write_str("the inventory has secrets and names nobody who may open them")
            }
            SecretError::NoIdentity { what } => write!(f, "there is no identity to open {what} with"),
            SecretError::Locked { what, .. } => write!(f, "none of the identities opens {what}"),
            SecretError::NoPassphrase { what } => write!(f, "{what} is encrypted with a passphrase"),
            SecretError::NotTyped { what, .. } => write!(f, "no passphrase of {what} was given"),
            SecretError::WrongPassphrase { what } => write!(f, "the passphrase does not open {what}"),
            SecretError::TooMuchWork { what, .. } => write!(f, "opening {what} would take too long"),
            SecretError::Damaged { what, .. } => write!(f, "{what} is no whole age file"),
            SecretError::VaultPassword { file, .. } => {
                write!(f, "`{}` holds no password of ansible-vault", file.display())
            }
            SecretError::NoVaultPassword { what } => {
                write!(f, "{what} is encrypted with ansible-vault, and there is no password")
            }
            SecretError::VaultLocked { what, .. } => write!(f, "no password of ansible-vault opens {what}"),
            SecretError::VaultDamaged { what, .. } => {
                write!(f, "{what} is nothing that ansible-vault can open")
            }
            SecretError::Missing { name } => write!(f, "there is no secret `{name}`"),
            SecretError::Token { .. } => f.write_str("a text holds what only looks like a secret's token"),
            SecretError::Sink { name, sink, .. } => {
                write!(f, "secret `{name}` cannot be written with `{sink}`")
            }
        }
    }
}

impl std::error::Error for SecretError {}
