//! What upstream publishes of a release, and who vouches for it: a key that somebody gave, the server itself, or nobody.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use pq_machine::{fetch_small, fetch_unknown};
use pq_steps::Error;
use pq_stream::{Diagnostic, system_cause};

/// The most bytes of a release.
const MOST: u64 = 4 << 30;

/// The most bytes of what is said of one.
const SMALL: u64 = 1 << 20;

/// What has the digest of a release beside it, behind its address.
const DIGESTS: [&str; 2] = [".sha256", ".sha256sum"];

/// What has the digests of all that is in a directory.
const LISTS: [&str; 3] = ["SHA256SUMS", "sha256sums.txt", "checksums.txt"];

/// What has its signature, behind its address.
const SIGNATURES: [&str; 2] = [".asc", ".sig"];

/// A release as it was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Its SHA-256 in hexadecimal.
    pub sha256: String,
    /// Its bytes.
    pub length: u64,
    /// Who vouches for it.
    pub vouched: Vouched,
}

/// Who vouches for a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Vouched {
    /// It is signed by a key that was given.
    Signed {
        /// Where its signature is.
        at: String,
    },
    /// The same server has its digest.
    Same {
        /// Where that is.
        at: String,
    },
    /// Nobody: it is what came first.
    Nobody,
}

/// Fetches a release, and looks for who vouches for it. With `keyring`, as gpgv(1) reads it, nothing less than a signature will do.
///
/// # Errors
/// Where it cannot be fetched, where what is said of it is not true, or its signature is none of the keyring's.
pub fn published(url: &str, keyring: Option<&Path>) -> Result<Published, Diagnostic> {
    let dir = tempfile::tempdir()
        .map_err(|error| Diagnostic::new("cannot make a temporary directory").cause(system_cause(&error)))?;
    let archive = dir.path().join("archive");
    let mut file = fs::File::create(&archive)
        .map_err(|error| Diagnostic::new("cannot write what is fetched").cause(system_cause(&error)))?;
    let (sha256, length) = fetch_unknown(url, MOST, &mut file).map_err(Error::into_diagnostic)?;
    let same = said_by_server(url, &sha256)?;
    let vouched = match keyring {
        Some(keyring) => Vouched::Signed { at: signed(url, &archive, dir.path(), keyring)? },
        None => same.map_or(Vouched::Nobody, |at| Vouched::Same { at }),
    };
    Ok(Published { sha256, length, vouched })
}

/// Where the server itself says the digest; what it says must be true.
fn said_by_server(url: &str, sha256: &str) -> Result<Option<String>, Diagnostic> {
    let (above, name) = url.rsplit_once('/').unwrap_or_default();
    let beside = DIGESTS.iter().map(|end| format!("{url}{end}"));
    let lists = LISTS.iter().map(|list| format!("{above}/{list}"));
    for at in beside.chain(lists) {
        let Ok(text) = fetch_small(&at, SMALL) else { continue };
        let Some(said) = digest_of(&String::from_utf8_lossy(&text), name) else { continue };
        return match said.eq_ignore_ascii_case(sha256) {
            true => Ok(Some(at)),
            false => Err(Diagnostic::new(format!("`{url}` is not what its own server says that it is"))
                .cause(format!("its SHA-256 is {sha256}"))
                .cause(format!("`{at}` says {said}"))
                .hint("do not install it before you know why")),
        };
    }
    Ok(None)
}

/// The digest of a file in a list as sha256sum(1) writes it, or alone.
fn digest_of(text: &str, name: &str) -> Option<String> {
    let digest = |word: &str| word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    text.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        let said = words.next().filter(|word| digest(word))?;
        let of = words.next().map(|of| of.trim_start_matches('*').rsplit('/').next().unwrap_or_default());
        of.is_none_or(|of| of == name).then(|| said.to_owned())
    })
}

/// Where its signature is, which must be one of the keyring's.
fn signed(url: &str, archive: &Path, dir: &Path, keyring: &Path) -> Result<String, Diagnostic> {
    let signature = dir.join("signature");
    let found = SIGNATURES.iter().find_map(|end| {
        let at = format!("{url}{end}");
        let bytes = fetch_small(&at, SMALL).ok()?;
        fs::write(&signature, bytes).is_ok().then_some(at)
    });
    let Some(at) = found else {
        return Err(Diagnostic::new(format!("`{url}` is not signed"))
            .cause("there is neither `.asc` nor `.sig` beside it")
            .hint("without `--keyring`, its digest is enough"));
    };
    // A name alone would be one of the home of gpg.
    let keys = fs::canonicalize(keyring).map_err(|error| {
        Diagnostic::new(format!("cannot read `{}`", keyring.display())).cause(system_cause(&error))
    })?;
    let checked = Command::new("gpgv")
        .arg("--keyring")
        .args([keys.as_path(), &signature, archive])
        .stdin(Stdio::null())
        .env("LC_ALL", "C.UTF-8")
        .output()
        .map_err(|error| {
            Diagnostic::new("cannot run `gpgv`").cause(system_cause(&error)).hint("`apt install gpgv`")
        })?;
    match checked.status.success() {
        true => Ok(at),
        false => {
            let text = String::from_utf8_lossy(&checked.stderr);
            let last: Vec<&str> = text.lines().rev().take(3).collect();
            let wrong =
                Diagnostic::new(format!("`{at}` is no signature of a key in `{}`", keyring.display()));
            Err(last.iter().rev().fold(wrong, |wrong, line| wrong.cause(line.trim_start_matches("gpgv: ").to_owned())).hint(
                "a keyring is as `gpg --export KEY > FILE` writes it; do not install it before you know why",
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_found_alone_and_in_a_list() {
        let digest = "ab".repeat(32);
        assert_eq!(digest_of(&format!("{digest}\n"), "a.zip").as_deref(), Some(digest.as_str()));
        let list = format!("{}  b.zip\n{digest} *./a.zip\n", "0".repeat(64));
        assert_eq!(digest_of(&list, "a.zip").as_deref(), Some(digest.as_str()));
        assert_eq!(digest_of(&list, "c.zip"), None);
        assert_eq!(digest_of("<html>404</html>", "a.zip"), None);
    }
}
