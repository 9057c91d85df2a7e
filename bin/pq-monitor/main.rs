//! `pq-monitor`: its command line is `pq_tools::monitor`.

use std::process::ExitCode;

fn main() -> ExitCode {
    pq_cli::run(pq_tools::monitor::run)
}
