//! Texts of a known form. Each says what form that is when a text does not have it.

use std::borrow::Cow;
use std::fmt;

use regex::RegexBuilder;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// The largest automaton that a pattern may become, in bytes.
const PATTERN: usize = 1 << 20;

/// Types of texts: their documentation, the form in words, an expression that the schema has, and the rule itself.
macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident, $form:literal, $pattern:literal, $good:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub struct $name(String);

        impl $name {
            /// Reads a text.
            ///
            /// # Errors
            /// Where it is not of that form.
            pub fn new(text: impl Into<String>) -> Result<Self, String> {
                let text = text.into();
                let good: fn(&str) -> bool = $good;
                match good(&text) {
                    true => Ok($name(text)),
                    false => Err(format!("`{}` is not {}", text.escape_debug(), $form)),
                }
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> String {
                text.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                $name::new(text)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": $pattern, "description": $form })
            }
        }
    )*};
}

texts! {
    /// What names an item or a check: it is also the name of a file.
    Id, "a name of lower case letters, digits, `_` and `-`, the first a letter, such as `platform-nginx`",
    "^[a-z][a-z0-9_-]{0,62}$", is_id;

    /// An item, or a check of one: `platform-nginx`, `platform-nginx/runs`.
    Reference, "an item, or a check of one, such as `platform-nginx` or `platform-nginx/runs`",
    "^[a-z][a-z0-9_-]{0,62}(/[a-z][a-z0-9_-]{0,62})?$",
    |text| text.split_once('/').map_or_else(|| is_id(text), |(item, check)| is_id(item) && is_id(check));

    /// An absolute path.
    AbsolutePath, "an absolute path without `.`, `..` or empty parts", "^/",
    |text| {
        let plain = |part: &str| !part.is_empty() && part != "." && part != "..";
        let rest = text.strip_prefix('/');
        is_line(text) && rest.is_some_and(|rest| rest.is_empty() || rest.split('/').all(plain))
    };

    /// One line of text that says something.
    Line, "one line of text", "\\S", is_line;

    /// A regular expression, matched in a time that grows with the text alone.
    Pattern, "a regular expression (of Rust's `regex`: without backreferences and lookaround)", "\\S",
    |text| is_line(text) && RegexBuilder::new(text).size_limit(PATTERN).build().is_ok();

    /// A mail address.
    MailAddress, "a mail address, such as `admin@example.org`", "^[A-Za-z0-9._+-]+@[A-Za-z0-9.-]+$",
    |text| text.split_once('@').is_some_and(|(user, at)| {
        let user = !user.is_empty() && made_of(user, "._+-");
        user && at.contains('.') && made_of(at, ".-") && !at.starts_with(['.', '-']) && !at.ends_with(['.', '-'])
    });

    /// The address of a page.
    Url, "an address without a password, such as `https://wiki.example.org/start`", "^https?://",
    |text| {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        rest.is_some_and(|rest| {
            let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
            !host.is_empty() && !host.contains('@') && rest.chars().all(|c| c.is_ascii_graphic() && !"\"'<>\\`{}|^".contains(c))
        })
    };

    /// Where copies go, as restic writes it.
    TargetUrl, "a path, or a place as restic writes it, without a password: `sftp:backup@host:/srv/backup`, `rest:https://host:8000/me`, `s3:host/bucket`, `rclone:remote:path`",
    "^(/|sftp:|rest:|s3:|rclone:|b2:|azure:|gs:|swift:)", is_target;

    /// A machine: its name, or its address.
    MachineName, "the name of a machine or its address, such as `prod1.example.org`", "^[A-Za-z0-9][A-Za-z0-9.:-]{0,252}$",
    |text| (1..=253).contains(&text.len()) && made_of(text, ".:-") && text.starts_with(|c: char| c.is_ascii_alphanumeric());

    /// A public key of ssh, as in the file that ends in `.pub`.
    PublicKey, "a public key in one line, such as `ssh-ed25519 AAAA… prod2`", "^(ssh-|ecdsa-|sk-)[A-Za-z0-9@.-]+ [A-Za-z0-9+/=]+( [A-Za-z0-9@._+-]+)?$",
    is_public_key;

    /// The name of a systemd unit.
    UnitName, "the name of a unit, such as `nginx.service`", "^[A-Za-z0-9@._:-]+\\.(service|timer|socket|mount|path|target)$",
    |text| text.rsplit_once('.').is_some_and(|(name, kind)| {
        let known = ["service", "timer", "socket", "mount", "path", "target"].contains(&kind);
        known && !name.is_empty() && made_of(name, "@._:-")
    });

    /// A database, or `*` for each that no other item names.
    DatabaseName, "the name of a database, or `*` for each that no other item names", "^(\\*|[A-Za-z0-9_-]{1,64})$",
    |text| text == "*" || (1..=64).contains(&text.len()) && made_of(text, "_-") && !text.starts_with('-');
}

fn made_of(text: &str, also: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || also.contains(c))
}

fn is_id(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c);
    text.len() <= 63 && text.starts_with(|c: char| c.is_ascii_lowercase()) && text.chars().all(plain)
}

