//! Something that people are told.

use serde::{Deserialize, Serialize};

use crate::{Answer, Level};

/// What is told of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It fails.
    Began,
    /// It got worse.
    Worse,
    /// It comes and goes.
    Flaps,
    /// It still fails.
    Again,
    /// It is well again.
    Ended,
}

impl Kind {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Began => "began",
            Kind::Worse => "worse",
            Kind::Flaps => "flaps",
            Kind::Again => "again",
            Kind::Ended => "ended",
        }
    }
}

/// Something that people are told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// The same for the same thing.
    pub id: String,
    /// What is told.
    pub kind: Kind,
    /// Of which check.
    pub check: String,
    /// What that is.
    pub about: String,
    /// How bad it is, or was.
    pub level: Level,
    /// Since when.
    pub since: i64,
    /// When it was told.
    pub at: i64,
    /// What it answered last.
    pub answer: Answer,
    /// What failed with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Child>,
}

/// What failed because of something else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Child {
    /// Which check.
    pub check: String,
    /// What that is.
    pub about: String,
    /// What it answered.
    pub message: String,
}
