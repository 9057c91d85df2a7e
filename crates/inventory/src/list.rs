//! The inventory in the protocol of Ansible's dynamic inventories: groups with their hosts and children, and every
//! host's variables as they stand in the files, merged and unresolved.
//!
//! It is written as it is read, host by host; what hosts have in common is put into JSON once.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{self, Write};
use std::sync::Arc;

use pq_stream::Diagnostic;
use serde_json::Value;

use crate::groups::{ALL, UNGROUPED, Variable};
use crate::node::{Data, Node};
use crate::scope::Base;
use crate::world::World;

/// What Ansible sets itself, whatever an inventory says, and therefore leaves out here (ansible-core 2.19,
/// `INTERNAL_VARS`).
const INTERNAL: [&str; 19] = [
    "ansible_config_file",
    "ansible_diff_mode",
    "ansible_facts",
    "ansible_forks",
    "ansible_inventory_sources",
    "ansible_limit",
    "ansible_playbook_python",
    "ansible_run_tags",
    "ansible_skip_tags",
    "ansible_verbosity",
    "ansible_version",
    "group_names",
    "groups",
    "inventory_dir",
    "inventory_file",
    "inventory_hostname",
    "inventory_hostname_short",
    "omit",
    "playbook_dir",
];

/// Writes the whole inventory.
///
/// # Errors
/// What is wrong with the inventory, or what the output answers.
pub fn write<E: From<Box<Diagnostic>> + From<io::Error>>(
    world: &World,
    out: &mut impl Write,
) -> Result<(), E> {
    let groups = &world.groups;
    out.write_all(b"{\"_meta\":{\"hostvars\":{")?;
    let mut bases: HashMap<*const Base, (Arc<Base>, Written)> = HashMap::new();
    let mut first = true;
    for (index, host) in groups.hosts.iter().enumerate() {
        let (base, own) = (world.base(index)?, world.own(index)?);
        let known = bases.entry(Arc::as_ptr(&base));
        let (_, base) = known.or_insert_with(|| (base.clone(), entries(&base.variables)));
        if base.is_empty() && own.is_empty() {
            continue;
        }
        out.write_all(if first { b"\n" } else { b",\n" })?;
        first = false;
        out.write_all(text(&host.name).as_bytes())?;
        out.write_all(b":{")?;
        variables(base, &own, out)?;
        out.write_all(b"}")?;
    }
    // How values that are no plain JSON are spelt: `__ansible_unsafe`, `__ansible_vault`.
    out.write_all(b"},\"profile\":\"inventory_legacy\"}")?;
    let mut members: Vec<Vec<&str>> = vec![Vec::new(); groups.groups.len()];
    for host in &groups.hosts {
        host.groups.iter().for_each(|group| members[*group].push(&host.name));
    }
    let mut children: Vec<BTreeSet<&str>> = vec![BTreeSet::new(); groups.groups.len()];
    for (index, group) in groups.groups.iter().enumerate() {
        // A group that is `all`'s child only for want of another parent is its child all the same.
        let listed = index != UNGROUPED || !members[UNGROUPED].is_empty();
        for parent in group.parents.iter().filter(|_| listed) {
            children[*parent].insert(&group.name);
        }
    }
    children[ALL].insert("ungrouped");
    for (index, group) in groups.groups.iter().enumerate() {
        let (hosts, children) = (&members[index], &children[index]);
        if hosts.is_empty() && children.is_empty() {
            continue;
        }
        write!(out, ",\n{}:{{", text(&group.name))?;
        if !children.is_empty() {
            names(out, "children", children.iter().copied())?;
        }
        if !hosts.is_empty() {
            out.write_all(if children.is_empty() { b"" } else { b"," })?;
            names(out, "hosts", hosts.iter().copied())?;
        }
        out.write_all(b"}")?;
    }
    out.write_all(b"}\n")?;
    Ok(())
}

/// Writes the variables of one host.
///
/// # Errors
/// What is wrong with the inventory, or what the output answers.
pub fn write_host<E: From<Box<Diagnostic>> + From<io::Error>>(
    world: &World,
    host: usize,
    out: &mut impl Write,
) -> Result<(), E> {
    let (base, own) = (world.base(host)?, world.own(host)?);
    out.write_all(b"{")?;
    variables(&entries(&base.variables), &own, out)?;
    out.write_all(b"}\n")?;
    Ok(())
}

/// Variables by name, each as `"name":value`.
type Written = BTreeMap<String, Vec<u8>>;

fn entries(variables: &BTreeMap<String, Arc<Variable>>) -> Written {
    let told = variables.iter().filter(|(name, _)| !INTERNAL.contains(&name.as_str()));
    told.map(|(name, variable)| (name.clone(), entry(variable))).collect()
}

fn entry(variable: &Variable) -> Vec<u8> {
    let mut entry = text(&variable.name).into_bytes();
    entry.push(b':');
    entry.extend(raw(&variable.node).to_string().into_bytes());
    entry
}

/// What the groups set, unless the host sets it too, and what the host sets.
fn variables(base: &Written, own: &BTreeMap<String, Arc<Variable>>, out: &mut impl Write) -> io::Result<()> {
    let mut first = true;
    let mut comma = |out: &mut dyn Write| {
        let comma: &[u8] = if std::mem::take(&mut first) { b"" } else { b"," };
        out.write_all(comma)
    };
    for (_, entry) in base.iter().filter(|(name, _)| !own.contains_key(*name)) {
        comma(out)?;
        out.write_all(entry)?;
    }
    for variable in own.values().filter(|variable| !INTERNAL.contains(&variable.name.as_str())) {
        comma(out)?;
        out.write_all(&entry(variable))?;
    }
    Ok(())
}

fn names<'n>(out: &mut impl Write, key: &str, names: impl Iterator<Item = &'n str>) -> io::Result<()> {
    write!(out, "\"{key}\":[")?;
    for (at, name) in names.enumerate() {
        out.write_all(if at == 0 { b"" } else { b"," })?;
        out.write_all(text(name).as_bytes())?;
    }
    out.write_all(b"]")
}

fn text(text: &str) -> String {
    Value::from(text).to_string()
}

/// A value as it stands in its file.
fn raw(node: &Node) -> Value {
    match &node.data {
        Data::Null => Value::Null,
        Data::Bool(it) => Value::from(*it),
        Data::Int(it) => Value::from(*it),
        Data::Large(it) => Value::from(*it),
        Data::Float(it) => Value::from(*it),
        Data::Text(it) => Value::from(it.as_str()),
        Data::Raw(it) => Value::from_iter([("__ansible_unsafe", it.as_str())]),
        Data::Secret(name) => Value::from(format!("@secret{{{name}}}")),
        Data::List(items) => items.iter().map(|item| raw(item)).collect(),
        Data::Map(entries) => entries.iter().map(|(key, node)| (key.text(), raw(node))).collect(),
    }
}
