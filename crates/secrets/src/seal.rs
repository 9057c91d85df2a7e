//! Opening age files, and sealing a host's values for the stream.

use std::collections::BTreeMap;
use std::io::Read;

use age::armor::ArmoredReader;
use age::secrecy::zeroize::Zeroizing;
use age::secrecy::{ExposeSecret, SecretString};
use age::{DecryptError, Decryptor};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::passphrase::key;
use crate::{Identities, Recipients, SecretError};

/// Secret values by name.
pub type Values = BTreeMap<String, SecretString>;

/// What is decrypted is at most this large.
const MAX_PLAIN: u64 = 16 << 20;

/// More recipients than these are refused.
const MAX_STANZAS: usize = 200;

/// What is sealed has a multiple of so many bytes.
const STEP: usize = 256;

const MAGIC: &[u8] = b"age-encryption.org/";
const ARMOR: &[u8] = b"-----BEGIN AGE ENCRYPTED FILE-----";

/// Whether bytes begin as an age file does.
pub fn is_age(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC) || bytes.trim_ascii_start().starts_with(ARMOR)
}

/// Whether git has left both sides of a conflict.
fn has_conflict(bytes: &[u8]) -> bool {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    lines.any(|line| line.starts_with(b"<<<<<<< ")) && lines.any(|line| line.starts_with(b">>>>>>> "))
}

impl Identities {
    /// Opens an age file, armored or not; `what` names it in errors, as in "`group_vars/all.yml.age`".
    ///
    /// # Errors
    /// Where it is no age file, a damaged one, or none of the identities opens it.
    pub fn decrypt(&self, encrypted: &[u8], what: &str) -> Result<SecretString, SecretError> {
        let damaged = |cause: String| SecretError::Damaged { what: what.to_owned(), cause };
        if has_conflict(encrypted) {
            let cause = "a merge conflict of git stands in it: take one side (`git checkout --ours` or `--theirs`), \
                         then set again what the other side has changed";
            return Err(damaged(cause.to_owned()));
        }
        if !is_age(encrypted) {
            return Err(damaged("it does not begin as an age file does".to_owned()));
        }
        let binary = dearmored(encrypted).map_err(damaged)?;
        let decryptor = Decryptor::new_buffered(&binary[..])
            .map_err(|error| damaged(format!("its header cannot be read: {}", cause_of(&error))))?;
        // Each is tried with each identity.
        if stanzas(&binary) > MAX_STANZAS {
            return Err(damaged(format!("it names more than {MAX_STANZAS} recipients")));
        }
        if self.is_empty() && !decryptor.is_scrypt() {
            return Err(SecretError::NoIdentity { what: what.to_owned() });
        }
        let opened = match decryptor.is_scrypt() {
            true => decryptor.decrypt(std::iter::once(&key(self.passphrase(what)?) as _)),
            false => decryptor.decrypt(self.keys()),
        };
        let scrypt = recipients_of(&binary).iter().any(|kind| kind == "scrypt");
        let reader = opened.map_err(|error| match error {
            DecryptError::ExcessiveWork { required, .. } => {
                SecretError::TooMuchWork { what: what.to_owned(), factor: required }
            }
            DecryptError::NoMatchingKeys
            | DecryptError::KeyDecryptionFailed
            | DecryptError::DecryptionFailed
                if scrypt =>
            {
                SecretError::WrongPassphrase { what: what.to_owned() }
            }
            DecryptError::NoMatchingKeys | DecryptError::KeyDecryptionFailed => {
                SecretError::Locked { what: what.to_owned(), recipients: recipients_of(&binary) }
            }
            other => damaged(cause_of(&other)),
        })?;
        let mut plain = String::new();
        let read = reader.take(MAX_PLAIN + 1).read_to_string(&mut plain);
        let plain = SecretString::from(plain);
        match read {
            Ok(length) if length as u64 > MAX_PLAIN => Err(damaged("it holds more than 16 MiB".to_owned())),
            Ok(_) => Ok(plain),
            Err(_) => {
                Err(damaged("its end is cut off, it was changed, or what it holds is no text".to_owned()))
            }
        }
    }
}

/// The message without its armor; white space before the armor is skipped.
pub(crate) fn dearmored(encrypted: &[u8]) -> Result<Vec<u8>, String> {
    let input = if encrypted.starts_with(MAGIC) { encrypted } else { encrypted.trim_ascii_start() };
    let mut binary = Vec::new();
    ArmoredReader::new(input)
        .take(MAX_PLAIN * 2)
        .read_to_end(&mut binary)
        .map_err(|error| format!("its armor cannot be read: {error}"))?;
    Ok(binary)
}

