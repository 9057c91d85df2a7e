//! Nobody is locked out: what changes a machine's firewall or ssh server counts once somebody came in anew, and is undone
//! within a minute where nobody can; from another machine, over a real sshd.

use std::thread::sleep;
use std::time::{Duration, Instant};

use pq_testkit::lab::{self, Lab, Machine, Output, Result, Suite};
use serde_json::{Value, json};

use crate::ssh::Fleet;
use crate::world::install;

/// A key that lets in, and a host key that is known: the operator's own ssh has them.
fn operator(fleet: &Fleet) -> Result<()> {
    let (here, there) = (&fleet.machines[0], &fleet.machines[1]);
    install(here)?;
    here.push(fleet.path("key"), "/root/.ssh/id_ed25519", "0600")?;
    here.push(fleet.path("known"), "/root/.ssh/known_hosts", "0600")?;
    here.write(
        "/root/inventory/hosts",
        format!("there ansible_host={} ansible_user=root os=debian-12\n", there.ip()),
    )?;
    here.write(
        "/root/inventory/group_vars/all.yml",
        "locales: [C.UTF-8]\ntimezone: UTC\nclock_sync: false\nkernel_settings: false\nadmin_email: a@example.org\n",
    )
}

/// A stream of these steps for the other machine.
fn plan(there: &Machine, steps: &[Value]) -> String {
    let address = there.ip().to_string();
    let mut lines = vec![
        json!({"type": "run", "format": 1, "inventory": "/nowhere", "digest": "0", "time": "2026-11-23T00:00:00Z"}),
        json!({"type": "host", "host": "there", "groups": ["all"], "vars": {},
               "connection": {"kind": "ssh", "address": address, "user": "root"}}),
    ];
    lines.extend(steps.iter().map(|step| {
        let mut line = json!({"type": "step", "host": "there", "title": "a step"});
        if let (Value::Object(line), Value::Object(step)) = (&mut line, step) {
            line.extend(step.clone());
        }
        line
    }));
    lines.push(json!({"type": "end", "hosts": 1, "status": 0}));
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// A firewall that lets nobody in: ssh's rule was forgotten.
fn locking(there: &Machine) -> String {
    plan(
        there,
        &[
            json!({"id": "server/ufw", "do": "package", "names": ["ufw"]}),
            json!({"id": "server/web", "do": "firewall_rule", "action": "allow", "port": 80, "protocol": "tcp"}),
            json!({"id": "server/on", "do": "firewall"}),
            json!({"id": "server/way-in", "do": "transaction", "steps": ["server/web", "server/on"],
                "confirm": "connection", "rollback": [{"id": "server/back", "title": "as it was", "do": "command",
                "only_if": ["test", "-x", "/lib/ufw/ufw-init"],
                "argv": ["sh", "-c", "/lib/ufw/ufw-init force-stop; /lib/ufw/ufw-init start"]}]}),
        ],
    )
}

/// What could be left behind of a guard.
const LEFT: &str = "systemctl list-units --all --plain --no-legend 'paquerette-way-in*'; \
                    find /var/lib/paquerette/transactions /var/lib/paquerette/recover -type f 2>/dev/null || true";

fn apply(here: &Machine, plan: &str) -> Result<Output> {
    here.command(["pq-apply", "--text"]).stdin(plan).output()
}

fn pipe(here: &Machine, then: &str) -> Result<Output> {
    let pipe = format!("set -o pipefail; cd /root; pq-inventory there | pq-server | {then}");
    here.run(["bash", "-c", &pipe])
}

/// Whether the operator comes in by a new connection.
fn comes_in(here: &Machine, there: &Machine) -> Result<bool> {
    let address = there.ip().to_string();
    let ssh = ["ssh", "-oBatchMode=yes", "-oConnectTimeout=2", &address, "true"];
    Ok(here.run(ssh)?.code == 0)
}

/// How long it takes until the operator comes in again.
fn until_in(here: &Machine, there: &Machine, most: Duration) -> Result<Duration> {
    let begun = Instant::now();
    while !comes_in(here, there)? {
        assert!(begun.elapsed() < most, "locked out for {:?}", begun.elapsed());
        sleep(Duration::from_secs(1));
    }
    Ok(begun.elapsed())
}

fn firewall(there: &Machine) -> Result<String> {
    Ok(there.sh("ufw status; grep -c '^-A' /etc/ufw/user.rules")?.stdout)
}

#[test]
fn nobody_is_locked_out_by_a_firewall_or_by_settings_of_the_ssh_server() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let fleet = Fleet::boot(&lab, &[("wayhere", Suite::Bookworm), ("waythere", Suite::Bookworm)])?;
    operator(&fleet)?;
    let (here, there) = (&fleet.machines[0], &fleet.machines[1]);
    there.sh("apt-get update -qq && apt-get install -y -qq ufw >/dev/null")?.success()?;
    let before = firewall(there)?;

    by_a_firewall(here, there, &before)?;
    by_a_killed_run(here, there, &before)?;
    by_nothing(here, there)?;
    by_the_ssh_server(here, there)?;
    at_a_terminal(&lab, here, there)
}

