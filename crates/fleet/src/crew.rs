//! Executes a plan on all its machines, some at a time.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use pq_cli::{Failure, report, tell, tool_name};
use pq_run::{Mode, Opener, Options, Stop, Verdict, WorkHost, execute_here, lock};
use pq_secrets::Vault;
use pq_store::HostLock;
use pq_stream::{Counts, Diagnostic, Redactor, Run, Secret, Status};

use crate::confirm::{confirm, terminal as of_a_person};
use crate::ear::{Ear, Says, of_failure};
use crate::ending::Ending;
use crate::executor::executors;
use crate::job::{Job, Work, fill};
use crate::line::Call;
use crate::login::Password;
use crate::member::{Member, Place, Plan, There};
use crate::order::{Frame, Order, Question};
use crate::password::ask;
use crate::secrets::Filled;
use crate::stage::{Heard, Over, Shown, Stage};
use crate::tally::Tally;
use crate::visitor::Visitor;

/// How several machines are executed on.
#[derive(Debug, Clone)]
pub struct Crew {
    /// How many at a time.
    pub jobs: usize,
    /// Begin no further one once so many failed or could not be reached.
    pub max_fail: Option<usize>,
    /// Do not ask before more than one is changed.
    pub yes: bool,
    /// Ask for the password of `sudo` on the terminal.
    pub ask_become_pass: bool,
}

/// Executes a plan that was read.
///
/// # Errors
/// Where the machine, the user or a secret does not allow it; nothing was touched then. What fails later is in the
/// events and the status.
pub fn execute(mut plan: Plan, options: &Options, crew: &Crew) -> Result<Status, Failure> {
    demand_root(&plan)?;
    let over_ssh = plan.members.iter().filter(|member| is_there(member)).count();
    if over_ssh > 0 {
        executors().map_err(|error| Failure::input(error.clone()))?;
    }
    let asked = match crew.ask_become_pass && over_ssh > 0 {
        true => Some(ask()?),
        false => None,
    };
    let mut opener = Opener::new(&options.keys);
    let mut jobs = Vec::with_capacity(plan.members.len());
    let mut hosts = Vec::with_capacity(plan.members.len());
    for mut member in std::mem::take(&mut plan.members) {
        hosts.push(Shown::new(member.host.clone(), std::mem::take(&mut member.lines), member.steps));
        jobs.push(Job::of(member, &mut opener, asked.as_ref()).map_err(Failure::input)?);
    }
    let changed: Vec<&str> = jobs.iter().filter(|job| job.acts()).map(|job| job.host.as_str()).collect();
    if options.mode == Mode::Apply && changed.len() > 1 && !crew.yes {
        confirm(&changed)?;
    }
    let sole = matches!(&jobs[..], [Job { work: Some(Work::Here(..)), .. }]);
    // With one machine, a lock that is held is the whole answer.
    let held = if sole { lock(options.mode, &command())? } else { None };
    let stop = match options.mode {
        Mode::Check if sole => Stop::default(),
        _ => Stop::watch().map_err(|error| {
            Failure::failed(Diagnostic::new("cannot wait for signals").cause(error.to_string()))
        })?,
    };
    let mut stage = Stage::new(options.form, options.verbose, options.mode, &plan.run, hosts, plan.status);
    let team = Team {
        options,
        crew,
        run: &plan.run,
        stop: &stop,
        asks: of_a_person().is_some() && (over_ssh == 1 || crew.jobs == 1),
        failed: AtomicUsize::new(0),
        unreached: AtomicBool::new(false),
    };
    if sole {
        for job in jobs {
            team.work(job, true, &mut |heard| stage.take(0, heard));
        }
    } else {
        team.share(jobs, &mut stage);
    }
    if let Some(Err(error)) = held.map(HostLock::release) {
        report(&Diagnostic::from_error(&error));
    }
    if plan.left_out > 0 {
        let (tool, steps) = (tool_name(), if plan.left_out == 1 { "step" } else { "steps" });
        let left_out = plan.left_out;
        tell(&format!(
            "{tool}: note: {left_out} more {steps} of the plan were not looked at, for `--only`\n"
        ));
    }
    if let Some(signal) = stop.asked().filter(|_| stage.status() == Status::Failed) {
        report(
            &Diagnostic::new(format!("the run was asked to stop ({signal})"))
                .cause("the step that was at work is done; what is not reached was not begun")
                .hint("run the same command again: it goes on where this one stopped, but for what is held"),
        );
    }
    Ok(stage.close())
}

