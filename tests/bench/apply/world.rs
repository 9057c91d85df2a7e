//! The benchmark's machines: Debian 12 with all three tools on it, and none of what they are to make.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use pq_testkit::lab::{Image, Lab, Machine, Suite};
use pq_tests::tools;
use serde_json::{Map, Value};

use super::measure::PROGRAM;
use super::plan::{self, Plan};
use super::{Result, end};

/// What machines are made of.
pub struct World<'l> {
    lab: &'l Lab,
    image: Image,
    variables: Map<String, Value>,
    plan: Plan,
}

/// Where everything of the benchmark is in a machine.
const HOME: &str = "/root/bench";

/// The tools in Python, and what they are made of.
const PYTHON: [(&str, &str); 2] =
    [("ansible", "conformance/requirements.txt"), ("pyinfra", "bench/apply/requirements.txt")];

impl<'l> World<'l> {
    /// Makes what is not there yet: the application's archive, the tools in Python, the image.
    pub fn prepare(lab: &'l Lab) -> Result<Self> {
        let archive = here(Command::new(plan::directory().join("sources")).arg(tools().join("lab")))?;
        let archive = String::from_utf8(archive)?;
        let (url, sha256) = archive.trim().split_once(' ').ok_or("`sources` named no archive")?;
        let variables = plan::variables(url, sha256)?;
        let plan = Plan::of(&variables)?;
        let mut key = format!("1, day {}", SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() / 86_400);
        let mut trees = Vec::new();
        for (name, wanted) in PYTHON {
            let wanted = Path::new(env!("CARGO_MANIFEST_DIR")).join(wanted);
            key.push_str(&format!(", {name} {}", fs::read_to_string(&wanted)?.len()));
            trees.push((name, python(name, &wanted)?));
        }
        let image = lab.snapshot_or("bench-apply", &Image::Base(Suite::Bookworm), &key, |machine| {
            // Lists of packages are as new as they are on a machine in use; Ansible's apt wants its library.
            machine.sh("apt-get -qq update && apt-get -qq install -y python3-apt >/dev/null")?.success()?;
            for (name, tree) in &trees {
                let tree = here(Command::new("tar").args(["c", "-C"]).arg(tree).arg("."));
                let tree = tree.map_err(|error| pq_testkit::lab::Error::new(error.to_string()))?;
                machine.sh(&format!("mkdir -p /opt/{name}"))?.success()?;
                machine
                    .command(["tar", "x", "-C", &format!("/opt/{name}")])
                    .stdin(tree)
                    .output()?
                    .success()?;
            }
            machine.sh("python3 -m compileall -q /opt/ansible /opt/pyinfra >/dev/null || true")?.success()?;
            Ok(())
        })?;
        Ok(World { lab, image, variables, plan })
    }

    /// A fresh machine with the benchmark's files on it.
    pub fn machine(&self, name: &str) -> Result<Machine> {
        let machine = self.lab.boot(&format!("bench-apply-{name}"), &self.image)?;
        for tool in ["pq-inventory", "pq-apply"] {
            machine.push(tools().join(tool), &format!("/usr/local/bin/{tool}"), "0755")?;
        }
        machine.push(std::env::current_exe()?, PROGRAM, "0755")?;
        let files = here(Command::new("tar").args(["c", "-C"]).arg(plan::directory()).arg("."))?;
        machine.command(["tar", "x", "--no-same-owner", "-C", HOME]).stdin(files).output()?.success()?;
        for (name, text) in self.rendered()? {
            machine.write(&format!("{HOME}/{name}"), text)?;
        }
        machine.run(["systemctl", "is-system-running", "--wait"])?;
        Ok(machine)
    }

    /// What is made of the benchmark's files for this run.
    fn rendered(&self) -> Result<BTreeMap<&str, String>> {
        let file = |name: &str| -> Result<String> {
            plan::filled(&fs::read_to_string(plan::directory().join("files").join(name))?, &self.variables)
        };
        Ok(BTreeMap::from([
            ("vars.json", Value::from(self.variables.clone()).to_string()),
            ("steps", self.plan.lines()),
            ("steps.changed", plan::changed(&self.plan)?),
            ("list.globs", self.plan.list()),
            ("packages", self.plan.packages().join(" ")),
            ("wp-config.php", file("wp-config.php")?),
            ("install.php", file("install.php")?),
        ]))
    }

    /// How many steps our plan has.
    pub fn steps(&self) -> usize {
        self.plan.steps.len()
    }

