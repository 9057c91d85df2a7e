//! `pq-backup`: backs this machine up, copies that away, restores it and proves that it can be.

mod rebuild;
mod say;
mod shown;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Parser, Subcommand};
use pq_backup::{ETC, Kit, RunOptions, Session, Setup, Source, Unbegun, What};
use pq_cli::{EXIT_STATUS, Failure, OutputArgs};
use pq_items::Span;
use pq_secrets::{Identities, KeyFiles};
use pq_stream::{Diagnostic, Status};

use say::Voice;

/// Back this machine up, copy that away, restore it, and prove that it can be restored
///
/// What is backed up stands in /etc/paquerette/backup.d, where to and how long in /etc/paquerette/backup.yml; pq-server,
/// pq-platform and pq-instance write both. restic keeps it: encrypted, each piece once, readable without these tools.
#[derive(Debug, Parser)]
#[command(name = "pq-backup", version, after_help = EXIT_STATUS, disable_help_subcommand = true)]
pub(crate) struct Args {
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
        output: OutputArgs,
    },
    /// Say how old the backup of each item is, how large, when it was last verified and when a restore was last proven
    ///
    /// Asks no repository. The exit status is 3 where one is missing, too old, or failed last time.
    #[command(after_help = EXIT_STATUS)]
    Status {
        #[command(flatten)]
        output: OutputArgs,
    },
    /// List the backups of an item, or of all
    #[command(after_help = EXIT_STATUS)]
    List {
        /// The item
        item: Option<String>,
        #[command(flatten)]
        from: FromArgs,
        #[command(flatten)]
        kit: KitArgs,
        #[command(flatten)]
        output: OutputArgs,
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
        kit: KitArgs,
        #[command(flatten)]
        output: OutputArgs,
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
        #[command(flatten)]
        from: FromArgs,
        #[command(flatten)]
        kit: KitArgs,
        #[command(flatten)]
        begin: BeginArgs,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Copy what is in the repository of this machine to the other targets
    #[command(after_help = EXIT_STATUS)]
    Copy {
        #[command(flatten)]
        from: FromArgs,
        #[command(flatten)]
        begin: BeginArgs,
        #[command(flatten)]
        output: OutputArgs,
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
        output: OutputArgs,
    },
    /// Take away backups that are past their time
    ///
    /// Of each item, the last backup of so many days, weeks and months stays, as /etc/paquerette/backup.yml or the item says.
    #[command(after_help = EXIT_STATUS)]
    Forget {
        /// Say what would go, and take nothing away
        #[arg(long)]
        check: bool,
        #[command(flatten)]
        from: FromArgs,
        #[command(flatten)]
        begin: BeginArgs,
        #[command(flatten)]
        output: OutputArgs,
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
        output: OutputArgs,
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
        output: OutputArgs,
    },
    /// Make this machine again what it was: the plan on standard input, and in it what its backups have
    ///
    /// Executes the plan of this machine, `pq-inventory HOST | pq-server | pq-platform | pq-instance | pq-backup rebuild`, and puts what each
    /// item had in its newest backup into its place: certificates, files, databases, the machine's own people. Where it was interrupted, the
    /// same command goes on. What people have on the machine already is not overwritten.
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
    /// Say nothing unless something is wrong, as cron wants it
    #[arg(short, long)]
    quiet: bool,
}

