//! `pq-backup`: backs this machine up, copies that away, restores it and proves that it can be; and has other machines do so.

mod hosts;
mod look;
mod rebuild;
mod row;
mod say;
mod shown;
mod words;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use clap::{Parser, Subcommand};
use pq_backup::{ETC, Kit, RunOptions, Session, Setup, Source, Teller, Unbegun, What};
use pq_cli::{EXIT_STATUS, Failure, Form, OutputArgs};
use pq_items::Span;
use pq_secrets::{Identities, KeyFiles};
use pq_stream::{Diagnostic, Status};

use say::{Mouth, Voice};

use crate::input;
use crate::upkeep::AskArgs;

/// Back this machine up, copy that away, restore it, and prove that it can be restored
///
/// What is backed up stands in /etc/paquerette/backup.d, where to and how long in /etc/paquerette/backup.yml; pq-server,
/// pq-platform and pq-instance write both. restic keeps it: encrypted, each piece once, readable without these tools.
///
/// Behind `pq-inventory HOST |` each command is done on the hosts of the stream, by the pq-backup that is installed there, several hosts at
/// a time: one that fails stops no other. Without a stream it is this machine. What a host restores stays on that host.
#[derive(Debug, Parser)]
#[command(name = "pq-backup", version, after_help = EXIT_STATUS, disable_help_subcommand = true)]
pub(crate) struct Args {
    /// Speak to the machine that asks, in records, until standard input ends
    #[arg(long, value_name = "WHO", hide = true)]
    remote: Option<String>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Back up every item, or those that are named
    ///
    /// Databases are dumped into the repository while they are read, then files follow. What fails is told, and stops no other
    /// item; a dump that is not whole leaves nothing that counts as a backup.
    #[command(after_help = EXIT_STATUS)]
    Run {
        /// The items: instances, `server`, `platform-mariadb`…
        items: Vec<String>,
        /// Say how large each is, what it will add and where it would go; write nothing
        #[arg(long)]
        check: bool,
        #[command(flatten)]
        begin: BeginArgs,
        #[command(flatten)]
        ask: AskArgs,
    },
    /// Say how old the backup of each item is, how large, when it was last verified and when a restore was last proven
    ///
    /// Asks no repository. The exit status is 3 where one is missing, too old, or failed last time.
    #[command(after_help = EXIT_STATUS)]
    Status {
        #[command(flatten)]
        ask: AskArgs,
    },
    /// List the backups of an item, or of all
    #[command(after_help = EXIT_STATUS)]
    List {
        /// The item
        item: Option<String>,
        #[command(flatten)]
        from: FromArgs,
        #[command(flatten)]
        kit: KitFile,
        #[command(flatten)]
        ask: AskArgs,
    },
    /// Find a file in the backups of an item
    #[command(after_help = EXIT_STATUS)]
    Find {
        /// The item
        item: String,
        /// Its name or path; `*` and `?` stand for others
        pattern: String,
        #[command(flatten)]
        from: FromArgs,
        #[command(flatten)]
        kit: KitFile,
        #[command(flatten)]
        ask: AskArgs,
    },
    /// Restore an item, or some paths of it, into a new directory, which it says
    ///
    /// Nothing that is there is touched. Databases come back as plain dumps. A file that is damaged is named, and the rest comes back.
    #[command(after_help = EXIT_STATUS)]
    Restore {
        /// The item
        item: String,
        /// These paths alone, as `pq-backup find` writes them
        paths: Vec<String>,
        /// The newest backup of this time (in UTC) or before: 2026-11-28, 2026-11-28T03:12, or a backup's name
        #[arg(long, value_name = "WHEN")]
        at: Option<String>,
        /// Its databases alone
        #[arg(long, conflicts_with_all = ["files_only", "paths"])]
        database_only: bool,
        /// Its files alone
        #[arg(long)]
        files_only: bool,
        /// Into this directory, which is not there yet or empty
        #[arg(long, value_name = "DIR", conflicts_with = "in_place")]
        into: Option<PathBuf>,
        /// Into its place: what is there is backed up first, and files that were there stay beside
        #[arg(long, conflicts_with = "kit")]
        in_place: bool,
        /// Into the place of this instance, which is installed and of the same application and version; as with `--in-place`
        #[arg(long = "as", value_name = "NEWID", conflicts_with_all = ["into", "kit"])]
        other: Option<String>,
        /// Do not ask before `--in-place` or `--as` on more than one host
        #[arg(short, long)]
        yes: bool,
        #[command(flatten)]
        from: FromArgs,
        #[command(flatten)]
        kit: KitFile,
        #[command(flatten)]
        begin: BeginArgs,
        #[command(flatten)]
        ask: AskArgs,
    },
    /// Copy what is in the repository of this machine to the other targets
    #[command(after_help = EXIT_STATUS)]
    Copy {
        #[command(flatten)]
        from: FromArgs,
        #[command(flatten)]
        begin: BeginArgs,
        #[command(flatten)]
        ask: AskArgs,
    },
    /// Read back a seventh of what is stored, another one each time, and compare it with its digests
    #[command(after_help = EXIT_STATUS)]
    Verify {
        /// Read back all of it
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        from: FromArgs,
        #[command(flatten)]
        begin: BeginArgs,
        #[command(flatten)]
        ask: AskArgs,
    },
    /// Take away backups that are past their time
    ///
    /// Of each item, the last backup of so many days, weeks and months stays, as /etc/paquerette/backup.yml or the item says.
    #[command(after_help = EXIT_STATUS)]
    Forget {
        /// Say what would go, and take nothing away
        #[arg(long)]
        check: bool,
        /// Do not ask before it is done on more than one host
        #[arg(short, long)]
        yes: bool,
        #[command(flatten)]
        from: FromArgs,
        #[command(flatten)]
        begin: BeginArgs,
        #[command(flatten)]
        ask: AskArgs,
    },
    /// Prove that an item can be restored: restore it aside, load its databases, compare, clean up
    ///
    /// Without a name it is the item whose last proof is the oldest.
    #[command(after_help = EXIT_STATUS)]
    Rehearse {
        /// The item
        item: Option<String>,
        #[command(flatten)]
        from: FromArgs,
        #[command(flatten)]
        begin: BeginArgs,
        #[command(flatten)]
        ask: AskArgs,
    },
    /// Write a page with all that it takes to restore this machine from nothing but a repository
    ///
    /// As text and as HTML, to print and to keep elsewhere. What opens the repositories is sealed in it for the age recipients of
    /// `backup_recovery_recipients`: this machine can write it and not open it. `--kit` of list, find and restore reads it.
    #[command(after_help = EXIT_STATUS)]
    RecoveryKit {
        /// Into this directory
        #[arg(long, value_name = "DIR", default_value = "/srv/paquerette/backups")]
        into: PathBuf,
        #[command(flatten)]
        begin: BeginArgs,
        #[command(flatten)]
        ask: AskArgs,
    },
    /// Fetch what is new in the repositories of the machines that this one keeps backups for
    ///
    /// `backup_peers` in the inventory names them. Each file is fetched once and compared with its digest, which is its name; nothing that is
    /// here is overwritten, and what a peer has no more stays here for `backup_peer_keep`. This machine cannot open any of it.
    #[command(after_help = EXIT_STATUS)]
    Peer {
        /// The peers
        peers: Vec<String>,
        /// Say what would be fetched, and fetch nothing
        #[arg(long)]
        check: bool,
        /// Say no more of what a peer lost until now: somebody has looked
        #[arg(long, conflicts_with = "check", requires = "peers")]
        accept: bool,
        #[command(flatten)]
        begin: BeginArgs,
        #[command(flatten)]
        ask: AskArgs,
    },
    /// Make this machine again what it was: its plan, and in it what its backups have
    ///
    /// Executes the plan of this machine, `pq-inventory HOST | pq-server | pq-platform | pq-instance | pq-backup rebuild`, or, where none is
    /// given, the plans that it kept and that are in its backup (`--kit`, `--plan-identity`), and puts what each
    /// item had in its newest backup into its place: certificates, files, databases, the machine's own people. Where it was interrupted, the
    /// same command goes on. What people have on the machine already is not overwritten; an instance that was here before it began is backed
    /// up first, and its files stay beside, as with `restore --in-place`.
    #[command(after_help = EXIT_STATUS)]
    Rebuild {
        #[command(flatten)]
        kit: KitArgs,
        /// Call this machine so from now on; its backups from here on are told by that name
        #[arg(long = "as", value_name = "NEWHOST")]
        name: Option<String>,
        #[command(flatten)]
        begin: BeginArgs,
        /// Read the passphrase of what is encrypted with one from this file
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
        /// Open the sealed secrets of the plan with the age identity in this file (default: $PQ_IDENTITY, else
        /// ~/.config/paquerette/identity.txt)
        #[arg(long, value_name = "FILE")]
        plan_identity: Vec<PathBuf>,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Give a peer that logged in the files of this machine's repository
    #[command(hide = true)]
    Serve,
    /// Dump a database to standard output
    #[command(hide = true)]
    Dump { source: String, scratch: PathBuf, report: PathBuf },
}

/// How something that writes begins.
#[derive(Debug, clap::Args)]
struct BeginArgs {
    /// Wait so long for a run in progress
    #[arg(long, value_name = "TIME", default_value = "3h", value_parser = span)]
    wait: Duration,
    /// Say nothing unless something is wrong, as cron wants it; a restore still says where it is
    #[arg(short, long)]
    quiet: bool,
}

impl BeginArgs {
    /// Begins, once nobody else is at work; with `machine`, nobody changes the machine meanwhile.
    fn session(&self, setup: Setup, machine: bool, voice: &mut Voice) -> Result<Session, Failure> {
        let words: Vec<String> = std::env::args().collect();
        let command = match words.get(1..3) {
            // Who sent it says more than how it is called there.
            Some([flag, who]) if flag == "--remote" => format!("{who}: {}", words[3..].join(" ")),
            _ => words.join(" "),
        };
        Session::begin(setup, &command, self.wait, machine, voice).map_err(|why| match why {
            Unbegun::Busy(why) => Failure::busy(why),
            Unbegun::Input(why) => Failure::input(why),
        })
    }
}

/// Which target is read.
#[derive(Debug, clap::Args)]
struct FromArgs {
    /// The target: one of those in /etc/paquerette/backup.yml
    #[arg(long, value_name = "NAME")]
    target: Option<String>,
}

/// What is read instead of this machine's own repositories, opened with `--identity`.
#[derive(Debug, clap::Args)]
struct KitFile {
    /// Read the repositories that this recovery kit opens, with the age identity in the file of `--identity`, and nothing of this machine
    #[arg(long, value_name = "FILE", requires = "identity")]
    kit: Option<PathBuf>,
}

impl KitFile {
    /// What is read.
    fn session(self, ask: &AskArgs, voice: &mut Voice) -> Result<Session, Failure> {
        let kit = KitArgs { kit: self.kit, identity: ask.identity.clone() };
        match kit.setup()? {
            Some(setup) => look(setup, voice),
            None => look(Setup::read(Path::new(ETC)).map_err(Failure::input)?, voice),
        }
    }
}

/// A recovery kit, and what opens it.
#[derive(Debug, clap::Args)]
struct KitArgs {
    /// Read the repositories that this recovery kit opens, and nothing of this machine
    #[arg(long, value_name = "FILE")]
    kit: Option<PathBuf>,
    /// Open the kit with the age identity in this file
    #[arg(long, value_name = "FILE", requires = "kit")]
    identity: Vec<PathBuf>,
}

impl KitArgs {
    /// The repositories of the kit, where one is named.
    fn setup(&self) -> Result<Option<Setup>, Failure> {
        let Some(kit) = &self.kit else { return Ok(None) };
        let identities = Identities::load(&self.identity)
            .map_err(|error| Failure::input(Diagnostic::from_error(&error)))?;
        Kit::open(kit, &identities).and_then(|kit| kit.setup()).map(Some).map_err(Failure::input)
    }
}

fn span(text: &str) -> Result<Duration, String> {
    Span::new(text).map(|span| Duration::from_secs(span.seconds()))
}

/// Runs `pq-backup`.
///
/// # Errors
/// Where nothing could be begun.
pub fn run() -> Result<Status, Failure> {
    let Args { remote, mut verb } = Args::parse();
    if let Verb::Dump { source, scratch, report } = &verb {
        let source: Source = serde_json::from_str(source)
            .map_err(|_| Failure::input(Diagnostic::new("`pq-backup dump` is for restic to call")))?;
        return pq_backup::dump(&source, scratch, report).map(|()| Status::Done).map_err(Failure::failed);
    }
    if remote.is_some() {
        return afar(verb);
    }
    if verb.changes() && verb.ask().is_some_and(|ask| !ask.here) && input::is_empty_pipe() {
        return Err(Failure::input(
            Diagnostic::new("no host came on standard input, which is a pipe")
                .cause("the command before it may have failed: what it should be about is not known")
                .hint("`--here` means this machine; nothing was touched"),
        ));
    }
    if let Some(ask) = verb.ask().filter(|ask| !ask.here).cloned()
        && input::names_hosts("`--here` is this machine")
    {
        let yes = verb.is_sure();
        match hosts::ask(verb, &ask, yes)? {
            Ok(status) => return Ok(status),
            Err(own) => verb = own,
        }
    }
    demand_root()?;
    let mouth = match verb.ask() {
        Some(ask) => Mouth::Here(ask.output.form()?),
        None => Mouth::Here(Form::Text),
    };
    verb.run(mouth)
}

fn demand_root() -> Result<(), Failure> {
    if rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let error = Diagnostic::new("only root can back up or restore a machine")
        .cause(format!("this runs as user {}", rustix::process::geteuid().as_raw()));
    Err(Failure::input(error.hint("put `sudo` before this command; nothing was touched")))
}

/// Does it for a machine that asks this one, and ends when that does not listen any more.
fn afar(verb: Verb) -> Result<Status, Failure> {
    // Who started this may wait for signals, and has them blocked: what is started here ends by them.
    let _ = nix::sys::signal::SigSet::all().thread_unblock();
    // Half an exchange is worse than one that nobody hears of.
    let exchanges = matches!(verb, Verb::Restore { .. }) && verb.changes();
    thread::spawn(move || {
        let mut chunk = [0; 256];
        while std::io::stdin().read(&mut chunk).is_ok_and(|read| read > 0) {}
        if exchanges {
            return;
        }
        // As the keys of a terminal would end it: with all that it has started.
        let own = rustix::process::getpid();
        let _ = match rustix::process::getpgrp() == own {
            true => rustix::process::kill_current_process_group(rustix::process::Signal::INT),
            false => rustix::process::kill_process(own, rustix::process::Signal::INT),
        };
    });
    match demand_root().and_then(|()| verb.run(Mouth::Afar)) {
        Err(Failure::Because(status, why)) => {
            let mut voice = Voice::of(Mouth::Afar, false);
            why.iter().for_each(|it| Teller::wrong(&mut voice, it));
            Ok(status)
        }
        other => other,
    }
}

impl Verb {
    /// Whom it is about, and how that is shown.
    fn ask(&self) -> Option<&AskArgs> {
        match self {
            Verb::Run { ask, .. }
            | Verb::Status { ask }
            | Verb::List { ask, .. }
            | Verb::Find { ask, .. }
            | Verb::Restore { ask, .. }
            | Verb::Copy { ask, .. }
            | Verb::Verify { ask, .. }
            | Verb::Forget { ask, .. }
            | Verb::Rehearse { ask, .. }
            | Verb::RecoveryKit { ask, .. }
            | Verb::Peer { ask, .. } => Some(ask),
            Verb::Rebuild { .. } | Verb::Serve | Verb::Dump { .. } => None,
        }
    }

