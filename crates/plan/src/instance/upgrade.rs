//! How an installed instance comes to the version of the inventory: which versions it goes through, and the steps of each hop.
//!
//! All releases are fetched and verified beside the one that is served before anything stops. Each hop is one transaction, which no run goes on
//! with once its own was killed: what was begun is undone, and begun anew. Behind the last one the instance is planned as pq-instance does.

mod hop;
mod path;
mod saved;

use pq_recipes::{Engine, Releases};
use pq_stream::{Diagnostic, Host, Instance, Step, owner_of};
use serde_json::{Value, json};

use super::life::Life;
use super::state::State;
use super::{keys, probe, release, site};
use crate::draft::Draft;
use crate::instance::compatible;
use crate::platform;
use crate::values::at;
use hop::Hop;
use path::Path;

/// What is to become of an installed instance.
pub(crate) enum Way {
    /// It is at its version; of another major one this is pinned.
    There { is: String, beyond: Option<String> },
    /// It goes from a version through these.
    Through { is: String, hops: Vec<String>, closed: bool },
}

/// The way of an instance, on a host whose inventory says exactly where it ends.
pub(crate) struct Going {
    /// The host, with the instance at its last version.
    pub host: Host,
    /// Where it goes.
    pub way: Way,
}

/// Which way an instance goes.
///
/// # Errors
/// Where it cannot: nothing is pinned, what is installed is newer, a version between is missing, or the system has not what one of them needs.
pub(crate) fn way(draft: &Draft<'_>, instance: &Instance, is: &str) -> Result<Going, Diagnostic> {
    let (host, app) = (draft.host, platform::app(draft, instance)?);
    let life = || Life::read(draft, instance);
    let mut to = host.clone();
    let named = app.releases == Releases::Own || app.releases == Releases::Python && life()?.is_named();
    let path = match named {
        true => Path::direct(&instance.id, is, &life()?.version)?,
        false => {
            let wanted = instance.keys.get("version").and_then(Value::as_str);
            let path = path::path(app, &instance.id, is, wanted)
                .map_err(|error| at(error, keys::place(host, instance, "version")))?;
            if let (Some(last), Some(it)) =
                (path.hops.last(), to.instances.iter_mut().find(|it| it.id == instance.id))
            {
                it.keys.insert("version".to_owned(), last.clone().into());
            }
            path
        }
    };
    for version in path.hops.iter().filter(|_| !named) {
        compatible(draft.os, app, app.pins.get(version)).map_err(|cause| {
            let text = format!("`{}` cannot go to {version}", instance.id);
            at(Diagnostic::new(text).cause(cause), keys::place(host, instance, "version"))
        })?;
    }
    let closed =
        State::of(host, instance, instance.keys.get("state").and_then(Value::as_str))? == State::Closed;
    if closed && !path.hops.is_empty() {
        let text = format!("`{}` is closed, and is not upgraded so", instance.id);
        let error = Diagnostic::new(text).cause("nobody could tell whether it is well before and after");
        let error = error.hint("give it `state: present`, upgrade it, and close it again");
        return Err(at(error, keys::place(host, instance, "state")));
    }
    let is = is.to_owned();
    let way = match path.hops.is_empty() {
        true => Way::There { is, beyond: path.beyond },
        false => Way::Through { is, hops: path.hops, closed: closes(draft, &to, instance)? },
    };
    Ok(Going { host: to, way })
}

/// Whether nobody may use an instance while it comes to a new version.
fn migrates(life: &Life<'_>) -> bool {
    let upgrade = &life.app.upgrade;
    upgrade.migrates.unwrap_or(life.engine.is_some() || !upgrade.each.is_empty())
}

/// The same of an instance at its last version, where its recipe says enough of that.
fn closes(draft: &Draft<'_>, to: &Host, instance: &Instance) -> Result<bool, Diagnostic> {
    let scratch = Draft::new(to, draft.os, draft.catalogue, draft.renderer.0)?;
    let last = to.instances.iter().find(|it| it.id == instance.id).unwrap_or(instance);
    let life = Life::read(&scratch, last)?;
    let upgrade = &life.app.upgrade;
    let error = || Diagnostic::new(format!("`{}` cannot be upgraded", life.id()));
    if life.app.releases == Releases::Pinned
        && life.engine.is_some()
        && upgrade.each.is_empty()
        && upgrade.migrates.is_none()
    {
        let cause =
            format!("the recipe of `{}` does not say how its data comes to a new version", life.app.name);
        return Err(error().cause(cause).hint("add that as `each` of `upgrade` to the recipe"));
    }
    if migrates(&life) && life.engine == Some(Engine::Sqlite) {
        return Err(error().cause("its database is a file of its own, of which no copy is made before yet"));
    }
    Ok(migrates(&life))
}

