//! The filters and tests that take regular expressions.

use std::cell::RefCell;
use std::collections::BTreeMap;

use minijinja::{Error, Value};
use regex::Captures;

use crate::arguments::{Given, Row};
use crate::pattern::Pattern;
use crate::text;

/// The filters. None may be given a secret.
pub(crate) const FILTERS: &[Row] = &[
    (
        "regex_replace",
        &["value", "pattern", "replacement", "ignorecase", "multiline", "count", "mandatory_count"],
        regex_replace,
    ),
    ("regex_search", &["value", "regex", "*", "**"], regex_search),
    ("regex_findall", &["value", "regex", "multiline", "ignorecase"], regex_findall),
    ("regex_escape", &["string", "re_type"], regex_escape),
];

/// The tests. None may be given a secret.
pub(crate) const TESTS: &[Row] = &[
    ("regex", &["value", "pattern", "ignorecase", "multiline", "match_type"], |given| {
        let kind = given.text_or(4, "search")?;
        test(given, &kind)
    }),
    ("match", &["value", "pattern", "ignorecase", "multiline"], |given| test(given, "match")),
    ("search", &["value", "pattern", "ignorecase", "multiline"], |given| test(given, "search")),
];

/// What a pattern is known by: its text, and whether case is ignored and lines count.
type Known = (String, bool, bool);

thread_local! {
    /// The patterns that were compiled last: an inventory asks the same for each host.
    static COMPILED: RefCell<BTreeMap<Known, Pattern>> = const { RefCell::new(BTreeMap::new()) };
}

fn compiled(given: &Given, source: &str, ignore_case: bool, multiline: bool) -> Result<Pattern, Error> {
    let key = (source.to_owned(), ignore_case, multiline);
    if let Some(known) = COMPILED.with_borrow(|all| all.get(&key).cloned()) {
        return Ok(known);
    }
    let made = Pattern::new(source, ignore_case, multiline).map_err(|cause| given.error(cause))?;
    COMPILED.with_borrow_mut(|all| {
        if all.len() >= 64 {
            all.clear();
        }
        all.insert(key, made.clone());
    });
    Ok(made)
}

fn group<'t>(found: &Captures<'t>, at: usize) -> &'t str {
    found.get(at).map_or("", |found| found.as_str())
}

/// A part of a replacement.
enum Part {
    Text(String),
    Group(usize),
}

/// Reads a replacement as Python's `re.sub` does.
fn replacement(text: &str, names: &[Option<&str>]) -> Result<Vec<Part>, String> {
    let mut out = Vec::new();
    let mut rest = text;
    let number = |name: &str| {
        let by_name = names.iter().position(|known| *known == Some(name));
        let by_number = name.parse::<usize>().ok().filter(|at| *at < names.len());
        by_name.or(by_number).ok_or_else(|| format!("the pattern has no group `{name}`"))
    };
    while let Some((before, after)) = rest.split_once('\\') {
        out.push(Part::Text(before.to_owned()));
        let c = after.chars().next().ok_or("the replacement ends with a backslash")?;
        let digits: String = after.chars().take(3).take_while(char::is_ascii_digit).collect();
        let octal = digits.chars().all(|c| c < '8');
        let mut taken = c.len_utf8();
        match c {
            'g' => {
                let name = after.strip_prefix("g<").and_then(|tail| tail.split_once('>'));
                let (name, _) = name.ok_or("`\\g` in a replacement needs a name: `\\g<name>`")?;
                out.push(Part::Group(number(name)?));
                taken = name.len() + 3;
            }
            '0' | '1'..='9' if c == '0' || digits.len() == 3 && octal => {
                let length = if c == '0' { digits.chars().take_while(|c| *c < '8').count() } else { 3 };
                let code = u32::from_str_radix(&digits[..length], 8).ok().and_then(char::from_u32);
                out.push(Part::Text(code.map(String::from).unwrap_or_default()));
                taken = length;
            }
            '1'..='9' => {
                taken = digits.len().min(2);
                out.push(Part::Group(number(&digits[..taken])?));
            }
            'n' => out.push(Part::Text("\n".to_owned())),
            't' => out.push(Part::Text("\t".to_owned())),
            'r' => out.push(Part::Text("\r".to_owned())),
            'f' => out.push(Part::Text("\u{c}".to_owned())),
            'v' => out.push(Part::Text("\u{b}".to_owned())),
            'a' => out.push(Part::Text("\u{7}".to_owned())),
            'b' => out.push(Part::Text("\u{8}".to_owned())),
            '\\' => out.push(Part::Text("\\".to_owned())),
            c if c.is_ascii_alphabetic() => return Err(format!("there is no `\\{c}` in a replacement")),
            c => out.push(Part::Text(format!("\\{c}"))),
        }
        rest = &after[taken..];
    }
    out.push(Part::Text(rest.to_owned()));
    Ok(out)
}

