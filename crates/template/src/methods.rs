//! The methods of Python's texts and dictionaries that inventories use: `name.upper()`, `map.items()`.
//!
//! The instruction that calls a method is guarded (`compile`), so none of these is given a secret's text.

use minijinja::value::{ValueKind, from_args};
use minijinja::{Error, ErrorKind, State, Value};

use crate::{holes, text, text_methods};

/// Called by the engine for a method that an object does not have itself.
pub(crate) fn call(_: &mut State, value: &Value, method: &str, args: &[Value]) -> Result<Value, Error> {
    match (value.kind(), value.as_str()) {
        (_, Some(text)) => of_text(text, method, args),
        (ValueKind::Map, _) => of_map(value, method, args),
        (ValueKind::Seq | ValueKind::Iterable, _) => of_list(value, method, args),
        // What is below something undefined is undefined as well.
        (ValueKind::Undefined, _) => Ok(value.clone()),
        _ => Err(Error::from(ErrorKind::UnknownMethod)),
    }
}

/// What a method does with a text and its arguments.
type Method = fn(&str, &[Value]) -> Result<Value, Error>;

/// The methods of texts that are called most.
const TEXTS: &[(&str, Method)] = &[
    ("upper", |text, args| from_args::<()>(args).map(|()| Value::from(text.to_uppercase()))),
    ("lower", |text, args| from_args::<()>(args).map(|()| Value::from(text.to_lowercase()))),
    ("strip", |text, args| Ok(Value::from(text.trim_matches(&stripped(args)?[..])))),
    ("lstrip", |text, args| Ok(Value::from(text.trim_start_matches(&stripped(args)?[..])))),
    ("rstrip", |text, args| Ok(Value::from(text.trim_end_matches(&stripped(args)?[..])))),
    ("startswith", |text, args| one_of(args, |what| text.starts_with(what))),
    ("endswith", |text, args| one_of(args, |what| text.ends_with(what))),
    ("swapcase", |text, args| {
        let swapped = |c: char| match c.is_uppercase() {
            true => c.to_lowercase().collect::<String>(),
            false => c.to_uppercase().collect(),
        };
        from_args::<()>(args).map(|()| Value::from(text.chars().map(swapped).collect::<String>()))
    }),
    ("replace", |text, args| {
        let (from, to, count): (&str, &str, Option<usize>) = from_args(args)?;
        text::replaced(text, from, to, count).map(Value::from)
    }),
    ("splitlines", |text, args| {
        from_args::<()>(args).map(|()| text.lines().map(Value::from).collect::<Value>())
    }),
    ("join", |text, args| {
        let (items,): (&Value,) = from_args(args)?;
        let mut out = String::new();
        for (index, item) in items.try_iter()?.checked().enumerate() {
            let item = item?.to_string();
            text::bounded(out.len() + text.len() + item.len())?;
            out.push_str(if index > 0 { text } else { "" });
            out.push_str(&item);
        }
        Ok(Value::from(out))
    }),
];

/// The names of all methods.
#[cfg(test)]
pub(crate) fn names() -> Vec<&'static str> {
    TEXTS
        .iter()
        .map(|(name, _)| *name)
        .chain(text_methods::names())
        .chain(["keys", "values", "items", "get", "copy", "index", "count"])
        .collect()
}

/// Whether it holds for a text, or for one of several in a tuple.
fn one_of(args: &[Value], holds: impl Fn(&str) -> bool) -> Result<Value, Error> {
    let (what,): (&Value,) = from_args(args)?;
    let text = |what: &Value| {
        let wrong = || Error::new(ErrorKind::InvalidOperation, "it takes a text, or several in parentheses");
        what.as_str().map(&holds).ok_or_else(wrong)
    };
    if !what.is_tuple() {
        return text(what).map(Value::from);
    }
    let found: Vec<bool> = what.try_iter()?.map(|what| text(&what)).collect::<Result<_, _>>()?;
    Ok(Value::from(found.contains(&true)))
}

/// The characters that `strip` takes away.
fn stripped(args: &[Value]) -> Result<Vec<char>, Error> {
    let (set,): (Option<&str>,) = from_args(args)?;
    Ok(set.unwrap_or(" \t\n\r\u{b}\u{c}").chars().collect())
}

fn of_text(text: &str, method: &str, args: &[Value]) -> Result<Value, Error> {
    match TEXTS.iter().find(|(name, _)| *name == method) {
        Some((_, run)) => run(text, args),
        None => text_methods::call(text, method, args),
    }
}

fn of_map(map: &Value, method: &str, args: &[Value]) -> Result<Value, Error> {
    let keys = || map.try_iter();
    match method {
        "copy" => from_args::<()>(args).map(|()| map.clone()),
        "keys" => {
            from_args::<()>(args)?;
            Ok(keys()?.collect())
        }
        "values" => {
            from_args::<()>(args)?;
            holes::refuse_members(map)?;
            keys()?.map(|key| map.get_item(&key)).collect::<Result<Vec<_>, _>>().map(Value::from)
        }
        "items" => {
            from_args::<()>(args)?;
            holes::refuse_members(map)?;
            let pair = |key: Value| map.get_item(&key).map(|value| Value::from(vec![key, value]));
            keys()?.map(pair).collect::<Result<Vec<_>, _>>().map(Value::from)
        }
        "get" => {
            let (key, default): (&Value, Option<Value>) = from_args(args)?;
            // What is there and undefined stays undefined.
            let found = map.as_object().and_then(|map| map.get_value(key));
            Ok(found.or(default).unwrap_or(Value::from(())))
        }
        _ => Err(Error::from(ErrorKind::UnknownMethod)),
    }
}

fn of_list(list: &Value, method: &str, args: &[Value]) -> Result<Value, Error> {
    match method {
        "index" | "count" => {
            let (wanted,): (&Value,) = from_args(args)?;
            holes::refuse([list, wanted])?;
            let mut places = list.try_iter()?.checked().enumerate().filter_map(|(at, item)| match item {
                Ok(item) => (item == *wanted).then_some(Ok(at)),
                Err(error) => Some(Err(error)),
            });
            match (method, places.next()) {
                ("index", Some(at)) => at.map(Value::from),
                ("index", None) => {
                    Err(Error::new(ErrorKind::InvalidOperation, "the list does not hold that"))
                }
                (_, None) => Ok(Value::from(0)),
                (_, Some(first)) => {
                    first?;
                    places.try_fold(1, |count, at| at.map(|_| count + 1)).map(Value::from)
                }
            }
        }
        "copy" => from_args::<()>(args).map(|()| list.clone()),
        _ => Err(Error::from(ErrorKind::UnknownMethod)),
    }
}
