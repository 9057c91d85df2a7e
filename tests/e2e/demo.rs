//! A bare Debian machine becomes a served wiki and a calendar server; a second run changes nothing.

use pq_testkit::lab::{self, Machine, Result};
use serde_json::Value;

use crate::world::{bare, demo_inventory, pipe, shown};

/// The events of an execution's stream with one of these outcomes, as `id outcome`.
fn told(stdout: &str, outcomes: &[&str]) -> Vec<String> {
    let records = stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let events = records.filter(|record| record["type"] == "event");
    let outcome = |event: &Value| event["outcome"].as_str().unwrap_or_default().to_owned();
    events
        .filter(|event| outcomes.contains(&outcome(event).as_str()))
        .map(|event| format!("{} {}", event["id"].as_str().unwrap_or_default(), outcome(&event)))
        .collect()
}

/// What the machine itself says, with the tools out of sight.
fn reads_back(machine: &Machine) -> Result<()> {
    for unit in ["nginx.service", "php8.2-fpm.service", "pq-dav.service"] {
        let state = machine.run(["systemctl", "is-active", unit])?;
        assert_eq!(state.text(), "active", "{unit}");
        assert_eq!(machine.run(["systemctl", "is-enabled", unit])?.text(), "enabled", "{unit}");
    }
    for (url, content) in [
        ("https://wiki.demo.test/doku.php?id=start", "DokuWiki"),
        ("https://wiki.demo.test/doku.php?id=start", "The wiki of Example"),
        ("https://dav.demo.test/.web/", "Radicale"),
    ] {
        let page = curl(machine, url, &["--cacert", "/etc/paquerette/ca/ca.pem"])?;
        assert!(page.contains(content), "{url}: {page}");
    }
    // Without the machine's authority the certificate is not trusted; with another name it is not the right one.
    assert!(curl(machine, "https://wiki.demo.test/", &[])?.contains("exit 60"));
    assert!(
        curl(machine, "https://other.demo.test/", &["--cacert", "/etc/paquerette/ca/ca.pem"])?
            .contains("exit")
    );
    // What nobody may read is not served.
    for path in [
        "conf/local.php",
        "conf/users.auth.php",
        "data/pages/wiki/dokuwiki.txt",
        "inc/init.php",
        "VERSION/../conf/acl.auth.php",
    ] {
        let status = curl(
            machine,
            &format!("https://wiki.demo.test/{path}"),
            &[
                "--cacert",
                "/etc/paquerette/ca/ca.pem",
                "--path-as-is",
                "-o",
                "/dev/null",
                "-w",
                "%{http_code}",
            ],
        )?;
        assert!(status.starts_with("403") || status.starts_with("404"), "{path}: {status}");
    }
    let modes = machine.sh(
        "cd /srv/paquerette/www/wiki && stat -c '%a %U:%G %n' kept kept/conf kept/conf/users.auth.php \
             kept/data current/doku.php && readlink current && stat -c '%a %U:%G' /etc/paquerette/ca/ca.key \
             /etc/paquerette/tls/wiki/key.pem && stat -c '%U' /proc/$(systemctl show -P MainPID pq-dav)",
    )?;
    let modes = modes.success()?.stdout;
    for line in ["kept/conf/users.auth.php", "releases/2022-07-31a"] {
        assert!(modes.contains(line), "{modes}");
    }
    assert!(modes.contains("644 root:root current/doku.php"), "{modes}");
    assert!(modes.contains("600 root:root"), "{modes}");
    assert!(modes.lines().last().is_some_and(|owner| owner == "dav"), "{modes}");
    let wiki: Vec<&str> = modes.lines().filter(|line| line.contains("kept")).collect();
    assert!(wiki.iter().all(|line| line.contains("wiki:wiki") && !line.contains("7 wiki")), "{wiki:?}");
    assert_eq!(machine.sh("readlink /etc/localtime")?.text(), "/usr/share/zoneinfo/Europe/Paris");
    assert!(machine.sh("locale -a")?.stdout.contains("fr_FR.utf8"));
    let firewall = machine.run(["ufw", "status"])?.stdout;
    assert!(firewall.contains("Status: active") && firewall.contains("LIMIT"), "{firewall}");
    Ok(())
}

