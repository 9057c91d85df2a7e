//! What is drawn by chance: identities and passwords. The kernel draws it (`getrandom`, `/dev/urandom`).

use std::fs::File;
use std::io::{self, Read};

use age::secrecy::zeroize::Zeroizing;
use age::secrecy::{ExposeSecret, SecretString};
use age::x25519;

const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// A new identity as the text of an identity file, and its recipient; `time` is when it was made.
pub fn new_identity(time: &str) -> (SecretString, String) {
    let identity = x25519::Identity::generate();
    let recipient = identity.to_public().to_string();
    let key = identity.to_string();
    let key = key.expose_secret();
    (SecretString::from(format!("# created: {time}\n# public key: {recipient}\n{key}\n")), recipient)
}

/// That many letters and digits, each as likely as any other.
///
/// # Errors
/// Where the system gives no random bytes.
pub fn new_password(length: usize) -> io::Result<SecretString> {
    let mut random = File::open("/dev/urandom")?;
    let mut password = String::with_capacity(length);
    let mut bytes = Zeroizing::new([0; 64]);
    while password.len() < length {
        random.read_exact(&mut bytes[..])?;
        // Of 256 values 248 are a multiple of 62: without the rest none is more likely.
        let letters = bytes.iter().filter(|byte| **byte < 248);
        let letters = letters.map(|byte| ALPHABET[usize::from(byte % 62)] as char);
        password.extend(letters.take(length - password.len()));
    }
    Ok(SecretString::from(password))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Identities, Recipients};
    use std::path::Path;

    #[test]
    fn a_new_identity_opens_what_is_encrypted_to_its_recipient() {
        let (text, recipient) = new_identity("2026-11-23T06:42:00Z");
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("identity.txt");
        std::fs::write(&file, text.expose_secret()).unwrap();
        let sealed = Recipients::parse(&recipient, Path::new("r")).unwrap().encrypt(b"a: 1\n", true).unwrap();
        let opened = Identities::load(&[file]).unwrap().decrypt(&sealed, "it").unwrap();
        assert_eq!(opened.expose_secret(), "a: 1\n");
    }

    #[test]
    fn a_password_has_its_length_and_every_letter_comes() {
        for length in [0, 1, 32, 1000] {
            let password = new_password(length).unwrap();
            assert_eq!(password.expose_secret().len(), length);
            assert!(password.expose_secret().bytes().all(|byte| ALPHABET.contains(&byte)));
        }
        let long = new_password(20_000).unwrap();
        assert!(ALPHABET.iter().all(|letter| long.expose_secret().as_bytes().contains(letter)));
        assert_ne!(new_password(32).unwrap().expose_secret(), new_password(32).unwrap().expose_secret());
    }
}
