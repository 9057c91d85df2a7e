//! One command's cost, measured inside the machine that it runs in: a cgroup of its own has every process that it starts.

use std::fs::{self, File};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use pq_testkit::lab::Machine;
use serde_json::{Value, json};

use super::{Result, median};

/// What a command took, in seconds.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    pub wall: f64,
    /// Of the processor, by all processes that it started.
    pub cpu: f64,
    /// Of the processor, by all others of the machine meanwhile: services that answered it, above all.
    pub beside: f64,
}

impl Cost {
    /// Medians, each by itself.
    pub fn median(costs: &[Cost]) -> Cost {
        let of = |what: fn(&Cost) -> f64| median(costs.iter().map(what));
        Cost { wall: of(|it| it.wall), cpu: of(|it| it.cpu), beside: of(|it| it.beside) }
    }
}

/// The cgroup of the whole machine, as the machine sees it.
const MACHINE: &str = "/sys/fs/cgroup";

/// Where this program is in a machine.
pub const PROGRAM: &str = "/root/bench/bench-apply";

/// What a measured command wrote.
const OUT: &str = "/root/bench/out";

/// Runs a command in a machine. Answers its cost and what it wrote; one that fails is an error.
pub fn cost(machine: &Machine, command: &[&str]) -> Result<(Cost, String)> {
    let note = "/root/bench/note";
    machine.run([PROGRAM, "--measure", note, OUT].iter().chain(command))?.success()?;
    let note: Value = serde_json::from_str(&machine.read(note)?)?;
    let out = machine.read(OUT)?;
    if note["code"] != 0 {
        let last: Vec<&str> = out.lines().rev().take(40).collect();
        let last: Vec<&str> = last.into_iter().rev().collect();
        return Err(format!("{command:?} ended with {}:\n{}", note["code"], last.join("\n")).into());
    }
    let number = |name: &str| note[name].as_f64().ok_or("no number was noted");
    Ok((Cost { wall: number("wall")?, cpu: number("cpu")?, beside: number("beside")? }, out))
}

/// Inside the machine: runs a command in a cgroup of its own, and notes what it took.
pub fn measure(note: &str, out: &str, command: &[&str]) -> Result<()> {
    let group = format!("{MACHINE}/bench-{}", std::process::id());
    fs::create_dir(&group)?;
    let out = File::create(out)?;
    let before = seconds(MACHINE)?;
    let begun = Instant::now();
    let status = Command::new("sh")
        .args(["-c", "echo $$ >\"$0/cgroup.procs\" && exec \"$@\"", &group])
        .args(command)
        .stdin(Stdio::null())
        .stderr(out.try_clone()?)
        .stdout(out)
        .status()?;
    let wall = begun.elapsed().as_secs_f64();
    let cpu = seconds(&group)?;
    let beside = seconds(MACHINE)? - before - cpu;
    let code = status.code().unwrap_or(-1);
    // What is left in it would be measured with the next one.
    for _ in 0..50 {
        if fs::remove_dir(&group).is_ok() {
            break;
        }
        sleep(Duration::from_millis(20));
    }
    if fs::exists(&group)? {
        return Err(format!("{command:?} left processes behind").into());
    }
    Ok(fs::write(note, json!({ "wall": wall, "cpu": cpu, "beside": beside, "code": code }).to_string())?)
}

/// What a cgroup took of the processor so far.
fn seconds(group: &str) -> Result<f64> {
    let text = fs::read_to_string(format!("{group}/cpu.stat"))?;
    let micros = text.lines().find_map(|line| line.strip_prefix("usage_usec ")).ok_or("no `usage_usec`")?;
    Ok(micros.trim().parse::<f64>()? / 1e6)
}