fn is_there(member: &Member) -> bool {
    matches!(member.place, Place::There(_)) && member.ended_before().is_none()
}

/// Root is needed for this machine; for another one, the login there says who we are.
fn demand_root(plan: &Plan) -> Result<(), Failure> {
    let here = plan.members.iter().any(|member| matches!(member.place, Place::Here(_)));
    if !here || rustix::process::geteuid().is_root() {
        return Ok(());
    }
    Err(Failure::input(
        Diagnostic::new("only root can look at and change a whole machine")
            .cause(format!("this runs as user {}", rustix::process::geteuid().as_raw()))
            .hint("put `sudo` before this last command of the pipe; nothing was touched"),
    ))
}

/// This run, for who comes meanwhile.
fn command() -> String {
    std::env::args().collect::<Vec<_>>().join(" ")
}

/// The same on another machine, where the command line would say nothing.
pub(crate) fn sent_by() -> String {
    let user = std::env::var("USER").unwrap_or_else(|_| "root".to_owned());
    let host = nix::unistd::gethostname().map(|name| name.to_string_lossy().into_owned());
    format!("{}, sent by {user}@{}", tool_name(), host.unwrap_or_else(|_| "another machine".to_owned()))
}

/// Who works.
struct Team<'a> {
    options: &'a Options,
    crew: &'a Crew,
    run: &'a Run,
    stop: &'a Stop,
    /// Whether a person can answer ssh's questions.
    asks: bool,
    /// How many machines failed or could not be reached.
    failed: AtomicUsize,
    /// Whether one of them could not be reached.
    unreached: AtomicBool,
}