fn cause_of(error: &DecryptError) -> String {
    error.to_string().lines().next().unwrap_or("").trim_end_matches('.').to_owned()
}

/// How many recipients a header names.
fn stanzas(binary: &[u8]) -> usize {
    let header = binary.split(|byte| *byte == b'\n').take_while(|line| !line.starts_with(b"---"));
    header.filter(|line| line.starts_with(b"-> ")).count()
}

/// The kinds of recipients that a header names: lines `-> X25519 …`.
fn recipients_of(binary: &[u8]) -> Vec<String> {
    let mut kinds: Vec<String> = Vec::new();
    for line in binary.split(|byte| *byte == b'\n').take_while(|line| !line.starts_with(b"---")) {
        let kind = line.strip_prefix(b"-> ").and_then(|rest| rest.split(|byte| *byte == b' ').next());
        // A type that ends in `-grease` says nothing: clients add it so that readers skip the unknown.
        if let Some(kind) = kind.and_then(|kind| std::str::from_utf8(kind).ok())
            && !kind.ends_with("-grease")
            && !kinds.iter().any(|known| known == kind)
        {
            kinds.push(kind.escape_debug().to_string());
        }
    }
    kinds
}

/// Seals values for the stream: one age message, in base64, that holds a JSON object of name to value.
///
/// An age message is as long as what it holds, and the names stand beside it: so white space follows the object, up
/// to a multiple of 256 bytes, and no length tells how long a value is.
///
/// # Errors
/// Where there are no recipients.
pub fn seal(values: &Values, recipients: &Recipients) -> Result<String, SecretError> {
    let plain: serde_json::Map<String, serde_json::Value> =
        values.iter().map(|(name, value)| (name.clone(), value.expose_secret().into())).collect();
    let plain = SecretString::from(serde_json::Value::Object(plain).to_string());
    let length = plain.expose_secret().len().next_multiple_of(STEP);
    let mut padded = Zeroizing::new(Vec::with_capacity(length));
    padded.extend_from_slice(plain.expose_secret().as_bytes());
    padded.resize(length, b' ');
    Ok(BASE64_STANDARD.encode(recipients.encrypt(&padded, false)?))
}

