//! The filters that inventories know from Ansible and the engine does not have.
//!
//! They are told nothing of secrets: the table in `filters` decides what they are given.

use std::collections::{BTreeMap, HashMap};

use minijinja::value::{Kwargs, Rest, ValueKind};
use minijinja::{Error, ErrorKind, Value};

use crate::arguments::Given;
use crate::known::Known;
use crate::spent;

fn invalid(cause: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, cause.into())
}

/// `bool`: Ansible's idea of what is true.
pub(crate) fn boolean(value: &Value) -> bool {
    match value.kind() {
        ValueKind::Bool | ValueKind::None => value.is_true(),
        ValueKind::Number => *value == Value::from(1),
        _ => value
            .as_str()
            .is_some_and(|text| ["yes", "on", "1", "true"].contains(&text.to_ascii_lowercase().as_str())),
    }
}

/// `mandatory`: the value, or an error that can be worded.
pub(crate) fn mandatory(value: &Value, message: Option<&str>, options: Kwargs) -> Result<Value, Error> {
    let named = options.get::<Option<&str>>("msg")?;
    options.assert_all_used()?;
    if value.is_undefined() {
        return Err(invalid(message.or(named).unwrap_or("a mandatory variable is undefined").to_owned()));
    }
    Ok(value.clone())
}

/// `ternary`: one value where the first is true, another where it is false, a third where it is none.
pub(crate) fn ternary(given: &Given) -> Result<Value, Error> {
    let (value, yes, no) = (given.value(0)?, given.value(1)?, given.value(2)?);
    Ok(match given.option(3) {
        Some(none) if value.is_none() => none.clone(),
        _ if value.is_true() => yes.clone(),
        _ => no.clone(),
    })
}

/// `b64decode`.
pub(crate) fn b64decode(text: &str) -> Result<String, Error> {
    use base64::Engine;
    let bytes = base64::prelude::BASE64_STANDARD.decode(text.trim());
    let bytes = bytes.map_err(|error| invalid(format!("filter `b64decode`: {error}")))?;
    String::from_utf8(bytes).map_err(|_| invalid("filter `b64decode`: what came out is no text"))
}

/// Most values that a text is read as.
const MAX_PARSED: usize = 200_000;

/// `from_json`.
pub(crate) fn from_json(text: &str) -> Result<Value, Error> {
    // Where a text has so many commas, it may be a list of as many items.
    if text.matches(',').count() > MAX_PARSED {
        return Err(invalid(format!("filter `from_json`: the text has more than {MAX_PARSED} values")));
    }
    let data: serde_json::Value =
        serde_json::from_str(text).map_err(|error| invalid(format!("filter `from_json`: {error}")))?;
    Ok(crate::from_json(&data))
}

/// `basename`: what follows the last slash.
pub(crate) fn basename(path: &str) -> String {
    path.rsplit_once('/').map_or(path, |(_, last)| last).to_owned()
}

/// `dirname`: what stands before the last slash, as Python's.
pub(crate) fn dirname(path: &str) -> String {
    let head = path.rfind('/').map_or("", |at| &path[..=at]);
    let trimmed = head.trim_end_matches('/');
    if trimmed.is_empty() { head.to_owned() } else { trimmed.to_owned() }
}

fn items(value: &Value) -> Result<Vec<Value>, Error> {
    value.try_iter()?.checked().collect()
}

/// The items of which `wanted` is true, each once.
fn once(
    items: impl IntoIterator<Item = Value>,
    wanted: impl Fn(&Value) -> Result<bool, Error>,
) -> Result<Vec<Value>, Error> {
    let (mut known, mut out) = (Known::default(), Vec::new());
    for item in items {
        if wanted(&item)? && known.add(&item)? {
            out.push(item);
        }
    }
    Ok(out)
}

/// `union`: the items of both lists, each once.
pub(crate) fn union(a: &Value, b: &Value) -> Result<Vec<Value>, Error> {
    once(items(a)?.into_iter().chain(items(b)?), |_| Ok(true))
}

/// `intersect`: the items of the first list that the second has too, each once.
pub(crate) fn intersect(a: &Value, b: &Value) -> Result<Vec<Value>, Error> {
    let other = Known::of(&items(b)?)?;
    once(items(a)?, |item| other.has(item))
}

/// `difference`: the items of the first list that the second has not, each once.
pub(crate) fn difference(a: &Value, b: &Value) -> Result<Vec<Value>, Error> {
    let other = Known::of(&items(b)?)?;
    once(items(a)?, |item| other.has(item).map(|there| !there))
}

/// Ordered entries of a map.
fn entries(value: &Value) -> Result<Vec<(Value, Value)>, Error> {
    if value.kind() != ValueKind::Map {
        return Err(invalid(format!("a map is needed here, not a {}", value.kind())));
    }
    items(value)?.into_iter().map(|key| Ok((key.clone(), value.get_item(&key)?))).collect()
}

/// How the lists of two maps are merged.
#[derive(Clone, Copy)]
enum Lists {
    Replace,
    Keep,
    Append { present: bool },
    Prepend { present: bool },
}

