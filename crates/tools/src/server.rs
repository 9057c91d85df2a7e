//! `pq-server`: plans the server base of every host.

use clap::Parser;
use pq_cli::{EXIT_STATUS, Failure};
use pq_plan::{Plan, Planner};
use pq_stream::{Diagnostic, Host, Status};

use crate::filter::{self, FilterArgs, Layer};

/// Plan the server base: directories, locales, mail, firewall, updates, people who may log in
///
/// Reads the stream of pq-inventory and writes it on with the steps of each host. No machine is looked at, unless
/// the plan ends here with --check or --apply.
#[derive(Debug, Parser)]
#[command(name = "pq-server", version, after_help = EXIT_STATUS)]
pub(crate) struct Args {
    #[command(flatten)]
    filter: FilterArgs,
}

struct Server;

impl Layer for Server {
    fn plan(&self, planner: &Planner, host: &Host) -> Result<Plan, Diagnostic> {
        planner.server(host)
    }
}

/// Runs `pq-server`.
///
/// # Errors
/// Where the stream is not whole, or a host cannot be planned.
pub fn run() -> Result<Status, Failure> {
    filter::run(&Args::parse().filter, &mut Server)
}
