//! What an instance may name as its own code: an archive, a tag of a git repository, packages of Python, a directory of the machine; and
//! its environment.
//!
//! Always true here: what is fetched is known by a digest, so that what runs is what was looked at, wherever it is fetched from.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, de::Error};
use serde_json::Value;

use crate::structured::formed;
use crate::{Data, Kind, Node, Variable};

/// The key by which an instance names its own archive.
pub const ARCHIVE: &str = "archive";

/// The key by which it names a tag of a git repository.
pub const GIT: &str = "git";

/// The key by which it names packages of Python.
pub const PACKAGES: &str = "packages";

/// The key by which it names a directory of the machine.
pub const DIRECTORY: &str = "directory";

/// The variables of an application whose instances name their code, or leave it.
pub(crate) fn variables() -> [(&'static str, Variable); 4] {
    let one = |kind: Kind, about: &str| {
        let nothing = Node { mark: Default::default(), data: Data::Scalar(Value::Null) };
        Variable { default: Some(nothing), ..Variable::required(kind, about) }
    };
    [
        (ARCHIVE, one(Kind::Archive, "Its code: an archive with its digest")),
        (GIT, one(Kind::Git, "Its code: a tag of a git repository with its commit")),
        (PACKAGES, one(Kind::Packages, "Its code: packages of Python with their digests")),
        (DIRECTORY, one(Kind::Directory, "Its code: a directory of the machine, of which a copy is served")),
    ]
}

/// A tag of a git repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Git {
    /// Where it is: `https://…`, `ssh://…`, `user@host:path`, or a path of the machine.
    #[serde(deserialize_with = "address")]
    pub url: String,
    /// The tag.
    #[serde(deserialize_with = "name")]
    pub tag: String,
    /// The commit that it must be, whole.
    #[serde(deserialize_with = "commit")]
    pub commit: String,
    /// What version it is; the tag itself where nothing is said.
    #[serde(default, deserialize_with = "optional_name")]
    pub version: Option<String>,
}

/// Packages of Python.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Packages {
    #[serde(deserialize_with = "name")]
    version: String,
    #[serde(deserialize_with = "lines")]
    requirements: String,
}

/// A directory of the machine.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Directory {
    #[serde(deserialize_with = "place")]
    path: String,
    #[serde(deserialize_with = "name")]
    version: String,
}

/// Variables of an environment.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Environment(#[serde(deserialize_with = "environment")] BTreeMap<String, String>);

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let form = "the address of a repository, such as `https://git.example.org/shop.git`, `git@git.example.org:shop.git` or `/srv/git/shop.git`";
    formed(deserializer, form, |text| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-/:@~+".contains(c);
        let scheme = text.split_once("://").map(|(scheme, _)| scheme);
        let known = match scheme {
            Some(scheme) => ["https", "ssh"].contains(&scheme),
            None => text.starts_with('/') || text.contains(':'),
        };
        known && text.starts_with(|c: char| c == '/' || c.is_ascii_alphanumeric()) && text.chars().all(plain)
    })
}

fn place<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    formed(deserializer, Kind::OwnPath.words(), |text| Kind::OwnPath.accept(&text.into()).is_some())
}

fn is_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || ".+-_".contains(c);
    (1..=64).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(plain)
        && !text.contains("..")
}

fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    formed(deserializer, "a version, such as `v1.2`, of letters, digits and `.`, `+`, `-`, `_`", is_name)
}

fn optional_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    match Option::<String>::deserialize(deserializer)? {
        Some(text) if !is_name(&text) => {
            Err(D::Error::custom(format!("`{}` is not a version", text.escape_debug())))
        }
        given => Ok(given),
    }
}

fn commit<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let whole =
        |text: &str| [40, 64].contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    formed(deserializer, "a whole commit, of 40 or 64 hexadecimal digits", whole)
        .map(|text| text.to_ascii_lowercase())
}

fn lines<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    formed(deserializer, "a list of packages, a line for each", |text| {
        !text.trim().is_empty() && !text.contains(|c: char| c.is_control() && c != '\n')
    })
}

fn environment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let mut all = BTreeMap::new();
    for (name, value) in BTreeMap::<String, Value>::deserialize(deserializer)? {
        if !is_name(&name) {
            return Err(D::Error::custom(format!("`{}` is no name of a variable", name.escape_debug())));
        }
        let text = match value {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            Value::Bool(word) => word.to_string(),
            _ => return Err(D::Error::custom(format!("`{name}` is no text"))),
        };
        if text.chars().any(char::is_control) {
            return Err(D::Error::custom(format!(
                "`{name}` is more than one line, or holds a control character"
            )));
        }
        all.insert(name, text);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_tag_is_known_by_its_whole_commit() {
        let git = |key: &str, value: Value| {
            let mut git =
                json!({ "url": "git@git.example.org:shop.git", "tag": "v1.2", "commit": "A".repeat(40) });
            git[key] = value;
            Kind::Git.accept(&git)
        };
        assert_eq!(git("version", json!("1.2")).unwrap()["commit"], "a".repeat(40));
        for url in [
            "https://git.example.org/shop.git",
            "ssh://git@git.example.org:2222/shop.git",
            "/srv/git/shop.git",
        ] {
            assert!(git("url", json!(url)).is_some(), "{url}");
        }
        for (key, wrong) in [
            ("url", "--upload-pack=id"),
            ("url", "ext::sh -c id"),
            ("url", "file:///srv/shop.git"),
            ("url", "http://git.example.org/shop.git"),
            ("url", "shop.git"),
            ("tag", "-x"),
            ("tag", "../x"),
            ("tag", "a..b"),
            ("commit", "abcdef"),
            ("version", "a/b"),
            ("branch", "main"),
        ] {
            assert_eq!(git(key, json!(wrong)), None, "{key}: {wrong}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_directory_is_said_by_its_key() {
        let wrong = |value: Value| Kind::Directory.wrong(&value).unwrap();
        assert_eq!(wrong(json!("/srv/shop")), "it is no mapping of keys to values");
        assert_eq!(wrong(json!({ "path": "/srv/shop" })), "it has no `version`");
        let version = |version: Value| wrong(json!({ "path": "/srv/shop", "version": version }));
        assert_eq!(version(json!(1.2)), "its `version` is no text: write it in quotes, \"1.2\"");
        assert_eq!(version(json!(null)), "its `version` has no value");
        assert_eq!(version(json!(["1.2"])), "its `version` is no text");
        assert_eq!(
            wrong(json!({ "path": "/srv/shop", "versoin": "1" })),
            "it has the key `versoin`, and may have `path`, `version`"
        );
        let strip = json!({ "url": "https://example.org/a.tgz", "version": "1", "sha256": "a".repeat(64), "strip": 300 });
        assert_eq!(Kind::Archive.wrong(&strip).unwrap(), "its `strip` is no whole number that it may be");
    }

    #[test]
    fn an_environment_has_names_and_texts_of_one_line() {
        let good = json!({ "SHOP_PORT": 5, "_x": "a b", "DEBUG": false });
        assert_eq!(
            Kind::Environment.accept(&good),
            Some(json!({ "SHOP_PORT": "5", "_x": "a b", "DEBUG": "false" }))
        );
        for wrong in [
            json!({ "A-B": "x" }),
            json!({ "1": "x" }),
            json!({ "A": "x\ny" }),
            json!({ "A": [] }),
            json!([]),
        ] {
            assert_eq!(Kind::Environment.accept(&wrong), None, "{wrong}");
        }
    }
}
