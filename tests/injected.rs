//! What means something to a shell, to nginx, to systemd, to Jinja or to sudo, in every variable of the server and of the
//! platform: it is refused by name and place before anything runs, or carried as it is.
//!
//! Which variables carry it, and how the program that reads their file says it back, is in `injection/carried.json`; the
//! end-to-end test `injection` asks those programs. Here a variable that carries something and is not listed fails.

#![expect(clippy::unwrap_used, reason = "what the runner itself cannot do ends the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use pq_recipes::{Catalogue, Kind, Variable};
use pq_tests::{Chance, literal, tools, wish};
use serde_json::{Value, json};

const PAYLOADS: &str = include_str!("injection/payloads.json");
const CARRIED: &str = include_str!("injection/carried.json");

/// `make test` tries one in so many; `make matrix M=injected` tries all.
const SPARSE: usize = 12;

/// A host with everything that reads a variable.
const HOST: &str = r#"{
  "os": "debian-12", "locales": ["fr_FR.UTF-8"], "timezone": "Europe/Paris", "admin_email": "a@example.org",
  "smtp_host": "relay.example.org", "smtp_user": "u", "smtp_password": "p", "backup_jobs": true, "backup_password": "p",
  "platform": ["certbot", "nginx", "php", "python", "mariadb", "postgres", "redis", "docker"]
}"#;

/// The values that put a payload where a variable has a text: itself, or each text within, by its name.
fn values(variable: &Variable, payload: &str) -> Vec<(String, Value)> {
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDnX2Fz0ZCYIIFpdGaAsPMm5b5QSLQmcZTZpPMlvBPmR";
    let whole = match variable.kind {
        Kind::Operator => json!({ "name": "alice", "keys": [key] }),
        Kind::CronJob => {
            json!({ "name": "quota", "command": "true", "schedule": "12 4 * * *", "user": "root" })
        }
        Kind::Script => json!({ "name": "quota", "content": "#!/bin/sh" }),
        Kind::Tools => {
            json!({ "url": "https://a.org/p.tar.xz", "version": "0.1.0", "sha256": "a".repeat(64) })
        }
        Kind::Target => {
            json!({ "name": "away", "url": "sftp:b@a.org:/srv/b", "password_file": "/etc/paquerette/backup.key" })
        }
        Kind::Peer => json!({ "name": "prod1", "host": "prod1.example.org", "port": 22, "host_key": key }),
        Kind::Window => {
            json!({ "from": "2026-12-01T22:00:00Z", "until": "2026-12-02T02:00:00Z", "reason": "disk", "who": "claire" })
        }
        Kind::MonitorPeer => {
            json!({ "name": "web1", "url": "https://web1.example.org/", "ca": "/etc/ssl/web1.pem" })
        }
        Kind::Channel => json!({ "name": "own", "webhook": { "url": "https://a.org/in" } }),
        _ => json!(null),
    };
    let with = |field: &str, value: Value| {
        let mut whole = whole.clone();
        whole[field] = value;
        (format!(".{field}"), whole)
    };
    let each: Vec<(String, Value)> = match whole.as_object() {
        None => vec![(String::new(), json!(payload))],
        Some(fields) => fields
            .keys()
            .flat_map(|field| match field.as_str() {
                // A name of the key's owner stands behind it.
                "keys" => {
                    vec![with("keys", json!([format!("{key} {payload}")])), with("keys", json!([payload]))]
                }
                "content" => vec![with("content", json!(format!("#!/bin/sh\n{payload}")))],
                _ => vec![with(field, json!(payload))],
            })
            .chain(further(variable.kind, payload))
            .collect(),
    };
    match variable.many {
        true => each.into_iter().map(|(part, value)| (part, json!([value]))).collect(),
        false => each,
    }
}

/// The values that put a payload deeper.
fn further(kind: Kind, payload: &str) -> Vec<(String, Value)> {
    let channel = |part: &str, how: Value| {
        let mut whole = json!({ "name": "own" });
        whole.as_object_mut().unwrap().extend(how.as_object().unwrap().clone());
        (format!(".{part}"), whole)
    };
    let room = json!({ "url": "https://a.org", "room": payload, "token_file": "/etc/paquerette/token" });
    match kind {
        Kind::Channel => vec![
            channel("argv", json!({ "exec": { "argv": ["/usr/local/bin/tell", payload] } })),
            channel("user", json!({ "exec": { "argv": ["/usr/local/bin/tell"], "user": payload } })),
            channel("room", json!({ "matrix": room })),
            channel("url", json!({ "webhook": { "url": payload } })),
            channel("file", json!({ "mattermost": { "url_file": payload } })),
        ],
        _ => Vec::new(),
    }
}

