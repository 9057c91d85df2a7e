//! The variables that recipes declare: what they may read, and nothing else.

use pq_stream::nearest;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{Kind, Node};

/// A variable that a recipe reads.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Variable {
    /// Its type, or that of each of many.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// Whether it is a list of such values.
    #[serde(default)]
    pub many: bool,
    /// The words of a choice.
    #[serde(default)]
    pub of: Vec<String>,
    /// Its value where the inventory has none; without a default it must be set where it is read.
    #[serde(default)]
    pub default: Option<Node>,
    /// What it is for, in one line.
    pub about: String,
    /// Whether no two instances of a machine may have the same value.
    #[serde(default)]
    pub unique: bool,
    /// Whether no item of a list may stand in it twice.
    #[serde(default)]
    pub distinct: bool,
    /// The least that a number may be.
    #[serde(default)]
    pub min: Option<u64>,
    /// The most that a number may be.
    #[serde(default)]
    pub max: Option<u64>,
}

impl Variable {
    /// One of these words, the first where nobody says.
    pub fn choice(of: Vec<String>, about: &str) -> Self {
        let first = of.first().cloned().unwrap_or_default();
        let default = Node { mark: Default::default(), data: crate::Data::Scalar(first.into()) };
        Variable { of, default: Some(default), ..Variable::required(Kind::Choice, about) }
    }

    /// One that has no default.
    pub fn required(kind: Kind, about: &str) -> Self {
        Variable {
            kind,
            many: false,
            default: None,
            of: Vec::new(),
            about: about.to_owned(),
            unique: false,
            distinct: false,
            min: None,
            max: None,
        }
    }

    /// What a value of it must be.
    pub fn words(&self) -> String {
        match self.many {
            true => format!("a list, each item {}", self.words_of_one()),
            false => self.words_of_one(),
        }
    }

    /// What a value of it must be, or each of many.
    pub fn words_of_one(&self) -> String {
        let one = match self.kind {
            Kind::Choice => format!("one of `{}`", self.of.join("`, `")),
            kind => kind.words().to_owned(),
        };
        match (self.min, self.max) {
            (Some(min), Some(max)) => format!("{one}, from {min} to {max}"),
            (Some(min), None) => format!("{one}, at least {min}"),
            (None, Some(max)) => format!("{one}, at most {max}"),
            (None, None) => one,
        }
    }

    /// What a value that is none of this type was probably meant to be.
    pub fn near(&self, value: &serde_json::Value) -> Option<String> {
        match self.kind {
            Kind::Choice => nearest(value.as_str()?, &self.of),
            kind => kind.near(value.as_str()?),
        }
    }

    /// The first item of a list that is none of this type, and its place in it.
    pub fn wrong_item<'v>(&self, value: &'v serde_json::Value) -> Option<(usize, &'v serde_json::Value)> {
        let items = value.as_array().filter(|_| self.many)?;
        items.iter().enumerate().find(|(_, item)| self.accept_one(item).is_none())
    }

    /// The value in its normal form; nothing where it is none of this type.
    pub fn accept(&self, value: &serde_json::Value) -> Option<serde_json::Value> {
        match (self.many, value) {
            (true, serde_json::Value::Array(items)) => {
                items.iter().map(|item| self.accept_one(item)).collect::<Option<_>>()
            }
            (true, _) => None,
            (false, value) => self.accept_one(value),
        }
    }

    fn accept_one(&self, value: &serde_json::Value) -> Option<serde_json::Value> {
        match self.kind {
            Kind::Choice => {
                value.as_str().filter(|word| self.of.iter().any(|known| known == word)).map(Into::into)
            }
            kind => kind.accept(value).filter(|value| self.bounds(value)),
        }
    }

    /// The item that stands in a list twice, and must not; the name of one that has a name.
    pub fn twice<'v>(&self, value: &'v serde_json::Value) -> Option<&'v serde_json::Value> {
        let items = value.as_array().filter(|_| self.distinct)?;
        let names: Vec<_> = items.iter().map(|item| item.get("name").unwrap_or(item)).collect();
        names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)).map(|(_, name)| *name)
    }

    /// Whether a number is neither too small nor too large.
    fn bounds(&self, value: &serde_json::Value) -> bool {
        value.as_u64().is_none_or(|number| {
            self.min.is_none_or(|min| number >= min) && self.max.is_none_or(|max| number <= max)
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn variable(fields: serde_json::Value) -> Variable {
        serde_json::from_value(fields).unwrap()
    }

    #[test]
    fn a_number_beyond_its_bounds_is_refused_and_they_are_told() {
        let workers = variable(json!({ "type": "integer", "about": "x", "min": 1, "max": 10000 }));
        assert!(workers.accept(&json!(1)).is_some() && workers.accept(&json!("10000")).is_some());
        assert!(workers.accept(&json!(0)).is_none() && workers.accept(&json!("10001")).is_none());
        assert_eq!(workers.words(), "a whole number, such as `5`, from 1 to 10000");
        let port = variable(json!({ "type": "port", "about": "x", "min": 1024 }));
        assert!(port.accept(&json!(1023)).is_none() && port.accept(&json!(1024)).is_some());
        assert!(port.words().ends_with("at least 1024"));
    }

    #[test]
    fn an_item_twice_is_found_only_where_items_are_distinct() {
        let users = variable(json!({ "type": "login", "about": "x", "many": true, "distinct": true }));
        assert_eq!(users.twice(&json!(["ann", "bob", "ann"])), Some(&json!("ann")));
        assert_eq!(users.twice(&json!(["ann", "bob"])), None);
        let jobs = variable(json!({ "type": "cron_job", "about": "x", "many": true, "distinct": true }));
        assert_eq!(jobs.twice(&json!([{ "name": "a", "x": 1 }, { "name": "a", "x": 2 }])), Some(&json!("a")));
        let packages = variable(json!({ "type": "package", "about": "x", "many": true }));
        assert_eq!(packages.twice(&json!(["htop", "htop"])), None);
    }
}
