//! Executes a whole plan on this machine.

use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::time::Instant;

use pq_cli::{Failure, Form, report};
use pq_machine::Machine;
use pq_store::{Earlier, HostLock, Journal, Locked, RUN_DIR, STATE_DIR};
use pq_stream::{ConnectionKind, Counts, Diagnostic, End, Status};

use crate::host::{HostRun, Mode, Verdict};
use crate::seal;
use crate::show::Show;
use crate::work::{Work, WorkHost, read};

/// How a plan is executed.
#[derive(Debug, Clone)]
pub struct Options {
    /// Check or apply.
    pub mode: Mode,
    /// Ask every application's health, also where nothing changed.
    pub verify: bool,
    /// Files with the identities that open the sealed secrets.
    pub identities: Vec<PathBuf>,
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
    if !rustix::process::geteuid().is_root() {
        return Err(Failure::input(
            Diagnostic::new("only root can look at and change a whole machine")
                .cause(format!("this runs as user {}", rustix::process::geteuid().as_raw()))
                .hint("put `sudo` before this last command of the pipe; nothing was touched"),
        ));
    }
    let mut opened = Vec::new();
    for host in &mut work.hosts {
        opened.push(seal::open(host, &options.identities).map_err(Failure::input)?);
    }
    let _lock = lock(options.mode)?;
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
                let mut journal = Journal::new(Path::new(STATE_DIR));
                let earlier = match options.mode {
                    Mode::Apply => earlier(&journal),
                    Mode::Check => Earlier::default(),
                };
                let run = HostRun {
                    machine: &mut machine,
                    journal: &mut journal,
                    redactor,
                    mode: options.mode,
                    verify: options.verify,
                    earlier: &earlier,
                    tell: &mut |event| show.event(event),
                };
                let verdict = run.run(&host.steps);
                if options.mode == Mode::Apply
                    && let Err(error) = journal.close(verdict.status == Status::Done)
                {
                    report(&Diagnostic::new("cannot close the journal").cause(error.to_string()));
                }
                verdict
            }
        };
        status = status.max(verdict.status);
        show.verdict(&host.host.host, verdict, begun.elapsed());
    }
    show.end(End { host: None, hosts: Some(work.hosts.len()), status, counts: None });
    Ok(status)
}

/// This executor changes the machine that it runs on, and no other.
fn here(work: &Work) -> Result<(), Diagnostic> {
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

/// The host's lock, for what changes it.
fn lock(mode: Mode) -> Result<Option<HostLock>, Failure> {
    if mode == Mode::Check {
        return Ok(None);
    }
    let command: Vec<String> = std::env::args().collect();
    match HostLock::take(Path::new(RUN_DIR), &command.join(" ")) {
        Ok(lock) => Ok(Some(lock)),
        Err(locked @ Locked::By(_)) => Err(Failure::busy(
            Diagnostic::new(locked.to_string())
                .hint("run the same command again when it is done; nothing was touched"),
        )),
        Err(locked) => Err(Failure::failed(Diagnostic::from_error(&locked).hint("nothing was touched"))),
    }
}

/// What earlier runs left, having told of those that were killed. What else they left is found by looking.
fn earlier(journal: &Journal) -> Earlier {
    let earlier = journal.earlier().unwrap_or_else(|error| {
        report(&Diagnostic::new("cannot read the journals of earlier runs").cause(error.to_string()));
        Earlier::default()
    });
    for it in &earlier.killed {
        let step =
            it.step.as_ref().map_or_else(|| "between two steps".to_owned(), |id| format!("within `{id}`"));
        let tool = pq_cli::tool_name();
        anstream::eprintln!(
            "{tool}: note: a run before was interrupted {step}, {}; every step is looked at again",
            it.since
        );
    }
    earlier
}
