//! Everything that is wrong with what a host sets for the recipes, at once; planning stops at the first of it.
//!
//! What only a plan can tell (two instances of one port, a version that is not pinned) is not here.

use std::collections::BTreeMap;

use pq_recipes::{Catalogue, Variable};
use pq_stream::{Diagnostic, Host, Instance};

use crate::instance::keys;
use crate::platform;
use crate::values::{self, Found};

/// The errors of a host's declared variables, and of its instances' applications and keys.
pub fn complaints(host: &Host, catalogue: &Catalogue) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let components = catalogue.server.iter().chain(catalogue.components());
    let sets = [&catalogue.host.variables].into_iter().chain(components.map(|it| &it.variables));
    sets.for_each(|variables| of_host(host, "", variables, &mut found));
    let shared = catalogue.instance.variables.iter().filter(|(name, _)| !keys::is_of_one(name));
    shared.for_each(|(name, variable)| of_variable(host, name, variable, &mut found));
    for app in catalogue.apps() {
        of_host(host, &format!("{}_", app.name), &app.variables, &mut found);
    }
    for instance in &host.instances {
        match platform::recipe_of(catalogue, host, instance) {
            Err(error) => found.push(error),
            Ok(app) => {
                found.extend(keys::strangers(host, instance, app, &catalogue.instance.variables));
                of_instance(host, instance, &catalogue.instance.variables, &mut found);
                of_instance(host, instance, &app.variables, &mut found);
                found.extend(keys::idle(host, instance, &catalogue.instance.variables));
            }
        }
    }
    let mut told: Vec<Diagnostic> = Vec::new();
    found.into_iter().for_each(|error| {
        if !told.contains(&error) {
            told.push(error);
        }
    });
    told
}

fn of_host(host: &Host, prefix: &str, variables: &BTreeMap<String, Variable>, found: &mut Vec<Diagnostic>) {
    for (name, variable) in variables {
        of_variable(host, &format!("{prefix}{name}"), variable, found);
    }
}

fn of_variable(host: &Host, name: &str, variable: &Variable, found: &mut Vec<Diagnostic>) {
    // What cannot be resolved has no type: that is another complaint.
    if let Ok(Some(value)) = values::of_host(host, name) {
        found.extend(wrong(variable, &value));
    }
}

fn of_instance(
    host: &Host,
    instance: &Instance,
    variables: &BTreeMap<String, Variable>,
    found: &mut Vec<Diagnostic>,
) {
    for (name, variable) in variables {
        if let Some(value) = instance.keys.get(name).filter(|value| !value.is_null()) {
            let name_of = format!("`{name}` of `{}` on `{}`", instance.id, host.host);
            let place = keys::place(host, instance, name);
            found.extend(wrong(variable, &Found { name: name_of, value, place }));
        }
    }
}

/// What is wrong with a value, and what its variable is for.
fn wrong(variable: &Variable, value: &Found<'_>) -> Option<Diagnostic> {
    let error = values::accept(variable, value).err()?;
    Some(error.hint(format!("what it is for: {}", variable.about)))
}
