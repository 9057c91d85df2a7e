//! Ansible, driven by the example inventory through the script of `docs/inventory.md`.
//!
//! Always true here: what the real `ansible -m debug` says of a variable is what stands in the host's record.

#![expect(clippy::unwrap_used, reason = "what the test itself cannot do ends it")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The script of the page, as a reader would take it from there.
fn script() -> String {
    let page = fs::read_to_string(top().join("docs/inventory.md")).unwrap();
    let lines = page.lines().skip_while(|line| !line.starts_with("    #!/bin/sh"));
    let script: Vec<&str> = lines.take_while(|line| !line.is_empty()).map(str::trim_start).collect();
    assert_eq!(script.len(), 2, "docs/inventory.md has another script: {script:?}");
    script.join("\n") + "\n"
}

/// A program with the tools on its path and the demo's identity.
fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    let path = format!("{}:/usr/bin:/bin", pq_tests::tools().display());
    command
        .env("PATH", path)
        .env("PQ_IDENTITY", top().join("inventory/demo-identity.txt"))
        .env_remove("PQ_INVENTORY")
        .env("ANSIBLE_CONFIG", top().join("tests/conformance/ansible.cfg"))
        .env("ANSIBLE_NOCOLOR", "1")
        .env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// What `ansible all -m debug -a var=NAME` says of each machine.
fn debug(bin: &Path, script: &Path, name: &str) -> BTreeMap<String, Value> {
    let mut ansible = command(&bin.join("ansible"));
    let output = ansible
        .arg("-i")
        .arg(script)
        .args(["all", "-m", "debug", "-a"])
        .arg(format!("var={name}"))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    // Each answer is `demo | SUCCESS => {`, lines of JSON, `}`.
    let answers = text.split_inclusive("\n}\n").map(|answer| answer.split_once(" | SUCCESS => ").unwrap());
    let value = |json: &str| serde_json::from_str::<Value>(json).unwrap()[name].clone();
    answers.map(|(host, json)| (host.trim().to_owned(), value(json))).collect()
}

/// What stands in the hosts' records.
fn resolved(name: &str) -> BTreeMap<String, Value> {
    let mut tool = command(&pq_tests::tools().join("pq-inventory"));
    let output = tool.arg("-i").arg(top().join("inventory")).arg("--json").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let records = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let hosts = records.filter(|record| record["type"] == "host");
    hosts.map(|host| (host["host"].as_str().unwrap().to_owned(), host["vars"][name].clone())).collect()
}

#[test]
fn ansible_says_of_the_example_what_its_records_say() {
    let required = std::env::var("PQ_E2E").is_ok_and(|wish| wish == "require");
    let bin = match pq_tests::ansible() {
        Ok(bin) => bin,
        Err(cause) if required => panic!("there is no ansible-core to drive: {cause}"),
        Err(cause) => return eprintln!("drive: SKIPPED, for want of ansible-core: {cause}"),
    };
    let place = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(top().join("inventory"), place.path().join("inventory")).unwrap();
    let write = |name: &str, text: &str| {
        let path = place.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    };
    let plain = write("pq-inventory.sh", &script());
    for name in ["admin_email", "instances", "base_prod_mount", "master_key"] {
        let said = debug(&bin, &plain, name);
        assert_eq!(said.len(), 4, "{name}: {said:?}");
        assert_eq!(said, resolved(name), "{name}");
    }
    // With the values in the places of tokens, as the page has it.
    let revealing = write("revealing.sh", &script().replace("\"$@\"", "--reveal --yes \"$@\""));
    let mut secret = command(&pq_tests::tools().join("pq-secret"));
    let secret = secret.arg("-i").arg(top().join("inventory"));
    let output = secret.args(["get", "group_vars/secret/secrets.yml.age", "master_key"]).output().unwrap();
    let value = String::from_utf8(output.stdout).unwrap().trim_end().to_owned();
    assert!(value.len() > 16 && !value.starts_with('@'), "{}", String::from_utf8_lossy(&output.stderr));
    for (host, said) in debug(&bin, &revealing, "master_key") {
        assert_eq!(said, Value::from(value.clone()), "{host}");
    }
}
