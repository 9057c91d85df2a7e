//! The filters that combine lists and reach into them.

use minijinja::value::ValueKind;
use minijinja::{Error, Value};

use crate::ansible;
use crate::arguments::{Given, MAX_ITEMS, Row};
use crate::{guard, spent};

/// Those that compare items: no secret may be in them.
pub(crate) const COMPARING: &[Row] = &[
    ("symmetric_difference", &["a", "b"], symmetric_difference),
    ("rekey_on_member", &["data", "key", "duplicates"], rekey_on_member),
];

/// Those that only move items.
pub(crate) const MOVING: &[Row] = &[
    ("product", &["list", "*", "**"], product),
    ("permutations", &["list", "r"], permutations),
    ("combinations", &["list", "r"], combinations),
    ("zip", &["list", "*", "**"], zip),
    ("zip_longest", &["list", "*", "**"], zip_longest),
];

/// Those that move items of their first argument, and look names up.
pub(crate) const REACHING: &[Row] = &[("subelements", &["obj", "subelements", "skip_missing"], subelements)];

/// Those that look their first argument up in the second.
pub(crate) const LOOKING: &[Row] = &[("extract", &["item", "container", "morekeys"], extract)];

fn tuple(items: Vec<Value>) -> Value {
    Value::from(items)
}

fn symmetric_difference(given: &Given) -> Result<Value, Error> {
    let (a, b) = (given.value(0)?, given.value(1)?);
    let mut out = ansible::difference(a, b)?;
    out.extend(ansible::difference(b, a)?);
    Ok(out.into())
}

fn rekey_on_member(given: &Given) -> Result<Value, Error> {
    let (data, key) = (given.value(0)?, given.value(1)?);
    let overwrite = match given.text_or(2, "error")?.as_str() {
        "error" => false,
        "overwrite" => true,
        other => return Err(given.error(format!("`duplicates` is error or overwrite, not `{other}`"))),
    };
    let mut out: Vec<(Value, Value)> = Vec::new();
    for item in given.list(0)? {
        let item = if data.kind() == ValueKind::Map { data.get_item(&item)? } else { item };
        if item.kind() != ValueKind::Map {
            return Err(given.error("an item is no map"));
        }
        let name = item.get_item(key)?;
        if name.is_undefined() {
            return Err(given.error(format!("an item has no key `{key}`")));
        }
        match out.iter_mut().find(|(known, _)| *known == name) {
            Some(_) if !overwrite => return Err(given.error(format!("`{name}` is the key of two items"))),
            Some((_, old)) => *old = item,
            None => out.push((name, item)),
        }
    }
    Ok(Value::from_pairs(out))
}

/// The only option that may be given by name.
fn option<'g>(given: &'g Given, name: &str) -> Result<Option<&'g Value>, Error> {
    match given.named() {
        [] => Ok(None),
        [(known, value)] if known == name => Ok(Some(value)),
        [(other, _), ..] => Err(given.error(format!("there is no argument `{other}`"))),
    }
}

/// All the lists of a call.
fn columns(given: &Given) -> Result<Vec<Vec<Value>>, Error> {
    let mut out = vec![given.list(0)?];
    for list in given.rest() {
        out.push(list.try_iter()?.checked().collect::<Result<_, _>>()?);
    }
    Ok(out)
}

fn too_many(given: &Given) -> Error {
    given.error(format!("it would make more than {MAX_ITEMS} items"))
}

fn product(given: &Given) -> Result<Value, Error> {
    let repeat = option(given, "repeat")?.map_or(Some(1), Value::as_usize);
    let repeat = repeat.filter(|repeat| *repeat <= 64);
    let repeat = repeat.ok_or_else(|| given.error("`repeat` is a number up to 64"))?;
    let columns = columns(given)?;
    let lists = std::iter::repeat_n(&columns, repeat).flatten();
    let mut rows: Vec<Vec<Value>> = vec![Vec::new()];
    for list in lists {
        if rows.len().saturating_mul(list.len()) > MAX_ITEMS {
            return Err(too_many(given));
        }
        let longer = |row: &Vec<Value>, item: &Value| row.iter().chain([item]).cloned().collect();
        rows = rows
            .iter()
            .flat_map(|row| list.iter().map(|item| longer(row, item)).collect::<Vec<_>>())
            .collect();
    }
    Ok(rows.into_iter().map(tuple).collect())
}

