//! How a user proves to MariaDB or MySQL that it knows its password, without saying it.
//!
//! <https://mariadb.com/kb/en/authentication-plugin-mysql_native_password/>,
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_caching_sha2_authentication_exchanges.html>

use sha1::Sha1;
use sha2::{Digest, Sha256};

/// The way of MariaDB, and of MySQL up to 8.0.
pub const NATIVE: &str = "mysql_native_password";

/// The way of MySQL since 8.0.
pub const CACHING: &str = "caching_sha2_password";

/// What is answered to these drawn bytes where a user logs in that way; nothing where the kernel tells the server who it is, or
/// there is no password.
pub fn answer(way: &str, password: &str, drawn: &[u8]) -> Vec<u8> {
    let xor = |one: &[u8], other: &[u8]| one.iter().zip(other).map(|(a, b)| a ^ b).collect();
    match way {
        _ if password.is_empty() => Vec::new(),
        NATIVE => {
            let once = Sha1::digest(password);
            xor(&once, &Sha1::digest([drawn, &Sha1::digest(once)].concat()))
        }
        CACHING => {
            let once = Sha256::digest(password);
            xor(&once, &Sha256::digest([&Sha256::digest(once)[..], drawn].concat()))
        }
        // Over a local socket it can be said.
        "mysql_clear_password" => clear(password),
        _ => Vec::new(),
    }
}

/// The password itself, which a server asks for over a connection that nobody else can hear.
pub fn clear(password: &str) -> Vec<u8> {
    [password.as_bytes(), b"\0"].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_undone_with_what_the_server_keeps_is_the_password_digested() {
        let drawn = b"abcdefghijklmnopqrst";
        let hidden = answer(NATIVE, "secret", drawn);
        let kept = Sha1::digest(Sha1::digest("secret"));
        let mask = Sha1::digest([&drawn[..], &kept].concat());
        let once: Vec<u8> = hidden.iter().zip(mask).map(|(a, b)| a ^ b).collect();
        assert_eq!(Sha1::digest(once), kept);

        let hidden = answer(CACHING, "secret", drawn);
        let kept = Sha256::digest(Sha256::digest("secret"));
        let mask = Sha256::digest([&kept[..], drawn].concat());
        let once: Vec<u8> = hidden.iter().zip(mask).map(|(a, b)| a ^ b).collect();
        assert_eq!(Sha256::digest(once), kept);
    }

    #[test]
    fn who_has_no_password_says_nothing() {
        assert!(answer(NATIVE, "", b"drawn").is_empty());
        assert!(answer("unix_socket", "secret", b"drawn").is_empty());
        assert_eq!(clear("a"), b"a\0");
    }
}
