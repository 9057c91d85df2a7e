//! The types that a variable may have. Each accepts a value from an inventory, in its normal form, or says what it wants.
//!
//! Always true here: what a type other than `text` accepts has none of the characters that mean anything to a
//! shell, to nginx, to systemd or in an INI file, so a recipe may put it there as it is. What is a schedule, or a mapping
//! of its own, goes only where its form is the right one: into cron's file, a script, or a file of backup and monitoring.

mod forms;
#[cfg(test)]
mod tests;

use pq_items::{Schedule, Span};
use pq_stream::{nearest, valid_instance_id};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

pub use forms::bytes;
use forms::{domain, firewall_rule, network, path, system_path};

use crate::{known, structured};

/// The type of a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One line of text.
    Text,
    /// A password: one line of text without a blank at either end, which programs that read it would cut off.
    Password,
    /// True or false.
    Boolean,
    /// A whole number, 0 or more.
    Integer,
    /// A TCP or UDP port.
    Port,
    /// A DNS name.
    Domain,
    /// A mail address.
    Email,
    /// The address of a site or of something on it.
    Url,
    /// An absolute path.
    Path,
    /// An absolute path that is no directory of the system's.
    OwnPath,
    /// A path below a release, such as `public`; `.` is the release itself.
    Below,
    /// A number of bytes, such as `32M`: not 0, which means no limit to nginx and PHP, and at most `64G`.
    Size,
    /// A locale, such as `fr_FR.UTF-8`.
    Locale,
    /// A language, such as `fr`.
    Language,
    /// A time zone, such as `Europe/Paris`.
    Timezone,
    /// The name of a Debian package.
    Package,
    /// A login name.
    Login,
    /// A rule of the firewall, such as `allow 443/tcp from 10.0.0.0/8`.
    FirewallRule,
    /// The name of an account elsewhere, such as `postmaster@example.org`.
    Account,
    /// An address, or a network, such as `10.0.0.0/8`.
    Network,
    /// A person who looks after the machine: a login name, public keys, and whether they may become root.
    Operator,
    /// A word of letters, digits and `_`, such as `utf8mb4_unicode_ci`.
    Word,
    /// One of some words.
    Choice,
    /// A time of cron in five fields, such as `12 3 * * *`.
    Schedule,
    /// A length of time, such as `26h`.
    Span,
    /// A job of cron: a name, a command of one line, a time, and who runs it.
    CronJob,
    /// A script: the name of its file, and what it holds.
    Script,
    /// A release of paquerette's tools: an address, a version, a digest, and which tools it brings.
    Tools,
    /// An archive: an address, a version, a digest, and how many directories its names begin with.
    Archive,
    /// A tag of a git repository: an address, the tag, and the commit that it must be.
    Git,
    /// Packages of Python: a version for all of them, and the list with its digests.
    Packages,
    /// A directory of the machine: where it is, and the version that it holds.
    Directory,
    /// Variables of an environment; a value may be a secret.
    Environment,
    /// The whole fingerprint of an OpenPGP key.
    Fingerprint,
    /// Another instance: its id on the same host, or its domain elsewhere.
    Instance,
    /// Where backups go: a name, a place as restic writes it, and the file with the password.
    Target,
    /// A machine whose repository is kept: a name, where it is, and its host key.
    Peer,
    /// A public key of ssh.
    PublicKey,
    /// A time in which nobody is woken: when, why, and who says so.
    Window,
    /// A way of telling people: a name, and which one it is.
    Channel,
    /// One of the machines that watch each other: its name in the inventory, and an https address that it serves.
    MonitorPeer,
}

/// A public key whose private one nobody has.
const SAMPLE_KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDnX2Fz0ZCYIIFpdGaAsPMm5b5QSLQmcZTZpPMlvBPmR";

