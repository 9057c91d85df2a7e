//! One host's opened secrets: puts values where tokens stand.

use std::fmt;

use age::secrecy::{ExposeSecret, SecretString};
use pq_stream::{MASTER_KEY, Piece, Redactor, Sink, Source, Token, pieces};
use sha_crypt::password_hash::CustomizedPasswordHasher;

use crate::derive::{derive, salt};
use crate::{SecretError, Values};

/// Work of a bcrypt hash, as a power of two: what PHP took by default until 8.4; a login stays below 0.1 s.
const BCRYPT_COST: u32 = 10;

/// One host's opened secrets.
pub struct Vault {
    host: String,
    values: Values,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("host", &self.host).field("names", &self.values.keys()).finish()
    }
}

impl Vault {
    /// The secrets of a host; its name is part of the salts.
    pub fn new(host: &str, values: Values) -> Self {
        Vault { host: host.to_owned(), values }
    }

    /// The names of the secrets.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    /// Teaches a redactor every value.
    pub fn teach(&self, redactor: &mut Redactor) {
        for (name, value) in &self.values {
            redactor.add(name, value.expose_secret());
        }
    }

    /// A text with the values in the places of its tokens; the redactor learns every value that was made on the way.
    ///
    /// # Errors
    /// Where a secret is missing, or a value cannot be written as its sink demands.
    pub fn fill(&self, text: &str, redactor: &mut Redactor) -> Result<String, SecretError> {
        let found = pieces(text).map_err(|error| SecretError::Token { cause: error.to_string() })?;
        let mut out = String::with_capacity(text.len());
        for piece in found {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Token(token) => out.push_str(&self.value(&token, redactor)?),
            }
        }
        Ok(out)
    }

    fn value(&self, token: &Token, redactor: &mut Redactor) -> Result<String, SecretError> {
        let plain = Token { source: token.source.clone(), sinks: Vec::new() };
        let (name, secret) = match &token.source {
            Source::Named(name) => (name.clone(), self.named(name)?.clone()),
            Source::Derived { scope, name, generation } => {
                (format!("{scope}/{name}"), derive(self.named(MASTER_KEY)?, scope, name, *generation))
            }
        };
        redactor.add(&name, secret.expose_secret());
        let mut value = secret.expose_secret().to_owned();
        for sink in &token.sinks {
            value = match sink.escape(&value) {
                Some(escaped) => escaped,
                None => {
                    let salt = salt(self.named(MASTER_KEY)?, *sink, &self.host, &plain.to_string());
                    let hash = hashed(*sink, &value, salt).map_err(|cause| SecretError::Sink {
                        name: name.clone(),
                        sink: sink.name(),
                        cause,
                    })?;
                    redactor.add(&name, &hash);
                    hash
                }
            };
        }
        Ok(value)
    }

    fn named(&self, name: &str) -> Result<&SecretString, SecretError> {
        self.values.get(name).ok_or_else(|| SecretError::Missing { name: name.to_owned() })
    }
}

/// The hash of a value.
fn hashed(sink: Sink, value: &str, salt: [u8; 16]) -> Result<String, &'static str> {
    if value.contains('\0') {
        return Err("it holds a NUL byte, at which passwords end");
    }
    let bcrypt = |version| {
        bcrypt::non_truncating_hash_with_salt(value, BCRYPT_COST, salt)
            .map(|parts| parts.format_for_version(version))
            .map_err(|_| "it is longer than the 71 bytes that bcrypt takes")
    };
    match sink {
        Sink::Bcrypt => bcrypt(bcrypt::Version::TwoB),
        Sink::Htpasswd => bcrypt(bcrypt::Version::TwoY),
        _ => sha_crypt::ShaCrypt::SHA512
            // 12 bytes are the 16 characters that a salt may have.
            .hash_password_customized(
                value.as_bytes(),
                &salt[..12],
                None,
                None,
                sha_crypt::Params::RECOMMENDED,
            )
            .map(|hash| hash.to_string())
            .map_err(|_| "the hash could not be made"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vault(host: &str) -> Vault {
        let value = |text: &str| SecretString::from(text.to_owned());
        let values = [("pw", "it's \"é\""), (MASTER_KEY, "a master key")];
        Vault::new(host, values.into_iter().map(|(name, text)| (name.to_owned(), value(text))).collect())
    }

    fn fill(text: &str) -> Result<String, SecretError> {
        vault("demo").fill(text, &mut Redactor::default())
    }

    #[test]
    fn tokens_are_filled_in_with_their_sinks_from_left_to_right() {
        assert_eq!(
            fill("a @secret{pw|php}; b @secret{pw|base64|sh}").unwrap(),
            "a 'it\\'s \"é\"'; b 'aXQncyAiw6ki'"
        );
        assert_eq!(fill("no token").unwrap(), "no token");
        let derived = fill("@secret{derive:demo/wiki/admin#1}").unwrap();
        assert_eq!(derived, "o9HJv099hgyZ0Cg9GldfloYyPsUBiYNi");
    }

    #[test]
    fn a_hash_is_the_same_each_time_and_another_on_another_host() {
        let text = "@secret{pw|htpasswd} @secret{pw|bcrypt} @secret{pw|sha512crypt}";
        let first = fill(text).unwrap();
        assert_eq!(first, fill(text).unwrap());
        assert_ne!(first, vault("prod").fill(text, &mut Redactor::default()).unwrap());
        let hashes: Vec<&str> = first.split(' ').collect();
        assert!(
            hashes[0].starts_with("$2y$10$")
                && hashes[1].starts_with("$2b$10$")
                && hashes[2].starts_with("$6$")
        );
        for hash in &hashes[..2] {
            assert!(bcrypt::verify("it's \"é\"", hash).unwrap());
        }
        let parts: Vec<&str> = hashes[2].split('$').collect();
        assert_eq!((parts.len(), parts[3].len(), parts[4].len()), (5, 16, 86), "{}", hashes[2]);
    }

    #[test]
    fn what_is_filled_in_is_redacted() {
        let mut redactor = Redactor::default();
        let shown = vault("demo")
            .fill("@secret{pw} @secret{derive:demo/wiki/admin#1} @secret{pw|bcrypt}", &mut redactor);
        assert_eq!(redactor.redact(&shown.unwrap()), "<secret pw> <secret demo/wiki/admin> <secret pw>");
        assert!(!format!("{:?}", vault("demo")).contains("it's"));
    }

    #[test]
    fn a_missing_secret_is_named() {
        assert_eq!(fill("@secret{nope}"), Err(SecretError::Missing { name: "nope".to_owned() }));
        let none = Vault::new("demo", Values::new());
        let error = none.fill("@secret{derive:demo/wiki/admin#1}", &mut Redactor::default());
        assert_eq!(error, Err(SecretError::Missing { name: MASTER_KEY.to_owned() }));
        assert!(matches!(fill("@secret{"), Err(SecretError::Token { .. })));
    }

    #[test]
    fn a_value_that_bcrypt_would_cut_is_refused() {
        let long = Values::from([
            ("pw".to_owned(), SecretString::from("x".repeat(80))),
            (MASTER_KEY.to_owned(), SecretString::from("k".to_owned())),
        ]);
        let error = Vault::new("h", long).fill("@secret{pw|bcrypt}", &mut Redactor::default());
        assert!(matches!(error, Err(SecretError::Sink { sink: "bcrypt", .. })), "{error:?}");
    }
}
