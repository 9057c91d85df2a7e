//! Services that still run on files that were replaced: programs and libraries that are mapped and not there any more.
//!
//! What is mapped stands in `/proc/<pid>/maps` (proc(5)); which unit a process is of, in `/proc/<pid>/cgroup`. What is
//! interpreted, such as Python's modules, is read and not mapped, and is not seen here. Nor are processes of containers:
//! their files are not this machine's.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use pq_steps::{Command, Error};
use pq_stream::OutdatedService;

use crate::children;
use crate::users::Users;

/// Where programs and libraries are that packages bring.
const BROUGHT: [&str; 6] = ["/usr/", "/lib", "/bin/", "/sbin/", "/opt/", "/var/lib/docker/"];

/// How many files of one service are told.
const MOST: usize = 5;

/// What is not restarted, and why: the beginning of a unit's name.
const LISTED: [(&str, &str); 20] = [
    ("dbus", "all of the system talks through it: boot the machine anew"),
    ("systemd-logind.", "restarted, it may lose who is logged in: boot the machine anew"),
    ("user@", "somebody's session runs in it: it ends with the session"),
    ("user-runtime-dir@", "somebody's session needs it: it ends with the session"),
    ("getty@", "somebody may be logged in on it: it ends with the login"),
    ("serial-getty@", "somebody may be logged in on it: it ends with the login"),
    ("console-getty.", "somebody may be logged in on it: it ends with the login"),
    ("container-getty@", "somebody may be logged in on it: it ends with the login"),
    ("networking.", "the way in may be cut: restart it with another one open, or boot the machine anew"),
    ("ifup@", "the way in may be cut: restart it with another one open, or boot the machine anew"),
    (
        "systemd-networkd.",
        "the way in may be cut: restart it with another one open, or boot the machine anew",
    ),
    ("NetworkManager.", "the way in may be cut: restart it with another one open, or boot the machine anew"),
    ("wpa_supplicant", "the way in may be cut: restart it with another one open, or boot the machine anew"),
    ("dhcpcd", "the way in may be cut: restart it with another one open, or boot the machine anew"),
    ("openvpn", "the way in may lead through it: restart it with another one open"),
    ("tailscaled.", "the way in may lead through it: restart it with another one open"),
    ("strongswan", "the way in may lead through it: restart it with another one open"),
    ("docker.", "its containers end with it: restart it when they may"),
    ("containerd.", "its containers end with it: restart it when they may"),
    ("libvirtd.", "restart it when its machines may"),
];

/// The services of this machine that run on what was replaced, sorted.
pub fn outdated(users: &Users) -> Result<Vec<OutdatedService>, Error> {
    let found = read(Path::new("/proc"));
    let restarted: Vec<&str> =
        found.iter().filter(|it| it.0.listed.is_none()).map(|it| it.0.unit.as_str()).collect();
    if restarted.is_empty() {
        return Ok(found.into_iter().map(|it| it.0).collect());
    }
    let mut command = Command::new(["systemctl", "show", "--property=Id,MainPID,KillMode", "--"]);
    command.argv.extend(restarted.into_iter().map(str::to_owned));
    let said = children::ask(&command, users)?.success(&command)?.stdout;
    Ok(left_by_a_restart(found, &said))
}

/// Lists what a restart does not end: what a service had started for others, such as sessions of the ssh server.
fn left_by_a_restart(found: Vec<(OutdatedService, Vec<u32>)>, said: &str) -> Vec<OutdatedService> {
    let mut leaves = HashMap::new();
    for block in said.split("\n\n") {
        let values: HashMap<&str, &str> = block.lines().filter_map(|line| line.split_once('=')).collect();
        if let (Some(id), Some("process" | "none")) = (values.get("Id"), values.get("KillMode").copied()) {
            let main = values.get("MainPID").and_then(|it| it.parse::<u32>().ok()).unwrap_or_default();
            leaves.insert((*id).to_owned(), main);
        }
    }
    let listed = |(mut it, processes): (OutdatedService, Vec<u32>)| {
        if it.listed.is_none() && leaves.get(&it.unit).is_some_and(|main| !processes.contains(main)) {
            it.listed = Some("what it had started for somebody runs on, and ends by itself".to_owned());
        }
        it
    };
    found.into_iter().map(listed).collect()
}

