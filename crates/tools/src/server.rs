//! `pq-server`: plans the server base of every host, and looks after hosts that run.

use clap::Parser;
use pq_cli::{EXIT_STATUS, Failure};
use pq_plan::{Plan, Planner, Unused};
use pq_stream::{Diagnostic, Host, Status};

use crate::filter::{self, FilterArgs, Layer};
use crate::upkeep::Verb;
use crate::verbs;

/// Plan the server base: directories, locales, mail, firewall, updates, people who may log in
///
/// Reads the stream of pq-inventory and writes it on with the steps of each host. No machine is looked at, unless
/// the plan ends here with --check or --apply. The commands ask machines that run: those of the stream, or this one.
#[derive(Debug, Parser)]
#[command(
    name = "pq-server",
    version,
    after_help = EXIT_STATUS,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true
)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// Take away what earlier plans of the server base made and this one does not want; data stays
    #[arg(long)]
    remove_unused: bool,
    #[command(flatten)]
    filter: FilterArgs,
}

struct Server(Unused);

impl Layer for Server {
    fn plan(&self, planner: &Planner, host: &Host) -> Result<Plan, Diagnostic> {
        planner.server(host, self.0)
    }
}

/// Runs `pq-server`.
///
/// # Errors
/// Where the stream is not whole, a host cannot be planned, or nobody can be asked.
pub fn run() -> Result<Status, Failure> {
    let args: Args = verbs::parse();
    match args.verb {
        Some(verb) => verb.run(),
        None => filter::run(&args.filter, &mut Server(Unused::when(args.remove_unused))),
    }
}
