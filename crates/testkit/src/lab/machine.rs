//! One machine, to do things in it and with it.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use super::command::{Command, Output, Running};
use super::error::{Doing, Error, Result};
use super::home::Home;
use super::record::Record;
use super::{image, nspawn};

const TAKE_AWAY: &str = include_str!("take_away.sh");

/// A machine: running after [`Lab::boot`](super::Lab::boot), gone when this value is, unless it stands.
///
/// When the thread panics, its log and journal are kept, and standard error says where.
#[derive(Debug)]
pub struct Machine {
    home: Home,
    record: Record,
    root: PathBuf,
    /// Takes the machine away when its standard input ends, also when this process is killed.
    keeper: Option<Child>,
    supervisor: Option<Child>,
    keep_logs: bool,
}

impl Machine {
    pub(super) fn of(home: &Home, record: Record) -> Self {
        let root = nspawn::root(home, &record);
        Machine { home: home.clone(), record, root, keeper: None, supervisor: None, keep_logs: false }
    }

    /// Makes the machine go with this process, whatever becomes of it.
    pub(super) fn owned(mut self) -> Result<Self> {
        let keeper = take_away_command(&self.home, &self.record)?
            .stdin(Stdio::piped())
            .spawn()
            .doing(|| format!("watch over machine `{}`", self.record.name))?;
        self.keeper = Some(keeper);
        Ok(self)
    }

    /// Its hostname.
    pub fn name(&self) -> &str {
        &self.record.name
    }

    /// Its address on the bridge.
    pub fn ip(&self) -> Ipv4Addr {
        self.record.address
    }

    /// Its file tree as this computer sees it, to look at. `/run`, `/tmp` and `/dev` are elsewhere, and an absolute
    /// symbolic link points into this computer: [`read`](Self::read) and [`write`](Self::write) know better.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A command, to be given more and then run.
    pub fn command<A: AsRef<OsStr>>(&self, argv: impl IntoIterator<Item = A>) -> Command {
        Command::new(self.record.clone(), argv)
    }

    /// Runs a command to its end; one that fails is no error.
    ///
    /// # Errors
    /// The machine is off, or the command hangs.
    pub fn run<A: AsRef<OsStr>>(&self, argv: impl IntoIterator<Item = A>) -> Result<Output> {
        self.command(argv).output()
    }

