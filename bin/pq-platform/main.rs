//! `pq-platform`: its command line is `pq_tools::platform`.

use std::process::ExitCode;

fn main() -> ExitCode {
    pq_cli::run(pq_tools::platform::run)
}
