//! The password of `sudo`: from the host's variables, where it may be a secret, else as it was typed.

use std::collections::BTreeSet;

use pq_cli::Failure;
use pq_run::Opener;
use pq_secrets::{ExposeSecret, SecretString, Vault, terminal};
use pq_stream::{Diagnostic, Secret};

use crate::login::{Login, Password, Sudo};
use crate::secrets::{filled, put, tokens};

/// Asks for it on the terminal, for all hosts whose inventory has none.
///
/// # Errors
/// Where there is no terminal, or no answer; nothing was touched.
pub fn ask() -> Result<SecretString, Failure> {
    let refused =
        |cause: String| {
            Failure::input(Diagnostic::new("cannot ask for the password of sudo").cause(cause).hint(
                "without a terminal, set `ansible_become_password` in an age file; nothing was touched",
            ))
        };
    match terminal::hidden("password for sudo on the other machines: ") {
        Ok(Some(password)) => Ok(password),
        Ok(None) => Err(refused("the input ended".to_owned())),
        Err(error) => Err(refused(error.to_string())),
    }
}

/// The text of the inventory's password, where a secret stands in it.
pub fn is_secret(login: &Login) -> bool {
    matches!(&login.sudo, Sudo::Allowed(Some(Password(text))) if pq_stream::holds_token(text))
}

/// The password for a host; `vault` holds its secrets, where [`is_secret`].
///
/// # Errors
/// Where it cannot be filled in, or is none; nothing was touched.
pub fn of(
    login: &Login,
    vault: Option<&Vault>,
    asked: Option<&SecretString>,
) -> Result<Option<Password>, Diagnostic> {
    let text = match &login.sudo {
        Sudo::Forbidden => return Ok(None),
        Sudo::Allowed(None) => return Ok(asked.map(|it| Password(it.expose_secret().to_owned()))),
        Sudo::Allowed(Some(Password(text))) => text,
    };
    let refused = |cause: String| {
        Diagnostic::new(format!("cannot use variable `ansible_become_password` of host `{}`", login.host))
            .cause(cause)
            .hint("nothing was touched")
    };
    if !pq_stream::holds_token(text) {
        return Ok(Some(Password(text.clone())));
    }
    let vault = vault.ok_or_else(|| refused("the stream holds no secret for this host".to_owned()))?;
    let mut found = BTreeSet::new();
    let password = tokens(text, &mut found)
        .and_then(|()| filled(&found, vault))
        .and_then(|filled| put(text, &filled.values))
        .map_err(|error| refused(error.to_string()))?;
    match password.contains(['\n', '\r', '\0']) {
        true => Err(refused("a password is one line".to_owned())),
        false => Ok(Some(Password(password))),
    }
}

/// A host's secrets, opened, where it has any.
///
/// # Errors
/// Where they cannot be opened; nothing was touched.
pub fn vault(
    host: &str,
    sealed: Option<&Secret>,
    opener: &mut Opener<'_>,
) -> Result<Option<Vault>, Diagnostic> {
    sealed.map(|sealed| opener.unsealed(host, sealed)).transpose()
}
