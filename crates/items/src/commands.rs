//! A command that a check asks, or that quiets an application before it is backed up.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Line, Span};

/// A program and its arguments: no shell, and nothing to read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// Program and arguments.
    pub argv: Argv,
    /// Who runs it, `root` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<Line>,
    /// After how long it is ended, `60s` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
}

/// A program and its arguments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Vec<Line>")]
#[schemars(extend("minItems" = 1))]
pub struct Argv(Vec<Line>);

impl Argv {
    /// Each word, the program first.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(Line::as_str)
    }
}

impl TryFrom<Vec<Line>> for Argv {
    type Error = String;

    fn try_from(words: Vec<Line>) -> Result<Self, String> {
        match words.is_empty() {
            true => Err("a command without a program".to_owned()),
            false => Ok(Argv(words)),
        }
    }
}
