//! Opens a host's sealed secrets and puts them where its steps have tokens.

use pq_secrets::{Identities, KeyFiles, SecretError, Vault};
use pq_stream::{Diagnostic, Redactor, Secret};

use crate::work::WorkHost;

/// Opens sealed secrets. The identities are read once, when something is to be opened with them.
#[derive(Debug)]
pub struct Opener<'a> {
    keys: &'a KeyFiles,
    identities: Option<Identities>,
}

impl<'a> Opener<'a> {
    /// One that has read no identity yet.
    pub fn new(keys: &'a KeyFiles) -> Self {
        Opener { keys, identities: None }
    }

    /// The secrets of a host, opened; nothing where it has none.
    ///
    /// # Errors
    /// Where they cannot be opened; nothing was touched.
    pub fn vault(&mut self, host: &WorkHost) -> Result<Option<Vault>, Diagnostic> {
        host.secret.as_ref().map(|secret| self.unsealed(&host.host.host, secret)).transpose()
    }

    /// Sealed secrets of a host, opened.
    ///
    /// # Errors
    /// Where they cannot be opened; nothing was touched.
    pub fn unsealed(&mut self, name: &str, secret: &Secret) -> Result<Vault, Diagnostic> {
        let untouched = |error: SecretError| error.diagnostic().hint("nothing was touched");
        let identities = match &self.identities {
            Some(identities) => identities,
            None => self.identities.insert(Identities::of(self.keys).map_err(untouched)?),
        };
        let what = format!("the secrets of host `{name}`");
        let values = pq_secrets::open(&secret.sealed, identities, &what).map_err(untouched)?;
        Ok(Vault::new(name, values))
    }
}

/// Whether a step of the host needs a secret.
pub fn needed(host: &WorkHost) -> bool {
    host.steps.iter().any(|planned| !planned.record.secrets.is_empty())
}

/// Fills in the secrets of a host's steps. A host whose steps need none is not opened: no identity is asked for.
///
/// # Errors
/// Where the sealed values cannot be opened, or a step cannot be filled in; nothing was touched.
pub fn open(host: &mut WorkHost, opener: &mut Opener<'_>) -> Result<Redactor, Diagnostic> {
    let mut redactor = Redactor::default();
    if !needed(host) {
        return Ok(redactor);
    }
    let Some(vault) = opener.vault(host)? else { return Ok(redactor) };
    vault.teach(&mut redactor);
    fill(host, |text| vault.fill(text, &mut redactor).map_err(|error| error.diagnostic()))?;
    Ok(redactor)
}

/// Gives every text with tokens to `filled`, and puts what it answers in its place.
///
/// # Errors
/// What `filled` answers, with the step named.
pub fn fill(
    host: &mut WorkHost,
    mut filled: impl FnMut(&str) -> Result<String, Diagnostic>,
) -> Result<(), Diagnostic> {
    let name = host.host.host.clone();
    for planned in &mut host.steps {
        for text in planned.step.texts().into_iter().filter(|text| text.is_secret()) {
            let value = filled(text.as_str()).map_err(|inner| Diagnostic {
                message: format!(
                    "cannot fill in the secrets of step `{}` of host `{name}`",
                    planned.record.id
                ),
                place: None,
                causes: [vec![inner.message], inner.causes].concat(),
                hints: [inner.hints, vec!["nothing was touched".to_owned()]].concat(),
            })?;
            text.fill(value);
        }
    }
    Ok(())
}
