//! The methods of Python's texts and dictionaries that inventories use: `name.upper()`, `map.items()`.
//!
//! The instruction that calls a method is guarded (`compile`), so none of these is given a secret's text.

use minijinja::value::{ValueKind, from_args};
use minijinja::{Error, ErrorKind, State, Value};

use crate::text_methods;

/// Called by the engine for a method that an object does not have itself.
pub(crate) fn call(_: &mut State, value: &Value, method: &str, args: &[Value]) -> Result<Value, Error> {
    match (value.kind(), value.as_str()) {
        (_, Some(text)) => of_text(text, method, args),
        (ValueKind::Map, _) => of_map(value, method, args),
        // What is below something undefined is undefined as well.
        (ValueKind::Undefined, _) => Ok(value.clone()),
        _ => Err(Error::from(ErrorKind::UnknownMethod)),
    }
}

fn of_text(text: &str, method: &str, args: &[Value]) -> Result<Value, Error> {
    let strip = |args: &[Value]| -> Result<Vec<char>, Error> {
        let (set,): (Option<&str>,) = from_args(args)?;
        Ok(set.unwrap_or(" \t\n\r\u{b}\u{c}").chars().collect())
    };
    Ok(match method {
        "upper" => from_args::<()>(args).map(|()| Value::from(text.to_uppercase()))?,
        "lower" => from_args::<()>(args).map(|()| Value::from(text.to_lowercase()))?,
        "strip" => Value::from(text.trim_matches(&strip(args)?[..])),
        "lstrip" => Value::from(text.trim_start_matches(&strip(args)?[..])),
        "rstrip" => Value::from(text.trim_end_matches(&strip(args)?[..])),
        "startswith" => from_args::<(&str,)>(args).map(|(what,)| Value::from(text.starts_with(what)))?,
        "endswith" => from_args::<(&str,)>(args).map(|(what,)| Value::from(text.ends_with(what)))?,
        "replace" => {
            let (from, to, count): (&str, &str, Option<usize>) = from_args(args)?;
            Value::from(match count {
                Some(count) => text.replacen(from, to, count),
                None => text.replace(from, to),
            })
        }
        "splitlines" => from_args::<()>(args).map(|()| text.lines().map(Value::from).collect::<Value>())?,
        "join" => {
            let (items,): (&Value,) = from_args(args)?;
            let items: Vec<Value> = items.try_iter()?.checked().collect::<Result<_, _>>()?;
            Value::from(items.iter().map(ToString::to_string).collect::<Vec<_>>().join(text))
        }
        _ => return text_methods::call(text, method, args),
    })
}

fn of_map(map: &Value, method: &str, args: &[Value]) -> Result<Value, Error> {
    let keys = || map.try_iter();
    match method {
        "keys" => {
            from_args::<()>(args)?;
            Ok(keys()?.collect())
        }
        "values" => {
            from_args::<()>(args)?;
            keys()?.map(|key| map.get_item(&key)).collect::<Result<Vec<_>, _>>().map(Value::from)
        }
        "items" => {
            from_args::<()>(args)?;
            let pair = |key: Value| map.get_item(&key).map(|value| Value::from(vec![key, value]));
            keys()?.map(pair).collect::<Result<Vec<_>, _>>().map(Value::from)
        }
        "get" => {
            let (key, default): (&Value, Option<Value>) = from_args(args)?;
            let found = map.get_item(key)?;
            Ok(if found.is_undefined() { default.unwrap_or(Value::from(())) } else { found })
        }
        _ => Err(Error::from(ErrorKind::UnknownMethod)),
    }
}
