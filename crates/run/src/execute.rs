//! Executes a whole plan on this machine.

use std::collections::BTreeSet;
use std::io::BufRead;
use std::path::Path;
use std::time::{Duration, Instant};

use pq_cli::{Failure, Form, report, tell};
use pq_machine::{Machine, left_behind};
use pq_secrets::KeyFiles;
use pq_steps::System;
use pq_store::{Earlier, HostLock, Locked, RUN_DIR, Records, STATE_DIR, State, Unfinished};
use pq_stream::{ConnectionKind, Counts, Diagnostic, End, Redactor, Status};

use crate::edits::{Decisions, Take};
use crate::host::{HostRun, Mode, Verdict};
use crate::show::Show;
use crate::stop::Stop;
use crate::work::{Work, WorkHost, read};
use crate::{only, seal};

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

/// Reads a plan to its end, then executes it on this machine.
///
/// # Errors
/// Where the plan, the user or the machine does not allow it; nothing was touched then. What fails later is in the
/// events and the status.
pub fn execute(input: impl BufRead, options: &Options) -> Result<Status, Failure> {
    let mut work = read(input).map_err(Failure::input)?;
    here(&work).map_err(Failure::input)?;
    only_root()?;
    let decisions = Decisions::read(&options.take, &work).map_err(Failure::input)?;
    let left_out = only::keep(&mut work, &options.only).map_err(Failure::input)?;
    let mut opened = Vec::new();
    for host in &mut work.hosts {
        opened.push(seal::open(host, &options.keys).map_err(Failure::input)?);
    }
    let lock = lock(options.mode)?;
    let stop = match options.mode {
        Mode::Check => Stop::default(),
        Mode::Apply => Stop::watch().map_err(|error| {
            Failure::failed(Diagnostic::new("cannot wait for signals").cause(error.to_string()))
        })?,
    };
    let mut show = Show::new(options.form, options.verbose, options.mode);
    let mut status = work.status;
    show.run(&work.run);
    for (host, redactor) in work.hosts.iter().zip(&opened) {
        show.host(&host.host.host, &host.lines);
        let begun = Instant::now();
        let verdict = match host.status {
            Some(before @ (Status::Failed | Status::Busy | Status::Input)) => not_reached(host, before),
            _ => {
                let mut machine = Machine::local();
                let mut records = open_records()?;
                let (unfinished, earlier) = (unfinished(&records)?, earlier(&records));
                if options.mode == Mode::Apply
                    && let Err(error) = machine.recover()
                {
                    return Err(Failure::failed(error.into_diagnostic().hint("nothing was touched")));
                }
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
                    stop: &stop,
                    earlier: &earlier,
                    tell: &mut |event| show.event(event),
                };
                let verdict = run.run(&host.steps);
                let ids = host.steps.iter().map(|planned| planned.record.id.as_str()).collect();
                if options.mode == Mode::Apply
                    && let Err(error) = records.close(verdict.status == Status::Done, &ids)
                {
                    report(&Diagnostic::new("cannot close the records of this run").cause(error.to_string()));
                }
                verdict
            }
        };
        status = status.max(verdict.status);
        show.verdict(&host.host.host, verdict, begun.elapsed());
    }
    if let Some(Err(error)) = lock.map(HostLock::release) {
        report(&Diagnostic::from_error(&error));
    }
    if left_out > 0 {
        let (tool, steps) = (pq_cli::tool_name(), if left_out == 1 { "step" } else { "steps" });
        tell(&format!(
            "{tool}: note: {left_out} more {steps} of the plan were not looked at, for `--only`\n"
        ));
    }
    if let Some(signal) = stop.asked().filter(|_| status == Status::Failed) {
        report(
            &Diagnostic::new(format!("the run was asked to stop ({signal})"))
                .cause("the step that was at work is done; what is not reached was not begun")
                .hint("run the same command again: it goes on where this one stopped"),
        );
    }
    show.end(End { host: None, hosts: Some(work.hosts.len()), status, counts: None });
    if let Some(error) = show.lost() {
        report(&Diagnostic::new("cannot write to standard output").cause(error.to_string()).hint(
            "what was to be done was done, but not all of it was told; run the same command again with `--check`",
        ));
        status = status.max(Status::Failed);
    }
    Ok(status)
}

fn only_root() -> Result<(), Failure> {
    if rustix::process::geteuid().is_root() {
        return Ok(());
    }
    Err(Failure::input(
        Diagnostic::new("only root can look at and change a whole machine")
            .cause(format!("this runs as user {}", rustix::process::geteuid().as_raw()))
            .hint("put `sudo` before this last command of the pipe; nothing was touched"),
    ))
}

fn open_records() -> Result<Records, Failure> {
    Records::open(Path::new(STATE_DIR)).map_err(|error| {
        let error = Diagnostic::new("cannot read the ledger").cause(error.to_string());
        Failure::failed(error.hint("nothing was touched"))
    })
}

