//! The platform: the components that instances stand on, each planned from all instances of its host.
//!
//! Always true here: a component's steps depend on the host record alone, never on which instances are asked for, so
//! that pq-platform and pq-instance write the same.

use std::collections::{BTreeMap, BTreeSet};

use pq_recipes::{App, Catalogue};
use pq_stream::{Diagnostic, Host, Instance, Place, nearest};
use serde_json::json;

use crate::Unused;
use crate::draft::Draft;
use crate::instance::{self, keys};
use crate::items::{Blocks, Items};
use crate::recipe::Recipe;
use crate::values;

/// Writes the components that the host's instances need, and those that it names itself.
pub(crate) fn plan(draft: &mut Draft<'_>, unused: Unused) -> Result<(), Diagnostic> {
    let wanted: Vec<String> = wanted(draft)?.into_iter().map(|it| it.component).collect();
    if unused == Unused::Stays {
        return components(draft, &wanted);
    }
    together(draft)?;
    // What is not wanted goes first: it may hold a port that another one is to have.
    let kept = with_needs(draft.catalogue, &wanted);
    for component in draft.catalogue.components().filter(|it| !kept.contains(&it.name)) {
        let owner = format!("platform/{}", component.name);
        draft.part(&owner, &format!("{}: nothing needs it", component.about));
        draft.unused(&owner, format!("{}, which nothing needs", component.name))?;
    }
    components(draft, &wanted)?;
    for name in &kept {
        let owner = format!("platform/{name}");
        draft.part(&owner, "");
        draft.unused(&owner, format!("what {name} does not need any more"))?;
    }
    Ok(())
}

/// Components, and all that they need.
fn with_needs(catalogue: &Catalogue, wanted: &[String]) -> BTreeSet<String> {
    let (mut all, mut left) = (BTreeSet::new(), wanted.to_vec());
    while let Some(name) = left.pop() {
        left.extend(catalogue.component(&name).into_iter().flat_map(|it| it.needs.clone()));
        all.insert(name);
    }
    all
}

/// A component, who wants it, and where that stands.
struct Wanted {
    component: String,
    by: String,
    place: Option<Place>,
}

/// Every component that a host is to have: those that it names itself, then those of its instances.
fn wanted(draft: &Draft<'_>) -> Result<Vec<Wanted>, Diagnostic> {
    let host = draft.host;
    let place = values::origin(host, &["platform"]);
    let by = |component| Wanted { component, by: "the variable `platform`".to_owned(), place: place.clone() };
    let mut wanted: Vec<Wanted> = named(draft)?.into_iter().map(by).collect();
    for instance in instance::wanted(host) {
        let place = keys::place(host, instance, "app");
        wanted.extend(needed_by(draft, &[instance])?.into_iter().map(|component| Wanted {
            component,
            by: format!("the instance `{}`", instance.id),
            place: place.clone(),
        }));
    }
    Ok(wanted)
}

/// The components that the host's variable `platform` names.
fn named(draft: &Draft<'_>) -> Result<Vec<String>, Diagnostic> {
    let mut wanted = Vec::new();
    if let Some(found) = values::of_host(draft.host, "platform")? {
        for item in found.value.as_array().into_iter().flatten() {
            wanted.extend(item.as_str().map(str::to_owned));
        }
        if found.value.as_array().is_none_or(|items| items.len() != wanted.len()) {
            let error =
                Diagnostic::new(format!("`platform` of `{}` cannot be `{}`", draft.host.host, found.value));
            let error = error.cause("it must be a list of components").hint("write a list: [nginx, php]");
            return Err(values::at(error, found.place));
        }
    }
    Ok(wanted)
}

/// Writes one component and what it needs, for an instance that may be the last to have needed it.
pub(crate) fn component(draft: &mut Draft<'_>, name: &str) -> Result<(), Diagnostic> {
    one(draft, name, &mut BTreeSet::new())
}

/// Writes components, each behind those that it needs.
pub(crate) fn components(draft: &mut Draft<'_>, wanted: &[String]) -> Result<(), Diagnostic> {
    together(draft)?;
    let mut done = BTreeSet::new();
    wanted.iter().try_for_each(|name| one(draft, name, &mut done))
}

/// Refuses components that cannot be on one machine, whoever wants them.
fn together(draft: &Draft<'_>) -> Result<(), Diagnostic> {
    let mut all: BTreeMap<String, Wanted> = BTreeMap::new();
    for it in wanted(draft)? {
        all.entry(it.component.clone()).or_insert(it);
    }
    for (name, Wanted { by, place, .. }) in &all {
        let Some(component) = draft.catalogue.component(name) else { continue };
        for (other, reason) in &component.excludes {
            let Some(Wanted { by: others, .. }) = all.get(other) else { continue };
            let error =
                Diagnostic::new(format!("`{}` cannot have both `{name}` and `{other}`", draft.host.host));
            let error = error.cause(reason.clone()).cause(format!("{by} wants `{name}`, {others} `{other}`"));
            let error = error
                .hint("leave one of them out; `web_server: apache2` has apache2 answer for the instances");
            return Err(values::at(error, place.clone()));
        }
    }
    Ok(())
}

