//! OpenPGP public keys, as far as trusting a repository needs it: which keys a text holds, by their fingerprints.
//!
//! Always true here: a key block is understood whole or refused. What is trusted is exactly the bytes that were read, so
//! no second key can hide behind the first. Signatures are not verified: apt does that, with these keys.
//! RFC 9580 for packets, fingerprints and armor; RFC 4880 for what older programs write.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// A block of public keys, in binary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Keys {
    /// The packets, one after the other.
    pub bytes: Vec<u8>,
    /// The fingerprint of each primary key, in hexadecimal capitals.
    pub fingerprints: Vec<String>,
}

/// Numbers of packets, RFC 9580 5.
const SIGNATURE: u8 = 2;
const SECRET_KEY: u8 = 5;
const PUBLIC_KEY: u8 = 6;
const SECRET_SUBKEY: u8 = 7;
const MARKER: u8 = 10;
const TRUST: u8 = 12;
const USER_ID: u8 = 13;
const PUBLIC_SUBKEY: u8 = 14;
const USER_ATTRIBUTE: u8 = 17;
const PADDING: u8 = 21;

impl Keys {
    /// Reads keys: armored, in base64, or in binary.
    pub fn read(block: &[u8]) -> Result<Self, String> {
        match std::str::from_utf8(block) {
            Ok(text) => Self::of_packets(dearmored(text)?),
            Err(_) => Self::of_packets(block.to_vec()),
        }
    }

    fn of_packets(bytes: Vec<u8>) -> Result<Self, String> {
        let (mut rest, mut fingerprints) = (&bytes[..], Vec::new());
        while !rest.is_empty() {
            let (tag, body, behind) = packet(rest).ok_or("is no OpenPGP key, or a part of it is missing")?;
            match tag {
                PUBLIC_KEY => fingerprints.push(fingerprint(body)?),
                SECRET_KEY | SECRET_SUBKEY => {
                    return Err("holds a secret key: only the public one belongs here".to_owned());
                }
                _ if fingerprints.is_empty() && tag != MARKER => {
                    return Err("does not begin with a public key".to_owned());
                }
                SIGNATURE | MARKER | TRUST | USER_ID | PUBLIC_SUBKEY | USER_ATTRIBUTE | PADDING => {}
                _ => return Err(format!("holds an OpenPGP packet that belongs to no key (number {tag})")),
            }
            rest = behind;
        }
        match fingerprints.is_empty() {
            true => Err("holds no key".to_owned()),
            false => Ok(Keys { bytes, fingerprints }),
        }
    }
}

/// The number and body of the first packet, and what follows it. A body in parts (RFC 9580 4.2.1.4) is for data only.
fn packet(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (head, rest) = bytes.split_first()?;
    if head & 0x80 == 0 {
        return None;
    }
    let number = |bytes: &[u8]| bytes.iter().fold(0usize, |number, byte| (number << 8) | usize::from(*byte));
    let (tag, length, rest) = match head & 0x40 {
        0 => {
            let width = [1, 2, 4].get(usize::from(head & 3))?;
            let (length, rest) = rest.split_at_checked(*width)?;
            (head >> 2 & 15, number(length), rest)
        }
        _ => {
            let (first, behind) = rest.split_first()?;
            let (length, rest) = match first {
                0..=191 => (usize::from(*first), behind),
                192..=223 => {
                    let (second, behind) = behind.split_first()?;
                    (((usize::from(*first) - 192) << 8) + usize::from(*second) + 192, behind)
                }
                255 => {
                    let (length, behind) = behind.split_at_checked(4)?;
                    (number(length), behind)
                }
                _ => return None,
            };
            (head & 63, length, rest)
        }
    };
    let (body, rest) = rest.split_at_checked(length)?;
    Some((tag, body, rest))
}

/// The fingerprint of a key packet's body, RFC 9580 5.5.4.
fn fingerprint(body: &[u8]) -> Result<String, String> {
    let whole = || "holds a key that is too long".to_owned();
    let hex = |digest: &[u8]| digest.iter().map(|byte| format!("{byte:02X}")).collect::<String>();
    match body.first() {
        Some(4) => {
            let length = u16::try_from(body.len()).map_err(|_| whole())?;
            let hasher = Sha1::new().chain_update([0x99]).chain_update(length.to_be_bytes());
            Ok(hex(&hasher.chain_update(body).finalize()))
        }
        Some(6) => {
            let length = u32::try_from(body.len()).map_err(|_| whole())?;
            let hasher = Sha256::new().chain_update([0x9b]).chain_update(length.to_be_bytes());
            Ok(hex(&hasher.chain_update(body).finalize()))
        }
        Some(version) => Err(format!("holds a key of version {version}: 4 and 6 are known")),
        None => Err("holds an empty key".to_owned()),
    }
}

const BEGIN: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----";
const END: &str = "-----END PGP PUBLIC KEY BLOCK-----";