/// This executor changes the machine that it runs on, and no other.
fn here(work: &Work) -> Result<(), Diagnostic> {
    if let [one, other, ..] = &work.hosts[..] {
        return Err(Diagnostic::new("cannot execute the steps of several hosts here")
            .cause(format!("`{}` and `{}` would both be this machine", one.host.host, other.host.host))
            .hint(format!("name one: `pq-inventory {} | …`; nothing was touched", one.host.host)));
    }
    let Some(other) = work.hosts.iter().find(|host| host.host.connection.kind != ConnectionKind::Local)
    else {
        return Ok(());
    };
    let name = &other.host.host;
    Err(Diagnostic::new(format!("cannot execute the steps of host `{name}` here"))
        .cause("the inventory reaches it over ssh, and this command changes the machine that it runs on")
        .hint(format!(
            "run the same pipe on `{name}` itself, and set `ansible_connection: local` for it there"
        ))
        .hint("nothing was touched"))
}

/// A host that failed further up in the pipe gets no further steps.
fn not_reached(host: &WorkHost, status: Status) -> Verdict {
    Verdict { counts: Counts { not_reached: host.steps.len(), ..Counts::default() }, status }
}

/// The host's lock, for what changes it, once nothing is at work any more that a killed run had started.
fn lock(mode: Mode) -> Result<Option<HostLock>, Failure> {
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
    let command: Vec<String> = std::env::args().collect();
    lock.name(&command.join(" ")).map_err(refused)?;
    Ok(Some(lock))
}

/// The transactions that earlier runs did not finish, having told of them.
fn unfinished(records: &Records) -> Result<Vec<Unfinished>, Failure> {
    let all = records.transactions.all().map_err(|error| {
        let error =
            Diagnostic::new("cannot read what transactions are not finished").cause(error.to_string());
        Failure::failed(error.hint("nothing was touched"))
    })?;
    for it in &all {
        let (tool, id, since) = (pq_cli::tool_name(), &it.id, &it.since);
        let how = match it.state {
            State::Open => "its run died",
            State::Held => "the operator interrupted it",
            State::Returning => "it is being undone",
        };
        tell(&format!("{tool}: note: transaction `{id}`, begun {since}, is not finished: {how}\n"));
    }
    Ok(all)
}

/// Undoes transactions without any plan: the one that is named, also one that is held; or all whose runs died.
///
/// # Errors
/// Where this cannot be tried at all, or there is no such transaction.
pub fn recover(which: Option<&str>, form: Form, verbose: bool) -> Result<Status, Failure> {
    only_root()?;
    let lock = lock(Mode::Apply)?;
    let mut machine = Machine::local();
    let mut records = open_records()?;
    let all = unfinished(&records)?;
    let wanted: Vec<Unfinished> = match which {
        Some(id) => all.iter().filter(|it| it.id == id).cloned().collect(),
        None => all.iter().filter(|it| it.state != State::Held).cloned().collect(),
    };
    if let Some(id) = which.filter(|_| wanted.is_empty()) {
        return Err(Failure::input(
            Diagnostic::new(format!("there is no unfinished transaction `{}`", id.escape_debug()))
                .hint("`pq-apply --check` names those that are not finished; nothing was touched"),
        ));
    }
    let earlier = earlier(&records);
    machine
        .recover()
        .map_err(|error| Failure::failed(error.into_diagnostic().hint("nothing was touched")))?;
    let mut show = Show::new(form, verbose, Mode::Apply);
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
        tell: &mut |event| show.event(event),
    };
    for it in &wanted {
        match run.undo(it) {
            Ok(()) => {
                let (tool, id) = (pq_cli::tool_name(), &it.id);
                tell(&format!("{tool}: note: transaction `{id}` is undone: all is as it was before\n"));
            }
            Err(error) => {
                report(&error);
                status = Status::Failed;
            }
        }
    }
    if let Err(error) = records.close(status == Status::Done, &BTreeSet::new()) {
        report(&Diagnostic::new("cannot close the records of this run").cause(error.to_string()));
    }
    if let Some(Err(error)) = lock.map(HostLock::release) {
        report(&Diagnostic::from_error(&error));
    }
    Ok(status)
}

/// What earlier runs left, having told of those that were killed. What else they left is found by looking.
fn earlier(records: &Records) -> Earlier {
    let earlier = records.earlier().unwrap_or_else(|error| {
        report(&Diagnostic::new("cannot read the journals of earlier runs").cause(error.to_string()));
        Earlier::default()
    });
    for it in &earlier.killed {
        let step =
            it.step.as_ref().map_or_else(|| "between two steps".to_owned(), |id| format!("within `{id}`"));
        let tool = pq_cli::tool_name();
        tell(&format!(
            "{tool}: note: a run before was interrupted {step}, {}; every step is looked at again\n",
            it.since
        ));
    }
    earlier
}
