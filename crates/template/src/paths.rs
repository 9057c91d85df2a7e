//! Paths and addresses, as texts: no file is looked at.

use minijinja::value::ValueKind;
use minijinja::{Error, Value};

use crate::arguments::{Given, Row};

/// What each is called, and what it takes. None may be given a secret.
pub(crate) const TABLE: &[Row] = &[
    ("splitext", &["path"], splitext),
    ("path_join", &["paths"], path_join),
    ("normpath", &["path"], |given| Ok(normal(&given.text(0)?).into())),
    ("relpath", &["path", "start"], relpath),
    ("commonpath", &["paths"], commonpath),
    ("win_basename", &["path"], |given| Ok(windows(&given.text(0)?).1.into())),
    ("win_dirname", &["path"], |given| Ok(windows(&given.text(0)?).0.into())),
    ("win_splitdrive", &["path"], win_splitdrive),
    ("urlencode", &["value"], urlencode),
    ("urldecode", &["value"], urldecode),
    ("urlsplit", &["value", "query"], urlsplit),
];

fn splitext(given: &Given) -> Result<Value, Error> {
    let path = given.text(0)?;
    let name = path.rfind('/').map_or(0, |at| at + 1);
    let first = path[name..].find(|c| c != '.').map_or(path.len(), |at| name + at);
    let dot = path.rfind('.').filter(|dot| *dot >= first).unwrap_or(path.len());
    let (root, extension) = path.split_at(dot);
    Ok(Value::from(vec![root.to_owned(), extension.to_owned()]))
}

fn path_join(given: &Given) -> Result<Value, Error> {
    if given.value(0)?.as_str().is_some() {
        return Ok(given.value(0)?.clone());
    }
    let parts = given.list(0)?;
    if parts.is_empty() {
        return Err(given.error("the list is empty"));
    }
    let mut out = String::new();
    for (index, part) in parts.iter().enumerate() {
        let part = part.as_str().ok_or_else(|| given.error(format!("a {} is no path", part.kind())))?;
        if part.starts_with('/') || index == 0 {
            out.clear();
        } else if !out.is_empty() && !out.ends_with('/') {
            out.push('/');
        }
        out.push_str(part);
    }
    Ok(out.into())
}

/// As Python's `os.path.normpath`.
fn normal(path: &str) -> String {
    let root = match path {
        path if path.starts_with("//") && !path.starts_with("///") => "//",
        path if path.starts_with('/') => "/",
        _ => "",
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
        match (part, parts.last()) {
            ("..", Some(last)) if *last != ".." => {
                parts.pop();
            }
            ("..", None) if !root.is_empty() => {}
            _ => parts.push(part),
        }
    }
    let out = format!("{root}{}", parts.join("/"));
    if out.is_empty() { ".".to_owned() } else { out }
}

/// Longest path, as of Linux.
const MAX_PATH: usize = 4096;

fn relpath(given: &Given) -> Result<Value, Error> {
    let (path, start) = (given.text(0)?, given.text_or(1, ".")?);
    if path.len().max(start.len()) > MAX_PATH {
        return Err(given.error(format!("a path has at most {MAX_PATH} characters")));
    }
    let (path, start) = (normal(&path), normal(&start));
    if path.starts_with('/') != start.starts_with('/') {
        return Err(given.error(
            "one path begins at the root and the other does not: that depends on the directory one is in",
        ));
    }
    let parts = |path: &str| -> Vec<String> {
        path.split('/').filter(|part| !part.is_empty() && *part != ".").map(str::to_owned).collect()
    };
    let (path, start) = (parts(&path), parts(&start));
    if start.iter().any(|part| part == "..") {
        return Err(given.error("`start` leads out of the directory one is in"));
    }
    let common = path.iter().zip(&start).take_while(|(a, b)| a == b).count();
    let up = std::iter::repeat_n("..", start.len() - common);
    let out: Vec<&str> = up.chain(path[common..].iter().map(String::as_str)).collect();
    Ok(if out.is_empty() { ".".to_owned() } else { out.join("/") }.into())
}

fn commonpath(given: &Given) -> Result<Value, Error> {
    let paths = given.list(0)?;
    let paths: Option<Vec<&str>> = paths.iter().map(Value::as_str).collect();
    let paths =
        paths.filter(|paths| !paths.is_empty()).ok_or_else(|| given.error("it takes a list of paths"))?;
    let root = paths[0].starts_with('/');
    if paths.iter().any(|path| path.starts_with('/') != root) {
        return Err(given.error("some paths begin at the root and others do not"));
    }
    let split = |path: &str| -> Vec<String> {
        path.split('/').filter(|part| !part.is_empty() && *part != ".").map(str::to_owned).collect()
    };
    let mut common = split(paths[0]);
    for path in &paths[1..] {
        let same = common.iter().zip(split(path)).take_while(|(a, b)| **a == *b).count();
        common.truncate(same);
    }
    Ok(format!("{}{}", if root { "/" } else { "" }, common.join("/")).into())
}

