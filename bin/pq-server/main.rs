//! `pq-server`: its command line is `pq_tools::server`.

use std::process::ExitCode;

fn main() -> ExitCode {
    pq_cli::run(pq_tools::server::run)
}
