//! Why a variable has its value: every place that sets it for a host, which one wins, what its templates read.
//!
//! Nothing is decided here: layers and values are those that the host's record is made of. A secret's text is
//! nowhere in it unless it is asked for: as it stands in its file a secret is `(secret)`, in a value its token stands.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use pq_secrets::{ExposeSecret, Values, Vault};
use pq_stream::{Diagnostic, Redactor, nearest};
use pq_template::{Reads, Templates, to_json};
use serde_json::Value;

use crate::groups::Variable;
use crate::list::Secrets;

use crate::node::{Data, Mark, Node};
use crate::scope::{Resolved, Scope};
use crate::world::{LayerSource, World};
use crate::{foreign, magic};

type Result<T> = std::result::Result<T, Box<Diagnostic>>;

/// A variable of one host, explained.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// The host.
    pub host: String,
    /// Every place that sets the variable, lowest precedence first: the last one wins.
    pub settings: Vec<Setting>,
    /// What its templates read, and what these read, in that order.
    pub readings: Vec<Reading>,
    /// Its value, or why it has none; nothing where nothing sets it.
    pub value: Option<std::result::Result<Value, String>>,
    /// What helps, where it has no value.
    pub hints: Vec<String>,
    /// A variable of the host with nearly that name, where nothing sets this one.
    pub near: Option<String>,
    /// What the variable holds, where it is set and does not hold what was asked for.
    pub absent: Option<String>,
}

/// A place that sets a variable.
#[derive(Debug, Clone)]
pub struct Setting {
    /// `file:line:column`.
    pub place: String,
    /// What speaks there: `group_vars of group prod`.
    pub source: String,
    /// The value as it stands there; nothing where a nested name has no such entry.
    pub raw: Option<Value>,
}

/// A variable that a template reads.
#[derive(Debug, Clone)]
pub struct Reading {
    /// Its name.
    pub name: String,
    /// The variable whose template reads it.
    pub by: String,
    /// Where it is set.
    pub place: String,
    /// Its value, or why it has none.
    pub value: std::result::Result<Value, String>,
}

/// Explains a variable of a host, or what stands inside it: `mail_domain`, `smtp.host`, `instances[0].domain`.
///
/// # Errors
/// Where the name has no such form, or a file of the host is wrong.
pub fn of_host(world: &Arc<World>, index: usize, name: &str, secrets: Secrets) -> Result<Explanation> {
    let (head, path) = split(name)?;
    let scope = world.scope(index)?;
    let mut settings = Vec::new();
    let mut winner = None;
    for layer in world.layers(index)? {
        for variable in layer.variables.iter().filter(|variable| *variable.name == *head) {
            let found = inside(variable, &path);
            let mark = found.as_ref().map_or(variable.mark, |(mark, _)| *mark);
            settings.push(Setting {
                place: variable.file.place(mark).to_string(),
                source: speaker(world, layer.source),
                raw: found.as_ref().map(|(_, node)| raw(node, variable, secrets)),
            });
            winner = found.map(|(_, node)| node);
        }
    }
    let mut readings = Vec::new();
    if let Some(node) = winner {
        let mut seen = HashSet::from([head.to_owned()]);
        chain(&scope, head, &node, &mut seen, &mut readings);
    }
    let mut resolved = scope.resolve(head);
    let value = match &resolved {
        None => magic::value(world, &scope, head).map(|value| json(&value)),
        Some(set) => Some(told(set)),
    };
    let mut absent = None;
    let value = value.map(|value| {
        part(value?, &path).map_err(|holds| {
            absent = Some(holds);
            format!("the value holds no `{}`", name.escape_debug())
        })
    });
    // A member may have a value where another of the same map has none.
    let member = scope.variable(head).and_then(|variable| {
        let (_, node) = inside(variable, &path).filter(|_| !path.is_empty())?;
        resolved = Some(scope.all_of(variable, &node));
        resolved.as_ref().map(told)
    });
    let value = member.or(value);
    let hints = match resolved {
        Some(Err(reason)) => reason.diagnostic.hints.clone(),
        _ => Vec::new(),
    };
    let near = match value {
        Some(_) => None,
        None => nearest(head, scope.variables().map(|variable| &variable.name)),
    };
    let host = world.groups.hosts[index].name.clone();
    let mut explanation = Explanation { host, settings, readings, value, hints, near, absent };
    if secrets == Secrets::Revealed {
        explanation.reveal(world, &scope);
    }
    Ok(explanation)
}

