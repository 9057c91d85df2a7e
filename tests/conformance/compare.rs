//! What the two make of one directory, side by side.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// What pq-inventory makes of a directory.
pub struct Ours {
    list: Result<Value, String>,
    /// The variables of each host, resolved.
    values: Result<BTreeMap<String, Value>, String>,
    /// The hosts that each line of `patterns.txt` means; null where it means none.
    patterns: BTreeMap<String, Value>,
}

impl Ours {
    /// Reads it with the built tool.
    pub fn read(tools: &Path, directory: &Path) -> Self {
        let password = directory.join("vault.txt");
        let vaulted = password.exists();
        let run = |arguments: &[&str]| {
            let mut command = Command::new(tools.join("pq-inventory"));
            if vaulted {
                command.arg("--vault-password-file").arg(&password);
            }
            let output = command.arg("-i").arg(directory).args(arguments).env_clear().output().unwrap();
            match output.status.code() {
                Some(0) => Ok(output.stdout),
                Some(2) => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
                other => panic!("{}: {arguments:?} ended with {other:?}", directory.display()),
            }
        };
        let records = |text: Vec<u8>| -> BTreeMap<String, Value> {
            let text = String::from_utf8(text).unwrap();
            let records = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
            records
                .filter(|record| record["type"] == "host")
                .map(|record| (record["host"].as_str().unwrap().to_owned(), record["vars"].clone()))
                .collect()
        };
        let patterns = fs::read_to_string(directory.join("patterns.txt")).unwrap_or_default();
        let chosen = |pattern: &str| {
            let hosts = run(&["--json", "--", pattern]).map(records);
            (pattern.to_owned(), hosts.map_or(Value::Null, |hosts| hosts.into_keys().collect()))
        };
        let listed: &[&str] = if vaulted { &["--list", "--reveal", "--yes"] } else { &["--list"] };
        let list = run(listed).map(|text| serde_json::from_slice::<Value>(&text).unwrap());
        let mut values = run(&["--json"]).map(records);
        if let (Ok(list), Ok(values), true) = (&list, &mut values, vaulted) {
            for (host, value) in values {
                filled(value, &list["_meta"]["hostvars"][host]);
            }
        }
        Ours { patterns: patterns.lines().map(chosen).collect(), list, values }
    }
}

/// Puts what `--reveal` shows into the places of the tokens that have no sink: `@secret{smtp.password}`.
fn filled(value: &mut Value, revealed: &Value) {
    match value {
        Value::String(text) => {
            let mut out = String::new();
            let mut rest = &text[..];
            while let Some((before, (name, after))) =
                rest.split_once("@secret{").and_then(|(a, b)| Some((a, b.split_once('}')?)))
            {
                let secret = revealed.pointer(&format!("/{}", name.replace('.', "/")));
                let shown =
                    secret.and_then(Value::as_str).map_or(format!("@secret{{{name}}}"), str::to_owned);
                out.extend([before, &shown]);
                rest = after;
            }
            *text = out + rest;
        }
        Value::Array(items) => items.iter_mut().for_each(|item| filled(item, revealed)),
        Value::Object(map) => map.values_mut().for_each(|item| filled(item, revealed)),
        _ => {}
    }
}

/// A listed value on both sides, without what Ansible shows encrypted.
fn shown(theirs: Value, mine: Value) -> (Value, Value) {
    match (theirs, mine) {
        (Value::Object(map), _) if map.contains_key("__ansible_vault") => (Value::Null, Value::Null),
        (Value::Object(mut theirs), Value::Object(mut mine)) => {
            for (key, value) in &mut theirs {
                if let Some(other) = mine.get_mut(key) {
                    (*value, *other) = shown(value.take(), other.take());
                }
            }
            (theirs.into(), mine.into())
        }
        (Value::Array(theirs), Value::Array(mine)) if theirs.len() == mine.len() => {
            let pairs = theirs.into_iter().zip(mine).map(|(theirs, mine)| shown(theirs, mine));
            let (theirs, mine): (Vec<Value>, Vec<Value>) = pairs.unzip();
            (theirs.into(), mine.into())
        }
        same => same,
    }
}

