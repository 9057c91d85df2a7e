//! A key of a repository that costs next to nothing to try.
//!
//! restic makes every password cost half a second of the processor and 32 MB, at each call, since people choose passwords that can be
//! guessed. One that was drawn cannot be, at whatever price a guess has. So where the repository is a directory here, the key of a drawn
//! password is written anew as a cheap one, by restic's own description of its files (`doc/design.rst`, "Keys, Encryption and MAC").
//!
//! Always true here: the key that restic made goes once restic itself has opened the repository with ours, and not before.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use aes::cipher::{BlockEncrypt as _, KeyInit as _, KeyIvInit as _, StreamCipher as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use poly1305::Poly1305;
use pq_secrets::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// What a guess costs: about a millisecond, and 1 MB.
const CHEAP: Cost = Cost { n: 1 << 10, r: 8, p: 1 };

/// Bytes of a nonce, and of what proves that a text is whole.
const BLOCK: usize = 16;

/// Bytes of a salt, which restic demands to be so long.
const SALT: usize = 64;

/// What scrypt is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Cost {
    #[serde(rename = "N")]
    n: u64,
    r: u32,
    p: u32,
}

/// A key as it stands in a repository: which password opens it, and the repository's own key, sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyFile {
    created: String,
    username: String,
    hostname: String,
    kdf: String,
    #[serde(flatten)]
    cost: Cost,
    salt: String,
    data: String,
}

/// What is made of a password: the key that seals, and both halves of the key that proves.
struct Made(Zeroizing<[u8; 64]>);

impl Made {
    fn of(password: &str, salt: &[u8], cost: Cost) -> Option<Made> {
        // Others would be none that restic wrote: it stays below 60 MB.
        let log_n = u8::try_from(cost.n.checked_ilog2()?).ok().filter(|_| cost.n.is_power_of_two())?;
        if log_n > 17 || cost.r > 16 || cost.p > 64 {
            return None;
        }
        let params = scrypt::Params::new(log_n, cost.r, cost.p, 64).ok()?;
        let mut made = Zeroizing::new([0; 64]);
        scrypt::scrypt(password.as_bytes(), salt, &params, &mut made[..]).ok()?;
        Some(Made(made))
    }

    /// Exchanges a text and its cipher, either way.
    fn exchange(&self, nonce: &[u8; BLOCK], text: &mut [u8]) -> Option<()> {
        let key = self.0.get(..32)?;
        ctr::Ctr128BE::<aes::Aes256>::new_from_slices(key, nonce).ok()?.apply_keystream(text);
        Some(())
    }

    /// Proves that a cipher was made by who has the password.
    fn proof(&self, nonce: &[u8; BLOCK], cipher: &[u8]) -> Option<[u8; BLOCK]> {
        let mut masked = (*nonce).into();
        aes::Aes128::new_from_slice(self.0.get(32..48)?).ok()?.encrypt_block(&mut masked);
        let key = Zeroizing::new([self.0.get(48..64)?, &masked[..]].concat());
        Some(Poly1305::new_from_slice(&key).ok()?.compute_unpadded(cipher).into())
    }
}

impl KeyFile {
    /// Reads a file of `keys/`.
    pub fn read(text: &[u8]) -> Option<KeyFile> {
        serde_json::from_slice(text).ok().filter(|key: &KeyFile| key.kdf == "scrypt")
    }

    /// Whether a guess costs no more than it would with ours.
    pub fn is_cheap(&self) -> bool {
        self.cost.n <= CHEAP.n
    }

    /// The repository's own key, where the password is right.
    pub fn open(&self, password: &SecretString) -> Option<SecretString> {
        let (salt, data) = (STANDARD.decode(&self.salt).ok()?, STANDARD.decode(&self.data).ok()?);
        let made = Made::of(password.expose_secret(), &salt, self.cost)?;
        let (nonce, rest) = data.split_first_chunk::<BLOCK>()?;
        let (cipher, proof) = rest.split_last_chunk::<BLOCK>()?;
        if made.proof(nonce, cipher)? != *proof {
            return None;
        }
        let mut text = Zeroizing::new(cipher.to_vec());
        made.exchange(nonce, &mut text)?;
        Some(SecretString::from(std::str::from_utf8(&text).ok()?))
    }

