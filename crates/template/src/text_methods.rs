//! Further methods of Python's texts: `'a b'.title()`, `name.rsplit('.', 1)`, `'{} {x}'.format(1, x=2)`.

use minijinja::value::Value;
use minijinja::{Error, ErrorKind};

use crate::arguments::{Given, Row};
use crate::{text, texts};

/// What each is called, and what it takes behind the text. The instruction that calls them has its guard.
const TABLE: &[Row] = &[
    ("title", &["self"], |given| Ok(title(&given.text(0)?).into())),
    ("capitalize", &["self"], |given| {
        let text = given.text(0)?;
        let mut chars = text.chars();
        let first: String = chars.next().into_iter().flat_map(char::to_uppercase).collect();
        Ok((first + &chars.as_str().to_lowercase()).into())
    }),
    ("casefold", &["self"], |given| Ok(given.text(0)?.to_lowercase().into())),
    ("find", &["self", "sub"], |given| Ok(place(given)?.unwrap_or(-1).into())),
    ("index", &["self", "sub"], |given| {
        place(given)?.map(Value::from).ok_or_else(|| given.error("the text is not there"))
    }),
    ("count", &["self", "sub"], |given| Ok(given.text(0)?.matches(&given.text(1)?).count().into())),
    ("split", &["self", "sep", "maxsplit"], split),
    ("rsplit", &["self", "sep", "maxsplit"], rsplit),
    ("partition", &["self", "sep"], |given| {
        let (text, by) = (given.text(0)?, given.text(1)?);
        let (a, b, c) = text.split_once(&by).map_or((&text[..], "", ""), |(a, c)| (a, &by[..], c));
        Ok(Value::from(vec![a.to_owned(), b.to_owned(), c.to_owned()]))
    }),
    ("rpartition", &["self", "sep"], |given| {
        let (text, by) = (given.text(0)?, given.text(1)?);
        let (a, b, c) = text.rsplit_once(&by).map_or(("", "", &text[..]), |(a, c)| (a, &by[..], c));
        Ok(Value::from(vec![a.to_owned(), b.to_owned(), c.to_owned()]))
    }),
    ("isdigit", &["self"], |given| every(given, char::is_numeric)),
    ("isnumeric", &["self"], |given| every(given, char::is_numeric)),
    ("isalpha", &["self"], |given| every(given, char::is_alphabetic)),
    ("isalnum", &["self"], |given| every(given, char::is_alphanumeric)),
    ("isspace", &["self"], |given| every(given, char::is_whitespace)),
    ("removeprefix", &["self", "prefix"], |given| {
        let text = given.text(0)?;
        Ok(text.strip_prefix(&given.text(1)?[..]).unwrap_or(&text).into())
    }),
    ("removesuffix", &["self", "suffix"], |given| {
        let text = given.text(0)?;
        Ok(text.strip_suffix(&given.text(1)?[..]).unwrap_or(&text).into())
    }),
    ("zfill", &["self", "width"], |given| {
        let (text, width) = (given.text(0)?, given.width(1, 0)?);
        let (sign, digits) = text.split_at(usize::from(text.starts_with(['-', '+'])));
        let zeros = "0".repeat(width.saturating_sub(text.chars().count()));
        Ok(format!("{sign}{zeros}{digits}").into())
    }),
    ("ljust", &["self", "width"], |given| Ok(given.text(0).and_then(|text| pad(given, &text, true))?.into())),
    ("rjust", &["self", "width"], |given| {
        Ok(given.text(0).and_then(|text| pad(given, &text, false))?.into())
    }),
    ("center", &["self", "width"], |given| {
        Ok(texts::centered(&given.text(0)?, given.width(1, 0)?, ' ').into())
    }),
    ("format", &["self", "*", "**"], format),
];

/// Their names.
#[cfg(test)]
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|(name, ..)| *name)
}

/// Calls a method of a text.
///
/// # Errors
/// There is none of that name, or its arguments are wrong.
pub(crate) fn call(text: &str, method: &str, args: &[Value]) -> Result<Value, Error> {
    let row = TABLE.iter().find(|(name, ..)| *name == method);
    let (name, names, run) =
        row.ok_or_else(|| Error::new(ErrorKind::UnknownMethod, format!("a text has no method `{method}`")))?;
    let args: Vec<Value> = std::iter::once(Value::from(text)).chain(args.iter().cloned()).collect();
    run(&Given::bind(format!("method `{name}`"), names, &args)?)
}

