//! What another machine said, as people may be shown it.

use serde_json::Value;

/// What was said, with no control character in any text: a line end would begin a line that is nobody's.
pub(crate) fn in_one_line(told: Value) -> Value {
    let plain = |text: String| match text.contains(|c: char| c.is_control()) {
        true => text
            .chars()
            .flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] })
            .collect(),
        false => text,
    };
    match told {
        Value::String(text) => Value::String(plain(text)),
        Value::Array(items) => items.into_iter().map(in_one_line).collect(),
        Value::Object(map) => {
            Value::Object(map.into_iter().map(|(key, value)| (plain(key), in_one_line(value))).collect())
        }
        other => other,
    }
}
