//! Values as the text that Python writes of them: `True`, `['a', 1.0]`, `{'b': None}`.

use minijinja::value::{ObjectRepr, Tuple, ValueKind};
use minijinja::{Error, ErrorKind, Value};

use crate::holes;

/// A value's text is at most so long.
pub(crate) const MAX_TEXT: usize = 8 << 20;

/// Deeper structures are refused.
const MAX_DEPTH: usize = 64;

/// What Ansible does with tuples before it writes them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tuples {
    /// They stay what they are: `(1, 2)`.
    Kept,
    /// They become lists: `[1, 2]`.
    Lists,
}

/// A value put between braces: nothing for `none`, and lists for tuples.
///
/// # Errors
/// Where something inside is undefined or could not be looked up, or the text is too long.
pub(crate) fn written(value: &Value) -> Result<String, Error> {
    if value.is_none() { Ok(String::new()) } else { text(value, Tuples::Lists) }
}

/// A value as Python's `str()` has it.
///
/// # Errors
/// As [`written`].
pub(crate) fn python(value: &Value) -> Result<String, Error> {
    text(value, Tuples::Kept)
}

fn text(value: &Value, tuples: Tuples) -> Result<String, Error> {
    if let Some(text) = value.as_str() {
        return Ok(text.to_owned());
    }
    let mut out = String::new();
    repr(&mut out, value, tuples, 0)?;
    Ok(out)
}

/// Refuses a text that would be longer than any may be, before it is made.
///
/// # Errors
/// It would be.
pub(crate) fn bounded(length: usize) -> Result<(), Error> {
    if length > MAX_TEXT { Err(refused("a text would be longer than 8 MiB")) } else { Ok(()) }
}

/// A text with another in the place of a third, everywhere or that many times.
///
/// # Errors
/// It would be too long.
pub(crate) fn replaced(text: &str, old: &str, new: &str, count: Option<usize>) -> Result<String, Error> {
    let most = count.unwrap_or(usize::MAX);
    let places = text.matches(old).take(most).count();
    bounded(text.len().saturating_add(places.saturating_mul(new.len())))?;
    Ok(text.replacen(old, new, most))
}

fn refused(cause: &'static str) -> Error {
    Error::new(ErrorKind::InvalidOperation, cause)
}

/// A value as Python's `repr()` has it.
fn repr(out: &mut String, value: &Value, tuples: Tuples, depth: usize) -> Result<(), Error> {
    bounded(out.len())?;
    if depth > MAX_DEPTH {
        return Err(refused("a value is nested more than 64 levels deep"));
    }
    match (value.kind(), value.as_object()) {
        (ValueKind::Undefined, _) => {
            return Err(Error::new(ErrorKind::UndefinedError, "a value inside is undefined"));
        }
        (ValueKind::String, _) => quoted(out, value.as_str().unwrap_or_default()),
        (ValueKind::Number, _) if !value.is_integer() => match f64::try_from(value.clone()) {
            Ok(number) => out.push_str(&float(number)),
            Err(_) => out.push_str(&value.to_string()),
        },
        (_, Some(object)) if object.repr() == ObjectRepr::Map => {
            out.push('{');
            for (index, key) in value.try_iter()?.checked().enumerate() {
                let key = key?;
                out.push_str(if index > 0 { ", " } else { "" });
                repr(out, &key, tuples, depth + 1)?;
                out.push_str(": ");
                items(out, [value.get_item(&key)?], tuples, depth)?;
            }
            out.push('}');
        }
        (_, Some(object)) if object.repr() != ObjectRepr::Plain => {
            let kept = object.downcast_ref::<Tuple>().is_some() && tuples == Tuples::Kept;
            out.push(if kept { '(' } else { '[' });
            items(out, value.try_iter()?, tuples, depth)?;
            out.push_str(match (kept, value.len()) {
                (true, Some(1)) => ",)",
                (true, _) => ")",
                _ => "]",
            });
        }
        _ => out.push_str(&value.to_string()),
    }
    Ok(())
}

fn items(
    out: &mut String,
    items: impl IntoIterator<Item = Value>,
    tuples: Tuples,
    depth: usize,
) -> Result<(), Error> {
    for (index, item) in items.into_iter().enumerate() {
        out.push_str(if index > 0 { ", " } else { "" });
        if item.kind() == ValueKind::Invalid {
            return Err(holes::reason(&item));
        }
        repr(out, &item, tuples, depth + 1)?;
    }
    Ok(())
}

/// A text in Python's quotes.
fn quoted(out: &mut String, text: &str) {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(quote);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote || c == '\\' => out.extend(['\\', c]),
            ' '..='~' => out.push(c),
            c if is_printable(c) => out.push(c),
            c => out.push_str(&match u32::from(c) {
                code @ 0..=0xff => format!("\\x{code:02x}"),
                code @ 0x100..=0xffff => format!("\\u{code:04x}"),
                code => format!("\\U{code:08x}"),
            }),
        }
    }
    out.push(quote);
}

/// Whether a character has a form of its own: the standard library escapes the same ones as Python, but for those
/// that join the one before.
fn is_printable(c: char) -> bool {
    !['a', c].iter().collect::<String>().escape_debug().any(|shown| shown == '\\')
}

/// A float as Python writes it: the shortest digits, and an exponent where it is small or large.
pub(crate) fn float(number: f64) -> String {
    if number.is_nan() {
        return "nan".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if number != 0.0 && !(-4..16).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{digits}e{sign}{:02}", exponent.abs());
    }
    let mut plain = number.to_string();
    if !plain.contains('.') {
        plain.push_str(".0");
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_pythons() {
        let cases = [
            (1.0, "1.0"),
            (-0.0, "-0.0"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (1.5e300, "1.5e+300"),
            (1e-4, "0.0001"),
            (1.25e-5, "1.25e-05"),
            (0.1 + 0.2, "0.30000000000000004"),
        ];
        for (number, expected) in cases {
            assert_eq!(float(number), expected);
        }
    }

    #[test]
    fn a_list_that_holds_itself_many_times_over_is_no_text() {
        let mut value = Value::from("x");
        for _ in 0..60 {
            value = Value::from(vec![value.clone(), value]);
        }
        assert!(python(&value).unwrap_err().to_string().contains("8 MiB"));
    }
}
