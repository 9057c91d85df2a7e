//! The tests that Ansible adds: versions, sets, truth.

use std::cmp::Ordering;

use minijinja::value::ValueKind;
use minijinja::{Error, Value};

use crate::ansible;
use crate::arguments::{Given, Row};
use crate::known::Known;

const VERSION: &[&str] = &["value", "version", "operator", "strict", "version_type"];

/// What each is called, and what it takes. None may be given a secret.
pub(crate) const TABLE: &[Row] = &[
    ("version", VERSION, version),
    ("version_compare", VERSION, version),
    ("subset", &["a", "b"], |given| subset(given, 0, 1)),
    ("issubset", &["a", "b"], |given| subset(given, 0, 1)),
    ("superset", &["a", "b"], |given| subset(given, 1, 0)),
    ("issuperset", &["a", "b"], |given| subset(given, 1, 0)),
    ("contains", &["seq", "value"], contains),
    ("any", &["seq"], |given| Ok(given.list(0)?.iter().any(Value::is_true).into())),
    ("all", &["seq"], |given| Ok(given.list(0)?.iter().all(Value::is_true).into())),
    ("truthy", &["value", "convert_bool"], |given| Ok(truthy(given)?.into())),
    ("falsy", &["value", "convert_bool"], |given| Ok((!truthy(given)?).into())),
    ("sequence", &["value"], |given| {
        use ValueKind as K;
        Ok(matches!(given.value(0)?.kind(), K::Seq | K::Map | K::String | K::Bytes).into())
    }),
    ("nan", &["x"], |given| Ok(given.float(0).is_ok_and(f64::is_nan).into())),
    ("isnan", &["x"], |given| Ok(given.float(0).is_ok_and(f64::is_nan).into())),
    ("callable", &["value"], |given| given.value(0).map(|_| false.into())),
    ("escaped", &["value"], |given| given.value(0).map(|_| false.into())),
];

fn subset(given: &Given, small: usize, large: usize) -> Result<Value, Error> {
    let all = Known::of(&given.list(large)?)?;
    for item in given.list(small)? {
        if !all.has(&item)? {
            return Ok(false.into());
        }
    }
    Ok(true.into())
}

fn contains(given: &Given) -> Result<Value, Error> {
    let (seq, value) = (given.value(0)?, given.value(1)?);
    match (seq.as_str(), value.as_str()) {
        (Some(text), Some(part)) => Ok(text.contains(part).into()),
        (Some(_), None) => Err(given.error("a text contains texts only")),
        _ => Ok(given.list(0)?.contains(value).into()),
    }
}

fn truthy(given: &Given) -> Result<bool, Error> {
    let value = given.value(0)?;
    if given.flag(1, false) {
        let text = value.to_string().to_lowercase();
        if ["y", "yes", "on", "1", "true", "t", "1.0"].contains(&text.trim()) {
            return Ok(true);
        }
        if ["n", "no", "off", "0", "false", "f", "0.0"].contains(&text.trim()) {
            return Ok(false);
        }
    }
    Ok(if value.kind() == ValueKind::Bool { ansible::boolean(value) } else { value.is_true() })
}

/// A part of a version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Number(String, String),
    Word(String),
}

/// A number that is compared by its length and then its digits, so that none is too long.
fn number(digits: &str) -> Part {
    let digits = digits.trim_start_matches('0');
    Part::Number(format!("{:08}", digits.len()), digits.to_owned())
}

/// Numbers, runs of small letters, and whatever stands between them, as `LooseVersion`.
fn loose(text: &str) -> Vec<Part> {
    let class = |c: char| match c {
        c if c.is_ascii_digit() => 0,
        c if c.is_ascii_lowercase() => 1,
        '.' => 2,
        _ => 3,
    };
    let mut runs: Vec<(u8, String)> = Vec::new();
    for c in text.chars() {
        match runs.last_mut() {
            Some((last, run)) if *last == class(c) && *last != 2 => run.push(c),
            _ => runs.push((class(c), c.to_string())),
        }
    }
    let part = |(class, run): (u8, String)| match class {
        0 => Some(number(&run)),
        2 => None,
        _ => Some(Part::Word(run)),
    };
    runs.into_iter().filter_map(part).collect()
}

/// Compares loosely; a number against a word is not comparable.
fn compare_loose(given: &Given, a: &str, b: &str) -> Result<Ordering, Error> {
    let (a_parts, b_parts) = (loose(a), loose(b));
    for (left, right) in a_parts.iter().zip(&b_parts) {
        if std::mem::discriminant(left) != std::mem::discriminant(right) {
            return Err(given.error(format!(
                "`{a}` and `{b}` cannot be compared: one has a number where the other has a word"
            )));
        }
        if left != right {
            return Ok(left.cmp(right));
        }
    }
    Ok(a_parts.len().cmp(&b_parts.len()))
}

