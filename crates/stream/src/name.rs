//! Names that travel: step ids, their owners, instance ids.

use std::fmt;

/// A name that does not have the form it must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameError {
    /// What the name is of.
    pub what: &'static str,
    /// The name as written.
    pub name: String,
    /// The form it must have, in words.
    pub form: &'static str,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is no {}: {}", self.name.escape_debug(), self.what, self.form)
    }
}

impl std::error::Error for NameError {}

/// A step id is `owner/part[/part…]`; each part is made of letters, digits, `.`, `_`, `-`, `@`, `+`.
pub fn valid_step_id(id: &str) -> Result<(), NameError> {
    let part = |p: &str| {
        !p.is_empty()
            && p != "."
            && p != ".."
            && p.chars().all(|c| c.is_ascii_alphanumeric() || "._-@+:".contains(c))
    };
    if id.len() <= 200 && id.contains('/') && id.split('/').all(part) {
        return Ok(());
    }
    Err(NameError {
        what: "step id",
        name: id.to_owned(),
        form: "it is written `owner/name`, as in `wiki/site`",
    })
}

/// The owner to whom the ledger books a step: `wiki/site` → `wiki`, `platform/nginx/conf` → `platform/nginx`.
pub fn owner_of(id: &str) -> &str {
    let (first, rest) = id.split_once('/').unwrap_or((id, ""));
    match (first, rest.split_once('/')) {
        ("platform", Some((component, _))) => &id[..first.len() + 1 + component.len()],
        _ => first,
    }
}

/// An instance id is `[a-z][a-z0-9_]{1,27}`: it also names a system user, a database and directories.
///
/// `server` and `platform` are refused: they own the steps of the layers below.
pub fn valid_instance_id(id: &str) -> Result<(), NameError> {
    let error = |form| NameError { what: "instance id", name: id.to_owned(), form };
    if id == "server" || id == "platform" {
        return Err(error("that name belongs to the layers below the instances"));
    }
    let mut chars = id.chars();
    let first = chars.next().is_some_and(|c| c.is_ascii_lowercase());
    let rest = chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if first && rest && (2..=28).contains(&id.len()) {
        return Ok(());
    }
    Err(error("2 to 28 characters, lower case letters, digits and `_`, the first a letter"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_of_a_platform_step_is_its_component() {
        assert_eq!(owner_of("platform/nginx/conf"), "platform/nginx");
        assert_eq!(owner_of("platform/os"), "platform");
        assert_eq!(owner_of("wiki/site"), "wiki");
    }

    #[test]
    fn an_id_that_could_leave_its_directory_is_refused() {
        for id in ["wiki", "/site", "wiki/", "wiki/../x", "wiki/a b", "wiki/é"] {
            assert!(valid_step_id(id).is_err(), "{id}");
        }
        for id in ["Wiki", "w", "1wiki", "wi-ki", "wi/ki", "server", "../wi", ""] {
            assert!(valid_instance_id(id).is_err(), "{id}");
        }
    }
}