    /// The same key for the same password, cheap to try.
    ///
    /// # Errors
    /// Where the kernel draws nothing.
    pub fn cheap(&self, password: &SecretString, inner: &SecretString) -> io::Result<KeyFile> {
        let (salt, nonce) = (drawn::<SALT>()?, drawn::<BLOCK>()?);
        let sealed = || {
            let made = Made::of(password.expose_secret(), &salt, CHEAP)?;
            let mut data = [&nonce[..], inner.expose_secret().as_bytes()].concat();
            made.exchange(&nonce, data.get_mut(BLOCK..)?)?;
            let proof = made.proof(&nonce, data.get(BLOCK..)?)?;
            data.extend(proof);
            Some(STANDARD.encode(data))
        };
        let data = sealed().ok_or_else(|| io::Error::other("it cannot be sealed"))?;
        Ok(KeyFile { cost: CHEAP, salt: STANDARD.encode(salt), data, ..self.clone() })
    }
}

/// Whether a password was drawn rather than thought of: exactly as long as a derived one or a kit's, of as many different letters and
/// figures, and with capitals, small letters and figures as mixed. One that was drawn and seems not to be keeps its expensive key.
pub fn is_drawn(password: &SecretString) -> bool {
    let text = password.expose_secret().as_bytes();
    let kind = |byte: u8| (byte.is_ascii_uppercase(), byte.is_ascii_digit());
    let different: BTreeSet<u8> = text.iter().copied().collect();
    let changes =
        text.windows(2).filter(|pair| matches!(pair, [one, other] if kind(*one) != kind(*other))).count();
    [32, 40].contains(&text.len())
        && text.iter().all(u8::is_ascii_alphanumeric)
        && different.len() >= 16
        && changes >= 9
}