impl BeginArgs {
    /// Begins, once nobody else is at work; with `machine`, nobody changes the machine meanwhile.
    fn session(&self, setup: Setup, machine: bool, voice: &mut Voice) -> Result<Session, Failure> {
        let command = std::env::args().collect::<Vec<_>>().join(" ");
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

/// What is read instead of this machine's own repositories.
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
    /// What is read.
    fn session(&self) -> Result<Session, Failure> {
        match self.setup()? {
            Some(setup) => look(setup),
            None => look(Setup::read(Path::new(ETC)).map_err(Failure::input)?),
        }
    }

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
    let verb = Args::parse().verb;
    if let Verb::Dump { source, scratch, report } = &verb {
        let source: Source = serde_json::from_str(source)
            .map_err(|_| Failure::input(Diagnostic::new("`pq-backup dump` is for restic to call")))?;
        return pq_backup::dump(&source, scratch, report).map(|()| Status::Done).map_err(Failure::failed);
    }
    if !rustix::process::geteuid().is_root() {
        let error = Diagnostic::new("only root can back up or restore a machine")
            .cause(format!("this runs as user {}", rustix::process::geteuid().as_raw()));
        return Err(Failure::input(error.hint("put `sudo` before this command; nothing was touched")));
    }
    verb.run()
}

impl Verb {
    fn run(self) -> Result<Status, Failure> {
        let setup = || Setup::read(Path::new(ETC)).map_err(Failure::input);
        match self {
            Verb::Run { items, check: true, output, .. } => {
                let session = look(setup()?)?;
                let (found, rooms) = pq_backup::forecast(&session, &items).map_err(Failure::input)?;
                shown::forecast(&session, &found, &rooms, output.form()?)
            }
            Verb::Run { items, begin, output, .. } => {
                let setup = setup()?;
                setup.named(&items).map_err(Failure::input)?;
                begun(setup, &begin, true, &output, |session, voice| {
                    pq_backup::run(session, &RunOptions { items }, voice)
                })
            }
            Verb::Status { output } => shown::status(&look(setup()?)?, output.form()?),
            Verb::List { item, from, kit, output } => {
                let listed = pq_backup::list(&kit.session()?, from.target.as_deref(), item.as_deref());
                shown::list(&listed.map_err(Failure::failed)?, output.form()?)
            }
            Verb::Find { item, pattern, from, kit, output } => {
                let found = pq_backup::find(&kit.session()?, from.target.as_deref(), &item, &pattern);
                shown::found(&found.map_err(Failure::failed)?, output.form()?)
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
                output,
            } => {
                let what = What { item, at, paths, database_only, files_only, target: from.target, into };
                if in_place || other.is_some() {
                    return begun(setup()?, &begin, true, &output, |session, voice| {
                        let placed = pq_backup::in_place(session, &what, other.as_deref(), voice)?;
                        voice.placed(&what, other.as_deref(), &placed);
                        Ok(if placed.failed.is_empty() { Status::Done } else { Status::Failed })
                    });
                }
                let mut voice = Voice::new(output.form()?, false);
                let restored =
                    pq_backup::restore(&kit.session()?, &what, &mut voice).map_err(Failure::failed)?;
                voice.over();
                shown::restored(&what.item, &restored, output.form()?)
            }
            Verb::Copy { from, begin, output } => {
                begun(setup()?, &begin, false, &output, |session, voice| {
                    let (copied, failed) = pq_backup::copy(session, from.target.as_deref(), voice)?;
                    voice.copied(&copied);
                    failed.iter().for_each(|it| pq_backup::Teller::wrong(voice, it));
                    Ok(if failed.is_empty() { Status::Done } else { Status::Failed })
                })
            }
            Verb::Verify { all, from, begin, output } => {
                begun(setup()?, &begin, false, &output, |session, voice| {
                    let well = pq_backup::verify(session, from.target.as_deref(), all, voice)?;
                    Ok(if well { Status::Done } else { Status::Failed })
                })
            }
            Verb::Forget { check, from, begin, output } => {
                begun(setup()?, &begin, false, &output, |session, voice| {
                    let gone = pq_backup::forget(session, from.target.as_deref(), check, voice)?;
                    voice.forgotten(&gone, check);
                    let any = check && gone.iter().any(|it| !it.gone.is_empty());
                    Ok(if any { Status::Differs } else { Status::Done })
                })
            }
            Verb::Rehearse { item, from, begin, output } => {
                begun(setup()?, &begin, true, &output, |session, voice| {
                    let proof = pq_backup::rehearse(session, item.as_deref(), from.target.as_deref(), voice)?;
                    voice.rehearsed(&proof);
                    Ok(if proof.wrong.is_empty() { Status::Done } else { Status::Failed })
                })
            }
            Verb::RecoveryKit { into, begin, output } => {
                begun(setup()?, &begin, false, &output, |session, voice| {
                    let written = pq_backup::write_kit(session, &into, voice)?;
                    voice.kit(&written);
                    Ok(if written.failed.is_empty() { Status::Done } else { Status::Failed })
                })
            }
            Verb::Rebuild { kit, name, begin, passphrase_file, plan_identity, output } => {
                let keys = KeyFiles::new(&plan_identity, &[], passphrase_file.as_deref());
                rebuild::run(&kit, name.as_deref(), &begin, &keys, &output)
            }
            Verb::Dump { .. } => Ok(Status::Done),
        }
    }
}

fn look(setup: Setup) -> Result<Session, Failure> {
    setup.broken.iter().for_each(pq_cli::report);
    Session::look(setup).map_err(Failure::failed)
}

/// Does something that writes, alone.
fn begun(
    setup: Setup,
    begin: &BeginArgs,
    machine: bool,
    output: &OutputArgs,
    act: impl FnOnce(&mut Session, &mut Voice) -> Result<Status, Diagnostic>,
) -> Result<Status, Failure> {
    let mut voice = Voice::new(output.form()?, begin.quiet);
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