impl Explanation {
    /// Puts the values of secrets in the places of their tokens.
    fn reveal(&mut self, world: &Arc<World>, scope: &Scope) {
        let mut values = Values::new();
        for variable in scope.variables() {
            values.extend(variable.secrets.iter().map(|(name, value)| (name.clone(), value.clone())));
        }
        let mut files = BTreeSet::new();
        let told = self.readings.iter().map(|reading| &reading.value).chain(&self.value);
        told.flatten().for_each(|value| foreign::add_secrets(world, value, &mut values, &mut files));
        let vault = Vault::new(&self.host, values);
        let read = self.readings.iter_mut().map(|reading| &mut reading.value);
        read.chain(&mut self.value).flatten().for_each(|value| fill(value, &vault));
    }
}

/// The value with secrets in the places of their tokens; what is no token of a secret of the host stays as it is.
fn fill(value: &mut Value, vault: &Vault) {
    match value {
        Value::String(text) => {
            if let Ok(filled) = vault.fill(text, &mut Redactor::default()) {
                *text = filled;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| fill(item, vault)),
        Value::Object(map) => map.values_mut().for_each(|item| fill(item, vault)),
        _ => {}
    }
}

/// A step into a value.
#[derive(Debug, PartialEq)]
enum Part<'n> {
    Key(&'n str),
    Item(usize),
}

/// The variable's name, and the way into its value.
fn split(name: &str) -> Result<(&str, Vec<Part<'_>>)> {
    let wrong = || {
        Box::new(
            Diagnostic::new(format!("`{}` is no name of a variable", name.escape_debug()))
                .hint("write `mail_domain`, `smtp.host` or `instances[0].domain`"),
        )
    };
    let end = name.find(['.', '[']).unwrap_or(name.len());
    let (head, mut rest) = name.split_at(end);
    let mut path = Vec::new();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('[') {
            let (number, after) = after.split_once(']').ok_or_else(wrong)?;
            path.push(Part::Item(number.parse().map_err(|_| wrong())?));
            rest = after;
        } else {
            let after = rest.strip_prefix('.').ok_or_else(wrong)?;
            let (key, after) = after.split_at(after.find(['.', '[']).unwrap_or(after.len()));
            if key.is_empty() {
                return Err(wrong());
            }
            path.push(Part::Key(key));
            rest = after;
        }
    }
    if head.is_empty() { Err(wrong()) } else { Ok((head, path)) }
}

