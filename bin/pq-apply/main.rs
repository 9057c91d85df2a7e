//! `pq-apply`: its command line is `pq_tools::apply`.

use std::process::ExitCode;

fn main() -> ExitCode {
    pq_cli::run(pq_tools::apply::run)
}
