//! What a day of backups takes: pq-backup beside plain restic and the old way, on one machine. `PQ_ROUNDS` (5) and `PQ_SCALE` (1: 2 GB).

use std::process::ExitCode;

use pq_testkit::lab::{self, Image, Lab, Result, Suite};
use pq_tests::{TOOLS, tools};

const DAY: &str = include_str!("backup.py");

/// Where restic is on the machine.
const RESTIC: &str = "/usr/local/bin/restic";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-backup: error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let wish = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    let (rounds, scale) = (wish("PQ_ROUNDS", "5"), wish("PQ_SCALE", "1"));
    let lab = Lab::open()?;
    let machine = lab.boot("benchbackup", &Image::Base(Suite::Bookworm))?;
    for tool in TOOLS {
        machine.push(tools().join(tool), &format!("/usr/local/bin/{tool}"), "0755")?;
    }
    let sources = lab.serve()?;
    let install = format!(
        "apt-get update -qq && apt-get install -y -qq mariadb-server rsync curl bzip2 >/dev/null
         curl -sSf {sources}/github.com/restic/restic/restic.bz2 | bunzip2 > {RESTIC} && chmod 755 {RESTIC}"
    );
    machine.sh(&install)?.success()?;
    machine.write("/root/backup.py", DAY)?;
    let argv = ["python3", "/root/backup.py", rounds.as_str(), RESTIC, scale.as_str()];
    // It tells of each round as it ends.
    match machine.command(argv).attached()? {
        0 => Ok(()),
        status => Err(lab::Error::new(format!("`backup.py` ended with {status}"))),
    }
}
