//! Real faults on a real machine, and whether pq-monitor names each within two of its periods; beside it monit, as it was set up before.
//!
//! `make matrix M=monitor` tries all, and writes what monit says of each into `docs/results/monit.json`; `make test` tries a few.

use std::collections::BTreeMap;
use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use pq_testkit::lab::{self, Image, Lab, Machine, Output, Result, Suite};
use pq_tests::Matrix;
use serde_json::{Value, json};

use crate::world::{install, quiet};

const SET_UP: &str = include_str!("monitor/set_up.sh");

const MONIT: &str = include_str!("../bench/monit/base.conf");

const HTTP_CHECK: &str = include_str!("../bench/monit/http_check.py");

/// How far apart runs are here.
const PERIOD: Duration = Duration::from_secs(5);

/// A fault: its name, how it is made, the check that names it, the cause, how it is mended.
type Fault = (&'static str, &'static str, &'static str, &'static str, &'static str);

const FAULTS: [Fault; 39] = [
    ("process killed", "systemctl kill -s KILL shop", "lab/shop", "failed", "systemctl restart shop"),
    ("process stopped", "systemctl stop shop", "lab/shop", "inactive", "systemctl start shop"),
    (
        "process starts again and again",
        "touch /srv/shop/fails; systemctl restart loops || true",
        "lab/loops",
        "restarting",
        "rm /srv/shop/fails; systemctl restart loops",
    ),
    (
        "process grows",
        "echo grow >/srv/shop/mode; python3 -c 'import urllib.request as u; u.urlopen(\"http://127.0.0.1:8090/\").read()'",
        "lab/shop",
        "memory",
        "echo well >/srv/shop/mode; systemctl restart shop",
    ),
    (
        "memory runs out",
        "starve shop 60; echo grow >/srv/shop/mode; python3 -c 'import urllib.request as u; u.urlopen(\"http://127.0.0.1:8090/\").read()' 2>/dev/null || true",
        "lab/oom",
        "oom",
        "echo well >/srv/shop/mode; systemctl restart shop; starve --end; sleep 11",
    ),
    ("port hangs", "systemctl kill -s STOP shop", "lab/page", "timeout", "systemctl kill -s CONT shop"),
    ("port closed", "systemctl stop shop", "lab/port", "refused", "systemctl start shop"),
    ("answers 500", "echo fails >/srv/shop/mode", "lab/page", "status", "echo well >/srv/shop/mode"),
    ("answers slowly", "echo slow >/srv/shop/mode", "lab/page", "slow", "echo well >/srv/shop/mode"),
    ("wrong body", "echo other >/srv/shop/mode", "lab/page", "body", "echo well >/srv/shop/mode"),
    ("header missing", "echo bare >/srv/shop/mode", "lab/page", "header", "echo well >/srv/shop/mode"),
    ("redirected in circles", "echo loop >/srv/shop/mode", "lab/page", "loop", "echo well >/srv/shop/mode"),
    ("web server stopped", "systemctl stop nginx", "lab/site", "refused", "systemctl start nginx"),
    ("chain cut", "certificate cut", "lab/certificate", "chain_incomplete", "certificate good"),
    ("certificate of another name", "certificate name", "lab/certificate", "name_wrong", "certificate good"),
    ("certificate expired", "certificate expired", "lab/certificate", "expired", "certificate good"),
    ("certificate not renewed", "certificate old", "lab/certificate", "old", "certificate good"),
    (
        "middle of the chain expired",
        "certificate middle",
        "lab/certificate",
        "chain_expired",
        "certificate good",
    ),
    (
        "renewed certificate not served",
        "certificate unread",
        "lab/certificate",
        "not_served",
        "certificate good",
    ),
    ("disk full", "head -c 60M /dev/zero >/srv/data/x || true", "lab/disk", "full", "rm -f /srv/data/x"),
    (
        "no room for more files",
        "mkdir /srv/data/d; cd /srv/data/d; touch $(seq 2500) 2>/dev/null || true",
        "lab/disk",
        "inodes",
        "rm -rf /srv/data/d",
    ),
    (
        "disk read-only",
        "mount -o remount,ro /srv/data",
        "lab/disk",
        "read_only",
        "mount -o remount,rw /srv/data",
    ),
    ("database stopped", "systemctl stop mariadb", "lab/mariadb", "refused", "systemctl start mariadb"),
    (
        "database refuses a login",
        "mariadb -e \"DROP USER 'www-data'@localhost\"",
        "lab/login",
        "login",
        "mariadb -e \"CREATE USER 'www-data'@localhost IDENTIFIED VIA unix_socket; GRANT SELECT ON shop.* TO 'www-data'@localhost\"",
    ),
    (
        "database hangs",
        "systemctl kill -s STOP redis-server",
        "lab/redis",
        "timeout",
        "systemctl kill -s CONT redis-server",
    ),
    (
        "socket gone",
        "mv /run/mysqld/mysqld.sock /run/mysqld/away",
        "lab/socket",
        "absent",
        "mv /run/mysqld/away /run/mysqld/mysqld.sock",
    ),
    ("name server dead", "systemctl stop names", "lab/name", "refused", "systemctl start names"),
    (
        "name server hangs",
        "systemctl kill -s STOP names",
        "lab/name",
        "timeout",
        "systemctl kill -s CONT names",
    ),
    (
        "name leads elsewhere",
        "echo 192.0.2.8 >/srv/shop/address",
        "lab/name",
        "differs",
        "echo 192.0.2.7 >/srv/shop/address",
    ),
    ("backup stale", "backed-up '3 days ago'", "lab/backup", "late", "backed-up 'now'"),
    (
        "restore not proven for long",
        "backed-up now; sed -i 's/\"proven\":{\"when\":\"....-/\"proven\":{\"when\":\"2020-/' /var/lib/paquerette/backup/state.json",
        "lab/backup",
        "unproven",
        "backed-up now",
    ),
    (
        "job silent",
        "sed -i 's/\"at\":[0-9]*/\"at\":1700000000/' /var/lib/paquerette/monitor/heartbeats/job.json",
        "lab/job",
        "silent",
        "pq-monitor heartbeat job",
    ),
    (
        "cron dead",
        "systemctl kill -s KILL cron; systemctl stop cron",
        "lab/cron",
        "inactive",
        "systemctl restart cron",
    ),
    (
        "mail stuck",
        "postconf -e defer_transports=local,smtp; systemctl reload postfix; for i in 1 2 3 4 5; do echo x | sendmail root; done; sleep 1",
        "lab/mail",
        "many",
        "postsuper -d ALL >/dev/null 2>&1; postconf -# defer_transports; systemctl reload postfix",
    ),
    ("worker lost", "pkill -o -x shopworker", "lab/workers", "few", "systemctl restart workers"),
    (
        "plugin critical",
        "printf '#!/bin/sh\\necho NO; exit 2\\n' >/usr/local/bin/plugin",
        "lab/plugin",
        "critical",
        "printf '#!/bin/sh\\necho OK\\n' >/usr/local/bin/plugin",
    ),
    (
        "plugin hangs",
        "printf '#!/bin/sh\\nsleep 60\\n' >/usr/local/bin/plugin",
        "lab/plugin",
        "timeout",
        "printf '#!/bin/sh\\necho OK\\n' >/usr/local/bin/plugin",
    ),
    ("clock jump", "echo faketime -f +30m >/srv/clock", "monitor/clock", "jump", "rm /srv/clock"),
    (
        "network gone",
        "ip link set host0 down",
        "monitor/network",
        "no_network",
        "ip link set host0 up; for i in $(seq 40); do ip route replace default via 10.77.0.1 2>/dev/null && break; sleep 0.25; done",
    ),
];

/// A machine on which all is well, and pq-monitor knows it.
fn machine(lab: &Lab, name: &str) -> Result<Machine> {
    let image = lab.snapshot_or("monitor", &Image::Base(Suite::Bookworm), SET_UP, |machine| {
        machine.run(["bash", "-euc", SET_UP])?.success()?;
        Ok(())
    })?;
    let machine = lab.boot(name, &image)?;
    install(&machine)?;
    quiet(&machine)?;
    machine
        .sh("ip route replace default via 10.77.0.1; touch /srv/feed; backed-up now; pq-monitor heartbeat job; certificate good
             for i in $(seq 60); do mariadb -e 'SELECT 1' >/dev/null 2>&1 && break; sleep 1; done")?
        .success()?;
    settle(&machine)?;
    Ok(machine)
}

/// One run, by the clock of the fault.
fn run(machine: &Machine) -> Result<Output> {
    machine.run(["sh", "-c", "exec $(cat /srv/clock 2>/dev/null) pq-monitor run --all --json"])
}

/// Runs until all is well and nothing waits to be told.
fn settle(machine: &Machine) -> Result<()> {
    let mut said = String::new();
    for _ in 0..40 {
        let ran = run(machine)?;
        if ran.code == 0 {
            return Ok(());
        }
        said = format!("{}\n{}", machine.sh("pq-monitor status --bad --text")?.stdout, ran.stderr);
        sleep(Duration::from_millis(500));
    }
    panic!("the machine does not get well:\n{said}");
}

/// What was told since that was last asked: each event.
fn told(machine: &Machine) -> Result<Vec<Value>> {
    let text = machine.sh("cat /root/told 2>/dev/null; rm -f /root/told")?.stdout;
    let letters = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}")));
    Ok(letters.flat_map(|letter| letter["events"].as_array().cloned().unwrap_or_default()).collect())
}

/// Makes a fault, and runs twice, a period apart; what was told.
fn within_two_periods(
    machine: &Machine,
    (_, make, check, code, _): &Fault,
) -> Result<std::result::Result<(), String>> {
    machine.sh(&format!("touch /srv/feed; pq-monitor heartbeat job; {make}"))?.success()?;
    let mut all = Vec::new();
    for _ in 0..2 {
        let begun = Instant::now();
        run(machine)?;
        all.extend(told(machine)?);
        let found = all
            .iter()
            .any(|it| it["check"] == *check && it["answer"]["code"] == *code && it["kind"] == "began");
        if found {
            return Ok(Ok(()));
        }
        sleep(PERIOD.saturating_sub(begun.elapsed()));
    }
    let said: Vec<String> = all
        .iter()
        .map(|it| format!("{} {}: {}", it["check"], it["answer"]["code"], it["answer"]["message"]))
        .collect();
    let status = machine.sh("pq-monitor status --bad --text")?.stdout;
    Ok(Err(format!("not told as {check} {code}: {said:?}\n{status}")))
}

fn mend(machine: &Machine, fault: &Fault) -> Result<()> {
    machine.sh(fault.4)?.success()?;
    settle(machine)?;
    told(machine)?;
    Ok(())
}

#[test]
fn matrix_monitor_names_every_fault_within_two_periods() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let machine = machine(&lab, "mon-faults")?;
    told(&machine)?;
    let mut matrix = Matrix::open("monitor");
    let drawn = matrix.draw(FAULTS.iter().map(|it| it.0.to_owned()), 4);
    for fault in FAULTS.iter().filter(|it| drawn.iter().any(|name| name == it.0)) {
        let begun = Instant::now();
        let verdict = within_two_periods(&machine, fault)?;
        let took = begun.elapsed();
        mend(&machine, fault)?;
        matrix.note(fault.0, verdict, took);
    }
    matrix.finish();
    Ok(())
}

