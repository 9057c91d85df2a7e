//! `pq-monitor`: looks whether what this machine does is done, and tells people where it is not.

mod hosts;
mod shown;

use std::io::{Write as _, stdout};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{Parser, Subcommand};
use pq_cli::{EXIT_STATUS, Failure, Form, OutputArgs, printable, report, tell, tool_name};
use pq_items::{Id, Span};
use pq_monitor::{Beat, Options, Places, Ran, Setup};
use pq_stream::{Diagnostic, Status, nearest, system_cause};

use crate::input;
use crate::upkeep::AskArgs;

/// Look whether what this machine does is done, and tell people where it is not
///
/// What is watched stands in /etc/paquerette/monitor.d, whom it is told and from when on in /etc/paquerette/monitor.yml; pq-server,
/// pq-platform and pq-instance write both, and items of your own stand beside theirs. cron runs it each minute; it is no daemon.
#[derive(Debug, Parser)]
#[command(name = "pq-monitor", version, after_help = EXIT_STATUS, disable_help_subcommand = true)]
pub(crate) struct Args {
    /// Send a message by each way that is set, and say which took it
    #[arg(long)]
    test_alert: bool,
    /// Speak to the machine that asks, in records
    #[arg(long, value_name = "WHO", hide = true)]
    remote: Option<String>,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Ask the checks that are due, tell people what changed, and end
    ///
    /// A failure counts once it came as often as its damping says, and is told once, with what fails because of it. Messages are
    /// kept until they are taken. While another run is at work this one is left out. The exit status is 3 where something is not well.
    #[command(after_help = EXIT_STATUS)]
    Run {
        /// Ask every check, due or not
        #[arg(long)]
        all: bool,
        /// End after so long, whoever has not answered
        #[arg(long, value_name = "TIME", default_value = "50s", value_parser = span)]
        deadline: Duration,
        /// Say nothing, as cron wants it: who is to be told is told by the ways that are set
        #[arg(short, long)]
        quiet: bool,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Say how every check is, as it was last asked
    ///
    /// Asks nothing. The exit status is 3 where something is not well. Behind `pq-inventory HOST |` it says so of the hosts of the
    /// stream, by the pq-monitor that is installed there; one that gives no answer is named.
    #[command(after_help = EXIT_STATUS)]
    Status {
        /// Those of these items or checks alone
        only: Vec<String>,
        /// Those that are not well alone
        #[arg(long)]
        bad: bool,
        /// Those that took longest first
        #[arg(long)]
        slowest: bool,
        /// Show it anew every two seconds, until it is interrupted
        #[arg(short, long)]
        watch: bool,
        #[command(flatten)]
        ask: AskArgs,
    },
    /// Say all about one check: what it asks, what it answered, why, since when, whom it was told, what helps
    #[command(after_help = EXIT_STATUS)]
    Explain {
        /// The check, such as wiki/page
        check: String,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Ask one check now, as a Nagios plugin: one line, and 0 (well), 1 (warning), 2 (critical) or 3 (not known)
    ///
    /// Nothing of it is remembered or told.
    Test {
        /// The check, such as wiki/page
        check: String,
    },
    /// Write what node_exporter reads from its textfile directory
    #[command(after_help = EXIT_STATUS)]
    Metrics {
        /// Into this file, replaced as a whole; on standard output where there is none
        #[arg(value_name = "FILE")]
        into: Option<PathBuf>,
    },
    /// Write one HTML page of how everything is and was: index.html, which loads nothing from elsewhere
    ///
    /// Everybody may read the file; who reads it learns what runs on this machine. `SOURCE_DATE_EPOCH` (seconds since 1970) in the
    /// environment is taken for now: the same page comes of the same history.
    #[command(after_help = EXIT_STATUS)]
    Page {
        /// Into this directory, which is there
        #[arg(value_name = "DIR")]
        into: PathBuf,
    },
    /// Say that a job is well; a check `heartbeat` tells people where that was not said for too long
    ///
    /// Put it behind the job: `backup-of-mine && pq-monitor heartbeat mine || pq-monitor heartbeat mine --failed`.
    #[command(after_help = EXIT_STATUS)]
    Heartbeat {
        /// The name in the check
        name: String,
        /// Say that it failed
        #[arg(long)]
        failed: bool,
        /// Say this with it
        #[arg(long, value_name = "TEXT", default_value = "")]
        message: String,
    },
    /// Write to everybody how it goes, also where all is well: the next run sends it
    #[command(after_help = EXIT_STATUS)]
    Digest {
        /// Show it, and send nothing
        #[arg(long)]
        check: bool,
    },
}

fn span(text: &str) -> Result<Duration, String> {
    Span::new(text).map(|span| Duration::from_secs(span.seconds()))
}

/// Runs `pq-monitor`.
///
/// # Errors
/// Where nothing could be begun.
pub fn run() -> Result<Status, Failure> {
    let args = Args::parse();
    if let (true, Some(_)) = (args.test_alert, &args.verb) {
        let error = Diagnostic::new("`--test-alert` is a command of its own");
        return Err(Failure::input(error.hint("leave out what stands behind it")));
    }
    if let (None, Some(verb)) = (&args.remote, &args.verb)
        && let Some(status) = verb.elsewhere()?
    {
        return Ok(status);
    }
    if !rustix::process::geteuid().is_root() {
        let error = Diagnostic::new("only root can watch a machine")
            .cause(format!("this runs as user {}", rustix::process::geteuid().as_raw()));
        return Err(Failure::input(error.hint("put `sudo` before this command; nothing was asked")));
    }
    let places = Places::default();
    match args.verb {
        None if args.test_alert => test_alert(&setup(&places)?),
        None => {
            let error = Diagnostic::new("nothing is asked for");
            Err(Failure::input(
                error.hint("`pq-monitor status` says how all is; `pq-monitor --help` what else there is"),
            ))
        }
        Some(verb) if args.remote.is_some() => verb.answer(&places),
        Some(verb) => verb.run(&places),
    }
}

fn setup(places: &Places) -> Result<Setup, Failure> {
    Setup::read(places).map_err(Failure::failed)
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

impl Verb {
    /// Does it on the hosts that standard input names; nothing where it names none, or this machine alone.
    fn elsewhere(&self) -> Result<Option<Status>, Failure> {
        let Verb::Status { only, bad, slowest, watch, ask } = self else { return Ok(None) };
        if ask.here || !input::names_hosts("`--here` is this machine") {
            return Ok(None);
        }
        if *watch {
            let error = Diagnostic::new("`--watch` shows this machine, and hosts are named");
            return Err(Failure::input(error.hint("`watch -n 60` repeats a whole command")));
        }
        hosts::status(&shown::Wanted { only, bad: *bad, slowest: *slowest }, ask)
    }

    /// Does it for a machine that asks this one.
    fn answer(self, places: &Places) -> Result<Status, Failure> {
        match self {
            Verb::Status { only, bad, slowest, .. } => {
                hosts::answer(&setup(places)?, &shown::Wanted { only: &only, bad, slowest })
            }
            _ => Err(Failure::input(Diagnostic::new("only `status` is asked for from elsewhere"))),
        }
    }

    fn run(self, places: &Places) -> Result<Status, Failure> {
        match self {
            Verb::Run { all, deadline, quiet, output } => {
                ask(places, &Options { deadline, all }, quiet, output.form()?)
            }
            Verb::Status { only, bad, slowest, watch, ask } => {
                let form = ask.output.form()?;
                known(&setup(places)?, &only)?;
                loop {
                    let setup = setup(places)?;
                    setup.broken.iter().filter(|_| !watch).for_each(report);
                    let status =
                        shown::status(&setup, &shown::Wanted { only: &only, bad, slowest }, form, watch)?;
                    if !watch {
                        return Ok(status);
                    }
                    std::thread::sleep(Duration::from_secs(2));
                }
            }
            Verb::Explain { check, output } => {
                let setup = setup(places)?;
                let lines = pq_monitor::explain(&setup, &check, now()).map_err(Failure::input)?;
                shown::explained(&check, &lines, output.form()?)
            }
            Verb::Test { check } => test(&setup(places)?, &check),
            Verb::Metrics { into } => {
                let text = pq_monitor::metrics(&pq_monitor::view(&setup(places)?));
                match into {
                    Some(path) => write(&path, &text),
                    None => out(&text),
                }
            }
            Verb::Page { into } => {
                if !into.is_dir() {
                    let error = Diagnostic::new(format!("there is no directory `{}`", into.display()));
                    return Err(Failure::input(
                        error.hint("make it, for example below the root of a site that asks for a password"),
                    ));
                }
                let at = std::env::var("SOURCE_DATE_EPOCH")
                    .ok()
                    .and_then(|it| it.parse().ok())
                    .unwrap_or_else(now);
                write(&into.join("index.html"), &pq_monitor::page(&setup(places)?, at))
            }
            Verb::Heartbeat { name, failed, message } => {
                let name = Id::new(name).map_err(|error| Failure::input(Diagnostic::new(error)))?;
                let message = pq_monitor::line(&message);
                pq_monitor::beat(&places.lib, &name, &Beat { at: now(), failed, message }).map_err(
                    |error| {
                        Failure::failed(
                            Diagnostic::new(format!("cannot note the heartbeat of `{name}`"))
                                .cause(system_cause(&error)),
                        )
                    },
                )?;
                Ok(Status::Done)
            }
            Verb::Digest { check } => {
                let setup = setup(places)?;
                if check {
                    let (title, lines) = pq_monitor::words(&setup, now());
                    return out(&format!("{title}\n{}\n", lines.join("\n")));
                }
                if pq_monitor::digest(&setup, now()).map_err(Failure::failed)? == 0 {
                    tell(&format!(
                        "{}: note: nobody is told: `monitor_alert_mail` of the inventory says whom\n",
                        tool_name()
                    ));
                }
                Ok(Status::Done)
            }
        }
    }
}

/// Demands that each of these is an item or a check.
fn known(setup: &Setup, only: &[String]) -> Result<(), Failure> {
    for name in only {
        if !setup.plan.iter().any(|it| it.owner == *name || it.id == *name) {
            let names: Vec<&str> =
                setup.plan.iter().flat_map(|it| [it.owner.as_str(), it.id.as_str()]).collect();
            let error = Diagnostic::new(format!("no item or check `{name}` is watched on this machine"));
            return Err(Failure::input(match nearest(name, &names) {
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None => error.hint("`pq-monitor status` lists all of them"),
            }));
        }
    }
    Ok(())
}

/// One run.
fn ask(places: &Places, options: &Options, quiet: bool, form: Form) -> Result<Status, Failure> {
    let setup = setup(places)?;
    let ran = pq_monitor::run(&setup, options).map_err(Failure::failed)?;
    let done = match ran {
        Ran::Done(done) => done,
        Ran::Skipped(holder) => {
            if !quiet {
                tell(&format!(
                    "{}: note: this run is left out: {} is at work\n",
                    tool_name(),
                    printable(&holder)
                ));
            }
            return Ok(Status::Done);
        }
    };
    if !quiet {
        done.wrong.iter().for_each(report);
        shown::ran(&setup, &done, form)?;
    }
    let bad = done.state.checks.values().any(|it| it.level.is_bad() || it.last.level.is_bad());
    Ok(match (done.wrong.is_empty(), bad) {
        (false, _) => Status::Failed,
        (true, true) => Status::Differs,
        (true, false) => Status::Done,
    })
}

/// Asks one check, as a plugin: its statuses are those of plugins, and not ours.
fn test(setup: &Setup, check: &str) -> Result<Status, Failure> {
    let answer =
        match pq_monitor::find(setup, check).and_then(|watched| pq_monitor::test(setup, watched, now())) {
            Ok(answer) => answer,
            Err(error) => {
                let line = format!("PQ UNKNOWN - {error}\n");
                let _ = stdout().write_all(printable(&line).as_bytes());
                error
                    .hints
                    .iter()
                    .for_each(|hint| tell(&format!("{}: hint: {}\n", tool_name(), printable(hint))));
                std::process::exit(3);
            }
        };
    out(&format!("{}\n", answer.as_plugin(check)))?;
    std::process::exit(answer.level.number().into());
}

fn test_alert(setup: &Setup) -> Result<Status, Failure> {
    let tried = pq_monitor::test_alert(setup, now());
    if tried.is_empty() {
        let error = Diagnostic::new("nobody is told of anything: no way is set");
        return Err(Failure::input(error.hint(
            "set `monitor_alert_mail` or `monitor_channels` in the inventory, then `pq-server --apply`",
        )));
    }
    let mut well = true;
    for (name, taken) in tried {
        match taken {
            Ok(()) => {
                out(&format!("{name}: taken\n"))?;
            }
            Err(why) => {
                well = false;
                report(&Diagnostic::new(format!("`{name}` did not take the message")).cause(why));
            }
        }
    }
    Ok(if well { Status::Done } else { Status::Failed })
}

fn write(path: &Path, text: &str) -> Result<Status, Failure> {
    pq_store::replace_for(path, text.as_bytes(), 0o644).map_err(|error| {
        Failure::failed(
            Diagnostic::new(format!("cannot write `{}`", path.display())).cause(system_cause(&error)),
        )
    })?;
    Ok(Status::Done)
}

fn out(text: &str) -> Result<Status, Failure> {
    stdout().write_all(printable(text).as_bytes()).map_err(|error| Failure::output(&error))?;
    Ok(Status::Done)
}
