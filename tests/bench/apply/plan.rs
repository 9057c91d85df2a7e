//! Our plan: `steps.ndjson` with the variables filled in and the files' contents where `template` names them.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::Result;

/// Where the benchmark's files are.
pub fn directory() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/bench/apply"))
}

/// What all three tools read.
pub fn variables(url: &str, sha256: &str) -> Result<Map<String, Value>> {
    let mut variables: Map<String, Value> =
        serde_json::from_slice(&fs::read(directory().join("vars.json"))?)?;
    variables.insert("url".into(), url.into());
    variables.insert("sha256".into(), sha256.into());
    Ok(variables)
}

/// The steps, as lines of the stream.
pub struct Plan {
    pub steps: Vec<Value>,
}

impl Plan {
    pub fn of(variables: &Map<String, Value>) -> Result<Plan> {
        let text = fs::read_to_string(directory().join("steps.ndjson"))?;
        let mut steps = Vec::new();
        for line in text.lines() {
            let Value::Object(mut step) = serde_json::from_str(line)? else { return Err("no object".into()) };
            if let Some(name) = step.remove("template") {
                let file = directory().join("files").join(name.as_str().unwrap_or_default());
                step.insert("content".into(), fs::read_to_string(file)?.into());
            }
            let mut whole = Map::from_iter([("type".into(), "step".into()), ("host".into(), "bench".into())]);
            whole.extend(step);
            let mut whole = Value::Object(whole);
            fill(&mut whole, variables)?;
            steps.push(whole);
        }
        Ok(Plan { steps })
    }

    /// The lines of the stream.
    pub fn lines(&self) -> String {
        self.steps.iter().map(|step| format!("{step}\n")).collect()
    }

    /// All packages.
    pub fn packages(&self) -> Vec<String> {
        let packages = self.steps.iter().filter(|step| step["do"] == "package");
        let names = packages.flat_map(|step| step["names"].as_array().into_iter().flatten());
        names.filter_map(|name| name.as_str().map(str::to_owned)).collect()
    }

    /// What `floor.rs` looks at, one thing a line behind a word: `path` (perhaps a glob), `unit`, `database`, `ask`.
    pub fn list(&self) -> String {
        let mut lines = BTreeSet::new();
        for step in &self.steps {
            let text = |key: &str| step[key].as_str().unwrap_or_default();
            let mut add = |word: &str, what: &str| {
                lines.insert(format!("{word} {what}"));
            };
            for key in ["path", "creates"] {
                if step[key].is_string() {
                    add("path", text(key));
                }
            }
            for glob in step["reads"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                add("path", glob);
            }
            if step["unit"].is_string() {
                add("unit", text("unit"));
            }
            match text("do") {
                "cron" => add("path", &format!("/etc/cron.d/{}", text("name"))),
                "authorized_key" => {
                    add("path", &format!("/home/{}/.ssh/authorized_keys", text("user")));
                }
                "sysctl" => {
                    add("path", &format!("/proc/sys/{}", text("name").replace('.', "/")));
                    add("path", &format!("/etc/sysctl.d/60-paquerette-{}.conf", text("name")));
                }
                "firewall" | "firewall_rule" => {
                    for path in [
                        "/etc/ufw/user.rules",
                        "/etc/ufw/user6.rules",
                        "/etc/ufw/ufw.conf",
                        "/etc/default/ufw",
                    ] {
                        add("path", path);
                    }
                }
                "user" | "group" => {
                    for path in ["/etc/passwd", "/etc/group"] {
                        add("path", path);
                    }
                }
                "locale" => add("path", "/usr/lib/locale/locale-archive"),
                "timezone" => add("path", "/etc/localtime"),
                "sql" => {
                    add("database", text("database"));
                    add("ask", text("unless"));
                }
                _ => {}
            }
        }
        lines.iter().map(|line| format!("{line}\n")).collect()
    }
}

/// Puts the variables into every text.
fn fill(value: &mut Value, variables: &Map<String, Value>) -> Result<()> {
    match value {
        Value::String(text) => *text = filled(text, variables)?,
        Value::Array(items) => items.iter_mut().try_for_each(|item| fill(item, variables))?,
        Value::Object(map) => map.values_mut().try_for_each(|item| fill(item, variables))?,
        _ => {}
    }
    Ok(())
}

/// A text with the values in the places of `{{ name }}`.
pub fn filled(text: &str, variables: &Map<String, Value>) -> Result<String> {
    let mut parts = text.split("{{ ");
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once(" }}").ok_or("a `{{` without its end")?;
        let value =
            variables.get(name).and_then(Value::as_str).ok_or_else(|| format!("no variable `{name}`"))?;
        filled.push_str(value);
        filled.push_str(rest);
    }
    Ok(filled)
}

/// The plan with another level of compression in one of nginx's files: one template changed.
pub fn changed(plan: &Plan) -> Result<String> {
    let (old, new) = ("gzip_comp_level 5;", "gzip_comp_level 6;");
    let lines = plan.lines();
    match lines.matches(old).count() {
        1 => Ok(lines.replace(old, new)),
        found => Err(json!({ "wanted": old, "found": found }).to_string().into()),
    }
}
