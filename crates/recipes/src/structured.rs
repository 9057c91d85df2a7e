//! Variables that are mappings: people, jobs and scripts of the operator's own, tools, targets of backups, windows, ways of telling.
//!
//! Each becomes its normal form, with every field, or says what is wrong with it.

use pq_items::{Channel, MonitorPeer, Peer, PublicKey, Target, Window, cron_time};
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::Kind;
use crate::code::{Directory, Environment, Git, Packages};

/// What a release of these tools brings.
pub const TOOLS: [&str; 9] = [
    "pq-inventory",
    "pq-server",
    "pq-platform",
    "pq-instance",
    "pq-upgrade",
    "pq-apply",
    "pq-backup",
    "pq-monitor",
    "pq-secret",
];

/// A value in its normal form, or what is wrong with it; nothing where its type is none of these.
pub(crate) fn read(kind: Kind, value: &Value) -> Option<Result<Value, String>> {
    match kind {
        Kind::Operator => Some(typed::<Operator>(value)),
        Kind::CronJob => Some(typed::<CronJob>(value)),
        Kind::Script => Some(typed::<Script>(value)),
        Kind::Tools => Some(typed::<Tools>(value)),
        Kind::Archive => Some(typed::<Archive>(value)),
        Kind::Git => Some(typed::<Git>(value)),
        Kind::Packages => Some(typed::<Packages>(value)),
        Kind::Directory => Some(typed::<Directory>(value)),
        Kind::Environment => Some(typed::<Environment>(value)),
        Kind::Target => Some(typed::<Target>(value)),
        Kind::Peer => Some(typed::<Peer>(value)),
        Kind::PublicKey => Some(match value {
            Value::String(text) => PublicKey::new(text).map(|key| key.as_str().into()),
            _ => Err("it is no text".to_owned()),
        }),
        Kind::Window => Some(typed::<Window>(value)),
        Kind::Channel => Some(typed::<Channel>(value)),
        Kind::MonitorPeer => Some(typed::<MonitorPeer>(value)),
        _ => None,
    }
}

fn typed<T: DeserializeOwned + Serialize>(value: &Value) -> Result<Value, String> {
    let read: T =
        serde_json::from_value(value.clone()).map_err(|error| ours::<T>(value, &error.to_string()))?;
    serde_json::to_value(read).map_err(|error| error.to_string())
}

/// What serde says of a mapping, in words for whoever wrote it: which of its keys is meant.
fn ours<T: DeserializeOwned>(value: &Value, said: &str) -> String {
    let Value::Object(map) = value else { return "it is no mapping of keys to values".to_owned() };
    let named: Vec<&str> = said.split('`').skip(1).step_by(2).collect();
    if let (true, Some(name)) = (said.starts_with("missing field"), named.first()) {
        return format!("it has no `{name}`");
    }
    if let (true, Some((name, known))) = (said.starts_with("unknown field"), named.split_first()) {
        return format!("it has the key `{}`, and may have `{}`", name.escape_debug(), known.join("`, `"));
    }
    if !said.starts_with("invalid type") && !said.starts_with("invalid value") {
        return said.to_owned();
    }
    // What is wrong with a key alone is no matter of the others.
    let alone = |(name, value): &(&String, &Value)| {
        let one = Value::Object([((*name).clone(), (*value).clone())].into_iter().collect());
        serde_json::from_value::<T>(one).is_err_and(|error| error.to_string() == said)
    };
    match map.iter().find(alone) {
        Some((name, Value::Null)) => format!("its `{name}` has no value"),
        Some((name, value @ (Value::Number(_) | Value::Bool(_)))) if said.ends_with("a string") => {
            format!("its `{name}` is no text: write it in quotes, \"{value}\"")
        }
        Some((name, _)) => format!("its `{name}` is {}", is_not(said)),
        None => said.to_owned(),
    }
}

/// What serde expected and did not find.
fn is_not(said: &str) -> &'static str {
    match said.rsplit_once("expected ").map_or("", |(_, expected)| expected) {
        "a string" => "no text",
        "a sequence" => "no list",
        "a map" => "no mapping",
        "a boolean" => "neither `true` nor `false`",
        "u8" | "u16" | "u32" | "u64" => "no whole number that it may be",
        _ => "not what it must be",
    }
}

/// A person who looks after the machine.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Operator {
    #[serde(deserialize_with = "login")]
    name: String,
    #[serde(deserialize_with = "keys")]
    keys: Vec<Key>,
    #[serde(default = "yes", deserialize_with = "boolean")]
    sudo: bool,
}

#[derive(Serialize, Deserialize)]
struct Key(#[serde(deserialize_with = "key")] String);

/// A job of the operator's own.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CronJob {
    #[serde(deserialize_with = "job_name")]
    name: String,
    #[serde(deserialize_with = "cron_command")]
    command: String,
    #[serde(deserialize_with = "schedule")]
    schedule: String,
    #[serde(default = "root", deserialize_with = "user")]
    user: String,
}

