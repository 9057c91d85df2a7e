//! `pq-server packages`, `space` and `query`: what machines that run say of themselves, as a table or as records.
//!
//! Always true here: each host of the stream gets its own verdict, and those that gave no answer are told of on standard
//! error: one that cannot be reached (75) apart from one that failed (1).

mod packages;
mod query;
mod space;

use std::io::{IsTerminal, Write as _, stdin, stdout};
use std::path::PathBuf;
use std::time::SystemTime;

use clap::{Args, Subcommand};
use pq_cli::{EXIT_STATUS, Failure, Form, OutputArgs};
use pq_fleet::{Answer, Asked, Crew};
use pq_secrets::KeyFiles;
use pq_stream::{
    Connection, ConnectionKind, Diagnostic, End, FORMAT, Host, Record, Run, Status, Writer, utc,
};

/// What machines that run are asked.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Say what apt would upgrade, security first; with --apply, upgrade it
    ///
    /// Says of each host which packages have a newer version, what is held back, how old apt's lists are, which
    /// services still run on files that were replaced, and whether the host should be booted anew. Only reads: the
    /// exit status is 3 where --apply would do something.
    ///
    /// With --apply it fetches apt's lists, upgrades (configuration files that people changed stay, and an upgrade
    /// that would remove a package is refused), restarts services that still run on the old files, and looks whether
    /// what ran before runs and whether the instances of the inventory that answered before still answer. What cannot
    /// be restarted without harm is listed instead. The host is never booted.
    #[command(after_help = EXIT_STATUS)]
    Packages(packages::Args),
    /// Say what paquerette keeps so that nothing is lost: old releases, files of earlier runs, `.new` files
    ///
    /// Says of each host where it is, whose it is, how old and how large (what is allocated on the disk), the largest
    /// first. Only reads, and follows no link.
    #[command(after_help = EXIT_STATUS)]
    Space(AskArgs),
    /// Say what is installed where: instances, versions, domains, sizes, certificates, components
    ///
    /// Says it of each host as its own files have it, beside what the inventory wants. Only reads.
    #[command(after_help = EXIT_STATUS)]
    Query(AskArgs),
}

impl Verb {
    /// Runs it.
    ///
    /// # Errors
    /// Where nobody can be asked.
    pub fn run(self) -> Result<Status, Failure> {
        match self {
            Verb::Packages(args) => packages::tell(&args),
            Verb::Space(args) => space::tell(&args),
            Verb::Query(args) => query::tell(&args),
        }
    }
}

/// Whom to ask, and how.
#[derive(Debug, Clone, Args)]
pub(crate) struct AskArgs {
    /// This machine, and read no stream; so it is also where standard input is a terminal
    #[arg(long)]
    pub(crate) here: bool,
    /// Open the sealed secrets with the age identity in this file (default: $PQ_IDENTITY, else
    /// ~/.config/paquerette/identity.txt)
    #[arg(long, value_name = "FILE")]
    pub(crate) identity: Vec<PathBuf>,
    /// Read the passphrase of what is encrypted with one from this file (default: $PQ_PASSPHRASE_FILE, else it is
    /// asked for on the terminal)
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Ask so many hosts at a time
    #[arg(short, long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    jobs: u16,
    /// Ask on the terminal for the password that sudo wants on the hosts whose inventory has none
    #[arg(short = 'K', long)]
    ask_become_pass: bool,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Who is asked.
pub(crate) struct Asking {
    pub(crate) run: Run,
    pub(crate) hosts: Vec<Asked>,
    pub(crate) keys: KeyFiles,
    pub(crate) crew: Crew,
    pub(crate) form: Form,
}

impl Asking {
    /// The hosts of the stream on standard input, or this machine; `yes`: nobody is asked before several are changed.
    ///
    /// # Errors
    /// Where the stream is none, or this machine is to be asked by somebody who is not root.
    pub fn read(args: &AskArgs, yes: bool) -> Result<Self, Failure> {
        let (run, hosts) = match args.here || stdin().is_terminal() {
            true => (nobodys_run(), vec![Asked::new(this_host(), None)]),
            false => {
                let work = pq_run::read(stdin().lock()).map_err(|error| {
                    Failure::input(error.hint("without a stream, `--here` asks this machine"))
                })?;
                let hosts = work.hosts.into_iter().map(|it| Asked::new(it.host, it.secret)).collect();
                (work.run, hosts)
            }
        };
        if hosts.is_empty() {
            let error = Diagnostic::new("there is nobody to ask: the stream holds no host");
            return Err(Failure::input(error.hint("name hosts that there are: `pq-inventory` lists them")));
        }
        let here = hosts.iter().any(|it| it.host.connection.kind == ConnectionKind::Local);
        if here && !rustix::process::geteuid().is_root() {
            let error = Diagnostic::new("only root can look at a whole machine")
                .cause(format!("this runs as user {}", rustix::process::geteuid().as_raw()));
            return Err(Failure::input(error.hint("put `sudo` before this command; nothing was touched")));
        }
        Ok(Asking {
            run,
            hosts,
            keys: KeyFiles::new(&args.identity, &[], args.passphrase_file.as_deref()),
            crew: Crew { jobs: args.jobs.into(), max_fail: None, yes, ask_become_pass: args.ask_become_pass },
            form: args.output.form()?,
        })
    }

    /// Writes the answers: each as `text` shows it, or as its `record`, with a verdict for each host. `status` is what follows of one.
    ///
    /// # Errors
    /// Where they cannot be written.
    fn write<T>(
        &self,
        answers: Vec<Answer<T>>,
        text: impl Fn(&T) -> String,
        record: impl Fn(T) -> Record,
        status: impl Fn(&T) -> Status,
    ) -> Result<Status, Failure> {
        let verdict = |answer: &Answer<T>| answer.as_ref().map_or_else(|status| *status, &status);
        let worst = answers.iter().map(verdict).max().unwrap_or_default();
        let mut out = stdout().lock();
        if self.form == Form::Text {
            let texts = answers.iter().flatten().map(text).collect::<Vec<_>>().join("");
            out.write_all(texts.as_bytes())?;
            return Ok(worst);
        }
        let mut out = Writer::new(&mut out);
        out.write(&Record::Run(self.run.clone()))?;
        for (asked, answer) in self.hosts.iter().zip(answers) {
            let status = verdict(&answer);
            out.write(&Record::Host(asked.host.clone()))?;
            if let Ok(answer) = answer {
                out.write(&record(answer))?;
            }
            let host = Some(asked.host.host.clone());
            out.write(&Record::End(End { host, hosts: None, status, counts: None }))?;
        }
        out.write(&Record::End(End {
            host: None,
            hosts: Some(self.hosts.len()),
            status: worst,
            counts: None,
        }))?;
        Ok(worst)
    }
}

/// The first line of a stream that no inventory wrote.
pub(crate) fn nobodys_run() -> Run {
    Run { format: FORMAT, inventory: String::new(), digest: String::new(), time: utc(SystemTime::now()) }
}

/// This machine, of which no inventory says anything.
pub(crate) fn this_host() -> Host {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let connection = Connection { kind: ConnectionKind::Local, address: None, port: None, user: None };
    Host {
        host: name,
        groups: Vec::new(),
        connection,
        os: None,
        instances: Vec::new(),
        vars: serde_json::Map::new(),
        origins: Default::default(),
        facts: Default::default(),
    }
}

/// A number of things.
pub(crate) fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
