//! A list of Python packages in pip's format, of which we take the part that pins: name, version, digests.

/// One pinned package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Requirement {
    /// Its name, normalised after PEP 503: lower case, `-` for every run of `-`, `_`, `.`.
    pub name: String,
    /// Its version as written.
    pub version: String,
    /// Whether a marker (`; python_version < "3.11"`) decides about it.
    pub conditional: bool,
    /// Where its wheel is, where the list says so.
    pub url: Option<String>,
}

impl Requirement {
    /// Whether a directory of that name in `site-packages` is this package's record.
    pub fn is_installed_as(&self, directory: &str) -> bool {
        let Some((name, version)) =
            directory.strip_suffix(".dist-info").and_then(|stem| stem.rsplit_once('-'))
        else {
            return false;
        };
        normal_name(name) == self.name && normal_version(version) == normal_version(&self.version)
    }
}

/// Reads the list.
///
/// # Errors
/// A sentence that names the field `requirements` and the line that pins nothing, or an empty list.
pub(super) fn read(text: &str) -> Result<Vec<Requirement>, String> {
    Ok(each(text)?.into_iter().map(|(_, one)| one).collect())
}

/// The same, each with the text that pins it, on one line.
pub(super) fn each(text: &str) -> Result<Vec<(String, Requirement)>, String> {
    let mut found = Vec::new();
    for line in text.replace("\\\n", " ").lines() {
        let line = line.split_once(" #").map_or(line, |(line, _)| line).trim();
        if !line.is_empty() && !line.starts_with('#') {
            found.push((line.to_owned(), one(line)?));
        }
    }
    match found.is_empty() {
        true => Err("`requirements` names no package".to_owned()),
        false => Ok(found),
    }
}

fn one(line: &str) -> Result<Requirement, String> {
    let bad = |why: &str| Err(format!("`requirements`: `{}` {why}", line.escape_debug()));
    let (pinned, hashes) = line.split_once("--hash=").unwrap_or((line, ""));
    let (package, marker) = match pinned.split_once(';') {
        Some((package, _)) => (package, true),
        None => (pinned, false),
    };
    let (name, version, url) = match (package.split_once("=="), package.split_once(" @ ")) {
        (Some((name, version)), _) => (name, version, None),
        (None, Some((name, url))) => match wheel(url.trim()) {
            Some(version) => (name, version, Some(url.trim().to_owned())),
            None => {
                return bad("names no wheel, as in `shop @ https://example.org/shop-1.2-py3-none-any.whl`");
            }
        },
        (None, None) => return bad("is not of the form `name==version`"),
    };
    let name = name.split('[').next().unwrap_or("").trim();
    let version = version.trim();
    let plain = |text: &str, more: &str| {
        text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
    };
    if !plain(name, "-_.") || !plain(version, ".!+-_") {
        return bad("is not of the form `name==version`");
    }
    let mut digests = hashes.split("--hash=").map(str::trim);
    let digest = |text: &str| {
        text.strip_prefix("sha256:")
            .is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
    };
    if !digests.all(digest) {
        return bad("has no `--hash=sha256:…`, or one that is none");
    }
    Ok(Requirement { name: normal_name(name), version: version.to_owned(), conditional: marker, url })
}

/// The version of the wheel at an address; PEP 427 says how its file is named.
fn wheel(url: &str) -> Option<&str> {
    let http = url.starts_with("https://") || url.starts_with("http://");
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/:+%~".contains(c);
    let stem = url.rsplit('/').next()?.strip_suffix(".whl")?;
    let version = stem.split('-').nth(1)?;
    (http && url.chars().all(plain) && stem.split('-').count() >= 5).then_some(version)
}

fn normal_name(name: &str) -> String {
    let parts: Vec<_> = name.split(['-', '_', '.']).filter(|part| !part.is_empty()).collect();
    parts.join("-").to_ascii_lowercase()
}

/// A version whose numbers have no leading zeros, as installers write it.
fn normal_version(version: &str) -> String {
    let number = |part: &str| match part.trim_start_matches('0') {
        "" => "0".to_owned(),
        rest if rest.starts_with(|c: char| c.is_ascii_digit()) => rest.to_owned(),
        _ => part.to_owned(),
    };
    let parts: Vec<_> = version.split('.').map(number).collect();
    parts.join(".").replace('-', "_").to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_as_pip_writes_it_is_read() {
        let hash = "0a".repeat(32);
        let text = format!(
            "# two of them\nRadicale[bcrypt]==3.5.4 \\\n    --hash=sha256:{hash} \\\n    --hash=sha256:{hash}\n\
             typing_extensions==4.0.0 ; python_version < \"3.11\" --hash=sha256:{hash}  # why\n"
        );
        let found = read(&text).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].name.as_str(), found[0].version.as_str()), ("radicale", "3.5.4"));
        assert!(!found[0].conditional && found[1].conditional);
    }

    #[test]
    fn a_wheel_is_named_by_its_address() {
        let hash = "0a".repeat(32);
        let of = |url: &str| read(&format!("shop @ {url} --hash=sha256:{hash}"));
        let found = of("https://h/shop-1.2-py3-none-any.whl").unwrap();
        assert_eq!((found[0].name.as_str(), found[0].version.as_str()), ("shop", "1.2"));
        for url in [
            "file:///srv/shop-1.2-py3-none-any.whl",
            "https://h/shop-1.2.tar.gz",
            "git+https://h/shop",
            "https://h/a b-1-py3-none-any.whl",
        ] {
            assert!(of(url).is_err(), "{url}");
        }
    }

    #[test]
    fn what_does_not_pin_is_refused() {
        let hash = "0a".repeat(32);
        for bad in [
            "",
            "# nothing",
            "radicale==3.5.4",
            &format!("radicale>=3 --hash=sha256:{hash}"),
            "radicale==3.5.4 --hash=sha256:0a",
            &format!("-e . --hash=sha256:{hash}"),
            &format!("--index-url=https://h/ a==1 --hash=sha256:{hash}"),
            &format!("a==1 --hash=sha256:{hash} --hash=md5:{hash}"),
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_package_is_found_under_the_name_that_installers_give_it() {
        let wanted = |name: &str, version: &str| Requirement {
            name: normal_name(name),
            version: version.to_owned(),
            conditional: false,
            url: None,
        };
        assert!(wanted("zope.interface", "6.0").is_installed_as("zope_interface-6.0.dist-info"));
        assert!(wanted("PyYAML", "6.0").is_installed_as("PyYAML-6.0.dist-info"));
        assert!(wanted("certifi", "2024.08.30").is_installed_as("certifi-2024.8.30.dist-info"));
        assert!(!wanted("PyYAML", "6.0").is_installed_as("PyYAML-6.0.1.dist-info"));
        assert!(!wanted("yaml", "6.0").is_installed_as("yaml"));
    }
}
