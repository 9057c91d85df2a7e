//! `pq-instance`: its command line is `pq_tools::instance`.

use std::process::ExitCode;

fn main() -> ExitCode {
    pq_cli::run(pq_tools::instance::run)
}
