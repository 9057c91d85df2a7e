//! How a machine runs: systemd-nspawn on an overlay, kept by `supervise.sh`.
//!
//! Always true here: a machine's overlay is mounted from its first start until it is taken away or snapshotted, also
//! while it is off; and everything that runs in a machine is below the machine's cgroup.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::mount::{MsFlags, mount, umount};

use super::error::{Doing, Error, Result};
use super::home::Home;
use super::host::last_lines;
use super::image::layer_path;
use super::lacking::find_program;
use super::network;
use super::process::Process;
use super::record::Record;

const SUPERVISE: &str = include_str!("supervise.sh");
const PATIENCE: Duration = Duration::from_secs(120);

/// The merged file tree, as this computer sees it.
pub(super) fn root(home: &Home, record: &Record) -> PathBuf {
    record.dir(home).join("root")
}

/// Mounts the overlay, unless it is mounted.
pub(super) fn mount_root(home: &Home, record: &Record) -> Result<()> {
    let (dir, root) = (record.dir(home), root(home, record));
    if mounted(&root) {
        return Ok(());
    }
    // `volatile` (no fsync reaches the disk) leaves a mark that forbids a second mount; a fresh work directory has none.
    let work = dir.join("work");
    if work.exists() {
        fs::remove_dir_all(&work).doing(|| format!("empty `{}`", work.display()))?;
    }
    for dir in [&root, &work, &dir.join("upper")] {
        home.make(dir)?;
    }
    let lower: Vec<_> =
        record.layers.iter().map(|layer| layer_path(home, layer).display().to_string()).collect();
    let options = format!(
        "lowerdir={},upperdir={},workdir={},redirect_dir=on,volatile",
        lower.join(":"),
        dir.join("upper").display(),
        work.display()
    );
    mount(Some("overlay"), &root, Some("overlay"), MsFlags::empty(), Some(options.as_str()))
        .doing(|| format!("mount the file tree of machine `{}`", record.name))
        .map_err(|error| {
            error.hint(format!("the lab's directory must lie on a plain file system: `{options}`"))
        })
}

/// Unmounts the overlay of a machine that is off.
pub(super) fn unmount_root(home: &Home, record: &Record) -> Result<()> {
    let root = root(home, record);
    for _ in 0..100 {
        if !mounted(&root) || umount(&root).is_ok() {
            return Ok(());
        }
        sleep(Duration::from_millis(50));
    }
    umount(&root).doing(|| format!("unmount `{}`", root.display()))
}

fn mounted(root: &Path) -> bool {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    mounts.lines().any(|line| line.split(' ').nth(1).is_some_and(|at| Path::new(at) == root))
}

/// Starts a machine that is off; it is not yet up when this answers.
pub(super) fn start(home: &Home, record: &mut Record) -> Result<Child> {
    mount_root(home, record)?;
    let root = root(home, record);
    furnish(&root, record)?;
    let dir = record.dir(home);
    let doing = || format!("start machine `{}`", record.name);
    let log = File::options().create(true).append(true).open(dir.join("machine.log")).doing(doing)?;
    let program = find_program("systemd-nspawn").unwrap_or_else(|| "systemd-nspawn".into());
    let child = Command::new("setsid")
        .args(["sh", "-c", SUPERVISE, "supervise"])
        .args([&dir, &record.cgroup()?, &program])
        .args(["--quiet", "--register=no", "--keep-unit", "--boot", "--resolv-conf=off", "--timezone=off"])
        .args(["--link-journal=no".to_owned(), format!("--network-bridge={}", network::BRIDGE)])
        .args([format!("--directory={}", root.display()), format!("--machine={}", alias(record))])
        .arg(format!("--hostname={}", record.name))
        .env("SYSTEMD_NSPAWN_UNIFIED_HIERARCHY", "1")
        .env("SYSTEMD_NSPAWN_LOCK", "0")
        .stdin(Stdio::null())
        .stdout(log.try_clone().doing(doing)?)
        .stderr(log)
        .spawn()
        .doing(doing)?;
    record.supervisor = Process::of(child.id());
    record.write(home)?;
    Ok(child)
}

/// What systemd-nspawn calls the machine, and its end of the network: no other living machine has it.
fn alias(record: &Record) -> &str {
    record.id.split('.').next().unwrap_or(&record.id)
}