    /// The floor of a first run.
    pub fn first_floor(&self) -> Vec<String> {
        let value =
            |name: &str| self.variables.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let script = format!("cd {HOME} && exec sh floor.sh \"$@\"");
        let head = ["sh", "-c", &script, "floor"].map(str::to_owned);
        head.into_iter().chain(["base", "instance", "version", "url"].map(value)).collect()
    }

    /// The state that a machine was brought to.
    pub fn state(&self, machine: &Machine) -> Result<String> {
        end::state(machine, self.variables.get("instance").and_then(Value::as_str).unwrap_or_default())
    }
}

/// One of the tools, from the command line to what its output says of changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    Ours,
    Ansible,
    Pyinfra,
}

impl Tool {
    /// Its command, for a shell in a machine.
    pub fn command(self) -> [&'static str; 3] {
        let script = match self {
            Tool::Ours => "cd /root/bench && exec sh ours.sh steps --json",
            Tool::Ansible => {
                "cd /root/bench && PYTHONPATH=/opt/ansible exec python3 -m ansible playbook playbook.yml"
            }
            Tool::Pyinfra => {
                "cd /root/bench && PYTHONPATH=/opt/pyinfra exec python3 -m pyinfra -y @local deploy.py"
            }
        };
        ["sh", "-c", script]
    }

    /// How many things its run changed, by its own account.
    pub fn changed(self, out: &str) -> Result<u64> {
        let number = match self {
            Tool::Ours => out
                .lines()
                .filter_map(|line| serde_json::from_str::<Value>(line).ok())
                .find_map(|record| record["counts"]["changed"].as_u64()),
            Tool::Ansible => after(out, "changed="),
            Tool::Pyinfra => pyinfra_sum(out, 1),
        };
        number.ok_or_else(|| format!("{self:?} does not say what it changed").into())
    }

    /// How many things its run looked at, by its own account.
    pub fn all(self, out: &str) -> Result<u64> {
        let number = match self {
            Tool::Ours => {
                let records = out.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
                let outcomes =
                    records.filter(|record| record["type"] == "event" && record["outcome"] != "started");
                Some(outcomes.count() as u64)
            }
            Tool::Ansible => after(out, "ok="),
            Tool::Pyinfra => pyinfra_sum(out, 0),
        };
        number.ok_or_else(|| format!("{self:?} does not say what it did").into())
    }
}

/// The number behind the last place of a word.
fn after(text: &str, word: &str) -> Option<u64> {
    let (_, rest) = text.rsplit_once(word)?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// pyinfra ends with a table, and that with the sums: operations, those that did something, errors, those that did not.
fn pyinfra_sum(out: &str, column: usize) -> Option<u64> {
    let sums = out.lines().rev().find_map(|line| line.trim().strip_prefix("Grand total"))?;
    match sums.split_whitespace().nth(column)? {
        "-" => Some(0),
        number => number.parse().ok(),
    }
}

/// A directory with a tool's packages for the machines' Python, made where it is not there yet.
fn python(name: &str, requirements: &Path) -> Result<PathBuf> {
    let test = std::env::current_exe()?;
    let target = test.ancestors().nth(3).ok_or("this benchmark has no target directory")?;
    let home = target.join("bench-apply").join(name);
    let wanted = fs::read(requirements)?;
    let done = target.join("bench-apply").join(format!("{name}.txt"));
    if fs::read(&done).is_ok_and(|installed| installed == wanted) {
        return Ok(home);
    }
    if home.exists() {
        fs::remove_dir_all(&home)?;
    }
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--root-user-action=ignore"]);
    pip.args([
        "--require-hashes",
        "--no-deps",
        "--only-binary=:all:",
        "--python-version=3.11",
        "--implementation=cp",
    ]);
    for tag in ["manylinux_2_36", "manylinux_2_34", "manylinux_2_28", "manylinux2014"] {
        pip.arg(format!("--platform={tag}_{}", std::env::consts::ARCH));
    }
    here(pip.arg("--platform=any").arg("--target").arg(&home).arg("-r").arg(requirements))?;
    fs::write(&done, wanted)?;
    Ok(home)
}

/// Runs a command on this computer, and answers what it wrote.
fn here(command: &mut Command) -> Result<Vec<u8>> {
    let output = command.stderr(std::process::Stdio::inherit()).output()?;
    match output.status.success() {
        true => Ok(output.stdout),
        false => Err(format!("{command:?} failed").into()),
    }
}
