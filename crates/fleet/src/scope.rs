//! A scope of its own for a run that changes something: it is no part of the ssh session that brought it, so that neither
//! the end of the session nor the service that it came through can end it half-way.
//!
//! Asked of systemd with the first change, so a run without one pays nothing. Where systemd does not answer, the run
//! goes on in its session, which also outlives the line unless logind is told to kill users' processes.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long systemd is waited for.
const PATIENCE: Duration = Duration::from_secs(3);

/// Moves this process into a scope of its own.
pub fn enter() {
    let id = std::process::id();
    let name = format!("paquerette-{id}.scope");
    let number = id.to_string();
    let asked = Command::new("/usr/bin/busctl")
        .args(["--quiet", "call", "org.freedesktop.systemd1", "/org/freedesktop/systemd1"])
        .args(["org.freedesktop.systemd1.Manager", "StartTransientUnit", "ssa(sv)a(sa(sv))"])
        .args([&name, "fail", "2", "PIDs", "au", "1", &number, "CollectMode", "s", "inactive-or-failed", "0"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = asked else { return };
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        match child.try_wait() {
            Ok(None) => std::thread::sleep(Duration::from_millis(2)),
            _ => return,
        }
    }
    let _ = child.kill();
    let _ = child.wait();
}
