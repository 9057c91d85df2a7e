//! Credentials and salts derived from `master_key`.
//!
//! Both are HKDF-SHA256 (RFC 5869) with the salt `paquerette` and `master_key`'s bytes as key material. The info
//! is the purpose and its parts joined by NUL bytes, then a block number, so no two purposes can meet:
//!
//! - a credential: `derive v1`, scope, name, generation; its 32 characters are the output's bytes below 248,
//!   each modulo 62, in `A-Z a-z 0-9`: 190 bits;
//! - a salt: `salt v1`, sink, host, the token without its sinks; its 16 bytes are the output's first.

use hkdf::Hkdf;
use sha2::Sha256;

use age::secrecy::{ExposeSecret, SecretString};
use pq_stream::Sink;

const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Characters of a derived credential.
const LENGTH: usize = 32;

/// A block of HKDF output for a purpose.
fn block(master_key: &SecretString, purpose: &[&str], number: u32) -> [u8; 64] {
    let mut info = purpose.join("\0").into_bytes();
    info.push(0);
    info.extend(number.to_be_bytes());
    let mut out = [0; 64];
    let hkdf = Hkdf::<Sha256>::new(Some(b"paquerette"), master_key.expose_secret().as_bytes());
    // 64 bytes are far below HKDF's limit of 8160, the only error there is.
    hkdf.expand(&info, &mut out).unwrap_or_default();
    out
}

/// The credential of that scope, name and generation: 32 letters and digits.
pub fn derive(master_key: &SecretString, scope: &str, name: &str, generation: u32) -> SecretString {
    let generation = generation.to_string();
    let purpose = ["derive v1", scope, name, &generation];
    let bytes = (0..).flat_map(|number| block(master_key, &purpose, number));
    let letters = bytes.filter(|byte| *byte < 248).map(|byte| ALPHABET[usize::from(byte % 62)] as char);
    SecretString::from(letters.take(LENGTH).collect::<String>())
}

/// The salt with which a host hashes a secret: the same value gives the same hash there, and another elsewhere.
pub fn salt(master_key: &SecretString, sink: Sink, host: &str, token: &str) -> [u8; 16] {
    let out = block(master_key, &["salt v1", sink.name(), host, token], 0);
    let mut salt = [0; 16];
    salt.copy_from_slice(&out[..16]);
    salt
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with Python's `hmac` from the description above.
    #[test]
    fn credentials_are_those_of_the_description() {
        let key = SecretString::from("a master key".to_owned());
        let derived =
            |scope, name, generation| derive(&key, scope, name, generation).expose_secret().to_owned();
        assert_eq!(derived("demo/wiki", "admin", 1), "o9HJv099hgyZ0Cg9GldfloYyPsUBiYNi");
        assert_eq!(derived("demo/wiki", "admin", 2), "LZaD1y3KQLXO4doeAtb7uEwkPLbWotmO");
        assert_eq!(derived("demo/dav", "admin", 1), "WnY89d56yRBcbbazLJF0ivngWTqAnXxr");
    }

    #[test]
    fn a_salt_differs_by_host_token_and_sink() {
        let key = SecretString::from("a master key".to_owned());
        let hex = |salt: [u8; 16]| salt.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let first = hex(salt(&key, Sink::Bcrypt, "demo", "@secret{pw}"));
        assert_eq!(first, "1675b08a5ab293afb7fbd1292bba9de5");
        assert_ne!(first, hex(salt(&key, Sink::Bcrypt, "prod", "@secret{pw}")));
        assert_ne!(first, hex(salt(&key, Sink::Htpasswd, "demo", "@secret{pw}")));
        assert_ne!(first, hex(salt(&key, Sink::Bcrypt, "demo", "@secret{pw2}")));
    }
}
