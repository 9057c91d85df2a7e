//! Reads a YAML file of the catalogue into its type, strictly: what the type does not know is an error with its place.

use pq_stream::{Diagnostic, nearest};
use serde::de::DeserializeOwned;
use serde_saphyr::Error;

use crate::{Mark, Source};

/// Reads a file.
///
/// # Errors
/// Where it is no YAML, or has a key or a value that its type does not know.
pub fn read<T: DeserializeOwned>(source: &Source) -> Result<T, Diagnostic> {
    serde_saphyr::from_str(&source.text).map_err(|error| diagnostic(source, &error))
}

fn diagnostic(source: &Source, error: &Error) -> Diagnostic {
    let error = error.without_snippet();
    let at = error.location().map_or_else(Mark::default, |at| Mark {
        line: usize::try_from(at.line()).unwrap_or(1),
        column: usize::try_from(at.column()).unwrap_or(1),
    });
    let (message, hint) = match error {
        Error::SerdeUnknownField { field, expected, .. } => {
            let hint = nearest(field, expected).map_or_else(
                || format!("it knows {}", expected.join(", ")),
                |name| format!("did you mean `{name}`?"),
            );
            (format!("a recipe does not know the key `{field}` here"), Some(hint))
        }
        Error::SerdeMissingField { field, .. } => (format!("the key `{field}` is missing here"), None),
        Error::SerdeUnknownVariant { variant, expected, .. } => (
            format!("a recipe does not know `{variant}` here"),
            Some(format!("it knows {}", expected.join(", "))),
        ),
        other => (format!("cannot read `{}`", source.shown), Some(plain(&other.to_string()))),
    };
    let diagnostic = Diagnostic::new(message).at(source.place(at));
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
