//! `pq-upgrade`: brings instances to the versions of the inventory, and keeps the old version whole until the new one is proven.

mod outdated;
mod pin;

use std::collections::BTreeSet;
use std::io::stdin;
use std::sync::{Mutex, PoisonError};

use clap::{Parser, Subcommand};
use pq_cli::{EXIT_STATUS, Failure, Form, report, tell, tool_name};
use pq_items::Span;
use pq_plan::{Choice, Plan, Planner, Upgradable, Upgrading};
use pq_run::recover;
use pq_secrets::KeyFiles;
use pq_stream::{Diagnostic, Host, Reader, Status, system_cause};

use crate::filter::{self, FilterArgs, Layer};
use crate::{facts, instance, verbs};

/// Upgrade instances to the versions of the inventory, keeping the old one whole until the new one is proven
///
/// Reads the stream of pq-inventory, asks the machines which versions are installed unless the stream says so, and writes it on with the steps of
/// each hop: `pq-inventory prod | pq-upgrade wiki --check`, then --apply. A major version is never gone to unless `version` of the inventory says so.
///
/// All that is to be checked is checked, and all sources are fetched and verified, before anything stops. Then, hop by hop: nobody is served,
/// data is saved and read back, the new release takes over, migrates, starts, and is well; only then it answers for everybody. Where anything
/// fails, the old release, its data and its pages are brought back at once; who is killed is undone by the next run, and at boot.
#[derive(Debug, Parser)]
#[command(
    name = "pq-upgrade",
    version,
    after_help = EXIT_STATUS,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true
)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// Upgrade only the instances of these applications, or with these ids (default: all)
    #[arg(value_name = "APP|ID")]
    instances: Vec<String>,
    /// Upgrade this instance first, and the others only where that went well
    #[arg(long, value_name = "ID", requires = "apply")]
    first: Option<String>,
    /// Begin no further instance once so many have failed; they are upgraded one after the other then
    #[arg(long, value_name = "N", requires = "apply", value_parser = clap::value_parser!(u16).range(1..))]
    stop_after: Option<u16>,
    /// How long each step of a migration may take, as in `3h`, whatever its recipe says
    #[arg(long, value_name = "TIME", value_parser = |text: &str| Span::new(text))]
    migrate_limit: Option<Span>,
    /// Undo an upgrade that is not finished, also one that is held, on this machine; reads no stream
    #[arg(long, value_name = "ID", conflicts_with_all = ["check", "apply"])]
    rollback: Option<String>,
    #[command(flatten)]
    filter: FilterArgs,
}

/// What else it does.
#[derive(Debug, Subcommand)]
enum Verb {
    #[command(after_help = EXIT_STATUS)]
    Outdated(outdated::Args),
    #[command(after_help = EXIT_STATUS)]
    Pin(pin::Args),
}

/// Instances that are to be upgraded.
struct Upgrades {
    choice: Choice,
    /// Those that are not, for now.
    but: Option<String>,
    limit: Option<u64>,
    /// Whether what is written is executed elsewhere: there, nobody hears what is blocked.
    written: bool,
    /// Applications and ids of the hosts that came, and the names of the hosts.
    seen: BTreeSet<String>,
    hosts: Vec<String>,
    said: Mutex<Vec<(String, Upgrading)>>,
}

impl Layer for Upgrades {
    fn sees(&mut self, host: &Host) {
        self.hosts.push(host.host.clone());
        for instance in &host.instances {
            self.seen.extend([instance.app.clone(), instance.id.clone()]);
        }
    }

    fn plan(&self, planner: &Planner, host: &Host) -> Result<Plan, Diagnostic> {
        let mut host = host.clone();
        let without =
            host.instances.iter().filter(|it| self.choice.takes(it) && Some(&it.id) != self.but.as_ref());
        let ids: Vec<String> = without.map(|it| it.id.clone()).collect();
        host.facts.entry("instances").or_insert_with(|| serde_json::json!({}));
        if ids.is_empty() {
            return Ok(Plan::default());
        }
        let (plan, said) = planner.upgrades(&host, &Choice::new(ids), self.limit);
        let said = said.into_iter().map(|it| (host.host.clone(), it));
        self.said.lock().unwrap_or_else(PoisonError::into_inner).extend(said);
        Ok(plan)
    }

    fn finish(&self) -> Result<(), Diagnostic> {
        instance::known(&self.choice, &self.seen)?;
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.sort_by_key(|(host, _)| self.hosts.iter().position(|it| it == host));
        let mut blocked = None;
        for (host, it) in said.iter() {
            let (id, app) = (&it.id, &it.app);
            let line = match &it.state {
                Upgradable::Absent => "is not installed: `pq-instance` does that".to_owned(),
                Upgradable::There { is, beyond: None } => format!("is {app} {is} already"),
                Upgradable::There { is, beyond: Some(beyond) } => {
                    format!(
                        "is {app} {is} already; {beyond} is another major version, to which it goes with `version: \"{beyond}\"` in the inventory"
                    )
                }
                Upgradable::Through { is, hops, closed } => {
                    let how = if *closed {
                        "closed meanwhile: while its data is saved, while it migrates, and some 5 s"
                    } else {
                        "served meanwhile"
                    };
                    format!("{app} {is} → {}, {how}", hops.join(" → "))
                }
                Upgradable::Blocked(why) => {
                    blocked.get_or_insert_with(|| why.clone());
                    report(why);
                    "BLOCKED".to_owned()
                }
            };
            tell(&format!("{}: {id} on {host}: {line}\n", tool_name()));
        }
        match blocked.filter(|_| self.written) {
            Some(_) => Err(Diagnostic::new(
                "nothing is planned, since what is blocked would be missed by who executes it",
            )
            .hint("choose the others by name, or end the pipe here, with `--check` or `--apply`")),
            None => Ok(()),
        }
    }
}

