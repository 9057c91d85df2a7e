//! How an application comes from one version to the next.

use std::collections::BTreeMap;

use pq_stream::Diagnostic;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{Mark, Node, Source, StepTemplate, compare};

/// What a recipe says of upgrades.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Upgrades {
    /// How many numbers at its beginning make a version a major one, 1 by default: another of these is never gone to unless the inventory's
    /// `version` says so. 0 where there is no such thing.
    #[serde(default)]
    pub major: Option<usize>,
    /// Whether no major version may be left out on the way.
    #[serde(default)]
    pub one_by_one: bool,
    /// The last day on which upstream supports a major version, by its number: `{ "32": 2026-09-26 }`. Those before the first here are not
    /// supported any more.
    #[serde(default)]
    pub supported: BTreeMap<String, String>,
    /// Whether a new version changes what is kept, so that nobody may use it meanwhile and all of that is saved before; by default where
    /// there is a database, or `each`.
    #[serde(default)]
    pub migrates: Option<bool>,
    /// Programs that are asked before anything stops, which know what else stands against the new version.
    #[serde(default)]
    pub asks: Vec<Ask>,
    /// Directories that are copied before, beside the database and what of `keep` each release brings: what its migrations change.
    #[serde(default)]
    pub touches: Vec<Node>,
    /// Steps of each hop before the new release is switched to.
    #[schemars(with = "Vec<crate::schema::Step>")]
    #[serde(default)]
    pub before: Vec<Node>,
    /// Steps of each hop once it is switched to, while nobody is served: its migrations, each guarded by what shows that it is done.
    #[schemars(with = "Vec<crate::schema::Step>")]
    #[serde(default)]
    pub each: Vec<Node>,
}

/// A program that knows what stands against a new version, `upgrade.to`; it runs as the instance, in the release that is served, and cannot write. It
/// ends with 0 where nothing does, and with 1 where something does, which it says a line each.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// Program and arguments.
    pub argv: Vec<Node>,
    /// The file beside the recipe that it reads from its input, a template.
    #[serde(default)]
    pub template: Option<Node>,
}

/// How an application comes from one version to the next.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Upgrade {
    /// How many numbers at its beginning make a version a major one.
    pub major: usize,
    /// Whether no major version may be left out on the way.
    pub one_by_one: bool,
    /// The last day, as `2026-09-26`, on which upstream supports a major version.
    pub supported: BTreeMap<String, String>,
    /// Whether a new version changes what is kept, where the recipe says so.
    pub migrates: Option<bool>,
    /// What is asked before anything stops.
    pub asks: Vec<Ask>,
    /// Directories that are copied before.
    pub touches: Vec<Node>,
    /// Steps of each hop before the new release is switched to.
    pub before: Vec<StepTemplate>,
    /// Steps of each hop once it is switched to.
    pub each: Vec<StepTemplate>,
}

impl Upgrade {
    /// Takes the steps apart.
    ///
    /// # Errors
    /// As [`StepTemplate::new`], and where a day is none.
    pub(super) fn read(source: &Source, said: Upgrades) -> Result<Self, Diagnostic> {
        if let Some((major, day)) = said.supported.iter().find(|(_, day)| !is_day(day)) {
            let line =
                source.text.lines().position(|line| line.contains(day.as_str())).map_or(1, |at| at + 1);
            return Err(Diagnostic::new(format!("`{day}` is no day on which support of {major} ends"))
                .hint("write it as in `2026-09-26`")
                .at(source.place(Mark { line, column: 1 })));
        }
        Ok(Upgrade {
            major: said.major.unwrap_or(1),
            one_by_one: said.one_by_one,
            supported: said.supported,
            migrates: said.migrates,
            asks: said.asks,
            touches: said.touches,
            before: StepTemplate::all(source, &said.before)?,
            each: StepTemplate::all(source, &said.each)?,
        })
    }

    /// What makes a version a major one: `32` of `32.0.15`.
    pub fn major_of(&self, version: &str) -> String {
        let numbers = version.split(|c: char| !c.is_ascii_digit()).filter(|number| !number.is_empty());
        numbers.take(self.major).collect::<Vec<_>>().join(".")
    }

    /// What upstream does for an installed version on a day, as far as the recipe says.
    pub fn support(&self, version: &str, today: &str) -> Support {
        let major = self.major_of(version);
        let oldest = self.supported.keys().min_by(|one, other| compare(one, other));
        match (self.supported.get(&major), oldest) {
            (Some(day), _) if day.as_str() < today => Support::Ended(Some(day.clone())),
            (Some(day), _) => Support::Until(day.clone()),
            (None, Some(oldest)) if compare(&major, oldest).is_lt() => Support::Ended(None),
            (None, _) => Support::Unknown,
        }
    }
}

/// Whether upstream mends what is found in a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Support {
    /// To that day.
    Until(String),
    /// Not any more, since that day where it is known.
    Ended(Option<String>),
    /// The recipe does not say.
    Unknown,
}

/// Whether a text is a day as `2026-09-26`.
fn is_day(text: &str) -> bool {
    text.len() == 10
        && text.char_indices().all(|(at, c)| if matches!(at, 4 | 7) { c == '-' } else { c.is_ascii_digit() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_major_version_is_as_many_numbers_as_the_recipe_says() {
        let of = |major| Upgrade { major, ..Upgrade::default() };
        assert_eq!(of(1).major_of("32.0.15"), "32");
        assert_eq!(of(2).major_of("1.39.17"), "1.39");
        assert_eq!(of(0).major_of("2022-07-31a"), "");
        assert_eq!(of(2).major_of("v7"), "7");
    }

    #[test]
    fn support_ends_after_its_last_day_and_was_over_for_what_came_before() {
        let days = [("9", "2026-02-24"), ("10", "2026-09-26")];
        let supported = days.map(|(major, day)| (major.to_owned(), day.to_owned())).into();
        let upgrade = Upgrade { major: 1, supported, ..Upgrade::default() };
        assert_eq!(upgrade.support("10.0.7", "2026-09-26"), Support::Until("2026-09-26".to_owned()));
        assert_eq!(upgrade.support("10.0.7", "2026-09-27"), Support::Ended(Some("2026-09-26".to_owned())));
        assert_eq!(upgrade.support("8.1", "2026-01-01"), Support::Ended(None));
        assert_eq!(upgrade.support("11.0", "2026-01-01"), Support::Unknown);
        assert_eq!(Upgrade::default().support("1.0", "2026-01-01"), Support::Unknown);
        assert!(is_day("2026-09-26") && !is_day("2026-9-26") && !is_day("26.09.2026"));
    }
}
