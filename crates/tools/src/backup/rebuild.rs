//! `pq-backup rebuild`: a bare machine becomes what it was, by its plan and its backups.

mod plan;

use std::path::Path;
use std::process::{Command, Stdio};

use pq_backup::{ETC, STATE, Session, Setup, rebuild};
use pq_cli::{Failure, OutputArgs};
use pq_secrets::KeyFiles;
use pq_stream::{Diagnostic, Status, system_cause};

use super::say::Voice;
use super::{BeginArgs, KitArgs, look};
use plan::Plan;

/// Rebuilds this machine.
///
/// # Errors
/// Where there is no plan of this machine, or something of it cannot be done: the same command goes on.
pub(super) fn run(
    kit: &KitArgs,
    name: Option<&str>,
    begin: &BeginArgs,
    keys: &KeyFiles,
    output: &OutputArgs,
) -> Result<Status, Failure> {
    let given = Plan::given()?;
    // Before anything is changed: does the kit open?
    let mut from = kit.setup()?;
    let mut voice = Voice::new(output.form()?, begin.quiet);
    let plan = match given {
        Some(plan) => plan,
        None => {
            let by_kit = from.is_some();
            let setup = match from.take() {
                Some(setup) => setup,
                None => Setup::read(Path::new(ETC)).map_err(Failure::input)?,
            };
            let session = look(setup, &mut voice)?;
            let plan = Plan::kept(&session, &mut voice)?;
            from = by_kit.then_some(session.setup);
            plan
        }
    };
    rebuild::begin(Path::new(ETC), Path::new(STATE)).map_err(Failure::failed)?;
    if let Some(name) = name {
        call(name)?;
    }
    plan.execute(&["server", "platform"], keys)?;
    with(begin, from.as_ref(), &mut voice, |session, voice| rebuild::certificates(session, voice))?;
    for id in &plan.instances() {
        // Its place is made as a new one's; then what it had comes back into it.
        // What it stands on takes note of it: a server reads its pool and its site.
        plan.execute(&[id, "platform"], keys)?;
        with(begin, from.as_ref(), &mut voice, |session, voice| {
            if let Some(placed) = rebuild::item(session, id, voice)? {
                voice.rebuilt(id, &placed);
                if let Some(error) = placed.failed.into_iter().next() {
                    return Err(error);
                }
            }
            Ok(())
        })?;
    }
    with(begin, from.as_ref(), &mut voice, |session, voice| rebuild::people(session, voice))?;
    // With the targets of the inventory, not the kit's keys.
    with(begin, None, &mut voice, |session, _| rebuild::adopt(session))?;
    plan.execute(&[], keys)
}

/// Calls this machine something else, from now on.
fn call(name: &str) -> Result<(), Failure> {
    let cannot = |cause: String| {
        Failure::failed(Diagnostic::new(format!("cannot call this machine `{name}`")).cause(cause))
    };
    let ran = Command::new("hostnamectl")
        .args(["set-hostname", "--", name])
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| cannot(system_cause(&error)))?;
    match ran.status.success() {
        true => Ok(()),
        false => Err(cannot(String::from_utf8_lossy(&ran.stderr).trim().to_owned())),
    }
}

/// Does something under the locks of backups, which an execution must not find taken.
fn with(
    begin: &BeginArgs,
    from: Option<&Setup>,
    voice: &mut Voice,
    act: impl FnOnce(&mut Session, &mut Voice) -> Result<(), Diagnostic>,
) -> Result<(), Failure> {
    let mut setup = Setup::read(Path::new(ETC)).map_err(Failure::input)?;
    if let Some(from) = from {
        setup.strategy.targets.clone_from(&from.strategy.targets);
    }
    let mut session = begin.session(setup, true, voice)?;
    let done = act(&mut session, voice);
    voice.over();
    session.end();
    done.map_err(|error| Failure::failed(error.hint("run the same command again: it goes on where it was")))
}
