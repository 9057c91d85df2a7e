//! The memory of our own processes in a run; what they start (apt, php, systemctl) is not theirs.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use pq_testkit::lab::Machine;

use super::Result;

/// Runs a command in a machine and looks at the `pq-` programs below it until it ends. Answers the most that those had which
/// were there at once, each counted with what it had when it was largest until then, in megabytes.
pub fn peak(machine: &Machine, command: &[&str]) -> Result<f64> {
    let running = machine.spawn(command)?;
    let mut most = 0;
    let top = running.pid();
    while let Some(top) = top
        && !running.ended()
    {
        most = most.max(below(top).into_iter().filter_map(ours).sum());
        sleep(Duration::from_micros(300));
    }
    running.wait()?.success()?;
    match most {
        0 => Err("no program of ours was seen at work".into()),
        kilobytes => Ok(kilobytes as f64 / 1024.0),
    }
}

/// A process and all below it.
fn below(top: u32) -> Vec<u32> {
    let mut found = vec![top];
    let mut at = 0;
    while let Some(pid) = found.get(at) {
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        let children: Vec<u32> = tasks
            .filter_map(|task| fs::read_to_string(task.path().join("children")).ok())
            .flat_map(|text| text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
            .collect();
        found.extend(children);
        at += 1;
    }
    found
}

/// The most memory that a process had, where it is a program of ours, in kilobytes.
fn ours(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let value = |key: &str| status.lines().find_map(|line| line.strip_prefix(key)).map(str::trim);
    value("Name:").filter(|name| name.starts_with("pq-"))?;
    value("VmHWM:")?.split(' ').next()?.parse().ok()
}
