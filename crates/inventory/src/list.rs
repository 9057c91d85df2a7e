//! The inventory in the protocol of Ansible's dynamic inventories: groups with their hosts and children, and every
//! host's variables as they stand in the files, merged and unresolved.
//!
//! It is written as it is read, host by host; what hosts have in common is put into JSON once. The texts of secrets
//! are in it only where they are asked for.

use std::collections::{BTreeSet, HashMap};
use std::io::{self, Write};
use std::sync::Arc;

use pq_secrets::ExposeSecret;
use pq_stream::Diagnostic;
use pq_template::Templates;
use serde_json::Value;

use crate::effective::Effective;
use crate::groups::{ALL, UNGROUPED, Variable};
use crate::node::{Data, Node};
use crate::scope::Base;
use crate::world::World;

/// What stands in the places of secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Secrets {
    /// Their tokens.
    #[default]
    Hidden,
    /// Their values, in clear.
    Revealed,
}

/// What Ansible sets itself, whatever an inventory says, and therefore leaves out here (ansible-core 2.19,
/// `INTERNAL_STATIC_VARS`).
const INTERNAL: [&str; 33] = [
    "ansible_async_path",
    "ansible_collection_name",
    "ansible_config_file",
    "ansible_dependent_role_names",
    "ansible_diff_mode",
    "ansible_facts",
    "ansible_forks",
    "ansible_inventory_sources",
    "ansible_limit",
    "ansible_play_batch",
    "ansible_play_hosts",
    "ansible_play_hosts_all",
    "ansible_play_role_names",
    "ansible_playbook_python",
    "ansible_role_name",
    "ansible_role_names",
    "ansible_run_tags",
    "ansible_skip_tags",
    "ansible_verbosity",
    "ansible_version",
    "group_names",
    "groups",
    "hostvars",
    "inventory_dir",
    "inventory_file",
    "inventory_hostname",
    "inventory_hostname_short",
    "play_hosts",
    "playbook_dir",
    "role_name",
    "role_names",
    "role_path",
    "role_uuid",
];

