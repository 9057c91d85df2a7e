//! One plan that uses every step type: for what must hold of a whole run, on a machine in memory and on a real one.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::sources::sources;
use crate::memory::sha256;

/// Two plans for one machine, as `pq-apply` reads them.
#[derive(Debug, Clone)]
pub struct Every {
    /// What must have been done before.
    pub prepare: String,
    /// The plan that uses every step type.
    pub plan: String,
    /// The types that it uses.
    pub kinds: Vec<String>,
    /// How many steps it has.
    pub steps: usize,
}

#[derive(Deserialize)]
struct Written {
    prepare: Vec<Map<String, Value>>,
    steps: Vec<Map<String, Value>>,
}

/// Reads the plan; it downloads what the examples do.
///
/// # Errors
/// Where it cannot be read.
pub fn every() -> Result<Every, String> {
    let mut text = include_str!("every.json").to_owned();
    for (path, content) in sources() {
        text = text.replace(&format!("@sha256({path})"), &sha256(&content));
    }
    let written: Written = serde_json::from_str(&text).map_err(|error| format!("every.json: {error}"))?;
    let kind = |step: &Map<String, Value>| step.get("do").and_then(Value::as_str).unwrap_or("").to_owned();
    Ok(Every {
        prepare: stream(&written.prepare),
        plan: stream(&written.steps),
        kinds: written.steps.iter().map(kind).collect(),
        steps: written.steps.len(),
    })
}

fn stream(steps: &[Map<String, Value>]) -> String {
    let head = [
        json!({"type": "run", "format": 1, "inventory": "/every", "digest": "0", "time": "2026-11-23T00:00:00Z"}),
        json!({"type": "host", "host": "every", "groups": ["all"], "connection": {"kind": "local"},
               "os": "debian-12", "instances": [], "vars": {}}),
    ];
    let step = |body: &Map<String, Value>| {
        let mut step = Map::new();
        for (name, value) in [("type", "step"), ("host", "every"), ("title", "one of every type")] {
            step.insert(name.to_owned(), value.into());
        }
        step.extend(body.clone());
        Value::Object(step)
    };
    let end = json!({"type": "end", "hosts": 1, "status": 0});
    let records = head.into_iter().chain(steps.iter().map(step)).chain([end]);
    records.map(|record| format!("{record}\n")).collect()
}
