//! What this computer lacks to run machines, each in one line with the way to get it.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// One thing that is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lack {
    /// What is missing.
    pub what: String,
    /// How to get it.
    pub cure: String,
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.what, self.cure)
    }
}

/// Programs, and the Debian package that brings each.
const PROGRAMS: &[(&str, &str)] = &[
    ("systemd-nspawn", "systemd-container"),
    ("debootstrap", "debootstrap"),
    ("apt-cacher-ng", "apt-cacher-ng"),
    ("ip", "iproute2"),
    ("nsenter", "util-linux"),
    ("setsid", "util-linux"),
    ("python3", "python3"),
];

/// Everything that is missing; empty where machines can run.
pub fn lacks() -> Vec<Lack> {
    let mut lacks = Vec::new();
    let mut lack = |what: String, cure: String| lacks.push(Lack { what, cure });
    if !nix::unistd::geteuid().is_root() {
        lack("root".into(), "run as root, or with `sudo -E`".into());
    }
    for (program, package) in PROGRAMS {
        if find_program(program).is_none() {
            lack(format!("the program `{program}`"), format!("`make tools`, or `apt-get install {package}`"));
        }
    }
    if !fs::read_to_string("/proc/filesystems").unwrap_or_default().contains("\toverlay\n")
        && !Path::new("/sys/module/overlay").exists()
    {
        lack("overlayfs in the kernel".into(), "`modprobe overlay`".into());
    }
    if cgroup_root().is_none() {
        let cure = "`mount -t cgroup2 none /sys/fs/cgroup/unified`, or boot with `systemd.unified_cgroup_hierarchy=1`";
        lack("a mounted cgroup2 hierarchy".into(), cure.into());
    }
    lacks
}

/// The path of a program, looked for where root's programs are also when `PATH` is a user's.
pub(super) fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    path.split(':')
        .chain(["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"])
        .filter(|dir| !dir.is_empty())
        .map(|dir| Path::new(dir).join(name))
        .find(|file| file.is_file())
}

/// Where the cgroup2 hierarchy is mounted.
pub(super) fn cgroup_root() -> Option<PathBuf> {
    fs::read_to_string("/proc/self/mounts").ok()?.lines().find_map(|line| {
        let mut fields = line.split(' ');
        let (_, at, kind) = (fields.next()?, fields.next()?, fields.next()?);
        (kind == "cgroup2").then(|| PathBuf::from(at))
    })
}
