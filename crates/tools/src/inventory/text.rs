//! Machines and what they carry, for people.

use std::fmt::Write as _;

use pq_cli::printable;
use pq_stream::{Connection, ConnectionKind, Host, Record};
use serde_json::Value;

/// The machines of a stream, as far as people are shown them.
#[derive(Debug, Default)]
pub struct Machines {
    machines: Vec<Machine>,
    /// Whether every variable is shown.
    verbose: bool,
}

#[derive(Debug)]
struct Machine {
    name: String,
    line: String,
    below: String,
}

impl Machines {
    /// No machine yet; with `verbose`, each will be shown with all of its variables.
    pub fn new(verbose: bool) -> Self {
        Machines { machines: Vec::new(), verbose }
    }

    /// Takes a host's record; others say nothing here.
    pub fn add(&mut self, record: Record) {
        if let Record::Host(host) = record {
            self.machines.push(machine(&host, self.verbose));
        }
    }

    /// One machine a line, its instances below, and how many there are.
    pub fn text(&self) -> String {
        let width = self.machines.iter().map(|machine| machine.name.chars().count()).max().unwrap_or(0);
        let mut text = String::new();
        for machine in &self.machines {
            let _ = writeln!(text, "{:width$}  {}", machine.name, machine.line);
            text.push_str(&machine.below);
        }
        let count = self.machines.len();
        let are = if count == 1 { "host" } else { "hosts" };
        let _ = writeln!(text, "{count} {are}; nothing was looked at, nothing changed");
        printable(&text)
    }
}

fn machine(host: &Host, verbose: bool) -> Machine {
    let groups = host.groups.iter().filter(|group| *group != "all").map(String::as_str);
    let groups = groups.collect::<Vec<_>>().join(" > ");
    let os = host.os.as_deref().unwrap_or("no `os`");
    let mut below = String::new();
    for instance in &host.instances {
        let domain = instance.keys.get("domain").and_then(|domain| domain.as_str()).unwrap_or("");
        let (app, domain) = (instance.app.escape_debug(), domain.escape_debug());
        let _ = writeln!(below, "  {app} {}  {domain}", instance.id);
    }
    let unresolved = host.vars.values().filter(|value| value.get("unresolved").is_some()).count();
    if verbose {
        below.push_str(&variables(host));
    } else if unresolved > 0 {
        let are = if unresolved == 1 { "variable" } else { "variables" };
        let _ = writeln!(below, "  {unresolved} {are} could not be resolved (`-v` says why)");
    }
    let line = format!("{}  {os}  {groups}", reached(&host.connection, &host.host));
    Machine { name: host.host.clone(), line, below }
}

/// Every variable, its value, and where it is set.
fn variables(host: &Host) -> String {
    let mut text = String::new();
    for (name, value) in &host.vars {
        let value = match value.get("unresolved") {
            Some(Value::String(reason)) => format!("none: {reason}"),
            _ => value.to_string(),
        };
        let place = host.origins.get(name).map_or("", String::as_str);
        let _ = writeln!(text, "    {name} = {value}  ({place})");
    }
    text
}

fn reached(connection: &Connection, name: &str) -> String {
    match connection.kind {
        ConnectionKind::Local => "this machine".to_owned(),
        ConnectionKind::Ssh => {
            let user = connection.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
            let port = connection.port.map(|port| format!(":{port}")).unwrap_or_default();
            format!("ssh {user}{}{port}", connection.address.as_deref().unwrap_or(name))
        }
    }
}
