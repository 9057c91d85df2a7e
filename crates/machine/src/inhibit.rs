//! Shutdown is held up while a machine is being changed, as `systemd-inhibit --list` shows.
//!
//! Always true here: it is held up for as long as this lives, and no longer, however its holder ends: the helper waits for
//! the end of a pipe that we hold. A machine without logind is not held up.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

/// Holds up shutdown and sleep as long as it lives.
#[derive(Debug)]
pub struct Inhibitor {
    helper: Child,
}

impl Inhibitor {
    /// Asks logind to wait; nothing where there is none.
    pub fn ask() -> Option<Self> {
        let helper = Command::new("/usr/bin/systemd-inhibit")
            .args(["--what=shutdown:sleep", "--mode=block", "--who=paquerette"])
            .args(["--why=the machine is being changed", "/bin/cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // The keys of a terminal are for us alone.
            .process_group(0)
            .spawn();
        helper.ok().map(|helper| Inhibitor { helper })
    }
}

impl Drop for Inhibitor {
    fn drop(&mut self) {
        drop(self.helper.stdin.take());
        // Where the pipe did not close after all, nobody waits for its end.
        let _ = self.helper.kill();
        let _ = self.helper.wait();
    }
}
