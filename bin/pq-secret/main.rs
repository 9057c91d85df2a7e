//! `pq-secret`: its command line is `pq_tools::secret`.

use std::process::ExitCode;

fn main() -> ExitCode {
    pq_cli::run(pq_tools::secret::run)
}
