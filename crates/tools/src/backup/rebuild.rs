//! `pq-backup rebuild`: a bare machine becomes what it was, by its plan and its backups.

use std::io::{IsTerminal as _, Read as _, stdin};
use std::path::Path;

use pq_backup::{ETC, Session, Setup, rebuild};
use pq_cli::{Failure, Form, OutputArgs};
use pq_fleet::Crew;
use pq_run::{Mode, Options, Take};
use pq_secrets::KeyFiles;
use pq_stream::{ConnectionKind, Diagnostic, Status};

use super::say::Voice;
use super::{BeginArgs, KitArgs};

/// What is executed before anything comes back.
const FIRST: [&str; 2] = ["server/*", "platform/*"];

/// Rebuilds this machine.
///
/// # Errors
/// Where there is no plan of this machine, or something of it cannot be done: the same command goes on.
pub(super) fn run(
    kit: &KitArgs,
    begin: &BeginArgs,
    keys: KeyFiles,
    output: &OutputArgs,
) -> Result<Status, Failure> {
    let line = "type `pq-inventory HOST | pq-server | pq-platform | pq-instance | pq-backup rebuild`";
    if stdin().is_terminal() {
        return Err(Failure::input(
            Diagnostic::new("there is no plan: standard input is a terminal").hint(line),
        ));
    }
    let mut plan = String::new();
    stdin()
        .read_to_string(&mut plan)
        .map_err(|error| Failure::input(Diagnostic::new("cannot read the plan").cause(error.to_string())))?;
    let work = pq_run::read(plan.as_bytes()).map_err(|error| Failure::input(error.hint(line)))?;
    let [host] = work.hosts.as_slice() else {
        let error =
            Diagnostic::new(format!("{} hosts are in the plan: one is rebuilt at a time", work.hosts.len()));
        return Err(Failure::input(error.hint(line)));
    };
    if host.host.connection.kind != ConnectionKind::Local {
        let error = Diagnostic::new(format!("host `{}` is another machine", host.host.host));
        return Err(Failure::input(error.hint("run this on it, with `ansible_connection=local`")));
    }
    let instances: Vec<String> = host.host.instances.iter().map(|it| it.id.clone()).collect();
    // Before anything is changed: does the kit open?
    let from = kit.setup()?;
    let execute = |only: Vec<String>, verify: bool| -> Result<Status, Failure> {
        let options = Options {
            mode: Mode::Apply,
            verify,
            only,
            take: Take::default(),
            resume: Vec::new(),
            data_loss: Vec::new(),
            keys: keys.clone(),
            form: Form::Text,
            verbose: false,
        };
        let plan = pq_fleet::read(plan.as_bytes(), &options).map_err(Failure::input)?;
        let crew = Crew { jobs: 1, max_fail: None, yes: true, ask_become_pass: false };
        match pq_fleet::execute(plan, &options, &crew)? {
            Status::Done => Ok(Status::Done),
            status => Err(Failure::Told(status)),
        }
    };
    let mut voice = Voice::new(output.form()?, begin.quiet);
    execute(FIRST.map(str::to_owned).to_vec(), false)?;
    with(begin, from.as_ref(), &mut voice, |session, voice| rebuild::certificates(session, voice))?;
    for id in &instances {
        // Its place is made as a new one's; then what it had comes back into it.
        // What it stands on takes note of it: a server reads its pool and its site.
        execute(vec![format!("{id}/*"), "platform/*".to_owned()], false)?;
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
    execute(Vec::new(), true)
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
