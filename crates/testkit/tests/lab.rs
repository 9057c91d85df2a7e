//! Disposable machines keep what they promise: they boot, obey, come back, and leave nothing behind.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pq_testkit::lab::{Image, Lab, Machine, Suite, available};

const BASE: Image = Image::Base(Suite::Bookworm);

/// What a machine uses of this computer, and whether anything of it is left.
struct Traces {
    dir: String,
    root: String,
    interface: String,
}

impl Traces {
    fn of(machine: &Machine) -> Self {
        let dir = machine.root().parent().unwrap().display().to_string();
        let id = Path::new(&dir).file_name().unwrap().to_str().unwrap();
        let interface = format!("/sys/class/net/vb-{}", id.split('.').next().unwrap());
        Traces { root: machine.root().display().to_string(), dir, interface }
    }

    fn left(&self) -> Vec<String> {
        let mut left = Vec::new();
        left.extend(Path::new(&self.dir).exists().then(|| format!("directory {}", self.dir)));
        left.extend(Path::new(&self.interface).exists().then(|| self.interface.clone()));
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        left.extend(mounts.contains(&self.root).then(|| format!("mount {}", self.root)));
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let command = fs::read_to_string(entry.path().join("cmdline")).unwrap_or_default();
            if command.contains(&self.root) {
                left.push(format!("process {command}"));
            }
        }
        left
    }

    fn wait_until_nothing_is_left(&self) {
        let patience = Instant::now() + Duration::from_secs(20);
        while !self.left().is_empty() && Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(self.left(), Vec::<String>::new());
    }
}

#[test]
fn a_machine_obeys_comes_back_and_leaves_nothing() {
    let Some(lab) = available() else { return };
    let mut machine = lab.boot("obey", &BASE).unwrap();
    let traces = Traces::of(&machine);
    assert!(traces.left().len() >= 3, "the traces are looked for in the right places: {:?}", traces.left());

    assert_eq!(machine.run(["hostname"]).unwrap().text(), "obey");
    let failing = machine.sh("echo out; echo problem >&2; exit 7").unwrap();
    assert_eq!((failing.code, failing.stdout.as_str(), failing.stderr.as_str()), (7, "out\n", "problem\n"));
    assert!(failing.success().unwrap_err().to_string().contains("exited 7: problem"));
    let env = machine.command(["env"]).env("GIVEN", "x y").output().unwrap();
    assert_eq!(
        env.stdout,
        "HOME=/root\nLC_ALL=C.UTF-8\nPATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nGIVEN=x y\n"
    );
    assert_eq!(machine.run(["pwd"]).unwrap().text(), "/root");
    machine.write("/run/new/file", "text").unwrap();
    assert_eq!(machine.read("/run/new/file").unwrap(), "text");
    machine.push("/proc/self/exe", "/usr/local/bin/pushed", "0750").unwrap();
    assert_eq!(machine.run(["stat", "-c%a", "/usr/local/bin/pushed"]).unwrap().text(), "750");
    let cgroup = machine.run(["grep", "0::", "/proc/self/cgroup"]).unwrap();
    assert_eq!(cgroup.text(), "0::/init.scope");

    let running = machine.spawn(["sleep", "1000"]).unwrap();
    let pid = running.pid().unwrap();
    assert_eq!(fs::read_to_string(format!("/proc/{pid}/comm")).unwrap(), "sleep\n");
    kill(Pid::from_raw(pid.cast_signed()), Signal::SIGKILL).unwrap();
    assert_eq!(running.wait().unwrap().code, 137);
    let slow = machine.command(["sleep", "1000"]).patience(Duration::from_millis(200)).output();
    assert!(slow.unwrap_err().message.contains("took longer than 200ms"));

    machine.write("/etc/stays", "here").unwrap();
    machine.reboot().unwrap();
    assert_ne!(machine.run(["test", "-e", "/run/new/file"]).unwrap().code, 0, "a reboot empties /run");
    machine.kill().unwrap();
    assert!(machine.run(["true"]).unwrap_err().message.contains("is off"));
    machine.start().unwrap();
    machine.poweroff().unwrap();
    machine.start().unwrap();
    assert_eq!(machine.read("/etc/stays").unwrap(), "here");

    drop(machine);
    assert_eq!(traces.left(), Vec::<String>::new());
}