/// So many bytes of the kernel's.
fn drawn<const LENGTH: usize>() -> io::Result<[u8; LENGTH]> {
    let mut bytes = [0; LENGTH];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Writes a cheap key beside the one that this password opens, in the `keys/` of a repository, or takes the one that a killed run left
/// there. Answers the ids of both, the cheap one first; nothing where there is no expensive one that it opens.
///
/// # Errors
/// Where files cannot be read or written.
pub fn beside(keys: &Path, password: &SecretString) -> io::Result<Option<(String, String)>> {
    let (mut cheap, mut expensive) = (None, None);
    for file in fs::read_dir(keys)? {
        let file = file?;
        let Some(key) = KeyFile::read(&fs::read(file.path())?) else { continue };
        let Some(inner) = key.open(password) else { continue };
        let id = file.file_name().to_string_lossy().into_owned();
        match key.is_cheap() {
            true => cheap = Some(id),
            false => expensive = Some((id, file.metadata()?.permissions().mode() & 0o777, key, inner)),
        }
    }
    let Some((old, mode, key, inner)) = expensive else { return Ok(None) };
    if let Some(new) = cheap {
        return Ok(Some((new, old)));
    }
    let text = serde_json::to_vec(&key.cheap(password, &inner)?)?;
    let new: String = Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect();
    pq_store::replace_for(&keys.join(&new), &text, mode)?;
    Ok(Some((new, old)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key that restic 0.18.0 made, the password that opens it, and what `restic cat masterkey` says.
    const MADE: &str = r#"{"created":"2026-11-29T10:09:29.023453026Z","username":"root","hostname":"vm","kdf":"scrypt","N":32768,"r":8,"p":4,"salt":"MvkuZUiWuisyo4r9/kc854G6R/fGWYpLGzRySTwTc7oeBkUHJ9o1UxpsaGGW0XWgmD9zwa1urvpWR7Mn8VvlPQ==","data":"En+PFyDBbLmRKZU+0Ov/JCrqOGllVyIv2CvrD8pACIs0ebva5MjNaQImnYIOMv4oOLwf3C2TIACQeQ9xV6wKlQwEsDy4z9RRZIcNazghmYu7hhO5FFkLtSVxIjOwlb1Y9nbXmox0ni2Y3p+Q0geaLjD9g55P7nl6eQtE4yZadDVo0PSmdgKHUDPCzSQw6mi6dhgV+RmHppf67PE7GbftbQ=="}"#;
    const PASSWORD: &str = "Vq3tJ8wPzL5mXn2RcY7hKd4sGf9bTa6E";
    const INNER: &str = r#"{"mac":{"k":"PIgyyGCKWMDMoyA2CEj11w==","r":"8UNUMpFm4rEtv5B/WKAdeQ=="},"encrypt":"Gx/HsSYE3TZBWouUZpnFxTB27jtT2xKVI+aJa9CetK0="}"#;

    #[test]
    fn a_key_of_restic_is_opened_and_sealed_again_for_the_same_password_alone() {
        let (key, password) = (KeyFile::read(MADE.as_bytes()).unwrap(), SecretString::from(PASSWORD));
        let inner = key.open(&password).unwrap();
        assert_eq!(inner.expose_secret(), INNER);
        let cheap = key.cheap(&password, &inner).unwrap();
        assert!(cheap.is_cheap() && !key.is_cheap());
        let text = serde_json::to_string(&cheap).unwrap();
        assert!(
            text.contains(r#""username":"root","hostname":"vm","kdf":"scrypt","N":1024,"r":8,"p":1,"salt":"#)
        );
        let again = KeyFile::read(text.as_bytes()).unwrap();
        assert_eq!(again, cheap);
        assert_eq!(again.open(&password).unwrap().expose_secret(), INNER);
        assert!(again.open(&SecretString::from("another")).is_none());
        let mut bitten = again;
        bitten.data.replace_range(30..31, if bitten.data.as_bytes()[30] == b'A' { "B" } else { "A" });
        assert!(bitten.open(&password).is_none());
    }

    #[test]
    fn only_what_was_drawn_is_made_cheap() {
        let is = |text: &str| is_drawn(&SecretString::from(text));
        for drawn in [PASSWORD, "o9HJv099hgyZ0Cg9GldfloYyPsUBiYNi", "LZaD1y3KQLXO4doeAtb7uEwkPLbWotmO"] {
            assert!(is(drawn), "{drawn}");
        }
        for thought_of in [
            "",
            "sesame",
            "a password of a test",
            "correcthorsebatterystaplecorrecthorse",
            "CorrectHorseBatteryStaple20262026",
            "Aa0Aa0Aa0Aa0Aa0Aa0Aa0Aa0Aa0Aa0Aa0",
            "MyDogRex2019MyCatTom2020MyFishBob2021",
            "Paquerette2024BackupServerNumber1OfMine",
        ] {
            assert!(!is(thought_of), "{thought_of}");
        }
    }

    #[test]
    fn a_repository_without_an_expensive_key_of_that_password_stays_as_it_is() {
        let keys = tempfile::tempdir().unwrap();
        let password = SecretString::from(PASSWORD);
        assert_eq!(beside(keys.path(), &password).unwrap(), None);
        fs::write(keys.path().join("made"), MADE).unwrap();
        fs::write(keys.path().join("torn"), "{").unwrap();
        assert_eq!(beside(keys.path(), &SecretString::from("another")).unwrap(), None);
        let (new, old) = beside(keys.path(), &password).unwrap().unwrap();
        assert_eq!(old, "made");
        assert_eq!(new.len(), 64);
        // Killed here, the next one takes what is there.
        assert_eq!(beside(keys.path(), &password).unwrap().unwrap(), (new, old.clone()));
        assert_eq!(fs::read_dir(keys.path()).unwrap().count(), 3);
        fs::remove_file(keys.path().join(&old)).unwrap();
        assert_eq!(beside(keys.path(), &password).unwrap(), None);
    }
}
