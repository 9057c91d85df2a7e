//! Finds secrets in values, and refuses what would work on a token's own text.
//!
//! A secret is a text that holds a token; every text with one in it counts, however it came together.

use std::fmt;

use minijinja::value::ObjectRepr;
use minijinja::{Error, ErrorKind, Value};
use pq_stream::{Piece, Source, holds_token, pieces};

use crate::spent;

/// Deeper structures are refused rather than walked.
const MAX_DEPTH: usize = 64;

/// An operation that would have worked on the text of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Misuse {
    /// The operation, as in "filter `upper`".
    pub operation: String,
    /// The secret, as in "secret `smtp_password`".
    pub secret: String,
    /// What to do instead, where there is something particular to say.
    pub hint: Option<&'static str>,
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cannot work on {}", self.operation, self.secret)
    }
}

impl std::error::Error for Misuse {}

/// The error that a misuse is.
pub(crate) fn refuse(operation: impl Into<String>, secret: String, hint: Option<&'static str>) -> Error {
    let misuse = Misuse { operation: operation.into(), secret, hint };
    Error::new(ErrorKind::InvalidOperation, misuse.to_string()).with_source(misuse)
}

/// The first secret in a text, named for people: "secret `smtp_password`".
pub fn secret_in(text: &str) -> Option<String> {
    if !holds_token(text) {
        return None;
    }
    let found = pieces(text).ok()?.into_iter().find_map(|piece| match piece {
        Piece::Text(_) => None,
        Piece::Token(token) => Some(match token.source {
            Source::Named(name) => format!("secret `{name}`"),
            Source::Derived { name, .. } => format!("derived secret `{name}`"),
        }),
    });
    Some(found.unwrap_or_else(|| "a secret".to_owned()))
}

/// The secret that a value itself is, not looking into lists and maps.
pub(crate) fn on_top(value: &Value) -> Option<String> {
    match value.as_str() {
        Some(text) => secret_in(text),
        None => value.as_bytes().and_then(|bytes| secret_in(&String::from_utf8_lossy(bytes))),
    }
}

/// The first secret anywhere in a value.
///
/// # Errors
/// Where the value is nested too deeply to be looked through.
pub(crate) fn anywhere(value: &Value) -> Result<Option<String>, Error> {
    within(value, 0)
}

fn within(value: &Value, depth: usize) -> Result<Option<String>, Error> {
    if depth > MAX_DEPTH {
        return Err(Error::new(ErrorKind::InvalidOperation, "a value is nested more than 64 levels deep"));
    }
    spent::walk(1)?;
    spent::read(value)?;
    if let Some(found) = on_top(value) {
        return Ok(Some(found));
    }
    let Some(object) = value.as_object() else { return Ok(None) };
    spent::afford(object.enumerator_len().unwrap_or(0))?;
    match object.repr() {
        ObjectRepr::Plain => {}
        ObjectRepr::Map => {
            for (key, item) in object.try_iter_pairs().into_iter().flatten() {
                if let Some(found) = within(&key, depth + 1)?.or(within(&item, depth + 1)?) {
                    return Ok(Some(found));
                }
            }
        }
        _ => {
            for item in object.try_iter().into_iter().flatten() {
                if let Some(found) = within(&item, depth + 1)? {
                    return Ok(Some(found));
                }
            }
        }
    }
    Ok(None)
}

/// Refuses `operation` when one of the values is a secret or holds one.
///
/// # Errors
/// The misuse.
pub(crate) fn nowhere<'a>(
    operation: impl Fn() -> String,
    values: impl IntoIterator<Item = &'a Value>,
) -> Result<(), Error> {
    for value in values {
        if let Some(secret) = anywhere(value)? {
            return Err(refuse(operation(), secret, None));
        }
    }
    Ok(())
}

/// Refuses `operation` when one of the values is itself a secret; lists and maps may hold some.
///
/// # Errors
/// The misuse.
pub(crate) fn not_on_top<'a>(
    operation: impl Fn() -> String,
    values: impl IntoIterator<Item = &'a Value>,
) -> Result<(), Error> {
    for value in values {
        spent::read(value)?;
        if let Some(secret) = on_top(value) {
            return Err(refuse(operation(), secret, None));
        }
    }
    Ok(())
}
