//! The variables that are there without being set: a host's own name and groups, and the whole inventory's.

use std::sync::Arc;

use pq_template::Value;

use crate::foreign::{HOSTVARS, HostVars};
use crate::hosts;
use crate::scope::Scope;
use crate::world::World;

/// The variable that holds all others.
pub const VARS: &str = "vars";

/// Those that no file of an inventory can set, as in Ansible.
const FIXED: [&str; 11] = [
    "ansible_facts",
    "ansible_version",
    "group_names",
    "groups",
    HOSTVARS,
    "inventory_dir",
    "inventory_file",
    "inventory_hostname",
    "inventory_hostname_short",
    "omit",
    VARS,
];

/// Whether what an inventory sets under this name counts for nothing.
pub fn is_fixed(name: &str) -> bool {
    FIXED.contains(&name)
}

/// The variables that Ansible gives every host by itself.
pub fn value(world: &Arc<World>, scope: &Arc<Scope>, name: &str) -> Option<Value> {
    let index = scope.host();
    let host = world.groups.hosts.get(index)?;
    Some(match name {
        "inventory_hostname" | "ansible_hostname" | "ansible_fqdn" => Value::from(host.name.as_str()),
        // An address has no shorter form.
        "inventory_hostname_short" if host.name.parse::<std::net::IpAddr>().is_ok() => {
            Value::from(host.name.as_str())
        }
        "inventory_hostname_short" => Value::from(host.name.split('.').next().unwrap_or("")),
        "group_names" => {
            let groups = world.groups.of_host(index).into_iter();
            let mut names: Vec<&str> = groups
                .map(|group| world.groups.groups[group].name.as_str())
                .filter(|name| *name != "all")
                .collect();
            names.sort_unstable();
            names.into_iter().map(Value::from).collect()
        }
        "groups" => {
            let members = world.members().iter();
            Value::from_pairs(members.map(|(group, hosts)| {
                (group.as_str(), hosts.iter().map(|host| Value::from(host.as_str())).collect::<Value>())
            }))
        }
        HOSTVARS => Value::from_object(HostVars::new(world, scope)),
        "inventory_dir" => Value::from(world.absolute().ok()?),
        "inventory_file" => {
            let names = hosts::NAMES.iter();
            let name = names.copied().find(|name| world.loader.directory.join(name).exists())?;
            Value::from(format!("{}/{name}", world.absolute().ok()?))
        }
        // Nothing is asked of machines before the records are written.
        "ansible_facts" => Value::from_pairs(std::iter::empty::<(Value, Value)>()),
        "omit" => pq_template::omit(),
        "ansible_version" => version(),
        _ => return None,
    })
}

/// The version of Ansible that inventories are read like.
fn version() -> Value {
    let parts = [("major", 2), ("minor", 19), ("revision", 14)].map(|(name, part)| (name, Value::from(part)));
    let texts = [("full", "2.19.14"), ("string", "2.19.14")].map(|(name, text)| (name, Value::from(text)));
    Value::from_pairs(parts.into_iter().chain(texts))
}
