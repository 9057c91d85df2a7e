//! Executes the steps of this machine.

use std::path::Path;
use std::time::{Duration, Instant};

use pq_cli::{Failure, Form, report};
use pq_machine::{Machine, left_behind};
use pq_secrets::KeyFiles;
use pq_steps::System;
use pq_store::{Earlier, HostLock, Journal, Locked, RUN_DIR, STATE_DIR};
use pq_stream::{Diagnostic, Event, Redactor, Status};

use crate::host::{HostRun, Mode, Verdict};
use crate::stop::Stop;
use crate::work::WorkHost;

/// How long a run waits for what a killed one had started, such as apt: two minutes.
const PATIENCE: Duration = Duration::from_secs(120);

/// How a plan is executed.
#[derive(Debug, Clone)]
pub struct Options {
    /// Check or apply.
    pub mode: Mode,
    /// Ask every application's health, also where nothing changed.
    pub verify: bool,
    /// Execute only the steps whose ids fit one of these; all where there is none.
    pub only: Vec<String>,
    /// The files that open the sealed secrets.
    pub keys: KeyFiles,
    /// Records or text.
    pub form: Form,
    /// Tell also what is as wanted.
    pub verbose: bool,
}

/// Who is told what happens while a machine's steps are executed.
pub trait Told {
    /// Something happened to a step.
    fn event(&mut self, event: &Event);

    /// Something that is worth knowing and belongs to no step, as one line.
    fn note(&mut self, note: &str);
}

/// Executes the steps of a host on this machine, secrets filled in. Whoever applies holds the host's [`lock`].
///
/// # Errors
/// Where what a killed run left cannot be put right; nothing was touched then. What fails later is in the events and
/// the verdict.
pub fn execute_here(
    host: &WorkHost,
    redactor: &Redactor,
    options: &Options,
    stop: &Stop,
    told: &mut dyn Told,
) -> Result<Verdict, Failure> {
    let mut machine = Machine::local();
    let mut journal = Journal::new(Path::new(STATE_DIR));
    let earlier = earlier(&journal, told);
    if options.mode == Mode::Apply
        && let Err(error) = machine.recover()
    {
        return Err(Failure::failed(error.into_diagnostic().hint("nothing was touched")));
    }
    let run = HostRun {
        machine: &mut machine,
        journal: &mut journal,
        redactor,
        mode: options.mode,
        verify: options.verify,
        stop,
        earlier: &earlier,
        tell: &mut |event| told.event(event),
    };
    let verdict = run.run(&host.steps);
    let ids = host.steps.iter().map(|planned| planned.record.id.as_str()).collect();
    if options.mode == Mode::Apply
        && let Err(error) = journal.close(verdict.status == Status::Done, &ids)
    {
        report(&Diagnostic::new("cannot close the journal").cause(error.to_string()));
    }
    Ok(verdict)
}

/// The host's lock, for what changes it, once nothing is at work any more that a killed run had started.
///
/// `command` is what who comes meanwhile is told of this run.
///
/// # Errors
/// Where somebody else changes the machine, or the lock cannot be used; nothing was touched.
pub fn lock(mode: Mode, command: &str) -> Result<Option<HostLock>, Failure> {
    if mode == Mode::Check {
        return Ok(None);
    }
    let again = |message: String| {
        Failure::busy(
            Diagnostic::new(message).hint("run the same command again when it is done; nothing was touched"),
        )
    };
    let refused = |locked: Locked| match locked {
        Locked::By(_) => again(locked.to_string()),
        Locked::Unusable(..) => Failure::failed(Diagnostic::from_error(&locked).hint("nothing was touched")),
    };
    let mut lock = HostLock::take(Path::new(RUN_DIR)).map_err(refused)?;
    if let Some(run) = lock.killed() {
        let begun = Instant::now();
        loop {
            let left = left_behind(run);
            if left.is_empty() {
                break;
            }
            if begun.elapsed() >= PATIENCE {
                let left = left.join(", ");
                return Err(again(format!("what a killed run had started is still at work: {left}")));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    lock.name(command).map_err(refused)?;
    Ok(Some(lock))
}

/// What earlier runs left, having told of those that were killed. What else they left is found by looking.
fn earlier(journal: &Journal, told: &mut dyn Told) -> Earlier {
    let earlier = journal.earlier().unwrap_or_else(|error| {
        report(&Diagnostic::new("cannot read the journals of earlier runs").cause(error.to_string()));
        Earlier::default()
    });
    for it in &earlier.killed {
        let step =
            it.step.as_ref().map_or_else(|| "between two steps".to_owned(), |id| format!("within `{id}`"));
        told.note(&format!(
            "a run before was interrupted {step}, {}; every step is looked at again",
            it.since
        ));
    }
    earlier
}