fn by_a_firewall(here: &Machine, there: &Machine, before: &str) -> Result<()> {
    let refused = apply(here, &locking(there))?;
    assert_eq!(refused.code, 1, "{}{}", refused.stdout, refused.stderr);
    for text in ["nobody came in by a new ssh connection within 40 s", "what it had done was undone"] {
        assert!(refused.stdout.contains(text), "{text}: {}{}", refused.stdout, refused.stderr);
    }
    assert!(refused.stderr.contains("no new connection to host `there`"), "{}", refused.stderr);
    assert!(comes_in(here, there)?, "{}", firewall(there)?);
    assert_eq!(firewall(there)?, before);
    assert_eq!(there.sh(LEFT)?.text(), "");
    Ok(())
}

/// The run dies while it waits: a timer undoes what it did.
fn by_a_killed_run(here: &Machine, there: &Machine, before: &str) -> Result<()> {
    let running = here.command(["pq-apply", "--text"]).stdin(&*locking(there)).start()?;
    let begun = Instant::now();
    while comes_in(here, there)? {
        assert!(begun.elapsed() < Duration::from_secs(120), "the firewall never came");
        sleep(Duration::from_millis(200));
    }
    let locked = Instant::now();
    there.sh("kill -9 $(pgrep -f '[p]q-apply.* --remote')")?.success()?;
    running.wait()?;
    let out = until_in(here, there, Duration::from_secs(70))?;
    assert!(locked.elapsed() < Duration::from_secs(65), "undone within a minute, not after {out:?}");
    until_nothing_is_left(there)?;
    assert_eq!(firewall(there)?, before);
    // a run that died even before it began has left the timer alone
    there
        .sh("systemd-run --quiet --unit=paquerette-way-in --on-active=1 --on-unit-inactive=1 \
         $(ls /var/cache/paquerette/pq-apply* | head -n 1) --recover")?
        .success()?;
    assert_ne!(there.sh(LEFT)?.text(), "");
    until_nothing_is_left(there)
}

fn until_nothing_is_left(there: &Machine) -> Result<()> {
    let begun = Instant::now();
    while there.sh(LEFT)?.text() != "" {
        assert!(begun.elapsed() < Duration::from_secs(20), "left: {}", there.sh(LEFT)?.text());
        sleep(Duration::from_millis(500));
    }
    Ok(())
}

