//! Why a step's type refuses its fields, in words by which the writer of a recipe finds the one that is meant.

use pq_steps::{AnyStep, BadStep};
use pq_stream::nearest;
use serde_json::{Map, Value};

/// The cause, and what may help.
pub(crate) fn told(kind: &str, fields: &Map<String, Value>, bad: BadStep) -> (String, Option<String>) {
    let near = |near: String| format!("did you mean `{near}`?");
    if !AnyStep::KINDS.iter().any(|(name, _)| *name == kind) {
        let nearest = nearest(kind, AnyStep::KINDS.iter().map(|(name, _)| *name));
        return (bad.cause, nearest.map(near).or(bad.hint));
    }
    // As serde says it: unknown field `pth`, expected one of `path`, `content`
    let mut named = bad.cause.split('`').skip(1).step_by(2);
    if bad.cause.starts_with("unknown field") {
        let nearest = named.next().and_then(|slip| nearest(slip, named));
        return (bad.cause.clone(), nearest.map(near).or(bad.hint));
    }
    if named.any(|word| fields.contains_key(word)) {
        return (bad.cause, bad.hint);
    }
    match culprit(kind, fields, &bad.cause) {
        Some(field) => (format!("`{field}`: {}", bad.cause), bad.hint),
        None => (bad.cause, bad.hint),
    }
}

/// The field without which there would be another cause, or none.
fn culprit<'f>(kind: &str, fields: &'f Map<String, Value>, cause: &str) -> Option<&'f str> {
    let is_it = |field: &&String| {
        let mut others = fields.clone();
        others.shift_remove(*field);
        AnyStep::read(kind, &others).map_or_else(|bad| bad.cause != cause, |_| true)
    };
    fields.keys().find(is_it).map(String::as_str)
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
}
