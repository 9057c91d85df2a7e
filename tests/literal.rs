//! Texts of an inventory that stand for themselves.

use serde_json::{Value, json};

/// A value whose texts stand for themselves: each brace that an inventory would take for a template's is the value of one.
pub fn literal(value: &Value) -> Value {
    match value {
        Value::String(text) => json!(text.replace('{', "{{ '{' }}")),
        Value::Array(items) => items.iter().map(literal).collect(),
        Value::Object(map) => map.iter().map(|(key, item)| (key.clone(), literal(item))).collect(),
        other => other.clone(),
    }
}
