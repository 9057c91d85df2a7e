//! `pq-instance`: plans the instances of applications.

use std::collections::BTreeSet;

use clap::{Parser, Subcommand};
use pq_cli::{EXIT_STATUS, Failure};
use pq_plan::{Choice, Data, Plan, Planner};
use pq_stream::{Diagnostic, Host, Status, nearest, valid_instance_id};

use crate::filter::{self, FilterArgs, Layer};
use crate::{recipes, verbs};

/// Plan instances: download, configure and start applications, each for itself
///
/// Reads the stream of pq-inventory and writes it on with the steps of each host, those of the platform that its
/// instances need among them. No machine is looked at, unless the plan ends here with --check or --apply. Of the commands, `remove`, `renew`
/// and `clean` are such planners, too; the others are about the recipes of applications, and read no stream.
///
/// The certificate of an instance is one of Let's Encrypt where its `tls` says nothing else. Until its names lead to the machine, it is
/// served with one of the machine's own authority, and the run says so.
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

/// What else it does.
#[derive(Debug, Subcommand)]
enum Verb {
    #[command(flatten)]
    Recipes(recipes::Verb),
    /// Take an instance away, which the inventory does not list any more or as `absent`
    ///
    /// A planner like `pq-instance` itself: it reads the stream, and what it writes is executed with --apply, or by pq-apply. Its
    /// site is closed, what runs stops, and all that paquerette made for it is taken away: code, user, units, jobs, certificate, site.
    /// Its data stays (what the application keeps, databases, logs), and with it its user; the same id in the inventory gets it back.
    /// Then the machine is searched for what is left of it. Each host of the stream is meant: choose them with `pq-inventory HOST`.
    #[command(after_help = EXIT_STATUS)]
    Remove(RemoveArgs),
    #[command(after_help = EXIT_STATUS)]
    Renew(RenewArgs),
    #[command(after_help = EXIT_STATUS)]
    Clean(CleanArgs),
}

#[derive(Debug, clap::Args)]
struct RemoveArgs {
    /// The instance
    #[arg(value_name = "ID")]
    id: String,
    /// Its data too: nothing brings it back but a backup
    #[arg(long)]
    with_data: bool,
    #[command(flatten)]
    filter: FilterArgs,
}

/// Ask for the public certificates of instances now, whatever was tried before
///
/// Reads the stream of pq-inventory and writes it on with the steps that ask: `pq-inventory prod | pq-instance renew wiki | pq-apply`.
/// It is told what the names lead to, what this machine answers at port 80 of each address, and what the authority says. An authority
/// takes few requests a week for the same names.
#[derive(Debug, clap::Args)]
struct RenewArgs {
    /// Ask for the certificates of these instances
    #[arg(value_name = "ID", required = true)]
    instances: Vec<String>,
    #[command(flatten)]
    filter: FilterArgs,
}

/// Take away what is past its time: old releases of instances, and what interrupted runs left of others
///
/// Reads the stream of pq-inventory and writes it on with the steps that do it; with --check it says what would go, and how large it is.
/// The release that is served stays, so many that were made before it (`old_releases`, 2 by default), and any that is newer. Only what the
/// machine's ledger has for an instance goes: what people put there stays, and so does all data, also that of an instance that was
/// removed (`pq-instance remove ID --with-data`). What is kept beside releases, `pq-server space` lists.
#[derive(Debug, clap::Args)]
struct CleanArgs {
    /// Clean only the instances of these applications, or with these ids (default: all)
    #[arg(value_name = "APP|ID")]
    instances: Vec<String>,
    #[command(flatten)]
    filter: FilterArgs,
}

struct Removal {
    id: String,
    data: Data,
}

impl Layer for Removal {
    fn plan(&self, planner: &Planner, host: &Host) -> Result<Plan, Diagnostic> {
        planner.removal(host, &self.id, self.data)
    }
}

/// What of instances is planned.
#[derive(Debug, Clone, Copy)]
enum Of {
    /// All.
    All,
    /// Their certificates, asked for now.
    Certificates,
    /// What is past its time.
    Past,
}

struct Instances {
    choice: Choice,
    /// What of them is meant.
    of: Of,
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
        match self.of {
            Of::All => planner.instances(host, &self.choice),
            Of::Certificates => planner.renewals(host, &self.choice),
            Of::Past => planner.clean(host, &self.choice),
        }
    }

    fn finish(&self) -> Result<(), Diagnostic> {
        known(&self.choice, &self.seen)
    }
}

/// Refuses a choice of what no host has; `seen` are their applications and ids.
///
/// # Errors
/// What is not there, with what may have been meant.
pub(crate) fn known(choice: &Choice, seen: &BTreeSet<String>) -> Result<(), Diagnostic> {
    let Some(wrong) = choice.names().iter().find(|name| !seen.contains(*name)) else {
        return Ok(());
    };
    let error = Diagnostic::new(format!("no host has an application or instance `{wrong}`"));
    Err(match nearest(wrong, seen) {
        Some(name) => error.hint(format!("did you mean `{name}`?")),
        None if seen.is_empty() => {
            error.hint("no host has any: list them in the inventory, as in `instances: [{ app: dokuwiki, id: wiki, domain: wiki.example.org }]`")
        }
        None => error.hint(format!("there are {}", seen.iter().cloned().collect::<Vec<_>>().join(", "))),
    })
}

/// Runs `pq-instance`.
///
/// # Errors
/// Where the stream is not whole, a host cannot be planned, or none has what was asked for.
pub fn run() -> Result<Status, Failure> {
    let args: Args = verbs::parse();
    match args.verb {
        Some(Verb::Recipes(verb)) => return verb.run(),
        Some(Verb::Remove(RemoveArgs { id, with_data, filter })) => {
            valid_instance_id(&id).map_err(|error| Failure::input(Diagnostic::from_error(&error)))?;
            let data = if with_data { Data::Goes } else { Data::Stays };
            return filter::run(&filter, &mut Removal { id, data });
        }
        Some(Verb::Renew(args)) => return plan(args.instances, Of::Certificates, &args.filter),
        Some(Verb::Clean(args)) => return plan(args.instances, Of::Past, &args.filter),
        None => {}
    }
    plan(args.instances, Of::All, &args.filter)
}

fn plan(instances: Vec<String>, of: Of, filter: &FilterArgs) -> Result<Status, Failure> {
    let mut layer = Instances { choice: Choice::new(instances), of, seen: BTreeSet::new() };
    filter::run(filter, &mut layer)
}
