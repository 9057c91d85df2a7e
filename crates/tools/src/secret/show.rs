//! `pq-secret show`: one password that the tools derived.

use std::collections::BTreeSet;
use std::time::SystemTime;

use pq_cli::Failure;
use pq_inventory::Inventory;
use pq_plan::{Choice, Planner};
use pq_recipes::Catalogue;
use pq_secrets::{SecretString, Values, Vault};
use pq_stream::{
    Diagnostic, Host, MASTER_KEY, MASTER_KEY_PREVIOUS as PREVIOUS, Piece, Record, Redactor, Secret, Source,
    Status, Step, Token, nearest, owner_of, pieces,
};
use serde_json::Value;

use super::keeper::Keys;
use super::print;

/// Prints the password called `name`, as in `wiki/admin`; `previous` is the one before the last `rotate`.
///
/// # Errors
/// Where there is no such instance or password, or its host's secrets cannot be opened.
pub fn run(keys: &Keys, name: &str, previous: bool) -> Result<Status, Failure> {
    let directory = keys.inventory()?;
    let inventory = Inventory::open(&directory, keys.files())?;
    let records = inventory.records(&[], SystemTime::now())?;
    let asked = Asked::read(name).map_err(Failure::input)?;
    let host = asked.host(&records).map_err(Failure::input)?;
    let recipes = directory.join("recipes");
    let catalogue = Catalogue::load(Some(&recipes)).map_err(Failure::input)?;
    let choice = Choice::new([asked.id.to_owned()]);
    let plan = Planner::new(catalogue).instances(host, &choice).map_err(Failure::input)?;
    let token = asked.token(&plan.steps).map_err(Failure::input)?;
    let secret = asked.secret(&records, &host.host).map_err(Failure::input)?;
    let what = format!("the secrets of host `{}`", host.host);
    let values = pq_secrets::open(&secret.sealed, &keys.identities()?, &what)
        .map_err(|error| Failure::input(error.diagnostic()))?;
    let values = if previous { before(values, &host.host).map_err(Failure::input)? } else { values };
    let value = Vault::new(&host.host, values).fill(&token.to_string(), &mut Redactor::default());
    print(&SecretString::from(value.map_err(|error| Failure::input(error.diagnostic()))?))
}

/// The secrets as they were before the key was rotated.
fn before(mut values: Values, host: &str) -> Result<Values, Diagnostic> {
    let Some(old) = values.remove(PREVIOUS) else {
        return Err(Diagnostic::new(format!("host `{host}` has no `{PREVIOUS}`"))
            .cause("its key was never rotated, or the rotation is finished")
            .hint("without `--previous`, the password of today is shown"));
    };
    values.insert(MASTER_KEY.to_owned(), old);
    Ok(values)
}

/// What is asked for.
struct Asked<'a> {
    host: Option<&'a str>,
    id: &'a str,
    name: &'a str,
}

impl<'a> Asked<'a> {
    fn read(text: &'a str) -> Result<Self, Diagnostic> {
        let parts: Vec<&str> = text.split('/').collect();
        match parts[..] {
            [id, name] if !id.is_empty() && !name.is_empty() => Ok(Asked { host: None, id, name }),
            [host, id, name] if parts.iter().all(|part| !part.is_empty()) => {
                Ok(Asked { host: Some(host), id, name })
            }
            _ => Err(Diagnostic::new(format!("`{}` names no password", text.escape_debug()))
                .hint("write the instance and the name, as in `pq-secret show wiki/admin`")),
        }
    }

    /// The one host that has the instance.
    fn host<'r>(&self, records: &'r [Record]) -> Result<&'r Host, Diagnostic> {
        let hosts = records.iter().filter_map(|record| match record {
            Record::Host(host) => Some(host),
            _ => None,
        });
        let hosts: Vec<&Host> = hosts.collect();
        if let Some(name) = self.host.filter(|name| hosts.iter().all(|host| host.host != *name)) {
            let error = Diagnostic::new(format!("there is no host `{}`", name.escape_debug()));
            return Err(match nearest(name, hosts.iter().map(|host| &host.host)) {
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None => error.hint("`pq-inventory` lists the hosts and their instances"),
            });
        }
        let on = self.host.map(|name| format!(" on host `{name}`")).unwrap_or_default();
        let found: Vec<&Host> = hosts
            .into_iter()
            .filter(|host| self.host.is_none_or(|name| name == host.host))
            .filter(|host| host.instances.iter().any(|instance| instance.id == self.id))
            .collect();
        match found[..] {
            [one] => Ok(one),
            [] => Err(Diagnostic::new(format!("there is no instance `{}`{on}", self.id.escape_debug()))
                .hint("`pq-inventory` lists the hosts and their instances")),
            ref several => {
                let names: Vec<String> =
                    several.iter().map(|host| format!("`{}/{}/{}`", host.host, self.id, self.name)).collect();
                Err(Diagnostic::new(format!("several hosts have an instance `{}`", self.id))
                    .hint(format!("name one: {}", names.join(", "))))
            }
        }
    }

    /// The derived password of that name in the instance's steps.
    fn token(&self, steps: &[Step]) -> Result<Token, Diagnostic> {
        let own = steps.iter().filter(|step| owner_of(&step.id) == self.id);
        let mut found = Vec::new();
        own.flat_map(|step| step.body.values()).for_each(|value| derived(value, &mut found));
        let named = |source: &Source| match source {
            Source::Derived { name, .. } => Some(name.clone()),
            Source::Named(_) => None,
        };
        if let Some(source) = found.iter().find(|source| named(source).as_deref() == Some(self.name)) {
            return Ok(Token { source: source.clone(), sinks: Vec::new() });
        }
        let names: BTreeSet<String> = found.iter().filter_map(named).collect();
        let error =
            Diagnostic::new(format!("instance `{}` has no derived password `{}`", self.id, self.name));
        Err(match nearest(self.name, &names) {
            Some(name) => error.hint(format!("did you mean `{name}`?")),
            None if names.is_empty() => error.hint("its recipe derives none"),
            None => error.hint(format!("it has {}", names.into_iter().collect::<Vec<_>>().join(", "))),
        })
    }

    fn secret<'r>(&self, records: &'r [Record], host: &str) -> Result<&'r Secret, Diagnostic> {
        let secret = records.iter().find_map(|record| match record {
            Record::Secret(secret) if secret.host == host => Some(secret),
            _ => None,
        });
        secret.ok_or_else(|| {
            Diagnostic::new(format!("host `{host}` has no secrets"))
                .hint("set `master_key` in an age file, such as `group_vars/all/secrets.yml.age`")
        })
    }
}

/// The sources of all derived tokens in a value.
fn derived(value: &Value, found: &mut Vec<Source>) {
    match value {
        Value::String(text) => {
            let tokens = pieces(text).into_iter().flatten().filter_map(|piece| match piece {
                Piece::Token(token) => Some(token.source),
                Piece::Text(_) => None,
            });
            found.extend(tokens.filter(|source| matches!(source, Source::Derived { .. })));
        }
        Value::Array(items) => items.iter().for_each(|item| derived(item, found)),
        Value::Object(map) => map.values().for_each(|item| derived(item, found)),
        _ => {}
    }
}
