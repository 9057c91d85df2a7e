//! The versions of an application that may be installed, each with its digest.

use std::collections::BTreeMap;

use pq_stream::{Diagnostic, Place};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_saphyr::Spanned;

use crate::{Git, Mark, Source, yaml};
use pq_stream::version::{compare, meets};

/// One version: an archive with its digest, or a list of Python packages with theirs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// Where its archive is.
    #[serde(default)]
    pub url: Option<String>,
    /// The archive's SHA-256 in hexadecimal.
    #[serde(default)]
    pub sha256: Option<String>,
    /// How many leading directories of the archive's names are dropped.
    #[serde(default = "one")]
    pub strip: usize,
    /// The file beside the recipe that lists the Python packages, each with its version and hashes.
    #[serde(default)]
    pub requirements: Option<String>,
    /// The versions of PHP that this one runs on, where they are others than the recipe's.
    #[serde(default)]
    pub php: Option<Range>,
    /// Instead of both: its archive for `amd64`.
    #[serde(default)]
    pub amd64: Option<Built>,
    /// And for `arm64`.
    #[serde(default)]
    pub arm64: Option<Built>,
    /// What a variant of the application has in place of a file of the archive, by its name.
    #[serde(default)]
    pub parts: BTreeMap<String, Variant>,
    /// Packages of Python, where an instance names them itself.
    #[serde(skip)]
    pub packages: Option<String>,
    /// A tag of a git repository, where an instance names it itself.
    #[serde(skip)]
    pub git: Option<Git>,
    /// A directory of the machine, where an instance names it itself.
    #[serde(skip)]
    pub directory: Option<String>,
}

/// The oldest and the newest version that will do.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// The oldest.
    pub min: String,
    /// The newest, where not all that come will do.
    #[serde(default)]
    pub max: Option<String>,
}

/// What is fetched for one architecture.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Built {
    /// Where it is.
    pub url: String,
    /// Its SHA-256 in hexadecimal.
    pub sha256: String,
}

/// A program in place of one that the archive brings.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// Where it goes, below the release.
    pub into: String,
    /// What it is for `amd64`.
    #[serde(default)]
    pub amd64: Option<Built>,
    /// And for `arm64`.
    #[serde(default)]
    pub arm64: Option<Built>,
}

impl Variant {
    /// What it is for an architecture.
    pub fn on(&self, architecture: &str) -> Option<&Built> {
        built(&self.amd64, &self.arm64, architecture)
    }
}

fn built<'b>(amd64: &'b Option<Built>, arm64: &'b Option<Built>, architecture: &str) -> Option<&'b Built> {
    match architecture {
        "amd64" => amd64.as_ref(),
        "arm64" => arm64.as_ref(),
        _ => None,
    }
}

fn one() -> usize {
    1
}

