//! Numbers as Python reads, rounds and writes them.

use minijinja::value::ValueKind;
use minijinja::{Error, Value};

use crate::arguments::{Given, Row};

/// What each is called, and what it takes. None may be given a secret.
pub(crate) const TABLE: &[Row] = &[
    ("int", &["value", "default", "base"], int),
    ("float", &["value", "default"], float),
    ("round", &["value", "precision", "method"], round),
    ("log", &["x", "base"], log),
    ("pow", &["x", "y"], |given| Ok(given.float(0)?.powf(given.float(1)?).into())),
    ("root", &["x", "base"], root),
    ("human_readable", &["size", "isbits", "unit"], human_readable),
    ("human_to_bytes", &["size", "default_unit", "isbits"], human_to_bytes),
    ("filesizeformat", &["value", "binary"], filesizeformat),
];

/// An integer as Python's `int` reads it: signs, spaces around, `_` between digits.
fn read_integer(text: &str, base: u32) -> Option<i128> {
    let text = text.trim();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let prefix = match base {
        2 => "0b",
        8 => "0o",
        16 => "0x",
        _ => "",
    };
    let digits = match digits.get(..prefix.len()) {
        Some(head) if !prefix.is_empty() && head.eq_ignore_ascii_case(prefix) => &digits[2..],
        _ => digits,
    };
    let joined = digits.replace('_', "");
    let odd = digits.starts_with(['_', '+', '-']) || digits.ends_with('_') || digits.contains("__");
    let number = i128::from_str_radix(&joined, base).ok().filter(|_| !odd)?;
    Some(if negative { -number } else { number })
}

/// A float as Python's `float` reads it.
fn read_float(text: &str) -> Option<f64> {
    let text = text.trim();
    let odd = text.starts_with('_') || text.ends_with('_') || text.contains("__");
    text.replace('_', "").parse().ok().filter(|_| !odd)
}

/// A whole number as a value, where it is none too large for one.
#[expect(clippy::cast_possible_truncation, reason = "compared with the bounds before")]
fn whole(number: f64) -> Option<Value> {
    (number.is_finite() && number.abs() < 1e36).then(|| Value::from(number.trunc() as i128))
}

fn int(given: &Given) -> Result<Value, Error> {
    let value = given.value(0)?;
    let base = given.integer(2, 10)?;
    let base = u32::try_from(base).ok().filter(|base| (2..=36).contains(base));
    let base = base.ok_or_else(|| given.error("`base` is a number from 2 to 36"))?;
    let found = match value.kind() {
        ValueKind::Bool => Some(Value::from(i64::from(value.is_true()))),
        ValueKind::Number if value.is_integer() => Some(value.clone()),
        ValueKind::Number => given.float(0).ok().and_then(whole),
        ValueKind::String => {
            let text = value.as_str().unwrap_or("");
            read_integer(text, base).map(Value::from).or_else(|| read_float(text).and_then(whole))
        }
        _ => None,
    };
    Ok(found.unwrap_or_else(|| given.option(1).cloned().unwrap_or(Value::from(0))))
}

fn float(given: &Given) -> Result<Value, Error> {
    let found = match given.value(0)?.as_str() {
        Some(text) => read_float(text),
        None => given.float(0).ok(),
    };
    Ok(found.map_or_else(|| given.option(1).cloned().unwrap_or(Value::from(0.0)), Value::from))
}

fn round(given: &Given) -> Result<Value, Error> {
    let (value, number) = (given.value(0)?, given.float(0)?);
    let precision = i32::try_from(given.integer(1, 0)?).ok().filter(|precision| precision.abs() <= 300);
    let precision = precision.ok_or_else(|| given.error("`precision` is at most 300"))?;
    let scale = 10f64.powi(precision);
    match given.text_or(2, "common")?.as_str() {
        "common" if value.is_integer() && precision >= 0 => Ok(value.clone()),
        "common" => {
            let rounded = match usize::try_from(precision) {
                Ok(places) => format!("{number:.places$}").parse().unwrap_or(number),
                Err(_) => (number * scale).round_ties_even() / scale,
            };
            Ok(if value.is_integer() { whole(rounded).unwrap_or(rounded.into()) } else { rounded.into() })
        }
        "ceil" => Ok(((number * scale).ceil() / scale).into()),
        "floor" => Ok(((number * scale).floor() / scale).into()),
        other => Err(given.error(format!("there is no method `{other}`: use common, ceil or floor"))),
    }
}