/// The recipe of an instance's application.
pub(crate) fn app<'p>(draft: &Draft<'p>, instance: &Instance) -> Result<&'p App, Diagnostic> {
    recipe_of(draft.catalogue, draft.host, instance)
}

/// The same, without a plan.
pub(crate) fn recipe_of<'c>(
    catalogue: &'c Catalogue,
    host: &Host,
    instance: &Instance,
) -> Result<&'c App, Diagnostic> {
    catalogue.app(&instance.app).ok_or_else(|| {
        let error = Diagnostic::new(format!(
            "there is no recipe for `{}`, the application of `{}` on `{}`",
            instance.app, instance.id, host.host
        ));
        let error = values::at(error, keys::place(host, instance, "app"));
        let known = || catalogue.apps().map(|app| app.name.clone());
        match nearest(&instance.app, known()) {
            Some(name) => error.hint(format!("did you mean `{name}`?")),
            None => error.hint(format!("there are {}", known().collect::<Vec<_>>().join(", "))),
        }
    })
}

fn one(draft: &mut Draft<'_>, name: &str, done: &mut BTreeSet<String>) -> Result<(), Diagnostic> {
    if !done.insert(name.to_owned()) {
        return Ok(());
    }
    let catalogue = draft.catalogue;
    let Some(component) = catalogue.component(name) else {
        let known = || catalogue.components().map(|component| component.name.clone());
        let error = Diagnostic::new(format!(
            "there is no component `{name}` of the platform, which `{}` wants",
            draft.host.host
        ));
        let place = wanted(draft)?.into_iter().find(|it| it.component == name).and_then(|it| it.place);
        let error = values::at(error, place);
        return Err(match nearest(name, known()) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error.hint(format!("there are {}", known().collect::<Vec<_>>().join(", "))),
        });
    };
    for needed in &component.needs {
        one(draft, needed, done)?;
    }
    let owner = format!("platform/{name}");
    draft.part(&owner, &component.about);
    if name == "php" {
        for package in extensions(draft)? {
            draft.step(
                &format!("{owner}/{package}"),
                format!("package {package}"),
                "package",
                json!({ "names": [package] }),
            )?;
        }
    }
    let scope = draft.component_scope(component)?;
    let recipe = Recipe {
        owner: &owner,
        source: &component.source,
        directory: &owner,
        phase: None,
        hardening: component.hardening,
        env: None,
    };
    draft.recipe(&recipe, &component.steps, &scope)?;
    let mut items = Items::of(&format!("platform-{name}"))?;
    items.add(draft.renderer, &Blocks::of(component), &scope)?;
    items.write(draft, &owner, false)
}

/// The packages of the PHP extensions that the host's instances need.
fn extensions(draft: &Draft<'_>) -> Result<BTreeSet<String>, Diagnostic> {
    let mut packages = BTreeSet::new();
    for instance in instance::wanted(draft.host) {
        let app = app(draft, instance)?;
        let Some(php) = &app.needs.php else { continue };
        let written = php.extensions.iter().filter_map(|node| Some((node.text()?, Some(node.mark))));
        let engine = keys::engine(draft, instance, app)?.map(|engine| (engine.php_extension(), None));
        let more = keys::more_extensions(draft, instance, app)?;
        let more = more.iter().map(|name| (name.as_str(), None));
        for (extension, mark) in written.chain(engine).chain(more) {
            let Some(package) = draft.os.php.extensions.get(extension) else {
                let known = draft.os.php.extensions.keys().cloned();
                let error = Diagnostic::new(format!(
                    "`{}` needs the PHP extension `{extension}`, which `{}` does not know",
                    app.name, draft.os.os
                ));
                let place = mark.map(|mark| app.source.place(mark));
                let error = values::at(error, place.or_else(|| keys::place(draft.host, instance, "app")));
                return Err(match nearest(extension, known) {
                    Some(near) => error.hint(format!("did you mean `{near}`?")),
                    None => error.hint(format!("add it to recipes/os/{}.yml", draft.os.os)),
                });
            };
            packages.extend((!package.is_empty()).then(|| package.clone()));
        }
    }
    Ok(packages)
}

/// The components that instances need.
pub(crate) fn needed_by(draft: &Draft<'_>, instances: &[&Instance]) -> Result<Vec<String>, Diagnostic> {
    let mut names = Vec::new();
    for instance in instances {
        let app = app(draft, instance)?;
        let engine = keys::engine(draft, instance, app)?;
        let components = app.components(engine, draft.web_server().0);
        names.extend(components.into_iter().map(str::to_owned));
        names.extend(keys::is_public(draft, instance)?.then(|| "certbot".to_owned()));
    }
    Ok(names)
}