/// How many of its cycles monit has to note a fault: the longest rule in its configuration takes five.
const CYCLES: u32 = 6;

/// No promise of ours: what the set-up before this one says of the same faults stands beside ours in `docs/results`.
#[test]
#[ignore = "half an hour of another program: make matrix M=monitor"]
fn matrix_monitor_beside_monit() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let machine = machine(&lab, "mon-monit")?;
    machine.write("/root/monitrc", MONIT)?;
    machine.write("/usr/local/bin/http_check.py", HTTP_CHECK)?;
    machine.sh("chmod 0600 /root/monitrc; chmod 0755 /usr/local/bin/http_check.py")?.success()?;
    let version = machine.sh("monit -V | sed -n 's/.*version //p'")?.success()?.text().to_owned();
    let mut said = BTreeMap::new();
    for fault in &FAULTS {
        said.insert(fault.0, monit_says(&machine, fault)?);
        keep(&version, &said);
    }
    assert_eq!(said.len(), FAULTS.len());
    Ok(())
}

/// What monit notes of a fault, and after how many seconds; nothing where it notes nothing.
///
/// What it said before counts for nothing, and neither do load and processors: others work on this computer, too.
fn monit_says(machine: &Machine, fault: &Fault) -> Result<Option<(String, f64)>> {
    const SAID: &str = "grep -E ' (error|warning) ' /var/log/monit.log | sed 's/^[^]]*\\] [a-z]* *: //' | grep -vE 'loadavg|cpu usage' | sort -u || true";
    machine.sh("rm -f /run/monit.state /var/log/monit.log; monit -c /root/monitrc; sleep 12")?.success()?;
    let shape = |line: &str| line.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
    let before = machine.sh(SAID)?.stdout;
    for healthy in ["datafs", "nginx", "mysqld", "redis", "shop", "wiki.test"] {
        assert!(
            !before.contains(&format!("'{healthy}'")),
            "monit is wrong about a machine that is well:\n{before}"
        );
    }
    let before: Vec<String> = before.lines().map(shape).collect();
    machine.sh(&format!("touch /srv/feed; pq-monitor heartbeat job; {}", fault.1))?.success()?;
    let begun = Instant::now();
    let mut noted = None;
    while noted.is_none() && begun.elapsed() < PERIOD * CYCLES + Duration::from_secs(2) {
        sleep(Duration::from_secs(1));
        let said = machine.sh(SAID)?.stdout;
        let new: Vec<&str> = said.lines().filter(|line| !before.contains(&shape(line))).take(3).collect();
        noted = (!new.is_empty()).then(|| (new.join("; "), begun.elapsed().as_secs_f64().round()));
    }
    machine.sh("monit -c /root/monitrc quit; sleep 1; systemctl start data nginx mariadb; mountpoint -q /srv/data || systemctl restart data")?;
    mend(machine, fault)?;
    Ok(noted)
}

