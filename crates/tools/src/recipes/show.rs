//! `pq-instance show`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Write as _, stdout};

use pq_cli::{Failure, Form, printable};
use pq_recipes::{App, Catalogue, Data, Merge, Node, Releases, StepTemplate, Variable, WebKind};
use pq_stream::{Diagnostic, Status, nearest};
use serde_json::{Value, json};

use super::{RecipeArgs, needs, versions};

/// Of what, and how.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The application
    app: String,
    #[command(flatten)]
    recipes: RecipeArgs,
}

/// Explains an application's recipe.
pub(super) fn tell(args: &Args) -> Result<Status, Failure> {
    let catalogue = args.recipes.catalogue()?;
    let Some(app) = catalogue.app(&args.app) else {
        let error = Diagnostic::new(format!("there is no recipe for an application `{}`", args.app));
        let known: Vec<&str> = catalogue.apps().map(|app| app.name.as_str()).collect();
        return Err(Failure::input(match nearest(&args.app, &known) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error.hint(format!("there are {}", known.join(", "))),
        }));
    };
    let text = match args.recipes.output.form()? {
        Form::Text => text(&catalogue, app),
        Form::Json => format!("{}\n", record(&catalogue, app)),
    };
    stdout().write_all(text.as_bytes()).map_err(|error| Failure::output(&error))?;
    Ok(Status::Done)
}

/// For people.
fn text(catalogue: &Catalogue, app: &App) -> String {
    let mut text = format!("{}: {}\n", app.name, app.about);
    let mut line = |what: &str, values: Vec<String>| {
        for (at, value) in values.into_iter().enumerate() {
            let _ = writeln!(text, "  {:9} {value}", if at == 0 { what } else { "" });
        }
    };
    line("versions", vec![versions(app).join(", ")]);
    line("needs", stands_on(app));
    line("keeps", kept(app));
    let steps = app.before_packages.iter().chain(&app.configure).chain(&app.enable);
    let (seeds, sets): (Vec<_>, Vec<_>) = steps.partition(|step| seeded(step));
    line("sets", sets.iter().map(|step| format!("at every run: {}", written(&step.title))).collect());
    line("seeds", seeds.iter().map(|step| format!("once, then yours: {}", written(&step.title))).collect());
    line("installs", app.install.iter().map(|step| written(&step.title)).collect());
    line("runs", running(app));
    line("answers", app.health.iter().map(answer).collect());
    line("recipe", vec![app.source.shown.clone()]);
    let _ =
        writeln!(text, "in an inventory, beside a host's variables\n  instances: [{{ {} }}]", example(app));
    let _ = writeln!(text, "variables: a key of the instance, or for all of a host `{}_<name>`", app.name);
    variables(&mut text, &app.variables);
    text.push_str("keys that every instance may have\n");
    variables(&mut text, &catalogue.instance.variables);
    text.push_str("variables of its host: `pq-instance catalogue --variables`\n");
    printable(&text)
}

fn stands_on(app: &App) -> Vec<String> {
    let mut lines = needs(app);
    // PHP comes first.
    if let (Some(php), Some(first)) = (&app.needs.php, lines.first_mut())
        && !php.extensions.is_empty()
    {
        let _ = write!(first, " with {}", php.names().join(", "));
    }
    lines.push(match app.web.locations.len() {
        0 => "nginx or apache2".to_owned(),
        _ => app.web.locations.keys().cloned().collect::<Vec<_>>().join(" or "),
    });
    lines
}

/// What survives a new release.
fn kept(app: &App) -> Vec<String> {
    let keep = |keep: &pq_recipes::Keep| match (keep.merge, keep.fresh.is_empty()) {
        (Some(Merge::Added), _) => {
            format!("{}: what people add; what the release brings is taken again", keep.path)
        }
        (None, false) => format!("{}, but for {}", keep.path, keep.fresh.join(", ")),
        (None, true) => keep.path.clone(),
    };
    app.keep.iter().map(keep).collect()
}

/// Whether a step only writes what is not there yet.
fn seeded(step: &StepTemplate) -> bool {
    let seed = step.fields.iter().find(|(name, _)| name == "seed");
    seed.is_some_and(|(_, node)| node.data == Data::Scalar(true.into()))
}

/// What runs of it: its process, its jobs.
fn running(app: &App) -> Vec<String> {
    let words = |nodes: &[Node]| nodes.iter().map(written).collect::<Vec<_>>().join(" ");
    let process = app.service.iter().map(|service| format!("always: {}", words(&service.exec)));
    let jobs = app.cron.iter().map(|job| format!("{}: {}", written(&job.schedule), words(&job.argv)));
    process.chain(jobs).collect()
}

/// The least that an inventory says of an instance.
fn example(app: &App) -> String {
    let required = app.variables.iter().filter(|(_, variable)| variable.default.is_none());
    let name = &app.name;
    let keys = [format!("app: {name}"), format!("id: {name}"), format!("domain: {name}.example.org")];
    let more = match app.releases {
        // An instance need not name its code where some is pinned.
        Releases::Python => Vec::new(),
        _ => required.map(|(key, _)| format!("{key}: …")).collect(),
    };
    keys.into_iter().chain(more).collect::<Vec<_>>().join(", ")
}

fn answer(health: &pq_recipes::Health) -> String {
    let body = health.body.as_ref().map(|body| format!(" and `{}` in it", written(body))).unwrap_or_default();
    format!("{} with {}{body}", written(&health.http), health.status)
}

/// A value as the recipe has it.
fn written(node: &Node) -> String {
    match &node.data {
        Data::Scalar(Value::String(text)) => text.clone(),
        _ => node.to_json().to_string(),
    }
}

fn variables(text: &mut String, variables: &BTreeMap<String, Variable>) {
    variables.iter().for_each(|(name, it)| variable(text, name, it));
}

/// What a variable is for, what it must be, and what it is without being set.
pub(super) fn variable(text: &mut String, name: &str, variable: &Variable) {
    let default = match &variable.default {
        Some(default) => format!("default {}", written(default)),
        None => "no default".to_owned(),
    };
    let _ = writeln!(text, "  {name}: {}\n      {}; {default}", variable.about, variable.words());
}

/// For programs.
fn record(catalogue: &Catalogue, app: &App) -> Value {
    let php = app.needs.php.as_ref();
    json!({
        "type": "application",
        "name": app.name,
        "about": app.about,
        "versions": app.pins.versions(),
        "needs": needs(app),
        "php_extensions": php.map(pq_recipes::PhpNeeds::names),
        "web": match app.web.kind { WebKind::Static => "static", WebKind::Php => "php", WebKind::Proxy => "proxy" },
        "keep": app.keep.iter().map(|keep| &keep.path).collect::<Vec<_>>(),
        "recipe": app.source.shown,
        "variables": all(&app.variables),
        "keys": all(&catalogue.instance.variables),
    })
}

fn all(variables: &BTreeMap<String, Variable>) -> BTreeMap<&String, Value> {
    variables.iter().map(|(name, variable)| (name, described(variable))).collect()
}

/// A variable for programs.
pub(super) fn described(variable: &Variable) -> Value {
    json!({
        "about": variable.about, "must_be": variable.words(),
        "default": variable.default.as_ref().map(Node::to_json),
    })
}
