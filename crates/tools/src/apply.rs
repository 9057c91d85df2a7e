//! `pq-apply`: executes the step list that comes on standard input.

use std::io::{IsTerminal, stdin};
use std::path::PathBuf;

use clap::Parser;
use pq_cli::{EXIT_STATUS, Failure, OutputArgs};
use pq_fleet::Crew;
use pq_run::{Mode, Options, Take, recover};
use pq_secrets::KeyFiles;
use pq_stream::{Diagnostic, Status};

/// Execute a step list, on this machine and over ssh on others
///
/// Reads the whole stream first: an incomplete one, a step it does not know or a missing secret, and nothing is
/// touched. Then it looks at each step, changes what differs, and looks again. Hosts whose connection is not local are
/// reached with the system's ssh, several at a time; root's rights are had there with sudo where the login is not root's.
#[derive(Debug, Parser)]
#[command(name = "pq-apply", version, after_help = EXIT_STATUS)]
pub(crate) struct Args {
    /// Say what differs, and change nothing
    #[arg(long)]
    check: bool,
    /// Say what runs left on the hosts and what is booked there, and look at no step: who is at work, what was killed or failed
    /// and not made good, transactions that are not finished, files that stay as somebody changed them
    #[arg(long, conflicts_with_all = ["check", "recover", "rollback"])]
    status: bool,
    /// Undo a transaction that is not finished, also one that is held; reads no step list
    #[arg(long, value_name = "ID", conflicts_with_all = ["check", "recover"])]
    rollback: Option<String>,
    /// Undo all transactions whose run died, as boot does; reads no step list
    #[arg(long, conflicts_with = "check")]
    recover: bool,
    /// Add the facts of the hosts to the stream
    #[arg(long, hide = true, conflicts_with_all = ["check", "recover", "rollback", "status"])]
    facts: bool,
    /// Execute what comes over ssh
    #[arg(long, hide = true, exclusive = true)]
    remote: bool,
    /// Save what an upgrade may spoil, bring it back, or look whether that is done
    #[arg(long, hide = true, exclusive = true, num_args = 1.., allow_hyphen_values = true)]
    saved: Vec<String>,
    #[command(flatten)]
    execution: ExecutionArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// The options of everything that executes a plan.
#[derive(Debug, Clone, clap::Args)]
pub struct ExecutionArgs {
    /// Ask every application whether it is well, also where nothing changed
    #[arg(long)]
    pub verify: bool,
    /// Execute only the steps whose ids fit this pattern, as in `wiki/*`; may be given several times
    #[arg(long, value_name = "PATTERN")]
    pub only: Vec<String>,
    /// Decide about a file that was changed by hand: `ours` puts there what the plan wants, `theirs` lets it be; PATH
    /// may be a glob, as in `/etc/nginx/**`
    #[arg(long, num_args = 2, value_names = ["ours|theirs", "PATH"], action = clap::ArgAction::Append)]
    pub take: Vec<String>,
    /// Go on with a transaction that was interrupted and is held; its plan must be the same
    #[arg(long, value_name = "ID")]
    pub resume: Vec<String>,
    /// Let what belongs to ID destroy data without a backup that was verified in this run
    #[arg(long, value_name = "ID")]
    pub allow_data_loss: Vec<String>,
    /// Open the sealed secrets with the age identity in this file (default: $PQ_IDENTITY, else
    /// ~/.config/paquerette/identity.txt)
    #[arg(long, value_name = "FILE")]
    pub identity: Vec<PathBuf>,
    /// Read the passphrase of what is encrypted with one from this file (default: $PQ_PASSPHRASE_FILE, else it is
    /// asked for on the terminal)
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
    /// Work on so many hosts at a time
    #[arg(short, long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: u16,
    /// Begin no further host once so many have failed or could not be reached
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub max_fail: Option<u16>,
    /// Do not ask before more than one host is changed
    #[arg(short, long)]
    pub yes: bool,
    /// Ask on the terminal for the password that sudo wants on the hosts whose inventory has none
    #[arg(short = 'K', long)]
    pub ask_become_pass: bool,
    /// Tell also what is as wanted; may be given several times, and then tells no more
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

impl ExecutionArgs {
    /// The decisions about files that were changed by hand.
    fn take(&self) -> Result<Take, Failure> {
        let mut take = Take::default();
        for pair in self.take.chunks_exact(2) {
            match pair[0].as_str() {
                "ours" => take.ours.push(pair[1].clone()),
                "theirs" => take.theirs.push(pair[1].clone()),
                other => {
                    let other = other.escape_debug();
                    let error = Diagnostic::new(format!("`--take` is `ours` or `theirs`, not `{other}`"));
                    return Err(Failure::input(error.hint("as in `--take ours /etc/nginx/nginx.conf`")));
                }
            }
        }
        Ok(take)
    }

    /// The options of an execution.
    ///
    /// # Errors
    /// Where `PQ_OUTPUT` is wrong.
    pub fn options(&self, mode: Mode, output: &OutputArgs) -> Result<Options, Failure> {
        Ok(Options {
            mode,
            verify: self.verify,
            only: self.only.clone(),
            take: self.take()?,
            resume: self.resume.clone(),
            data_loss: self.allow_data_loss.clone(),
            keys: KeyFiles::new(&self.identity, &[], self.passphrase_file.as_deref()),
            form: output.form()?,
            verbose: self.verbose > 0,
        })
    }

    /// How several hosts are worked on.
    pub fn crew(&self) -> Crew {
        Crew {
            jobs: self.jobs.into(),
            max_fail: self.max_fail.map(usize::from),
            yes: self.yes,
            ask_become_pass: self.ask_become_pass,
        }
    }
}

/// Runs `pq-apply`.
///
/// # Errors
/// Where the plan cannot be executed at all.
pub fn run() -> Result<Status, Failure> {
    let args = Args::parse();
    if !args.saved.is_empty() {
        return pq_backup::saved(&args.saved).map(|()| Status::Done).map_err(Failure::failed);
    }
    if args.recover || args.rollback.is_some() {
        let command = std::env::args().collect::<Vec<_>>().join(" ");
        return recover(args.rollback.as_deref(), &command);
    }
    if args.remote {
        return pq_fleet::serve();
    }
    if stdin().is_terminal() {
        return Err(Failure::input(
            Diagnostic::new("there is no step list: standard input is a terminal")
                .hint("type `pq-inventory prod | pq-instance | pq-apply`"),
        ));
    }
    let keys = KeyFiles::new(&args.execution.identity, &[], args.execution.passphrase_file.as_deref());
    if args.facts {
        return crate::facts::tell(&keys, &args.execution.crew());
    }
    if args.status {
        return crate::status::tell(&keys, &args.execution.crew(), args.output.form()?);
    }
    let mode = if args.check { Mode::Check } else { Mode::Apply };
    let options = args.execution.options(mode, &args.output)?;
    let plan = pq_fleet::read(stdin().lock(), &options).map_err(Failure::input)?;
    pq_fleet::execute(plan, &options, &args.execution.crew())
}
