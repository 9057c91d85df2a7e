//! An error as people read it: the thing, its cause, its place in a file, the cure.

use std::{fmt, io};

/// Where in a file something stands, with the line itself so that a caret can point into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Path of the file, as the user would type it.
    pub file: String,
    /// Line, counted from 1.
    pub line: usize,
    /// Column in characters, counted from 1.
    pub column: usize,
    /// The text of that line, without its line end; empty where it may not be shown (secret files).
    pub text: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// What every tool prints of an error: `error:`, `cause:` and `hint:` lines, and the place in the file.
///
/// Lower case, no full stop, backticks around names, and never a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// What could not be done, naming the thing.
    pub message: String,
    /// Where in the user's files the reason stands.
    pub place: Option<Place>,
    /// Why, outermost first.
    pub causes: Vec<String>,
    /// What to do about it, or the state that things are in now.
    pub hints: Vec<String>,
}

impl Diagnostic {
    /// An error with neither place, cause nor hint yet.
    pub fn new(message: impl Into<String>) -> Self {
        Diagnostic { message: message.into(), place: None, causes: Vec::new(), hints: Vec::new() }
    }

    /// Adds a cause below those there are.
    #[must_use]
    pub fn cause(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    /// Adds a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Points into a file.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// An error and all its sources, as causes.
    pub fn from_error(error: &dyn std::error::Error) -> Self {
        let mut diagnostic = Diagnostic::new(error.to_string());
        let mut source = error.source();
        while let Some(error) = source {
            diagnostic.causes.push(error.to_string());
            source = error.source();
        }
        diagnostic
    }
}

/// What the system says of an error, in our spelling: `permission denied`, without its number.
pub fn system_cause(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut chars = text.chars();
    match (chars.next(), chars.clone().next()) {
        // What begins with two capitals is a name.
        (Some(first), Some(second)) if second.is_lowercase() => first.to_lowercase().chain(chars).collect(),
        _ => text.to_owned(),
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        write!(f, "{}", self.message)?;
        for cause in &self.causes {
            write!(f, ": {cause}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostic {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_in_lower_case_and_without_its_number() {
        assert_eq!(system_cause(&io::Error::from_raw_os_error(30)), "read-only file system");
        assert_eq!(system_cause(&io::Error::other("TLS broke")), "TLS broke");
    }
}