/// The bytes of armored blocks, one after the other, or of bare base64.
fn dearmored(text: &str) -> Result<Vec<u8>, String> {
    if text.contains("PRIVATE KEY") {
        return Err("is a private key: only the public one belongs here".to_owned());
    }
    let mut lines = text.lines().map(str::trim);
    if !text.contains(BEGIN) {
        return decoded(&lines.collect::<String>());
    }
    let mut bytes = Vec::new();
    while lines.by_ref().any(|line| line == BEGIN) {
        let block = lines.by_ref().take_while(|line| *line != END);
        // Headers such as `Version: 1`; and a checksum, which RFC 9580 6.1 has nobody refuse a block for.
        let data: String = block.filter(|line| !line.contains(':') && !line.starts_with('=')).collect();
        bytes.extend(decoded(&data)?);
    }
    Ok(bytes)
}

fn decoded(text: &str) -> Result<Vec<u8>, String> {
    BASE64_STANDARD.decode(text).map_err(|_| "is neither an armored key block nor base64".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAW: &str = include_str!("openpgp/law.asc");
    const OTHER: &str = include_str!("openpgp/other.asc");
    const OF_LAW: &str = "46C18710DB2104884875DF15FE345D380D525D11";
    const OF_OTHER: &str = "301BC84BDB150D123B8C6E1EE19A7197F70BB3F0";

    fn fingerprints(block: &str) -> Vec<String> {
        Keys::read(block.as_bytes()).unwrap().fingerprints
    }

    #[test]
    fn a_key_has_the_fingerprint_that_gpg_shows() {
        assert_eq!(fingerprints(LAW), [OF_LAW]);
        assert_eq!(fingerprints(OTHER), [OF_OTHER]);
    }

    #[test]
    fn the_form_in_which_a_key_comes_makes_no_difference() {
        let keys = Keys::read(LAW.as_bytes()).unwrap();
        assert_eq!(Keys::read(&keys.bytes).unwrap(), keys);
        let base64 = BASE64_STANDARD.encode(&keys.bytes);
        let (first, second) = base64.split_at(100);
        let headed = LAW.replacen("\n\n", "\nVersion: GnuPG v1\nComment: x\n\n", 1).replace('\n', "\r\n");
        for text in [base64.clone(), format!("  {first}\n{second}\n"), headed] {
            assert_eq!(Keys::read(text.as_bytes()).unwrap(), keys, "{text}");
        }
    }

    #[test]
    fn a_second_key_does_not_hide_behind_the_first() {
        assert_eq!(fingerprints(&format!("{LAW}\n{OTHER}")), [OF_LAW, OF_OTHER]);
        let mut both = Keys::read(LAW.as_bytes()).unwrap().bytes;
        both.extend(Keys::read(OTHER.as_bytes()).unwrap().bytes);
        assert_eq!(Keys::read(&both).unwrap().fingerprints, [OF_LAW, OF_OTHER]);
    }

    #[test]
    fn one_bit_of_a_key_makes_another_fingerprint() {
        let mut bytes = Keys::read(OTHER.as_bytes()).unwrap().bytes;
        bytes[40] ^= 1;
        assert_ne!(Keys::read(&bytes).unwrap().fingerprints, [OF_OTHER]);
    }

    #[test]
    fn the_lengths_of_new_packets_are_read() {
        let body = [&[6][..], &[0; 299]].concat();
        let expected = format!("{:02X}", Sha256::digest([&[0x9b, 0, 0, 1, 44][..], &body].concat())[0]);
        for head in [&[0xc6, 192, 108][..], &[0xc6, 255, 0, 0, 1, 44]] {
            let found = Keys::read(&[head, &body].concat()).unwrap().fingerprints.remove(0);
            assert!(found.starts_with(&expected) && found.len() == 64, "{found}");
        }
    }

    #[test]
    fn what_is_not_understood_whole_is_refused() {
        let bytes = Keys::read(LAW.as_bytes()).unwrap().bytes;
        let with = |tail: &[u8]| [&bytes, tail].concat();
        for (block, why) in [
            (b"".to_vec(), "holds no key"),
            (b"<html>404</html>".to_vec(), "neither an armored key block nor base64"),
            (bytes[..bytes.len() - 1].to_vec(), "a part of it is missing"),
            (with(&[0xc5, 1, 4]), "secret key"),
            (with(&[0xcb, 1, 4]), "belongs to no key (number 11)"),
            (with(&[0xc6, 1, 3]), "a key of version 3"),
            (with(&[0xc6, 224, 4]), "a part of it is missing"),
            (bytes[2 + usize::from(bytes[1])..].to_vec(), "does not begin with a public key"),
            (b"-----BEGIN PGP PRIVATE KEY BLOCK-----\n".to_vec(), "private key"),
        ] {
            let error = Keys::read(&block).unwrap_err();
            assert!(error.contains(why), "{why}: {error}");
        }
    }
}
