//! What went wrong in the lab: the thing, its cause, the cure.

use std::fmt;

/// An error as people read it: `error:`, `cause:` and `hint:`, lower case and without a full stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// What could not be done, naming the thing.
    pub message: String,
    /// Why.
    pub cause: Option<String>,
    /// What helps next.
    pub hint: Option<String>,
}

/// What the lab's functions answer.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error with neither cause nor hint yet.
    pub fn new(message: impl Into<String>) -> Self {
        Error { message: message.into(), cause: None, hint: None }
    }

    /// Says why.
    #[must_use]
    pub fn because(mut self, cause: impl fmt::Display) -> Self {
        self.cause = Some(cause.to_string());
        self
    }

    /// Says what helps.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.message)?;
        if let Some(cause) = &self.cause {
            write!(f, ": {cause}")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, " ({hint})")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// Names what was being done when a system call failed.
pub(super) trait Doing<T> {
    /// `what` completes "cannot …".
    fn doing(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: fmt::Display> Doing<T> for std::result::Result<T, E> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|cause| Error::new(format!("cannot {}", what())).because(cause))
    }
}
