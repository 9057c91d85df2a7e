//! Executes the steps of this machine.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use pq_cli::{Failure, Form, report};
use pq_machine::{Machine, left_behind};
use pq_secrets::KeyFiles;
use pq_steps::{AnyStep, System};
use pq_store::{Earlier, HostLock, Locked, PLANS, RUN_DIR, Records, STATE_DIR, State, Unfinished};
use pq_stream::{Diagnostic, Event, Redactor, Status, owner_of, system_cause};

use crate::audit::found;
use crate::behind::Behind;
use crate::edits::{Decisions, Take};
use crate::foreign;
use crate::host::{HostRun, Mode, Verdict};
use crate::kept::{Heard, keep};
use crate::stop::Stop;
use crate::way_in::stop_timer;
use crate::work::{Planned, WorkHost};

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
    /// What the operator decided about files that were changed by hand.
    pub take: Take,
    /// The held transactions that go on.
    pub resume: Vec<String>,
    /// The owners and steps that may destroy data without a verified backup.
    pub data_loss: Vec<String>,
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

    /// Somebody must come in by a new ssh connection within this time, or what was done is undone.
    fn come_in_anew(&mut self, within: Duration);

    /// Whether who is told came over ssh themselves, and has no other way in.
    fn comes_from_afar(&self) -> bool {
        false
    }
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
    let decisions = Decisions::new(&options.take).map_err(Failure::input)?;
    runs_systemd(host, options.mode)?;
    let mut machine = Machine::local();
    let mut records = open_records()?;
    let (unfinished, earlier) = (unfinished(&records, told)?, earlier(&records, options.mode, told));
    if options.mode == Mode::Apply
        && let Err(error) = machine.recover()
    {
        return Err(Failure::failed(error.into_diagnostic().hint("nothing was touched")));
    }
    let (found, first) = found(&mut machine, records.ledger.ledger(), host, options.mode, told)
        .map_err(|error| Failure::failed(error.into_diagnostic().hint("nothing was touched")))?;
    let behind = Behind::of(&machine, &host.steps);
    foreign::refuse(&machine, records.ledger.ledger(), host, &behind)
        .map_err(|error| Failure::failed(error.hint("nothing was touched")))?;
    let looked_at: Vec<&Planned> = host.steps.iter().filter(|it| !behind.holds(it)).collect();
    let mut heard = Heard::new(told);
    let run = HostRun {
        machine: &mut machine,
        records: &mut records,
        redactor,
        mode: options.mode,
        verify: options.verify,
        unfinished,
        resume: &options.resume,
        data_loss: &options.data_loss,
        decisions: &decisions,
        stop,
        earlier: &earlier,
        carries: found.carries(),
        unnoted: Some(found).filter(|_| first),
        told: &mut heard,
    };
    let mut verdict = run.run(&host.steps);
    let undoing = looked_at.iter().filter_map(|planned| match &planned.step {
        AnyStep::Transaction(it) => {
            let all = it.data.iter().chain(&it.rollback).chain(&it.finish);
            Some(all.map(|step| step.id.as_str()))
        }
        _ => None,
    });
    let ids = looked_at.iter().map(|planned| planned.record.id.as_str()).chain(undoing.flatten()).collect();
    if options.mode == Mode::Apply
        && let Err(error) = records.close(verdict.status == Status::Done, &ids)
    {
        report(&unclosed(&error));
        verdict.status = verdict.status.max(Status::Failed);
    }
    // A part of a plan is none: what it leaves out would be missing in what is built from it.
    if options.mode == Mode::Apply
        && options.only.is_empty()
        && stop.asked().is_none()
        && let Err(error) = keep(Path::new(PLANS), host, &behind, &heard.failed, verdict.counts.changed > 0)
    {
        let error = Diagnostic::new("cannot keep the plan for backups").cause(system_cause(&error));
        report(&error.hint("what is told of its steps is right; run the same command again"));
        verdict.status = Status::Failed;
    }
    Ok(verdict)
}

/// Whether what the plan wants to start can be started.
fn runs_systemd(host: &WorkHost, mode: Mode) -> Result<(), Failure> {
    let services = host.steps.iter().any(|planned| planned.step.unit().is_some());
    if mode == Mode::Check || !services || Path::new("/run/systemd/system").is_dir() {
        return Ok(());
    }
    let error =
        Diagnostic::new("cannot execute a plan with services here: systemd does not run this machine");
    let error = error.cause("there is no `/run/systemd/system`: is this a container, or a build machine?");
    Err(Failure::failed(error.hint("nothing was touched")))
}