impl Team<'_> {
    /// Works on all machines, some at a time, and shows what is heard.
    fn share(&self, jobs: Vec<Job>, stage: &mut Stage) {
        let workers = self.crew.jobs.clamp(1, jobs.len().max(1));
        let queue = Mutex::new(jobs.into_iter().enumerate());
        std::thread::scope(|scope| {
            let (say, heard) = mpsc::channel();
            for _ in 0..workers {
                let (queue, say): (_, Sender<(usize, Heard)>) = (&queue, say.clone());
                scope.spawn(move || {
                    loop {
                        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
                        let Some((at, job)) = next else { return };
                        self.work(job, false, &mut |heard| {
                            // Whoever shows it lives as long as the workers.
                            let _ = say.send((at, heard));
                        });
                    }
                });
            }
            drop(say);
            heard.into_iter().for_each(|(at, heard)| stage.take(at, heard));
        });
    }

    /// Works on one machine.
    fn work(&self, job: Job, locked: bool, say: &mut dyn FnMut(Heard)) {
        let begun = Instant::now();
        let unreached =
            |status| Verdict { counts: Counts { not_reached: job.steps, ..Counts::default() }, status };
        let (verdict, word, why) = match (job.before, job.work) {
            (Some(before), _) => (unreached(before), None, Vec::new()),
            (None, _) if self.stop.asked().is_some() => (unreached(Status::Failed), None, Vec::new()),
            (None, _) if self.enough() => (unreached(self.worst()), Some("not begun"), Vec::new()),
            (None, None) => (unreached(Status::Done), None, Vec::new()),
            (None, Some(work)) => {
                let ended = match work {
                    Work::Here(host, redactor) => self.here(&host, &redactor, locked, say),
                    Work::There(there, vault, password) => self.there(*there, vault, password, say),
                };
                match ended {
                    Ok(verdict) => (verdict, None, Vec::new()),
                    Err((counts, ending)) => {
                        (Verdict { counts, status: ending.status }, Some(ending.word), ending.why)
                    }
                }
            }
        };
        if matches!(verdict.status, Status::Failed | Status::Busy | Status::Input) && job.before.is_none() {
            self.failed.fetch_add(1, Ordering::SeqCst);
            self.unreached.fetch_or(verdict.status == Status::Busy, Ordering::SeqCst);
        }
        say(Heard::Over(Over { verdict, word, why, time: begun.elapsed() }));
    }

    /// Whether so many failed that no further machine is begun.
    fn enough(&self) -> bool {
        self.crew.max_fail.is_some_and(|most| self.failed.load(Ordering::SeqCst) >= most.max(1))
    }

    /// What follows for the machines that are not begun for the sake of others.
    fn worst(&self) -> Status {
        if self.unreached.load(Ordering::SeqCst) { Status::Busy } else { Status::Failed }
    }

    /// This machine.
    fn here(
        &self,
        host: &WorkHost,
        redactor: &Redactor,
        locked: bool,
        say: &mut dyn FnMut(Heard),
    ) -> Result<Verdict, (Counts, Ending)> {
        let ended = |failure| (Counts::default(), of_failure(failure));
        let lock = match locked {
            true => None,
            false => lock(self.options.mode, &command()).map_err(ended)?,
        };
        let verdict = execute_here(host, redactor, self.options, self.stop, &mut Says(say)).map_err(ended)?;
        if let Some(Err(error)) = lock.map(HostLock::release) {
            report(&Diagnostic::from_error(&error));
        }
        Ok(verdict)
    }

    /// Another machine.
    fn there(
        &self,
        there: There,
        vault: Option<Vault>,
        password: Option<Password>,
        say: &mut dyn FnMut(Heard),
    ) -> Result<Verdict, (Counts, Ending)> {
        let filled = fill(&there, vault.as_ref());
        let Filled { values, hidden, redactor } =
            filled.map_err(|error| (Counts::default(), Ending::failed(error)))?;
        let order = Order {
            question: match self.options.mode {
                Mode::Check => Question::Check,
                Mode::Apply => Question::Apply,
            },
            verify: self.options.verify,
            take: self.options.take.clone(),
            resume: self.options.resume.clone(),
            data_loss: self.options.data_loss.clone(),
            only: self.options.only.clone(),
            command: sent_by(),
            base: String::new(),
            words: Vec::new(),
            values,
            hidden,
        };
        let host = there.login.host.as_str();
        // The sealed message is kept there with the plan: a backup is rebuilt with it, by who opens the inventory.
        let sealed = there.sealed.map(|secret| secret.sealed).filter(|_| self.options.mode == Mode::Apply);
        let secret = Secret { host: host.to_owned(), names: there.names, sealed: sealed.unwrap_or_default() };
        let frame = Frame::new(&order, self.run, secret, there.plan).map_err(|error| {
            let error =
                Diagnostic::new(format!("cannot write the plan of host `{host}`")).cause(error.to_string());
            (Counts::default(), Ending::failed(error))
        })?;
        drop(order);
        let tally = Tally::new(host, self.options.mode, &there.steps);
        let visitor = Visitor::new(&there.login, password.clone(), self.run);
        let mut ear = Ear { tally, redactor: &redactor, say, refused: None, visitor };
        let call = Call { login: &there.login, password, frame, asks: self.asks, patience: None };
        let held = call.hold(self.stop, &mut ear);
        let counts = ear.tally.counts();
        if let Some(why) = ear.visitor.why_not() {
            let why = ear.redactor.redact(&why);
            (ear.say)(Heard::Note(format!("no new connection to host `{host}`: {why}")));
        }
        match (held, ear.refused) {
            (Err(ending), _) => Err((counts, ending)),
            (Ok(()), Some(ending)) => Err((counts, ending)),
            (Ok(()), None) => ear.tally.verdict().map_err(|cause| {
                let error = Diagnostic::new(format!("host `{host}` does not answer as an executor does"));
                (counts, Ending::failed(error.cause(cause)))
            }),
        }
    }
}
