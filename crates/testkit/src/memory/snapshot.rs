//! The machine as text, without what may differ between two machines that are the same.

use std::collections::BTreeMap;

use super::MemoryMachine;
use super::disk::What;
use super::probe::sha256;

/// Where paquerette keeps its own notes, which hold times.
const NOTES: &str = "/var/lib/paquerette";

/// The whole machine.
pub(super) fn of(machine: &MemoryMachine) -> String {
    let (mut lines, mut keys) = (Vec::new(), Keys::default());
    for (path, node) in &machine.disk.nodes {
        if path.starts_with(NOTES) {
            continue;
        }
        let what = match &node.what {
            What::Directory => "directory".to_owned(),
            What::Link(target) => format!("-> {target}"),
            What::File(content) => match std::str::from_utf8(content) {
                Ok(text) if text.len() < 400 => format!("{:?}", keys.named(text)),
                Ok(text) => sha256(keys.named(text).as_bytes()),
                Err(_) => sha256(content),
            },
        };
        lines.push(format!("{path} {:04o} {}:{} {what}", node.mode, node.owner, node.group));
    }
    for (name, (version, configured)) in &machine.installed {
        lines.push(format!("package {name} {version} configured={configured}"));
    }
    for (name, runs_with) in machine.units() {
        if let Some(unit) = machine.unit_state(&name) {
            let reload = unit.needs_daemon_reload;
            lines.push(format!("unit {name} {:?} {:?} stale={reload} {runs_with}", unit.active, unit.file));
        }
    }
    lines.join("\n")
}

/// Keys by the order in which they are met, so that equal pairs look equal whatever the numbers.
#[derive(Default)]
struct Keys(BTreeMap<String, usize>);

impl Keys {
    /// A text with its keys named, and without the times of certificates.
    fn named(&mut self, text: &str) -> String {
        let is_pair = text.starts_with("key: ") || text.starts_with("certificate in memory");
        if !is_pair {
            return text.to_owned();
        }
        let mut named = String::new();
        for line in text.lines().filter(|line| !line.starts_with("not ")) {
            match line.split_once(": ") {
                Some((field @ ("key" | "authority"), number)) => {
                    let next = self.0.len() + 1;
                    let name = self.0.entry(number.to_owned()).or_insert(next);
                    named.push_str(&format!("{field}: #{name}\n"));
                }
                _ => named.push_str(&format!("{line}\n")),
            }
        }
        named
    }
}
