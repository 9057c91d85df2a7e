//! The tokens in a host's resolved variables: each one is well formed, and of a secret that the host has.
//!
//! No file may hold a token, but a template can put one together from harmless pieces. What came out is looked at
//! here, before it is a record.

use std::sync::Arc;

use pq_secrets::Values;
use pq_stream::{Diagnostic, OPENING, Piece, Source, holds_token, pieces};
use serde_json::Value;

use crate::groups::Variable;
use crate::node::{Data, Node};

const HINT: &str = "to use a secret, name its variable: `{{ smtp_password }}`";

/// Refuses a variable's value that holds what is no token, or one of no secret of the host.
///
/// # Errors
/// The innermost value of the file in which such a text stands.
pub fn demand(variable: &Variable, value: &Value, secrets: &Values) -> Result<(), Box<Diagnostic>> {
    let Some((node, cause)) = forged(&variable.node, value, secrets) else { return Ok(()) };
    let message = format!("the value of variable `{}` holds the text `{OPENING}`", variable.name);
    let place = variable.file.place(node.start);
    Err(Box::new(Diagnostic::new(message).at(place).cause(cause).hint(HINT)))
}

/// The node from which a forged token came, and why it is one.
fn forged<'n>(node: &'n Arc<Node>, value: &Value, secrets: &Values) -> Option<(&'n Arc<Node>, String)> {
    match value {
        Value::String(text) => Some((node, wrong(text, secrets)?)),
        Value::Array(items) => items.iter().enumerate().find_map(|(at, item)| {
            let node = match &node.data {
                Data::List(nodes) => nodes.get(at).unwrap_or(node),
                _ => node,
            };
            forged(node, item, secrets)
        }),
        Value::Object(map) => map.iter().find_map(|(key, item)| {
            let below = node.entry(key).map_or(node, |(_, node)| node);
            match wrong(key, secrets) {
                Some(cause) => Some((below, cause)),
                None => forged(below, item, secrets),
            }
        }),
        _ => None,
    }
}

/// What is wrong with the tokens of a text; nothing where all of them are genuine.
fn wrong(text: &str, secrets: &Values) -> Option<String> {
    if !holds_token(text) {
        return None;
    }
    let found = match pieces(text) {
        Ok(found) => found,
        Err(error) => return Some(format!("it is no secret token: {}", error.cause)),
    };
    found.into_iter().find_map(|piece| match piece {
        Piece::Text(_) => None,
        Piece::Token(token) => match token.source {
            Source::Named(name) if secrets.contains_key(&name) => None,
            Source::Named(name) => Some(format!("the host has no secret `{name}`")),
            Source::Derived { .. } => Some("what is derived is named in recipes, with `derive`".to_owned()),
        },
    })
}
