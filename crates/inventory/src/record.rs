//! A host's records: its own, and the sealed values of its secrets.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use pq_secrets::Values;
use pq_stream::{Connection, ConnectionKind, Diagnostic, Host, Place, Record};
use pq_template::to_json;
use serde_json::{Map, Value, json};

use crate::groups::Variable;
use crate::scope::{Resolved, Scope};
use crate::world::World;
use crate::{foreign, genuine, instances};

type Result<T> = std::result::Result<T, Box<Diagnostic>>;

/// The bytes that a host's variables may take in its record: templates make much of little.
const MAX_VARIABLES: usize = 16 << 20;

/// What is told of a host.
pub struct Told {
    /// Its record, as a line of the stream.
    pub line: String,
    /// The values of the secrets that it reads.
    pub secrets: Values,
    /// The files that they come from, by their names below the inventory directory.
    pub files: BTreeSet<String>,
}

/// The record of a host, and its secrets.
///
/// # Errors
/// Where a file of the host is wrong, or what every host is asked (instances, connection, os) is.
pub fn of_host(world: &Arc<World>, index: usize) -> Result<Told> {
    let host = &world.groups.hosts[index];
    let named = |mut diagnostic: Box<Diagnostic>| {
        diagnostic.causes.push(format!("host `{}` needs it", host.name));
        diagnostic
    };
    let scope = world.scope(index)?;
    let read = Reader { scope: &scope, directory: &world.loader.directory };
    let (mut secrets, mut files) = (Values::new(), BTreeSet::new());
    for variable in scope.variables() {
        if let Some(locked) = &variable.locked {
            return Err(named(Box::new(Diagnostic::clone(locked))));
        }
        if !variable.secrets.is_empty() {
            secrets.extend(variable.secrets.iter().map(|(name, value)| (name.clone(), value.clone())));
            files.insert(variable.file.name.clone());
        }
    }
    let (mut vars, mut origins) = (String::new(), String::new());
    for found in scope.all() {
        let variable = found.variable;
        match scope.kept(found).and_then(OnceLock::get) {
            Some(written) => add(&mut vars, written),
            None => {
                let value = read.json(scope.value(found));
                foreign::add_secrets(world, &value, &mut secrets, &mut files);
                genuine::demand(variable, &value, &secrets).map_err(named)?;
                let written = entry(&variable.name, &value);
                add(&mut vars, &written);
                if let Some(kept) = scope.kept(found) {
                    kept.get_or_init(|| written.into());
                }
            }
        }
        if vars.len() > MAX_VARIABLES {
            return Err(named(too_large(variable)));
        }
        // What groups set is written for many hosts, what a host sets only once.
        match found.is_own() {
            true => add(&mut origins, &variable.write_origin()),
            false => add(&mut origins, variable.origin()),
        }
        if &*variable.name == "instances" {
            let mut places = instances::places(variable);
            places.sort();
            for (name, mark) in places {
                add(&mut origins, &entry(&name, &Value::from(variable.at(mark))));
            }
        }
    }
    let instances = match read.needed("instances").map_err(named)? {
        Some((variable, value)) => instances::read(variable, &value).map_err(named)?,
        None => Vec::new(),
    };
    let groups = world.groups.of_host(index).into_iter();
    // What is left to write is small: the record's own form, with the two maps put in where it has none.
    let record = Record::Host(Host {
        host: host.name.clone(),
        groups: groups.map(|group| world.groups.groups[group].name.clone()).collect(),
        connection: read.connection().map_err(named)?,
        os: read.text("os").map_err(named)?,
        instances,
        vars: Map::new(),
        origins: BTreeMap::new(),
        facts: Default::default(),
    });
    let mut line = serde_json::to_string(&record).map_err(|error| unwritten(&host.name, &error))?;
    let empty = r#""vars":{},"origins":{}}"#;
    if !line.ends_with(empty) {
        return Err(unwritten(&host.name, &"its record ends otherwise than expected"));
    }
    line.truncate(line.len() - empty.len());
    line.reserve(vars.len() + origins.len() + empty.len());
    for part in [r#""vars":{"#, &vars, r#"},"origins":{"#, &origins, "}}"] {
        line.push_str(part);
    }
    Ok(Told { line, secrets, files })
}

/// The record of a host, read back from its line.
///
/// # Errors
/// As [`of_host`].
pub fn typed(world: &Arc<World>, index: usize) -> Result<Host> {
    match serde_json::from_str(&of_host(world, index)?.line) {
        Ok(Record::Host(host)) => Ok(host),
        Ok(_) => Err(unwritten(&world.groups.hosts[index].name, &"it is another record")),
        Err(error) => Err(unwritten(&world.groups.hosts[index].name, &error)),
    }
}

/// Puts an entry into what stands between the braces of a map.
fn add(entries: &mut String, entry: &str) {
    if !entries.is_empty() {
        entries.push(',');
    }
    entries.push_str(entry);
}