/// Those services, each with its processes that do.
fn read(proc: &Path) -> Vec<(OutdatedService, Vec<u32>)> {
    let mut found: BTreeMap<String, (Vec<String>, Vec<u32>)> = BTreeMap::new();
    let own = unit_of(&proc.join("self"));
    for entry in fs::read_dir(proc).into_iter().flatten().flatten() {
        let Ok(process) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
        // What ends meanwhile has none of these.
        let Some(unit) = unit_of(&entry.path()) else { continue };
        let Ok(maps) = fs::read(entry.path().join("maps")) else { continue };
        for file in replaced(&String::from_utf8_lossy(&maps)) {
            let (files, processes) = found.entry(unit.clone()).or_default();
            if files.len() < MOST && !files.iter().any(|it| it == file) {
                files.push(file.to_owned());
            }
            if processes.last() != Some(&process) {
                processes.push(process);
            }
        }
    }
    let listed = |unit: &str| match own.as_deref() == Some(unit) {
        true => Some("this very run is a part of it: restart it by hand".to_owned()),
        false => why_not(unit),
    };
    found
        .into_iter()
        .map(|(unit, (mut files, processes))| {
            files.sort();
            (OutdatedService { listed: listed(&unit), unit, files }, processes)
        })
        .collect()
}

/// Why a unit is not restarted; nothing where it is.
fn why_not(unit: &str) -> Option<String> {
    let why = match unit {
        "init.scope" => "it is systemd itself: `systemctl daemon-reexec`, or boot the machine anew",
        _ if !unit.ends_with(".service") => "it is a session: it ends with its user's logout",
        _ => LISTED.iter().find(|(begin, _)| unit.starts_with(begin))?.1,
    };
    Some(why.to_owned())
}

/// The files that are mapped to be executed, and are not there any more.
fn replaced(maps: &str) -> impl Iterator<Item = &str> {
    maps.lines().filter_map(|line| {
        // `7f30-7f31 r-xp 00001000 08:01 1234   /usr/lib/libx.so.1 (deleted)`
        let (fields, path) = line.split_at(line.find('/')?);
        let executed = fields.split(' ').nth(1).is_some_and(|mode| mode.contains('x'));
        let path = path.strip_suffix(" (deleted)")?;
        // dpkg unpacks beside the old file; a kernel may remember that name.
        let path = path.strip_suffix(".dpkg-new").unwrap_or(path);
        (executed && BROUGHT.iter().any(|it| path.starts_with(it))).then_some(path)
    })
}

/// The unit of a process: a service of the system, or the session that it is of.
fn unit_of(process: &Path) -> Option<String> {
    let text = fs::read_to_string(process.join("cgroup")).ok()?;
    text.lines().find_map(unit_in).map(str::to_owned)
}