/// What a [`Pin`] leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin<'a> {
    /// An archive.
    Archive {
        /// Where it is.
        url: &'a str,
        /// Its SHA-256 in hexadecimal.
        sha256: &'a str,
    },
    /// A file beside the recipe that lists Python packages.
    Requirements(&'a str),
    /// Python packages, listed.
    Packages(&'a str),
    /// A tag of a git repository.
    Git(&'a Git),
    /// A directory of the machine.
    Directory(&'a str),
}

impl Pin {
    /// The pin as it is for an architecture; nothing where it has none for that.
    pub fn on(mut self, architecture: &str) -> Option<Pin> {
        if self.amd64.is_some() || self.arm64.is_some() {
            let built = built(&self.amd64, &self.arm64, architecture)?.clone();
            (self.url, self.sha256) = (Some(built.url), Some(built.sha256));
        }
        Some(self)
    }

    /// Every digest that it names, and whether it leads anywhere.
    fn digests(&self) -> Option<Vec<&str>> {
        let each = [&self.amd64, &self.arm64].into_iter();
        let parts: Vec<_> = self.parts.values().flat_map(|part| [&part.amd64, &part.arm64]).collect();
        let each: Vec<&str> = each.chain(parts).flatten().map(|built| &*built.sha256).collect();
        match (self.origin(), self.amd64.is_some() || self.arm64.is_some()) {
            (Some(Origin::Archive { sha256, .. }), false) => Some([vec![sha256], each].concat()),
            (Some(_), false) => Some(each),
            (None, true) if self.requirements.is_none() => Some(each),
            _ => None,
        }
    }

    /// What it leads to; nothing where it is neither an archive nor a list, or both.
    pub fn origin(&self) -> Option<Origin<'_>> {
        if let Some(git) = &self.git {
            return Some(Origin::Git(git));
        }
        if let Some(directory) = &self.directory {
            return Some(Origin::Directory(directory));
        }
        if let Some(packages) = &self.packages {
            return Some(Origin::Packages(packages));
        }
        match (&self.url, &self.sha256, &self.requirements) {
            (Some(url), Some(sha256), None) => Some(Origin::Archive { url, sha256 }),
            (None, None, Some(file)) => Some(Origin::Requirements(file)),
            _ => None,
        }
    }
}

/// The pinned versions of one application.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pins {
    pins: BTreeMap<String, Pin>,
    /// Where each stands.
    places: BTreeMap<String, Place>,
}

impl Pins {
    /// Adds a file's pins; a version that is there already takes the new one's place.
    ///
    /// # Errors
    /// Where the file is no list of pins.
    pub fn add(&mut self, source: &Source) -> Result<(), Diagnostic> {
        let pins: BTreeMap<String, Spanned<Pin>> = yaml::read(source)?;
        for (version, pin) in pins {
            let mark = Mark {
                line: usize::try_from(pin.referenced.line()).unwrap_or(1),
                column: usize::try_from(pin.referenced.column()).unwrap_or(1),
            };
            let error = |cause: &str| {
                Err(Diagnostic::new(format!("the pin of version `{version}` cannot be used"))
                    .at(source.place(mark))
                    .cause(cause.to_owned()))
            };
            let plain = |c: char| c.is_ascii_alphanumeric() || "._+-".contains(c);
            if !version.starts_with(|c: char| c.is_ascii_alphanumeric()) || !version.chars().all(plain) {
                return error("a version is made of letters, digits, `.`, `_`, `+` and `-`");
            }
            let digest = |text: &str| text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
            match pin.value.digests() {
                None => {
                    return error(
                        "it needs `url` and `sha256`, both for `amd64` or `arm64`, or else `requirements`",
                    );
                }
                Some(digests) if !digests.iter().all(|text| digest(text)) => {
                    return error("`sha256` is 64 hexadecimal digits");
                }
                Some(_) => {}
            }
            self.places.insert(version.clone(), source.place(mark));
            self.pins.insert(version, pin.value);
        }
        Ok(())
    }

    /// The newest pinned version of those that `wanted` names: `32` is the newest 32.x; nothing is the newest of all.
    pub fn newest(&self, wanted: Option<&str>) -> Option<(&str, &Pin)> {
        let exact = wanted.and_then(|wanted| self.pins.get_key_value(wanted));
        let met =
            || self.pins.iter().filter(|(version, _)| wanted.is_none_or(|wanted| meets(version, wanted)));
        let found = exact.or_else(|| met().max_by(|a, b| compare(a.0, b.0)));
        found.map(|(version, pin)| (version.as_str(), pin))
    }

    /// The pin of exactly this version.
    pub fn get(&self, version: &str) -> Option<&Pin> {
        self.pins.get(version)
    }

    /// Where the pin of exactly this version stands.
    pub fn place(&self, version: &str) -> Option<&Place> {
        self.places.get(version)
    }

    /// Every pinned version, the newest first.
    pub fn versions(&self) -> Vec<&str> {
        let mut versions: Vec<&str> = self.pins.keys().map(String::as_str).collect();
        versions.sort_by(|a, b| compare(b, a));
        versions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pins(text: &str) -> Result<Pins, Diagnostic> {
        let mut pins = Pins::default();
        pins.add(&Source { shown: "pins.yml".to_owned(), text: text.to_owned() })?;
        Ok(pins)
    }

    #[test]
    fn a_version_is_found_by_its_beginning_and_the_newest_wins() {
        let line =
            |v: &str| format!("\"{v}\": {{ url: \"https://a.org/{v}\", sha256: \"{}\" }}\n", "a".repeat(64));
        let pins = pins(&["9.1", "9.10", "10.0", "10.0-1"].map(line).concat()).unwrap();
        let newest = |wanted| pins.newest(wanted).map(|(version, _)| version);
        assert_eq!(newest(None), Some("10.0-1"));
        assert_eq!(newest(Some("9")), Some("9.10"));
        assert_eq!(newest(Some("10.0")), Some("10.0"));
        assert_eq!(newest(Some("11")), None);
        assert_eq!(pins.versions(), ["10.0-1", "10.0", "9.10", "9.1"]);
    }

    #[test]
    fn a_pin_without_its_digest_is_refused_with_its_place() {
        let error = pins("\"1\": { requirements: a.txt }\n\"2\": { url: https://a.org }\n").unwrap_err();
        assert_eq!(
            error.to_string(),
            "pins.yml:2:6: the pin of version `2` cannot be used: it needs `url` and `sha256`, both for `amd64` or `arm64`, or else `requirements`"
        );
    }
}
