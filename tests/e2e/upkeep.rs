//! Hosts are looked after over a real sshd: what apt would upgrade is told and done, services run on what was installed, and what
//! failed is told. What is kept and what is installed is told of the demo's machine.

use std::process::Stdio;

use pq_testkit::lab::{self, Error, Lab, Machine, Result, Suite};
use serde_json::{Value, json};

use crate::ssh::{Fleet, Told};
use crate::world::{bare, demo_inventory, pipe};

const REPOSITORY: &str = include_str!("upkeep.sh");

/// Publishes a version of the package, without the lists of it being fetched.
fn publish(machine: &Machine, version: &[&str]) -> Result<()> {
    let argv = ["bash", "-euc", REPOSITORY, "upkeep"].iter().chain(version);
    machine.run(argv)?.success().map(drop)
}

/// Runs pq-server on the hosts of the fleet.
fn server(fleet: &Fleet, words: &[&str]) -> Result<Told> {
    let failed = |error: std::io::Error| Error::new("cannot run `pq-server`").because(error);
    let plan = fleet.path("hosts.ndjson");
    std::fs::write(&plan, fleet.plan("root", &json!({}), |_| Vec::new())).map_err(failed)?;
    let input = std::fs::File::open(plan).map_err(failed)?;
    let mut command = fleet.tool("pq-server");
    command.args(words).stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped());
    Told::of(command.spawn().map_err(failed)?)
}

/// The record of a host.
fn record(told: &Told, kind: &str, host: &str) -> Value {
    let lines = told.stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let found = lines.into_iter().find(|line| line["type"] == kind && line["host"] == host);
    found.unwrap_or_else(|| panic!("no `{kind}` of `{host}`: {}{}", told.stdout, told.stderr))
}

/// The digest of the program that the service runs, and of the one that is installed.
fn programs(machine: &Machine) -> Result<(String, String)> {
    let digest = |path: &str| Ok(machine.sh(&format!("sha256sum <{path}"))?.success()?.stdout);
    let main = machine.sh("systemctl show -P MainPID clock")?.success()?.text().to_owned();
    Ok((digest(&format!("/proc/{main}/exe"))?, digest("/usr/lib/clock/clock")?))
}

fn version(machine: &Machine) -> Result<String> {
    Ok(machine.sh("dpkg-query -W -f '${Version}' clock")?.stdout)
}

#[test]
fn packages_are_listed_upgraded_and_their_services_run_on_what_was_installed() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let mut fleet = Fleet::boot(&lab, &[("upkeep12", Suite::Bookworm), ("upkeep13", Suite::Trixie)])?;
    for machine in &fleet.machines {
        publish(machine, &["1"])?;
        let install =
            "rm -rf /var/lib/apt/lists/*; apt-get update -qq && apt-get install -y -qq clock >/dev/null";
        machine.sh(install)?.success()?;
        machine.sh("echo mine >/etc/clock.conf")?.success()?;
        publish(machine, &["2"])?;
    }
    // What apt has not read of it does not know.
    let told = server(&fleet, &["packages", "--json"])?;
    assert_eq!(told.code, 0, "{}{}", told.stdout, told.stderr);
    for machine in &fleet.machines {
        machine.sh("apt-get update -qq")?.success()?;
    }
    listed(&fleet)?;
    upgraded(&fleet)?;
    failing(&fleet)?;

    // A machine that is off is told apart from one that fails, and concerns no other.
    fleet.machines[0].kill()?;
    let told = server(&fleet, &["packages", "--json"])?;
    assert_eq!(told.code, 75, "{}{}", told.stdout, told.stderr);
    assert_eq!(
        (told.verdict("upkeep12", "ok").0, told.verdict("upkeep13", "ok").0),
        (75, 0),
        "{}",
        told.stdout
    );
    assert!(told.stderr.contains("cannot reach host `upkeep12`"), "{}", told.stderr);
    fleet.machines[0].start()?;
    Ok(())
}

