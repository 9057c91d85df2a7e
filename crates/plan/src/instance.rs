//! Instances: the life of one, written once. A recipe only says what is particular to its application.

mod clean;
mod data;
pub(crate) mod keys;
mod life;
mod links;
mod logs;
mod probe;
mod process;
mod redis;
mod release;
mod removal;
mod site;
mod source;
mod state;
mod tls;
mod together;
pub(crate) mod upgrade;
mod watched;

use pq_recipes::Phase;
use pq_stream::{Diagnostic, Instance};

use crate::draft::Draft;
use crate::platform;
pub(crate) use clean::clean;
use life::Life;
pub(crate) use life::compatible;
pub use removal::Data;
pub(crate) use removal::remove;
use state::State;
pub(crate) use state::{is_absent, wanted};

/// Writes the steps of the chosen instances, behind the components that they need.
pub(crate) fn plan(draft: &mut Draft<'_>, chosen: &[&Instance]) -> Result<(), Diagnostic> {
    let mut lives = Vec::new();
    for instance in wanted(draft.host) {
        lives.push(match chosen.iter().any(|it| it.id == instance.id) {
            true => Life::read(draft, instance)?,
            false => Life::beside(draft, instance)?,
        });
    }
    together::check(draft.host, &lives)?;
    let there: Vec<&Instance> = chosen.iter().copied().filter(|it| !is_absent(it)).collect();
    let components = platform::needed_by(draft, &there)?;
    platform::components(draft, &components)?;
    for life in lives.iter().filter(|life| chosen.iter().any(|it| it.id == life.instance.id)) {
        match life.state {
            State::Present => write(draft, life)?,
            State::Closed => closed(draft, life)?,
        }
    }
    for instance in chosen.iter().filter(|it| is_absent(it)) {
        remove(draft, &instance.id, Data::Stays)?;
    }
    Ok(())
}

/// The steps of one that is closed: what people see of it, and what is kept.
fn closed(draft: &mut Draft<'_>, life: &Life<'_>) -> Result<(), Diagnostic> {
    draft.part(life.id(), &format!("{} at {}://{}, closed", life.app.name, life.scheme(), life.domain()?));
    release::account(draft, life)?;
    removal::stop(draft, life.id())?;
    process::rests(draft, life)?;
    tls::certificate(draft, life)?;
    site::closed(draft, life)?;
    tls::served(draft, life)?;
    site::says_closed(draft, life)?;
    // It is closed whatever is installed; what is backed up names a version.
    watched::watched_closed(draft, life)?;
    release::installed(draft, life)?;
    watched::backed_up(draft, life)
}

/// The steps of one instance, in the order of its life.
fn write(draft: &mut Draft<'_>, life: &Life<'_>) -> Result<(), Diagnostic> {
    let app = life.app;
    let version = life.pin.as_ref().map(|_| format!(" {}", life.version)).unwrap_or_default();
    draft.part(life.id(), &format!("{}{version} at {}://{}", app.name, life.scheme(), life.domain()?));
    release::installed(draft, life)?;
    draft.recipe(&life.recipe(Some(Phase::BeforePackages)), &app.before_packages, &life.scope)?;
    release::account(draft, life)?;
    release::directories(draft, life)?;
    source::packages(draft, life)?;
    release::code(draft, life)?;
    probe::shipped(draft, life)?;
    release::kept(draft, life)?;
    data::database(draft, life)?;
    redis::service(draft, life)?;
    draft.recipe(&life.recipe(None), &app.configure, &life.scope)?;
    logs::logs(draft, life)?;
    release::switch(draft, life)?;
    draft.recipe(&life.recipe(None), &app.install, &life.scope)?;
    probe::installed(draft, life)?;
    process::php(draft, life)?;
    process::service(draft, life)?;
    tls::certificate(draft, life)?;
    site::site(draft, life)?;
    process::jobs(draft, life)?;
    watched::items(draft, life)?;
    logs::jail(draft, life)?;
    tls::served(draft, life)?;
    draft.recipe(&life.recipe(Some(Phase::AfterFiles)), &app.enable, &life.scope)?;
    site::health(draft, life)
}