    /// The recovery kit that it reads.
    fn kit(&self) -> Option<&Path> {
        match self {
            Verb::List { kit, .. } | Verb::Find { kit, .. } | Verb::Restore { kit, .. } => kit.kit.as_deref(),
            _ => None,
        }
    }

    /// Whether only what is wrong is said.
    fn is_quiet(&self) -> bool {
        match self {
            Verb::Run { begin, .. }
            | Verb::Restore { begin, .. }
            | Verb::Copy { begin, .. }
            | Verb::Verify { begin, .. }
            | Verb::Forget { begin, .. }
            | Verb::Rehearse { begin, .. }
            | Verb::RecoveryKit { begin, .. }
            | Verb::Peer { begin, .. } => begin.quiet,
            _ => false,
        }
    }

    /// Whether nobody is to be asked before more than one host is changed.
    fn is_sure(&self) -> bool {
        matches!(self, Verb::Restore { yes: true, .. } | Verb::Forget { yes: true, .. })
    }

    fn run(self, mouth: Mouth) -> Result<Status, Failure> {
        let setup = || Setup::read(Path::new(ETC)).map_err(Failure::input);
        let mut voice = Voice::of(mouth, false);
        let voice = &mut voice;
        match self {
            Verb::Run { items, check: true, .. } => look::forecast(&look(setup()?, voice)?, &items, voice),
            Verb::Run { items, begin, .. } => {
                let setup = setup()?;
                setup.named(&items).map_err(Failure::input)?;
                begun(setup, &begin, true, mouth, |session, voice| {
                    pq_backup::run(session, &RunOptions { items }, voice)
                })
            }
            Verb::Status { .. } => look::status(&look(setup()?, voice)?, voice),
            Verb::List { item, from, kit, ask } => {
                let session = kit.session(&ask, voice)?;
                look::list(&session, from.target.as_deref(), item.as_deref(), voice)
            }
            Verb::Find { item, pattern, from, kit, ask } => {
                let session = kit.session(&ask, voice)?;
                look::find(&session, from.target.as_deref(), &item, &pattern, voice)
            }
            Verb::Restore {
                item,
                paths,
                at,
                database_only,
                files_only,
                into,
                in_place,
                other,
                from,
                kit,
                begin,
                ask,
                ..
            } => {
                let what = What { item, at, paths, database_only, files_only, target: from.target, into };
                if in_place || other.is_some() {
                    return begun(setup()?, &begin, true, mouth, |session, voice| {
                        let placed = pq_backup::in_place(session, &what, other.as_deref(), voice)?;
                        voice.placed(&what, other.as_deref(), &placed);
                        Ok(if placed.failed.is_empty() { Status::Done } else { Status::Failed })
                    });
                }
                let session = kit.session(&ask, voice)?;
                let restored = pq_backup::restore(&session, &what, voice).map_err(Failure::failed)?;
                voice.restored(&what.item, &restored);
                voice.close("")?;
                Ok(if restored.failed.is_empty() { Status::Done } else { Status::Failed })
            }
            Verb::Copy { from, begin, .. } => begun(setup()?, &begin, false, mouth, |session, voice| {
                let (copied, failed) = pq_backup::copy(session, from.target.as_deref(), voice)?;
                voice.copied(&copied);
                failed.iter().for_each(|it| Teller::wrong(voice, it));
                Ok(if failed.is_empty() { Status::Done } else { Status::Failed })
            }),
            Verb::Verify { all, from, begin, .. } => {
                begun(setup()?, &begin, false, mouth, |session, voice| {
                    let well = pq_backup::verify(session, from.target.as_deref(), all, voice)?;
                    Ok(if well { Status::Done } else { Status::Failed })
                })
            }
            Verb::Forget { check, from, begin, .. } => {
                begun(setup()?, &begin, false, mouth, |session, voice| {
                    let gone = pq_backup::forget(session, from.target.as_deref(), check, voice)?;
                    voice.forgotten(&gone, check);
                    let any = check && gone.iter().any(|it| !it.gone.is_empty());
                    Ok(if any { Status::Differs } else { Status::Done })
                })
            }
            Verb::Rehearse { item, from, begin, .. } => {
                begun(setup()?, &begin, true, mouth, |session, voice| {
                    let proof = pq_backup::rehearse(session, item.as_deref(), from.target.as_deref(), voice)?;
                    voice.rehearsed(&proof);
                    Ok(if proof.wrong.is_empty() { Status::Done } else { Status::Failed })
                })
            }
            Verb::RecoveryKit { into, begin, .. } => {
                begun(setup()?, &begin, false, mouth, |session, voice| {
                    let written = pq_backup::write_kit(session, &into, voice)?;
                    voice.kit(&written);
                    Ok(if written.failed.is_empty() { Status::Done } else { Status::Failed })
                })
            }
            Verb::Rebuild { kit, name, begin, passphrase_file, plan_identity, output } => {
                let keys = KeyFiles::new(&plan_identity, &[], passphrase_file.as_deref());
                rebuild::run(&kit, name.as_deref(), &begin, &keys, &output)
            }
            Verb::Peer { peers, check, accept, begin, .. } => {
                begun(setup()?, &begin, false, mouth, |session, voice| {
                    if accept {
                        return pq_backup::accept_losses(session, &peers).map(|()| Status::Done);
                    }
                    let pulled = pq_backup::pull(session, &peers, check, voice)?;
                    voice.pulled(&pulled, check);
                    Ok(match pulled.iter().all(|it| it.wrong.is_empty()) {
                        false => Status::Failed,
                        true if check && pulled.iter().any(|it| it.files > 0) => Status::Differs,
                        true => Status::Done,
                    })
                })
            }
            Verb::Serve => {
                let (requests, answers) = (std::io::stdin().lock(), std::io::stdout().lock());
                pq_backup::serve(&setup()?, requests, answers).map_err(Failure::failed)?;
                Ok(Status::Done)
            }
            Verb::Dump { .. } => Ok(Status::Done),
        }
    }
}

fn look(setup: Setup, voice: &mut Voice) -> Result<Session, Failure> {
    setup.broken.iter().for_each(|it| Teller::wrong(voice, it));
    Session::look(setup).map_err(Failure::failed)
}

/// Does something that writes, alone.
fn begun(
    setup: Setup,
    begin: &BeginArgs,
    machine: bool,
    mouth: Mouth,
    act: impl FnOnce(&mut Session, &mut Voice) -> Result<Status, Diagnostic>,
) -> Result<Status, Failure> {
    let mut voice = Voice::of(mouth, begin.quiet);
    let mut session = begin.session(setup, machine, &mut voice)?;
    voice.begin(&session.setup.host)?;
    let ended = act(&mut session, &mut voice);
    let status = match &ended {
        Ok(status) => *status,
        Err(_) => Status::Failed,
    };
    voice.end(&session.setup.host, status)?;
    session.end();
    ended.map_err(Failure::failed)
}