impl Lists {
    fn named(name: &str) -> Result<Self, Error> {
        Ok(match name {
            "replace" => Lists::Replace,
            "keep" => Lists::Keep,
            "append" => Lists::Append { present: true },
            "append_rp" => Lists::Append { present: false },
            "prepend" => Lists::Prepend { present: true },
            "prepend_rp" => Lists::Prepend { present: false },
            other => {
                return Err(invalid(format!(
                    "filter `combine`: `list_merge` is replace, keep, append, prepend, append_rp or prepend_rp, not `{other}`"
                )));
            }
        })
    }

    /// The list that comes of an old and a new one.
    fn merge(self, old: &Value, new: &Value) -> Result<Value, Error> {
        let (mut old, mut new) = (items(old)?, items(new)?);
        match self {
            Lists::Replace => return Ok(new.into()),
            Lists::Keep => return Ok(old.into()),
            Lists::Append { present: false } | Lists::Prepend { present: false } => {
                let known = Known::of(&new)?;
                let mut kept = Vec::new();
                for item in old {
                    if !known.has(&item)? {
                        kept.push(item);
                    }
                }
                old = kept;
            }
            _ => {}
        }
        Ok(if matches!(self, Lists::Append { .. }) {
            old.append(&mut new);
            old.into()
        } else {
            new.append(&mut old);
            new.into()
        })
    }
}

/// `combine`: later maps win; `recursive=true` merges maps inside maps, `list_merge` the lists.
pub(crate) fn combine(first: &Value, others: Rest<Value>, options: Kwargs) -> Result<Value, Error> {
    let recursive = options.get::<Option<bool>>("recursive")?.unwrap_or(false);
    let lists = Lists::named(options.get::<Option<&str>>("list_merge")?.unwrap_or("replace"))?;
    options.assert_all_used()?;
    let mut out = Merged::default();
    for map in std::iter::once(first).chain(others.iter()) {
        let maps = if map.kind() == ValueKind::Seq { items(map)? } else { vec![map.clone()] };
        for map in &maps {
            out.merge(map, recursive, lists)?;
        }
    }
    Ok(Value::from_pairs(out.entries))
}

/// Maps that are being combined: the entries in their order, and where each key's is.
#[derive(Default)]
struct Merged {
    entries: Vec<(Value, Value)>,
    places: HashMap<Value, usize>,
}

impl Merged {
    fn merge(&mut self, from: &Value, recursive: bool, lists: Lists) -> Result<(), Error> {
        let new = entries(from)?;
        spent::walk(new.len() as u64)?;
        for (key, value) in new {
            let old = self.places.get(&key).map(|at| &mut self.entries[*at].1);
            match old {
                Some(old) if recursive && old.kind() == ValueKind::Map && value.kind() == ValueKind::Map => {
                    let mut inner = Merged::default();
                    inner.merge(old, false, Lists::Replace)?;
                    inner.merge(&value, true, lists)?;
                    *old = Value::from_pairs(inner.entries);
                }
                Some(old) if old.kind() == ValueKind::Seq && value.kind() == ValueKind::Seq => {
                    *old = lists.merge(old, &value)?;
                }
                Some(old) => *old = value,
                None => {
                    self.places.insert(key.clone(), self.entries.len());
                    self.entries.push((key, value));
                }
            }
        }
        Ok(())
    }
}

/// `dict2items`: `[{key, value}, …]`.
pub(crate) fn dict2items(map: &Value, options: Kwargs) -> Result<Vec<Value>, Error> {
    let (key_name, value_name) = names(&options)?;
    let pair =
        |(key, value)| Value::from(BTreeMap::from([(key_name.clone(), key), (value_name.clone(), value)]));
    Ok(entries(map)?.into_iter().map(pair).collect())
}

/// `items2dict`: the map of which `dict2items` is the list.
pub(crate) fn items2dict(list: &Value, options: Kwargs) -> Result<Value, Error> {
    let (key_name, value_name) = names(&options)?;
    let pairs: Result<Vec<_>, Error> = items(list)?
        .iter()
        .map(|item| {
            let key = item.get_attr(&key_name)?;
            if crate::guard::on_top(&key).is_some() {
                return Err(invalid("filter `items2dict`: a secret cannot be a key"));
            }
            Ok((key, item.get_attr(&value_name)?))
        })
        .collect();
    Ok(Value::from_pairs(pairs?))
}

fn names(options: &Kwargs) -> Result<(String, String), Error> {
    let key = options.get::<Option<String>>("key_name")?.unwrap_or_else(|| "key".to_owned());
    let value = options.get::<Option<String>>("value_name")?.unwrap_or_else(|| "value".to_owned());
    options.assert_all_used()?;
    Ok((key, value))
}

/// `flatten`: the items of the lists inside a list; `levels=1` opens only the first level.
pub(crate) fn flatten(given: &Given) -> Result<Value, Error> {
    let levels = given.width(1, 64)?.min(64);
    let mut out = Vec::new();
    open(&mut out, given.value(0)?, levels, given.flag(2, true))?;
    Ok(out.into())
}

fn open(out: &mut Vec<Value>, list: &Value, levels: usize, skip: bool) -> Result<(), Error> {
    for item in items(list)? {
        match item.kind() {
            ValueKind::None if skip => {}
            ValueKind::String if skip && ["None", "null"].contains(&item.as_str().unwrap_or("")) => {}
            ValueKind::Seq | ValueKind::Iterable if levels > 0 => open(out, &item, levels - 1, skip)?,
            _ => out.push(item),
        }
    }
    Ok(())
}
