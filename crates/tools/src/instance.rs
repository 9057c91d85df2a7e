//! `pq-instance`: plans the instances of applications.

use std::collections::BTreeSet;

use clap::Parser;
use pq_cli::{EXIT_STATUS, Failure};
use pq_plan::{Choice, Plan, Planner};
use pq_stream::{Diagnostic, Host, Status, nearest};

use crate::filter::{self, FilterArgs, Layer};
use crate::recipes::Verb;

/// Plan instances: download, configure and start applications, each for itself
///
/// Reads the stream of pq-inventory and writes it on with the steps of each host, those of the platform that its
/// instances need among them. No machine is looked at, unless the plan ends here with --check or --apply. The commands are about
/// the recipes of applications, and read no stream.
#[derive(Debug, Parser)]
#[command(
    name = "pq-instance",
    version,
    after_help = EXIT_STATUS,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true
)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// Plan only the instances of these applications, or with these ids (default: all)
    #[arg(value_name = "APP|ID")]
    instances: Vec<String>,
    #[command(flatten)]
    filter: FilterArgs,
}

struct Instances {
    choice: Choice,
    /// Applications and ids of the hosts that came.
    seen: BTreeSet<String>,
}

impl Layer for Instances {
    fn sees(&mut self, host: &Host) {
        for instance in &host.instances {
            self.seen.extend([instance.app.clone(), instance.id.clone()]);
        }
    }

    fn plan(&self, planner: &Planner, host: &Host) -> Result<Plan, Diagnostic> {
        planner.instances(host, &self.choice)
    }

    fn finish(&self) -> Result<(), Diagnostic> {
        let Some(wrong) = self.choice.names().iter().find(|name| !self.seen.contains(*name)) else {
            return Ok(());
        };
        let error = Diagnostic::new(format!("no host has an application or instance `{wrong}`"));
        Err(match nearest(wrong, &self.seen) {
            Some(name) => error.hint(format!("did you mean `{name}`?")),
            None if self.seen.is_empty() => {
                error.hint("no host has any: list them in the inventory, as in `instances: [{ app: dokuwiki, id: wiki, domain: wiki.example.org }]`")
            }
            None => error.hint(format!("there are {}", self.seen.iter().cloned().collect::<Vec<_>>().join(", "))),
        })
    }
}

/// Runs `pq-instance`.
///
/// # Errors
/// Where the stream is not whole, a host cannot be planned, or none has what was asked for.
pub fn run() -> Result<Status, Failure> {
    let args = Args::parse();
    if let Some(verb) = args.verb {
        return verb.run();
    }
    let mut layer = Instances { choice: Choice::new(args.instances), seen: BTreeSet::new() };
    filter::run(&args.filter, &mut layer)
}