impl Kind {
    /// What it is called, with its article, and an example.
    pub fn words(self) -> &'static str {
        match self {
            Kind::Text => "a text of one line",
            Kind::Password => "a password of one line, without a blank at either end",
            Kind::Boolean => "a boolean: `true` or `false`",
            Kind::Integer => "a whole number, such as `5`",
            Kind::Port => "a port, from 1 to 65535",
            Kind::Domain => "a DNS name, such as `wiki.example.org`",
            Kind::Email => "a mail address, such as `admin@example.org`",
            Kind::Url => "an address, such as `https://mirror.example.org/sources`",
            Kind::Path => "an absolute path of letters, digits, `.`, `_` and `-`, such as `/srv/paquerette`",
            Kind::OwnPath => {
                "an absolute path of letters, digits, `.`, `_` and `-` that is no directory of the system's, such as `/srv/paquerette`"
            }
            Kind::Below => "a path below the release, of letters, digits, `.`, `_` and `-`, such as `public`",
            Kind::Size => "a number of bytes, up to `64G`, such as `32M`",
            Kind::Locale => "a locale that Debian has, such as `fr_FR.UTF-8`",
            Kind::Language => "a language, such as `fr` or `pt-br`",
            Kind::Timezone => "a time zone that Debian has, such as `Europe/Paris`",
            Kind::Package => "the name of a Debian package, such as `htop`",
            Kind::Login => "a login name of lower case letters, digits and `_`, such as `alice`",
            Kind::FirewallRule => {
                "a rule of the firewall, such as `allow 443/tcp` or `limit 22/tcp from 10.0.0.0/8`"
            }
            Kind::Account => {
                "the name of an account, of letters, digits and `.`, `_`, `+`, `-`, `@`, `=`, `/`"
            }
            Kind::Network => "an address or a network, such as `192.0.2.1` or `10.0.0.0/8`",
            Kind::Operator => {
                "a person, such as `{ name: alice, keys: [\"ssh-ed25519 AAAA… alice\"] }`, with `sudo: false` where they may not become root"
            }
            Kind::Word => "a word of letters, digits and `_`",
            Kind::Choice => "one of the words of its recipe",
            Kind::Schedule => "a time of cron in five fields, such as `12 3 * * *`",
            Kind::Span => "a length of time, such as `90s`, `10m`, `26h` or `7d`",
            Kind::CronJob => {
                "a job, such as `{ name: quota, command: /usr/local/sbin/quota --all, schedule: \"12 4 * * *\", user: root }`: \
                 the name of letters, digits, `_` and `-`, the command of one line with each `%` written `\\%`, and no two backslashes in a row"
            }
            Kind::Script => {
                "a script, such as `{ name: quota, content: \"#!/bin/sh\\n…\" }`: the name of letters, digits, `.`, `_` and `-`, \
                 and `#!` at the beginning of what it holds"
            }
            Kind::Tools => {
                "a release of the tools, such as `{ url: https://mirror.example.org/paquerette-0.1.0-x86_64.tar.xz, version: \"0.1.0\", sha256: \"…\" }`"
            }
            Kind::Archive => {
                "an archive, such as `{ url: https://example.org/site-7.tar.gz, version: \"7\", sha256: \"…\" }`, with `strip: 0` where its names begin with no directory"
            }
            Kind::Git => {
                "a tag, such as `{ url: git@git.example.org:shop.git, tag: v1.2, commit: \"…\" }`, with the whole commit, and with `version` where the tag is no name of one"
            }
            Kind::Packages => {
                "packages of Python, such as `{ version: \"1.2\", requirements: \"shop==1.2 --hash=sha256:…\" }`, a line for each, their dependencies too"
            }
            Kind::Directory => "a directory of the machine, such as `{ path: /srv/shop, version: \"1.2\" }`",
            Kind::Environment => {
                "variables of an environment, such as `{ SHOP_NAME: a shop }`, each of letters, digits and `_`, with a text of one line"
            }
            Kind::Fingerprint => "the whole fingerprint of a key, of 40 or 64 hexadecimal digits",
            Kind::Instance => {
                "an instance: its id where it is on the same host, such as `cloud`, else its domain, such as `cloud.example.org`"
            }
            Kind::Target => {
                "where backups go, without a password, such as `{ name: away, url: sftp:backup@host:/srv/backup, password_file: /etc/paquerette/backup.key }`"
            }
            Kind::Peer => {
                "a machine whose backups are kept, such as `{ name: prod1, host: prod1.example.org, host_key: ssh-ed25519 AAAA… }`"
            }
            Kind::MonitorPeer => {
                "a machine that another one watches, such as `{ name: web1, url: \"https://web1.example.org/\" }`"
            }
            Kind::PublicKey => "a public key of ssh, such as `ssh-ed25519 AAAA… prod2`",
            Kind::Window => {
                "a time with its end, such as `{ from: \"2026-12-01T22:00:00+01:00\", until: \"2026-12-02T02:00:00+01:00\", reason: new disk, who: claire }`, \
                 or with `weekly: { days: [sunday], from: \"22:00\", until: \"23:30\" }` instead of `from` and `until`"
            }
            Kind::Channel => {
                "a way of telling, without a secret, such as `{ name: phone, ntfy: { url: \"https://ntfy.example.org\", topic_file: /etc/paquerette/ntfy.topic } }`"
            }
        }
    }

    /// A value of this type; of a choice any word.
    pub fn sample(self) -> Value {
        match self {
            Kind::Text | Kind::Word | Kind::Choice | Kind::Login | Kind::Account => json!("sample"),
            Kind::Password => json!("a sample of a password"),
            Kind::Boolean => json!(true),
            Kind::Integer | Kind::Port => json!(1),
            Kind::Fingerprint => json!("A".repeat(40)),
            Kind::Domain | Kind::Instance => json!("sample.example.org"),
            Kind::Email => json!("sample@example.org"),
            Kind::Url => json!("https://sample.example.org/sources"),
            Kind::Path => json!("/srv/sample"),
            Kind::OwnPath => json!("/srv/sample"),
            Kind::Below => json!("public"),
            Kind::Size => json!("32M"),
            Kind::Locale => json!("C.UTF-8"),
            Kind::Language => json!("en"),
            Kind::Timezone => json!("UTC"),
            Kind::Package => json!("htop"),
            Kind::FirewallRule => json!("allow 443/tcp"),
            Kind::Network => json!("192.0.2.1"),
            Kind::Schedule => json!("12 3 * * *"),
            Kind::Span => json!("26h"),
            Kind::Operator => json!({ "name": "sample", "keys": ["ssh-ed25519 AAAA sample"] }),
            Kind::CronJob => json!({ "name": "sample", "command": "true", "schedule": "12 3 * * *" }),
            Kind::Script => json!({ "name": "sample", "content": "#!/bin/sh\n" }),
            Kind::Tools => json!({
                "url": "https://sample.example.org/tools.tar.xz", "version": "1", "sha256": "a".repeat(64),
            }),
            Kind::Archive => {
                json!({ "url": "https://sample.example.org/site.tar.gz", "version": "1", "sha256": "a".repeat(64) })
            }
            Kind::Git => {
                json!({ "url": "https://sample.example.org/sample.git", "tag": "v1", "commit": "a".repeat(40) })
            }
            Kind::Packages => {
                json!({ "version": "1", "requirements": format!("sample==1 --hash=sha256:{}", "a".repeat(64)) })
            }
            Kind::Directory => json!({ "path": "/srv/sample", "version": "1" }),
            Kind::Environment => json!({ "SAMPLE": "a sample" }),
            Kind::Target => {
                json!({ "name": "sample", "url": "/srv/sample", "password_file": "/etc/paquerette/sample.key" })
            }
            Kind::Peer => json!({ "name": "sample", "host": "sample.example.org", "host_key": SAMPLE_KEY }),
            Kind::MonitorPeer => json!({ "name": "sample", "url": "https://sample.example.org/" }),
            Kind::PublicKey => json!(SAMPLE_KEY),
            Kind::Window => json!({
                "from": "2026-12-01T22:00:00Z", "until": "2026-12-02T02:00:00Z", "reason": "sample", "who": "sample",
            }),
            Kind::Channel => {
                json!({ "name": "sample", "webhook": { "url": "https://sample.example.org/in" } })
            }
        }
    }

    /// The value in its normal form; nothing where it is not of this type.
    pub fn accept(self, value: &Value) -> Option<Value> {
        if let Some(read) = structured::read(self, value) {
            return read.ok();
        }
        match (self, value) {
            (Kind::Boolean, Value::Bool(_)) => Some(value.clone()),
            (Kind::Boolean, Value::String(text)) => match text.to_ascii_lowercase().as_str() {
                "yes" | "true" | "on" => Some(Value::Bool(true)),
                "no" | "false" | "off" => Some(Value::Bool(false)),
                _ => None,
            },
            (Kind::Integer, Value::String(text)) => text.parse::<u64>().ok().map(Value::from),
            (Kind::Integer, Value::Number(number)) => number.as_u64().map(Value::from),
            (Kind::Port, Value::String(text)) => {
                text.parse::<u16>().ok().filter(|port| *port > 0).map(Value::from)
            }
            (Kind::Port, Value::Number(number)) => {
                number.as_u64().filter(|port| (1..=65535).contains(port)).map(Value::from)
            }
            (Kind::Size, Value::Number(number)) => self.accept_text(&number.to_string()),
            (_, Value::String(text)) => self.accept_text(text),
            _ => None,
        }
    }

    /// The value that a text which is none was probably meant to be.
    pub fn near(self, text: &str) -> Option<String> {
        match self {
            Kind::Locale => {
                let language = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
                let text = language(text);
                let known = || known::locales().map(language);
                let near = known().find(|name| *name == text).or_else(|| nearest(&text, known()));
                near.map(|name| name + ".UTF-8")
            }
            Kind::Timezone => nearest(text, known::timezones()),
            _ => None,
        }
    }

    /// What is wrong with a mapping, where this type is one.
    pub fn wrong(self, value: &Value) -> Option<String> {
        structured::read(self, value)?.err()
    }

    fn accept_text(self, text: &str) -> Option<Value> {
        let as_it_is = |good: bool| good.then(|| Value::from(text));
        match self {
            Kind::Text | Kind::Choice => as_it_is(!text.chars().any(char::is_control)),
            Kind::Password => {
                as_it_is(!text.is_empty() && text.trim() == text && !text.chars().any(char::is_control))
            }
            Kind::Domain => domain(text).map(Value::from),
            Kind::Fingerprint => {
                as_it_is([40, 64].contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit()))
            }
            Kind::Instance => match domain(text) {
                Some(domain) => Some(domain.into()),
                None => as_it_is(valid_instance_id(text).is_ok()),
            },
            Kind::Email => {
                let (user, at) = text.rsplit_once('@')?;
                let plain = |c: char| c.is_ascii_alphanumeric() || "._+-".contains(c);
                as_it_is(
                    !user.is_empty() && user.chars().all(plain) && domain(at).is_some() && text.len() < 255,
                )
            }
            Kind::Url => {
                let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
                let plain = |c: char| c.is_ascii_alphanumeric() || ".-_:/".contains(c);
                as_it_is(rest.starts_with(|c: char| c.is_ascii_alphanumeric()) && rest.chars().all(plain))
            }
            Kind::Path => as_it_is(path(text)),
            Kind::OwnPath => as_it_is(path(text) && !system_path(text)),
            Kind::Below => as_it_is(text == "." || path(&format!("/{text}"))),
            Kind::Size => as_it_is(bytes(text).is_some_and(|size| (1..=64 << 30).contains(&size))),
            Kind::Locale => as_it_is(known::locales().any(|name| name == text)),
            Kind::Language => {
                let part =
                    |p: &str| (2..=8).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_alphanumeric());
                as_it_is(text.split('-').all(part))
            }
            Kind::Timezone => as_it_is(known::timezones().any(|name| name == text)),
            Kind::Package => {
                let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+.-".contains(c);
                as_it_is(
                    text.len() > 1
                        && text.chars().all(plain)
                        && text.starts_with(|c: char| c.is_ascii_alphanumeric()),
                )
            }
            Kind::Login => {
                let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
                let length = (1..=32).contains(&text.len());
                as_it_is(
                    length && text.chars().all(plain) && text.starts_with(|c: char| c.is_ascii_lowercase()),
                )
            }
            Kind::Account => {
                let plain = |c: char| c.is_ascii_alphanumeric() || "._+-@=/".contains(c);
                as_it_is((1..=255).contains(&text.len()) && text.chars().all(plain))
            }
            Kind::Network => as_it_is(network(text)),
            Kind::Word => {
                let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
                as_it_is((1..=64).contains(&text.len()) && text.chars().all(plain))
            }
            Kind::FirewallRule => firewall_rule(text),
            Kind::Schedule => as_it_is(Schedule::new(text).is_ok()),
            Kind::Span => as_it_is(Span::new(text).is_ok()),
            Kind::Boolean
            | Kind::Integer
            | Kind::Port
            | Kind::Operator
            | Kind::CronJob
            | Kind::Script
            | Kind::Tools
            | Kind::Archive
            | Kind::Git
            | Kind::Packages
            | Kind::Directory
            | Kind::Environment
            | Kind::Target
            | Kind::Peer
            | Kind::PublicKey
            | Kind::Window
            | Kind::Channel
            | Kind::MonitorPeer => None,
        }
    }
}