/// What stands at the end of the way, and where.
fn inside(variable: &Variable, path: &[Part<'_>]) -> Option<(Mark, Arc<Node>)> {
    let (mut mark, mut node) = (variable.mark, variable.node.clone());
    for part in path {
        (mark, node) = match (part, &node.data) {
            (Part::Key(key), _) => node.entry(key).map(|(key, node)| (key.mark, node.clone()))?,
            (Part::Item(at), Data::List(items)) => items.get(*at).map(|item| (item.start, item.clone()))?,
            (Part::Item(_), _) => return None,
        };
    }
    Some((mark, node))
}

/// What stands at the end of the way.
///
/// # Errors
/// What stands instead, where the way ends too soon.
fn part(mut value: Value, path: &[Part<'_>]) -> std::result::Result<Value, String> {
    for part in path {
        let inner = match part {
            Part::Key(key) => value.get_mut(*key),
            Part::Item(at) => value.get_mut(*at),
        };
        value = match inner.map(Value::take) {
            Some(inner) => inner,
            None => return Err(holds(&value)),
        };
    }
    Ok(value)
}

/// What a value holds, for one who looked for something else.
fn holds(value: &Value) -> String {
    match value {
        Value::Object(map) if !map.is_empty() => {
            let keys: Vec<String> =
                map.keys().take(20).map(|key| format!("`{}`", key.escape_debug())).collect();
            format!("what is there has {}", keys.join(", "))
        }
        Value::Array(items) if !items.is_empty() => {
            format!("what is there is a list, from `[0]` to `[{}]`", items.len() - 1)
        }
        Value::Object(_) | Value::Array(_) | Value::Null => "what is there is empty".to_owned(),
        _ => "what is there is neither a list nor a map".to_owned(),
    }
}

fn speaker(world: &World, source: LayerSource) -> String {
    let group = |group: usize| &world.groups.groups[group].name;
    match source {
        LayerSource::Group(it) => format!("hosts file, group {}", group(it)),
        LayerSource::GroupFiles(it) => format!("group_vars of {}", group(it)),
        LayerSource::Host => "hosts file, the host".to_owned(),
        LayerSource::HostFiles => "host_vars".to_owned(),
    }
}

fn secret(name: &str, variable: &Variable, secrets: Secrets) -> Value {
    match (secrets, variable.secrets.get(name)) {
        (Secrets::Revealed, Some(value)) => Value::from(value.expose_secret()),
        _ => Value::from("(secret)"),
    }
}

fn raw(node: &Node, variable: &Variable, secrets: Secrets) -> Value {
    match &node.data {
        Data::Secret(name) => secret(name, variable, secrets),
        Data::Vaulted(it) => secret(&it.name, variable, secrets),
        Data::List(items) => items.iter().map(|item| raw(item, variable, secrets)).collect(),
        Data::Map(entries) => {
            entries.iter().map(|(key, node)| (key.text(), raw(node, variable, secrets))).collect()
        }
        scalar => scalar.scalar().and_then(|value| to_json(&value).ok()).unwrap_or_default(),
    }
}

fn value(scope: &Arc<Scope>, name: &str) -> Option<std::result::Result<Value, String>> {
    scope.resolve(name).as_ref().map(told)
}

/// A value as data, or why there is none, with the place.
fn told(resolved: &Resolved) -> std::result::Result<Value, String> {
    match resolved {
        Ok(value) => json(value),
        Err(reason) => {
            let cause = reason.diagnostic.causes.first().unwrap_or(&reason.diagnostic.message);
            Err(match &reason.diagnostic.place {
                Some(place) => format!("{cause}, at {place}"),
                None => cause.clone(),
            })
        }
    }
}

fn json(value: &pq_template::Value) -> std::result::Result<Value, String> {
    to_json(value).map_err(|error| error.detail().unwrap_or("it has no form as data").to_owned())
}

/// The variables that a value's templates read, each once.
fn chain(scope: &Arc<Scope>, by: &str, node: &Node, seen: &mut HashSet<String>, readings: &mut Vec<Reading>) {
    let mut names = Vec::new();
    read_by(node, &mut names);
    for name in names {
        let Some(variable) = scope.variable(&name) else { continue };
        if !seen.insert(name.clone()) {
            continue;
        }
        let place = variable.file.place(variable.mark).to_string();
        let value = value(scope, &name).unwrap_or(Ok(Value::Null));
        readings.push(Reading { name: name.clone(), by: by.to_owned(), place, value });
        chain(scope, &name, &variable.node, seen, readings);
    }
}

/// The names that the templates in a value read.
fn read_by(node: &Node, names: &mut Vec<String>) {
    match &node.data {
        Data::Text(text) if Templates::is_template(text) => names.extend(Reads::of(text).names),
        Data::List(items) => items.iter().for_each(|item| read_by(item, names)),
        Data::Map(entries) => entries.iter().for_each(|(_, node)| read_by(node, names)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_into_its_value() {
        let (head, path) = split("instances[0].domain").unwrap();
        assert_eq!((head, path), ("instances", vec![Part::Item(0), Part::Key("domain")]));
        for wrong in ["", ".a", "a[x]", "a[0", "a..b", "a[0]b"] {
            assert!(split(wrong).is_err(), "{wrong}");
        }
    }
}
