//! How bad something is.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How bad something is, the worse the greater.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// All is well.
    #[default]
    Ok,
    /// Nobody can say: the check itself could not be asked.
    Unknown,
    /// Somebody should look at it.
    Warning,
    /// It does not do what it is for.
    Critical,
}

impl Level {
    /// Its word, as monitoring plugins say it.
    pub fn word(self) -> &'static str {
        match self {
            Level::Ok => "OK",
            Level::Unknown => "UNKNOWN",
            Level::Warning => "WARNING",
            Level::Critical => "CRITICAL",
        }
    }

    /// Its number, as monitoring plugins exit with it.
    pub fn number(self) -> u8 {
        match self {
            Level::Ok => 0,
            Level::Warning => 1,
            Level::Critical => 2,
            Level::Unknown => 3,
        }
    }

    /// The level of such a number; anything else is a plugin that broke.
    pub fn of_number(number: i32) -> Self {
        match number {
            0 => Level::Ok,
            1 => Level::Warning,
            2 => Level::Critical,
            _ => Level::Unknown,
        }
    }

    /// Whether something is not well.
    pub fn is_bad(self) -> bool {
        self != Level::Ok
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}
