//! `pq-platform`: plans the components that the instances of every host stand on.

use clap::Parser;
use pq_cli::{EXIT_STATUS, Failure};
use pq_plan::{Plan, Planner, Unused};
use pq_stream::{Diagnostic, Host, Status};

use crate::filter::{self, FilterArgs, Layer};

/// Plan the platform: web server, PHP, Python, databases, as each host wants them
///
/// Reads the stream of pq-inventory and writes it on with the steps of each host. The host's variable `platform`
/// names components that no instance needs. No machine is looked at, unless the plan ends here with --check or
/// --apply.
#[derive(Debug, Parser)]
#[command(name = "pq-platform", version, after_help = EXIT_STATUS)]
pub(crate) struct Args {
    /// Take away the components, and parts of them, that neither an instance nor `platform` wants any more; data stays
    #[arg(long)]
    remove_unused: bool,
    #[command(flatten)]
    filter: FilterArgs,
}

struct Platform(Unused);

impl Layer for Platform {
    fn plan(&self, planner: &Planner, host: &Host) -> Result<Plan, Diagnostic> {
        planner.platform(host, self.0)
    }
}

/// Runs `pq-platform`.
///
/// # Errors
/// Where the stream is not whole, or a host cannot be planned.
pub fn run() -> Result<Status, Failure> {
    let args = Args::parse();
    filter::run(&args.filter, &mut Platform(Unused::when(args.remove_unused)))
}
