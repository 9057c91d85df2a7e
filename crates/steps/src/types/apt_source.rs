//! A repository that apt takes packages from, with the key that signs it: a deb822 file below `sources.list.d`, and a
//! keyring that counts for this repository only.
//!
//! Always true here: a key is trusted only when all that its block holds are keys whose whole fingerprints were asked
//! for. It is kept in binary, byte for byte what was looked at. That apt reads the lists of a new source is seen to by
//! the transaction of packages.

use std::collections::BTreeSet;

use pq_stream::Diagnostic;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::openpgp::Keys;
use super::{compare_meta, ensure_directory, in_the_way, rules, write_root};
use crate::ledger::{Thing, ThingKind};
use crate::{AbsPath, Check, Converge, Differences, Error, Kind, Mode, Probe, System, Text};

/// apt takes packages from a signed repository; before packages are installed, without being marked so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AptSource {
    /// The name of its files: `/etc/apt/sources.list.d/NAME.sources`, `/etc/apt/keyrings/NAME.gpg`.
    pub name: String,
    /// Where it is, as in `https://deb.example.org/debian`.
    pub uris: Vec<String>,
    /// Its suites, as in `bookworm`; of a repository without suites, its directory with a `/` at the end.
    pub suites: Vec<String>,
    /// Its components, as in `main`; none for a repository without suites.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<String>,
    /// Only these architectures, as in `amd64`; by default the machine's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub architectures: Vec<String>,
    /// The public keys that sign it: an armored block, or its base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Instead: where those keys are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_url: Option<String>,
    /// The whole fingerprint of each of those keys, 40 or 64 hexadecimal digits, blanks between them as you like.
    pub fingerprints: Vec<String>,
}

/// A block of keys is not larger than that.
const MAX_KEY: u64 = 1 << 20;

const MODE: Mode = Mode::from_bits(0o644);

/// A fingerprint as it is compared.
fn plain(fingerprint: &str) -> String {
    fingerprint.chars().filter(|c| *c != ' ').map(|c| c.to_ascii_uppercase()).collect()
}

