//! The secrets that a machine gets: what its steps have tokens for, filled in here.
//!
//! The values of tokens travel, not the variables that they are made of: no other machine's password can be derived
//! on a machine from `master_key`, and where a hash is wanted, the password itself stays here.

use std::collections::{BTreeMap, BTreeSet};

use pq_secrets::Vault;
use pq_stream::{Diagnostic, Piece, Redactor, Sink, Source, Token, pieces};

/// What a machine gets.
#[derive(Default)]
pub struct Filled {
    /// Token to value.
    pub values: BTreeMap<String, String>,
    /// Names and values that must not be shown.
    pub hidden: Vec<(String, String)>,
    /// Takes all of the host's secrets out of what is shown here.
    pub redactor: Redactor,
}

/// The tokens of a text.
///
/// # Errors
/// Where something only begins like one.
pub fn tokens(text: &str, found: &mut BTreeSet<String>) -> Result<(), Diagnostic> {
    for piece in pieces(text).map_err(|error| Diagnostic::new(error.to_string()))? {
        if let Piece::Token(token) = piece {
            found.insert(token.to_string());
        }
    }
    Ok(())
}

/// Fills the tokens of a host in.
///
/// # Errors
/// Where a secret is missing, or a value cannot be written as its sink demands.
pub fn filled(tokens: &BTreeSet<String>, vault: &Vault) -> Result<Filled, Diagnostic> {
    let mut all = Filled::default();
    vault.teach(&mut all.redactor);
    for text in tokens {
        let mut fill = |text: &str| vault.fill(text, &mut all.redactor).map_err(|error| error.diagnostic());
        let value = fill(text)?;
        let found = pieces(text).map_err(|error| Diagnostic::new(error.to_string()))?;
        for piece in found {
            let Piece::Token(Token { source, sinks }) = piece else { continue };
            let name = match &source {
                Source::Named(name) => name.clone(),
                Source::Derived { scope, name, .. } => format!("{scope}/{name}"),
            };
            let shown = match sinks.into_iter().any(Sink::salted) {
                true => value.clone(),
                false => fill(&Token { source, sinks: Vec::new() }.to_string())?,
            };
            all.hidden.push((name, shown));
        }
        all.values.insert(text.clone(), value);
    }
    Ok(all)
}

/// A text with what came in the places of its tokens.
///
/// # Errors
/// Where a value did not come.
pub fn put(text: &str, values: &BTreeMap<String, String>) -> Result<String, Diagnostic> {
    let mut out = String::with_capacity(text.len());
    for piece in pieces(text).map_err(|error| Diagnostic::new(error.to_string()))? {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Token(token) => match values.get(&token.to_string()) {
                Some(value) => out.push_str(value),
                None => return Err(Diagnostic::new(format!("the value of `{token}` did not come"))),
            },
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pq_secrets::{SecretString, Values};

    fn vault() -> Vault {
        let value = |(name, text): (&str, &str)| (name.to_owned(), SecretString::from(text.to_owned()));
        Vault::new("web", Values::from([("pw", "it's secret"), ("master_key", "a master key")].map(value)))
    }

    #[test]
    fn what_is_filled_in_there_is_what_is_filled_in_here() {
        let text = "a @secret{pw|php} b @secret{derive:web/wiki/admin#1} c @secret{pw|bcrypt}";
        let mut found = BTreeSet::new();
        tokens(text, &mut found).unwrap();
        let filled = filled(&found, &vault()).unwrap();
        assert_eq!(put(text, &filled.values).unwrap(), vault().fill(text, &mut Redactor::default()).unwrap());
        assert!(put("@secret{other}", &filled.values).is_err());
    }

    #[test]
    fn neither_the_master_key_nor_a_password_that_is_hashed_travels() {
        let mut found = BTreeSet::new();
        tokens("@secret{derive:web/wiki/admin#1|bcrypt} @secret{pw|sha512crypt}", &mut found).unwrap();
        let filled = filled(&found, &vault()).unwrap();
        let sent = format!("{:?} {:?}", filled.values, filled.hidden);
        assert!(!sent.contains("a master key") && !sent.contains("it's secret"), "{sent}");
        assert_eq!(filled.redactor.redact("it's secret"), "<secret pw>");
    }
}
