//! Locales are generated, by `/etc/locale.gen` and `locale-gen`. Those beyond the wanted ones stay.

use pq_stream::Diagnostic;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::run;
use crate::{AbsPath, Check, Command, Converge, Differences, Error, Meta, Mode, Probe, System};

/// Locales can be used on the machine (package `locales`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Locale {
    /// Their names, as in `fr_FR.UTF-8`.
    pub names: Vec<String>,
}

/// Every locale that the system has the source of, as `fr_FR.UTF-8 UTF-8`; of package `locales`.
const KNOWN: &str = "/usr/share/i18n/SUPPORTED";

const LIST: &str = "/etc/locale.gen";

/// A locale's name as `locale -a` spells it: `fr_FR.UTF-8` → `fr_FR.utf8`.
fn spelt(name: &str) -> String {
    match name.split_once('.') {
        Some((language, set)) => format!("{language}.{}", set.to_ascii_lowercase().replace('-', "")),
        None => name.to_owned(),
    }
}

impl Locale {
    /// The list of locales to generate, with the wanted ones in it: a comment that names one becomes its line.
    fn listed(&self, list: &str) -> String {
        let mut lines: Vec<String> = list.lines().map(str::to_owned).collect();
        for name in &self.names {
            let wanted = format!("{name} UTF-8");
            let bare = |line: &String| line.trim_start_matches('#').trim() == wanted;
            if lines.iter().any(|line| line.trim() == wanted) {
                continue;
            }
            match lines.iter_mut().find(|line| bare(line)) {
                Some(line) => *line = wanted,
                None => lines.push(wanted),
            }
        }
        lines.join("\n") + "\n"
    }
}

impl Locale {
    /// Those that cannot be used yet.
    fn missing(&self, machine: &dyn Probe) -> Result<Vec<&str>, Error> {
        let command = Command::new(["locale", "-a"]);
        let output = machine.ask(&command)?.success(&command)?;
        let there: Vec<String> = output.stdout.lines().map(|line| spelt(line.trim())).collect();
        let names = self.names.iter().map(String::as_str);
        Ok(names.filter(|name| !there.contains(&spelt(name))).collect())
    }

    /// Refuses a name that the system does not know: `locale-gen` would fail on it, now and ever after.
    fn known(names: &[&str], known: &[u8]) -> Result<(), Error> {
        let known = String::from_utf8_lossy(known);
        match names.iter().find(|name| !known.lines().any(|line| line.trim() == format!("{name} UTF-8"))) {
            None => Ok(()),
            Some(name) => Err(Diagnostic::new(format!("cannot generate locale `{name}`"))
                .cause("the system knows no locale of that name")
                .hint(format!("choose one that `{KNOWN}` lists"))
                .into()),
        }
    }
}

impl Converge for Locale {
    fn check(&self, machine: &dyn Probe) -> Result<Check, Error> {
        let missing = self.missing(machine)?;
        // Without the package, nothing can be said of names yet.
        if let Some(known) = machine.read(&AbsPath::known(KNOWN))? {
            Self::known(&missing, &known)?;
        }
        let mut found = Differences::new();
        for name in missing {
            found.push(&format!("locale {name}"), Some("not generated"), Some("generated"));
        }
        Ok(found.into_check())
    }

    fn apply(&self, machine: &mut dyn System) -> Result<(), Error> {
        let known = machine.read(&AbsPath::known(KNOWN))?.ok_or_else(|| Error::absent("file", KNOWN))?;
        Self::known(&self.missing(machine)?, &known)?;
        let path = AbsPath::known(LIST);
        let list = machine.read(&path)?.unwrap_or_default();
        let list = String::from_utf8_lossy(&list);
        let wanted = self.listed(&list);
        if wanted != list {
            machine.write(&path, wanted.as_bytes(), &Meta::new(Mode::from_bits(0o644), "root", "root"))?;
        }
        run(machine, &["locale-gen"])
    }

    fn validate(&self) -> Result<(), String> {
        let language =
            |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphabetic() || c == '_');
        if self.names.is_empty() {
            return Err("`names` is empty".to_owned());
        }
        match self.names.iter().find(|name| !name.strip_suffix(".UTF-8").is_some_and(language)) {
            Some(name) => {
                Err(format!("`names` holds `{}`: a locale is written `fr_FR.UTF-8`", name.escape_debug()))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locale_in_a_comment_becomes_a_line_and_others_stay() {
        let wanted = Locale { names: vec!["fr_FR.UTF-8".to_owned(), "C.UTF-8".to_owned()] };
        let list = "# This file\n# fr_FR ISO-8859-1\n# fr_FR.UTF-8 UTF-8\nde_DE.UTF-8 UTF-8\n";
        let after = wanted.listed(list);
        assert_eq!(
            after,
            "# This file\n# fr_FR ISO-8859-1\nfr_FR.UTF-8 UTF-8\nde_DE.UTF-8 UTF-8\nC.UTF-8 UTF-8\n"
        );
        assert_eq!(wanted.listed(&after), after);
    }

    #[test]
    fn a_locale_is_known_in_any_spelling() {
        assert_eq!(spelt("fr_FR.UTF-8"), spelt("fr_FR.utf8"));
        assert!(Locale { names: vec!["fr_FR".to_owned()] }.validate().is_err());
        assert!(Locale { names: vec!["x\n.UTF-8".to_owned()] }.validate().is_err());
    }
}