pub(crate) fn unclosed(error: &std::io::Error) -> Diagnostic {
    Diagnostic::new(format!("cannot close the records of this run in `{STATE_DIR}`"))
        .cause(system_cause(error))
        .hint("what is told of its steps is right; the next run takes this one for interrupted, and looks at all again")
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
fn earlier(records: &Records, mode: Mode, told: &mut dyn Told) -> Earlier {
    // Who applies has the lock itself.
    let at_work = HostLock::holder(Path::new(RUN_DIR)).ok().flatten().filter(|_| mode == Mode::Check);
    if let Some(holder) = &at_work {
        told.note(&format!("{holder} is at work: what is said here may have changed meanwhile"));
    }
    let earlier = records.journal.earlier_but(at_work.as_deref()).unwrap_or_else(|error| {
        report(&Diagnostic::new("cannot read the journals of earlier runs").cause(error.to_string()));
        Earlier::default()
    });
    for it in &earlier.killed {
        let step =
            it.step.as_ref().map_or_else(|| "between two steps".to_owned(), |id| format!("within `{id}`"));
        let since = if it.since.is_empty() { String::new() } else { format!(", {}", it.since) };
        told.note(&format!("a run before was interrupted {step}{since}; every step is looked at again"));
    }
    earlier
}

pub(crate) fn open_records() -> Result<Records, Failure> {
    Records::open(Path::new(STATE_DIR)).map_err(|error| {
        let error = Diagnostic::new("cannot read the ledger").cause(error.to_string());
        Failure::failed(error.hint("nothing was touched"))
    })
}

/// The transactions that earlier runs did not finish, having told of them.
pub(crate) fn unfinished(records: &Records, told: &mut dyn Told) -> Result<Vec<Unfinished>, Failure> {
    let all = records.transactions.all().map_err(|error| {
        let error =
            Diagnostic::new("cannot read what transactions are not finished").cause(error.to_string());
        Failure::failed(error.hint("nothing was touched"))
    })?;
    for it in &all {
        let (id, since) = (&it.id, &it.since);
        let how = match it.state {
            State::Open => "its run died",
            State::Held => "the operator interrupted it",
            State::Returning => "it is being undone",
            State::Finishing => "it is done, and being finished",
        };
        told.note(&format!("transaction `{id}`, begun {since}, is not finished: {how}"));
    }
    Ok(all)
}

/// Undoes transactions without any plan: the one that is named, also one that is held; or all whose runs died.
///
/// # Errors
/// Where this cannot be tried at all, or there is no such transaction.
pub fn recover(which: Option<&str>, command: &str) -> Result<Status, Failure> {
    if !rustix::process::geteuid().is_root() {
        return Err(Failure::input(
            Diagnostic::new("only root can undo a transaction").hint("put `sudo` before it"),
        ));
    }
    let lock = lock(Mode::Apply, command)?;
    let mut machine = Machine::local();
    let mut records = open_records()?;
    let mut told = Notes;
    let all = unfinished(&records, &mut told)?;
    let wanted: Vec<Unfinished> = match which {
        // by its own id, or that of the instance
        Some(id) => all.iter().filter(|it| it.id == id || owner_of(&it.id) == id).cloned().collect(),
        None => all.iter().filter(|it| it.state != State::Held).cloned().collect(),
    };
    if let Some(id) = which.filter(|_| wanted.is_empty()) {
        return Err(Failure::input(
            Diagnostic::new(format!(
                "there is no unfinished transaction `{}` on this machine",
                id.escape_debug()
            ))
            .hint(
                "`--rollback` looks at this machine alone; every `--check` names those that are not finished",
            ),
        ));
    }
    let earlier = earlier(&records, Mode::Apply, &mut told);
    machine
        .recover()
        .map_err(|error| Failure::failed(error.into_diagnostic().hint("nothing was touched")))?;
    if which.is_none() && !all.iter().any(|it| it.guarded) {
        // A run that died before it began one left at most its timer.
        stop_timer(&mut machine);
    }
    let mut status = Status::Done;
    let mut run = HostRun {
        machine: &mut machine,
        records: &mut records,
        redactor: &Redactor::default(),
        mode: Mode::Apply,
        verify: false,
        unfinished: all,
        resume: &[],
        data_loss: &[],
        decisions: &Decisions::default(),
        stop: &Stop::default(),
        earlier: &earlier,
        carries: false,
        unnoted: None,
        told: &mut told,
    };
    for it in &wanted {
        let ended = match which {
            Some(_) if it.state != State::Finishing => run.undo(it),
            _ => run.end_of(it),
        };
        if let Err(error) = ended {
            report(&error);
            status = Status::Failed;
        }
    }
    if let Err(error) = records.close(status == Status::Done, &BTreeSet::new()) {
        report(&unclosed(&error));
        status = status.max(Status::Failed);
    }
    if let Some(Err(error)) = lock.map(HostLock::release) {
        report(&Diagnostic::from_error(&error));
    }
    Ok(status)
}

/// Tells notes alone, to people.
struct Notes;

impl Told for Notes {
    fn event(&mut self, _: &Event) {}

    fn note(&mut self, note: &str) {
        pq_cli::tell(&format!("{}: note: {note}\n", pq_cli::tool_name()));
    }

    // Undoing asks nobody.
    fn come_in_anew(&mut self, _: Duration) {}
}
