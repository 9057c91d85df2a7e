//! A public key of OpenSSH, and the lines of an `authorized_keys` file that hold one; sshd(8), RFC 4253, RFC 5656.

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};
use sha2::{Digest, Sha256};

/// The types of keys that sshd of every supported system takes.
const TYPES: [&str; 7] = [
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
];

/// A public key: `TYPE BASE64 [COMMENT]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PublicKey {
    kind: &'static str,
    blob: Vec<u8>,
    comment: String,
}

impl PublicKey {
    /// Reads a key; what is wrong with it is said without showing it, since it may be a private one.
    pub fn read(text: &str) -> Result<Self, String> {
        if text.contains("PRIVATE KEY") {
            return Err(
                "is a private key, which never leaves its owner's machine: the public one is wanted, \
                        of the file that ends in `.pub`"
                    .to_owned(),
            );
        }
        if text.chars().any(char::is_control) {
            return Err("is more than one line, or holds a control character".to_owned());
        }
        let (kind, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
        let Some(kind) = TYPES.into_iter().find(|known| *known == kind) else {
            return Err(format!("does not begin with a type of public key: {}", TYPES.join(", ")));
        };
        let (blob, comment) = rest.trim_start().split_once(' ').unwrap_or((rest.trim_start(), ""));
        let blob = bytes(blob).ok_or("has no base64 behind its type, or a part of it is missing")?;
        has_form(kind, &blob)?;
        Ok(PublicKey { kind, blob, comment: comment.trim().to_owned() })
    }

    /// Its line, with options in front.
    pub fn line(&self, options: Option<&str>) -> String {
        let mut words: Vec<&str> = options.into_iter().collect();
        let blob = BASE64_STANDARD.encode(&self.blob);
        words.extend([self.kind, &blob]);
        words.extend((!self.comment.is_empty()).then_some(self.comment.as_str()));
        words.join(" ")
    }

    /// How `ssh-keygen -l` names it.
    pub fn fingerprint(&self) -> String {
        format!("{} SHA256:{}", self.kind, BASE64_STANDARD_NO_PAD.encode(Sha256::digest(&self.blob)))
    }

    /// Whether a line holds this key, with whatever options and comment.
    pub fn is_in(&self, line: &[u8]) -> bool {
        let line = line.trim_ascii();
        if line.starts_with(b"#") {
            return false;
        }
        let first = word(line);
        let behind = |word: &[u8]| line[word.len()..].trim_ascii_start();
        let (kind, rest) = match first == self.kind.as_bytes() {
            true => (first, behind(first)),
            // Options come first; a blank within quotes is part of them.
            false => {
                let rest = behind(options(line));
                (word(rest), rest[word(rest).len()..].trim_ascii_start())
            }
        };
        let blob = std::str::from_utf8(word(rest)).ok().and_then(bytes);
        kind == self.kind.as_bytes() && blob.as_deref() == Some(&self.blob)
    }
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    BASE64_STANDARD.decode(text).ok().filter(|bytes| !bytes.is_empty())
}

fn word(line: &[u8]) -> &[u8] {
    &line[..line.iter().position(|byte| b" \t".contains(byte)).unwrap_or(line.len())]
}

/// What stands before the first blank outside of quotes; `\"` within quotes does not end them.
fn options(line: &[u8]) -> &[u8] {
    let (mut quoted, mut at) = (false, 0);
    while at < line.len() && (quoted || !b" \t".contains(&line[at])) {
        match line[at] {
            b'\\' if line.get(at + 1) == Some(&b'"') => at += 1,
            b'"' => quoted = !quoted,
            _ => {}
        }
        at += 1;
    }
    &line[..at.min(line.len())]
}

/// The inner type agrees with the outer one, and what follows is what a key of that type has, no less and no more.
fn has_form(kind: &str, blob: &[u8]) -> Result<(), String> {
    let damaged = || format!("is no whole key of type `{kind}`: a part of its base64 is missing or wrong");
    let mut rest = blob;
    let inner = field(&mut rest).ok_or_else(damaged)?;
    if inner != kind.as_bytes() {
        let inner = String::from_utf8_lossy(inner);
        return Err(match TYPES.iter().find(|known| **known == inner) {
            Some(inner) => format!("says that it is of type `{kind}`, and its base64 is of type `{inner}`"),
            None => damaged(),
        });
    }
    let lengths: Vec<usize> = std::iter::from_fn(|| field(&mut rest).map(<[u8]>::len)).collect();
    let whole = rest.is_empty()
        && match (kind, &lengths[..]) {
            ("ssh-ed25519", [32]) | ("sk-ssh-ed25519@openssh.com", [32, _]) => true,
            // An exponent, and a modulus of 1024 bits at least.
            ("ssh-rsa", [1..=8, modulus]) => *modulus >= 128,
            ("ecdsa-sha2-nistp256", [8, 65]) | ("sk-ecdsa-sha2-nistp256@openssh.com", [8, 65, _]) => true,
            ("ecdsa-sha2-nistp384", [8, 97]) | ("ecdsa-sha2-nistp521", [8, 133]) => true,
            _ => false,
        };
    whole.then_some(()).ok_or_else(damaged)
}

/// Takes the next field off: four bytes of length, and as many bytes.
fn field<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, behind) = rest.split_first_chunk::<4>()?;
    let (field, behind) = behind.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    *rest = behind;
    Some(field)
}

