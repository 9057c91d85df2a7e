//! Reads what an inventory sets for the variables that recipes declare, and holds it to their types.

use std::collections::BTreeMap;

use pq_recipes::{Kind, Source, Variable};
use pq_stream::{Diagnostic, Host, Place, holds_token};
use serde_json::{Map, Value};

use crate::render::Renderer;
use crate::scope::Scope;

/// Where values are looked for.
pub(crate) struct Reading<'a> {
    /// What the recipes' defaults are rendered with.
    pub renderer: Renderer<'a>,
    /// What the defaults may read.
    pub scope: &'a Scope,
}

/// A value as the inventory has it, and what set it.
pub(crate) struct Found<'a> {
    /// What it is called where it is set, and of what: "`timezone` of `demo`".
    pub name: String,
    /// The value.
    pub value: &'a Value,
    /// Where it is set.
    pub place: Option<Place>,
}

/// Where the inventory set a variable: the first of these names of which it knows.
pub(crate) fn origin(host: &Host, names: &[&str]) -> Option<Place> {
    let written = names.iter().find_map(|name| host.origins.get(*name))?;
    let mut parts = written.rsplitn(3, ':');
    let column = parts.next()?.parse().ok()?;
    let line = parts.next()?.parse().ok()?;
    Some(Place { file: parts.next()?.to_owned(), line, column, text: String::new() })
}

/// A host's variable, where it is set.
///
/// # Errors
/// Where the inventory could not resolve it.
pub(crate) fn of_host<'a>(host: &'a Host, name: &str) -> Result<Option<Found<'a>>, Diagnostic> {
    let Some(value) = host.vars.get(name).filter(|value| !value.is_null()) else { return Ok(None) };
    let place = origin(host, &[name]);
    if let Some(Value::String(cause)) = value.get("unresolved") {
        let error =
            Diagnostic::new(format!("a recipe reads `{name}` of `{}`, which cannot be resolved", host.host));
        let error = error.cause(cause.clone()).hint(format!("correct `{name}`, or set what it refers to"));
        return Err(at(error, place));
    }
    Ok(Some(Found { name: format!("`{name}` of `{}`", host.host), value, place }))
}

impl Reading<'_> {
    /// The values of declared variables; one that is neither set nor has a default is left out.
    ///
    /// # Errors
    /// Where a value is not of its variable's type.
    pub fn all<'f>(
        &self,
        source: &Source,
        variables: &BTreeMap<String, Variable>,
        find: impl Fn(&str) -> Result<Option<Found<'f>>, Diagnostic>,
    ) -> Result<Map<String, Value>, Diagnostic> {
        let mut values = Map::new();
        for (name, variable) in variables {
            if let Some(found) = find(name)? {
                values.insert(name.clone(), accept(variable, &found)?);
            } else if let Some(default) = &variable.default {
                let value = self.renderer.node(source, default, self.scope)?;
                // A default that comes to nothing is none.
                if value.is_null() {
                    continue;
                }
                let value = variable.accept(&value).ok_or_else(|| {
                    Diagnostic::new(format!("the default of `{name}` is `{value}`"))
                        .at(source.place(default.mark))
                        .cause(format!("it must be {}", variable.words()))
                })?;
                values.insert(name.clone(), value);
            }
        }
        Ok(values)
    }
}

/// The value in its variable's normal form.
///
/// # Errors
/// Where it is not of the variable's type.
pub(crate) fn accept(variable: &Variable, found: &Found<'_>) -> Result<Value, Diagnostic> {
    let takes_secrets = matches!(variable.kind, Kind::Text | Kind::Password | Kind::Environment);
    if let Some(value) = variable.accept(found.value)
        && (!secret(&value) || takes_secrets)
    {
        return match variable.twice(&value) {
            None => Ok(value),
            Some(item) => Err(at(
                Diagnostic::new(format!("{} has `{}` twice", found.name, shown(item))).hint("leave one out"),
                found.place.clone(),
            )),
        };
    }
    let (name, value, words) = match variable.wrong_item(found.value) {
        Some((at, item)) => (format!("item {} of {}", at + 1, found.name), item, variable.words_of_one()),
        None => (found.name.clone(), found.value, variable.words()),
    };
    let error = match variable.kind {
        _ if secret(value) => Diagnostic::new(format!("{name} cannot be a secret")),
        // It is one, though it stands in clear.
        Kind::Password => Diagnostic::new(format!("{name} cannot be what it is")),
        _ if value.to_string().contains("PRIVATE KEY") => {
            Diagnostic::new(format!("{name} cannot be what it is"))
        }
        _ => Diagnostic::new(format!("{name} cannot be `{}`", shown(value))),
    };
    let error = match variable.kind.wrong(value).filter(|_| !secret(value)) {
        Some(wrong) => error.cause(wrong).cause(format!("it must be {words}")),
        None => error.cause(format!("it must be {words}")),
    };
    let error = match (variable.kind, found.value) {
        (Kind::Text | Kind::Password, Value::Number(number)) => {
            error.hint(format!("write it in quotes: \"{number}\""))
        }
        (_, value) if variable.many && !value.is_array() => error.hint("write a list: [first, second]"),
        _ => match variable.near(value).filter(|_| !secret(value)) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error,
        },
    };
    Err(at(error, found.place.clone()))
}

/// A value as people write it.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// An error with its place, where that is known.
pub(crate) fn at(error: Diagnostic, place: Option<Place>) -> Diagnostic {
    match place {
        Some(place) => error.at(place),
        None => error,
    }
}

/// Whether a secret's token stands anywhere in a value.
fn secret(value: &Value) -> bool {
    match value {
        Value::String(text) => holds_token(text),
        Value::Array(items) => items.iter().any(secret),
        Value::Object(map) => map.values().any(secret),
        _ => false,
    }
}
