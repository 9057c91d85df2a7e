//! A process that stays the same one: its id and when it started, so that a reused id is never taken for it.

use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

/// One process of this machine, ours or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Process {
    pid: u32,
    /// Clock ticks between the boot and its start (proc(5), stat, field 22).
    start: u64,
}

impl Process {
    /// The living process of that id; none when it is gone or only waits to be collected.
    pub fn of(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (_, fields) = stat.rsplit_once(") ")?;
        let mut fields = fields.split(' ');
        if matches!(fields.next()?, "Z" | "X") {
            return None;
        }
        let start = fields.nth(18)?.parse().ok()?;
        Some(Process { pid, start })
    }

    /// The process that runs this code.
    pub fn own() -> Option<Self> {
        Process::of(std::process::id())
    }

    /// Whether it still lives.
    pub fn alive(self) -> bool {
        Process::of(self.pid) == Some(self)
    }

    /// Sends it a signal, unless it is gone.
    pub fn signal(self, signal: Signal) {
        if self.alive()
            && let Ok(pid) = i32::try_from(self.pid)
        {
            // A process that ended meanwhile is what was wanted.
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }
}

/// The children of a process, as ids of this machine.
pub(super) fn children(pid: u32) -> Vec<u32> {
    fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))
        .unwrap_or_default()
        .split_whitespace()
        .filter_map(|id| id.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_a_reused_id_is_another() {
        let own = Process::own().unwrap();
        assert!(own.alive());
        assert!(!Process { start: own.start + 1, ..own }.alive());
    }

    #[test]
    fn a_process_that_waits_to_be_collected_is_dead() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        while Process::of(child.id()).is_some() {
            std::thread::yield_now();
        }
        child.wait().unwrap();
    }
}
