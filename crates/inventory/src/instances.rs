//! The variable `instances`: what every instance must have, whatever its application.

use std::sync::Arc;

use pq_stream::{Diagnostic, Instance, valid_instance_id};
use serde_json::Value;

use crate::groups::Variable;
use crate::node::{Data, Mark, Node};

type Result<T> = std::result::Result<T, Box<Diagnostic>>;

/// An example for hints.
const FORM: &str = "each instance is written `- { app: dokuwiki, id: wiki, domain: wiki.example.org }`";

/// The instances of a host.
///
/// # Errors
/// What is wrong with one of them, and where it stands.
pub fn read(variable: &Variable, value: &Value) -> Result<Vec<Instance>> {
    let error =
        |node: &Node, message: String| Box::new(Diagnostic::new(message).at(variable.file.place(node.start)));
    let Value::Array(items) = value else {
        let what = error(&variable.node, format!("`instances` is {}, not a list", kind(value)));
        return Err(Box::new(what.hint(FORM)));
    };
    let mut instances: Vec<Instance> = Vec::new();
    let mut places: Vec<Arc<Node>> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let node = written(&variable.node, index);
        let number = index + 1;
        let Value::Object(map) = item else {
            let what = error(&node, format!("instance {number} is {}, not a map", kind(item)));
            return Err(Box::new(what.hint(FORM)));
        };
        let mut keys = map.clone();
        let mut required = |name: &str| match keys.shift_remove(name) {
            Some(Value::String(text)) => Ok(text),
            Some(other) => {
                let at = node.entry(name).map_or(&node, |(_, node)| node);
                Err(Box::new(
                    error(at, format!("`{name}` of instance {number} is {}, not a text", kind(&other)))
                        .hint(quoted(variable, at, name)),
                ))
            }
            None => Err(Box::new(error(&node, format!("instance {number} has no `{name}`")).hint(FORM))),
        };
        let (app, id) = (required("app")?, required("id")?);
        let at = |name: &str| node.entry(name).map_or_else(|| node.clone(), |(_, node)| node.clone());
        if let Err(cause) = valid_instance_id(&id) {
            let what = error(&at("id"), cause.to_string());
            return Err(Box::new(
                what.hint("it names the system user and the directories too: choose one such as `wiki`"),
            ));
        }
        if let Some(first) = instances.iter().position(|known| known.id == id) {
            let other = variable.file.place(places[first].start);
            let what = error(&at("id"), format!("two instances have the id `{id}`"));
            return Err(Box::new(
                what.cause(format!("the other one stands at {other}"))
                    .hint("an id is given once a host: it also names the system user and the directories"),
            ));
        }
        if let Some(version @ (Value::Number(_) | Value::Bool(_))) = keys.get("version") {
            let what = error(
                &at("version"),
                format!("the version of instance `{id}` is {}, not a text", kind(version)),
            );
            return Err(Box::new(what.cause("without quotes `22.10` is the number 22.1").hint(quoted(
                variable,
                &at("version"),
                "version",
            ))));
        }
        instances.push(Instance { app, id, keys });
        places.push(at("id"));
    }
    Ok(instances)
}

/// Where each instance and each of its keys stands, as far as the file itself has them: `instances[0].domain`.
pub fn places(variable: &Variable) -> Vec<(String, Mark)> {
    let Data::List(items) = &variable.node.data else { return Vec::new() };
    let mut places = Vec::new();
    for (index, item) in items.iter().enumerate() {
        places.push((format!("instances[{index}]"), item.start));
        if let Data::Map(entries) = &item.data {
            let keys =
                entries.iter().map(|(key, _)| (format!("instances[{index}].{}", key.text()), key.mark));
            places.extend(keys);
        }
    }
    places
}

/// The item as it stands in the file; the whole variable where a template made the list.
fn written(node: &Arc<Node>, index: usize) -> Arc<Node> {
    match &node.data {
        Data::List(items) => items.get(index).unwrap_or(node).clone(),
        _ => node.clone(),
    }
}

/// The line to write, with the value in quotes.
fn quoted(variable: &Variable, node: &Node, name: &str) -> String {
    let line = variable.file.line(node.start.line());
    let length = if node.end.line() == node.start.line() {
        node.end.column().saturating_sub(node.start.column())
    } else {
        0
    };
    let text: String = line.chars().skip(node.start.column() - 1).take(length).collect();
    // No quotes make an id of `12`: then the form is the cure.
    if let ("id", Err(error)) = (name, valid_instance_id(text.trim())) {
        return format!("an id has {}", error.form);
    }
    match text.is_empty() || text.contains(['"', '{', '[']) {
        true => format!("put the value of `{name}` in quotes"),
        false => format!("write `{name}: \"{}\"`", text.trim()),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "empty",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}
