//! The whole inventory looked through: what it sets, what its templates read, and what is odd about it.
//!
//! It knows no recipes, so what nobody reads is for the caller to say. No secret's text is in it.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;
use std::sync::Arc;

use pq_secrets::ExposeSecret;
use pq_stream::{ConnectionKind, Diagnostic, Host, Place};
use pq_template::{Reads, Templates};
use serde_json::Value;

use crate::groups::Variable;
use crate::node::{Data, Node};
use crate::world::{LayerSource, World};
use crate::{clear, file, hosts, record, stray};

/// What an inventory sets and reads.
#[derive(Debug)]
pub struct Survey {
    /// Its hosts, as their records have them.
    pub hosts: Vec<Host>,
    /// The variables that are set for any of them, and every place that sets each.
    pub set: BTreeMap<String, Vec<Setter>>,
    /// The names that templates of the inventory read.
    pub read: BTreeSet<String>,
    /// What is odd.
    pub findings: Vec<Finding>,
}

/// A place that sets a variable.
#[derive(Debug, Clone)]
pub struct Setter {
    /// The place.
    pub place: Place,
    /// Whether a secret stands there.
    pub secret: bool,
}

/// The hosts for which a variable has no value, and what helps.
type Concerned<'s> = (Vec<&'s str>, Vec<String>);

/// Something odd, and by which rule.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The rule, in a word: `unresolved`, `clear`, `text`, `stray`, `twins`, `names`.
    pub rule: &'static str,
    /// What is odd, where, why, and what to do about it.
    pub diagnostic: Diagnostic,
}

/// Looks through an inventory.
///
/// # Errors
/// What is wrong with it, of all hosts; what several of them share is said once.
pub fn of(world: &Arc<World>) -> Result<Survey, Vec<Diagnostic>> {
    let mut survey =
        Survey { hosts: Vec::new(), set: BTreeMap::new(), read: BTreeSet::new(), findings: Vec::new() };
    let (mut seen, mut wrong) = (HashSet::new(), Vec::new());
    for index in 0..world.groups.hosts.len() {
        let looked = record::typed(world, index).and_then(|host| Ok((host, world.layers(index)?)));
        let (host, layers) = match looked {
            Ok(looked) => looked,
            Err(error) if wrong.contains(&*error) => continue,
            Err(error) => {
                wrong.push(*error);
                continue;
            }
        };
        survey.hosts.push(host);
        for layer in layers {
            let own = matches!(layer.source, LayerSource::Host | LayerSource::HostFiles);
            if own || seen.insert(layer.source) {
                layer.variables.iter().for_each(|variable| survey.take(variable));
            }
        }
    }
    let stray = stray::of(world).map_err(|error| vec![*error]);
    if !wrong.is_empty() {
        return Err(wrong);
    }
    survey.unresolved(world, &world.loader.directory);
    survey.twins(world);
    survey.names(world);
    survey.find("stray", stray?);
    survey.find("clear", stray::keys(world));
    Ok(survey)
}

impl Survey {
    fn find(&mut self, rule: &'static str, found: impl IntoIterator<Item = Diagnostic>) {
        self.findings.extend(found.into_iter().map(|diagnostic| Finding { rule, diagnostic }));
    }

    fn take(&mut self, variable: &Variable) {
        let setter =
            Setter { place: variable.file.place(variable.mark), secret: !variable.secrets.is_empty() };
        self.set.entry(variable.name.to_string()).or_default().push(setter);
        reads(&variable.node, &mut self.read);
        self.find("clear", clear::of(variable));
        self.find("text", texts(variable));
    }

    /// Variables that cannot be resolved, each place and reason once.
    fn unresolved(&mut self, world: &Arc<World>, directory: &Path) {
        let mut found: BTreeMap<(&str, &str, &str), Concerned> = BTreeMap::new();
        for (index, host) in self.hosts.iter().enumerate() {
            let mut scope = None;
            for (name, value) in &host.vars {
                if let Some(Value::String(reason)) = value.get("unresolved") {
                    let origin = host.origins.get(name).map_or("", String::as_str);
                    let (hosts, cures) = found.entry((name, origin, reason)).or_default();
                    // A record has the reason alone.
                    if hosts.is_empty() {
                        let scope = scope.get_or_insert_with(|| world.scope(index).ok());
                        if let Some(Err(reason)) = scope.as_ref().and_then(|scope| scope.resolve(name)) {
                            cures.clone_from(&reason.diagnostic.hints);
                        }
                    }
                    hosts.push(&host.host);
                }
            }
        }
        let said = |((name, origin, reason), (hosts, cures)): (_, (Vec<&str>, _))| {
            let on = match &hosts[..] {
                [host] => format!("`{host}`"),
                [first, rest @ ..] => format!("`{first}` and {} more", rest.len()),
                [] => String::new(),
            };
            let error = Diagnostic::new(format!("variable `{name}` cannot be resolved for {on}"));
            let mut error = error.cause(reason);
            error.hints = cures;
            let error = error.hint("nothing stops until something reads it");
            match place(directory, origin) {
                Some(place) => error.at(place),
                None => error,
            }
        };
        let found: Vec<Diagnostic> = found.into_iter().map(said).collect();
        self.find("unresolved", found);
    }