/// Keeps what monit said beside what pq-monitor is to name.
fn keep(version: &str, monit: &BTreeMap<&str, Option<(String, f64)>>) {
    let noted = monit.values().flatten().count();
    let faults: BTreeMap<&str, Value> = FAULTS
        .iter()
        .filter_map(|it| Some((it.0, monit.get(it.0)?, it.2, it.3)))
        .map(|(name, said, check, code)| {
            let (said, seconds) = said.as_ref().map(|it| (&it.0, it.1)).unzip();
            (name, json!({ "pq-monitor": format!("{check} {code}"), "monit": said, "seconds": seconds }))
        })
        .collect();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/results/monit.json");
    let text = json!({ "monit": version, "suite": "bookworm", "cycle_s": PERIOD.as_secs(), "cycles": CYCLES, "noted": noted, "of": monit.len(), "faults": faults });
    if let Err(error) = fs::write(path, format!("{text:#}\n")) {
        eprintln!("monitor: cannot write `{path}`: {error}");
    }
}

#[test]
fn cron_itself_finds_a_dead_service_and_nothing_is_told_twice() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let machine = machine(&lab, "mon-cron")?;
    told(&machine)?;
    machine.write(
        "/etc/cron.d/paquerette-monitor-run",
        "* * * * * root /usr/local/bin/pq-monitor run --quiet\n",
    )?;
    machine.sh("systemctl kill -s KILL shop; systemctl restart cron")?.success()?;
    let begun = Instant::now();
    let found = loop {
        let found =
            machine.sh("grep -c '\"check\":\"lab/shop\"' /root/told 2>/dev/null || true")?.text().to_owned();
        if !["", "0"].contains(&found.as_str()) || begun.elapsed() > Duration::from_secs(190) {
            break found;
        }
        sleep(Duration::from_secs(2));
    };
    assert_eq!(found, "1", "within two minutes of cron, and the one in which it began");
    // Clock set ahead by three days, as seen by one run: told at once, and nobody is down for three days.
    machine.sh("rm /etc/cron.d/paquerette-monitor-run; systemctl restart shop")?.success()?;
    settle(&machine)?;
    told(&machine)?;
    machine.sh("faketime -f +3d pq-monitor run --all --json || true")?.success()?;
    let events = told(&machine)?;
    assert!(
        events.iter().any(|it| it["check"] == "monitor/clock" && it["answer"]["code"] == "jump"),
        "{events:?}"
    );
    Ok(())
}

