//! `pq-inventory`: the machines of an inventory directory, as the stream's first records.

mod ansible;
pub(crate) mod declared;
mod explain;
mod facts;
mod held;
pub(crate) mod lint;
mod reveal;
mod text;

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::time::SystemTime;

use clap::{ArgGroup, Parser};
use nix::sys::stat::{Mode, umask};
use pq_cli::{EXIT_STATUS, Failure, Form, OutputArgs};
use pq_inventory::Inventory;
use pq_secrets::KeyFiles;
use pq_stream::{Diagnostic, Status, Writer};

use self::held::Held;

/// Say which machines there are and what they should carry
///
/// Reads an inventory directory in Ansible's layout (`hosts`, `group_vars/`, `host_vars/`, age files) and writes one
/// record a machine, with every variable resolved and its secrets sealed. No machine is looked at, unless `--facts` asks
/// them. When something is wrong with one of the machines, nothing is written at all.
#[derive(Debug, Parser)]
#[command(name = "pq-inventory", version, after_help = EXIT_STATUS)]
#[command(group(ArgGroup::new("revealing").args(["list", "host", "explain"])))]
pub(crate) struct Args {
    /// Hosts and groups: names, `web*`, `prod:!db`; every host when none is given
    #[arg(value_name = "PATTERN")]
    patterns: Vec<String>,
    /// Read the inventory in this directory (default: $PQ_INVENTORY, else ./inventory, else the current directory
    /// if it holds a file `hosts`, `hosts.yml` or `hosts.yaml`)
    #[arg(short, long, value_name = "DIR")]
    inventory: Option<PathBuf>,
    /// Open age files with the identity in this file (default: $PQ_IDENTITY, else
    /// ~/.config/paquerette/identity.txt)
    #[arg(long, value_name = "FILE")]
    identity: Vec<PathBuf>,
    /// Open what ansible-vault encrypted with the password in this file (default: $ANSIBLE_VAULT_PASSWORD_FILE)
    #[arg(long, visible_alias = "vault-id", value_name = "FILE")]
    vault_password_file: Vec<PathBuf>,
    /// Read the passphrase of what is encrypted with one from this file (default: $PQ_PASSPHRASE_FILE, else it is
    /// asked for on the terminal)
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// Write the whole inventory, unresolved, in the protocol of Ansible's dynamic inventories
    #[arg(long, conflicts_with_all = ["host", "text"])]
    list: bool,
    /// Write the variables of one host, unresolved, in the same protocol
    #[arg(long, value_name = "NAME", conflicts_with = "text")]
    host: Option<String>,
    /// Say where this variable is set for the hosts, which place wins, and what its templates read; also
    /// `smtp.host`, `instances[0].domain`
    #[arg(long, value_name = "NAME", conflicts_with_all = ["list", "host"])]
    explain: Option<String>,
    /// Say what is odd about the inventory: variables that nothing reads or that cannot be resolved, values that
    /// recipes refuse, files that nobody reads, secrets in clear; exit status 3 where there is something
    #[arg(long, conflicts_with_all = ["list", "host", "explain"])]
    lint: bool,
    /// With --list, --host or --explain, show the values of secrets in the places of their tokens
    #[arg(long, requires = "revealing")]
    reveal: bool,
    /// Let --reveal write secrets also into a pipe or a file
    #[arg(long, requires = "reveal")]
    yes: bool,
    /// Ask each machine what it is, over ssh, and add a record `facts`: os, architecture, memory, cores, mounts, versions
    /// of php and databases, instances. The machines are looked at, and nothing there is changed
    #[arg(long, conflicts_with_all = ["list", "host", "explain", "lint", "text"])]
    facts: bool,
    /// Take the facts from this file instead: a stream that was written with --facts
    #[arg(long, value_name = "FILE", conflicts_with_all = ["facts", "list", "host", "explain", "lint", "text"])]
    facts_from: Option<PathBuf>,
    /// With --facts, ask so many machines at a time
    #[arg(short, long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    jobs: u16,
    /// With --facts, ask on the terminal for the password that sudo wants on the hosts whose inventory has none
    #[arg(short = 'K', long)]
    ask_become_pass: bool,
    /// Show every variable of each machine, and where it is set (text)
    #[arg(short, long, action = clap::ArgAction::Count, conflicts_with_all = ["list", "host", "explain", "lint"])]
    verbose: u8,
    #[command(flatten)]
    output: OutputArgs,
}