/// A script of the operator's own.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Script {
    #[serde(deserialize_with = "script_name")]
    name: String,
    #[serde(deserialize_with = "script")]
    content: String,
}

/// Where a release of these tools comes from, and which it brings.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tools {
    #[serde(deserialize_with = "url")]
    url: String,
    #[serde(deserialize_with = "version")]
    version: String,
    #[serde(deserialize_with = "sha256")]
    sha256: String,
    #[serde(default = "tools_of_today")]
    tools: Vec<Tool>,
}

/// An instance's own archive.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Archive {
    #[serde(deserialize_with = "url")]
    url: String,
    #[serde(deserialize_with = "version")]
    version: String,
    #[serde(deserialize_with = "sha256")]
    sha256: String,
    #[serde(default = "one")]
    strip: u8,
}

fn one() -> u8 {
    1
}

#[derive(Serialize, Deserialize)]
struct Tool(#[serde(deserialize_with = "tool")] String);

fn yes() -> bool {
    true
}

fn root() -> String {
    "root".to_owned()
}

fn tools_of_today() -> Vec<Tool> {
    TOOLS.map(|tool| Tool(tool.to_owned())).into()
}

/// A text of a form.
pub(crate) fn formed<'de, D: Deserializer<'de>>(
    deserializer: D,
    form: &str,
    good: impl Fn(&str) -> bool,
) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    match good(&text) {
        true => Ok(text),
        false => Err(D::Error::custom(format!("`{}` is not {form}", text.escape_debug()))),
    }
}

fn login<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    formed(deserializer, Kind::Login.words(), |text| Kind::Login.accept(&text.into()).is_some())
}

fn boolean<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let read = Kind::Boolean.accept(&value).and_then(|value| value.as_bool());
    read.ok_or_else(|| D::Error::custom(format!("`{value}` is not {}", Kind::Boolean.words())))
}

fn keys<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Key>, D::Error> {
    let keys = Vec::<Key>::deserialize(deserializer)?;
    match keys.is_empty() {
        true => Err(D::Error::custom("`keys` is empty: who has no key cannot log in")),
        false => Ok(keys),
    }
}

/// A public key, as in the file that ends in `.pub`. What is wrong is said without showing more than how it begins.
fn key<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    let (kind, rest) = text.split_once(' ').unwrap_or((&text, ""));
    let public = ["ssh-", "ecdsa-", "sk-"].iter().any(|begin| kind.starts_with(begin));
    // One blank between its parts: sshd reads more of them as one, and none at the ends.
    let (blob, comment) = rest.split_once(' ').unwrap_or((rest, "x"));
    let blank = comment.is_empty() || comment.starts_with(' ') || comment.ends_with(' ');
    let wrong = match (public, blob.is_empty() || blank) {
        _ if text.contains("PRIVATE KEY") => {
            "is a private key: the public one is wanted, of the file that ends in `.pub`"
        }
        _ if text.chars().any(char::is_control) => "is more than one line, or holds a control character",
        (false, _) => {
            "does not begin with a type of public key, such as `ssh-ed25519`: it has no options here"
        }
        (true, true) => "lacks a part, or has more than one blank between two of them",
        (true, false) => return Ok(text),
    };
    let begin: String = text.chars().take(12).collect();
    Err(D::Error::custom(format!("the key that begins with `{}` {wrong}", begin.escape_debug())))
}

fn job_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    // cron reads no file with a dot in its name
    formed(deserializer, "a name of letters, digits, `_` and `-`", |it| file_name(it) && !it.contains('.'))
}

fn script_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    formed(deserializer, "a name of letters, digits, `.`, `_` and `-`", file_name)
}

/// A name that a file may have, wherever it lies, and that no program takes for an option or leaves out.
fn file_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    (1..=64).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(plain)
}

fn cron_command<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    formed(
        deserializer,
        "a command of one line with each `%` written `\\%` and no two backslashes in a row, as cron wants it",
        |command| {
            let length = (1..=998).contains(&command.len()) && !command.trim().is_empty();
            // cron reads two backslashes as one
            length
                && !command.chars().any(char::is_control)
                && !command.replace("\\%", "").contains('%')
                && !command.contains("\\\\")
        },
    )
}

fn schedule<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    cron_time(&text).map_err(D::Error::custom)?;
    Ok(text)
}

fn user<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c);
    formed(deserializer, "the name of a user, such as `www-data`", |name| {
        (1..=32).contains(&name.len())
            && name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
            && name.chars().all(plain)
    })
}

fn script<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let control = |c: char| c.is_control() && c != '\n' && c != '\t';
    let good = |text: &str| text.starts_with("#!") && !text.contains(control);
    let text = String::deserialize(deserializer)?;
    match good(&text) {
        true => Ok(text),
        false => Err(D::Error::custom("`content` does not begin with `#!`, or holds a control character")),
    }
}

