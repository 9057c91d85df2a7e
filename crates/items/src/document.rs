//! Files of YAML, read strictly: what a type does not know is an error with its place, and the word that was meant.

use pq_stream::{Diagnostic, Place, nearest};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_saphyr::Error;

/// Reads a file: `what` it is, with its article, and the name that people know it by.
///
/// # Errors
/// Where it is no YAML, or has a key or a value that its type does not know.
pub fn read<T: DeserializeOwned>(what: &str, file: &str, text: &str) -> Result<T, Diagnostic> {
    serde_saphyr::from_str(text).map_err(|error| diagnostic(what, file, text, &error))
}

/// What is written into a file; read again, it is the same.
///
/// # Errors
/// Where a value cannot stand in YAML.
pub fn write<T: Serialize>(value: &T) -> Result<String, Diagnostic> {
    serde_saphyr::to_string(value).map_err(|error| Diagnostic::from_error(&error))
}

fn diagnostic(what: &str, file: &str, text: &str, error: &Error) -> Diagnostic {
    let error = error.without_snippet();
    let number = |count: u64| usize::try_from(count).unwrap_or(1).max(1);
    let (line, column) = error.location().map_or((1, 1), |at| (number(at.line()), number(at.column())));
    let (message, hint) = match error {
        Error::SerdeUnknownField { field, expected, .. } => {
            let hint = nearest(field, expected).map_or_else(
                || format!("it knows {}", expected.join(", ")),
                |name| format!("did you mean `{name}`?"),
            );
            (format!("{what} does not know the key `{field}` here"), Some(hint))
        }
        Error::SerdeMissingField { field, .. } => (format!("the key `{field}` is missing here"), None),
        Error::SerdeUnknownVariant { variant, expected, .. } => (
            format!("{what} does not know `{variant}` here"),
            Some(format!("it knows {}", expected.join(", "))),
        ),
        other => (format!("cannot read `{file}`"), Some(plain(&other.to_string()))),
    };
    let shown = text.lines().nth(line - 1).unwrap_or_default().to_owned();
    let diagnostic = Diagnostic::new(message).at(Place { file: file.to_owned(), line, column, text: shown });
    match (hint, matches!(error, Error::SerdeUnknownField { .. } | Error::SerdeUnknownVariant { .. })) {
        (Some(hint), true) => diagnostic.hint(hint),
        (Some(cause), false) => diagnostic.cause(cause),
        (None, _) => diagnostic,
    }
}

/// The library's sentence without the place that it begins or ends with: ours is shown already.
fn plain(text: &str) -> String {
    let first = text.lines().next().unwrap_or_default();
    let text = match first.strip_prefix("error: ").unwrap_or(first).split_once(": ") {
        Some((place, rest)) if place.starts_with("line ") => rest,
        _ => first.strip_prefix("error: ").unwrap_or(first),
    };
    text.split(" at line ").next().unwrap_or(text).to_owned()
}