/// The unit in a line of cgroup(7): `0::/system.slice/nginx.service`, or that of systemd's own hierarchy.
fn unit_in(line: &str) -> Option<&str> {
    let path = match line.split_once("::") {
        Some(("0", path)) => path,
        _ => line.split_once(":name=systemd:")?.1,
    };
    let parts: Vec<&str> = path.split('/').collect();
    // A machine's or a container's own processes are below its scope.
    if parts.iter().any(|part| {
        *part == "machine.slice"
            || ["docker-", "libpod-", "cri-containerd-", "lxc"].iter().any(|it| part.starts_with(it))
    }) {
        return None;
    }
    parts.iter().copied().find(|part| part.ends_with(".service") || part.ends_with(".scope"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    const MAPS: &str = "\
55d0c0000000-55d0c0001000 r--p 00000000 08:01 1 /usr/sbin/nginx
7f3000000000-7f3000100000 r-xp 00001000 08:01 2 /usr/lib/x86_64-linux-gnu/libssl.so.3 (deleted)
7f3000100000-7f3000200000 r--p 00001000 08:01 2 /usr/lib/x86_64-linux-gnu/libcrypto.so.3 (deleted)
7f3000200000-7f3000300000 r-xp 00001000 08:01 3 /usr/lib/x86_64-linux-gnu/libz.so.1.dpkg-new (deleted)
7f3000300000-7f3000400000 rwxs 00000000 00:01 4 /memfd:jit (deleted)
7f3000400000-7f3000500000 rwxs 00000000 00:01 5 /dev/zero (deleted)
7f3000500000-7f3000600000 rwxp 00000000 08:01 6 /tmp/jit-1234 (deleted)
7f3000600000-7f3000700000 rw-p 00000000 00:00 0 [heap]
";

    fn process(proc: &Path, id: &str, cgroup: &str, maps: &str) -> PathBuf {
        let process = proc.join(id);
        fs::create_dir_all(&process).unwrap();
        fs::write(process.join("cgroup"), cgroup).unwrap();
        fs::write(process.join("maps"), maps).unwrap();
        process
    }

    #[test]
    fn a_service_that_executes_what_was_replaced_is_known_with_its_files() {
        let dir = tempfile::tempdir().unwrap();
        process(dir.path(), "10", "0::/system.slice/nginx.service\n", MAPS);
        process(dir.path(), "11", "0::/system.slice/cron.service\n", MAPS.lines().next().unwrap());
        let pg = "1:name=systemd:/system.slice/system-postgresql.slice/postgresql@15-main.service\n";
        process(dir.path(), "12", pg, MAPS);
        process(dir.path(), "13", "0::/system.slice/dbus.service\n", MAPS);
        process(dir.path(), "14", "0::/user.slice/user-0.slice/session-3.scope\n", MAPS);
        process(dir.path(), "15", "0::/system.slice/docker-0123.scope\n", MAPS);
        process(dir.path(), "self", "0::/system.slice/mine.service\n", "");
        process(dir.path(), "16", "0::/system.slice/mine.service\n", MAPS);
        let found: Vec<OutdatedService> = read(dir.path()).into_iter().map(|it| it.0).collect();
        let restarted: Vec<&str> =
            found.iter().filter(|it| it.listed.is_none()).map(|it| it.unit.as_str()).collect();
        assert_eq!(restarted, ["nginx.service", "postgresql@15-main.service"]);
        let listed: Vec<&str> =
            found.iter().filter(|it| it.listed.is_some()).map(|it| it.unit.as_str()).collect();
        assert_eq!(listed, ["dbus.service", "mine.service", "session-3.scope"]);
        let files = &found.iter().find(|it| it.unit == "nginx.service").unwrap().files;
        assert_eq!(files, &["/usr/lib/x86_64-linux-gnu/libssl.so.3", "/usr/lib/x86_64-linux-gnu/libz.so.1"]);
    }

    #[test]
    fn sessions_that_a_restart_leaves_are_not_restarted_again_and_again() {
        let dir = tempfile::tempdir().unwrap();
        process(dir.path(), "10", "0::/system.slice/ssh.service\n", MAPS);
        process(dir.path(), "20", "0::/system.slice/nginx.service\n", MAPS);
        let said = |main: &str| {
            format!(
                "Id=ssh.service\nMainPID={main}\nKillMode=process\n\nId=nginx.service\nMainPID=21\nKillMode=mixed\n"
            )
        };
        let restarted = |said: &str| -> Vec<String> {
            let all = left_by_a_restart(read(dir.path()), said);
            all.into_iter().filter(|it| it.listed.is_none()).map(|it| it.unit).collect()
        };
        assert_eq!(restarted(&said("10")), ["nginx.service", "ssh.service"]);
        assert_eq!(restarted(&said("11")), ["nginx.service"]);
    }

    #[test]
    fn what_would_cut_the_way_in_is_listed_and_the_ssh_server_is_restarted() {
        for unit in ["systemd-networkd.service", "networking.service", "getty@tty1.service", "init.scope"] {
            assert!(why_not(unit).is_some(), "{unit}");
        }
        for unit in ["ssh.service", "cron.service", "systemd-journald.service", "dovecot.service"] {
            assert_eq!(why_not(unit), None, "{unit}");
        }
    }

    #[test]
    fn a_unit_is_found_also_below_others() {
        for (line, unit) in [
            (
                "0::/user.slice/user-1000.slice/user@1000.service/app.slice/x.service",
                Some("user@1000.service"),
            ),
            ("0::/init.scope", Some("init.scope")),
            ("4:memory:/system.slice/x.service", None),
            ("0::/", None),
            ("0::/machine.slice/libpod-1.scope/x.service", None),
        ] {
            assert_eq!(unit_in(line), unit, "{line}");
        }
    }
}