/// The drive of a Windows path, and what follows it.
fn drive(path: &str) -> (&str, &str) {
    match path.char_indices().nth(1) {
        Some((at, ':')) => path.split_at(at + 1),
        _ => path.split_at(0),
    }
}

/// Directory and name of a Windows path.
fn windows(path: &str) -> (String, String) {
    let (drive, rest) = drive(path);
    let name = rest.rfind(['/', '\\']).map_or(0, |at| at + 1);
    let (head, tail) = rest.split_at(name);
    let trimmed = head.trim_end_matches(['/', '\\']);
    (format!("{drive}{}", if trimmed.is_empty() { head } else { trimmed }), tail.to_owned())
}

fn win_splitdrive(given: &Given) -> Result<Value, Error> {
    let path = given.text(0)?;
    if path.starts_with("\\\\") || path.starts_with("//") {
        return Err(given.error("network paths are not taken apart"));
    }
    let (drive, rest) = drive(&path);
    Ok(Value::from(vec![drive.to_owned(), rest.to_owned()]))
}

/// Percent-encoding as Python's `quote`; in a query, `/` too, and a space is `+`.
fn quoted(text: &str, query: bool) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'/' if !query => out.push('/'),
            b' ' if query => out.push('+'),
            b if b.is_ascii_alphanumeric() || b"_.-~".contains(&b) => out.push(char::from(b)),
            b => out += &format!("%{b:02X}"),
        }
    }
    out
}

fn urlencode(given: &Given) -> Result<Value, Error> {
    let value = given.value(0)?;
    let pair = |key: &Value, value: &Value| {
        format!("{}={}", quoted(&key.to_string(), true), quoted(&value.to_string(), true))
    };
    let mut out = Vec::new();
    match value.kind() {
        ValueKind::Map => {
            for key in given.list(0)? {
                out.push(pair(&key, &value.get_item(&key)?));
            }
        }
        ValueKind::Seq | ValueKind::Iterable => {
            for item in given.list(0)? {
                let item: Vec<Value> = item.try_iter()?.collect();
                let [key, value] = &item[..] else {
                    return Err(given.error("a list has to be one of pairs"));
                };
                out.push(pair(key, value));
            }
        }
        _ => return Ok(quoted(&value.to_string(), false).into()),
    }
    Ok(out.join("&").into())
}

fn urldecode(given: &Given) -> Result<Value, Error> {
    let text = given.text(0)?.replace('+', " ");
    let (mut out, bytes, mut at) = (Vec::new(), text.as_bytes(), 0);
    while let Some(byte) = bytes.get(at) {
        let hex = text.get(at + 1..at + 3).filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(decoded) if *byte == b'%' => {
                out.push(decoded);
                at += 3;
            }
            _ => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    Ok(String::from_utf8_lossy(&out).into_owned().into())
}

fn urlsplit(given: &Given) -> Result<Value, Error> {
    let text = given.text(0)?;
    let cleaned: String = text.chars().filter(|c| !"\t\r\n".contains(*c)).collect();
    let mut rest = cleaned.trim_start_matches(|c: char| c <= ' ');
    let mut scheme = String::new();
    if let Some((head, tail)) = rest.split_once(':')
        && head.starts_with(|c: char| c.is_ascii_alphabetic())
        && head.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    {
        (scheme, rest) = (head.to_ascii_lowercase(), tail);
    }
    let mut place = "";
    if let Some(tail) = rest.strip_prefix("//") {
        (place, rest) = tail.split_at(tail.find(['/', '?', '#']).unwrap_or(tail.len()));
    }
    let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (user, address) =
        place.rsplit_once('@').map_or((None, place), |(user, address)| (Some(user), address));
    let (name, password) = match user.and_then(|user| user.split_once(':')) {
        Some((name, password)) => (Some(name), Some(password)),
        None => (user, None),
    };
    let (host, port) = match address.strip_prefix('[').and_then(|address| address.split_once(']')) {
        Some((host, tail)) => (host, tail.strip_prefix(':')),
        None => address.split_once(':').map_or((address, None), |(host, port)| (host, Some(port))),
    };
    let port = match port.filter(|port| !port.is_empty()) {
        None => Value::from(()),
        Some(port) => {
            let number = port.parse::<u16>().map_err(|_| given.error(format!("`{port}` is no port")))?;
            Value::from(number)
        }
    };
    let host = Some(host.to_lowercase()).filter(|host| !host.is_empty());
    let or_none = |value: Option<&str>| value.map_or(Value::from(()), Value::from);
    let parts = [
        ("fragment", fragment.into()),
        ("hostname", or_none(host.as_deref())),
        ("netloc", place.into()),
        ("password", or_none(password)),
        ("path", path.into()),
        ("port", port),
        ("query", query.into()),
        ("scheme", scheme.into()),
        ("username", or_none(name)),
    ];
    match given.text_or(1, "")?.as_str() {
        "" => Ok(Value::from_pairs(parts)),
        wanted => {
            let found = parts.into_iter().find(|(name, _)| *name == wanted).map(|(_, value)| value);
            found.ok_or_else(|| given.error(format!("an address has no part `{wanted}`")))
        }
    }
}