fn told<'a>(fingerprints: impl IntoIterator<Item = &'a String>) -> String {
    fingerprints.into_iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

impl AptSource {
    /// Where its file is.
    pub fn place(&self) -> String {
        format!("/etc/apt/sources.list.d/{}.sources", self.name)
    }

    fn path(&self, path: String) -> Result<AbsPath, Error> {
        AbsPath::new(path).map_err(|cause| self.cannot().cause(cause).into())
    }

    fn keyring(&self) -> Result<AbsPath, Error> {
        self.path(format!("/etc/apt/keyrings/{}.gpg", self.name))
    }

    fn cannot(&self) -> Diagnostic {
        Diagnostic::new(format!("cannot trust the key of apt source `{}`", self.name))
    }

    /// What sources.list(5) calls the deb822 style, which apt reads from 1.1 on.
    fn content(&self) -> Result<Text, Error> {
        let mut text = "# written by paquerette: changes are put back\nTypes: deb\n".to_owned();
        for (field, values) in [
            ("URIs", &self.uris),
            ("Suites", &self.suites),
            ("Components", &self.components),
            ("Architectures", &self.architectures),
        ] {
            if !values.is_empty() {
                text.push_str(&format!("{field}: {}\n", values.join(" ")));
            }
        }
        text.push_str(&format!("Signed-By: {}\n", self.keyring()?));
        Ok(text.as_str().into())
    }

    fn wanted(&self) -> BTreeSet<String> {
        self.fingerprints.iter().map(|fingerprint| plain(fingerprint)).collect()
    }

    /// The keys of a block, which are those that were asked for: no other, and none missing.
    fn trusted(&self, block: &[u8]) -> Result<Keys, String> {
        let keys = Keys::read(block)?;
        let (is, wanted): (BTreeSet<String>, _) =
            (keys.fingerprints.iter().cloned().collect(), self.wanted());
        match is == wanted {
            true => Ok(keys),
            false => Err(format!("has the fingerprint {}, and wanted is {}", told(&is), told(&wanted))),
        }
    }

    /// The keys to trust, fetched where they are not in the plan.
    fn keys(&self, machine: &mut dyn System) -> Result<Keys, Error> {
        let (block, whose) = match (&self.key, &self.key_url) {
            (Some(key), _) => (key.clone().into_bytes(), "the key".to_owned()),
            (None, Some(url)) => (machine.fetch(url, MAX_KEY)?, format!("what `{url}` gives")),
            (None, None) => return Err(self.cannot().cause("none is given").into()),
        };
        self.trusted(&block).map_err(|why| {
            self.cannot()
                .cause(format!("{whose} {why}"))
                .hint("ask whoever runs the repository which one is right, by another way than its own site")
                .into()
        })
    }

    /// Whether a keyring is the wanted one, and what is wrong with it.
    fn compare_keys(&self, found: &mut Differences, is: &[u8]) {
        let wanted = told(&self.wanted());
        let same = |keys: &Keys| match &self.key {
            Some(key) => self.trusted(key.as_bytes()).is_ok_and(|wanted| wanted.bytes == keys.bytes),
            // What the server has today, only it could say. The keyring was verified when it was written.
            None => true,
        };
        match (self.trusted(is), Keys::read(is)) {
            (Ok(keys), _) if keys.bytes == is && same(&keys) => {}
            (Ok(_), _) => found.push("key", Some("another edition of it"), Some(&wanted)),
            (Err(_), Ok(other)) => found.push("key", Some(&told(&other.fingerprints)), Some(&wanted)),
            (Err(_), Err(why)) => found.push("key", Some(&format!("a file that {why}")), Some(&wanted)),
        }
    }
}

impl Converge for AptSource {
    fn check(&self, machine: &dyn Probe) -> Result<Check, Error> {
        let (keyring, source) = (self.keyring()?, self.path(self.place())?);
        let mut found = Differences::new();
        for path in [&keyring, &source] {
            let Some(is) = machine.stat(path)? else {
                found.push(path.as_str(), Some("missing"), Some("present"));
                continue;
            };
            if is.kind != Kind::File {
                return Err(in_the_way("file", path, &is));
            }
            let bytes = machine.read(path)?.unwrap_or_default();
            match *path == keyring {
                true => self.compare_keys(&mut found, &bytes),
                false => found.content(&bytes, &self.content()?, is.mode.read_by_others()),
            }
            compare_meta(&mut found, &is, MODE, "root", "root");
        }
        Ok(found.into_check())
    }

    fn apply(&self, machine: &mut dyn System) -> Result<(), Error> {
        let (keyring, source) = (self.keyring()?, self.path(self.place())?);
        // What was fetched before is not fetched again: the server may have another edition of it.
        let there = machine.read(&keyring)?.and_then(|is| self.trusted(&is).ok());
        let keys = match there {
            Some(keys) if self.key.is_none() => keys,
            _ => self.keys(machine)?,
        };
        // Debian 11 has no `keyrings` yet.
        ensure_directory(machine, keyring.parent())?;
        ensure_directory(machine, source.parent())?;
        write_root(machine, &keyring, &keys.bytes)?;
        write_root(machine, &source, self.content()?.as_bytes())
    }

    fn validate(&self) -> Result<(), String> {
        let word = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
        if self.name.is_empty() || self.name.len() > 100 || !self.name.chars().all(word) {
            return Err("`name` has other characters than letters, digits, `_` and `-`, or none".to_owned());
        }
        if self.uris.is_empty() {
            return Err("`uris` is empty".to_owned());
        }
        self.uris.iter().try_for_each(|uri| rules::url("uris", uri))?;
        self.valid_suites()?;
        let hexadecimal = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
        for fingerprint in &self.fingerprints {
            let plain = plain(fingerprint);
            if !hexadecimal(&plain) || !matches!(plain.len(), 40 | 64) {
                return Err(format!(
                    "`fingerprints` holds `{}`: a whole one has 40 or 64 hexadecimal digits, and a shorter one \
                     can be forged",
                    fingerprint.escape_debug()
                ));
            }
        }
        match (&self.key, &self.key_url) {
            _ if self.fingerprints.is_empty() => Err("`fingerprints` is empty".to_owned()),
            (None, None) => Err("neither `key` nor `key_url` is given".to_owned()),
            (Some(_), Some(_)) => Err("both `key` and `key_url` are given".to_owned()),
            (Some(key), None) => match self.trusted(key.as_bytes()) {
                Ok(_) => Ok(()),
                Err(why) => Err(format!("`key` {why}")),
            },
            (None, Some(url)) => rules::url("key_url", url),
        }
    }

    fn things(&self) -> Vec<Thing> {
        let keyring = self.keyring().ok().map(|path| Thing::at(ThingKind::File, &path));
        [Thing::new(ThingKind::File, self.place())].into_iter().chain(keyring).collect()
    }
}

impl AptSource {
    fn valid_suites(&self) -> Result<(), String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-+~/".contains(c);
        for (field, values) in [
            ("suites", &self.suites),
            ("components", &self.components),
            ("architectures", &self.architectures),
        ] {
            let fine = |value: &String| {
                !value.is_empty()
                    && !value.starts_with('-')
                    && !value.contains("..")
                    && value.chars().all(plain)
            };
            if let Some(value) = values.iter().find(|value| !fine(value)) {
                return Err(format!("`{field}` holds `{}`, which apt cannot mean", value.escape_debug()));
            }
        }
        let without = self.suites.iter().filter(|suite| suite.ends_with('/')).count();
        match (self.suites.len(), self.components.is_empty()) {
            (0, _) => Err("`suites` is empty".to_owned()),
            (all, true) if without != all => Err("`components` is empty, and a suite has some".to_owned()),
            (_, false) if without > 0 => {
                Err("`components` are given, and a suite that ends in `/` is a directory without any"
                    .to_owned())
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::AnyStep;
    use serde_json::{Value, json};

    const LAW: &str = include_str!("openpgp/law.asc");
    const OTHER: &str = include_str!("openpgp/other.asc");
    const OF_LAW: &str = "46C1 8710 DB21 0488 4875  DF15 FE34 5D38 0D52 5D11";

    fn read(change: Value) -> Result<AnyStep, String> {
        let fields = json!({"name": "law", "uris": ["https://deb.law.test/debian"], "suites": ["bookworm"],
                            "components": ["main"], "key": LAW, "fingerprints": [OF_LAW]});
        let Value::Object(mut body) = fields else { return Err("no object".to_owned()) };
        for (name, value) in change.as_object().into_iter().flatten() {
            match value {
                Value::Null => body.remove(name),
                value => body.insert(name.clone(), value.clone()),
            };
        }
        AnyStep::read("apt_source", &body).map_err(|bad| bad.to_string())
    }

    #[test]
    fn a_source_is_written_as_apt_of_debian_11_to_13_reads_it() {
        let Ok(AnyStep::AptSource(source)) = read(json!({"architectures": ["amd64", "arm64"]})) else {
            panic!("not read")
        };
        assert_eq!(
            source.content().unwrap().as_str(),
            "# written by paquerette: changes are put back\n\
             Types: deb\n\
             URIs: https://deb.law.test/debian\n\
             Suites: bookworm\n\
             Components: main\n\
             Architectures: amd64 arm64\n\
             Signed-By: /etc/apt/keyrings/law.gpg\n"
        );
    }

    #[test]
    fn a_key_with_another_fingerprint_is_refused_and_both_are_named() {
        let error = read(json!({"key": OTHER})).unwrap_err();
        assert!(error.contains("301BC84BDB150D123B8C6E1EE19A7197F70BB3F0"), "{error}");
        assert!(error.contains("wanted is 46C18710DB2104884875DF15FE345D380D525D11"), "{error}");
        assert!(read(json!({"key": format!("{LAW}{OTHER}")})).is_err(), "a second key beside the right one");
    }

    #[test]
    fn what_apt_would_not_understand_or_could_be_forged_is_refused() {
        for (change, why) in [
            (json!({"name": "a.b"}), "`name`"),
            (json!({"name": "../x"}), "`name`"),
            (json!({"uris": []}), "`uris` is empty"),
            (json!({"uris": ["http://h/ x"]}), "no place in a URL"),
            (json!({"uris": ["file:/srv"]}), "begins neither"),
            (json!({"suites": []}), "`suites` is empty"),
            (json!({"suites": ["a\nTrusted: yes"]}), "`suites` holds"),
            (json!({"components": null}), "`components` is empty"),
            (json!({"suites": ["./"]}), "a directory without any"),
            (json!({"architectures": ["amd64 arm64"]}), "`architectures` holds"),
            (json!({"fingerprints": []}), "`fingerprints` is empty"),
            (json!({"fingerprints": ["FE345D380D525D11"]}), "can be forged"),
            (json!({"key": null}), "neither `key` nor `key_url`"),
            (json!({"key_url": "https://h/k"}), "both"),
            (json!({"key": null, "key_url": "ftp://h/k"}), "`key_url`"),
            (json!({"key": "https://h/k"}), "`key` is neither"),
            (json!({"trusted": true}), "`trusted`"),
        ] {
            let error = read(change.clone()).unwrap_err();
            assert!(error.contains(why), "{change}: {error}");
        }
        assert!(read(json!({"suites": ["stable/"], "components": null})).is_ok());
    }
}