#[test]
fn a_monitor_that_is_killed_at_any_write_loses_no_message_and_repeats_at_most_one() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let machine = machine(&lab, "mon-kill")?;
    let mut hit = 0;
    for (call, most) in [("rename", 6), ("unlink", 6)] {
        for nth in 1..=most {
            told(&machine)?;
            machine.sh("echo fails >/srv/shop/mode; pq-monitor run --all --quiet")?;
            let trace = format!("inject={call}:signal=KILL:when={nth}");
            // Its own calls, not those of what it starts.
            let killed = machine.run([
                "strace",
                "-o",
                "/dev/null",
                "-e",
                &format!("trace={call}"),
                "-e",
                &trace,
                "pq-monitor",
                "run",
                "--all",
                "--quiet",
            ])?;
            hit += usize::from(killed.code != 0 && killed.code != 3);
            for _ in 0..2 {
                run(&machine)?;
            }
            let events = told(&machine)?;
            let of: Vec<&Value> =
                events.iter().filter(|it| it["check"] == "lab/page" && it["kind"] == "began").collect();
            assert!((1..=2).contains(&of.len()), "{call} {nth}: told {} times", of.len());
            assert!(of.iter().all(|it| it["id"] == of[0]["id"]), "{call} {nth}: the second has another id");
            machine.sh("echo well >/srv/shop/mode")?.success()?;
            settle(&machine)?;
        }
    }
    assert!(hit > 6, "{hit} runs were killed");
    Ok(())
}