/// Its type, the key, and a plain comment, with one blank between.
fn is_public_key(text: &str) -> bool {
    let mut parts = text.split(' ');
    let kind = parts.next().is_some_and(|it| {
        ["ssh-", "ecdsa-", "sk-"].iter().any(|begin| it.starts_with(begin)) && made_of(it, "@.-")
    });
    let key = parts.next().is_some_and(|it| it.len() >= 20 && made_of(it, "+/="));
    let comment = parts.next().is_none_or(|it| !it.is_empty() && made_of(it, "@._+-"));
    kind && key && comment && parts.next().is_none()
}

fn is_line(text: &str) -> bool {
    !text.trim().is_empty() && !text.chars().any(char::is_control)
}

/// A path of this machine, or a place of a kind that restic knows; never with a password in it.
fn is_target(text: &str) -> bool {
    if text.starts_with('/') {
        return AbsolutePath::new(text).is_ok();
    }
    let Some((kind, rest)) = text.split_once(':') else { return false };
    let known = ["sftp", "rest", "s3", "rclone", "b2", "azure", "gs", "swift"].contains(&kind);
    // `user:password@host`, behind `//` or at once
    let after = rest.split_once("//").map_or(rest, |(_, after)| after);
    let login = after.split('/').next().and_then(|host| host.rsplit_once('@')).map(|(login, _)| login);
    let open = login.is_some_and(|login| login.contains(':'));
    known
        && !open
        && !rest.is_empty()
        && rest.chars().all(|c| c.is_ascii_graphic() && !"\"'<>\\`{}|^".contains(c))
}

/// A share of a whole, from 1 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "u8", try_from = "u8")]
pub struct Percent(u8);

impl Percent {
    /// The number.
    pub fn get(self) -> u8 {
        self.0
    }
}

impl From<Percent> for u8 {
    fn from(percent: Percent) -> u8 {
        percent.0
    }
}

impl TryFrom<u8> for Percent {
    type Error = String;

    fn try_from(number: u8) -> Result<Self, String> {
        match number {
            1..=100 => Ok(Percent(number)),
            _ => Err(format!("`{number}` is not a percentage from 1 to 100")),
        }
    }
}

impl JsonSchema for Percent {
    fn schema_name() -> Cow<'static, str> {
        "Percent".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": 1, "maximum": 100, "description": "a percentage" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_with_a_password_in_it_is_refused() {
        for good in [
            "/srv/backup",
            "sftp:backup@host:/srv/backup",
            "sftp://backup@host:2222//srv/backup",
            "rest:https://me@backup.example.org:8000/me/",
            "s3:https://s3.example.org/bucket",
            "rclone:remote:path",
        ] {
            assert!(TargetUrl::new(good).is_ok(), "{good}");
        }
        for bad in [
            "rest:https://me:secret@host/",
            "sftp:me:secret@host:/srv",
            "srv/backup",
            "/srv/../etc",
            "ftp:host",
            "s3:",
            "s3:a b",
            "sftp:host:/a\nb",
        ] {
            assert!(TargetUrl::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_text_of_another_form_is_refused_saying_which_is_meant() {
        assert_eq!(
            AbsolutePath::new("/srv/../etc").unwrap_err(),
            "`/srv/../etc` is not an absolute path without `.`, `..` or empty parts"
        );
        assert!(AbsolutePath::new("/").is_ok() && AbsolutePath::new("/srv/a b").is_ok());
        assert!(Id::new("Wiki").is_err() && Id::new("../x").is_err() && Id::new("platform-nginx").is_ok());
        assert!(Reference::new("wiki/page").is_ok() && Reference::new("wiki/").is_err());
        assert!(Url::new("https://a.org/doku.php?id=start").is_ok());
        assert!(Url::new("https://me:x@a.org/").is_err() && Url::new("ftp://a.org").is_err());
        assert!(UnitName::new("php8.2-fpm.service").is_ok() && UnitName::new("nginx").is_err());
        assert!(MailAddress::new("a@b.org").is_ok() && MailAddress::new("a@b.org\nbcc").is_err());
        let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDnX2Fz0ZCYIIFpdGaAsPMm5b5QSLQmcZTZpPMlvBPmR";
        assert!(PublicKey::new(key).is_ok() && PublicKey::new(format!("{key} peer@prod2")).is_ok());
        for bad in ["restrict {}", "{}  a", "{} ", "{} a b", "{}\n{}", "{} \"", "ssh-ed25519"] {
            assert!(PublicKey::new(bad.replace("{}", key)).is_err(), "{bad}");
        }
        assert!(MachineName::new("2001:db8::1").is_ok() && MachineName::new("prod1.example.org").is_ok());
        assert!(MachineName::new("-oProxyCommand=x").is_err() && MachineName::new("a b").is_err());
        assert!(DatabaseName::new("*").is_ok() && DatabaseName::new("a;b").is_err());
        assert!(
            Pattern::new("(a+)+$").is_ok()
                && Pattern::new("(a").is_err()
                && Pattern::new("(?:x{900}){900}").is_err()
        );
        assert!(Percent::try_from(0).is_err() && Percent::try_from(100).is_ok());
    }
}
