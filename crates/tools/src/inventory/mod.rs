//! `pq-inventory`: the machines of an inventory directory, as the stream's first records.

mod explain;
mod held;
mod text;

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::time::SystemTime;

use clap::Parser;
use pq_cli::{EXIT_STATUS, Failure, Form, OutputArgs};
use pq_inventory::Inventory;
use pq_stream::{Diagnostic, Status, Writer};

use self::held::Held;

/// Say which machines there are and what they should carry
///
/// Reads an inventory directory in Ansible's layout (`hosts`, `group_vars/`, `host_vars/`, age files) and writes one
/// record a machine, with every variable resolved and its secrets sealed. No machine is looked at. When something is
/// wrong with one of the machines, nothing is written at all.
#[derive(Debug, Parser)]
#[command(version, after_help = EXIT_STATUS)]
struct Args {
    /// Hosts and groups: names, `web*`, `prod:!db`; every host when none is given
    #[arg(value_name = "PATTERN")]
    patterns: Vec<String>,
    /// Read the inventory in this directory (default: $PQ_INVENTORY, else ./inventory, else the current directory
    /// if it holds a file `hosts`)
    #[arg(short, long, value_name = "DIR")]
    inventory: Option<PathBuf>,
    /// Open age files with the identity in this file (default: $PQ_IDENTITY, else
    /// ~/.config/paquerette/identity.txt)
    #[arg(long, value_name = "FILE")]
    identity: Vec<PathBuf>,
    /// Write the whole inventory, unresolved, in the protocol of Ansible's dynamic inventories
    #[arg(long, conflicts_with_all = ["patterns", "host", "text"])]
    list: bool,
    /// Write the variables of one host, unresolved, in the same protocol
    #[arg(long, value_name = "NAME", conflicts_with_all = ["patterns", "text"])]
    host: Option<String>,
    /// Say where this variable is set for the hosts, which place wins, and what its templates read; also
    /// `smtp.host`, `instances[0].domain`
    #[arg(long, value_name = "NAME", conflicts_with_all = ["list", "host"])]
    explain: Option<String>,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs `pq-inventory`.
///
/// # Errors
/// Where something is wrong with the inventory or the command line.
pub fn run() -> Result<Status, Failure> {
    let args = Args::parse();
    let form = args.output.form()?;
    let directory = directory(args.inventory)?;
    let inventory = Inventory::open(&directory, pq_secrets::identity_files(&args.identity))?;
    let mut out = Held::new()?;
    if args.list {
        inventory.list::<Failure>(&mut out)?;
    } else if let Some(host) = &args.host {
        inventory.host::<Failure>(host, &mut out)?;
    } else if let Some(name) = &args.explain {
        let explanations = inventory.explain(name, &args.patterns)?;
        explain::demand(name, &explanations, &directory)?;
        let text = match form {
            Form::Json => explain::json(name, &explanations),
            Form::Text => explain::text(name, &explanations),
        };
        out.write_all(text.as_bytes())?;
    } else {
        match form {
            Form::Json => {
                let mut writer = Writer::new(&mut out);
                inventory.stream(&args.patterns, SystemTime::now(), |record| {
                    writer.write(&record).map_err(Failure::from)
                })?;
            }
            Form::Text => {
                let mut machines = text::Machines::default();
                inventory.stream(&args.patterns, SystemTime::now(), |record| {
                    machines.add(record);
                    Ok::<_, Failure>(())
                })?;
                out.write_all(machines.text().as_bytes())?;
            }
        }
    }
    // Where something is wrong, nothing is written: so only now.
    let written = match form {
        Form::Json => out.release(io::stdout().lock()),
        Form::Text => out.release(anstream::stdout()),
    };
    // The process ends here, and takes what was read with it: no need to do so piece by piece.
    std::mem::forget(inventory);
    written.map_err(|error| Failure::output(&error))?;
    Ok(Status::Done)
}

/// The inventory directory.
pub(crate) fn directory(given: Option<PathBuf>) -> Result<PathBuf, Failure> {
    let set = std::env::var_os("PQ_INVENTORY").filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(directory) = given.or(set) {
        return Ok(directory);
    }
    let beside = PathBuf::from("inventory");
    if beside.is_dir() {
        return Ok(beside);
    }
    let here = PathBuf::from(".");
    if here.join("hosts").is_file() {
        return Ok(here);
    }
    Err(Failure::input(
        Diagnostic::new("there is no inventory here")
            .cause("the current directory holds neither `inventory/` nor a file `hosts`")
            .hint("name one with `-i DIR`, or set `PQ_INVENTORY`"),
    ))
}
