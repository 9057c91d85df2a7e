//! Which instances work for which others: what a Collabora serves, and by whom a Nextcloud is served.
//!
//! An instance names those that it works for, by their ids on the same host, by their domains elsewhere. Its templates see them
//! as `links`; theirs see it as `linked_by`, where both are on one host.

use pq_recipes::{App, Kind};
use pq_stream::{Diagnostic, Instance};
use serde_json::{Map, Value, json};

use super::keys;
use super::state::wanted;
use crate::draft::Draft;
use crate::platform;
use crate::values::at;

/// Gives the templates of an instance `links`, by variable, and `linked_by`, by application.
pub(super) fn set(
    draft: &Draft<'_>,
    instance: &Instance,
    app: &App,
    values: &Map<String, Value>,
    scope: &mut crate::scope::Scope,
) -> Result<(), Diagnostic> {
    if !app.links.is_empty() {
        let mut links = Map::new();
        for (key, link) in &app.links {
            let named =
                values.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
            let each = named.map(|name| one(draft, instance, key, &link.app, name));
            links.insert(key.clone(), each.collect::<Result<Vec<_>, _>>()?.into());
        }
        scope.set("links", links);
    }
    let mut linked_by: Map<String, Value> = Map::new();
    for other in wanted(draft.host).filter(|other| other.id != instance.id) {
        let of = platform::app(draft, other)?;
        for (key, _) in of.links.iter().filter(|(_, link)| link.app == app.name) {
            let named = other.keys.get(key).and_then(Value::as_array).into_iter().flatten();
            if named.filter_map(Value::as_str).any(|name| name == instance.id) {
                let told = json!({ "id": other.id, "domain": other.keys.get("domain") });
                let list = linked_by.entry(of.name.clone()).or_insert_with(|| json!([]));
                if let Some(list) = list.as_array_mut() {
                    list.push(told);
                }
            }
        }
    }
    scope.set("linked_by", linked_by);
    Ok(())
}

/// An instance that is named: its domain, and its id where it is here.
fn one(
    draft: &Draft<'_>,
    instance: &Instance,
    key: &str,
    app: &str,
    name: &str,
) -> Result<Value, Diagnostic> {
    let host = draft.host;
    let error = |text: String| at(Diagnostic::new(text), keys::place(host, instance, key));
    if let Some(other) = wanted(host).find(|other| other.id == name) {
        return match (other.app == app, other.keys.get("domain")) {
            (true, Some(domain)) => Ok(json!({ "id": other.id, "domain": domain })),
            (true, None) => {
                Err(error(format!("`{name}`, which `{}` works for, has no `domain`", instance.id)))
            }
            (false, _) => Err(error(format!(
                "`{key}` of `{}` names `{name}`, which is of `{}`",
                instance.id, other.app
            ))
            .cause(format!("it works for instances of `{app}`"))),
        };
    }
    match Kind::Domain.accept(&name.into()) {
        Some(domain) => Ok(json!({ "domain": domain })),
        None => Err(error(format!(
            "`{key}` of `{}` names `{name}`, which `{}` does not have",
            instance.id, host.host
        ))
        .hint(format!(
            "name an instance of `{app}` by its id, or by its domain where it is on another host"
        ))),
    }
}
