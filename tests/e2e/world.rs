//! A machine with the tools on it, and ways to look at it that do not trust the tools.

use std::path::Path;
use std::process::Command;

use pq_testkit::lab::{Error, Image, Lab, Machine, Output, Result, Running, Suite};
use pq_tests::{TOOLS, tools};
use sha2::{Digest, Sha256};

/// What an operator would call the state of a machine, line by line: files with owner, mode and content, accounts,
/// packages, units. Without what may differ between two machines that are the same (keys, times, logs, caches).
const CANONICAL: &str = include_str!("canonical.sh");

/// A bare Debian with the tools in /usr/local/bin.
pub fn bare(lab: &Lab, name: &str) -> Result<Machine> {
    bare_of(lab, name, Suite::Bookworm)
}

/// The same of a suite.
pub fn bare_of(lab: &Lab, name: &str, suite: Suite) -> Result<Machine> {
    let machine = lab.boot(name, &Image::Base(suite))?;
    install(&machine)?;
    Ok(machine)
}

/// A bare Debian with the tools and strace, which stops a program at an exact point.
pub fn traced(lab: &Lab, name: &str) -> Result<Machine> {
    let image = lab.snapshot_or("strace", &Image::Base(Suite::Bookworm), "1", |machine| {
        machine.sh("apt-get update -qq && apt-get install -y -qq strace >/dev/null")?.success()?;
        Ok(())
    })?;
    let machine = lab.boot(name, &image)?;
    install(&machine)?;
    quiet(&machine)?;
    Ok(machine)
}

/// Has Debian's own daily upgrades do nothing on a machine that is compared with another: they come when they come.
pub fn quiet(machine: &Machine) -> Result<()> {
    machine.write("/etc/apt/apt.conf.d/zz-quiet", "APT::Periodic::Enable \"0\";\n")
}

/// Puts the tools where an operator would.
pub fn install(machine: &Machine) -> Result<()> {
    install_from(machine, &tools())
}

/// The same with those of a directory.
pub fn install_from(machine: &Machine, dir: &Path) -> Result<()> {
    TOOLS.iter().try_for_each(|tool| machine.push(dir.join(tool), &format!("/usr/local/bin/{tool}"), "0755"))
}

/// The machine's state below some directories.
pub fn canonical(machine: &Machine, below: &[&str]) -> Result<String> {
    let argv = ["bash", "-euc", CANONICAL, "canonical"].iter().chain(below);
    Ok(machine.run(argv)?.success()?.stdout)
}

/// Where [`demo_inventory`] puts the identity of the example's secrets.
pub const IDENTITY: &str = "/root/paquerette/inventory/demo-identity.txt";

/// The variables of the example inventory's machine, where [`demo_inventory`] puts it.
pub const HOST: &str = "/root/paquerette/inventory/host_vars/demo.yml";

/// A run that must have ended well.
pub fn done(run: Output) -> Output {
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    run
}

/// Runs pq-apply on a plan.
pub fn apply(machine: &Machine, plan: &str, options: &[&str]) -> Result<Output> {
    machine.command(["pq-apply"].iter().chain(options)).env("PQ_IDENTITY", IDENTITY).stdin(plan).output()
}

/// Starts pq-apply on a plan.
pub fn spawn_apply(machine: &Machine, plan: &str) -> Result<Running> {
    machine.command(["pq-apply"]).env("PQ_IDENTITY", IDENTITY).stdin(plan).start()
}

/// Runs pq-apply on a plan and kills it (-9) at its n-th note in the journal: odd ones come before a step is done,
/// even ones after.
pub fn apply_killed(machine: &Machine, plan: &str, nth: usize) -> Result<Output> {
    let inject = format!("inject=fdatasync:signal=KILL:when={nth}");
    machine
        .command(["strace", "-o", "/dev/null", "-e", "trace=fdatasync", "-e", &inject, "pq-apply"])
        .env("PQ_IDENTITY", IDENTITY)
        .stdin(plan)
        .output()
}

/// What a run took.
pub struct Used {
    /// Its memory when it was largest.
    pub kilobytes: u64,
    /// Seconds of the processor.
    pub seconds: f64,
}

/// Runs a command and writes what it took to /root/used: kilobytes, seconds.
const MEASURE: &str = "
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
open('/root/used', 'w').write(f'{used.ru_maxrss} {used.ru_utime + used.ru_stime}')
sys.exit(code if code >= 0 else 128 - code)
";

