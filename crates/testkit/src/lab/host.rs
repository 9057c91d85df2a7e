//! Programs of this computer that the lab runs, to their end.

use std::ffi::OsStr;

use super::error::{Error, Result};
use super::lacking::find_program;

/// Runs a program and answers what it printed; what it complained of is the cause when it fails.
pub(super) fn run<A: AsRef<OsStr>>(program: &str, args: impl IntoIterator<Item = A>) -> Result<String> {
    let args: Vec<_> = args.into_iter().map(|arg| arg.as_ref().to_owned()).collect();
    let path = find_program(program).unwrap_or_else(|| program.into());
    let shown = || {
        let args: Vec<_> = args.iter().map(|arg| arg.to_string_lossy()).collect();
        format!("`{program} {}` failed", args.join(" "))
    };
    // A user's `PATH` may lack the places of root's programs, which `debootstrap` calls by name.
    let search = std::env::var("PATH").unwrap_or_default();
    let output = duct::cmd(&path, &args)
        .env("PATH", format!("{search}:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"))
        .stdin_null()
        .stdout_capture()
        .stderr_capture()
        .unchecked()
        .run()
        .map_err(|cause| Error::new(shown()).because(cause))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(Error::new(shown()).because(last_lines(&output.stderr, 5)))
    }
}

/// The last lines of a text that may be long, on one line.
pub(super) fn last_lines(text: &[u8], count: usize) -> String {
    let text = String::from_utf8_lossy(text);
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(count)..].join(" | ")
}