/// Opens what [`seal`] made; `what` names it in errors, as in "the secrets of host `demo`".
///
/// # Errors
/// Where it is damaged, or none of the identities opens it.
pub fn open(sealed: &str, identities: &Identities, what: &str) -> Result<Values, SecretError> {
    let damaged = |cause: &str| SecretError::Damaged { what: what.to_owned(), cause: cause.to_owned() };
    let encrypted = BASE64_STANDARD.decode(sealed).map_err(|_| damaged("it is no base64"))?;
    let plain = identities.decrypt(&encrypted, what)?;
    let map: BTreeMap<String, String> = serde_json::from_str(plain.expose_secret())
        .map_err(|_| damaged("what it holds is no object of names and texts"))?;
    Ok(map.into_iter().map(|(name, value)| (name, SecretString::from(value))).collect())
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;

    /// Made for these tests with `age-keygen` and `ssh-keygen -t ed25519`; they open nothing else.
    const KEY: &str = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";
    const RECIPIENT: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";

    fn identities(text: &str) -> Result<Identities, SecretError> {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("identity.txt");
        std::fs::write(&file, text).unwrap();
        Identities::load(&[file])
    }

    fn recipients(text: &str) -> Recipients {
        Recipients::parse(text, Path::new(".age-recipients")).unwrap()
    }

    fn values() -> Values {
        Values::from([("smtp.password".to_owned(), SecretString::from("p\u{e9}'\"\n".to_owned()))])
    }

    #[test]
    fn what_was_sealed_opens_again_with_the_right_identity_alone() {
        let sealed = seal(&values(), &recipients(RECIPIENT)).unwrap();
        assert!(!sealed.contains("smtp"));
        let opened = open(&sealed, &identities(KEY).unwrap(), "it").unwrap();
        assert_eq!(opened["smtp.password"].expose_secret(), "p\u{e9}'\"\n");

        let other = age::x25519::Identity::generate().to_string();
        let error = open(&sealed, &identities(other.expose_secret()).unwrap(), "the secrets of host `demo`");
        let error = error.unwrap_err();
        assert_eq!(error.to_string(), "none of the identities opens the secrets of host `demo`");
        assert_eq!(error.diagnostic().causes, ["it is encrypted to recipients of type X25519"]);
        assert!(matches!(open(&sealed, &Identities::default(), "it"), Err(SecretError::NoIdentity { .. })));
    }

    #[test]
    fn the_length_of_what_is_sealed_does_not_tell_that_of_a_value() {
        let length = |text: String| {
            let values = Values::from([("pw".to_owned(), SecretString::from(text.clone()))]);
            let sealed = seal(&values, &recipients(RECIPIENT)).unwrap();
            let opened = open(&sealed, &identities(KEY).unwrap(), "it").unwrap();
            assert_eq!(opened["pw"].expose_secret(), text);
            // The header has a stanza of random length that says nothing.
            let encrypted = BASE64_STANDARD.decode(sealed).unwrap();
            identities(KEY).unwrap().decrypt(&encrypted, "it").unwrap().expose_secret().len()
        };
        // `{"pw":""}` has 9 bytes.
        assert_eq!([6, 256 - 9].map(|count| length("x".repeat(count))), [256, 256]);
        assert_eq!(length("x".repeat(256 - 8)), 512);
    }

    #[test]
    fn a_damaged_file_is_told_from_a_locked_one() {
        let identities = identities(KEY).unwrap();
        let whole = recipients(RECIPIENT).encrypt(b"a: 1\n", true).unwrap();
        assert_eq!(identities.decrypt(&whole, "it").unwrap().expose_secret(), "a: 1\n");
        for bad in [&b"a: 1\n"[..], b"", b"age-encryption.org/v1\n", &whole[..whole.len() - 60], &whole[1..]]
        {
            let error = identities.decrypt(bad, "`x.age`").unwrap_err();
            assert!(matches!(error, SecretError::Damaged { .. }), "{error:?}");
        }
        let binary = recipients(RECIPIENT).encrypt(&[b'x'; 100_000], false).unwrap();
        for length in [binary.len() - 1, binary.len() - 40_000, 200, 120, 30] {
            assert!(identities.decrypt(&binary[..length], "it").is_err(), "{length}");
        }
    }

    #[test]
    fn an_ssh_key_of_type_ed25519_is_an_identity() {
        let sealed = seal(&values(), &recipients(include_str!("../tests/ed25519.pub"))).unwrap();
        let file = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/ed25519"));
        assert!(open(&sealed, &Identities::load(&[file]).unwrap(), "it").is_ok());
    }

    #[test]
    fn a_file_that_is_no_identity_says_what_it_is() {
        let cause = |text| identities(text).unwrap_err().diagnostic().causes.join(" ");
        assert_eq!(cause(""), "it is empty");
        assert!(cause("hello").contains("non-identity data on line 1"));
        assert!(cause("-----BEGIN AGE ENCRYPTED FILE-----\n").contains("armor"));
        assert!(cause("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n").contains("ssh key"));
        let missing = Identities::load(&[PathBuf::from("/nonexistent")]).unwrap_err();
        assert_eq!(missing.to_string(), "cannot read `/nonexistent`");
    }

    #[test]
    fn what_two_lists_have_in_common_is_told_by_the_keys_without_their_comments() {
        let ssh = include_str!("../tests/ed25519.pub").trim();
        let bare: Vec<&str> = ssh.split(' ').take(2).collect();
        let other = age::x25519::Identity::generate().to_public();
        let (one, two) = (format!("{RECIPIENT}\n{ssh}\n"), format!("{other}\n{} x\n", bare.join(" ")));
        let file = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/ed25519"));
        let sealed = seal(&values(), &recipients(&one).among(&recipients(&two))).unwrap();
        assert!(open(&sealed, &Identities::load(&[file]).unwrap(), "it").is_ok());
        assert!(matches!(open(&sealed, &identities(KEY).unwrap(), "it"), Err(SecretError::Locked { .. })));
        assert!(recipients(RECIPIENT).among(&recipients(&two)).is_empty());
    }

    #[test]
    fn a_recipients_file_is_read_line_by_line() {
        let parse = |text: &str| Recipients::parse(text, Path::new("inventory/.age-recipients"));
        assert!(!parse(&format!("# me\n\n  {RECIPIENT}  \n")).unwrap().is_empty());
        let error = parse("# me\nage1nope\n").unwrap_err();
        assert_eq!(error.to_string(), "inventory/.age-recipients:2:1: this is no recipient");
        let error = parse(KEY).unwrap_err();
        assert!(error.diagnostic().causes[0].contains("must stay secret"));
        assert!(!format!("{:?}", error.diagnostic()).contains("GQ9778"));
        assert_eq!(seal(&values(), &parse("").unwrap()), Err(SecretError::NoRecipients));
    }
}
