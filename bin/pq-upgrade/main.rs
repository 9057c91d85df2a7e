//! `pq-upgrade`: its command line is `pq_tools::upgrade`.

use std::process::ExitCode;

fn main() -> ExitCode {
    pq_cli::run(pq_tools::upgrade::run)
}