    /// Runs a script with `sh -eu`.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn sh(&self, script: &str) -> Result<Output> {
        self.run(["sh", "-euc", script])
    }

    /// Starts a command and does not wait for it.
    ///
    /// # Errors
    /// The machine is off.
    pub fn spawn<A: AsRef<OsStr>>(&self, argv: impl IntoIterator<Item = A>) -> Result<Running> {
        self.command(argv).start()
    }

    /// Copies a file of this computer into the machine, making directories on the way. `mode` as in `"0755"`.
    ///
    /// # Errors
    /// The file cannot be read here or not be written there.
    pub fn push(&self, local: impl AsRef<Path>, remote: &str, mode: &str) -> Result<()> {
        let local = local.as_ref();
        let bytes = fs::read(local).doing(|| format!("read `{}`", local.display()))?;
        self.write_as(remote, bytes, mode)
    }

    /// Writes a file (mode 0644) in the machine, making directories on the way.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, remote: &str, bytes: impl Into<Vec<u8>>) -> Result<()> {
        self.write_as(remote, bytes.into(), "0644")
    }

    fn write_as(&self, remote: &str, bytes: Vec<u8>, mode: &str) -> Result<()> {
        // Beside and then renamed: a program that runs can be replaced, and is never seen half.
        let script = "mkdir -p \"$(dirname \"$0\")\" && cat >\"$0.lab\" && chmod \"$1\" \"$0.lab\" && mv \"$0.lab\" \"$0\"";
        self.command(["sh", "-euc", script, remote, mode]).stdin(bytes).output()?.success()?;
        Ok(())
    }

    /// Reads a text file of the machine.
    ///
    /// # Errors
    /// There is none.
    pub fn read(&self, remote: &str) -> Result<String> {
        Ok(self.run(["cat", "--", remote])?.success()?.stdout)
    }

    /// Starts it after [`poweroff`](Self::poweroff) or [`kill`](Self::kill), and waits until it is up.
    ///
    /// # Errors
    /// It does not come up within two minutes: its log's last lines are the cause.
    pub fn start(&mut self) -> Result<()> {
        self.collect();
        let started = nspawn::start(&self.home, &mut self.record).and_then(|child| {
            self.supervisor = Some(child);
            nspawn::wait_until_up(&self.home, &self.record, None)
        });
        self.keep_logs |= started.is_err();
        started.map_err(|error| error.hint(format!("its log will be in `{}`", self.logs().display())))
    }

    /// Restarts it and waits until it is up again.
    ///
    /// # Errors
    /// It is off, or does not come up.
    pub fn reboot(&mut self) -> Result<()> {
        let before = nspawn::leader(&self.record)?;
        self.run(["systemctl", "reboot"])?;
        let up = nspawn::wait_until_up(&self.home, &self.record, before);
        self.keep_logs |= up.is_err();
        up
    }

    /// Shuts it down in order and waits until it is off; its files stay.
    ///
    /// # Errors
    /// It is off already, or cannot be told to.
    pub fn poweroff(&mut self) -> Result<()> {
        self.run(["systemctl", "poweroff"])?;
        if !nspawn::wait_until_off(&self.record, Duration::from_secs(100))? {
            nspawn::kill(&self.home, &self.record)?;
        }
        self.collect();
        Ok(())
    }

    /// Ends all its processes at once, as a power failure does, and leaves it off. What was written and not synced
    /// stays: the disk is this computer's memory.
    ///
    /// # Errors
    /// Its cgroup cannot be written to.
    pub fn kill(&mut self) -> Result<()> {
        nspawn::kill(&self.home, &self.record)?;
        self.collect();
        Ok(())
    }

    /// Stops the machine for good and keeps its files under a name on which others boot. Its machine id and ssh host
    /// keys are kept with them; hostname and address are each machine's own.
    ///
    /// # Errors
    /// It cannot be stopped, or its files cannot be kept.
    pub fn snapshot(self, name: &str) -> Result<()> {
        self.snapshot_keyed(name, "")
    }

    pub(super) fn snapshot_keyed(mut self, name: &str, key: &str) -> Result<()> {
        if nspawn::leader(&self.record)?.is_some() {
            self.poweroff()?;
        }
        nspawn::unmount_root(&self.home, &self.record)?;
        let upper = self.record.dir(&self.home).join("upper");
        let disk = fs::File::open(&upper).doing(|| format!("open `{}`", upper.display()))?;
        rustix::fs::syncfs(&disk).doing(|| format!("sync `{}`", upper.display()))?;
        image::store(&self.home, name, key, &upper, &self.record.layers)?;
        if self.keeper.is_none() {
            take_away(&self.home, &self.record, Verdict::Done)?;
        }
        Ok(())
    }

    /// Keeps its log and journal when it goes, as after a panic.
    pub fn keep_logs(&mut self) {
        self.keep_logs = true;
    }

    /// Where its log and journal are kept.
    pub fn logs(&self) -> PathBuf {
        self.record.logs(&self.home)
    }

    /// Takes leave of a supervisor that ended.
    fn collect(&mut self) {
        if let Some(mut child) = self.supervisor.take() {
            // It ended, or was killed: how does not matter any more.
            let _ = child.wait();
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let Some(mut keeper) = self.keeper.take() else { return };
        if self.keep_logs || std::thread::panicking() {
            // Best effort all along: a machine that hangs has no journal to flush.
            let _ = self.command(["journalctl", "--sync"]).patience(Duration::from_secs(5)).output();
            let logs = self.logs();
            eprintln!("lab: log and journal of machine `{}`: `{}`", self.record.name, logs.display());
            eprintln!("lab: hint: `journalctl -D {}/journal`", logs.display());
        } else if let Some(stdin) = &mut keeper.stdin {
            let _ = stdin.write_all(b"done\n");
        }
        drop(keeper.stdin.take());
        let _ = keeper.wait();
        self.collect();
    }
}

/// Whether somebody may want the logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Done,
    KeepLogs,
}

/// Takes a machine away, with all it used.
pub(super) fn take_away(home: &Home, record: &Record, verdict: Verdict) -> Result<()> {
    let doing = || format!("take machine `{}` away", record.name);
    let mut child = take_away_command(home, record)?.stdin(Stdio::piped()).spawn().doing(doing)?;
    if let (Some(mut stdin), Verdict::Done) = (child.stdin.take(), verdict) {
        stdin.write_all(b"done\n").doing(doing)?;
    }
    let status = child.wait().doing(doing)?;
    if status.success() && !record.dir(home).exists() {
        return Ok(());
    }
    Err(Error::new(format!("cannot {}", doing()))
        .because(format!("`{}` is still there", record.dir(home).display()))
        .hint("`findmnt` and `lsof` tell who uses it"))
}

fn take_away_command(home: &Home, record: &Record) -> Result<std::process::Command> {
    let mut command = std::process::Command::new("setsid");
    command
        .args(["sh", "-c", TAKE_AWAY, "take-away"])
        .args([record.dir(home), record.cgroup()?, record.logs(home)])
        .current_dir("/")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    Ok(command)
}
