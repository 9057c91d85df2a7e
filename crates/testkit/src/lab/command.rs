//! Commands that run inside a machine: in all its namespaces and its cgroup, in a clean environment.

use std::ffi::{OsStr, OsString};
use std::time::Duration;

use super::error::{Doing, Error, Result};
use super::host::last_lines;
use super::nspawn;
use super::process::{Process, children};
use super::record::Record;

const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const PATIENCE: Duration = Duration::from_secs(900);

/// A command for one machine, until it is run.
///
/// It starts as root in `/root` with `PATH`, `HOME=/root` and `LC_ALL=C.UTF-8`, an empty standard input, and 15 minutes.
#[derive(Debug, Clone)]
pub struct Command {
    pub(super) record: Record,
    pub(super) argv: Vec<OsString>,
    env: Vec<OsString>,
    stdin: Vec<u8>,
    directory: OsString,
    patience: Duration,
}

/// What a command left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The exit status; 128 and the signal's number for a killed one.
    pub code: i32,
    /// Standard output, what is no UTF-8 replaced.
    pub stdout: String,
    /// Standard error, likewise.
    pub stderr: String,
    what: String,
}

impl Command {
    pub(super) fn new<A: AsRef<OsStr>>(record: Record, argv: impl IntoIterator<Item = A>) -> Self {
        let argv = argv.into_iter().map(|arg| arg.as_ref().to_owned()).collect();
        let env = ["HOME=/root", "LC_ALL=C.UTF-8", PATH].map(OsString::from).to_vec();
        Command { record, argv, env, stdin: Vec::new(), directory: "/root".into(), patience: PATIENCE }
    }

    /// Gives it a standard input.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// Adds a variable to its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        let mut pair = OsString::from(format!("{name}="));
        pair.push(value);
        self.env.push(pair);
        self
    }

    /// Starts it in another directory than `/root`.
    #[must_use]
    pub fn directory(mut self, path: impl AsRef<OsStr>) -> Self {
        self.directory = path.as_ref().to_owned();
        self
    }

    /// Kills it when it takes longer than this.
    #[must_use]
    pub fn patience(mut self, limit: Duration) -> Self {
        self.patience = limit;
        self
    }

    /// Runs it to its end. A command that fails is no error: see [`Output::success`].
    ///
    /// # Errors
    /// The machine is off, or the command took too long and was killed.
    pub fn output(self) -> Result<Output> {
        self.start()?.wait()
    }

    /// Starts it; what it is given and what it prints is taken care of meanwhile.
    ///
    /// # Errors
    /// The machine is off, or the command could not be started.
    pub fn start(self) -> Result<Running> {
        let what = self.what();
        let argv = self.host_argv()?;
        let handle = duct::cmd(&argv[0], &argv[1..])
            .stdin_bytes(self.stdin)
            .stdout_capture()
            .stderr_capture()
            .unchecked()
            .start()
            .doing(|| format!("start {what}"))?;
        Ok(Running { handle, what, patience: self.patience })
    }

    /// Runs it with this process's own terminal or pipes, and answers its exit status.
    ///
    /// # Errors
    /// The machine is off, or the command could not be started.
    pub fn attached(self) -> Result<i32> {
        let argv = self.host_argv()?;
        let status = std::process::Command::new(&argv[0])
            .args(&argv[1..])
            .status()
            .doing(|| format!("start {}", self.what()))?;
        Ok(code(status))
    }

    /// The command as this computer runs it: into the machine's cgroup, then into its namespaces.
    fn host_argv(&self) -> Result<Vec<OsString>> {
        let leader = nspawn::leader(&self.record)?
            .ok_or_else(|| Error::new(format!("machine `{}` is off", self.record.name)))?;
        // Then `env -i -C DIR VAR=… COMMAND`, clean of this computer's variables.
        let script = "procs=$0 leader=$1; shift; echo $$ >\"$procs\" \
                      && exec nsenter --target \"$leader\" --all -- env -i -C \"$@\"";
        let procs = self.record.cgroup()?.join("payload/init.scope/cgroup.procs");
        let mut argv: Vec<OsString> = vec!["sh".into(), "-c".into(), script.into(), procs.into()];
        argv.push(leader.to_string().into());
        argv.push(self.directory.clone());
        argv.extend(self.env.iter().cloned());
        argv.extend(self.argv.iter().cloned());
        Ok(argv)
    }

    fn what(&self) -> String {
        let argv: Vec<_> = self.argv.iter().map(|arg| arg.to_string_lossy()).collect();
        format!("`{}` on machine `{}`", argv.join(" "), self.record.name)
    }
}

/// A command that runs inside a machine.
#[derive(Debug)]
pub struct Running {
    handle: duct::Handle,
    what: String,
    patience: Duration,
}

impl Running {
    /// The command's process id on this computer, to look at it, trace it or kill it; none once it ended.
    pub fn pid(&self) -> Option<u32> {
        let outer = *self.handle.pids().first()?;
        loop {
            // `nsenter` starts the command as its child, since only a child is in the machine's pid namespace; the
            // child is `nsenter`, then `env`, and at last the command.
            if let Some(pid) = children(outer).first()
                && let Ok(line) = std::fs::read(format!("/proc/{pid}/cmdline"))
                && !line.is_empty()
                && !line.starts_with(b"nsenter\0--target\0")
                && !line.starts_with(b"env\0-i\0-C\0")
            {
                return Some(*pid);
            }
            if self.ended() || Process::of(outer).is_none() {
                return None;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Whether the command has ended.
    pub fn ended(&self) -> bool {
        !matches!(self.handle.try_wait(), Ok(None))
    }

    /// Kills the command (SIGKILL); its own children live on, as after any `kill -9`.
    pub fn kill(&self) {
        if let Some(process) = self.pid().and_then(Process::of) {
            process.signal(nix::sys::signal::Signal::SIGKILL);
        }
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// It took longer than the command's patience, and was killed.
    pub fn wait(self) -> Result<Output> {
        let doing = || format!("wait for {}", self.what);
        if self.handle.wait_timeout(self.patience).doing(doing)?.is_none() {
            self.kill();
            let left = self.handle.wait_timeout(Duration::from_secs(5)).doing(doing)?;
            let said = left.map(|output| last_lines(&output.stderr, 3)).unwrap_or_default();
            let message = format!("{} took longer than {:?} and was killed", self.what, self.patience);
            return Err(Error::new(message).because(format!("it last said: {said}")));
        }
        let output = self.handle.into_output().doing(|| format!("wait for {}", self.what))?;
        Ok(Output {
            code: code(output.status),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            what: self.what,
        })
    }
}

impl Output {
    /// Itself, when the command exited 0.
    ///
    /// # Errors
    /// It did not: the last lines of its standard error are the cause.
    pub fn success(self) -> Result<Self> {
        if self.code == 0 {
            return Ok(self);
        }
        let said = if self.stderr.trim().is_empty() { &self.stdout } else { &self.stderr };
        Err(Error::new(format!("{} exited {}", self.what, self.code))
            .because(last_lines(said.as_bytes(), 10)))
    }

    /// Standard output without the space around it.
    pub fn text(&self) -> &str {
        self.stdout.trim()
    }
}

/// The exit status as a shell counts it.
fn code(status: std::process::ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}
