//! How every tool speaks: terminal or pipe, errors, exit statuses.
//!
//! Data goes to standard output, everything else to standard error. A reader that has seen enough and closed the
//! pipe is no error.

mod failure;
mod output;
mod report;
mod table;

use std::panic;
use std::process::ExitCode;

use nix::sys::signal::SigSet;
use pq_stream::{Diagnostic, Status};
use rustix::process::{Resource, Rlimit, setrlimit};

pub use failure::Failure;
pub use output::{Form, OutputArgs};
pub use pq_stream::size;
pub use report::{printable, report, tell, tool_name};
pub use table::{Table, age, span};

/// The last lines of every `--help`.
pub const EXIT_STATUS: &str = "\
Exit status:
  0   nothing (left) to do
  1   something failed
  2   bad command line or input: edit something
  3   something is not as it should be; nothing was changed
  75  busy or unreachable: run again later";

/// Runs a tool: reports its failure, and turns its status into the process's.
///
/// A panic is reported as the bug that it is, without what it carries (it may hold a secret).
pub fn run(tool: fn() -> Result<Status, Failure>) -> ExitCode {
    // No memory with secrets in it is ever written to a core file.
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    if setrlimit(Resource::Core, none).is_err() {
        report(&Diagnostic::new("cannot forbid core files"));
    }
    // Who started it may have held signals back for itself: here they end it, until it waits for them itself.
    let _ = SigSet::empty().thread_set_mask();
    panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map_or_else(String::new, |place| format!(" at {}:{}", place.file(), place.line()));
        report(
            &Diagnostic::new(format!("internal error{place}"))
                .cause("this is a bug in paquerette")
                .hint("what was begun is in the journal; run the same command again, and report this line"),
        );
    }));
    let status = match panic::catch_unwind(tool) {
        Ok(Ok(status)) => status,
        Ok(Err(Failure::ClosedPipe)) => Status::Done,
        Ok(Err(Failure::Told(status))) => status,
        Ok(Err(Failure::Because(status, diagnostics))) => {
            diagnostics.iter().for_each(report);
            status
        }
        Err(_) => Status::Failed,
    };
    ExitCode::from(status.code())
}