fn regex_replace(given: &Given) -> Result<Value, Error> {
    let text = given.written(0)?;
    let pattern = compiled(given, &given.text_or(1, "")?, given.flag(3, false), given.flag(4, false))?;
    let fail = |cause: String| given.error(cause);
    let names: Vec<Option<&str>> = pattern.over(&text).map_err(fail)?.capture_names().collect();
    let parts = replacement(&given.text_or(2, "")?, &names).map_err(fail)?;
    let most = usize::try_from(given.integer(5, 0)?).ok().filter(|count| *count > 0).unwrap_or(usize::MAX);
    let found = pattern.matches(&text, most).map_err(fail)?;
    let wanted = given.integer(6, 0)?;
    if wanted != 0 && i64::try_from(found.len()).ok() != Some(wanted) {
        return Err(given
            .error(format!("the pattern has to match {wanted} times, and matches {} times", found.len())));
    }
    let (mut out, mut at) = (String::new(), 0);
    for captures in &found {
        let whole = captures.get_match();
        out.push_str(&text[at..whole.start()]);
        for part in &parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Group(number) => out.push_str(group(captures, *number)),
            }
            text::bounded(out.len())?;
        }
        at = whole.end();
    }
    out.push_str(&text[at..]);
    Ok(out.into())
}

fn regex_search(given: &Given) -> Result<Value, Error> {
    let text = given.written(0)?;
    let (mut ignore_case, mut multiline) = (false, false);
    for (name, value) in given.named() {
        match name.as_str() {
            "ignorecase" => ignore_case = value.is_true(),
            "multiline" => multiline = value.is_true(),
            other => return Err(given.error(format!("there is no argument `{other}`"))),
        }
    }
    let pattern = compiled(given, &given.text(1)?, ignore_case, multiline)?;
    let regex = pattern.over(&text).map_err(|cause| given.error(cause))?;
    let names: Vec<Option<&str>> = regex.capture_names().collect();
    let found = regex.captures(&text);
    let mut wanted = Vec::new();
    for argument in given.rest() {
        let name = argument.as_str().unwrap_or("");
        let name =
            name.strip_prefix("\\g<").and_then(|name| name.strip_suffix('>')).or(name.strip_prefix('\\'));
        let name = name.ok_or_else(|| given.error("a group is written `'\\\\1'` or `'\\\\g<name>'`"))?;
        let by_number = name.parse::<usize>().ok().filter(|at| *at < names.len());
        let at = names.iter().position(|known| *known == Some(name)).or(by_number);
        if found.is_none() {
            continue;
        }
        wanted.push(at.ok_or_else(|| given.error(format!("the pattern has no group `{name}`")))?);
    }
    let Some(found) = found else { return Ok(Value::from(())) };
    if wanted.is_empty() {
        return Ok(found.get_match().as_str().into());
    }
    let part = |at: &usize| found.get(*at).map_or(Value::from(()), |part| part.as_str().into());
    Ok(wanted.iter().map(part).collect())
}

fn regex_findall(given: &Given) -> Result<Value, Error> {
    let text = given.written(0)?;
    let pattern = compiled(given, &given.text(1)?, given.flag(3, false), given.flag(2, false))?;
    let found = pattern.matches(&text, usize::MAX).map_err(|cause| given.error(cause))?;
    let item = |captures: &Captures<'_>| match captures.len() {
        1 => Value::from(captures.get_match().as_str()),
        2 => Value::from(group(captures, 1)),
        groups => (1..groups).map(|at| Value::from(group(captures, at))).collect(),
    };
    Ok(found.iter().map(item).collect())
}

fn regex_escape(given: &Given) -> Result<Value, Error> {
    let text = given.written(0)?;
    let special = match given.text_or(1, "python")?.as_str() {
        "python" => "()[]{}?*+-|^$\\.&~# \t\n\r\u{b}\u{c}",
        "posix_basic" => "].[^$*\\",
        other => {
            return Err(
                given.error(format!("there is no kind `{other}` of expressions: use python or posix_basic"))
            );
        }
    };
    let mut out = String::new();
    for c in text.chars() {
        if special.contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    Ok(out.into())
}

fn test(given: &Given, kind: &str) -> Result<Value, Error> {
    let text = given.written(0)?;
    let pattern = compiled(given, &given.text_or(1, "")?, given.flag(2, false), given.flag(3, false))?;
    let regex = pattern.over(&text).map_err(|cause| given.error(cause))?;
    match kind {
        "search" => Ok(regex.is_match(&text).into()),
        "match" => Ok(regex.find(&text).is_some_and(|found| found.start() == 0).into()),
        other => Err(given.error(format!("`match_type` is search or match, not `{other}`"))),
    }
}