/// The passwords that `pq-secret` shows open both applications, and others do not.
fn lets_in(machine: &Machine) -> Result<()> {
    let alice = shown(machine, "demo/dav/user_alice")?;
    for (password, status) in [(alice.as_str(), "207"), ("guessed", "401")] {
        let options = [
            "--cacert",
            "/etc/paquerette/ca/ca.pem",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code}",
            "-X",
            "PROPFIND",
            "-u",
        ];
        let user = format!("alice:{password}");
        let options: Vec<&str> = options.into_iter().chain([user.as_str()]).collect();
        assert_eq!(curl(machine, "https://dav.demo.test/alice/", &options)?, status, "{password}");
    }
    let admin = shown(machine, "demo/wiki/admin")?;
    for (password, inside) in [(admin.as_str(), true), ("guessed", false)] {
        let fields = format!("do=login&u=admin&id=start&sectok=&p={password}");
        let options = [
            "--cacert",
            "/etc/paquerette/ca/ca.pem",
            "-L",
            "-c",
            "/root/jar",
            "-b",
            "/root/jar",
            "-d",
            &fields,
        ];
        let page = curl(machine, "https://wiki.demo.test/doku.php?id=start", &options)?;
        assert_eq!(page.contains("do=logout") && page.contains("do=admin"), inside, "{password}: {page}");
        machine.sh("rm -f /root/jar")?.success()?;
    }
    Ok(())
}

fn curl(machine: &Machine, url: &str, options: &[&str]) -> Result<String> {
    let argv = ["curl", "-sS", "--max-time", "20", "--resolve", "*:443:127.0.0.1"].iter().chain(options);
    let output = machine.run(argv.chain(&[url]))?;
    Ok(match output.code {
        0 => output.stdout,
        code => format!("exit {code}: {}", output.stderr),
    })
}

#[test]
fn a_bare_machine_becomes_a_wiki_and_a_second_run_changes_nothing() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let machine = bare(&lab, "demoscenario")?;
    demo_inventory(&lab, &machine)?;

    let first = pipe(&machine, "pq-apply")?;
    assert_eq!(first.code, 0, "{:?}{}", told(&first.stdout, &["failed"]), first.stderr);
    assert!(told(&first.stdout, &["changed"]).len() > 40, "{:?}", told(&first.stdout, &["changed"]));
    machine.sh("apt-get install -y -qq curl >/dev/null")?.success()?;
    reads_back(&machine)?;
    lets_in(&machine)?;

    let second = pipe(&machine, "pq-apply --text")?;
    assert_eq!(second.code, 0, "{}", second.stderr);
    assert!(second.stdout.contains(" 0 changed"), "{}", second.stdout);
    let check = pipe(&machine, "pq-apply --check")?;
    assert_eq!(check.code, 0, "{:?}", told(&check.stdout, &["differs", "unknown", "failed"]));
    let verify = pipe(&machine, "pq-apply --check --verify")?;
    assert_eq!(verify.code, 0, "{:?}", told(&verify.stdout, &["differs", "unknown", "failed"]));

    // One site deleted and one service stopped by hand: these two, and nothing else.
    machine.sh("rm /etc/nginx/sites-available/wiki.conf && systemctl stop pq-dav.service")?.success()?;
    let check = pipe(&machine, "pq-apply --check")?;
    assert_eq!(check.code, 3, "{}", check.stderr);
    assert_eq!(told(&check.stdout, &["differs", "failed"]), ["dav/service differs", "wiki/site differs"]);
    let repair = pipe(&machine, "pq-apply")?;
    assert_eq!(repair.code, 0, "{:?}{}", told(&repair.stdout, &["failed"]), repair.stderr);
    assert_eq!(told(&repair.stdout, &["changed", "failed"]), ["dav/service changed", "wiki/site changed"]);
    reads_back(&machine)?;
    assert_eq!(pipe(&machine, "pq-apply --check")?.code, 0);

    // What boots is what was set up.
    let mut machine = machine;
    machine.reboot()?;
    reads_back(&machine)?;
    let check = pipe(&machine, "pq-apply --check --verify")?;
    assert_eq!(check.code, 0, "{:?}", told(&check.stdout, &["differs", "unknown", "failed"]));
    Ok(())
}
