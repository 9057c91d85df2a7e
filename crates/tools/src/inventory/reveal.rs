//! `pq-inventory --reveal`: whether secrets may be shown, and that it is said.

use std::io::{IsTerminal, stdout};

use pq_cli::{Failure, tell, tool_name};
use pq_inventory::Secrets;
use pq_stream::Diagnostic;

/// What stands in the places of secrets: their values go to a terminal, and elsewhere only with `--yes`. It is said,
/// unless `--yes` said it: Ansible would show a line on standard error as an error, at each run.
///
/// # Errors
/// Where the values would go into a pipe or a file, and nobody has said that they may.
pub fn secrets(reveal: bool, yes: bool) -> Result<Secrets, Failure> {
    if !reveal {
        return Ok(Secrets::Hidden);
    }
    if yes {
        return Ok(Secrets::Revealed);
    }
    if !stdout().is_terminal() {
        return Err(Failure::input(
            Diagnostic::new("will not write secrets into a pipe or a file")
                .cause("standard output is no terminal")
                .hint("if that is what you want, say `--reveal --yes`; a file should be `0600` before anything is in it"),
        ));
    }
    tell(&format!("{}: secrets are shown in clear\n", tool_name()));
    Ok(Secrets::Revealed)
}
