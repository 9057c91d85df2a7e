//! The examples as plans for real machines.

use serde_json::{Map, Value, json};

/// A whole stream that does these steps on one machine, in this order, as `pq-apply` reads it.
pub fn plan(steps: &[Map<String, Value>]) -> String {
    let run = json!({"type": "run", "format": 1, "inventory": "/law", "digest": "0", "time": "2026-11-23T00:00:00Z"});
    let host = json!({"type": "host", "host": "law", "groups": ["all"], "connection": {"kind": "local"},
                      "instances": [], "vars": {}});
    let end = json!({"type": "end", "hosts": 1, "status": 0});
    let step = |(index, body): (usize, &Map<String, Value>)| {
        let title = format!("{} {index}", body.get("do").and_then(Value::as_str).unwrap_or(""));
        let mut step = Map::new();
        for (name, value) in
            [("type", "step"), ("host", "law"), ("id", &format!("law/{index}")), ("title", &title)]
        {
            step.insert(name.to_owned(), value.into());
        }
        step.extend(body.clone());
        Value::Object(step)
    };
    let steps = steps.iter().enumerate().map(step);
    [run, host].into_iter().chain(steps).chain([end]).map(|record| format!("{record}\n")).collect()
}
