//! Why a check or an apply did not succeed.

use std::fmt;

use pq_stream::Diagnostic;

/// Something that a step leans on and that does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Absent {
    /// What it is: `user`, `unit`, `program`, `file`, `directory`…
    pub what: &'static str,
    /// Its name.
    pub name: String,
    /// What helps where no earlier step makes it.
    pub hint: Option<String>,
}

impl fmt::Display for Absent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no {} `{}`", self.what, self.name)
    }
}

/// An error of a check or an apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// Something does not exist: *unknown yet* where an earlier step of the plan may still make it, else a failure.
    Absent(Absent),
    /// A failure.
    Failed(Box<Diagnostic>),
}

impl Error {
    /// Something that does not exist.
    pub fn absent(what: &'static str, name: impl Into<String>) -> Self {
        Error::Absent(Absent { what, name: name.into(), hint: None })
    }

    /// Something that does not exist, and what helps where no earlier step makes it.
    pub fn absent_for(what: &'static str, name: impl Into<String>, hint: impl Into<String>) -> Self {
        Error::Absent(Absent { what, name: name.into(), hint: Some(hint.into()) })
    }

    /// A failure that names its thing and its cause.
    pub fn failed(message: impl Into<String>, cause: impl fmt::Display) -> Self {
        Diagnostic::new(message).cause(cause.to_string()).into()
    }

    /// The error as people read it.
    pub fn into_diagnostic(self) -> Diagnostic {
        match self {
            Error::Absent(absent) => {
                let said = Diagnostic::new(absent.to_string());
                absent.hint.into_iter().fold(said, Diagnostic::hint)
            }
            Error::Failed(diagnostic) => *diagnostic,
        }
    }
}

impl From<Diagnostic> for Error {
    fn from(diagnostic: Diagnostic) -> Self {
        Error::Failed(Box::new(diagnostic))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Absent(absent) => absent.fmt(f),
            Error::Failed(diagnostic) => diagnostic.fmt(f),
        }
    }
}

impl std::error::Error for Error {}