/// Writes the steps of an instance's way, those of the instance as it is then behind them.
pub(crate) fn write(
    draft: &mut Draft<'_>,
    instance: &Instance,
    is: &str,
    hops: &[String],
    limit: Option<u64>,
) -> Result<(), Diagnostic> {
    let last = Life::read(draft, instance)?;
    let id = last.id();
    let about =
        format!("{} {is} → {} at {}://{}", last.app.name, hops.join(" → "), last.scheme(), last.domain()?);
    let mut lives = vec![last.as_of(draft, is)?];
    for version in hops {
        lives.push(last.as_of(draft, version)?);
    }
    // What the new version stands on is there before it.
    let components = platform::needed_by(draft, &[instance])?;
    platform::components(draft, &components)?;
    draft.part(id, &about);
    ready(draft, &lives)?;
    let fields = json!({ "path": saved::above(&last), "mode": "0700" });
    draft.step(&last.step("saved-all"), "directory of what upgrades save", "directory", fields)?;
    let fields = json!({ "path": saved::directory(&last), "mode": "0700" });
    draft.step(
        &last.step("saved"),
        format!("directory of what upgrades of {id} save"),
        "directory",
        fields,
    )?;
    for (at, life) in lives.iter().enumerate().skip(1) {
        beside(draft, life, at + 1 == lives.len())?;
    }
    for pair in lives.windows(2) {
        Hop::new(&pair[0], &pair[1], limit).write(draft)?;
    }
    super::plan(draft, &[instance])
}

/// What must hold before anything is touched.
fn ready(draft: &mut Draft<'_>, lives: &[Life<'_>]) -> Result<(), Diagnostic> {
    let (from, hops) = (&lives[0], &lives[1..]);
    let last = hops.last().unwrap_or(from);
    let pages = drawn(draft, from, |draft| site::health(draft, from))?;
    let says = drawn(draft, from, |draft| {
        probe::shipped(draft, from)?;
        probe::installed(draft, from)
    })?;
    let mut room = json!({
        "release": from.paths.release, "releases": hops.len(), "saved": saved::directory(from),
    });
    if migrates(from) {
        room["copies"] = saved::paths(draft, from)?.into();
        if let Some(database) = saved::database(from) {
            room["database"] = database;
        }
    }
    let mut fields = json!({
        "current": from.paths.current, "version": from.version, "room": room, "began": saved::mark(from, "began"),
        "health": pages.into_iter().map(|page| page.body).collect::<Vec<_>>(),
    });
    let asks = asked(draft, from, last)?;
    if !asks.is_empty() {
        fields["asks"] = asks.into();
    }
    if let Some(says) = says.into_iter().next() {
        fields["says"] = Value::Object(says.body);
    }
    let title = format!("{} is {} {}, well, and has room", from.id(), from.app.name, from.version);
    draft.step(&from.step("ready"), title, "ready", fields)
}

/// What knows whether something else stands against the last version.
fn asked(draft: &Draft<'_>, from: &Life<'_>, to: &Life<'_>) -> Result<Vec<Value>, Diagnostic> {
    let scope = from.scope.with("upgrade", json!({ "from": from.version, "to": to.version }));
    let source = &to.app.source;
    let mut all = Vec::new();
    for ask in &to.app.upgrade.asks {
        let argv: Result<Vec<String>, Diagnostic> =
            ask.argv.iter().map(|node| draft.renderer.text(source, node, &scope)).collect();
        let mut fields = json!({ "argv": argv?, "user": from.id(), "cwd": from.paths.current });
        if let Some(template) = &ask.template {
            let file = draft.catalogue.file(&to.directory, template, source)?;
            fields["stdin"] = draft.renderer.file(file, &scope)?.into();
        }
        all.push(fields);
    }
    Ok(all)
}

/// A release beside the one that is served: fetched, verified, unpacked. The last one is that of the instance as it will be planned.
fn beside(draft: &mut Draft<'_>, life: &Life<'_>, last: bool) -> Result<(), Diagnostic> {
    let steps = drawn(draft, life, |draft| {
        release::code(draft, life)?;
        probe::shipped(draft, life)
    })?;
    for step in steps {
        let id = match last {
            true => step.id.clone(),
            false => renamed(life, &step.id),
        };
        draft.step(&id, step.title, &step.kind, Value::Object(step.body))?;
    }
    Ok(())
}

/// The id of a step of the hop to a version.
pub(super) fn renamed(life: &Life<'_>, id: &str) -> String {
    let name = id.rsplit('/').next().unwrap_or_default();
    life.step(&format!("{}-{name}", life.version))
}

/// The instance's steps that something writes, apart from the plan.
pub(super) fn drawn<'p>(
    draft: &Draft<'p>,
    life: &Life<'_>,
    write: impl FnOnce(&mut Draft<'p>) -> Result<(), Diagnostic>,
) -> Result<Vec<Step>, Diagnostic> {
    let mut scratch = Draft::new(draft.host, draft.os, draft.catalogue, draft.renderer.0)?;
    write(&mut scratch)?;
    let steps = scratch.into_plan().steps.into_iter();
    Ok(steps.filter(|step| owner_of(&step.id) == life.id()).collect())
}