/// What sshd(8) knows as options: with a value, and without.
const WITH_VALUE: [&str; 8] =
    ["command", "environment", "expiry-time", "from", "permitlisten", "permitopen", "principals", "tunnel"];
const ALONE: [&str; 14] = [
    "agent-forwarding",
    "cert-authority",
    "no-agent-forwarding",
    "no-port-forwarding",
    "no-pty",
    "no-touch-required",
    "no-user-rc",
    "no-x11-forwarding",
    "port-forwarding",
    "pty",
    "restrict",
    "user-rc",
    "verify-required",
    "x11-forwarding",
];

/// Refuses options that sshd would refuse: with one such option, the key opens nothing.
pub(super) fn valid_options(text: &str) -> Result<(), String> {
    let bad = |why: String| Err(format!("`options` {why}"));
    if text.is_empty() || text.chars().any(char::is_control) {
        return bad("is empty or holds a control character".to_owned());
    }
    if options(text.as_bytes()).len() != text.len() || text.starts_with('#') {
        return bad("holds a blank outside of quotes: they are separated by commas".to_owned());
    }
    let mut rest = text;
    loop {
        let end = rest.find(['=', ',']).unwrap_or(rest.len());
        let (name, behind) = rest.split_at(end);
        let known = name.to_ascii_lowercase();
        let value = behind.strip_prefix('=');
        let right = match value {
            Some(_) => WITH_VALUE.contains(&known.as_str()),
            None => ALONE.contains(&known.as_str()),
        };
        if !right {
            let near = pq_stream::nearest(&known, WITH_VALUE.into_iter().chain(ALONE));
            let meant = near.map_or(String::new(), |near| format!("; did you mean `{near}`?"));
            return bad(match value {
                None if WITH_VALUE.contains(&known.as_str()) => format!("holds `{known}` without a value"),
                Some(_) if ALONE.contains(&known.as_str()) => format!("gives a value to `{known}`"),
                _ => format!("holds `{}`, which sshd does not know{meant}", name.escape_debug()),
            });
        }
        let behind = match value.map(quoted) {
            None => behind,
            Some(Some(behind)) => behind,
            Some(None) => return bad(format!("gives `{known}` a value that does not stand in quotes")),
        };
        match behind.strip_prefix(',') {
            Some(next) => rest = next,
            None if behind.is_empty() => return Ok(()),
            None => return bad(format!("has something behind the value of `{known}`")),
        }
    }
}

