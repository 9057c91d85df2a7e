//! Passwords as database servers keep them, so that one can be compared and set without the server ever reading it.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, Mac};
use sha1::{Digest as _, Sha1};
use sha2_of_age::{Digest as _, Sha256};

/// Rounds of PBKDF2, PostgreSQL's own default.
const ROUNDS: u32 = 4096;

/// Refuses what not every client would send in the same way: RFC 5802 has other letters prepared before.
pub(super) fn usable(password: &str) -> Result<(), &'static str> {
    match password.bytes().all(|byte| (b' '..=b'~').contains(&byte)) && !password.is_empty() {
        true => Ok(()),
        false => {
            Err("it is empty, or holds a character beyond printable ASCII, which clients send differently")
        }
    }
}

/// `*` and SHA-1 of SHA-1 in capitals: MariaDB's `mysql_native_password`.
pub(super) fn native(password: &str) -> String {
    let twice = Sha1::digest(Sha1::digest(password.as_bytes()));
    let digits: String = twice.iter().map(|byte| format!("{byte:02X}")).collect();
    format!("*{digits}")
}

/// PostgreSQL's `SCRAM-SHA-256$<rounds>:<salt>$<stored key>:<server key>`, RFC 5803.
pub(super) fn scram(password: &str, salt: &[u8]) -> String {
    verifier(password, salt, ROUNDS)
}

/// Whether a verifier that the server keeps is of this password.
pub(super) fn is_of(kept: &str, password: &str) -> bool {
    let parts = || {
        let (rounds, salt) = kept.strip_prefix("SCRAM-SHA-256$")?.split_once('$')?.0.split_once(':')?;
        Some((rounds.parse::<u32>().ok()?, BASE64_STANDARD.decode(salt).ok()?))
    };
    // What somebody else set may ask for any number of rounds.
    parts().is_some_and(|(rounds, salt)| {
        (1..=10_000_000).contains(&rounds) && verifier(password, &salt, rounds) == kept
    })
}

fn verifier(password: &str, salt: &[u8], rounds: u32) -> String {
    let mut salted = [0; 32];
    pbkdf2::pbkdf2_hmac::<Sha256>(password.as_bytes(), salt, rounds, &mut salted);
    let stored = Sha256::digest(keyed(&salted, b"Client Key"));
    let server = keyed(&salted, b"Server Key");
    let text = |bytes: &[u8]| BASE64_STANDARD.encode(bytes);
    format!("SCRAM-SHA-256${rounds}:{}${}:{}", text(salt), text(&stored), text(&server))
}

fn keyed(key: &[u8; 32], text: &[u8]) -> [u8; 32] {
    // HMAC takes a key of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; 32] };
    mac.update(text);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_kept_as_the_servers_keep_it() {
        // MariaDB: SELECT PASSWORD('password').
        assert_eq!(native("password"), "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19");
        // RFC 7677: user `user`, password `pencil`, the server key by which its server's signature is made.
        let salt = BASE64_STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let kept = scram("pencil", &salt);
        assert_eq!(
            kept,
            "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
        );
        assert!(is_of(&kept, "pencil") && !is_of(&kept, "pencils"));
    }

    #[test]
    fn what_is_no_verifier_is_of_no_password() {
        for kept in
            ["", "md5abc", "SCRAM-SHA-256$", "SCRAM-SHA-256$4096:!$a:b", "SCRAM-SHA-256$4294967295:YQ==$a:b"]
        {
            assert!(!is_of(kept, "pencil"), "{kept}");
        }
        assert!(usable("pass 'word\\").is_ok() && usable("").is_err() && usable("é").is_err());
    }
}