impl Upgrades {
    fn is_blocked(&self) -> bool {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.iter().any(|(_, it)| matches!(it.state, Upgradable::Blocked(_)))
    }
}

/// Runs `pq-upgrade`.
///
/// # Errors
/// Where the stream is not whole, a machine gives no facts, or none has what was asked for.
pub fn run() -> Result<Status, Failure> {
    let args: Args = verbs::parse();
    match &args.verb {
        Some(Verb::Outdated(args)) => return outdated::tell(args),
        Some(Verb::Pin(args)) => return pin::tell_of(args),
        None => {}
    }
    if let Some(id) = &args.rollback {
        let command = std::env::args().collect::<Vec<_>>().join(" ");
        return recover(Some(id), &command);
    }
    filter::no_terminal()?;
    let execution = &args.filter.execution;
    let keys = KeyFiles::new(&execution.identity, &[], execution.passphrase_file.as_deref());
    let lines = with_facts(&keys, &execution.crew())?;
    let stream = lines.join("\n") + "\n";
    let one_by_one = args.first.is_some() || args.stop_after.is_some();
    if one_by_one && args.filter.output.form()? == Form::Json {
        let error = Diagnostic::new("what is done one after the other cannot be written as one stream");
        return Err(Failure::input(error.hint("give `--text` along with `--first` or `--stop-after`")));
    }
    let round = |names: Vec<String>, but: Option<String>| {
        let mut layer = Upgrades {
            choice: Choice::new(names),
            but,
            limit: args.migrate_limit.as_ref().map(Span::seconds),
            written: !args.filter.check && !args.filter.apply,
            seen: BTreeSet::new(),
            hosts: Vec::new(),
            said: Mutex::default(),
        };
        let status = filter::over(stream.as_bytes(), &args.filter, &mut layer)?;
        Ok::<_, Failure>(if layer.is_blocked() { status.max(Status::Input) } else { status })
    };
    let mut status = Status::Done;
    if let Some(first) = &args.first {
        status = round(vec![first.clone()], None)?;
        if status != Status::Done {
            tell(&format!("{}: `{first}` did not go well, so nothing else was begun\n", tool_name()));
            return Ok(status);
        }
    }
    let Some(most) = args.stop_after else {
        return Ok(status.max(round(args.instances.clone(), args.first.clone())?));
    };
    let choice = Choice::new(args.instances.clone());
    let (_, hosts) = facts::hosts(&lines)?;
    let all = hosts.iter().flat_map(|asked| &asked.host.instances).filter(|it| choice.takes(it));
    let ids: BTreeSet<String> =
        all.map(|it| it.id.clone()).filter(|id| Some(id) != args.first.as_ref()).collect();
    let mut failed = 0;
    for (at, id) in ids.iter().enumerate() {
        let ended = round(vec![id.clone()], None)?;
        status = status.max(ended);
        failed += u16::from(ended != Status::Done);
        if failed >= most && at + 1 < ids.len() {
            let left = ids.iter().skip(at + 1).cloned().collect::<Vec<_>>().join(", ");
            tell(&format!("{}: {failed} did not go well, so these were not begun: {left}\n", tool_name()));
            break;
        }
    }
    Ok(status)
}

/// The lines of the stream on standard input, with what the machines say of themselves.
fn with_facts(keys: &KeyFiles, crew: &pq_fleet::Crew) -> Result<Vec<String>, Failure> {
    let text = std::io::read_to_string(stdin().lock()).map_err(|error| {
        Failure::input(Diagnostic::new("cannot read the stream").cause(system_cause(&error)))
    })?;
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let mut reader = Reader::new(text.as_bytes());
    while reader.next_record().map_err(filter::broken)?.is_some() {}
    reader.finish().map_err(filter::broken)?;
    if lines.iter().any(|line| line.starts_with(r#"{"type":"facts""#)) {
        return Ok(lines);
    }
    match facts::hosts(&lines)? {
        (Some(run), hosts) if !hosts.is_empty() => {
            let mut facts = pq_fleet::facts(&run, &hosts, keys, crew)?;
            // What runs without them planned with stays as it is: a database is not set up otherwise by the way.
            facts
                .iter_mut()
                .for_each(|it| it.facts.retain(|name, _| ["instances", "os"].contains(&name.as_str())));
            facts::placed(lines, facts)
        }
        _ => Ok(lines),
    }
}
