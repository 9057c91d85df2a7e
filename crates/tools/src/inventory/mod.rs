//! `pq-inventory`: the machines of an inventory directory, as the stream's first records.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::time::SystemTime;

use clap::Parser;
use pq_cli::{EXIT_STATUS, Failure, Form, OutputArgs, printable};
use pq_inventory::Inventory;
use pq_stream::{Connection, ConnectionKind, Diagnostic, Host, Record, Status, Writer};

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
    let input = |diagnostic: Box<Diagnostic>| Failure::input(*diagnostic);
    let inventory = Inventory::open(&directory, pq_secrets::identity_files(&args.identity)).map_err(input)?;
    let records = inventory.stream(&args.patterns, SystemTime::now()).map_err(input)?;
    write(form, &records).map_err(|error| Failure::output(&error))?;
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

fn write(form: Form, records: &[Record]) -> io::Result<()> {
    match form {
        Form::Json => {
            let mut writer = Writer::new(io::BufWriter::new(io::stdout().lock()));
            records.iter().try_for_each(|record| writer.write(record))?;
            writer.flush()
        }
        Form::Text => anstream::stdout().write_all(text(records).as_bytes()),
    }
}

/// The machines and their instances, for people.
fn text(records: &[Record]) -> String {
    let hosts: Vec<&Host> = records
        .iter()
        .filter_map(|record| match record {
            Record::Host(host) => Some(host),
            _ => None,
        })
        .collect();
    let width = hosts.iter().map(|host| host.host.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for host in &hosts {
        let groups = host.groups.iter().filter(|group| *group != "all").map(String::as_str);
        let groups = groups.collect::<Vec<_>>().join(" > ");
        let os = host.os.as_deref().unwrap_or("no `os`");
        let _ =
            writeln!(text, "{:width$}  {}  {os}  {groups}", host.host, reached(&host.connection, &host.host));
        for instance in &host.instances {
            let domain = instance.keys.get("domain").and_then(|domain| domain.as_str()).unwrap_or("");
            let (app, domain) = (instance.app.escape_debug(), domain.escape_debug());
            let _ = writeln!(text, "  {app} {}  {domain}", instance.id);
        }
        let unresolved = host.vars.values().filter(|value| value.get("unresolved").is_some()).count();
        if unresolved > 0 {
            let are = if unresolved == 1 { "variable" } else { "variables" };
            let _ = writeln!(text, "  {unresolved} {are} could not be resolved (`--json` says why)");
        }
    }
    let are = if hosts.len() == 1 { "host" } else { "hosts" };
    let _ = writeln!(text, "{} {are}; nothing was looked at, nothing changed", hosts.len());
    printable(&text)
}

fn reached(connection: &Connection, name: &str) -> String {
    match connection.kind {
        ConnectionKind::Local => "this machine".to_owned(),
        ConnectionKind::Ssh => {
            let user = connection.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
            let port = connection.port.map(|port| format!(":{port}")).unwrap_or_default();
            format!("ssh {user}{}{port}", connection.address.as_deref().unwrap_or(name))
        }
    }
}
