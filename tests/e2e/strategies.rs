//! What a machine is to be backed up and watched by, its logs and its jobs: laid out, read back as the types that they
//! are, and true of the machine.

use std::collections::BTreeSet;

use pq_items::{BackupItem, BackupStrategy, Check, MonitorItem, MonitorStrategy, Probe};
use pq_testkit::lab::{self, Lab, Machine, Output, Result};
use serde::de::DeserializeOwned;

use crate::world::{HOST, PIPE, bare, demo_inventory, serve};

/// Where the tools of the test are, out of the way of those that the machine is to get.
const TOOLS: &str = "/root/dist/paquerette-9.0.0/bin";

/// A release of the tools as `make dist` packs it.
const RELEASE: &str = r#"
    mkdir -p /root/dist/paquerette-9.0.0/bin /root/sources
    mv /usr/local/bin/pq-* /root/dist/paquerette-9.0.0/bin/
    tar cz -C /root/dist --owner=0 --group=0 -f /root/sources/paquerette.tar.gz paquerette-9.0.0
    sha256sum /root/sources/paquerette.tar.gz | cut -d' ' -f1
"#;

fn machine(lab: &Lab) -> Result<Machine> {
    let machine = bare(lab, "strategies")?;
    demo_inventory(lab, &machine)?;
    let sha256 = machine.sh(RELEASE)?.success()?.text().to_owned();
    serve(&machine, "/root/sources")?;
    let own = format!(
        r##"
backup_paths: [/opt]
maintenance:
  - {{ weekly: {{ days: [sunday], from: "23:30", until: "01:00" }}, reason: upgrades, who: claire }}
scripts:
  - name: note.sh
    content: |
      #!/bin/sh
      echo "$1" >>/root/noted
cron_jobs:
  - {{ name: note, command: 'note.sh "$(date +\%Y)"', schedule: "* * * * *" }}
paquerette_tools:
  url: http://127.0.0.1:8087/paquerette.tar.gz
  version: "9.0.0"
  sha256: {sha256}
  tools: [pq-inventory, pq-server, pq-platform, pq-instance, pq-apply, pq-secret, pq-monitor]
"##
    );
    machine.write(HOST, own)?;
    Ok(machine)
}

/// Runs the demo's pipe with the tools of a directory.
fn pipe(machine: &Machine, tools: &str, last: &str) -> Result<Output> {
    machine.run(["bash", "-c", &format!("PATH={tools}:$PATH; {PIPE} | {last}")])
}

/// A file below /etc/paquerette as the type that it is to be.
fn read<T: DeserializeOwned>(machine: &Machine, name: &str) -> Result<T> {
    let path = format!("/etc/paquerette/{name}");
    let text = machine.read(&path)?;
    Ok(pq_items::read("a file", &path, &text).unwrap_or_else(|error| panic!("{error}\n{text}")))
}

/// The items of a directory, each with the name of its file.
fn items<T: DeserializeOwned>(machine: &Machine, directory: &str) -> Result<Vec<(String, T)>> {
    let names = machine.sh(&format!("ls /etc/paquerette/{directory}"))?.success()?.stdout;
    let item = |name: &str| {
        Ok((name.trim_end_matches(".yml").to_owned(), read(machine, &format!("{directory}/{name}"))?))
    };
    names.lines().map(item).collect()
}

/// Asks what a check asks, with nothing of ours.
fn holds(machine: &Machine, item: &str, check: &Check) -> Result<()> {
    let script = match &check.probe {
        Probe::Unit(unit) => format!("systemctl is-active {}", unit.name),
        Probe::Socket(socket) => format!("test -S '{}'", socket.path),
        Probe::Tcp(tcp) => format!("exec 3<>/dev/tcp/{}/{}", tcp.host, tcp.port),
        Probe::Disk(disk) => format!("df '{}'", disk.path),
        Probe::Http(http) => {
            let page = "import http.client, socket, ssl, sys
from urllib.parse import urlsplit
url, ca, body = urlsplit(sys.argv[1]), sys.argv[2], sys.argv[3]
secure = ssl.create_default_context(cafile=ca)
line = http.client.HTTPSConnection(url.netloc)
line.sock = secure.wrap_socket(socket.create_connection(('127.0.0.1', 443), 10), server_hostname=url.netloc)
line.request('GET', url.path + ('?' + url.query if url.query else ''))
answer = line.getresponse()
print(answer.status, body in answer.read().decode())
";
            let (url, ca) = (http.url.as_str(), http.ca.as_ref().map_or("", |ca| ca.as_str()));
            let body = http.body.as_ref().map_or("", |body| body.as_str());
            let answer = machine.run(["python3", "-c", page, url, ca, body])?.success()?;
            assert_eq!(answer.text(), format!("{} True", http.status), "{item}/{}", check.id);
            return Ok(());
        }
        Probe::Certificate(certificate) => {
            assert_eq!(certificate.served.as_ref().map(|at| at.as_str()), Some("127.0.0.1:443"));
            format!("test -s '{}'", certificate.file.as_ref().map_or("", |file| file.as_str()))
        }
        Probe::Command(command) => {
            let answer = machine.run(command.argv.words())?;
            assert_eq!(answer.code, 0, "{item}/{}: {}{}", check.id, answer.stdout, answer.stderr);
            return Ok(());
        }
        // What they hold is the kernel's and systemd's to say, and differs by the hour: that something is known.
        Probe::Load(_)
        | Probe::Memory(_)
        | Probe::Swap(_)
        | Probe::Oom(_)
        | Probe::Clock(_)
        | Probe::Runs(_)
        | Probe::Updates(_) => {
            let name = format!("{item}/{}", check.id);
            let answer = machine.run(["/usr/local/bin/pq-monitor", "test", &name])?;
            assert!(
                answer.code < 3 && answer.stdout.starts_with("PQ "),
                "{name}: {}{}",
                answer.stdout,
                answer.stderr
            );
            return Ok(());
        }
        other => panic!("the demo has no such check: {other:?}"),
    };
    let answer = machine.run(["bash", "-c", &script])?;
    assert_eq!(answer.code, 0, "{item}/{}: `{script}`: {}{}", check.id, answer.stdout, answer.stderr);
    Ok(())
}