impl Args {
    /// Where facts come from, where they are wanted.
    fn facts_source(&self) -> Option<facts::Source> {
        if let Some(file) = &self.facts_from {
            return Some(facts::Source::File(file.clone()));
        }
        let mut options = vec![format!("--jobs={}", self.jobs).into()];
        options.extend(self.ask_become_pass.then(|| "--ask-become-pass".into()));
        let files = self.identity.iter().map(|file| ("--identity", file));
        for (option, file) in files.chain(self.passphrase_file.iter().map(|file| ("--passphrase-file", file)))
        {
            options.extend([option.into(), file.into()]);
        }
        self.facts.then_some(facts::Source::Machines(options))
    }
}

/// Runs `pq-inventory`.
///
/// # Errors
/// Where something is wrong with the inventory or the command line.
pub fn run() -> Result<Status, Failure> {
    let args = Args::parse();
    // The file in which output may wait is this user's alone.
    umask(Mode::from_bits_truncate(0o077));
    let form = args.output.form()?;
    let secrets = reveal::secrets(args.reveal, args.yes)?;
    demand_no_pattern(&args)?;
    let directory = directory(args.inventory.clone())?;
    let mut status = Status::Done;
    let keys = KeyFiles::new(&args.identity, &args.vault_password_file, args.passphrase_file.as_deref());
    let inventory = Inventory::open(&directory, keys.clone())?;
    let mut out = Held::new(secrets);
    if args.list {
        inventory.list::<Failure>(secrets, &mut out)?;
    } else if let Some(host) = &args.host {
        inventory.host::<Failure>(host, secrets, &mut out)?;
    } else if let Some(name) = &args.explain {
        let explanations = inventory.explain(name, &args.patterns, secrets)?;
        explain::demand(name, &explanations, &directory)?;
        let text = match form {
            Form::Json => explain::json(name, &explanations),
            Form::Text => explain::text(name, &explanations),
        };
        out.write_all(text.as_bytes())?;
    } else if args.lint {
        let findings = lint::findings(&inventory, &directory)?;
        if !findings.is_empty() {
            status = Status::Differs;
        }
        let text = match form {
            Form::Json => lint::json(&findings),
            Form::Text => lint::text(&findings),
        };
        out.write_all(text.as_bytes())?;
    } else if let Some(source) = args.facts_source() {
        let mut lines = Vec::new();
        inventory.stream(&args.patterns, SystemTime::now(), |line| {
            lines.push(line.to_owned());
            Ok::<_, Failure>(())
        })?;
        for line in facts::added(lines, &source)? {
            Writer::new(&mut out).copy(&line)?;
        }
    } else {
        match form {
            Form::Json => {
                let mut writer = Writer::new(&mut out);
                inventory.stream(&args.patterns, SystemTime::now(), |line| {
                    writer.copy(line).map_err(Failure::from)
                })?;
            }
            Form::Text => {
                let mut machines = text::Machines::new(args.verbose > 0);
                for record in inventory.looks(&args.patterns, SystemTime::now())? {
                    machines.add(record);
                }
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
    Ok(status)
}

/// Refuses patterns where they would choose nothing.
fn demand_no_pattern(args: &Args) -> Result<(), Failure> {
    let Some(pattern) = args.patterns.first() else { return Ok(()) };
    let (option, cause, hint) = if args.list {
        (
            "--list",
            "it writes the whole inventory, as its protocol asks",
            "Ansible chooses hosts with `--limit`",
        )
    } else if args.host.is_some() {
        ("--host", "it writes the variables of one host", "run it for each host")
    } else if args.lint {
        ("--lint", "what only some hosts read would be odd for the others", "leave the pattern out")
    } else {
        return Ok(());
    };
    let error = Diagnostic::new(format!("`{option}` takes no pattern: `{}`", pattern.escape_debug()));
    Err(Failure::input(error.cause(cause).hint(hint)))
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
    if Inventory::is_in(&here) {
        return Ok(here);
    }
    Err(Failure::input(
        Diagnostic::new("there is no inventory here")
            .cause("the current directory holds neither `inventory/` nor a file `hosts`")
            .hint("name one with `-i DIR`, or set `PQ_INVENTORY`"),
    ))
}