fn url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    formed(deserializer, Kind::Url.words(), |text| Kind::Url.accept(&text.into()).is_some())
}

pub(crate) fn version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let plain = |c: char| c.is_ascii_alphanumeric() || ".+-".contains(c);
    formed(deserializer, "a version, such as `0.1.0`", |text| {
        text.starts_with(|c: char| c.is_ascii_digit()) && text.len() <= 64 && text.chars().all(plain)
    })
}

fn sha256<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let good = |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    formed(deserializer, "a SHA-256 in hexadecimal", good).map(|text| text.to_ascii_lowercase())
}

fn tool<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    formed(deserializer, "the name of a tool, such as `pq-apply`", |it| {
        it.starts_with("pq-") && file_name(it)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_person_has_a_name_keys_and_rights() {
        let alice = json!({ "name": "alice", "keys": ["ssh-ed25519 AAAA alice@home"] });
        let mut whole = alice.clone();
        whole["sudo"] = json!(true);
        assert_eq!(Kind::Operator.accept(&alice), Some(whole));
        let mut no = alice.clone();
        no["sudo"] = json!("no");
        assert_eq!(Kind::Operator.accept(&no).unwrap()["sudo"], false);
        let options = json!({ "name": "alice", "keys": ["restrict ssh-ed25519 AAAA"] });
        assert!(Kind::Operator.wrong(&options).unwrap().contains("`restrict ssh` does not begin"));
        for wrong in [
            json!({ "name": "alice" }),
            json!({ "name": "alice", "keys": [] }),
            json!({ "name": "al;ice", "keys": ["ssh-rsa AAAA"] }),
            options,
            json!({ "name": "alice", "keys": ["ssh-rsa AAAA", "ssh-rsa  AAAA"] }),
            json!({ "name": "alice", "keys": ["-----BEGIN OPENSSH PRIVATE KEY-----"] }),
            json!({ "name": "alice", "keys": ["ssh-rsa AAAA\nssh-rsa BBBB"] }),
            json!({ "name": "alice", "keys": ["ssh-rsa AAAA"], "shell": "/bin/sh" }),
            json!("alice"),
        ] {
            assert_eq!(Kind::Operator.accept(&wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_job_that_cron_would_read_otherwise_is_refused() {
        let job = |change: &dyn Fn(&mut Value)| {
            let mut job =
                json!({ "name": "quota", "command": "/usr/local/bin/quota", "schedule": "5 4 * * *" });
            change(&mut job);
            Kind::CronJob.accept(&job)
        };
        assert_eq!(job(&|_| {}).unwrap()["user"], "root");
        assert!(job(&|job| job["schedule"] = json!("@daily")).is_some());
        assert!(job(&|job| job["user"] = json!("www-data")).is_some());
        assert!(job(&|job| job["command"] = json!(r"date +\%F")).is_some());
        for (key, wrong) in [
            ("name", "a.b"),
            ("name", "../x"),
            ("name", "-x"),
            ("name", ""),
            ("command", "date +%F"),
            ("command", "true\n* * * * * root id"),
            ("command", " "),
            ("schedule", "5 4 * *"),
            ("schedule", "5 4 * * *\n"),
            ("schedule", "61 4 * * *"),
            ("user", "root;"),
            ("shedule", "5 4 * * *"),
        ] {
            assert_eq!(job(&|job| job[key] = json!(wrong)), None, "{key}: {wrong:?}");
        }
    }

    #[test]
    fn a_script_has_a_plain_name_and_says_what_runs_it() {
        let script = |name: &str, content: &str| {
            Kind::Script.accept(&json!({ "name": name, "content": content })).is_some()
        };
        assert!(script("quota.sh", "#!/bin/sh\ndate\n"));
        for (name, content) in [
            ("../quota", "#!/bin/sh\n"),
            (".quota", "#!/bin/sh\n"),
            ("a b", "#!/bin/sh\n"),
            ("quota", "date\n"),
            ("quota", "#!/bin/sh\0"),
            ("quota", ""),
        ] {
            assert!(!script(name, content), "{name:?} {content:?}");
        }
    }

    #[test]
    fn a_release_of_the_tools_is_named_by_its_digest() {
        let tools =
            json!({ "url": "https://a.org/paquerette.tar.xz", "version": "0.1.0", "sha256": "A".repeat(64) });
        let read = Kind::Tools.accept(&tools).unwrap();
        assert_eq!(read["sha256"], "a".repeat(64));
        assert_eq!(read["tools"], json!(TOOLS));
        for (key, wrong) in [
            ("url", json!("file:///x")),
            ("version", json!("../1")),
            ("version", json!(0.1)),
            ("sha256", json!("aa")),
            ("tools", json!(["sh"])),
            ("tools", json!(["pq-../x"])),
        ] {
            let mut tools = tools.clone();
            tools[key] = wrong.clone();
            assert_eq!(Kind::Tools.accept(&tools), None, "{key}: {wrong}");
        }
    }
}