/// `"name":value`.
pub fn entry(name: &str, value: &Value) -> String {
    format!("{}:{value}", Value::from(name))
}

fn unwritten(host: &str, cause: &dyn std::fmt::Display) -> Box<Diagnostic> {
    Box::new(Diagnostic::new(format!("cannot write the record of `{host}`")).cause(cause.to_string()))
}

fn too_large(variable: &Variable) -> Box<Diagnostic> {
    let error = Diagnostic::new("the variables of a host are more than 16 MiB")
        .at(variable.file.place(variable.mark))
        .cause(format!("it is too much with `{}`", variable.name));
    Box::new(error.hint("is a template longer than it was meant? large texts belong into files of their own"))
}

struct Reader<'s> {
    scope: &'s Arc<Scope>,
    directory: &'s Path,
}

impl Reader<'_> {
    /// A value as data, or why there is none.
    fn json(&self, resolved: Resolved) -> Value {
        let value = match resolved {
            Ok(value) => {
                to_json(&value).map_err(|error| error.detail().unwrap_or("it has no form as data").to_owned())
            }
            Err(reason) => {
                let diagnostic = &reason.diagnostic;
                let cause = diagnostic.causes.first().unwrap_or(&diagnostic.message);
                Err(match &diagnostic.place {
                    Some(place) => format!("{cause}, at {}", self.below(place)),
                    None => cause.clone(),
                })
            }
        };
        value.unwrap_or_else(|reason| json!({ "unresolved": reason }))
    }

    /// A place as the stream has it: its file is named from the inventory directory on.
    fn below(&self, place: &Place) -> String {
        let file = Path::new(&place.file).strip_prefix(self.directory).unwrap_or(Path::new(&place.file));
        format!("{}:{}:{}", file.display(), place.line, place.column)
    }

    /// The value of a variable that is read here; nothing where it is not set, or empty.
    fn needed(&self, name: &str) -> Result<Option<(&Variable, Value)>> {
        let Some(variable) = self.scope.variable(name) else { return Ok(None) };
        match self.scope.resolve(name) {
            None => Ok(None),
            Some(Err(reason)) => Err(Box::new(reason.diagnostic.clone())),
            Some(Ok(value)) => match to_json(&value) {
                Ok(Value::Null) => Ok(None),
                Ok(value) => Ok(Some((variable, value))),
                Err(error) => Err(wrong(variable, error.detail().unwrap_or("it has no form as data"))),
            },
        }
    }

    fn text(&self, name: &str) -> Result<Option<String>> {
        match self.needed(name)? {
            None => Ok(None),
            Some((variable, Value::String(text))) if pq_stream::holds_token(&text) => {
                Err(wrong(variable, "it is a secret, and is needed before secrets are opened"))
            }
            Some((_, Value::String(text))) => Ok(Some(text)),
            Some((_, number @ Value::Number(_))) => Ok(Some(number.to_string())),
            Some((variable, _)) => Err(wrong(variable, "it is no text")),
        }
    }

    fn connection(&self) -> Result<Connection> {
        let kind = match self.text("ansible_connection")?.as_deref() {
            None | Some("ssh" | "smart" | "paramiko" | "paramiko_ssh") => ConnectionKind::Ssh,
            Some("local") => ConnectionKind::Local,
            Some(_) => {
                let variable = self.scope.variable("ansible_connection");
                let error =
                    variable.map(|variable| wrong(variable, "hosts are reached with `ssh`, or are `local`"));
                return Err(
                    error.unwrap_or_else(|| Box::new(Diagnostic::new("cannot use `ansible_connection`")))
                );
            }
        };
        let port = match self.needed("ansible_port")? {
            None => None,
            Some((variable, value)) => {
                let number =
                    value.as_u64().or_else(|| value.as_str().and_then(|text| text.trim().parse().ok()));
                let port = number.and_then(|number| u16::try_from(number).ok()).filter(|port| *port > 0);
                Some(port.ok_or_else(|| wrong(variable, "a port is a number from 1 to 65535"))?)
            }
        };
        let word = |name: &str| match self.text(name)? {
            // ssh would take it for an option.
            Some(text) if text.starts_with('-') => {
                let cause = "no address and no user begins with `-`";
                Err(self.scope.variable(name).map_or_else(
                    || Box::new(Diagnostic::new(format!("cannot use `{name}`")).cause(cause)),
                    |variable| wrong(variable, cause),
                ))
            }
            text => Ok(text),
        };
        Ok(Connection { kind, address: word("ansible_host")?, port, user: word("ansible_user")? })
    }
}

fn wrong(variable: &Variable, cause: &str) -> Box<Diagnostic> {
    let message = format!("cannot use variable `{}`", variable.name);
    let error = Diagnostic::new(message).at(variable.file.place(variable.node.start)).cause(cause);
    Box::new(error.hint("mend it there; for the usual one leave the variable out"))
}