/// Runs pq-apply on a plan, and tells what it took.
pub fn apply_measured(machine: &Machine, plan: &str) -> Result<(Output, Used)> {
    let output = machine.command(["python3", "-c", MEASURE, "pq-apply"]).stdin(plan).output()?;
    let used = machine.read("/root/used")?;
    let mut numbers = used.split_whitespace();
    let mut next = || numbers.next().and_then(|number| number.parse::<f64>().ok()).unwrap_or(f64::MAX);
    Ok((output, Used { kilobytes: next() as u64, seconds: next() }))
}

/// All texts in what a run wrote on its standard output.
pub fn said(output: &Output) -> String {
    fn texts(value: &serde_json::Value, into: &mut String) {
        match value {
            serde_json::Value::String(text) => {
                into.push_str(text);
                into.push('\n');
            }
            serde_json::Value::Array(items) => items.iter().for_each(|item| texts(item, into)),
            serde_json::Value::Object(map) => map.values().for_each(|item| texts(item, into)),
            _ => {}
        }
    }
    let mut all = String::new();
    output
        .stdout
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .for_each(|it| texts(&it, &mut all));
    all
}

/// SHA-256 in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Serves a directory of the machine at http://127.0.0.1:8087/.
pub fn serve(machine: &Machine, directory: &str) -> Result<()> {
    let server = format!(
        "mkdir -p {directory}
         systemd-run --unit sources python3 -m http.server -d {directory} -b 127.0.0.1 8087 &&
         for i in $(seq 50); do python3 -c 'import urllib.request as r; r.urlopen(\"http://127.0.0.1:8087/\")' && break; sleep 0.1; done"
    );
    machine.sh(&server)?.success().map(drop)
}

/// The top of the source tree.
const TOP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The whole pipe of the demo, as the README has it; what follows is its last part.
pub const PIPE: &str = "cd /root/paquerette && export PQ_IDENTITY=inventory/demo-identity.txt && \
                        pq-inventory demo | pq-server | pq-platform | pq-instance";

/// Runs the demo's pipe, ended by `last`.
pub fn pipe(machine: &Machine, last: &str) -> Result<Output> {
    machine.run(["bash", "-c", &format!("{PIPE} | {last}")])
}

/// Serves the demo's sources, and puts the example inventory with their digests into the machine.
pub fn demo_inventory(lab: &Lab, machine: &Machine) -> Result<()> {
    here(Command::new(format!("{TOP}/tests/demo/sources")).arg(tools().join("lab")))?;
    let archive = here(
        Command::new("tar")
            .args(["c", "-C", TOP, "inventory", "-C"])
            .arg(lab.sources())
            .args(["--transform=s,^recipes,inventory/recipes,", "recipes"]),
    )?;
    machine.run(["mkdir", "-p", "/root/paquerette"])?.success()?;
    machine
        .command(["tar", "x", "--no-same-owner", "-C", "/root/paquerette"])
        .stdin(archive)
        .output()?
        .success()?;
    Ok(())
}

/// Demands that another run changes nothing, and that a look which believes nothing finds nothing.
pub fn nothing_left(machine: &Machine) -> Result<()> {
    let run = pipe(machine, "pq-apply --text")?;
    assert!(run.code == 0 && run.stdout.contains(" 0 changed"), "{}{}", run.stdout, run.stderr);
    let check = pipe(machine, "pq-apply --check --verify --text")?;
    assert_eq!(check.code, 0, "{}{}", check.stdout, check.stderr);
    Ok(())
}

/// What `pq-secret show` says of a derived password of the example's.
pub fn shown(machine: &Machine, name: &str) -> Result<String> {
    let argv = ["pq-secret", "show", name, "-i", "/root/paquerette/inventory"];
    Ok(machine.command(argv).env("PQ_IDENTITY", IDENTITY).output()?.success()?.text().to_owned())
}

/// Runs a command on this computer, and answers what it wrote.
fn here(command: &mut Command) -> Result<Vec<u8>> {
    let shown = Path::new(command.get_program()).display().to_string();
    let output =
        command.output().map_err(|error| Error::new(format!("cannot run `{shown}`")).because(error))?;
    match output.status.success() {
        true => Ok(output.stdout),
        false => {
            Err(Error::new(format!("`{shown}` failed")).because(String::from_utf8_lossy(&output.stderr)))
        }
    }
}
