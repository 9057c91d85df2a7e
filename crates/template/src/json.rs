//! Values as JSON: out of a template, and as text with the sinks of the secrets inside.

use minijinja::value::{Kwargs, ObjectRepr, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State, Value};
use pq_stream::{Sink, holds_token};
use serde_json::{Map, Value as Json};

use crate::omit::is_omit;
use crate::{holes, sinks, spent, text};

/// Plain data as a value for templates; maps keep their order.
pub fn from_json(data: &Json) -> Value {
    match data {
        Json::Null => Value::from(()),
        Json::Bool(it) => Value::from(*it),
        Json::Number(it) => match (it.as_i64(), it.as_u64()) {
            (Some(number), _) => Value::from(number),
            (_, Some(number)) => Value::from(number),
            _ => Value::from(it.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(it) => Value::from(it.as_str()),
        Json::Array(items) => items.iter().map(from_json).collect(),
        Json::Object(map) => Value::from_pairs(map.iter().map(|(key, item)| (key.as_str(), from_json(item)))),
    }
}

/// A template's value as plain data; secrets are the texts of their tokens.
///
/// # Errors
/// Where something in it is undefined, could not be looked up, or has no form as data; or where it is `omit`, which is
/// left out inside of lists and maps.
pub fn to_json(value: &Value) -> Result<Json, Error> {
    convert(value, Omitted::LeftOut, 0, &mut 0)
}

/// The same for a filter: nothing where something inside is undefined, since what is made of it is undefined, too.
///
/// # Errors
/// As [`to_json`].
pub(crate) fn data(value: &Value) -> Result<Option<Json>, Error> {
    match convert(value, Omitted::Refused, 0, &mut 0) {
        Err(error) if error.kind() == ErrorKind::UndefinedError => Ok(None),
        data => data.map(Some),
    }
}

/// A value may be so large as data, in bytes; one that holds another many times over holds its data as often.
const MAX_DATA: usize = 32 << 20;

/// What becomes of `omit` in lists and maps.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Omitted {
    /// It is not there.
    LeftOut,
    /// It is an error.
    Refused,
}

fn convert(value: &Value, omitted: Omitted, depth: usize, size: &mut usize) -> Result<Json, Error> {
    let no_data = |what: String| Error::new(ErrorKind::BadSerialization, what);
    spent::walk(1)?;
    *size += size_of::<Json>() + value.as_str().map_or(0, str::len);
    if *size > MAX_DATA {
        return Err(no_data("a value is larger than 32 MiB".to_owned()));
    }
    if depth > 100 {
        return Err(no_data("a value is nested more than 100 levels deep".to_owned()));
    }
    let stays = |item: &Value| omitted == Omitted::Refused || !is_omit(item);
    match (value.kind(), value.as_object()) {
        _ if is_omit(value) => {
            Err(no_data("`omit` is no value: it leaves out what it stands for in a list or map".to_owned()))
        }
        (ValueKind::Undefined, _) => {
            Err(Error::new(ErrorKind::UndefinedError, "a value inside is undefined"))
        }
        (ValueKind::None | ValueKind::Bool | ValueKind::Number | ValueKind::String, _) => {
            serde_json::to_value(value).map_err(|e| no_data(e.to_string()))
        }
        (_, Some(object)) if object.repr() == ObjectRepr::Map => {
            let mut map = Map::new();
            let pairs = object.try_iter_pairs().into_iter().flatten();
            for (key, item) in pairs.filter(|(_, item)| stays(item)) {
                map.insert(name_of(&key), convert(&item, omitted, depth + 1, size)?);
            }
            Ok(Json::Object(map))
        }
        (_, Some(object)) if object.repr() != ObjectRepr::Plain => {
            let items = object.try_iter().into_iter().flatten().filter(stays);
            items
                .map(|item| convert(&item, omitted, depth + 1, size))
                .collect::<Result<_, _>>()
                .map(Json::Array)
        }
        (ValueKind::Invalid, _) => Err(holes::reason(value)),
        (kind, _) => Err(no_data(format!("a {kind} is no data"))),
    }
}

/// A key as JSON has it: Python's `True` is `true` there.
fn name_of(key: &Value) -> String {
    match key.kind() {
        ValueKind::Bool => key.is_true().to_string(),
        ValueKind::None => "null".to_owned(),
        _ => key.to_string(),
    }
}

/// Registers the filters that read and write JSON.
pub(crate) fn add(environment: &mut Environment<'_>) {
    for (name, indent, sort) in
        [("to_json", None, false), ("tojson", None, false), ("to_nice_json", Some(4), true)]
    {
        environment.add_filter(
            name,
            move |state: &mut State, value: &Value, options: Kwargs| -> Result<Value, Error> {
                let Some(data) = data(&sinks::defined(state, value)?)? else {
                    return Ok(Value::UNDEFINED);
                };
                let indent = options.get::<Option<usize>>("indent")?.or(indent);
                if indent.is_some_and(|indent| indent > MAX_INDENT) {
                    let cause = format!("filter `{name}`: `indent` is at most {MAX_INDENT}");
                    return Err(Error::new(ErrorKind::InvalidOperation, cause));
                }
                let sort = options.get::<Option<bool>>("sort_keys")?.unwrap_or(sort);
                let ascii = options.get::<Option<bool>>("ensure_ascii")?.unwrap_or(true);
                options.assert_all_used()?;
                let mut out = String::new();
                write(&mut out, name, &data, Layout { indent, sort, ascii }, 0)?;
                Ok(Value::from(out))
            },
        );
    }
}

/// Deepest indentation of a level.
const MAX_INDENT: usize = 1000;

/// How JSON is laid out.
#[derive(Clone, Copy)]
struct Layout {
    indent: Option<usize>,
    sort: bool,
    /// Whether other characters than those of ASCII are written by their numbers.
    ascii: bool,
}

impl Layout {
    fn line(self, out: &mut String, depth: usize) {
        if let Some(indent) = self.indent {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent * depth));
        }
    }

    fn comma(self) -> &'static str {
        if self.indent.is_some() { "," } else { ", " }
    }
}

