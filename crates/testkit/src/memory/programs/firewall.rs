//! `ufw`: its rules, its policy and its switch, each in a file of its own. What the kernel has loaded is left out.

use pq_steps::{Command, Error, Output};

use super::{arguments, done, fails};
use crate::memory::MemoryMachine;

const FILES: [(&str, &str); 2] = [("/etc/ufw/user.rules", "0.0.0.0/0"), ("/etc/ufw/user6.rules", "::/0")];

pub(super) fn ufw(machine: &mut MemoryMachine, command: &Command) -> Result<Output, Error> {
    match arguments(command)[..] {
        ["default", policy @ ("deny" | "allow"), "incoming"] => {
            let value = if policy == "deny" { "\"DROP\"" } else { "\"ACCEPT\"" };
            set(machine, "/etc/default/ufw", "DEFAULT_INPUT_POLICY", value)
        }
        ["--force", "enable"] => set(machine, "/etc/ufw/ufw.conf", "ENABLED", "yes"),
        ["disable"] => set(machine, "/etc/ufw/ufw.conf", "ENABLED", "no"),
        ["reload"] => done(),
        [action @ ("allow" | "limit" | "deny"), simple] => {
            let Some((port, protocol)) = simple.split_once('/') else { return fails(1, "ERROR: Bad port") };
            rule(machine, action, protocol, port, None)
        }
        [
            action @ ("allow" | "limit" | "deny"),
            "proto",
            protocol,
            "from",
            from,
            "to",
            "any",
            "port",
            port,
        ] => rule(machine, action, protocol, port, Some(from)),
        _ => fails(1, "ERROR: Invalid syntax"),
    }
}

/// Sets a shell variable in a file.
fn set(machine: &mut MemoryMachine, path: &str, name: &str, value: &str) -> Result<Output, Error> {
    let start = format!("{name}=");
    let text = machine.disk.text(path);
    let lines = text.lines().map(|line| match line.starts_with(&start) {
        true => format!("{name}={value}\n"),
        false => format!("{line}\n"),
    });
    let text: String = lines.collect();
    machine.disk.replace(path, text.as_bytes())?;
    done()
}

/// Adds a rule, or gives the one that is there another action, in the file of each family.
fn rule(
    machine: &mut MemoryMachine,
    action: &str,
    protocol: &str,
    port: &str,
    from: Option<&str>,
) -> Result<Output, Error> {
    for (path, any) in FILES {
        if from.is_some_and(|from| from.contains(':') != any.contains(':')) {
            continue;
        }
        let what = format!("{protocol} {port} {any} any {} in", from.unwrap_or(any));
        let tuple = format!("### tuple ### {action} {what}");
        let text = machine.disk.text(path);
        let old = text.lines().find(|line| line.starts_with("### tuple ###") && line.ends_with(&what));
        let text = match old {
            Some(old) if old == tuple => continue,
            Some(old) => text.replace(old, &tuple),
            None => text.replace("### END RULES ###", &format!("{tuple}\n\n### END RULES ###")),
        };
        machine.disk.replace(path, text.as_bytes())?;
    }
    done()
}