/// What a planner says of a host with one variable more: its exit status, its plan, its errors.
fn planned(directory: &Path, planner: &str, name: &str, value: &Value) -> (i32, String, String) {
    fs::write(directory.join("host_vars/h/injected.json"), json!({ name: literal(value) }).to_string())
        .unwrap();
    let tool = |tool: &str| {
        let mut command = Command::new(tools().join(tool));
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", directory).current_dir(directory);
        command
    };
    let inventory = tool("pq-inventory").args(["-i", ".", "h"]).output().unwrap();
    let errors = String::from_utf8_lossy(&inventory.stderr).into_owned();
    if !inventory.status.success() {
        return (inventory.status.code().unwrap_or(-1), String::new(), errors);
    }
    let stream = directory.join("stream");
    fs::write(&stream, &inventory.stdout).unwrap();
    let output =
        tool(planner).args(["--json"]).stdin(Stdio::from(fs::File::open(&stream).unwrap())).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), errors + &text(&output.stderr))
}

/// Every text of the steps of a plan.
fn texts(plan: &str) -> Vec<String> {
    fn within(value: &Value, into: &mut Vec<String>) {
        match value {
            Value::String(text) => into.push(text.clone()),
            Value::Array(items) => items.iter().for_each(|item| within(item, into)),
            Value::Object(map) => map.values().for_each(|item| within(item, into)),
            _ => {}
        }
    }
    let mut all = Vec::new();
    let steps = plan.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    steps.filter(|record| record["type"] == "step").for_each(|step| within(&step, &mut all));
    all
}

#[test]
fn matrix_injected_a_payload_in_any_variable_is_refused_by_name_and_place_or_carried_by_one_that_is_read_back()
 {
    let payloads: Vec<String> = serde_json::from_str(PAYLOADS).unwrap();
    let listed: BTreeMap<String, Value> = serde_json::from_str(CARRIED).unwrap();
    let catalogue = Catalogue::load(None).unwrap();
    let mut variables: Vec<(&str, &String, &Variable)> = Vec::new();
    let server = catalogue.server.iter().flat_map(|part| &part.variables);
    // Most of a host's are laid out by its base; what certificates need, with what gets them.
    let planner = |name: &str| if name.starts_with("acme_") { "pq-platform" } else { "pq-server" };
    variables.extend(server.chain(&catalogue.host.variables).map(|(name, it)| (planner(name), name, it)));
    let platform = catalogue.components().flat_map(|component| &component.variables);
    variables.extend(platform.map(|(name, it)| ("pq-platform", name, it)));

    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    fs::create_dir_all(at.join("host_vars/h")).unwrap();
    fs::write(at.join("hosts"), "h ansible_connection=local\n").unwrap();
    fs::write(at.join("host_vars/h/host.json"), HOST).unwrap();

    let (whole, seed) = wish();
    let mut chance = Chance::new(seed);
    let (mut tried, mut refused, mut wrong) = (0, 0, Vec::new());
    let mut carrying: BTreeSet<String> = BTreeSet::new();
    for (planner, name, variable) in &variables {
        if [Kind::Boolean, Kind::Integer, Kind::Port].contains(&variable.kind) {
            continue;
        }
        for payload in &payloads {
            for (part, value) in values(variable, payload) {
                if !whole && !chance.one_in(SPARSE) {
                    continue;
                }
                tried += 1;
                let (code, plan, errors) = planned(at, planner, name, &value);
                let shown = || format!("{name}{part} = {}: exit {code}, {errors}", json!(payload));
                match code {
                    2 if errors.contains(name.as_str()) && errors.contains("injected.json:") => refused += 1,
                    // Of text that is taken, all stands in the plan.
                    0 if variable.accept(&value) == Some(value.clone()) && !carries(&plan, payload) => {
                        wrong.push(shown() + "is not in the plan as it is");
                    }
                    // A word is a word wherever it stands.
                    0 if payload.chars().all(|c| c.is_ascii_alphanumeric()) => {}
                    0 => {
                        carrying.insert(format!("{name}{part}"));
                    }
                    _ => wrong.push(shown()),
                }
            }
        }
    }
    eprintln!(
        "PQ_SEED={seed}: {} variables, {tried} tried, {refused} refused; carried by {carrying:?}",
        variables.len()
    );
    assert!(wrong.is_empty(), "{} of {tried}:\n{}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
    let unread: Vec<&String> = carrying.iter().filter(|name| !listed.contains_key(*name)).collect();
    assert!(unread.is_empty(), "carried, and nobody reads it back: {unread:?}");
}

/// Whether a plan holds a text as it is, or as one of its files writes it: a banner's, or one of YAML.
fn carries(plan: &str, payload: &str) -> bool {
    let doubled = payload.replace('\\', "\\\\");
    let quoted = json!(payload).to_string();
    let quoted = quoted[1..quoted.len() - 1].replace('\u{2028}', "\\L");
    texts(plan).iter().any(|text| [payload, &doubled, &quoted].iter().any(|form| text.contains(*form)))
}
