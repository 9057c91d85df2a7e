//! How an application comes from one version to the next.

use pq_stream::Diagnostic;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{Node, Source, StepTemplate};

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
    /// Whether a new version changes what is kept, so that nobody may use it meanwhile and all of that is saved before; by default where
    /// there is a database, or `each`.
    #[serde(default)]
    pub migrates: Option<bool>,
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

/// How an application comes from one version to the next.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Upgrade {
    /// How many numbers at its beginning make a version a major one.
    pub major: usize,
    /// Whether no major version may be left out on the way.
    pub one_by_one: bool,
    /// Whether a new version changes what is kept, where the recipe says so.
    pub migrates: Option<bool>,
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
    /// As [`StepTemplate::new`].
    pub(super) fn read(source: &Source, said: Upgrades) -> Result<Self, Diagnostic> {
        Ok(Upgrade {
            major: said.major.unwrap_or(1),
            one_by_one: said.one_by_one,
            migrates: said.migrates,
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
}
