//! What a fleet costs: a run over ssh that finds nothing to do, beside plain `ssh HOST true` of the same moment; and a
//! plan for a thousand machines. `-- plan` after `cargo bench --bench fleet` does the plan alone.
//!
//! `make bench-fleet`. Six disposable machines of the suites that the executor runs on, over a real sshd. In each round
//! `ssh HOST true` goes to all six at once, and then one `pq-apply` with a plan of 100 steps a machine; medians count.
//! The plan for a thousand machines is that of the example inventory with a calendar server each and without settings of the kernel,
//! which is 150 steps, and once more with four instances each.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Instant;

use pq_testkit::lab::{Lab, Suite};
use serde_json::{Value, json};
use wait4::Wait4;

#[path = "../e2e/ssh.rs"]
#[expect(dead_code, reason = "tests use more of it")]
mod ssh;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Rounds of each.
const ROUNDS: usize = 15;

/// Machines in the large plan.
const HOSTS: usize = 1_000;

fn main() -> ExitCode {
    let done = match std::env::args().any(|argument| argument == "plan") {
        true => plan(1).map(drop),
        false => bench(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-fleet: error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn bench() -> Result<()> {
    let (plain, ours) = no_change()?;
    plan(4)?;
    let (steps, seconds, planners, executor) = plan(1)?;
    println!(
        "result: ssh_ratio={:.2} ssh_ms={:.0} noop_ms={:.0} plan_hosts={HOSTS} plan_steps={steps} plan_s={seconds:.2} \
         planners_mb={planners:.0} executor_mb={executor:.0}",
        ours / plain,
        plain * 1e3,
        ours * 1e3,
    );
    Ok(())
}

/// Six machines: the medians of `ssh HOST true`, and of a run without a change, in seconds.
fn no_change() -> Result<(f64, f64)> {
    let lab = Lab::open()?;
    let suites = ssh::suites();
    let names: Vec<(String, Suite)> =
        (0..6).map(|number| (format!("bench-fleet{number}"), suites[number % suites.len()])).collect();
    let machines: Vec<(&str, Suite)> = names.iter().map(|(name, suite)| (name.as_str(), *suite)).collect();
    let fleet = ssh::Fleet::boot(&lab, &machines)?;
    let plan = fleet.plan("root", &json!({}), |_| steps());
    let first = fleet.apply(&plan, &[])?;
    if first.code != 0 {
        let failed: Vec<&str> =
            first.stdout.lines().filter(|line| line.contains("\"failed\"")).take(3).collect();
        return Err(format!("the first run failed: {}{}", first.stderr, failed.join("\n")).into());
    }
    let (mut plain, mut ours) = (Vec::new(), Vec::new());
    println!("round  ssh HOST true  pq-apply");
    for round in 1..=ROUNDS {
        let begun = Instant::now();
        let logins: Vec<Child> =
            fleet.machines.iter().map(|machine| login(&fleet, machine)).collect::<Result<_>>()?;
        for mut login in logins {
            if !login.wait()?.success() {
                return Err("`ssh HOST true` failed".into());
            }
        }
        plain.push(begun.elapsed().as_secs_f64());
        let begun = Instant::now();
        let run = fleet.apply(&plan, &[])?;
        ours.push(begun.elapsed().as_secs_f64());
        let changed = run.stdout.contains("\"outcome\":\"changed\"");
        if run.code != 0 || changed {
            return Err(format!("a run changed something, or failed: {}", run.stderr).into());
        }
        println!("{round:5}  {:10.0} ms  {:5.0} ms", plain[round - 1] * 1e3, ours[round - 1] * 1e3);
    }
    Ok((median(plain), median(ours)))
}

fn login(fleet: &ssh::Fleet, machine: &pq_testkit::lab::Machine) -> Result<Child> {
    let known = format!("UserKnownHostsFile={}", fleet.path("known").display());
    let mut command = Command::new("ssh");
    command.args(["-F", "none", "-T", "-o", &known, "-o", "BatchMode=yes", "-i"]).arg(fleet.path("key"));
    command.arg(format!("root@{}", machine.ip())).arg("true").stdin(Stdio::null());
    Ok(command.spawn()?)
}

/// What a machine is to have, such that a look at it finds it so.
fn steps() -> Vec<Value> {
    let mut steps = vec![
        json!({"id": "site/dir", "do": "directory", "path": "/srv/site"}),
        json!({"id": "site/ssh", "do": "service", "unit": "ssh.service"}),
        json!({"id": "site/packages", "do": "package", "names": ["openssh-server", "sudo"]}),
        json!({"id": "site/group", "do": "group", "name": "site"}),
        json!({"id": "site/user", "do": "user", "name": "site", "home": "/srv/site"}),
    ];
    for number in steps.len()..100 {
        let content = "a line of a configuration\n".repeat(number);
        steps.push(json!({"id": format!("site/file{number}"), "do": "file", "path": format!("/srv/site/{number}"), "content": content}));
    }
    steps
}

/// A plan for a thousand machines: how many steps a machine, the seconds of the whole pipe, and the memory of the
/// largest planner and of the executor that reads it all, in megabytes.
fn plan(instances: usize) -> Result<(usize, f64, f64, f64)> {
    let directory = tempfile::tempdir()?;
    write_inventory(directory.path(), instances)?;
    let planners = ["pq-inventory", "pq-server", "pq-platform", "pq-instance"];
    let file = directory.path().join("plan");
    let (mut seconds, mut memory) = (Vec::new(), 0.0_f64);
    for _ in 0..3 {
        let (took, most) = pipe(directory.path(), &planners, &file)?;
        seconds.push(took);
        memory = memory.max(most);
    }
    // Line by line: what this process holds itself would count as the next child's memory.
    let mut steps = 0;
    for line in BufReader::new(File::open(&file)?).lines() {
        steps += usize::from(line?.starts_with("{\"type\":\"step\""));
    }
    let steps = steps / HOSTS;
    // It holds the whole plan: the first machine does not answer, and no other is begun.
    let mut executor = tool(directory.path(), "pq-apply")
        .args(["--check", "--max-fail", "1", "-j", "1"])
        .stdin(File::open(&file)?)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let executor = megabytes(executor.wait4()?.rusage.maxrss);
    println!("{HOSTS} hosts x {steps} steps: {} MB of stream", fs::metadata(&file)?.len() >> 20);
    println!(
        "planned in {:.2} s, largest planner {memory:.0} MB, executor {executor:.0} MB",
        median(seconds.clone())
    );
    Ok((steps, median(seconds), memory, executor))
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// Runs a pipe into a file: its seconds, and the memory of its largest part in megabytes.
fn pipe(directory: &Path, tools: &[&str], file: &Path) -> Result<(f64, f64)> {
    let begun = Instant::now();
    let mut children: Vec<Child> = Vec::new();
    for (at, name) in tools.iter().enumerate() {
        let input = match children.last_mut().and_then(|child| child.stdout.take()) {
            Some(output) => Stdio::from(output),
            None => Stdio::null(),
        };
        let output = if at + 1 == tools.len() { Stdio::from(File::create(file)?) } else { Stdio::piped() };
        children.push(tool(directory, name).stdin(input).stdout(output).spawn()?);
    }
    let mut memory = 0.0_f64;
    for (mut child, name) in children.into_iter().zip(tools) {
        let ended = child.wait4()?;
        if !ended.status.success() {
            return Err(format!("`{name}` failed").into());
        }
        memory = memory.max(megabytes(ended.rusage.maxrss));
    }
    Ok((begun.elapsed().as_secs_f64(), memory))
}

fn tool(directory: &Path, name: &str) -> Command {
    let mut command = Command::new(pq_tests::tools().join(name));
    command.current_dir(directory).env("PQ_OUTPUT", "json").env("PQ_IDENTITY", "inventory/demo-identity.txt");
    command
}

/// The example inventory with a thousand machines, each with so many of two wikis and two calendar servers.
fn write_inventory(directory: &Path, count: usize) -> Result<()> {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../inventory");
    let copied = Command::new("cp").args(["-r", example]).arg(directory).status()?;
    if !copied.success() {
        return Err("cannot copy the example inventory".into());
    }
    let inventory = directory.join("inventory");
    fs::remove_dir_all(inventory.join("host_vars"))?;
    let mut hosts = String::from("[prod]\n");
    for number in 0..HOSTS {
        // Nothing answers there (RFC 5737).
        writeln!(hosts, "host{number:04} ansible_host=192.0.2.{} ansible_timeout=1", number % 250 + 1)?;
    }
    hosts.push_str("[base_server:children]\nprod\n[secret:children]\nbase_server\n");
    fs::write(inventory.join("hosts"), hosts)?;
    let mut instances = String::from("tls: selfsigned\ninstances:\n");
    for (app, id, more) in [
        ("radicale", "dav", ", users: [alice]"),
        ("dokuwiki", "wiki", ""),
        ("dokuwiki", "board", ""),
        ("radicale", "club", ", users: [alice], port: 5233"),
    ]
    .into_iter()
    .take(count)
    {
        let domain = format!("{id}.{{{{ inventory_hostname }}}}.example.org");
        writeln!(instances, "  - {{ app: {app}, id: {id}, domain: \"{domain}\"{more} }}")?;
    }
    fs::create_dir_all(inventory.join("group_vars/all"))?;
    instances.push_str("kernel_settings: false\n");
    fs::write(inventory.join("group_vars/all/instances.yml"), instances)?;
    Ok(())
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}
