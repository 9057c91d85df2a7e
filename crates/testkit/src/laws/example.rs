//! Examples of step types, as data.

use pq_steps::AnyStep;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::sources::{ADDRESS, sources};
use crate::memory::{MemoryMachine, sha256};

/// One step of a type, and what it needs and starts from. Steps are written as on the stream, `do` among the fields.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// What it is an example of.
    pub about: String,
    /// What must be there for the step to make sense.
    #[serde(default)]
    pub prepare: Vec<Map<String, Value>>,
    /// The states to start from: what is done after `prepare`. From each, the step has something to do, and ends
    /// in the same state. One, with nothing done, by default.
    #[serde(default = "as_prepared")]
    pub starts: Vec<Vec<Map<String, Value>>>,
    /// Those starts, counted from 0, in which a real machine may have nothing to do: a server that is up before it
    /// is asked, a unit that systemd reads by itself.
    #[serde(default)]
    pub already: Vec<usize>,
    /// The step.
    pub step: Map<String, Value>,
    /// What a real machine must have beyond a bare one, by the name of its snapshot.
    #[serde(default)]
    pub needs: Option<String>,
    /// It cannot repair anything, so there is nothing to start from.
    #[serde(default)]
    pub only_looks: bool,
}

fn as_prepared() -> Vec<Vec<Map<String, Value>>> {
    vec![Vec::new()]
}

macro_rules! files {
    ($($name:literal)*) => { &[$(($name, include_str!(concat!("examples/", $name, ".json")))),*] };
}

const FILES: &[(&str, &str)] = files! {
    "absent" "acme" "apache_module" "apt_source" "assert" "authorized_key" "certificate" "command" "copy" "cron" "database" "database_user" "directory"
    "download" "file" "firewall" "firewall_rule" "gone" "group" "http" "installed" "instances" "line" "locale" "package" "ready" "release" "releases" "reload" "remove"
    "served_certificate" "service" "site" "sql" "symlink" "sysctl" "timezone" "tls" "transaction" "unit" "unpack" "user" "venv"
};

/// All examples, in the order of their types' names.
///
/// # Errors
/// A file of examples that cannot be read, named.
pub fn examples() -> Result<Vec<Example>, String> {
    let mut found = Vec::new();
    for (name, text) in FILES {
        let mut text = (*text).to_owned();
        for (path, content) in sources() {
            text = text.replace(&format!("@sha256({path})"), &sha256(&content));
        }
        let of: Vec<Example> =
            serde_json::from_str(&text).map_err(|error| format!("{name}.json: {error}"))?;
        if let Some(other) = of.iter().find(|example| example.kind() != *name) {
            return Err(format!("{name}.json: `{}` is an example of `{}`", other.about, other.kind()));
        }
        found.extend(of);
    }
    Ok(found)
}

/// A bare machine in memory that can download what the examples need.
pub fn machine() -> MemoryMachine {
    let mut machine = MemoryMachine::debian_12();
    machine.put("/usr/bin/certbot", "a program\n");
    for (path, content) in sources() {
        let url = format!("{ADDRESS}{}", path.trim_end_matches("index.html"));
        machine.answer(&url, 200, &String::from_utf8_lossy(&content), None, 1);
        machine.serve(&url, content);
    }
    machine
}

impl Example {
    /// The step's type.
    pub fn kind(&self) -> &str {
        self.step.get("do").and_then(Value::as_str).unwrap_or("")
    }

    /// The step as it is executed.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(&self) -> Result<AnyStep, String> {
        read(&self.step).map_err(|why| format!("{} ({}): {why}", self.kind(), self.about))
    }

    /// A machine for each start.
    ///
    /// # Errors
    /// A step that cannot be read or applied.
    pub fn machines(&self) -> Result<Vec<MemoryMachine>, String> {
        let mut prepared = machine();
        let within = |why: String| format!("{} ({}): {why}", self.kind(), self.about);
        do_all(&mut prepared, &self.prepare).map_err(within)?;
        let start = |steps: &Vec<Map<String, Value>>| {
            let mut machine = prepared.clone();
            do_all(&mut machine, steps).map_err(within).map(|()| machine)
        };
        self.starts.iter().map(start).collect()
    }
}

fn read(step: &Map<String, Value>) -> Result<AnyStep, String> {
    let mut body = step.clone();
    let kind = body.shift_remove("do").unwrap_or_default();
    AnyStep::read(kind.as_str().unwrap_or(""), &body).map_err(|bad| bad.to_string())
}

fn do_all(machine: &mut MemoryMachine, steps: &[Map<String, Value>]) -> Result<(), String> {
    for body in steps {
        let step = read(body)?;
        step.converge()
            .apply(machine)
            .map_err(|error| format!("`{}` of the preparation: {error}", step.kind()))?;
    }
    Ok(())
}
