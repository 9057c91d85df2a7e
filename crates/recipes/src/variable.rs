//! The variables that recipes declare: what they may read, and nothing else.

use serde::Deserialize;

use crate::{Kind, Node};

/// A variable that a recipe reads.
#[derive(Debug, Clone, PartialEq, Deserialize)]
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
}

impl Variable {
    /// What a value of it must be.
    pub fn words(&self) -> String {
        let one = match self.kind {
            Kind::Choice => format!("one of `{}`", self.of.join("`, `")),
            kind => kind.words().to_owned(),
        };
        match self.many {
            true => format!("a list, each item {one}"),
            false => one,
        }
    }

    /// The value in its normal form; nothing where it is none of this type.
    pub fn accept(&self, value: &serde_json::Value) -> Option<serde_json::Value> {
        let one = |value: &serde_json::Value| match self.kind {
            Kind::Choice => {
                value.as_str().filter(|word| self.of.iter().any(|known| known == word)).map(Into::into)
            }
            kind => kind.accept(value),
        };
        match (self.many, value) {
            (true, serde_json::Value::Array(items)) => items.iter().map(one).collect::<Option<_>>(),
            (true, _) => None,
            (false, value) => one(value),
        }
    }
}
