//! Why a step's type refuses its fields, in words by which the writer of a recipe finds the one that is meant.

use pq_steps::{AnyStep, BadStep};
use pq_stream::{OPENING, nearest};
use serde_json::{Map, Value};

/// The cause, and what may help.
pub(crate) fn told(kind: &str, fields: &Map<String, Value>, bad: BadStep) -> (String, Option<String>) {
    let near = |near: String| format!("did you mean `{near}`?");
    if !AnyStep::KINDS.iter().any(|(name, _)| *name == kind) {
        let nearest = nearest(kind, AnyStep::KINDS.iter().map(|(name, _)| *name));
        return (bad.cause, nearest.map(near).or(bad.hint));
    }
    // As serde says it: unknown field `pth`, expected one of `path`, `content`
    let named: Vec<&str> = bad.cause.split('`').skip(1).step_by(2).collect();
    if bad.cause.starts_with("unknown field") {
        let nearest = named.split_first().and_then(|(slip, known)| nearest(slip, known));
        return (bad.cause.clone(), nearest.map(near).or(bad.hint));
    }
    // What is missing is named, and no field that is there is to blame.
    if bad.cause.starts_with("missing field") {
        return (bad.cause, bad.hint);
    }
    let field = match by_itself(kind, fields, &bad.cause) {
        None if named.iter().any(|word| fields.contains_key(*word)) => None,
        None => in_company(kind, fields, &bad.cause),
        field => field.filter(|field| !named.contains(field)),
    };
    match field {
        Some(field) => (format!("`{field}`: {}", bad.cause), bad.hint),
        None => (bad.cause, bad.hint),
    }
}

/// Whether fields are refused for a cause.
fn refused(kind: &str, fields: &Map<String, Value>, cause: &str) -> bool {
    AnyStep::read(kind, fields).is_err_and(|bad| bad.cause == cause)
}

/// The first field that is refused so whatever stands beside it.
fn by_itself<'f>(kind: &str, fields: &'f Map<String, Value>, cause: &str) -> Option<&'f str> {
    let alone = |(name, value): &(&String, &Value)| {
        refused(kind, &Map::from_iter([((*name).clone(), (*value).clone())]), cause)
    };
    fields.iter().find(alone).map(|(name, _)| name.as_str())
}

/// The field that is refused so only in the company of others: the one without which nothing is wrong, or something else than that it is
/// missing. Of secrets it is the one that is refused where all others are texts like any other.
fn in_company<'f>(kind: &str, fields: &'f Map<String, Value>, cause: &str) -> Option<&'f str> {
    let plain_but = |but: &str| {
        let one = |(name, value): (&String, &Value)| {
            (name.clone(), if name == but { value.clone() } else { plain(value) })
        };
        fields.iter().map(one).collect::<Map<_, _>>()
    };
    let is_it = |field: &&String| {
        let mut others = fields.clone();
        others.shift_remove(*field);
        let without = AnyStep::read(kind, &others);
        without.map_or_else(|bad| bad.cause != cause && !bad.cause.starts_with("missing field"), |_| true)
    };
    let found = match refused(kind, &plain_but(""), cause) {
        true => fields.keys().find(is_it),
        false => fields.keys().find(|field| refused(kind, &plain_but(field), cause)),
    };
    found.map(String::as_str)
}

/// A value with no secret in it.
fn plain(value: &Value) -> Value {
    match value {
        Value::String(text) => text.replace(OPENING, "").into(),
        Value::Array(items) => items.iter().map(plain).collect(),
        Value::Object(map) => map.iter().map(|(name, value)| (name.clone(), plain(value))).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_field_that_is_meant_is_named() {
        let of = |kind: &str, fields: Value| {
            let fields = fields.as_object().unwrap();
            told(kind, fields, AnyStep::read(kind, fields).unwrap_err())
        };
        let hint = |text: &str| Some(text.to_owned());
        assert_eq!(of("fiel", json!({ "path": "/etc/x" })).1, hint("did you mean `file`?"));
        assert_eq!(of("file", json!({ "pth": "/etc/x", "content": "" })).1, hint("did you mean `path`?"));
        let (cause, _) = of("command", json!({ "argv": ["true"], "unless": "grep x" }));
        assert!(cause.starts_with("`unless`: invalid type: string"), "{cause}");
        let (cause, _) = of("file", json!({ "path": "/etc/x", "content": "", "mode": 640 }));
        assert!(cause.starts_with("`mode`: invalid type: integer"), "{cause}");
    }

    #[test]
    fn no_other_field_is_blamed() {
        let of = |kind: &str, fields: Value| {
            let fields = fields.as_object().unwrap();
            told(kind, fields, AnyStep::read(kind, fields).unwrap_err()).0
        };
        // Two of one fault; one that is missing; one that is called like a value; a secret beside what must be there.
        let cause = of("file", json!({ "path": "/etc/x", "owner": 5, "group": 5 }));
        assert!(cause.starts_with("`owner`: invalid type: integer"), "{cause}");
        assert_eq!(of("symlink", json!({ "path": "/etc/x" })), "missing field `target`");
        let cause = of("file", json!({ "path": "/etc/x", "content": "", "mode": "content" }));
        assert!(cause.starts_with("`mode`: "), "{cause}");
        let secret = of("file", json!({ "path": "/etc/x", "content": "@secret{a}", "owner": "@secret{b}" }));
        assert_eq!(secret, "`owner`: a secret stands where none may");
        let secret = of("symlink", json!({ "path": "/etc/@secret{a}", "target": "b" }));
        assert_eq!(secret, "`path`: a secret stands where none may");
    }
}