    /// Hosts that are one and the same machine.
    fn twins(&mut self, world: &World) {
        let directory = &world.loader.directory;
        let mut known: BTreeMap<String, &Host> = BTreeMap::new();
        let mut found = Vec::new();
        for host in &self.hosts {
            let connection = &host.connection;
            let (key, what) = match connection.kind {
                ConnectionKind::Local => (String::new(), "this machine".to_owned()),
                ConnectionKind::Ssh => {
                    let address = connection.address.as_ref().unwrap_or(&host.host);
                    let port = connection.port.unwrap_or(22);
                    // The same address behind another gate is another machine.
                    let gate = |name: &str| host.vars.get(name).map(Value::to_string).unwrap_or_default();
                    let gates = gate("ansible_ssh_common_args") + &gate("ansible_ssh_extra_args");
                    (format!("{address} {port} {gates}"), format!("port {port} of `{address}`"))
                }
            };
            match known.get(&key) {
                None => drop(known.insert(key, host)),
                Some(first) => {
                    let origin = ["ansible_host", "ansible_port", "ansible_connection"]
                        .iter()
                        .find_map(|name| place(directory, host.origins.get(*name)?));
                    let error = Diagnostic::new(format!(
                        "hosts `{}` and `{}` are one machine",
                        first.host, host.host
                    ));
                    let error = error.cause(format!("both are {what}"));
                    let error = error.hint(
                        "what is done for one undoes what was done for the other: give each its own address",
                    );
                    found.push(error.at(origin.unwrap_or_else(|| line_of(world, &host.host))));
                }
            }
        }
        self.find("twins", found);
    }

    /// Names that are a group's and a host's, unless both mean the same machine.
    fn names(&mut self, world: &World) {
        let other = |(index, name): (usize, &String)| match world.groups.group(name) {
            Some(group) => world.groups.members(group) != [index],
            None => false,
        };
        let both = world.groups.hosts.iter().enumerate().filter(|(index, host)| other((*index, &host.name)));
        let said = |name: &String| {
            Diagnostic::new(format!("`{name}` is a host and a group"))
                .at(line_of(world, name))
                .cause("as a pattern it means the group")
                .hint("rename one of them")
        };
        let found: Vec<Diagnostic> = both.map(|(_, host)| said(&host.name)).collect();
        self.find("names", found);
    }
}

/// Secrets that look like templates, and are none; what is said of each. No text of one is in it.
fn texts(variable: &Variable) -> Vec<Diagnostic> {
    let templates = variable.secrets.iter().filter(|(_, text)| Templates::is_template(text.expose_secret()));
    // Ansible fills in what stands in a file that was encrypted whole, and no single values.
    let vaulted = variable.file.is_secret() && !variable.file.name.ends_with(".age");
    let cause = match vaulted {
        true => {
            "a secret's text is never evaluated; Ansible fills it in, since ansible-vault encrypted the whole file"
        }
        false => "a secret's text is never evaluated",
    };
    let said = |(path, _): (&String, _)| {
        let mut place = variable.file.place(variable.mark);
        place.text = String::new();
        Diagnostic::new(format!("secret `{path}` looks like a template"))
            .at(place)
            .cause(cause)
            .hint("put the template into a plain file, and let it read the secret")
    };
    templates.map(said).collect()
}

/// The names that the templates in a value read, of this host or another.
fn reads(node: &Node, names: &mut BTreeSet<String>) {
    match &node.data {
        Data::Text(text) if Templates::is_template(text) => {
            let reads = Reads::of(text);
            names.extend(reads.names);
            names.extend(reads.elsewhere);
        }
        Data::List(items) => items.iter().for_each(|item| reads(item, names)),
        Data::Map(entries) => entries.iter().for_each(|(_, node)| reads(node, names)),
        _ => {}
    }
}

/// A place as a record has it, from the inventory directory on.
fn place(directory: &Path, origin: &str) -> Option<Place> {
    let mut parts = origin.rsplitn(3, ':');
    let column = parts.next()?.parse().ok()?;
    let line = parts.next()?.parse().ok()?;
    let file = directory.join(parts.next()?).display().to_string();
    Some(Place { file, line, column, text: String::new() })
}

/// The first line of the hosts file that begins with a name; its first line where none does.
fn line_of(world: &World, name: &str) -> Place {
    let directory = &world.loader.directory;
    let path = hosts::NAMES.iter().map(|name| directory.join(name)).find(|path| path.exists());
    let path = path.unwrap_or_else(|| directory.join("hosts"));
    let text = file::bytes(&path).ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
    let begins = |line: &str| line.trim_start().split([' ', '\t', ':']).next() == Some(name);
    let found = text.lines().enumerate().find(|(_, line)| begins(line));
    let (at, line) = found.unwrap_or((0, ""));
    let column = line.chars().take_while(|c| c.is_whitespace()).count() + 1;
    Place { file: path.display().to_string(), line: at + 1, column, text: String::new() }
}
