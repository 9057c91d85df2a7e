//! The one Jinja environment: inventory values and recipe files are rendered here.
//!
//! It opens no file and holds no secret value: a secret is the text of its token, `@secret{name}`, wherever
//! it goes. What would work on that text (a filter, a test, a comparison, a slice…) is refused, naming the
//! operation and the secret; how is told in `docs/design/secrets-in-templates.md`.
//!
//! Always true here: an undefined variable is an error where it is read; no template reads the clock or chance,
//! and files only where the context gives it lookups, so that the same source and context give the same text.

mod ansible;
mod arguments;
mod backslashes;
mod bounds;
#[cfg(test)]
mod bounds_tests;
mod cache;
mod compile;
mod context;
mod emitter;
mod error;
mod filters;
mod folding;
mod functions;
mod guard;
mod hashes;
mod holes;
mod json;
mod known;
mod lists;
mod lookups;
mod methods;
mod needs;
mod numbers;
mod omit;
#[cfg(test)]
mod operator_walk_tests;
mod paths;
mod pattern;
mod questions;
mod reads;
mod refused;
mod regexes;
mod remainder;
mod sinks;
mod spent;
mod templates;
#[cfg(test)]
mod tests;
mod text;
mod text_methods;
mod texts;
mod undefined;
mod versions;
#[cfg(test)]
mod walk_tests;
mod yaml;

pub use context::Context;
pub use error::TemplateError;
pub use guard::secret_in;
pub use json::{from_json, to_json};
pub use lookups::Lookups;
pub use minijinja::Value;
pub use minijinja::value;
pub use minijinja::{Error, ErrorKind};
pub use omit::omit;
pub use reads::Reads;
pub use spent::with_room;
pub use templates::Templates;
