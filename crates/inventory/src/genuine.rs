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
    let mut path = Vec::new();
    let Some(cause) = forged(value, secrets, &mut path) else { return Ok(()) };
    let message = format!("the value of variable `{}` holds the text `{OPENING}`", variable.name);
    let place = variable.file.place(innermost(&variable.node, &path).start);
    Err(Box::new(Diagnostic::new(message).at(place).cause(cause).hint(HINT)))
}

/// A step to what a list or a map holds.
enum Step {
    Index(usize),
    Key(String),
}

/// Why a value holds a forged token; `path` then leads to it, its last step first.
fn forged(value: &Value, secrets: &Values, path: &mut Vec<Step>) -> Option<String> {
    match value {
        Value::String(text) => wrong(text, secrets),
        Value::Array(items) => items.iter().enumerate().find_map(|(at, item)| {
            let cause = forged(item, secrets, path)?;
            path.push(Step::Index(at));
            Some(cause)
        }),
        Value::Object(map) => map.iter().find_map(|(key, item)| {
            let cause = wrong(key, secrets).or_else(|| forged(item, secrets, path))?;
            path.push(Step::Key(key.clone()));
            Some(cause)
        }),
        _ => None,
    }
}

/// The node to which a path leads as far as the file has it: below a template is what the template made.
fn innermost<'n>(node: &'n Arc<Node>, path: &[Step]) -> &'n Arc<Node> {
    path.iter().rev().fold(node, |node, step| match (step, &node.data) {
        (Step::Index(at), Data::List(nodes)) => nodes.get(*at).unwrap_or(node),
        (Step::Key(key), _) => node.entry(key).map_or(node, |(_, node)| node),
        _ => node,
    })
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