/// Places of items, in the order of `itertools`; `next` says which may follow.
fn chosen(given: &Given, next: fn(&[usize], usize) -> bool, default: Option<usize>) -> Result<Value, Error> {
    let items = given.list(0)?;
    let count = match (given.option(1), default) {
        (Some(count), _) => count.as_usize().ok_or_else(|| given.error("`r` is a number"))?,
        (None, Some(_)) => items.len(),
        (None, None) => return Err(given.error("it needs `r`")),
    };
    if count > items.len() {
        return Ok(Value::from(Vec::<Value>::new()));
    }
    let mut rows: Vec<Vec<usize>> = vec![Vec::new()];
    for _ in 0..count {
        let mut longer = Vec::new();
        for row in &rows {
            for at in (0..items.len()).filter(|at| next(row, *at)) {
                longer.push(row.iter().copied().chain([at]).collect());
                if longer.len() > MAX_ITEMS {
                    return Err(too_many(given));
                }
            }
        }
        rows = longer;
    }
    Ok(rows.iter().map(|row| tuple(row.iter().map(|at| items[*at].clone()).collect())).collect())
}

fn permutations(given: &Given) -> Result<Value, Error> {
    chosen(given, |row, at| !row.contains(&at), Some(0))
}

fn combinations(given: &Given) -> Result<Value, Error> {
    chosen(given, |row, at| row.last().is_none_or(|last| at > *last), None)
}

fn zip(given: &Given) -> Result<Value, Error> {
    let strict = option(given, "strict")?.is_some_and(Value::is_true);
    let lists = columns(given)?;
    let shortest = lists.iter().map(Vec::len).min().unwrap_or(0);
    if strict && lists.iter().any(|list| list.len() > shortest) {
        return Err(given.error("the lists are not of one length"));
    }
    let row = |at: usize| tuple(lists.iter().filter_map(|list| list.get(at).cloned()).collect());
    Ok((0..shortest).map(row).collect())
}

fn zip_longest(given: &Given) -> Result<Value, Error> {
    let fill = option(given, "fillvalue")?.cloned().unwrap_or(Value::from(()));
    let lists = columns(given)?;
    let longest = lists.iter().map(Vec::len).max().unwrap_or(0);
    let row =
        |at| tuple(lists.iter().map(|list: &Vec<Value>| list.get(at).unwrap_or(&fill).clone()).collect());
    Ok((0..longest).map(row).collect())
}

fn subelements(given: &Given) -> Result<Value, Error> {
    let (object, path) = (given.value(0)?, given.value(1)?);
    let elements = match object.kind() {
        ValueKind::Map => given.list(0)?.iter().map(|key| object.get_item(key)).collect::<Result<_, _>>()?,
        ValueKind::Seq | ValueKind::Iterable => given.list(0)?,
        kind => return Err(given.error(format!("it takes a list of maps or a map, not a {kind}"))),
    };
    let path = match path.as_str() {
        Some(path) => path.split('.').map(Value::from).collect(),
        None => given.list(1)?,
    };
    let mut out = Vec::new();
    for element in elements {
        let Some(values) = reach(given, &element, &path)? else { continue };
        if values.kind() != ValueKind::Seq {
            return Err(given.error("what is found there is no list"));
        }
        for value in values.try_iter()?.checked() {
            out.push(tuple(vec![element.clone(), value?]));
        }
    }
    Ok(out.into())
}

/// What stands below a path; nothing where it is missing and may be.
fn reach(given: &Given, element: &Value, path: &[Value]) -> Result<Option<Value>, Error> {
    let mut at = element.clone();
    for key in path {
        if at.kind() != ValueKind::Map {
            return Err(given.error(format!("`{key}` is looked for in what is no map")));
        }
        at = at.get_item(key)?;
        if at.is_undefined() {
            return if given.flag(2, false) {
                Ok(None)
            } else {
                Err(given.error(format!("an item has no key `{key}`")))
            };
        }
    }
    Ok(Some(at))
}

fn extract(given: &Given) -> Result<Value, Error> {
    let mut at = given.value(1)?.clone();
    let more = match given.option(2) {
        None => Vec::new(),
        Some(more) if more.kind() == ValueKind::Seq => given.list(2)?,
        Some(more) => vec![more.clone()],
    };
    for key in std::iter::once(given.value(0)?).chain(&more) {
        guard::not_on_top(|| "filter `extract`".to_owned(), [&at])?;
        spent::reach(&at)?;
        at = at.get_item(key)?;
    }
    Ok(at)
}
