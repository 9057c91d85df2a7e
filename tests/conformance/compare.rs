//! What the two make of one directory, side by side.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// What pq-inventory makes of a directory.
pub struct Ours {
    list: Result<Value, String>,
    /// The variables of each host, resolved.
    values: Result<BTreeMap<String, Value>, String>,
}

impl Ours {
    /// Reads it with the built tool.
    pub fn read(tools: &Path, directory: &Path) -> Self {
        let run = |argument: &str| {
            let output = Command::new(tools.join("pq-inventory"))
                .arg("-i")
                .arg(directory)
                .arg(argument)
                .env_clear()
                .output()
                .unwrap();
            match output.status.code() {
                Some(0) => Ok(output.stdout),
                Some(2) => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
                other => panic!("{}: {argument} ended with {other:?}", directory.display()),
            }
        };
        let records = |text: Vec<u8>| {
            let text = String::from_utf8(text).unwrap();
            let records = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
            records
                .filter(|record| record["type"] == "host")
                .map(|record| (record["host"].as_str().unwrap().to_owned(), record["vars"].clone()))
                .collect()
        };
        Ours {
            list: run("--list").map(|text| serde_json::from_slice(&text).unwrap()),
            values: run("--json").map(records),
        }
    }
}

/// The places that differ, each with what stands on both sides: `error`, `list`, `list/GROUP`, `HOST/NAME`.
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
    let (theirs, mine) = (&real["list"]["_meta"]["hostvars"], &list["_meta"]["hostvars"]);
    for host in keys(theirs).union(&keys(mine)) {
        for name in keys(&theirs[host]).union(&keys(&mine[host])) {
            let (theirs, mine) = (theirs[host][name].clone(), mine[host][name].clone());
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
