//! `pq-secret`: the encrypted files of an inventory, and the passwords that the tools derive.
//!
//! Always true here: a value stands neither in arguments nor in messages; it is printed by `show` and `get` alone.
//! Every file is written whole or not at all, and what was encrypted is opened again before anything plain goes away.

mod edit;
mod import_vault;
mod keeper;
mod keygen;
mod leftovers;
mod place;
mod rekey;
mod rotate;
mod seal;
mod show;
mod tree;
mod value;
mod who;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Parser, Subcommand};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::stat::{Mode, umask};
use pq_cli::{EXIT_STATUS, Failure, tell};
use pq_inventory::Document;
use pq_secrets::{ExposeSecret, SecretString};
use pq_stream::{Diagnostic, Status};

use self::keeper::Keys;

/// When the key was rotated.
const ROTATED: &str = "master_key_rotated";

/// Keep the secrets of an inventory
///
/// Secrets are variables in age files (`group_vars/all/secrets.yml.age`), encrypted to everybody who is listed in the
/// inventory's `.age-recipients`. A FILE is a path as you type it, or one below the inventory directory.
#[derive(Debug, Parser)]
#[command(name = "pq-secret", version, after_help = EXIT_STATUS)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    keys: Keys,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make an identity of your own, and print its recipient
    Keygen {
        /// Write it there (default: ~/.config/paquerette/identity.txt)
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Put the recipient into the inventory's .age-recipients
        #[arg(long)]
        add: bool,
        /// Whose it is, for the comment above it in .age-recipients
        #[arg(long, value_name = "TEXT", requires = "add")]
        comment: Option<String>,
    },
    /// Open an encrypted file in $VISUAL or $EDITOR, and encrypt it again
    Edit {
        /// The encrypted file; it is made where it does not exist
        file: PathBuf,
    },
    /// Set one value; it is read from standard input, or asked for on a terminal
    Set {
        /// The encrypted file; it is made where it does not exist
        file: PathBuf,
        /// The variable, as in `smtp_password` or `smtp.password`
        name: String,
        /// Draw that many letters and digits instead
        // A text: whatever stands there in error is not shown.
        #[arg(long, value_name = "LENGTH", num_args = 0..=1, default_missing_value = "32")]
        generate: Option<OsString>,
        /// Taken so that it can be refused without being shown
        #[arg(hide = true, allow_hyphen_values = true)]
        value: Vec<OsString>,
    },
    /// Print one value, and nothing else
    Get {
        /// The encrypted file
        file: PathBuf,
        /// The variable, as in `smtp_password` or `smtp.password`
        name: String,
    },
    /// Encrypt a plain file of variables: FILE becomes FILE.age
    Seal {
        /// The plain file
        file: PathBuf,
    },
    /// Print one derived password, and nothing else
    Show {
        /// Instance and name, as in `wiki/admin`, or `demo/wiki/admin` where several hosts have the instance
        #[arg(value_name = "[HOST/]ID/NAME")]
        name: String,
        /// Print what it was before the last `rotate`
        #[arg(long)]
        previous: bool,
    },
    /// Encrypt again, after .age-recipients has changed
    Rekey {
        /// Encrypted files (default: all of the inventory)
        files: Vec<PathBuf>,
    },
    /// Say who can open what
    Who {
        /// Encrypted files (default: all of the inventory)
        files: Vec<PathBuf>,
    },
    /// Draw a new `master_key`, and keep the old one until every host has applied
    Rotate {
        /// The encrypted file that holds it (default: the one of the inventory that does)
        file: Option<PathBuf>,
        /// Remove the old key; what `… --apply --json` or pq-apply wrote on each host is read from standard input
        #[arg(long)]
        finish: bool,
        /// Do not wait for this host: it is gone
        #[arg(long, value_name = "HOST", requires = "finish")]
        without: Vec<String>,
    },
    /// Move what ansible-vault encrypted into age files: whole files, and values inside plain ones
    ///
    /// The password is in the file that `--vault-password-file` names. A value inside a plain file becomes
    /// `vault_NAME` in the age file beside it, and a template that names this in its place. Before anything is
    /// changed, a copy of the inventory is, and must have the same values for every host.
    ImportVault {
        /// Files (default: all in group_vars and host_vars)
        files: Vec<PathBuf>,
    },
}

/// Runs `pq-secret`.
///
/// # Errors
/// Where a file, an identity or a name is not there or wrong; nothing was changed then.
pub fn run() -> Result<Status, Failure> {
    let Args { what, keys } = Args::parse();
    // Whatever is made on the way, by an editor too, is this user's alone.
    umask(Mode::from_bits_truncate(0o077));
    // Where files may not grow, writing them fails as on a full disk; nobody is killed, and leaves half a file.
    let _ = SigSet::from(Signal::SIGXFSZ).thread_block();
    match what {
        What::Keygen { output, add, comment } => keygen::run(&keys, output, add, comment.as_deref()),
        What::Edit { file } => edit::run(&keys, &file),
        What::Set { file, name, generate, value } => {
            value::no_argument(&name, &value)?;
            let generate = generate.map(|length| value::length(&length)).transpose()?;
            value::set(&keys, &file, &name, generate)
        }
        What::Get { file, name } => value::get(&keys, &file, &name),
        What::Seal { file } => seal::run(&keys, &file),
        What::Show { name, previous } => show::run(&keys, &name, previous),
        What::Rekey { files } => rekey::run(&keys, &files),
        What::Who { files } => who::run(&keys, &files),
        What::ImportVault { files } => import_vault::run(&keys, &files),
        What::Rotate { file, finish: false, .. } => rotate::begin(&keys, file.as_deref()),
        What::Rotate { file, finish: true, without } => rotate::finish(&keys, file.as_deref(), &without),
    }
}

/// An error in a text whose place tells where to look: `pq-secret edit` opens encrypted files alone.
fn to_look_at(mut error: Diagnostic, hint: &str) -> Diagnostic {
    for known in error.hints.iter_mut().filter(|hint| hint.contains("`pq-secret edit`")) {
        hint.clone_into(known);
        for cause in &mut error.causes {
            *cause = cause.replace("since the file is secret", "since secrets stand in the file");
        }
    }
    error
}

/// Says which values of a file are no texts for who reads it plain, and are texts as secrets: their names alone.
fn kinds(document: &Document, shown: &str) {
    let found = document.of_other_kinds();
    if found.is_empty() {
        return;
    }
    let named: Vec<String> = found.iter().map(|(name, kind)| format!("`{name}` ({kind})")).collect();
    say(&format!(
        "`{shown}`: what Ansible reads there as no text is from now on the text that stands there: {}",
        named.join(", ")
    ));
    say(
        "put what is meant as a number, a boolean or a date into a plain file; where the text is meant, put it in quotes",
    );
}

/// Prints a value and a line end.
fn print(value: &SecretString) -> Result<Status, Failure> {
    let value = value.expose_secret();
    let end = if value.ends_with('\n') { "" } else { "\n" };
    write!(io::stdout(), "{value}{end}").map_err(|error| Failure::output(&error))?;
    Ok(Status::Done)
}

/// Says something to the person at the terminal; data alone goes to standard output.
fn say(text: &str) {
    tell(&format!("pq-secret: {}\n", pq_cli::printable(text)));
}
