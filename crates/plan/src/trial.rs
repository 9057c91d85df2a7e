//! Recipes on trial: an application is planned for hosts that nobody has, so that what is wrong with its recipe shows where it is
//! written, before any machine hears of it.

use pq_recipes::{App, Kind, Releases, Variable};
use pq_stream::{Connection, ConnectionKind, Diagnostic, Host, Instance};
use serde_json::{Map, Value, json};

use crate::instance::compatible;
use crate::{Choice, Planner, Upgradable};

/// The most lines of a recipe: what needs more, all applications need, or it belongs into a template.
const MOST_LINES: usize = 120;

/// What is wrong with an application's recipe. It is planned on every system that has what it needs, behind each web server that
/// it has a site for, with each word of each choice, both values of each boolean, and each pinned version.
pub fn trial(planner: &Planner, app: &App) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let systems: Vec<&str> = planner.catalogue().systems().collect();
    let fits = |name: &str, version: Option<&str>| {
        let pin = version.and_then(|version| app.pins.get(version));
        planner.catalogue().os(name).is_some_and(|os| compatible(os, app, pin).is_ok())
    };
    let newest = |name: &str| app.pins.versions().into_iter().find(|version| fits(name, Some(version)));
    let pinned = app.releases == Releases::Pinned && !app.pins.versions().is_empty();
    let fit = |name: &&&str| if pinned { newest(name).is_some() } else { fits(name, None) };
    let fitting: Vec<&&str> = systems.iter().filter(fit).collect();
    if fitting.is_empty() {
        found.push(
            Diagnostic::new(format!("no system that the recipes know has what `{}` needs", app.name))
                .at(app.source.place(pq_recipes::Mark::default()))
                .hint("lower `min` of `needs`, where the application really runs with less"),
        );
    }
    let lines = app.source.text.lines().count();
    if lines > MOST_LINES {
        let mark = pq_recipes::Mark { line: MOST_LINES + 1, column: 1 };
        found.push(
            Diagnostic::new(format!(
                "a recipe has at most {MOST_LINES} lines, and that of `{}` has {lines}",
                app.name
            ))
            .at(app.source.place(mark))
            .hint("put longer texts into templates beside it"),
        );
    }
    let start = app.source.place(pq_recipes::Mark::default());
    if app.releases == Releases::Pinned && app.pins.versions().is_empty() {
        found.push(
            Diagnostic::new(format!("no version of `{}` is pinned", app.name)).at(start).hint(format!(
                "write one with its digest to `pins.yml` beside its recipe, as in `\"1.0\": {{ url: \"https://example.org/{0}-1.0.tar.gz\", sha256: \"…\" }}`",
                app.name
            )),
        );
        return found;
    }
    for system in fitting {
        for web in web_servers(app) {
            for keys in variants(app, newest(system)) {
                let version = keys.get("version").and_then(Value::as_str);
                if !fits(system, version) {
                    continue;
                }
                let host = host(app, system, web, keys);
                if let Err(error) = planner.instances(&host, &Choice::default())
                    && !found.iter().any(|known: &Diagnostic| same(known, &error))
                {
                    found.push(error);
                }
            }
            if let Some(error) = upgraded(planner, app, system, web, newest(system))
                && !found.iter().any(|known| same(known, &error))
            {
                found.push(error);
            }
        }
    }
    found
}

/// What is wrong with how it comes to a new version, with the place in its recipe; that it does not say how is no slip.
fn upgraded(
    planner: &Planner,
    app: &App,
    system: &str,
    web: &str,
    newest: Option<&str>,
) -> Option<Diagnostic> {
    let keys = variants(app, newest).into_iter().next()?;
    let mut host = host(app, system, web, keys);
    host.facts.insert("instances".to_owned(), json!({ "trial": { "version": "0" } }));
    let (_, said) = planner.upgrades(&host, &Choice::default(), None);
    said.into_iter().find_map(|it| match it.state {
        Upgradable::Blocked(error) if error.place.is_some() => Some(error),
        _ => None,
    })
}

/// Whether two errors tell of one thing to mend.
fn same(known: &Diagnostic, error: &Diagnostic) -> bool {
    known.place == error.place && (known.place.is_some() || known.message == error.message)
}

/// The web servers that may answer for it.
fn web_servers(app: &App) -> Vec<&str> {
    match app.web.locations.is_empty() {
        true => vec!["nginx", "apache2"],
        false => app.web.locations.keys().map(String::as_str).collect(),
    }
}

/// Keys of an instance: what must be set, of this version, then one change at a time.
fn variants(app: &App, version: Option<&str>) -> Vec<Map<String, Value>> {
    let mut base = Map::from_iter([("domain".to_owned(), json!("trial.example.org"))]);
    base.extend(version.map(|version| ("version".to_owned(), version.into())));
    for (name, variable) in &app.variables {
        if variable.default.is_none() {
            base.insert(name.clone(), sample(variable));
        }
    }
    let mut all = vec![base.clone()];
    let mut change = |name: &str, value: Value| {
        let mut keys = base.clone();
        keys.insert(name.to_owned(), value);
        all.push(keys);
    };
    let more_extensions = app.needs.php.as_ref().and_then(|php| php.more.as_ref());
    for (name, variable) in &app.variables {
        match variable.kind {
            Kind::Boolean if !variable.many => {
                [true, false].into_iter().for_each(|it| change(name, it.into()))
            }
            Kind::Choice if !variable.many => {
                variable.of.iter().for_each(|it| change(name, it.as_str().into()))
            }
            // Names of PHP's extensions, which are words of a kind of their own.
            _ if more_extensions == Some(name) => change(name, json!(["mbstring"])),
            _ => change(name, sample(variable)),
        }
    }
    app.pins.versions().into_iter().for_each(|version| change("version", version.into()));
    all
}

/// A value that the variable accepts.
fn sample(variable: &Variable) -> Value {
    let one = match variable.kind {
        Kind::Choice => variable.of.first().cloned().unwrap_or_default().into(),
        Kind::Integer | Kind::Port => variable.min.or(variable.max).unwrap_or(1).into(),
        kind => kind.sample(),
    };
    if variable.many { json!([one]) } else { one }
}

/// A host of that system with one instance.
fn host(app: &App, system: &str, web: &str, keys: Map<String, Value>) -> Host {
    let vars = json!({
        "admin_email": "admin@example.org", "locales": ["C.UTF-8"], "timezone": "UTC", "web_server": web,
        "master_key": "@secret{master_key}",
    });
    Host {
        host: "trial".to_owned(),
        groups: Vec::new(),
        connection: Connection { kind: ConnectionKind::Local, address: None, port: None, user: None },
        os: Some(system.to_owned()),
        instances: vec![Instance { app: app.name.clone(), id: "trial".to_owned(), keys }],
        vars: vars.as_object().cloned().unwrap_or_default(),
        origins: Default::default(),
        facts: Map::new(),
    }
}
