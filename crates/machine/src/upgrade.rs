//! Upgrades packages: everything that apt has a newer version of, or what of it is for security.
//!
//! Always true here: no package is removed, and configuration files that people changed stay. Services are restarted by
//! their packages' own scripts, as Debian has it: some must be stopped while their files are replaced (a database whose
//! format changes), and only their package knows that. What an interrupted upgrade left is ended first.

use std::time::SystemTime;

use pq_steps::{Error, Output};
use pq_stream::{Diagnostic, PackageUpgrade};

use crate::apt::{self, LOCK};
use crate::packages::Packages;
use crate::simulation::{self, Simulation};
use crate::sources::Sources;
use crate::users::Users;
use crate::{children, held};

/// What is to be upgraded, by lists that were just fetched.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Each package.
    pub upgrades: Vec<PackageUpgrade>,
    /// Why not all lists could be fetched.
    pub unread: Option<Error>,
    /// What apt is asked for.
    action: Vec<String>,
}

/// What became of an upgrade.
#[derive(Debug, Default)]
pub struct Upgrade {
    /// What has the new version now.
    pub upgraded: Vec<PackageUpgrade>,
    /// What went wrong.
    pub problem: Option<Error>,
}

/// What has everything upgraded.
pub const ALL: [&str; 2] = ["dist-upgrade", "--no-install-recommends"];

/// What has some upgraded, whose names follow.
const SOME: [&str; 4] = ["install", "--only-upgrade", "--no-install-recommends", "--"];

/// Fetches the lists, and finds out what is to be upgraded: what is for security, or everything.
///
/// # Errors
/// Where apt does not say it, or something would have to be removed for it.
pub fn wanted(security: bool, users: &Users) -> Result<Wanted, Error> {
    // What the other sources have is upgraded all the same.
    let unread = apt::update(&Sources::look()?, users).err();
    let mut action: Vec<String> = ALL.map(str::to_owned).to_vec();
    let mut simulation = simulated(&action, users)?;
    if security {
        let names = simulation.upgrades.iter().filter(|it| it.security && it.from.is_some());
        let names: Vec<String> = names.map(|it| format!("{}={}", it.name, it.to)).collect();
        if names.is_empty() {
            return Ok(Wanted { unread, ..Wanted::default() });
        }
        action = SOME.map(str::to_owned).into_iter().chain(names).collect();
        simulation = simulated(&action, users)?;
    }
    match simulation.removes.is_empty() {
        true => Ok(Wanted { upgrades: simulation.upgrades, unread, action }),
        false => Err(removes(&simulation.removes)),
    }
}

/// Upgrades that.
///
/// # Errors
/// Where apt cannot be run, or dpkg's records cannot be read.
pub fn upgrade(wanted: Wanted, users: &Users) -> Result<Upgrade, Error> {
    if wanted.upgrades.is_empty() {
        return Ok(Upgrade::default());
    }
    let action: Vec<&str> = wanted.action.iter().map(String::as_str).collect();
    let output = apt::act(&action, users)?;
    let now = Packages::read(false)?;
    let (upgraded, left): (Vec<_>, Vec<_>) = wanted.upgrades.into_iter().partition(|it| is_done(it, &now));
    let problem = match output.status {
        0 if left.is_empty() => None,
        0 => Some(Error::failed(format!("apt did not upgrade {}", names(&left)), "it did not say why")),
        _ => Some(failed(&output, &left)),
    };
    Ok(Upgrade { upgraded, problem })
}

/// Ends what an interrupted upgrade or installation left; whether there was one.
///
/// # Errors
/// Where it cannot be ended.
pub fn mend(users: &Users) -> Result<(), Error> {
    apt::end_interrupted(users)
}

/// Whether dpkg was interrupted.
///
/// # Errors
/// Where its records cannot be read.
pub fn is_interrupted() -> Result<bool, Error> {
    Ok(Packages::read(false)?.interrupted)
}

/// Waits for others who change packages.
pub fn wait(told: &mut dyn FnMut(&str)) {
    held::wait(LOCK, told);
}

/// Whether a package has the version that it was to have, and is configured.
fn is_done(it: &PackageUpgrade, now: &Packages) -> bool {
    let name = it.name.split(':').next().unwrap_or_default();
    now.get(name).is_some_and(|package| package.configured && package.version == it.to)
}

/// What apt would do.
fn simulated(action: &[String], users: &Users) -> Result<Simulation, Error> {
    let action: Vec<&str> = action.iter().map(String::as_str).collect();
    let command = simulation::command(&action);
    Simulation::parse(&children::run(&command, users)?.success(&command)?.stdout)
}

fn names(packages: &[PackageUpgrade]) -> String {
    packages.iter().map(|it| format!("`{}`", it.name)).collect::<Vec<_>>().join(", ")
}

fn removes(names: &[String]) -> Error {
    Diagnostic::new(format!("the upgrade would remove {}", names.join(", ")))
        .cause("nobody asked for that")
        .hint("`apt-get dist-upgrade` there does it, by hand; nothing was upgraded")
        .hint("or keep the package whose new version wants it: `apt-mark hold PACKAGE`")
        .into()
}

/// What apt and dpkg say of a failure.
fn failed(output: &Output, left: &[PackageUpgrade]) -> Error {
    let what = if left.is_empty() { "everything".to_owned() } else { names(left) };
    let mut diagnostic = Diagnostic::new(format!("apt could not upgrade {what}"));
    diagnostic.causes = apt::reasons(output);
    match is_interrupted().unwrap_or_default() {
        true => diagnostic
            .hint("`dpkg --audit` names what is half there; the next `--apply` goes on with it")
            .into(),
        false => diagnostic.hint("what is not upgraded runs as before").into(),
    }
}

/// When lists were last fetched, by us or as the files tell themselves; nothing where there are none.
pub fn fetched() -> Option<SystemTime> {
    let newest = apt::newest_list(std::path::Path::new(apt::LISTS))?;
    Some(Sources::noted().map_or(newest, |noted| noted.max(newest)))
}