#[test]
fn machines_meet_on_the_bridge_and_install_packages() {
    let Some(lab) = available() else { return };
    let one = lab.boot("one", &BASE).unwrap();
    let two = lab.boot("two", &BASE).unwrap();
    assert_ne!(one.ip(), two.ip());
    let greet =
        format!("import socket; print(socket.create_connection(('{}', 22)).recv(7).decode())", two.ip());
    let greeting = one.run(["python3", "-c", &greet]).unwrap().success().unwrap();
    assert_eq!(greeting.text(), "SSH-2.0");
    let install = "apt-get -qq update && apt-get -qq --no-install-recommends install -y cron";
    one.sh(install).unwrap().success().unwrap();
    assert_eq!(one.run(["systemctl", "is-active", "cron"]).unwrap().text(), "active");
}

#[test]
fn a_snapshot_is_built_once_and_again_when_its_key_changes() {
    let Some(lab) = available() else { return };
    let name = "test-of-snapshots";
    let mut built = 0;
    for key in ["1", "1", "2"] {
        let image = lab.snapshot_or(name, &BASE, key, |machine| {
            built += 1;
            machine.sh("echo kept >/etc/kept; rm /etc/issue; mv /etc/skel /etc/skeleton")?.success().map(drop)
        });
        let machine = lab.boot("copy", &image.unwrap()).unwrap();
        assert_eq!(machine.run(["hostname"]).unwrap().text(), "copy");
        assert_eq!(machine.read("/etc/kept").unwrap(), "kept\n");
        assert!(machine.read("/etc/hosts").unwrap().contains(&format!("{} copy", machine.ip())));
        assert!(!machine.read("/etc/hosts").unwrap().contains(name));
        assert_eq!(
            machine.run(["ls", "-A", "/etc/skeleton"]).unwrap().text(),
            ".bash_logout\n.bashrc\n.profile"
        );
        assert_ne!(machine.run(["test", "-e", "/etc/issue"]).unwrap().code, 0);
    }
    assert_eq!(built, 2);
    lab.forget(name).unwrap();
    assert!(lab.boot("copy", &Image::snapshot(name)).unwrap_err().message.contains("no snapshot"));
}

#[test]
fn a_failing_test_leaves_its_logs_and_nothing_else() {
    let Some(lab) = available() else { return };
    let mut machine = lab.boot("failing", &BASE).unwrap();
    let (traces, logs) = (Traces::of(&machine), machine.logs());
    machine.run(["logger", "the last words"]).unwrap();
    machine.keep_logs();
    drop(machine);
    assert_eq!(traces.left(), Vec::<String>::new());
    let journal = Command::new("journalctl").arg("-D").arg(logs.join("journal")).output().unwrap();
    assert!(String::from_utf8_lossy(&journal.stdout).contains("the last words"));
}

/// Not a test by itself: the process that the next test kills.
#[test]
#[ignore = "run by `a_killed_owner_leaves_nothing`"]
fn owner_to_be_killed() {
    let machine = Lab::open().unwrap().boot("orphan", &BASE).unwrap();
    println!("\nroot {}", machine.root().display());
    std::thread::sleep(Duration::from_secs(60));
}

#[test]
fn a_killed_owner_leaves_nothing() {
    if available().is_none() {
        return;
    }
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args(["owner_to_be_killed", "--exact", "--ignored", "--nocapture"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(owner.stdout.take().unwrap()).lines().map(Result::unwrap);
    let root = lines.find_map(|line| line.strip_prefix("root ").map(str::to_owned)).unwrap();
    let dir = Path::new(&root).parent().unwrap().display().to_string();
    let id = Path::new(&dir).file_name().unwrap().to_str().unwrap().to_owned();
    let interface = format!("/sys/class/net/vb-{}", id.split('.').next().unwrap());
    let traces = Traces { dir, root, interface };
    assert!(traces.left().len() >= 3);
    owner.kill().unwrap();
    owner.wait().unwrap();
    traces.wait_until_nothing_is_left();
}
