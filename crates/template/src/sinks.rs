//! The sinks as filters: a plain value is escaped here, a secret's token is told to be, by the executor.

use minijinja::value::ValueKind;
use minijinja::{Environment, Error, ErrorKind, State, Value};
use pq_stream::{Piece, Sink, holds_token, pieces};

use crate::{guard, spent, undefined};

const ALONE: &str = "put the secret through the sink by itself, and join the texts after that";

/// Registers every sink under its name, and Ansible's names for two of them.
pub(crate) fn add(environment: &mut Environment<'_>) {
    for (name, sink) in Sink::all().chain([("b64encode", Sink::Base64)]) {
        environment.add_filter(name, move |state: &mut State, value: &Value| -> Result<Value, Error> {
            apply(state, name, sink, value)
        });
    }
    environment.add_filter("quote", |state: &mut State, value: &Value| -> Result<Value, Error> {
        match value.as_str() {
            Some(word) if !holds_token(word) => Ok(shell_word(word).into()),
            Some(_) => apply(state, "quote", Sink::Sh, value),
            None => match apply(state, "quote", Sink::Sh, value)? {
                _ if value.is_none() => Ok("''".into()),
                _ => Ok(shell_word(&crate::text::python(value)?).into()),
            },
        }
    });
}

/// As Python's `shlex.quote` has it.
fn shell_word(word: &str) -> String {
    match !word.is_empty() && word.chars().all(is_safe_in_a_shell) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\"'\"'")),
    }
}

fn is_safe_in_a_shell(c: char) -> bool {
    c.is_ascii_alphanumeric() || "@%_-+=:,./".contains(c)
}

/// The names that `add` registers.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    Sink::all().map(|(name, _)| name).chain(["b64encode", "quote"])
}

fn apply(state: &mut State, name: &str, sink: Sink, value: &Value) -> Result<Value, Error> {
    let value = defined(state, value)?;
    match value.kind() {
        ValueKind::String | ValueKind::Number | ValueKind::Bool | ValueKind::None => {}
        kind => {
            return Err(Error::new(
                ErrorKind::InvalidOperation,
                format!("filter `{name}` takes a text, not a {kind}: use `to_json` or `to_yaml` first"),
            ));
        }
    }
    text(name, sink, &crate::text::python(&value)?).map(Value::from)
}

/// A text as it is written at a sink: escaped, or as its token with the sink added.
///
/// # Errors
/// Where a hash is asked of a plain value, or text and secret are mixed before a sink that puts quotes.
pub(crate) fn text(name: &str, sink: Sink, text: &str) -> Result<String, Error> {
    spent::write(text)?;
    if !holds_token(text) {
        return sink.escape(text).ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidOperation,
                format!("filter `{name}` makes a hash, and works on secrets alone: the salt is derived where they are filled in"),
            )
        });
    }
    let found = pieces(text).map_err(|e| Error::new(ErrorKind::InvalidOperation, e.to_string()))?;
    if found.len() > 1 && !sink.by_character() {
        let secret = guard::secret_in(text).unwrap_or_default();
        return Err(guard::refuse(
            format!("filter `{name}`, over a text that a secret is a part of,"),
            secret,
            Some(ALONE),
        ));
    }
    let written = found.into_iter().map(|piece| match piece {
        Piece::Text(text) => sink.escape(text).unwrap_or_default(),
        Piece::Token(mut token) => {
            token.sinks.push(sink);
            token.to_string()
        }
    });
    Ok(written.collect())
}

/// The value, or the engine's own error where it is undefined: that names the variable.
///
/// # Errors
/// Where the value is undefined.
pub(crate) fn defined(_: &mut State, value: &Value) -> Result<Value, Error> {
    undefined::refuse([value])?;
    Ok(value.clone())
}
