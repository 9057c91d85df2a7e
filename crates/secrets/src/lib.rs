//! Secrets: age files and who may open them, sealing for the stream, derivation, and filling tokens in.
//!
//! It prints nothing and knows no inventory. No value is ever shown: values live in [`SecretString`]s, which
//! are wiped when dropped, errors name secrets and files, and `Debug` of what holds values tells their names only.

mod ansible_vault;
pub mod bounded;
mod derive;
mod draft;
mod error;
mod header;
mod identity;
mod key_files;
mod make;
mod passphrase;
mod recipients;
mod seal;
pub mod store;
pub mod terminal;
mod vault;

pub use age::secrecy::{ExposeSecret, SecretString};
use ansible_vault::vault_password_files;
pub use ansible_vault::{VaultPasswords, is_ansible_vault};
pub use derive::{derive, salt};
pub use draft::{Draft, LeftDraft, left_drafts, private_directory};
pub use error::SecretError;
pub use header::{Header, Listed};
pub use identity::Identities;
use identity::identity_files;
pub use key_files::KeyFiles;
pub use make::{new_identity, new_password};
pub use recipients::Recipients;
pub use seal::{Values, is_age, open, seal};
pub use vault::Vault;
