//! Values as YAML text, in block style, with the sinks of the secrets inside.

use minijinja::value::Kwargs;
use minijinja::{Environment, Error, State, Value};
use pq_stream::{Sink, holds_token};
use serde_json::Value as Json;

use crate::{json, sinks};

/// Registers the filters that write YAML.
pub(crate) fn add(environment: &mut Environment<'_>) {
    for name in ["to_yaml", "to_nice_yaml"] {
        environment.add_filter(
            name,
            move |state: &mut State, value: &Value, options: Kwargs| -> Result<Value, Error> {
                let data = json::to_json(&sinks::defined(state, value)?)?;
                let indent = options.get::<Option<usize>>("indent")?.unwrap_or(2).clamp(2, 8);
                options.assert_all_used()?;
                let mut out = String::new();
                match inline(name, &data)? {
                    Some(text) => out = text + "\n",
                    None => block(&mut out, name, &data, indent, 0)?,
                }
                Ok(Value::from(out))
            },
        );
    }
}

/// A list or map below which there is something, one line an entry.
fn block(out: &mut String, name: &str, data: &Json, indent: usize, depth: usize) -> Result<(), Error> {
    let margin = " ".repeat(indent * depth);
    match data {
        Json::Array(items) => {
            for item in items {
                out.push_str(&format!("{margin}-"));
                entry(out, name, item, indent, depth)?;
            }
        }
        Json::Object(map) => {
            for (key, item) in map {
                out.push_str(&format!("{margin}{}:", string(name, key)?));
                entry(out, name, item, indent, depth)?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// What follows a dash or a colon.
fn entry(out: &mut String, name: &str, item: &Json, indent: usize, depth: usize) -> Result<(), Error> {
    match inline(name, item)? {
        Some(text) => out.push_str(&format!(" {text}\n")),
        None => {
            out.push('\n');
            block(out, name, item, indent, depth + 1)?;
        }
    }
    Ok(())
}

/// What stands on the line of its key.
fn inline(name: &str, data: &Json) -> Result<Option<String>, Error> {
    Ok(match data {
        Json::Array(items) if items.is_empty() => Some("[]".to_owned()),
        Json::Object(map) if map.is_empty() => Some("{}".to_owned()),
        Json::Array(_) | Json::Object(_) => None,
        Json::String(text) => Some(string(name, text)?),
        other => Some(other.to_string()),
    })
}

/// A word that every YAML reads as a text stands plain; everything else is quoted.
fn string(name: &str, text: &str) -> Result<String, Error> {
    const WORDS: [&str; 11] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "none", "nan"];
    let first = text.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '/');
    let plain = first
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-./@+".contains(c))
        && !WORDS.contains(&text.to_ascii_lowercase().as_str());
    if plain && !holds_token(text) {
        return Ok(text.to_owned());
    }
    sinks::text(name, Sink::Yaml, text)
}
