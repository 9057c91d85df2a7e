//! The keys of an instance: those that every one may have, and those of its application.

use std::collections::BTreeMap;

use pq_recipes::{App, DATABASE, Engine, Variable};
use pq_stream::{Diagnostic, Host, Instance, nearest};
use serde_json::{Map, Value};

use crate::draft::Draft;
use crate::scope::Scope;
use crate::values::{self, Found, Reading};

/// Every declared value of an instance: its own key, else the host's variable, else the default.
pub(super) fn read(
    draft: &Draft<'_>,
    instance: &Instance,
    app: &App,
    scope: &mut Scope,
) -> Result<Map<String, Value>, Diagnostic> {
    let host = draft.host;
    let shared = &draft.catalogue.instance;
    if let Some(error) = strangers(host, instance, app, &shared.variables).into_iter().next() {
        return Err(error);
    }
    let mut values = draft.scope.get("vars").and_then(Value::as_object).cloned().unwrap_or_default();
    let of_host = |name: &str| values::of_host(host, name);
    for (source, variables, prefix) in [
        (&shared.source, &shared.variables, String::new()),
        (&app.source, &app.variables, format!("{}_", app.name)),
    ] {
        let reading = Reading { renderer: draft.renderer, scope };
        let found = reading.all(source, variables, |name| match instance.keys.get(name) {
            Some(value) if !value.is_null() => Ok(Some(Found {
                name: format!("`{name}` of `{}` on `{}`", instance.id, host.host),
                value,
                place: place(host, instance, name),
            })),
            // what tells one instance from another has no value for all of them
            _ if prefix.is_empty() && is_of_one(name) => Ok(None),
            _ => of_host(&format!("{prefix}{name}")),
        })?;
        for name in variables.keys().filter(|name| !found.contains_key(*name)) {
            let words = variables[name].words();
            scope.miss(
                name,
                format!("set `{name}` of the instance `{}` in the inventory: {words}", instance.id),
            );
        }
        values.extend(found);
    }
    Ok(values)
}

/// What holds the data of an instance, where it has a database.
///
/// # Errors
/// Where what is chosen will not do.
pub(crate) fn engine(
    draft: &Draft<'_>,
    instance: &Instance,
    app: &App,
) -> Result<Option<Engine>, Diagnostic> {
    let Some(needs) = &app.needs.database else { return Ok(None) };
    Ok(match one(draft, instance, app, DATABASE)? {
        Some(chosen) => chosen.as_str().and_then(|name| app.engine(name)),
        None if needs.optional => None,
        None => needs.engines.first().copied(),
    })
}

/// The certificates of a public authority, which an instance has where nobody says otherwise.
pub(crate) const PUBLIC: &str = "letsencrypt";

/// Whether an instance has a certificate from a public authority.
///
/// # Errors
/// Where its `tls` is no word of the choice.
pub(crate) fn is_public(draft: &Draft<'_>, instance: &Instance) -> Result<bool, Diagnostic> {
    let Some(variable) = draft.catalogue.instance.variables.get("tls") else { return Ok(false) };
    let default = variable.default.as_ref().and_then(|node| node.text()).unwrap_or(PUBLIC);
    let chosen = set(draft, instance, variable, "tls", "tls")?;
    Ok(chosen.as_ref().and_then(Value::as_str).unwrap_or(default) == PUBLIC)
}

/// The extensions of PHP that an instance names itself.
///
/// # Errors
/// Where it is no list of names.
pub(crate) fn more_extensions(
    draft: &Draft<'_>,
    instance: &Instance,
    app: &App,
) -> Result<Vec<String>, Diagnostic> {
    let Some(name) = app.needs.php.as_ref().and_then(|php| php.more.as_ref()) else { return Ok(Vec::new()) };
    let named = one(draft, instance, app, name)?.unwrap_or_default();
    Ok(named.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect())
}

/// One value of an application, before the instance's life is read; nothing where it is not set.
fn one(draft: &Draft<'_>, instance: &Instance, app: &App, name: &str) -> Result<Option<Value>, Diagnostic> {
    let Some(variable) = app.variables.get(name) else { return Ok(None) };
    set(draft, instance, variable, name, &format!("{}_{name}", app.name))
}

/// What is set of a variable: the instance's own key, else the host's variable of another name.
fn set(
    draft: &Draft<'_>,
    instance: &Instance,
    variable: &Variable,
    name: &str,
    of_host: &str,
) -> Result<Option<Value>, Diagnostic> {
    let host = draft.host;
    let own = instance.keys.get(name).filter(|value| !value.is_null()).map(|value| Found {
        name: format!("`{name}` of `{}` on `{}`", instance.id, host.host),
        value,
        place: place(host, instance, name),
    });
    let found = match own {
        Some(found) => Some(found),
        None => values::of_host(host, of_host)?,
    };
    found.map(|found| values::accept(variable, &found)).transpose()
}

/// Whether a key tells one instance from another: then it has no value for all of a host's.
pub fn is_of_one(key: &str) -> bool {
    ["domain", "aliases", "version", "state", "secret_scope"].contains(&key)
}

/// The errors of keys that neither every instance nor the application knows.
pub(crate) fn strangers(
    host: &Host,
    instance: &Instance,
    app: &App,
    shared: &BTreeMap<String, Variable>,
) -> Vec<Diagnostic> {
    let known: Vec<String> = shared.keys().chain(app.variables.keys()).cloned().collect();
    let error = |wrong: &String| {
        let error = Diagnostic::new(format!(
            "`{}` on `{}` has the key `{wrong}`, which `{}` does not know",
            instance.id, host.host, app.name
        ));
        let error = values::at(error, place(host, instance, wrong));
        match nearest(wrong, &known) {
            Some(name) => error.hint(format!("did you mean `{name}`?")),
            None => error.hint(format!("it knows {}", known.join(", "))),
        }
    };
    instance.keys.keys().filter(|key| !known.contains(key)).map(error).collect()
}

/// What an instance says of a certificate that its `tls` does not serve.
pub(crate) fn idle(host: &Host, instance: &Instance, shared: &BTreeMap<String, Variable>) -> Vec<Diagnostic> {
    let own = instance.keys.get("tls").filter(|value| !value.is_null());
    let set = own.or_else(|| host.vars.get("tls").filter(|value| !value.is_null()));
    let default = shared.get("tls").and_then(|tls| tls.default.as_ref()).and_then(|node| node.text());
    let tls = set.map_or(default, Value::as_str).unwrap_or(PUBLIC);
    if tls == "files" {
        return Vec::new();
    }
    let error = |key: &&str| {
        let error =
            Diagnostic::new(format!("`{key}` of `{}` on `{}` is read by nothing", instance.id, host.host))
                .cause(format!("its `tls` is `{tls}`"));
        values::at(error, place(host, instance, key))
            .hint("`tls: files` serves it; leave it out where that is not meant")
    };
    let is_set = |key: &&str| instance.keys.get(*key).is_some_and(|value| !value.is_null());
    ["tls_chain", "tls_key"].iter().filter(|key| is_set(key)).map(error).collect()
}

/// Where a key of an instance is set, as exactly as the inventory says.
pub(crate) fn place(host: &Host, instance: &Instance, key: &str) -> Option<pq_stream::Place> {
    let index = host.instances.iter().position(|it| it.id == instance.id).unwrap_or_default();
    let names = [format!("instances[{index}].{key}"), format!("instances[{index}]"), "instances".to_owned()];
    values::origin(host, &names.each_ref().map(String::as_str))
}
