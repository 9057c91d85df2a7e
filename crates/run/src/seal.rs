//! Opens a host's sealed secrets and puts them where its steps have tokens.

use pq_secrets::{Identities, KeyFiles, SecretError, Vault};
use pq_stream::{Diagnostic, Redactor};

use crate::work::WorkHost;

/// Fills in the secrets of a host's steps. A host whose steps need none is not opened: no identity is asked for.
///
/// # Errors
/// Where the sealed values cannot be opened, or a step cannot be filled in; nothing was touched.
pub fn open(host: &mut WorkHost, keys: &KeyFiles) -> Result<Redactor, Diagnostic> {
    let mut redactor = Redactor::default();
    let name = host.host.host.clone();
    let untouched = |error: SecretError| error.diagnostic().hint("nothing was touched");
    let Some(secret) = &host.secret else { return Ok(redactor) };
    if host.steps.iter().all(|planned| planned.record.secrets.is_empty()) {
        return Ok(redactor);
    }
    let identities = Identities::of(keys).map_err(untouched)?;
    let values = pq_secrets::open(&secret.sealed, &identities, &format!("the secrets of host `{name}`"))
        .map_err(untouched)?;
    let vault = Vault::new(&name, values);
    vault.teach(&mut redactor);
    for planned in &mut host.steps {
        for text in planned.step.texts().into_iter().filter(|text| text.is_secret()) {
            let filled = vault.fill(text.as_str(), &mut redactor).map_err(|error| {
                let inner = error.diagnostic();
                Diagnostic {
                    message: format!(
                        "cannot fill in the secrets of step `{}` of host `{name}`",
                        planned.record.id
                    ),
                    place: None,
                    causes: [vec![inner.message], inner.causes].concat(),
                    hints: [inner.hints, vec!["nothing was touched".to_owned()]].concat(),
                }
            })?;
            text.fill(filled);
        }
    }
    Ok(redactor)
}
