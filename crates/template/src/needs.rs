//! What a filter needs of what is inside its arguments: where that is undefined, so is what the filter makes of it.

use minijinja::value::{ObjectRepr, ValueKind};
use minijinja::{Error, Value};

use crate::holes;

/// How far a filter looks into lists and maps.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Not at all, or only at what it finds to be defined.
    Nothing,
    /// At their members, whatever is in these.
    Members,
    /// At everything.
    All,
}

/// Whether something is undefined that a filter needs.
///
/// # Errors
/// That of a member in error.
pub(crate) fn lack(name: &str, needs: Needs, args: &[Value]) -> Result<bool, Error> {
    match (name, args) {
        ("type_debug", _) => Ok(false),
        // What it needs of each item stands under one name.
        ("sort" | "sum" | "groupby" | "min" | "max" | "unique", [list, .., by])
            if attribute(by).is_some() =>
        {
            parts(list, &[&attribute(by).unwrap_or_default()])
        }
        ("rekey_on_member", [rows, key, ..]) if key.as_str().is_some() => {
            parts(rows, &[key.as_str().unwrap_or_default()])
        }
        ("items2dict", [rows, options @ ..]) => {
            let options = options.last();
            let named = |which: &str, default| {
                let named = options.and_then(|options| options.get_attr(which).ok());
                named.and_then(|name| name.as_str().map(str::to_owned)).unwrap_or(default)
            };
            let (key, value) = (named("key_name", "key".to_owned()), named("value_name", "value".to_owned()));
            parts(rows, &[&key, &value])
        }
        ("selectattr" | "rejectattr", [list, path]) if path.as_str().is_some() => {
            parts(list, &[path.as_str().unwrap_or_default()])
        }
        ("select" | "reject", [list]) => holes::any_of(list),
        ("list", [map]) if map.kind() == ValueKind::Map => Ok(false),
        ("combine", [.., options])
            if options.is_kwargs() && options.get_attr("recursive").is_ok_and(|it| it.is_true()) =>
        {
            any(args, holes::any_in)
        }
        ("flatten", _) => any(args, holes::any_in),
        ("dictsort", _) => any(args, holes::any_of),
        _ => match needs {
            Needs::Nothing => Ok(false),
            Needs::Members => any(args, holes::any_of),
            Needs::All => any(args, holes::any_in),
        },
    }
}

fn any(args: &[Value], lacks: fn(&Value) -> Result<bool, Error>) -> Result<bool, Error> {
    for value in args {
        if lacks(value)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The attribute that an argument names: `sort(attribute='a')`, `groupby('a')`.
fn attribute(by: &Value) -> Option<String> {
    let path = if by.is_kwargs() { by.get_attr("attribute").ok()? } else { by.clone() };
    path.as_str().map(str::to_owned)
}

/// Whether what stands under one of these paths is undefined, for an item of a list.
fn parts(list: &Value, paths: &[&str]) -> Result<bool, Error> {
    let items = match list.as_object() {
        Some(object) if object.repr() == ObjectRepr::Map => {
            object.try_iter_pairs().into_iter().flatten().map(|(_, item)| item).collect()
        }
        Some(object) => object.try_iter().into_iter().flatten().collect::<Vec<_>>(),
        None => return Ok(false),
    };
    let part = |item: &Value, path: &str| {
        let mut steps = path.split('.');
        steps.try_fold(item.clone(), |at, step| at.get_attr(step)).unwrap_or_default()
    };
    let needed = items.iter().flat_map(|item| paths.iter().map(|path| part(item, path)));
    holes::any_of(&needed.collect())
}