/// As Python's `json.dumps` writes it, which is what Ansible's filters are.
fn write(out: &mut String, name: &str, data: &Json, layout: Layout, depth: usize) -> Result<(), Error> {
    text::bounded(out.len())?;
    spent::write(data.as_str().unwrap_or_default())?;
    match data {
        Json::String(text) => out.push_str(&string(name, text, layout.ascii)?),
        Json::Array(items) if !items.is_empty() => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index > 0 { layout.comma() } else { "" });
                layout.line(out, depth + 1);
                write(out, name, item, layout, depth + 1)?;
            }
            layout.line(out, depth);
            out.push(']');
        }
        Json::Object(map) if !map.is_empty() => {
            let mut entries: Vec<_> = map.iter().collect();
            if layout.sort {
                entries.sort_by_key(|(key, _)| *key);
            }
            out.push('{');
            for (index, (key, item)) in entries.into_iter().enumerate() {
                out.push_str(if index > 0 { layout.comma() } else { "" });
                layout.line(out, depth + 1);
                out.push_str(&string(name, key, layout.ascii)?);
                out.push_str(": ");
                write(out, name, item, layout, depth + 1)?;
            }
            layout.line(out, depth);
            out.push('}');
        }
        scalar_or_empty => out.push_str(&scalar_or_empty.to_string()),
    }
    Ok(())
}

/// A string, in ASCII where that is wanted, or a secret's token with the sink `json`.
fn string(name: &str, text: &str, ascii: bool) -> Result<String, Error> {
    let quoted = sinks::text(name, Sink::Json, text)?;
    if !ascii || holds_token(text) {
        return Ok(quoted);
    }
    let mut out = String::with_capacity(quoted.len());
    for c in quoted.chars() {
        match c {
            c if c.is_ascii() && c != '\u{7f}' => out.push(c),
            c => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}"))),
        }
    }
    Ok(out)
}