/// What stands behind a value in quotes.
fn quoted(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('"')?;
    let mut escaped = false;
    for (at, c) in inner.char_indices() {
        match c {
            '"' if !escaped => return Some(&inner[at + 1..]),
            _ => escaped = c == '\\',
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGxhdyBvZiB0aGUgbGFuZCwgYSBrZXkgb2Ygbm9ib2R5";

    #[test]
    fn a_key_that_is_cut_private_or_of_another_type_is_refused_and_not_shown() {
        let blob = KEY.split(' ').nth(1).unwrap();
        for (text, why) in [
            ("", "does not begin with a type"),
            ("ssh-dss AAAAB3NzaC1kc3M=", "does not begin with a type"),
            ("ssh-ed25519", "no base64"),
            (&KEY[..KEY.len() - 4], "no whole key"),
            (&format!("{}AAAA", KEY), "no whole key"),
            (&format!("ssh-rsa {blob}"), "its base64 is of type `ssh-ed25519`"),
            (&format!("{KEY}\nssh-rsa x"), "more than one line"),
            ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1r", "private key"),
        ] {
            let error = PublicKey::read(text).unwrap_err();
            assert!(error.contains(why) && !error.contains("AAAA"), "{text}: {error}");
        }
    }

    #[test]
    fn keys_of_other_types_are_whole_when_all_their_parts_are_there() {
        let part = |part: &&[u8]| [&u32::try_from(part.len()).unwrap().to_be_bytes()[..], part].concat();
        let blob = |parts: &[&[u8]]| BASE64_STANDARD.encode(parts.iter().flat_map(part).collect::<Vec<_>>());
        let curve = "ecdsa-sha2-nistp256";
        let point = blob(&[curve.as_bytes(), b"nistp256", &[4; 65]]);
        assert!(PublicKey::read(&format!("{curve} {point} me@home")).is_ok());
        let rsa = blob(&[b"ssh-rsa", &[1, 0, 1], &[7; 257]]);
        assert!(PublicKey::read(&format!("ssh-rsa {rsa}")).is_ok());
        let short = blob(&[b"ssh-rsa", &[1, 0, 1], &[7; 65]]);
        assert!(PublicKey::read(&format!("ssh-rsa {short}")).is_err());
    }

    #[test]
    fn a_key_is_found_behind_any_options_and_before_any_comment() {
        let key = PublicKey::read(KEY).unwrap();
        for line in [
            KEY.to_owned(),
            format!("  {KEY} old laptop"),
            format!("restrict,command=\"echo \\\"ssh-rsa x\\\"\" {KEY}"),
            KEY.replace(' ', "\t"),
        ] {
            assert!(key.is_in(line.as_bytes()), "{line}");
        }
        for line in
            ["", "#", "ssh-ed25519", "restrict", "\"", &format!("# {KEY}"), &format!("command=\"{KEY}")]
        {
            assert!(!key.is_in(line.as_bytes()), "{line}");
        }
    }

    #[test]
    fn options_that_sshd_would_refuse_are_refused_here() {
        for good in [
            "restrict",
            "restrict,pty,command=\"rrsync -ro /srv\",from=\"10.0.0.0/8,*.x\"",
            "No-X11-Forwarding",
        ] {
            assert_eq!(valid_options(good), Ok(()), "{good}");
        }
        for (bad, why) in [
            ("", "empty"),
            ("restrict, pty", "separated by commas"),
            ("restrict,", "which sshd does not know"),
            ("no-pyt", "did you mean `no-pty`?"),
            ("from", "`from` without a value"),
            ("pty=\"x\"", "a value to `pty`"),
            ("from=10.0.0.1", "in quotes"),
            ("command=\"a\"b", "behind the value"),
            ("command=\"a\\\"", "in quotes"),
        ] {
            let error = valid_options(bad).unwrap_err();
            assert!(error.contains(why), "{bad}: {error}");
        }
    }
}