/// What makes this machine itself, on whatever image: hostname and address.
fn furnish(root: &Path, record: &Record) -> Result<()> {
    let write = |path: &str, text: String| {
        fs::write(root.join(path), text).doing(|| format!("write `/{path}` of machine `{}`", record.name))
    };
    let hosts = fs::read_to_string(root.join("etc/hosts"))
        .unwrap_or_else(|_| "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n".to_owned());
    write("etc/hosts", named_in(&hosts, record))?;
    write("etc/hostname", format!("{}\n", record.name))?;
    write("etc/systemd/network/10-host0.network", network::inside(record.address))
}

/// `/etc/hosts` with this machine's line, and nobody else's.
fn named_in(hosts: &str, record: &Record) -> String {
    let mut text: String = hosts
        .lines()
        .filter(|line| !line.ends_with("# the machine itself"))
        .flat_map(|line| [line, "\n"])
        .collect();
    text.push_str(&format!("{} {} # the machine itself\n", record.address, record.name));
    text
}

/// The machine's process 1, as this computer numbers it; none while it is off or has not come that far.
pub(super) fn leader(record: &Record) -> Result<Option<u32>> {
    let procs = record.cgroup()?.join("payload/init.scope/cgroup.procs");
    let first_inside = |pid: &&str| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        status.lines().any(|line| line.starts_with("NSpid:") && line.ends_with("\t1"))
    };
    let procs = fs::read_to_string(procs).unwrap_or_default();
    Ok(procs.lines().find(first_inside).and_then(|pid| pid.parse().ok()))
}

/// Waits until systemd says that the machine is up, and is not the one whose process 1 was `before`.
pub(super) fn wait_until_up(home: &Home, record: &Record, before: Option<u32>) -> Result<()> {
    let patience = Instant::now() + PATIENCE;
    let mut state = "nothing".to_owned();
    while Instant::now() < patience && record.running() {
        if leader(record)?.is_some_and(|leader| Some(leader) != before) {
            let asked = super::Command::new(record.clone(), ["systemctl", "is-system-running"])
                .patience(Duration::from_secs(20))
                .output();
            if let Ok(answer) = asked {
                state = answer.text().to_owned();
                if matches!(state.as_str(), "running" | "degraded") {
                    return Ok(());
                }
            }
        }
        sleep(Duration::from_millis(50));
    }
    let log = record.dir(home).join("machine.log");
    let said = last_lines(&fs::read(log).unwrap_or_default(), 4);
    let how =
        if record.running() { format!("does not come up, systemd says `{state}`") } else { "died".into() };
    Err(Error::new(format!("machine `{}` {how}", record.name)).because(said))
}

/// Waits until the machine is off: nobody keeps it running, and its last process is gone.
pub(super) fn wait_until_off(record: &Record, limit: Duration) -> Result<bool> {
    let events = record.cgroup()?.join("cgroup.events");
    let populated = || fs::read_to_string(&events).is_ok_and(|events| events.contains("populated 1"));
    let patience = Instant::now() + limit;
    while record.running() || populated() {
        if Instant::now() > patience {
            return Ok(false);
        }
        sleep(Duration::from_millis(20));
    }
    Ok(true)
}

/// Ends every process of the machine at once, as a cut power line does.
pub(super) fn kill(home: &Home, record: &Record) -> Result<()> {
    let stop = record.dir(home).join("stop");
    let doing = || format!("kill machine `{}`", record.name);
    fs::write(&stop, "").doing(doing)?;
    let kill = record.cgroup()?.join("cgroup.kill");
    while !wait_until_off(record, Duration::from_millis(50))? {
        fs::write(&kill, "1").doing(doing)?;
    }
    fs::remove_file(stop).doing(doing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_of_another_machine_gets_the_new_name_and_keeps_the_other_lines() {
        let record = Record {
            id: "web-12.7".into(),
            name: "web".into(),
            address: std::net::Ipv4Addr::new(10, 77, 0, 12),
            image: "bookworm".into(),
            layers: Vec::new(),
            owner: None,
            supervisor: None,
        };
        let hosts = "127.0.0.1 localhost\n10.77.0.11 old # the machine itself\n10.0.0.1 relay\n";
        let wanted = "127.0.0.1 localhost\n10.0.0.1 relay\n10.77.0.12 web # the machine itself\n";
        assert_eq!(named_in(hosts, &record), wanted);
        assert_eq!(alias(&record), "web-12");
    }
}
