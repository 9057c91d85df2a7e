//! `pq-backup`: its command line is `pq_tools::backup`.

use std::process::ExitCode;

fn main() -> ExitCode {
    pq_cli::run(pq_tools::backup::run)
}
