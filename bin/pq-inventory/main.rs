//! `pq-inventory`: its command line is `pq_tools::inventory`.

use std::process::ExitCode;

fn main() -> ExitCode {
    pq_cli::run(pq_tools::inventory::run)
}
