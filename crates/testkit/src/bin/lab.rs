//! `lab`: disposable machines for people; tests use the library.

use std::io::{IsTerminal, stdin};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use pq_testkit::lab::{Error, Image, Lab, Result, Suite, lacks};

/// Boot, enter and throw away Debian machines
///
/// Each is a real Debian with real systemd (systemd-nspawn), with an address of its own on a bridge that leads nowhere
/// else. Images, machines and caches lie in /var/cache/paquerette-lab, or $PQ_LAB_DIR.
#[derive(Debug, Parser)]
#[command(
    name = "lab",
    after_help = "Exit status: 0 done, 1 failed, 2 bad command line; `exec` and `shell`: the command's."
)]
struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Boot a machine that stays until `down`, or make sure that it runs
    Up {
        /// Its hostname
        name: String,
        /// Boot this bare Debian: bullseye, bookworm or trixie
        #[arg(long, default_value = "bookworm", conflicts_with = "snapshot")]
        suite: String,
        /// Boot what `snapshot` kept under this name
        #[arg(long)]
        snapshot: Option<String>,
    },
    /// Open a root shell in a machine
    Shell {
        /// The machine
        name: String,
    },
    /// Run a command in a machine, as root
    Exec {
        /// The machine
        name: String,
        /// The command and its arguments
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
    /// Take a machine away, with its files
    Down {
        /// The machine
        #[arg(required_unless_present = "all")]
        name: Option<String>,
        /// All machines that stand, and then the bridge and what is served on it
        #[arg(long, conflicts_with = "name")]
        all: bool,
    },
    /// List machines and images
    Ls,
    /// Stop a machine for good and keep its files as an image to boot others on
    Snapshot {
        /// The machine
        name: String,
        /// The image's name
        r#as: String,
    },
    /// Remove a snapshot
    Forget {
        /// The snapshot
        name: String,
    },
    /// Serve the directory of sources over HTTP on the bridge, and print directory and URL
    Serve,
    /// Say what this computer lacks to run machines; exit 1 when it lacks anything
    Lacks,
}

fn main() -> ExitCode {
    match run(Args::parse().what) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("lab: error: {}", error.message);
            if let Some(cause) = error.cause {
                eprintln!("lab: cause: {cause}");
            }
            if let Some(hint) = error.hint {
                eprintln!("lab: hint: {hint}");
            }
            ExitCode::FAILURE
        }
    }
}

fn run(what: What) -> Result<u8> {
    if matches!(what, What::Lacks) {
        return Ok(say_lacks());
    }
    let lab = Lab::open()?;
    match what {
        What::Up { name, suite, snapshot } => {
            let image = match snapshot {
                Some(snapshot) => Image::Snapshot(snapshot),
                None => Image::Base(suite.parse::<Suite>()?),
            };
            let machine = lab.up(&name, &image)?;
            println!("{} {}", machine.name(), machine.ip());
        }
        What::Shell { name } => return shell(&lab, &name),
        What::Exec { name, command } => return exit_code(lab.machine(&name)?.command(command).attached()?),
        What::Down { name: Some(name), .. } => lab.down(&name)?,
        What::Down { name: None, .. } => lab.down_all()?,
        What::Ls => list(&lab)?,
        What::Snapshot { name, r#as } => {
            lab.machine(&name)?.snapshot(&r#as)?;
            println!("kept as `{as}`; `lab up {name} --snapshot {as}` boots it again", r#as = r#as);
        }
        What::Forget { name } => lab.forget(&name)?,
        What::Serve => println!("{} {}", lab.sources().display(), lab.serve()?),
        What::Lacks => {}
    }
    Ok(0)
}

fn say_lacks() -> u8 {
    let lacks = lacks();
    for lack in &lacks {
        println!("{lack}");
    }
    u8::from(!lacks.is_empty())
}

fn shell(lab: &Lab, name: &str) -> Result<u8> {
    let machine = lab.machine(name)?;
    let command = if stdin().is_terminal() {
        let term = std::env::var("TERM").unwrap_or_else(|_| "linux".to_owned());
        // `script` gives the shell a terminal that the machine knows.
        machine.command(["script", "-qec", "bash -l", "/dev/null"]).env("TERM", term)
    } else {
        machine.command(["bash", "-l"])
    };
    exit_code(command.attached()?)
}

fn list(lab: &Lab) -> Result<()> {
    for machine in lab.machines()? {
        let state = if machine.running { "running" } else { "off" };
        let whose = if machine.standing { "standing" } else { "a test's" };
        println!("{:<20} {:<12} {state:<8} {whose:<9} on {}", machine.name, machine.address, machine.image);
    }
    println!("images: {}", lab.images()?.join(" "));
    Ok(())
}

fn exit_code(code: i32) -> Result<u8> {
    u8::try_from(code).map_err(|_| Error::new(format!("the command ended with {code}")))
}