fn log(given: &Given) -> Result<Value, Error> {
    let number = given.float(0)?;
    let base = if given.option(1).is_some() { Some(given.float(1)?) } else { None };
    if number <= 0.0 || base.is_some_and(|base| base <= 0.0 || base == 1.0) {
        return Err(given.error("there is no such logarithm"));
    }
    Ok(match base {
        Some(10.0) => number.log10(),
        Some(base) => number.ln() / base.ln(),
        None => number.ln(),
    }
    .into())
}

fn root(given: &Given) -> Result<Value, Error> {
    let number = given.float(0)?;
    let base = if given.option(1).is_some() { given.float(1)? } else { 2.0 };
    if number < 0.0 || base == 0.0 {
        return Err(given.error("there is no such root"));
    }
    Ok(if base == 2.0 { number.sqrt() } else { number.powf(1.0 / base) }.into())
}

/// The units, from the largest on.
const UNITS: [(char, &str, i32); 9] = [
    ('Y', "yotta", 80),
    ('Z', "zeta", 70),
    ('E', "exa", 60),
    ('P', "peta", 50),
    ('T', "tera", 40),
    ('G', "giga", 30),
    ('M', "mega", 20),
    ('K', "kilo", 10),
    ('B', "", 0),
];

fn human_readable(given: &Given) -> Result<Value, Error> {
    let (size, bits) = (given.float(0)?, given.flag(1, false));
    let unit = given.text_or(2, "")?.to_uppercase();
    let fits = |(letter, _, power): &&(char, &str, i32)| match unit.as_str() {
        "" => size >= 2f64.powi(*power),
        unit => unit == letter.to_string(),
    };
    let (letter, _, power) = UNITS.iter().find(fits).unwrap_or(&UNITS[8]);
    let name = match (*power, bits) {
        (0, false) => "Bytes".to_owned(),
        (0, true) => "bits".to_owned(),
        (_, bits) => format!("{letter}{}", if bits { 'b' } else { 'B' }),
    };
    Ok(format!("{:.2} {name}", size / 2f64.powi(*power)).into())
}

fn human_to_bytes(given: &Given) -> Result<Value, Error> {
    let (text, bits) = (given.written(0)?, given.flag(2, false));
    let refuse = || given.error(format!("`{text}` is no size such as `10M`"));
    let head = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(head);
    if number.ends_with('.') || number.matches('.').count() > 1 {
        return Err(refuse());
    }
    let number: f64 = number.parse().map_err(|_| refuse())?;
    let unit = match unit.trim() {
        "" => given.text_or(1, "")?,
        unit => unit.to_owned(),
    };
    let power = match unit.chars().next() {
        None => 0,
        Some(first) => {
            let known = UNITS.iter().find(|(letter, ..)| *letter == first.to_ascii_uppercase());
            let (letter, name, power) = known.ok_or_else(refuse)?;
            let (kind, short) = if bits { ("bit", 'b') } else { ("byte", 'B') };
            let short = if *power == 0 { short.to_string() } else { format!("{letter}{short}") };
            if unit.len() > 1 && unit.to_lowercase() != format!("{name}{kind}") && unit != short {
                return Err(refuse());
            }
            *power
        }
    };
    whole((number * 2f64.powi(power)).round_ties_even()).ok_or_else(refuse)
}

fn filesizeformat(given: &Given) -> Result<Value, Error> {
    let value = given.value(0)?;
    let size = value.as_str().map_or_else(|| given.float(0).ok(), read_float);
    let size = size.ok_or_else(|| given.error("it takes a number"))?;
    let binary = given.flag(1, false);
    let (base, tail) = if binary { (1024.0, "iB") } else { (1000.0, "B") };
    if size == 1.0 {
        return Ok("1 Byte".into());
    }
    if size < base {
        return Ok(format!("{} Bytes", size.trunc()).into());
    }
    let letters = [if binary { 'K' } else { 'k' }, 'M', 'G', 'T', 'P', 'E', 'Z', 'Y'];
    let mut unit = base;
    for (index, letter) in letters.into_iter().enumerate() {
        if size < unit * base || index == 7 {
            return Ok(format!("{:.1} {letter}{tail}", size / unit).into());
        }
        unit *= base;
    }
    Err(given.error("the number is too large"))
}