fn listed(fleet: &Fleet) -> Result<()> {
    let before = fleet.machines.iter().map(version).collect::<Result<Vec<_>>>()?;
    let told = server(fleet, &["packages", "--json"])?;
    assert_eq!((told.code, told.stderr.as_str()), (3, ""), "{}", told.stdout);
    for machine in &fleet.machines {
        let is = record(&told, "packages", machine.name());
        let upgrade =
            json!([{"name": "clock", "from": "1", "to": "2", "origins": ["Law:stable"], "security": false}]);
        assert_eq!(is["upgrades"], upgrade, "{is}");
        assert!(is["lists"].is_string() && is["outdated"].is_null() && is["done"].is_null(), "{is}");
    }
    let told = server(fleet, &["packages", "--text"])?;
    assert!(told.stdout.contains("  upgrade  clock  1 → 2  Law:stable\n"), "{}", told.stdout);
    assert!(told.stdout.contains("upkeep13: 1 to upgrade, 0 for security (lists of "), "{}", told.stdout);
    assert_eq!(
        fleet.machines.iter().map(version).collect::<Result<Vec<_>>>()?,
        before,
        "a look changes nothing"
    );
    // None of it is for security.
    let told = server(fleet, &["packages", "--security", "--apply", "--json"])?;
    assert_eq!(told.code, 0, "{}{}", told.stdout, told.stderr);
    assert_eq!(fleet.machines.iter().map(version).collect::<Result<Vec<_>>>()?, before);
    Ok(())
}

fn upgraded(fleet: &Fleet) -> Result<()> {
    let told = server(fleet, &["packages", "--apply", "--json"])?;
    assert_eq!(told.code, 0, "{}{}", told.stdout, told.stderr);
    assert!(told.stderr.contains("note: host `upkeep12`: 1 package is being upgraded"), "{}", told.stderr);
    for machine in &fleet.machines {
        let is = record(&told, "packages", machine.name());
        assert_eq!(is["done"]["upgraded"][0]["to"], "2", "{is}");
        assert_eq!(is["done"]["restarted"], json!(["clock.service"]), "{is}");
        assert!(is["upgrades"].is_null() && is["outdated"].is_null(), "nothing is left: {is}");
        assert_eq!(version(machine)?, "2");
        let (runs, installed) = programs(machine)?;
        assert_eq!(runs, installed, "{}", machine.name());
        assert_eq!(machine.read("/etc/clock.conf")?, "mine\n", "what somebody changed stays");
        let journals =
            "cat /var/lib/paquerette/history/* | grep -c server/upgrade; ls /var/lib/paquerette/journal";
        assert_eq!(machine.sh(journals)?.text(), "2", "one run, begun and ended");
    }
    let again = server(fleet, &["packages", "--apply", "--json"])?;
    assert_eq!(again.code, 0, "{}{}", again.stdout, again.stderr);
    for machine in &fleet.machines {
        assert_eq!(record(&again, "packages", machine.name())["done"], json!({}));
        assert_eq!(machine.sh("cat /var/lib/paquerette/history/* | grep -c server/upgrade")?.text(), "2");
    }
    Ok(())
}

/// One whose installation fails is told, with what dpkg says; the next one puts it right.
fn failing(fleet: &Fleet) -> Result<()> {
    publish(&fleet.machines[0], &["3", "fail"])?;
    publish(&fleet.machines[1], &["3"])?;
    let told = server(fleet, &["packages", "--apply", "--json"])?;
    assert_eq!(told.code, 1, "{}{}", told.stdout, told.stderr);
    assert_eq!(
        (told.verdict("upkeep12", "ok").0, told.verdict("upkeep13", "ok").0),
        (1, 0),
        "{}",
        told.stdout
    );
    for words in ["error: host `upkeep12`: apt could not upgrade `clock`", "exit status 7", "dpkg --audit"] {
        assert!(told.stderr.contains(words), "{words}: {}", told.stderr);
    }
    let is = record(&told, "packages", "upkeep12");
    assert!(is["done"]["upgraded"].is_null() && is["unfinished"] == json!(["clock"]), "{is}");
    assert_eq!(server(fleet, &["packages", "--json"])?.verdict("upkeep12", "ok").0, 3, "it is not forgotten");
    let left = fleet.machines[0].sh("grep -c failed /var/lib/paquerette/journal/*")?;
    assert_eq!(left.text(), "2", "{}", left.stdout);
    publish(&fleet.machines[0], &["4"])?;
    let told = server(fleet, &["packages", "--apply", "--json"])?;
    assert_eq!(told.code, 0, "{}{}", told.stdout, told.stderr);
    assert_eq!(version(&fleet.machines[0])?, "4");
    let (runs, installed) = programs(&fleet.machines[0])?;
    assert_eq!(runs, installed);
    assert_eq!(fleet.machines[0].sh("ls /var/lib/paquerette/journal")?.text(), "", "made good");
    Ok(())
}