/// Every file below /etc/paquerette is what it is to be, and says what is true.
fn laid_out(machine: &Machine) -> Result<()> {
    let backups: Vec<(String, BackupItem)> = items(machine, "backup.d")?;
    let watched: Vec<(String, MonitorItem)> = items(machine, "monitor.d")?;
    let owners: BTreeSet<&str> = watched.iter().map(|(name, _)| name.as_str()).collect();
    let all = ["server", "server-hardening", "platform-nginx", "platform-php", "wiki", "dav"];
    assert_eq!(owners, BTreeSet::from(all));
    // Firewall, ssh and fail2ban are watched; there is nothing of theirs to be backed up alone.
    let with_data = all.into_iter().filter(|name| *name != "server-hardening").collect();
    assert_eq!(backups.iter().map(|(name, _)| name.as_str()).collect::<BTreeSet<_>>(), with_data);
    for (name, item) in &backups {
        assert_eq!(name, item.owner.as_str());
        for path in &item.paths.include {
            machine.run(["test", "-e", path.as_str()])?.success()?;
        }
    }
    for (name, item) in &watched {
        assert_eq!(name, item.owner.as_str());
        for other in &item.depends_on {
            assert!(owners.contains(other.as_str()), "{name} stands on {other}");
        }
        item.checks.iter().try_for_each(|check| holds(machine, name, check))?;
    }
    let backup: BackupStrategy = read(machine, "backup.yml")?;
    assert_eq!(backup.targets.len(), 1);
    let monitor: MonitorStrategy = read(machine, "monitor.yml")?;
    assert_eq!(monitor.windows.len(), 1);
    Ok(())
}

/// logrotate takes every file, and nginx goes on in a new log that the same people may read.
fn rotates(machine: &Machine) -> Result<()> {
    let tried = machine.run(["logrotate", "-d", "/etc/logrotate.conf"])?.success()?;
    let all = format!("{}{}", tried.stdout, tried.stderr);
    assert!(!all.contains("error:") && all.contains("/var/log/nginx/*.log"), "{all}");
    let log = "/var/log/nginx/wiki/access.log";
    machine.sh(&format!("echo before >>{log}; logrotate -f /etc/logrotate.d/nginx"))?.success()?;
    assert_eq!(machine.run(["stat", "-c", "%U:%G %a %s", log])?.text(), "www-data:adm 640 0");
    assert!(machine.read(&format!("{log}.1"))?.contains("before"));
    let open = machine
        .sh("for p in $(pgrep nginx); do readlink /proc/$p/fd/*; done | grep wiki/access.log | sort -u")?;
    assert_eq!(open.text(), log, "nginx writes into the new log");
    Ok(())
}

/// What cron did within two of its minutes: the operator's job, which finds the operator's script, and the monitor.
fn jobs_run(machine: &Machine) -> Result<()> {
    let state = "/var/lib/paquerette/monitor/state.json";
    let wait = format!(
        "for i in $(seq 130); do [ -s /root/noted ] && [ -s {state} ] && break; sleep 1; done; head -n 1 /root/noted; ls {state}"
    );
    let said = machine.sh(&wait)?.success()?.stdout;
    let year = machine.sh("date +%Y")?.text().to_owned();
    assert_eq!(said.trim(), format!("{year}\n{state}"));
    let refused = machine.sh("journalctl -t cron -t CRON -o cat | grep -iE 'error|bad|wrong' || true")?;
    assert_eq!(refused.text(), "", "cron refused something");
    Ok(())
}

#[test]
fn what_is_laid_out_for_backup_and_monitoring_is_true_of_the_machine() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let machine = machine(&lab)?;
    let first = pipe(&machine, TOOLS, "pq-apply --text")?;
    assert_eq!(first.code, 0, "{}{}", first.stdout, first.stderr);
    laid_out(&machine)?;
    rotates(&machine)?;
    jobs_run(&machine)?;
    // The machine's own tools by now: they are those of the release.
    assert_eq!(
        machine.run(["readlink", "-f", "/usr/local/bin/pq-apply"])?.text(),
        "/usr/local/lib/paquerette/9.0.0/bin/pq-apply"
    );
    let again = pipe(&machine, "/usr/local/bin", "pq-apply --text")?;
    assert!(again.code == 0 && again.stdout.contains(" 0 changed"), "{}{}", again.stdout, again.stderr);
    Ok(())
}
