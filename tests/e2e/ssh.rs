//! Machines that are reached over a real sshd, from this computer: a key of the test's own, and no host key that is not
//! known beforehand.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::thread;

use pq_testkit::lab::{Error, Image, Lab, Machine, Result, Suite};
use pq_tests::tools;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Machines, and the operator's home with the key to them.
pub struct Fleet {
    home: TempDir,
    pub machines: Vec<Machine>,
}

/// The suites that the executor runs on: all three with the portable build, those as new as this computer without.
pub fn suites() -> Vec<Suite> {
    match portable() {
        Some(_) => vec![Suite::Bullseye, Suite::Bookworm, Suite::Trixie],
        None => vec![Suite::Bookworm, Suite::Trixie],
    }
}

/// What `make dist` left beside this test.
fn portable() -> Option<PathBuf> {
    let dist = tools().parent()?.join("dist");
    dist.join("x86_64/pq-apply").exists().then_some(dist)
}

impl Fleet {
    /// Boots these machines, two at a time, and lets the operator in.
    pub fn boot(lab: &Lab, machines: &[(&str, Suite)]) -> Result<Self> {
        let mut all = Vec::new();
        for pair in machines.chunks(2) {
            let booted: Vec<Result<Machine>> = thread::scope(|scope| {
                let boot = |(name, suite): &(&str, Suite)| {
                    let (name, image) = ((*name).to_owned(), Image::Base(*suite));
                    scope.spawn(move || lab.boot(&name, &image))
                };
                let booting: Vec<_> = pair.iter().map(boot).collect();
                booting.into_iter().filter_map(|one| one.join().ok()).collect()
            });
            all.extend(booted.into_iter().collect::<Result<Vec<_>>>()?);
        }
        Fleet::of(all)
    }

    /// Lets the operator in to these machines.
    pub fn of(machines: Vec<Machine>) -> Result<Self> {
        let failed = |what: &str, error: std::io::Error| Error::new(format!("cannot {what}")).because(error);
        let home = tempfile::tempdir().map_err(|error| failed("make a home", error))?;
        let key = home.path().join("key");
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-C", "operator", "-f"])
            .arg(&key)
            .status()
            .map_err(|error| failed("run `ssh-keygen`", error))?;
        assert!(made.success());
        let fleet = Fleet { home, machines };
        let public =
            fs::read_to_string(key.with_extension("pub")).map_err(|error| failed("read the key", error))?;
        let mut known = String::new();
        for machine in &fleet.machines {
            machine.sh(LET_IN)?.success()?;
            machine.write("/root/.ssh/authorized_keys", public.as_str())?;
            machine.write("/home/ops/.ssh/authorized_keys", public.as_str())?;
            let host_key = machine.read("/etc/ssh/ssh_host_ed25519_key.pub")?;
            known.push_str(&format!("{} {host_key}", machine.ip()));
        }
        fs::write(fleet.path("known"), known).map_err(|error| failed("write the known hosts", error))?;
        Ok(fleet)
    }

    /// A file of the operator's.
    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// The connection's variables, with some more.
    pub fn vars(&self, more: Value) -> Value {
        let known = self.path("known");
        let mut vars = json!({
            "ansible_ssh_common_args": format!("-F none -o UserKnownHostsFile={}", known.display()),
            "ansible_ssh_private_key_file": self.path("key"),
        });
        if let (Value::Object(vars), Value::Object(more)) = (&mut vars, more) {
            vars.extend(more);
        }
        vars
    }

    /// The connection's options by which a cut line is known to be one after two seconds.
    pub fn attentive(&self) -> String {
        let known = self.path("known");
        format!(
            "-F none -o UserKnownHostsFile={} -o ServerAliveInterval=1 -o ServerAliveCountMax=2",
            known.display()
        )
    }

    /// A plan for all machines: the lines of each are what `steps` answers for its name, without `type` and `host`.
    pub fn plan(&self, user: &str, more: &Value, steps: impl Fn(&str) -> Vec<Value>) -> String {
        let mut lines = vec![
            json!({"type": "run", "format": 1, "inventory": "/nowhere", "digest": "0", "time": "2026-11-23T00:00:00Z"}),
        ];
        for machine in &self.machines {
            let (host, ip) = (machine.name(), machine.ip().to_string());
            lines.push(json!({
                "type": "host", "host": host, "groups": ["all"], "vars": self.vars(more.clone()),
                "connection": {"kind": "ssh", "address": ip, "user": user},
            }));
            for step in steps(host) {
                let mut line = json!({"type": "step", "host": host, "title": "a step"});
                if let (Value::Object(line), Value::Object(step)) = (&mut line, step) {
                    line.extend(step);
                }
                lines.push(line);
            }
        }
        lines.push(json!({"type": "end", "hosts": self.machines.len(), "status": 0}));
        lines.iter().map(|line| format!("{line}\n")).collect()
    }

    /// A tool as the operator calls it: no other key, no agent, no configuration of this computer's user.
    pub fn tool(&self, tool: &str) -> Command {
        let mut command = Command::new(tools().join(tool));
        command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin");
        command.env("HOME", self.home.path()).env("USER", "operator").current_dir(self.home.path());
        if let Some(dist) = portable() {
            command.env("PQ_EXECUTOR", dist);
        }
        command
    }

    /// Starts pq-apply on a plan.
    pub fn start(&self, plan: &str, options: &[&str]) -> Result<Child> {
        let file = self.path("plan.ndjson");
        let failed = |error: std::io::Error| Error::new("cannot run `pq-apply`").because(error);
        fs::write(&file, plan).map_err(failed)?;
        let input = fs::File::open(&file).map_err(failed)?;
        let mut command = self.tool("pq-apply");
        command.arg("--yes").args(options);
        if !options.contains(&"-j") {
            command.args(["-j", "6"]);
        }
        command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(failed)
    }

    /// Runs pq-apply on a plan.
    pub fn apply(&self, plan: &str, options: &[&str]) -> Result<Told> {
        Told::of(self.start(plan, options)?)
    }
}

/// A user who logs in and may become root.
const LET_IN: &str = "useradd -m -s /bin/bash ops; mkdir -p -m 700 /root/.ssh /home/ops/.ssh; chown ops: /home/ops/.ssh; \
                      systemctl start ssh";

/// What an execution said.
#[derive(Debug)]
pub struct Told {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Told {
    /// Waits for it.
    pub fn of(child: Child) -> Result<Self> {
        let Output { status, stdout, stderr } = child
            .wait_with_output()
            .map_err(|error| Error::new("cannot wait for `pq-apply`").because(error))?;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ok(Told { code: status.code().unwrap_or(-1), stdout: text(stdout), stderr: text(stderr) })
    }

    /// The verdict of a host: its status, and how many steps ended so.
    pub fn verdict(&self, host: &str, count: &str) -> (u64, u64) {
        let end = self
            .stdout
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .find(|line| line["type"] == "end" && line["host"] == host)
            .unwrap_or_default();
        (end["status"].as_u64().unwrap_or(999), end["counts"][count].as_u64().unwrap_or(0))
    }
}
