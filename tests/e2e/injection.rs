//! What a variable carries, the program that reads its file says back as it was written: postfix, agetty, sshd's own tools.
//!
//! `make matrix M=injection` asks for every payload that is carried; each `make test` for a drawn few. Which variables carry any,
//! and what is refused instead, is the test `injected`.

use std::collections::BTreeMap;
use std::time::Instant;

use pq_testkit::lab::{self, Error, Image, Lab, Machine, Result, Suite};
use pq_tests::Matrix;
use serde_json::{Value, json};

use crate::world::install;

const PAYLOADS: &str = include_str!("../injection/payloads.json");
const CARRIED: &str = include_str!("../injection/carried.json");

/// How many points are tried in each `make test`.
const SAMPLE: usize = 12;

const HOST: &str = "os: debian-12
locales: [fr_FR.UTF-8]
timezone: Europe/Paris
admin_email: a@example.org
smtp_host: relay.example.org
smtp_user: u
smtp_password: p
firewall: false
fail2ban: false
unattended_upgrades: false
clock_sync: false
kernel_settings: false
operators: [{ name: alice, keys: [\"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDnX2Fz0ZCYIIFpdGaAsPMm5b5QSLQmcZTZpPMlvBPmR alice\"] }]
";

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFbW0rGMuJmS6N1aSeJ2yA9GrFhPk3Hq1cUvQ2vYt0Zx";

/// A machine with the server on it.
fn machine(lab: &Lab) -> Result<Machine> {
    let machine = lab.boot("injection", &Image::Base(Suite::Bookworm))?;
    install(&machine)?;
    machine.run(["mkdir", "-p", "/root/i/host_vars/h"])?.success()?;
    machine.write("/root/i/hosts", "h ansible_connection=local\n")?;
    machine.write("/root/i/host_vars/h/host.yml", HOST)?;
    machine.sh("cd /root/i && set -o pipefail && pq-inventory -i . h | pq-server | pq-apply --json >/root/first")?.success()?;
    Ok(machine)
}

/// The variable with a payload in it.
fn set(name: &str, payload: &str) -> Value {
    match name.split_once('.') {
        Some(("operators", "keys")) => {
            json!({ "operators": [{ "name": "alice", "keys": [format!("{KEY} {payload}")] }] })
        }
        _ => json!({ name: payload }),
    }
}

/// Plans and applies with the payload; nothing where the plan refuses it, else what the programs say.
fn read_back(machine: &Machine, name: &str, row: &Value, payload: &str) -> Result<Option<Vec<String>>> {
    machine.write("/root/i/host_vars/h/injected.json", set(name, payload).to_string())?;
    let plan = machine.sh("cd /root/i && set -o pipefail && pq-inventory -i . h | pq-server >/root/plan")?;
    if plan.code == 2 {
        return Ok(None);
    }
    plan.success()?;
    let only = row["only"].as_str().unwrap_or_default();
    machine.sh(&format!("pq-apply --json --only '{only}' </root/plan >/root/done"))?.success()?;
    let commands = ["read", "also"].iter().filter_map(|key| row[*key].as_str());
    let said = commands.map(|command| Ok(machine.sh(command)?.stdout));
    said.collect::<Result<Vec<_>>>().map(Some)
}

#[test]
fn matrix_injection_what_is_carried_is_read_back_as_it_was_written() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let payloads: Vec<String> = serde_json::from_str(PAYLOADS).map_err(|e| Error::new(e.to_string()))?;
    let rows: BTreeMap<String, Value> =
        serde_json::from_str(CARRIED).map_err(|e| Error::new(e.to_string()))?;
    let mut matrix = Matrix::open("injection");
    let all =
        rows.keys().flat_map(|name| (0..payloads.len()).map(move |payload| format!("{name} {payload}")));
    let points: Vec<String> = matrix.draw(all, SAMPLE);
    let machine = machine(&lab)?;
    for point in points {
        let begun = Instant::now();
        let (name, number) = point.split_once(' ').unwrap_or_default();
        let payload = &payloads[number.parse::<usize>().unwrap_or_default()];
        let verdict = match read_back(&machine, name, &rows[name], payload)? {
            None => Ok(()),
            Some(said) => match said.iter().find(|said| said.strip_suffix('\n').unwrap_or(said) != payload) {
                None => Ok(()),
                Some(other) => Err(format!("{} is read back as {}", json!(payload), json!(other))),
            },
        };
        matrix.note(&point, verdict, begun.elapsed());
    }
    matrix.finish();
    Ok(())
}