/// Writes the whole inventory.
///
/// # Errors
/// What is wrong with the inventory, or what the output answers.
pub fn write<E: From<Box<Diagnostic>> + From<io::Error>>(
    world: &World,
    secrets: Secrets,
    out: &mut impl Write,
) -> Result<(), E> {
    let groups = &world.groups;
    out.write_all(b"{\"_meta\":{\"hostvars\":{")?;
    let mut written = Written::default();
    let mut first = true;
    for (index, host) in groups.hosts.iter().enumerate() {
        let (base, own) = (world.base(index)?, world.own(index)?);
        if told(&base.variables).next().is_none() && own.as_slice().is_empty() {
            continue;
        }
        out.write_all(if first { b"\n" } else { b",\n" })?;
        first = false;
        out.write_all(text(&host.name).as_bytes())?;
        out.write_all(b":{")?;
        variables(&base, &own, secrets, &mut written, out)?;
        out.write_all(b"}")?;
    }
    // How values that are no plain JSON are spelt: `__ansible_unsafe`, `__ansible_vault`.
    out.write_all(b"},\"profile\":\"inventory_legacy\"}")?;
    let names_of = |hosts: &[usize]| hosts.iter().map(|host| groups.hosts[*host].name.as_str()).collect();
    for (index, group) in groups.groups.iter().enumerate() {
        // Every host is in `all`, so that its own list has nothing to tell.
        let hosts: Vec<&str> = if index == ALL { Vec::new() } else { names_of(&group.hosts) };
        // As in Ansible, `ungrouped` is listed below `all` also where it is empty, and nowhere else then.
        let listed = |child: &&usize| {
            index == ALL || **child != UNGROUPED || !groups.groups[UNGROUPED].hosts.is_empty()
        };
        let children: BTreeSet<&str> =
            group.children.iter().filter(listed).map(|child| groups.groups[*child].name.as_str()).collect();
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
    secrets: Secrets,
    out: &mut impl Write,
) -> Result<(), E> {
    let (base, own) = (world.base(host)?, world.own(host)?);
    out.write_all(b"{")?;
    variables(&base, &own, secrets, &mut Written::default(), out)?;
    out.write_all(b"}\n")?;
    Ok(())
}

/// A variable as `"name":value`.
type Entry = Arc<[u8]>;

/// All that the groups of some hosts set, by name.
type Shared = Arc<[(Arc<Variable>, Entry)]>;

/// What groups set, put into JSON once: hosts share it.
#[derive(Default)]
struct Written {
    /// By where the variable lies.
    entries: HashMap<*const Variable, Entry>,
    /// What is told of all that the groups of some hosts set, by where that lies.
    bases: HashMap<*const Base, Shared>,
}

impl Written {
    /// What is told of all that these groups set, by name.
    fn of(&mut self, base: &Arc<Base>, secrets: Secrets) -> Shared {
        let Written { entries, bases } = self;
        let shared = bases.entry(Arc::as_ptr(base)).or_insert_with(|| {
            let entry_of = |variable: &Arc<Variable>| {
                let known = entries.entry(Arc::as_ptr(variable));
                (variable.clone(), known.or_insert_with(|| entry(variable, secrets)).clone())
            };
            told(&base.variables).map(entry_of).collect()
        });
        shared.clone()
    }
}

/// The variables that are told.
fn told(variables: &Effective) -> impl Iterator<Item = &Arc<Variable>> {
    variables.as_slice().iter().filter(|variable| !INTERNAL.contains(&&*variable.name))
}

fn entry(variable: &Variable, secrets: Secrets) -> Entry {
    let mut entry = text(&variable.name).into_bytes();
    entry.push(b':');
    entry.extend(raw(&variable.node, variable, secrets).to_string().into_bytes());
    entry.into()
}

/// What the groups set, unless the host sets it too, and what the host sets.
fn variables(
    base: &Arc<Base>,
    own: &Effective,
    secrets: Secrets,
    written: &mut Written,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut comma: &[u8] = b"";
    // Both are in the order of their names.
    let mut overriding = own.as_slice().iter().peekable();
    for (variable, entry) in written.of(base, secrets).iter() {
        while overriding.next_if(|it| it.name < variable.name).is_some() {}
        if overriding.peek().is_some_and(|it| it.name == variable.name) {
            continue;
        }
        out.write_all(comma)?;
        out.write_all(entry)?;
        comma = b",";
    }
    for variable in told(own) {
        out.write_all(comma)?;
        out.write_all(&entry(variable, secrets))?;
        comma = b",";
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
fn raw(node: &Node, variable: &Variable, secrets: Secrets) -> Value {
    match &node.data {
        Data::Null => Value::Null,
        Data::Bool(it) => Value::from(*it),
        Data::Int(it) => Value::from(*it),
        Data::Large(it) => Value::from(*it),
        Data::Float(it) => Value::from(*it),
        Data::Text(it) => Value::from(it.as_str()),
        Data::Raw(it) => unsafe_text(it),
        Data::Secret(name) => match (secrets, variable.secrets.get(name)) {
            // What looks like a template in a secret is none.
            (Secrets::Revealed, Some(value)) if Templates::is_template(value.expose_secret()) => {
                unsafe_text(value.expose_secret())
            }
            (Secrets::Revealed, Some(value)) => Value::from(value.expose_secret()),
            _ => Value::from(format!("@secret{{{name}}}")),
        },
        Data::Vaulted(it) => match (secrets, variable.secrets.get(&it.name)) {
            (Secrets::Revealed, Some(value)) => Value::from(value.expose_secret()),
            _ => Value::from_iter([("__ansible_vault", it.text.as_str())]),
        },
        Data::List(items) => items.iter().map(|item| raw(item, variable, secrets)).collect(),
        Data::Map(entries) => {
            entries.iter().map(|(key, node)| (key.text(), raw(node, variable, secrets))).collect()
        }
    }
}

/// A text that Ansible does not take for a template.
fn unsafe_text(text: &str) -> Value {
    Value::from_iter([("__ansible_unsafe", text)])
}
