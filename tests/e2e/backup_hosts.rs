//! Backups of two machines from a third: each by its own `pq-backup` over ssh, whatever becomes of the other.

#![expect(clippy::unwrap_used, reason = "what the runner itself cannot do ends the test")]

use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pq_testkit::lab::{self, Machine, Result};
use serde_json::{Value, json};

use crate::backup_kill::{small, write};
use crate::ssh::Fleet;

/// Starts pq-backup behind the hosts of a stream.
fn start(fleet: &Fleet, stream: &str, words: &[&str]) -> Child {
    let file = fleet.path("hosts.ndjson");
    std::fs::write(&file, stream).unwrap();
    let mut command = fleet.tool("pq-backup");
    command.args(words).stdin(std::fs::File::open(&file).unwrap());
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Runs it: its status, standard output and standard error.
fn told(fleet: &Fleet, stream: &str, words: &[&str]) -> (i32, String, String) {
    of(start(fleet, stream, words))
}

fn of(child: Child) -> (i32, String, String) {
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (status.code().unwrap_or(-1), text(stdout), text(stderr))
}

/// The same stream with a host that nothing listens on.
fn with_one_that_is_off(stream: &str) -> String {
    let off = json!({"type": "host", "host": "off", "groups": ["all"], "vars": {},
        "connection": {"kind": "ssh", "address": "127.0.0.1", "port": 1, "user": "root"}});
    let end = r#"{"type":"end","hosts":2,"status":0}"#;
    assert!(stream.contains(end), "{stream}");
    stream.replace(end, &format!("{off}\n{}", end.replace('2', "3")))
}

/// What of a backup is at work on a machine.
fn at_work(machine: &Machine) -> Result<String> {
    Ok(machine.sh("pgrep -ax 'pq-backup|restic|sleep' || true")?.text().to_owned())
}

/// Waits until something is so on a machine.
fn wait_until(machine: &Machine, what: &str) -> Result<()> {
    let begun = Instant::now();
    while machine.sh(what)?.code != 0 {
        assert!(begun.elapsed() < Duration::from_secs(60), "`{what}` on `{}`", machine.name());
        sleep(Duration::from_millis(50));
    }
    Ok(())
}

#[test]
fn machines_are_backed_up_from_another_and_each_keeps_what_is_its_own() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let fleet = Fleet::of(vec![small(&lab, "fltweb")?, small(&lab, "fltdb")?])?;
    let [web, db] = &fleet.machines[..] else { return Ok(()) };
    for (number, machine) in [(5, web), (8, db)] {
        write(machine, number)?;
    }
    let both = fleet.plan("root", &json!({}), |_| Vec::new());
    let three = with_one_that_is_off(&both);

    // One of three is off: the others are told all the same.
    let (code, out, err) = told(&fleet, &three, &["status", "--text"]);
    assert_eq!(code, 75, "{out}{err}");
    for host in ["fltweb", "fltdb"] {
        assert!(out.lines().any(|line| line.contains(host) && line.contains("there is no backup")), "{out}");
    }
    assert!(err.contains("error: cannot reach host `off`") && err.contains("Connection refused"), "{err}");
    let (code, out, err) = told(&fleet, &three, &["run", "--text"]);
    assert_eq!(code, 75, "{out}{err}");
    for host in ["fltweb", "fltdb"] {
        assert!(out.contains(&format!("{host}: ok      data: backed up to local")), "{out}");
    }
    let (code, out, err) = told(&fleet, &both, &["status"]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    let records: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let backups: Vec<&Value> = records.iter().filter(|it| it["type"] == "backup").collect();
    assert_eq!(backups.len(), 2, "{out}");
    assert!(backups.iter().all(|it| it["newest"]["size"].as_u64() > Some(0) && it["late"] == false), "{out}");
    assert_ne!(backups[0]["host"], backups[1]["host"]);
    assert_eq!(records.last().unwrap(), &json!({"type": "end", "hosts": 2, "status": 0}));

    // Everything else, on both at once.
    for (words, shown) in [
        (&["list"][..], "data"),
        (&["find", "data", "grows"], "/srv/data/grows"),
        (&["copy"], "copied to away: 1 backup"),
        (&["verify"], ""),
        (&["forget", "--check"], "1 stay, 0 would go"),
        (&["forget", "--yes"], "1 stay, 0 went"),
        (&["rehearse", "data"], "was restored in"),
        (&["run", "--check"], "may be written so that 1 % stay free"),
    ] {
        let (code, out, err) = told(&fleet, &both, &[words, &["--text"]].concat());
        assert_eq!(code, 0, "{words:?}: {out}{err}");
        for host in ["fltweb", "fltdb"] {
            assert!(
                shown.is_empty() || out.lines().any(|line| line.contains(host) && line.contains(shown)),
                "{words:?}: {out}"
            );
        }
    }
    // Who opens the kit is said nowhere: each says so for itself.
    let (code, _, err) = told(&fleet, &both, &["recovery-kit"]);
    assert!(code == 1 && err.matches("sealed for nobody").count() == 2, "{err}");
    assert!(err.contains("host `fltweb`: ") && err.contains("host `fltdb`: "), "{err}");

    // What is restored is on its own machine, where it says.
    let (code, out, err) = told(&fleet, &both, &["restore", "data", "--text"]);
    assert_eq!(code, 0, "{err}");
    for machine in [web, db] {
        let place = out.lines().find_map(|line| line.strip_prefix(&format!("{}:", machine.name())));
        let place = place.unwrap_or_else(|| panic!("{out}"));
        machine.run(["cmp", "/srv/data/grows", &format!("{place}/srv/data/grows")])?.success()?;
    }

    typed(&fleet)?;
    released(&fleet, &both)?;
    stopped(&fleet, &both)?;

    // Nothing of a secret came here, or lies where others read.
    let key = web.read("/etc/paquerette/backup.key")?;
    let seen = web
        .sh("cat /var/log/*.log 2>/dev/null; journalctl -q --no-pager; cat /run/paquerette/* 2>/dev/null")?;
    assert!(!seen.stdout.contains(key.trim()) && !out.contains(key.trim()));
    Ok(())
}

/// What somebody types at the end of an ssh whose own standard input stays open is about that machine, and waits for nothing.
fn typed(fleet: &Fleet) -> Result<()> {
    let [web, _] = &fleet.machines[..] else { return Ok(()) };
    let (vars, ip) = (fleet.vars(json!({})), web.ip().to_string());
    let mut ssh = Command::new("ssh");
    ssh.args(vars["ansible_ssh_common_args"].as_str().unwrap_or_default().split(' '));
    ssh.args(["-i", vars["ansible_ssh_private_key_file"].as_str().unwrap_or_default()]);
    ssh.args(["-o", "BatchMode=yes", &format!("root@{ip}"), "timeout 20 pq-backup status --text"]);
    let (input, open) = std::io::pipe().unwrap();
    let child = ssh.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (code, out, err) = of(child);
    drop(open);
    assert!(code == 0 && out.contains("data"), "{code}: {out}{err}");
    Ok(())
}

/// One has another release, then none; the other is told all the same.
fn released(fleet: &Fleet, both: &str) -> Result<()> {
    let [_, db] = &fleet.machines[..] else { return Ok(()) };
    db.sh("mv /usr/local/bin/pq-backup /usr/local/bin/kept; printf '#!/bin/sh\\necho pq-backup 0.0.1\\n' > /usr/local/bin/pq-backup; chmod 755 /usr/local/bin/pq-backup")?.success()?;
    let (code, out, err) = told(fleet, both, &["status", "--text"]);
    assert_eq!(code, 1, "{out}{err}");
    assert!(err.contains("error: host `fltdb`: `pq-backup` there is of another release"), "{err}");
    assert!(err.contains("says `pq-backup 0.0.1`") && err.contains("pq-server --apply"), "{err}");
    assert!(out.contains("fltweb") && !out.contains("fltdb"), "{out}");
    db.sh("rm /usr/local/bin/pq-backup")?.success()?;
    let (code, _, err) = told(fleet, both, &["status", "--text"]);
    assert!(code == 1 && err.contains("error: host `fltdb`: `pq-backup` is not installed"), "{err}");
    db.sh("mv /usr/local/bin/kept /usr/local/bin/pq-backup")?.success().map(drop)
}

/// Ctrl-c, and a line that is cut, end what is at work on the machines; the next run does all.
fn stopped(fleet: &Fleet, both: &str) -> Result<()> {
    let [web, db] = &fleet.machines[..] else { return Ok(()) };
    for machine in [web, db] {
        let slow = "quiesce: [{ argv: [/usr/bin/touch, /srv/begun] }, { argv: [/usr/bin/sleep, \"300\"], timeout: 600s }]";
        machine.sh(&format!("echo '{slow}' >> /etc/paquerette/backup.d/data.yml"))?.success()?;
    }
    for signal in [Signal::SIGINT, Signal::SIGKILL] {
        let child = start(fleet, both, &["run", "--text"]);
        let begun =
            [web, db].iter().try_for_each(|it| wait_until(it, "test -e /srv/begun && pgrep -x sleep"));
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
        kill(pid, signal).unwrap();
        let (code, out, err) = of(child);
        begun?;
        if signal == Signal::SIGINT {
            assert_eq!(code, 1, "{out}{err}");
            assert_eq!(err.matches("`pq-backup` was stopped").count(), 2, "{err}");
        }
        for machine in [web, db] {
            wait_until(machine, "! pgrep -x 'pq-backup|restic|pq-apply.*|sleep'")?;
            assert_eq!(at_work(machine)?, "", "{signal}");
            machine.sh("rm /srv/begun")?.success()?;
        }
    }
    for machine in [web, db] {
        machine.sh("sed -i '/^quiesce:/d' /etc/paquerette/backup.d/data.yml")?.success()?;
    }
    let (code, out, err) = told(fleet, both, &["run", "--text"]);
    assert_eq!(code, 0, "{out}{err}");
    Ok(())
}
