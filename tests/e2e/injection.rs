//! What a variable carries, the program that reads its file says back as it was written: postfix, agetty, sshd's own tools.
//!
//! `make matrix M=injection` asks for every payload that is carried; each `make test` for a drawn few. Which variables carry any,
//! and what is refused instead, is the test `injected`.

use std::collections::BTreeMap;
use std::time::Instant;

use pq_testkit::lab::{self, Error, Image, Lab, Machine, Output, Result, Suite};
use pq_tests::{Matrix, literal};
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

/// A machine with the server on it.
fn machine(lab: &Lab) -> Result<Machine> {
    let machine = lab.boot("injection", &Image::Base(Suite::Bookworm))?;
    install(&machine)?;
    machine.run(["mkdir", "-p", "/root/i/host_vars/h"])?.success()?;
    machine.write("/root/i/hosts", "h ansible_connection=local\n")?;
    machine.write("/root/i/host_vars/h/host.yml", HOST)?;
    piped(&machine, "pq-inventory -i . h | pq-server | pq-apply --json >/root/first")?.success()?;
    machine.sh("apt-get install -y -qq python3-yaml >/dev/null")?.success()?;
    Ok(machine)
}

/// A pipe beside the inventory, as its first failure ends.
fn piped(machine: &Machine, pipe: &str) -> Result<Output> {
    machine.run(["bash", "-euc", &format!("set -o pipefail; cd /root/i; {pipe}")])
}

/// What a row sets, with the payload in the place of `@`.
fn set(row: &Value, payload: &str) -> Value {
    match row {
        Value::String(text) => json!(text.replace('@', payload)),
        Value::Array(items) => items.iter().map(|item| set(item, payload)).collect(),
        Value::Object(map) => map.iter().map(|(key, item)| (key.clone(), set(item, payload))).collect(),
        other => other.clone(),
    }
}

/// Plans with some variables and applies what a row is about; whether the plan took them.
fn applied(machine: &Machine, row: &Value, variables: &Value) -> Result<bool> {
    machine.write("/root/i/host_vars/h/injected.json", literal(variables).to_string())?;
    let planner = row["plan"].as_str().unwrap_or("pq-server");
    let plan = piped(machine, &format!("pq-inventory -i . h | {planner} >/root/plan"))?;
    if plan.code == 2 {
        return Ok(false);
    }
    plan.success()?;
    let only = row["only"].as_str().unwrap_or_default();
    machine.sh(&format!("pq-apply --json --only '{only}' </root/plan >/root/done"))?.success()?;
    Ok(true)
}

/// What the programs say of a payload; nothing where the plan refuses it.
fn read_back(machine: &Machine, row: &Value, payload: &str) -> Result<Option<Vec<String>>> {
    if !applied(machine, row, &set(&row["set"], payload))? {
        return Ok(None);
    }
    let commands = ["read", "also"].iter().filter_map(|key| row[*key].as_str());
    let said = commands.map(|command| Ok(machine.sh(command)?.stdout));
    said.collect::<Result<Vec<_>>>().map(Some)
}

/// What cron says that it runs, of jobs that have these payloads for commands: it runs them all within a minute.
fn run_by_cron(machine: &Machine, row: &Value, payloads: &[&String]) -> Result<Vec<bool>> {
    let job = |(number, payload): (usize, &&String)| json!({ "name": format!("j{number}"), "command": payload, "schedule": "* * * * *" });
    let mut taken = Vec::new();
    for payload in payloads {
        let alone = json!({ "cron_jobs": [job((0, payload))] });
        machine.write("/root/i/host_vars/h/injected.json", literal(&alone).to_string())?;
        let plan = piped(machine, "pq-inventory -i . h | pq-server >/dev/null")?;
        taken.push(plan.code == 0);
    }
    let jobs: Vec<Value> =
        payloads.iter().enumerate().filter(|(number, _)| taken[*number]).map(job).collect();
    let wanted = jobs.len();
    assert!(applied(machine, row, &json!({ "cron_jobs": jobs }))?, "each was taken alone");
    let wait = format!(
        "for i in $(seq 130); do test $(journalctl -t CRON -o cat | sort -u | grep -c '^(root) CMD (') -ge {wanted} && break; sleep 1; done
         journalctl -t CRON -o cat"
    );
    let log = machine.sh(&wait)?.success()?.stdout;
    let ran = |payload: &String| log.lines().any(|line| line == format!("(root) CMD ({})", shown(payload)));
    Ok(payloads.iter().zip(taken).map(|(payload, taken)| !taken || ran(payload)).collect())
}

/// A text as cron's log has it.
fn shown(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b' '..=b'~' => char::from(byte).to_string(),
        other => format!("\\{other:03o}"),
    };
    text.bytes().map(byte).collect()
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
    let mut of_cron = Vec::new();
    for point in points {
        let begun = Instant::now();
        let (name, number) = point.split_once(' ').unwrap_or_default();
        let payload = &payloads[number.parse::<usize>().unwrap_or_default()];
        let row = &rows[name];
        if row["cron"] == json!(true) {
            of_cron.push((point.clone(), row, payload));
            continue;
        }
        let verdict = match read_back(&machine, row, payload)? {
            None => Ok(()),
            Some(said) => {
                match said.iter().find(|said| !(*said == payload || said.strip_suffix('\n') == Some(payload)))
                {
                    None => Ok(()),
                    Some(other) => Err(format!("{} is read back as {}", json!(payload), json!(other))),
                }
            }
        };
        matrix.note(&point, verdict, begun.elapsed());
    }
    if let Some((_, row, _)) = of_cron.first() {
        let begun = Instant::now();
        let commands: Vec<&String> = of_cron.iter().map(|(.., payload)| *payload).collect();
        let ran = run_by_cron(&machine, row, &commands)?;
        for ((point, _, payload), ran) in of_cron.iter().zip(ran) {
            let verdict = if ran { Ok(()) } else { Err(format!("cron did not run {}", json!(payload))) };
            matrix.note(point, verdict, begun.elapsed());
        }
    }
    matrix.finish();
    Ok(())
}
