//! What the recipes read of an inventory: every name, with its type and what it is for.

use pq_recipes::{Catalogue, Data, Variable};
use pq_stream::MASTER_KEY;

use super::ansible;

/// What the tools read themselves, whatever the recipes say; the last two while the key is being rotated.
const OWN: [&str; 6] =
    ["instances", "os", "platform", MASTER_KEY, "master_key_previous", "master_key_rotated"];

/// A name that recipes read.
#[derive(Debug)]
pub struct Declared<'c> {
    /// The variable of a host, or the key of an instance.
    pub name: String,
    /// What it is.
    pub variable: &'c Variable,
    /// Who reads it.
    pub reader: String,
}

/// The variables of a host that recipes read.
pub fn of_hosts(catalogue: &Catalogue) -> Vec<Declared<'_>> {
    let mut sets = vec![(&catalogue.host.variables, String::new(), "every recipe".to_owned())];
    let server = catalogue.server.iter().map(|it| ("server", it));
    for (layer, it) in server.chain(catalogue.components().map(|it| ("platform", it))) {
        sets.push((&it.variables, String::new(), format!("`{layer}/{}`", it.name)));
    }
    let apps = catalogue.apps();
    sets.extend(apps.map(|app| (&app.variables, format!("{}_", app.name), format!("every `{}`", app.name))));
    sets.push((&catalogue.instance.variables, String::new(), "every instance".to_owned()));
    let all = sets.into_iter().flat_map(|(variables, prefix, reader)| {
        variables.iter().map(move |(name, variable)| Declared {
            name: format!("{prefix}{name}"),
            variable,
            reader: reader.clone(),
        })
    });
    all.filter(|it| !(it.reader == "every instance" && pq_plan::is_of_one(&it.name))).collect()
}

/// The variables of a host that are not for one application.
pub fn for_all(catalogue: &Catalogue) -> Vec<Declared<'_>> {
    let apps: Vec<String> = catalogue.apps().map(|app| format!("every `{}`", app.name)).collect();
    of_hosts(catalogue).into_iter().filter(|it| !apps.contains(&it.reader)).collect()
}

/// The keys of instances that recipes read.
pub fn of_instances(catalogue: &Catalogue) -> Vec<Declared<'_>> {
    let shared = (&catalogue.instance.variables, "every instance".to_owned());
    let apps = catalogue.apps().map(|app| (&app.variables, format!("an instance of `{}`", app.name)));
    let all = [shared].into_iter().chain(apps).flat_map(|(variables, reader)| {
        variables.iter().map(move |(name, variable)| Declared {
            name: name.clone(),
            variable,
            reader: reader.clone(),
        })
    });
    all.collect()
}

/// Every variable of a host that means something without any template.
pub fn names(catalogue: &Catalogue) -> Vec<String> {
    let fixed = OWN.iter().chain(&ansible::VARIABLES).map(|name| (*name).to_owned());
    fixed.chain(of_hosts(catalogue).into_iter().map(|it| it.name)).collect()
}

impl Declared<'_> {
    /// Who reads it, what it must be, what it is without being set, and what it is for.
    pub fn told(&self) -> String {
        let Declared { reader, variable, .. } = self;
        let default = match variable.default.as_ref().map(|default| &default.data) {
            Some(Data::Scalar(value)) => match value.as_str() {
                Some(text) => format!("; without it `{text}`"),
                None => format!("; without it `{value}`"),
            },
            Some(Data::List(items)) if items.is_empty() => "; without it `[]`".to_owned(),
            _ => String::new(),
        };
        format!("{reader} reads it: {} ({}{default})", variable.about, variable.words())
    }
}

/// What recipes say of a name that nothing sets: of a variable, or of an instance's key.
pub fn hints(catalogue: &Catalogue, name: &str) -> Vec<String> {
    let (of_hosts, of_instances) = (of_hosts(catalogue), of_instances(catalogue));
    let found = of_hosts.iter().filter(|it| it.name == name);
    let mut hints: Vec<String> = found.map(Declared::told).collect();
    hints.dedup();
    let key = match name.strip_prefix("instances[").and_then(|rest| rest.split_once("].")) {
        Some((_, key)) => key,
        None => name,
    };
    if hints.is_empty() {
        let found = of_instances.iter().find(|it| it.name == key);
        hints.extend(found.map(|it| format!("it is a key of instances; {}", it.told())));
    }
    hints
}