#[test]
fn what_is_kept_and_what_is_installed_is_told() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let machine = demo(&lab)?;
    let www = "/srv/paquerette/www/wiki";
    let old = format!(
        "mkdir {www}/releases/2020-01-01; head -c 3000000 /dev/urandom >{www}/releases/2020-01-01/code; ln -s / {www}/releases/2020-01-01/link"
    );
    machine.sh(&old)?.success()?;
    let site = "/etc/nginx/sites-available/dav.conf";
    machine.sh(&format!("echo '# mine' >>{site}"))?.success()?;
    let kept = pipe(&machine, "pq-apply --text")?.success()?;
    assert!(kept.stdout.contains("1 kept"), "{}", kept.stdout);

    let ask = |words: &str| {
        machine.run([
            "bash",
            "-c",
            &format!("cd /root/paquerette; export PQ_IDENTITY=inventory/demo-identity.txt; pq-inventory demo | pq-server {words}"),
        ])
    };
    let told = ask("space --text")?.success()?.stdout;
    let line = |what: &str| {
        told.lines().find(|line| line.contains(what)).unwrap_or_else(|| panic!("{what}: {told}"))
    };
    assert!(line("2020-01-01").contains("2.8 MiB") && line("2020-01-01").contains(" wiki "), "{told}");
    assert!(line(&format!("{site}.new")).contains(" dav "), "{told}");
    assert!(told.contains("files as they were before a run"), "{told}");
    assert!(!told.contains("2022-07-31a"), "the release that is served is not kept: {told}");

    let told = ask("query --text")?.success()?.stdout;
    let row = |id: &str| -> Vec<String> {
        let line = told.lines().find(|line| line.trim_start().starts_with(id));
        line.unwrap_or_else(|| panic!("{id}: {told}")).split_whitespace().map(str::to_owned).collect()
    };
    let wiki = row("wiki ");
    assert_eq!(wiki[..4], ["wiki", "dokuwiki", "present", "2022-07-31a"], "{told}");
    assert_eq!(wiki.last().map(String::as_str), Some("wiki.demo.test"), "{told}");
    assert!(wiki.iter().any(|it| it == "days"), "{told}");
    assert_eq!(row("dav ")[1..3], ["radicale", "present"], "{told}");
    assert!(told.contains("demo: 2 instances on nginx "), "{told}");
    let records = ask("query --json")?.success()?.stdout;
    let records: Vec<Value> = records.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let installed = records.iter().find(|it| it["type"] == "installed").cloned().unwrap_or_default();
    assert_eq!(installed["instances"][1]["listed"], true, "{installed}");
    // What was asked of this machine without an inventory is the same, but for what that wants.
    let here = machine.run(["pq-server", "query", "--here", "--text"])?.success()?.stdout;
    assert!(here.contains("dokuwiki") && here.contains("2022-07-31a"), "{here}");

    // The applications answer after an upgrade as before, and one that does not is told.
    let upgrade = ask("packages --apply --json")?.success()?.stdout;
    assert!(upgrade.contains(r#""well":["wiki","dav"]"#) || upgrade.contains(r#""done":{}"#), "{upgrade}");
    Ok(())
}

fn demo(lab: &Lab) -> Result<Machine> {
    let machine = bare(lab, "upkeep")?;
    demo_inventory(lab, &machine)?;
    pipe(&machine, "pq-apply --text")?.success()?;
    Ok(machine)
}
