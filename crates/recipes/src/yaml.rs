//! Reads a YAML file of the catalogue into its type, strictly: what the type does not know is an error with its place.

use pq_stream::Diagnostic;
use serde::de::DeserializeOwned;

use crate::Source;

/// Reads a file.
///
/// # Errors
/// Where it is no YAML, or has a key or a value that its type does not know.
pub fn read<T: DeserializeOwned>(source: &Source) -> Result<T, Diagnostic> {
    pq_items::read("a recipe", &source.shown, &source.text)
}