fn title(text: &str) -> String {
    let mut inside = false;
    let mut out = String::new();
    for c in text.chars() {
        if inside {
            out.extend(c.to_lowercase())
        } else {
            out.extend(c.to_uppercase())
        }
        inside = c.is_alphabetic();
    }
    out
}

fn every(given: &Given, is: fn(char) -> bool) -> Result<Value, Error> {
    let text = given.text(0)?;
    Ok((!text.is_empty() && text.chars().all(is)).into())
}

fn place(given: &Given) -> Result<Option<i64>, Error> {
    let text = given.text(0)?;
    let at = text.find(&given.text(1)?).map(|at| text[..at].chars().count());
    Ok(at.and_then(|at| i64::try_from(at).ok()))
}

fn pad(given: &Given, text: &str, left: bool) -> Result<String, Error> {
    let spaces = " ".repeat(given.width(1, 0)?.saturating_sub(text.chars().count()));
    Ok(if left { format!("{text}{spaces}") } else { format!("{spaces}{text}") })
}

/// How often a text is split at most, and by what.
fn limits(given: &Given) -> Result<(Option<String>, usize), Error> {
    let by = if given.option(1).is_some() { Some(given.text(1)?) } else { None };
    if by.as_deref() == Some("") {
        return Err(given.error("the separator is empty"));
    }
    Ok((by, usize::try_from(given.integer(2, -1)?).unwrap_or(usize::MAX - 1)))
}

pub(crate) fn split(given: &Given) -> Result<Value, Error> {
    let (text, (by, most)) = (given.text(0)?, limits(given)?);
    let Some(by) = by else {
        let (mut rest, mut out) = (text.trim_start(), Vec::new());
        while !rest.is_empty() {
            let end = rest.find(char::is_whitespace).filter(|_| out.len() < most).unwrap_or(rest.len());
            out.push(Value::from(&rest[..end]));
            rest = rest[end..].trim_start();
        }
        return Ok(out.into());
    };
    Ok(text.splitn(most + 1, &by).map(Value::from).collect())
}

fn rsplit(given: &Given) -> Result<Value, Error> {
    let (text, (by, most)) = (given.text(0)?, limits(given)?);
    let mut out: Vec<Value> = Vec::new();
    match by {
        Some(by) => out.extend(text.rsplitn(most + 1, &by).map(Value::from)),
        None => {
            let mut rest = text.trim_end();
            while !rest.is_empty() {
                let start = rest.rfind(char::is_whitespace).filter(|_| out.len() < most);
                let start = start.map_or(0, |at| at + rest[at..].chars().next().map_or(1, char::len_utf8));
                out.push(Value::from(&rest[start..]));
                rest = rest[..start].trim_end();
            }
        }
    }
    out.reverse();
    Ok(out.into())
}

/// `str.format` with places and names; how something is laid out is the business of the filter `format`.
fn format(given: &Given) -> Result<Value, Error> {
    let text = given.text(0)?;
    let (mut out, mut rest, mut next) = (String::new(), &text[..], 0);
    while let Some(at) = rest.find(['{', '}']) {
        out.push_str(&rest[..at]);
        let tail = &rest[at..];
        if tail.starts_with("{{") || tail.starts_with("}}") {
            out.push_str(&tail[..1]);
            rest = &tail[2..];
            continue;
        }
        let end = tail.find('}').filter(|_| tail.starts_with('{'));
        let end = end.ok_or_else(|| given.error("a single brace stands in the text"))?;
        let name = &tail[1..end];
        if name.contains([':', '!', '.', '[']) {
            return Err(given.error(format!(
                "`{{{name}}}` is not supported: use the filter `format`, as in `'%05.2f' | format(x)`"
            )));
        }
        let value = match name.parse::<usize>() {
            Ok(place) => given.rest().get(place),
            Err(_) if name.is_empty() => {
                next += 1;
                given.rest().get(next - 1)
            }
            Err(_) => given.named().iter().find(|(known, _)| known == name).map(|(_, value)| value),
        };
        let value = value.ok_or_else(|| given.error(format!("there is nothing for `{{{name}}}`")))?;
        out.push_str(&text::python(value)?);
        text::bounded(out.len())?;
        rest = &tail[end + 1..];
    }
    out.push_str(rest);
    Ok(out.into())
}