/// Three numbers, and the parts of a prerelease, as semantic versions are.
fn semantic(given: &Given, text: &str) -> Result<([Part; 3], Vec<Part>), Error> {
    let refuse = || given.error(format!("`{text}` is no semantic version such as `1.2.3`"));
    let text = text.split_once('+').map_or(text, |(text, _)| text);
    let (core, pre) = text.split_once('-').map_or((text, None), |(core, pre)| (core, Some(pre)));
    let plain = |part: &&str| {
        !part.is_empty()
            && part.bytes().all(|b| b.is_ascii_digit())
            && (*part == "0" || !part.starts_with('0'))
    };
    let numbers: Vec<Part> = core.split('.').filter(plain).map(number).collect();
    let core: [Part; 3] = numbers.try_into().map_err(|_| refuse())?;
    let mut parts = Vec::new();
    for part in pre.into_iter().flat_map(|pre| pre.split('.')) {
        if part.is_empty() || !part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            return Err(refuse());
        }
        let digits = part.bytes().all(|b| b.is_ascii_digit());
        parts.push(if digits { number(part) } else { Part::Word(part.to_owned()) });
    }
    Ok((core, parts))
}

fn compare_semantic(given: &Given, a: &str, b: &str) -> Result<Ordering, Error> {
    let ((a, a_pre), (b, b_pre)) = (semantic(given, a)?, semantic(given, b)?);
    // A prerelease comes before its release.
    Ok(a.cmp(&b).then(b_pre.is_empty().cmp(&a_pre.is_empty()).reverse()).then(a_pre.cmp(&b_pre)))
}

/// Three numbers, and what kind of prerelease it is.
type Strict = ([Part; 3], Option<(char, Part)>);

/// Two or three numbers, then `a` or `b` and a number, as `StrictVersion`.
fn strict(given: &Given, text: &str) -> Result<Strict, Error> {
    let refuse = || given.error(format!("`{text}` is no strict version such as `1.2` or `1.2.3b1`"));
    let (core, pre) = match text.find(['a', 'b']) {
        Some(at) => {
            (&text[..at], Some((if text[at..].starts_with('a') { 'a' } else { 'b' }, &text[at + 1..])))
        }
        None => (text, None),
    };
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let mut parts: Vec<&str> = core.split('.').collect();
    if parts.len() == 2 {
        parts.push("0");
    }
    if !parts.iter().all(|part| digits(part)) || pre.is_some_and(|(_, count)| !digits(count)) {
        return Err(refuse());
    }
    let parts: Vec<Part> = parts.into_iter().map(number).collect();
    Ok((parts.try_into().map_err(|_| refuse())?, pre.map(|(kind, count)| (kind, number(count)))))
}

fn compare_strict(given: &Given, a: &str, b: &str) -> Result<Ordering, Error> {
    let ((a, a_pre), (b, b_pre)) = (strict(given, a)?, strict(given, b)?);
    Ok(a.cmp(&b).then(b_pre.is_some().cmp(&a_pre.is_some())).then(a_pre.cmp(&b_pre)))
}

/// Longest text that is taken for a version.
const MAX_VERSION: usize = 1000;

fn version(given: &Given) -> Result<Value, Error> {
    let (a, b) = (given.written(0)?, given.written(1)?);
    if a.len().max(b.len()) > MAX_VERSION {
        return Err(given.error(format!("a version has at most {MAX_VERSION} characters")));
    }
    if !given.value(0)?.is_true() || !given.value(1)?.is_true() {
        return Err(given.error("a version is empty"));
    }
    let kind = match (given.option(3), given.option(4)) {
        (Some(_), Some(_)) => return Err(given.error("`strict` and `version_type` are given both")),
        (Some(strict), None) if strict.is_true() => "strict".to_owned(),
        _ => given.text_or(4, "loose")?,
    };
    let order = match kind.as_str() {
        "loose" => compare_loose(given, &a, &b)?,
        "strict" => compare_strict(given, &a, &b)?,
        "semver" | "semantic" => compare_semantic(given, &a, &b)?,
        other => {
            return Err(given.error(format!("`version_type` is loose, strict or semver here, not `{other}`")));
        }
    };
    let holds = match given.text_or(2, "eq")?.as_str() {
        "==" | "=" | "eq" => order.is_eq(),
        "<" | "lt" => order.is_lt(),
        "<=" | "le" => order.is_le(),
        ">" | "gt" => order.is_gt(),
        ">=" | "ge" => order.is_ge(),
        "!=" | "<>" | "ne" => order.is_ne(),
        other => {
            return Err(given
                .error(format!("there is no comparison `{other}`: use `<`, `<=`, `==`, `!=`, `>=`, `>`")));
        }
    };
    Ok(holds.into())
}