/// What `pq-inventory --host` prints.
pub fn host(tools: &Path, directory: &Path, host: &str) -> Value {
    let mut command = Command::new(tools.join("pq-inventory"));
    let output = command.arg("-i").arg(directory).args(["--host", host]).env_clear().output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// A value without its marks of unsafe texts, which `ansible-inventory` writes with `--list` and not with `--host`.
pub fn plain(value: Value) -> Value {
    match value {
        Value::Object(mut map) if map.len() == 1 && map.contains_key("__ansible_unsafe") => {
            map.remove("__ansible_unsafe").unwrap_or_default()
        }
        Value::Object(map) => map.into_iter().map(|(key, value)| (key, plain(value))).collect(),
        Value::Array(items) => items.into_iter().map(plain).collect(),
        other => other,
    }
}

/// The places that differ, each with what stands on both sides: `error`, `list`, `list/GROUP`,
/// `list/HOST/NAME`, `HOST/NAME`, `pattern/PATTERN`.
pub fn differences(real: &Value, ours: &Ours) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let list = match (real["error"].as_str(), &ours.list) {
        (Some(_), Err(_)) => return found,
        (Some(error), Ok(_)) => {
            found.insert("error".to_owned(), format!("ansible refuses it: {error}"));
            return found;
        }
        (None, Err(error)) => {
            found.insert("error".to_owned(), format!("we refuse it: {error}"));
            return found;
        }
        (None, Ok(list)) => list,
    };
    for name in keys(&real["list"]).union(&keys(list)).filter(|name| *name != "_meta") {
        note(&mut found, format!("list/{name}"), unordered(&real["list"][name]), unordered(&list[name]));
    }
    let meta = |list: &Value| {
        let mut meta = list["_meta"].clone();
        meta.as_object_mut().map(|meta| meta.remove("hostvars"));
        meta
    };
    note(&mut found, "list/_meta".to_owned(), meta(&real["list"]), meta(list));
    for (pattern, mine) in &ours.patterns {
        note(&mut found, format!("pattern/{pattern}"), real["patterns"][pattern].clone(), mine.clone());
    }
    let (theirs, mine) = (&real["list"]["_meta"]["hostvars"], &list["_meta"]["hostvars"]);
    for host in keys(theirs).union(&keys(mine)) {
        for name in keys(&theirs[host]).union(&keys(&mine[host])) {
            let (theirs, mine) = shown(theirs[host][name].clone(), mine[host][name].clone());
            note(&mut found, format!("list/{host}/{name}"), theirs, mine);
        }
    }
    match &ours.values {
        Err(error) => {
            found.insert("error".to_owned(), format!("we refuse to resolve it: {error}"));
        }
        Ok(values) => {
            for host in keys(&real["values"]) {
                for name in keys(&real["values"][&host]) {
                    let answer = &real["values"][&host][&name];
                    let mine = values.get(&host).map_or(Value::Null, |vars| vars[&name].clone());
                    let place = format!("{host}/{name}");
                    match (answer.get("value"), mine.get("unresolved")) {
                        (None, Some(_)) => {}
                        (None, None) => {
                            found.insert(place, format!("ansible: {}, ours: {mine}", answer["error"]));
                        }
                        (Some(value), _) => note(&mut found, place, value.clone(), mine),
                    }
                }
            }
        }
    }
    found
}

fn note(found: &mut BTreeMap<String, String>, place: String, theirs: Value, mine: Value) {
    if theirs != mine {
        found.insert(place, format!("ansible: {theirs}, ours: {mine}"));
    }
}

fn keys(value: &Value) -> BTreeSet<String> {
    value.as_object().into_iter().flatten().map(|(key, _)| key.clone()).collect()
}

/// A group's entry: the order of its children has no meaning.
fn unordered(entry: &Value) -> Value {
    let mut entry = entry.clone();
    if let Some(children) = entry.get_mut("children").and_then(Value::as_array_mut) {
        children.sort_by_key(Value::to_string);
    }
    entry
}