/// The recipes' own firewall and settings are confirmed, and kept.
fn by_nothing(here: &Machine, there: &Machine) -> Result<()> {
    let first = pipe(here, "pq-apply --text")?;
    assert_eq!(first.code, 0, "{}{}", first.stdout, first.stderr);
    assert!(firewall(there)?.contains("Status: active"), "{}", firewall(there)?);
    let settings = there.run(["sshd", "-T"])?.success()?.stdout;
    for line in [
        "permitrootlogin without-password",
        "passwordauthentication no",
        "kbdinteractiveauthentication no",
        "x11forwarding no",
        "maxauthtries 4",
        "loglevel VERBOSE",
    ] {
        assert!(settings.lines().any(|it| it == line), "{line}: {settings}");
    }
    let again = pipe(here, "pq-apply --text")?;
    assert!(again.code == 0 && again.stdout.contains(" 0 changed"), "{}{}", again.stdout, again.stderr);
    assert_eq!(there.sh(LEFT)?.text(), "");
    Ok(())
}

/// Whoever logs in as root forbids that.
fn by_the_ssh_server(here: &Machine, there: &Machine) -> Result<()> {
    let before = there.read("/etc/ssh/sshd_config.d/00-paquerette.conf")?;
    here.write("/root/inventory/host_vars/there.yml", "ssh_root: never\n")?;
    let begun = Instant::now();
    let refused = pipe(here, "pq-apply --text")?;
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    assert_eq!(refused.code, 1, "{}{}", refused.stdout, refused.stderr);
    assert!(refused.stdout.contains("nobody came in"), "{}{}", refused.stdout, refused.stderr);
    assert_eq!(there.read("/etc/ssh/sshd_config.d/00-paquerette.conf")?, before);
    // The firewall takes no sixth connection from one address within 30 seconds; nobody was banned for having tried.
    sleep(Duration::from_secs(31));
    assert!(
        comes_in(here, there)?,
        "{}{}",
        firewall(there)?,
        there.sh("sshd -T; tail -20 /var/log/fail2ban.log")?.stdout
    );
    here.write("/root/inventory/host_vars/there.yml", "{}\n")?;
    let again = pipe(here, "pq-apply --text")?;
    assert!(again.code == 0 && again.stdout.contains(" 0 changed"), "{}{}", again.stdout, again.stderr);
    Ok(())
}

/// Who sits at a terminal of the machine itself, over ssh, is asked to log in anew.
fn at_a_terminal(_: &Lab, here: &Machine, there: &Machine) -> Result<()> {
    install(there)?;
    let address = there.ip().to_string();
    here.write("/root/inventory/hosts", "there ansible_connection=local os=debian-12\n")?;
    here.write("/root/inventory/host_vars/there.yml", "ssh_max_tries: 3\n")?;
    here.sh(&format!("scp -rq /root/inventory {address}:"))?.success()?;
    let run = "cd /root; pq-inventory there | pq-server | pq-apply --text";
    let asked = here
        .sh(&format!("ssh -oBatchMode=yes {address} '{run}' >/root/told 2>/root/asked & echo $! >/root/pid"));
    asked?.success()?;
    let begun = Instant::now();
    while !here.read("/root/asked")?.contains("log in to this machine from another terminal within 40 s") {
        assert!(begun.elapsed() < Duration::from_secs(30), "{}", here.read("/root/asked")?);
        sleep(Duration::from_millis(200));
    }
    here.run(["ssh", "-oBatchMode=yes", &address, "sleep 2"])?.success()?;
    here.sh("while kill -0 $(cat /root/pid) 2>/dev/null; do sleep 0.2; done")?.success()?;
    let (told, asked) = (here.read("/root/told")?, here.read("/root/asked")?);
    assert!(asked.contains("came in by a new connection"), "{told}{asked}");
    assert!(told.contains(" 3 changed") && !told.contains("failed"), "{told}{asked}");
    let settings = there.run(["sshd", "-T"])?.success()?.stdout;
    assert!(settings.lines().any(|it| it == "maxauthtries 3"), "{settings}");
    assert_eq!(there.sh(LEFT)?.text(), "");
    Ok(())
}
