//! Holes: what is undefined, or in error, inside a list or a map whose members are made when they are read.
//!
//! Reading another member of such a list or map is no error; whatever needs all of them is one, or undefined itself.

use minijinja::value::{ObjectRepr, ValueKind};
use minijinja::{Error, ErrorKind, Value};

use crate::{spent, undefined};

/// Deeper structures are refused rather than walked.
const MAX_DEPTH: usize = 64;

/// Whether something inside a list or map is undefined; of the value itself nothing is said.
///
/// # Errors
/// That of a member in error.
pub(crate) fn any_in(value: &Value) -> Result<bool, Error> {
    within(value, 0, MAX_DEPTH)
}

/// Whether one of the members of a list or map is undefined; of what is in these nothing is said.
///
/// # Errors
/// That of a member in error.
pub(crate) fn any_of(value: &Value) -> Result<bool, Error> {
    within(value, 0, 0)
}

fn within(value: &Value, depth: usize, deepest: usize) -> Result<bool, Error> {
    let Some(object) = value.as_object() else { return Ok(false) };
    if depth > MAX_DEPTH {
        return Err(Error::new(ErrorKind::InvalidOperation, "a value is nested more than 64 levels deep"));
    }
    let hole = |item: &Value| -> Result<bool, Error> {
        spent::walk(1)?;
        match item.kind() {
            ValueKind::Undefined => Ok(true),
            ValueKind::Invalid => Err(reason(item)),
            _ if depth == deepest => Ok(false),
            _ => within(item, depth + 1, deepest),
        }
    };
    match object.repr() {
        ObjectRepr::Plain => {}
        ObjectRepr::Map => {
            for (_, item) in object.try_iter_pairs().into_iter().flatten() {
                if hole(&item)? {
                    return Ok(true);
                }
            }
        }
        _ => {
            for item in object.try_iter().into_iter().flatten() {
                if hole(&item)? {
                    return Ok(true);
                }
            }
        }
    }
    Ok(false)
}

/// The error that an invalid value is.
pub(crate) fn reason(invalid: &Value) -> Error {
    let items = Value::from(vec![invalid.clone()]);
    let first = items.try_iter().ok().and_then(|items| items.checked().next());
    match first {
        Some(Err(error)) => error,
        _ => Error::new(ErrorKind::InvalidOperation, "a value could not be looked up"),
    }
}

/// Refuses values in which something is undefined.
///
/// # Errors
/// That there is, or that of a member in error.
pub(crate) fn refuse<'v>(values: impl IntoIterator<Item = &'v Value>) -> Result<(), Error> {
    for value in values {
        if any_in(value)? {
            return Err(Error::new(ErrorKind::UndefinedError, "a value inside is undefined"));
        }
    }
    Ok(())
}

/// Refuses lists and maps of which a member is undefined.
///
/// # Errors
/// That it is, or that of a member in error.
pub(crate) fn refuse_members(value: &Value) -> Result<(), Error> {
    match any_of(value)? {
        true => Err(Error::new(ErrorKind::UndefinedError, "a value inside is undefined")),
        false => Ok(()),
    }
}

/// Refuses something undefined that stands before `needle` in a list: whoever looks for it comes by.
///
/// # Errors
/// That there is, or that of a member in error.
pub(crate) fn refuse_before(needle: &Value, list: &Value) -> Result<(), Error> {
    if list.kind() == ValueKind::Map || list.as_object().is_none() {
        return Ok(());
    }
    for item in list.try_iter()?.checked() {
        let item = item?;
        undefined::refuse([&item])?;
        if item == *needle {
            break;
        }
        if needle.as_object().is_some() {
            refuse([&item])?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::{Context, Templates};

    /// A map and a list of which one member is undefined, and a list with a member in error.
    fn value(source: &str) -> std::result::Result<Json, String> {
        let broken = Value::from(Error::new(ErrorKind::InvalidOperation, "the member is broken"));
        let map = Value::from_pairs([("a", Value::from(1)), ("b", Value::UNDEFINED)]);
        let context = Context::new(Value::from_pairs([
            ("rows", Value::from(vec![map.clone(), Value::from_pairs([("a", 2), ("b", 3)])])),
            ("map", map),
            ("list", Value::from(vec![Value::from(1), Value::UNDEFINED, Value::from(3)])),
            ("broken", Value::from(vec![Value::from(1), broken])),
        ]));
        Templates::new().evaluate("t", source, &context).map_err(|error| error.cause)
    }

    #[test]
    fn a_member_can_be_read_beside_one_that_is_undefined() {
        for (source, expected) in [
            ("{{ map.a }}", json!(1)),
            ("{{ map.b | default('d') }}", json!("d")),
            ("{{ map.get('b') | default('d') }}", json!("d")),
            ("{{ map.get('c', 'd') }}", json!("d")),
            ("{{ map | length }}{{ list | length }}", json!("23")),
            ("{{ map | list }}", json!(["a", "b"])),
            ("{{ 'b' in map and map is defined }}", json!(true)),
            ("{{ list | first + list | last }}", json!(4)),
            ("{{ 1 in list }}", json!(true)),
            ("{{ list | select('defined') | list }}", json!([1, 3])),
            ("{{ rows | map(attribute='a') | list }}", json!([1, 2])),
            ("{{ rows | sum(attribute='a') }}", json!(3)),
            ("{{ rows | selectattr('b', 'defined') | list | length }}", json!(1)),
            ("{% for i in list %}{{ i | default('d') }}{% endfor %}", json!("1d3")),
            ("{{ broken[0] }}{{ broken | length }}", json!("12")),
        ] {
            assert_eq!(value(source), Ok(expected), "{source}");
        }
    }

    #[test]
    fn what_needs_all_members_needs_each_of_them() {
        for source in [
            "map.b",
            "map",
            "list",
            "map ~ ''",
            "3 in list",
            "list == [1, 2, 3]",
            "list is contains(1)",
            "map.items() | length",
            "map.values() | length",
            "rows | sum(attribute='b')",
            "broken[1]",
            "broken | join",
            "[broken] | to_json",
        ] {
            let cause = value(&format!("{{{{ {source} }}}}")).expect_err(source);
            assert!(cause.contains("undefined") || cause.contains("broken"), "{source}: {cause}");
        }
        // What a filter makes of it is undefined, for `default`.
        for source in
            ["list | join", "list | sort", "map | dict2items", "map | combine({'b': 1})", "[list] | flatten"]
        {
            assert_eq!(value(&format!("{{{{ {source} | default('d') }}}}")), Ok(json!("d")), "{source}");
            assert!(value(&format!("{{{{ {source} }}}}")).is_err(), "{source}");
        }
    }
}
