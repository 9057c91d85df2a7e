//! Values as YAML text, as Ansible's filters write it, with the sinks of the secrets inside.

use minijinja::value::{Rest, ValueKind, ValueOrKwargs};
use minijinja::{Environment, Error, State, Value};
use pq_stream::{Sink, holds_token};

use crate::arguments::Given;
use crate::emitter::{Emitter, Node};
use crate::{json, sinks, spent, text};

/// What both filters take.
const NAMES: &[&str] = &["a", "indent", "default_flow_style", "width", "sort_keys", "allow_unicode"];

/// What a value counts beyond one of JSON: how it may be written is found by reading it several times.
const LAID_OUT: u64 = 24;

/// Registers the filters that write YAML.
pub(crate) fn add(environment: &mut Environment<'_>) {
    for (name, indent, flow) in [("to_yaml", 2, None), ("to_nice_yaml", 4, Some(false))] {
        environment.add_filter(
            name,
            move |state: &mut State, args: Rest<ValueOrKwargs>| -> Result<Value, Error> {
                let given = Given::bind(format!("filter `{name}`"), NAMES, &args.into_values())?;
                let value = sinks::defined(state, given.value(0)?)?;
                // Refuses what is too deep, or no data.
                if json::data(&value)?.is_none() {
                    return Ok(Value::UNDEFINED);
                }
                let node = node(name, &value, given.flag(4, true))?;
                let step = Some(given.width(1, indent)?).filter(|step| (2..=9).contains(step)).unwrap_or(2);
                let width = Some(given.width(3, 80)?).filter(|width| *width > step * 2).unwrap_or(80);
                let flow = if given.option(2).is_some() { Some(given.flag(2, false)) } else { flow };
                Ok(Emitter::write(&node, step, width, flow).into())
            },
        );
    }
}

/// A value as it is written; the keys of maps in order.
fn node(name: &str, value: &Value, sort: bool) -> Result<Node, Error> {
    spent::walk(LAID_OUT)?;
    spent::write(value.as_str().unwrap_or_default())?;
    Ok(match value.kind() {
        ValueKind::None => Node::Plain("null".to_owned()),
        ValueKind::Bool => Node::Plain(value.is_true().to_string()),
        ValueKind::Number if value.is_integer() => Node::Plain(value.to_string()),
        ValueKind::Number => Node::Plain(float(f64::try_from(value.clone()).unwrap_or(f64::NAN))),
        ValueKind::Map => {
            let mut keys: Vec<Value> = value.try_iter()?.collect();
            let one_kind = |kind| keys.iter().all(|key| key.kind() == kind);
            if sort && one_kind(ValueKind::String) {
                keys.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
            } else if sort && one_kind(ValueKind::Number) {
                keys.sort();
            }
            let pair = |key: &Value| Ok((node(name, key, sort)?, node(name, &value.get_item(key)?, sort)?));
            Node::Map(keys.iter().map(pair).collect::<Result<_, Error>>()?)
        }
        ValueKind::Seq | ValueKind::Iterable => {
            Node::List(value.try_iter()?.map(|item| node(name, &item, sort)).collect::<Result<_, _>>()?)
        }
        _ => {
            let text = text::python(value)?;
            if holds_token(&text) {
                Node::Token(sinks::text(name, Sink::Yaml, &text)?)
            } else {
                Node::Text(text)
            }
        }
    })
}

fn float(number: f64) -> String {
    if number.is_nan() {
        return ".nan".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    let text = text::float(number);
    if text.contains('.') { text } else { text.replacen('e', ".0e", 1) }
}
