//! Secrets over ssh: on standard input they come, where a step puts them they stay, and nowhere else do they show.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use pq_testkit::lab::{self, Error, Machine, Result, Suite};
use serde_json::{Value, json};

use crate::ssh::Fleet;

const CANARY: &str = "tweety-7731-over-ssh";
const SUDO: &str = "sylvester-7731-sudo";
const MASTER: &str = "granny-7731-master-key";

/// The command lines of everything that runs on this computer, machines included, until it is told to stop.
fn watch(over: &AtomicBool) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    while !over.load(Ordering::SeqCst) {
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            if let Ok(line) = fs::read(entry.path().join("cmdline")) {
                seen.insert(String::from_utf8_lossy(&line).replace('\0', " "));
            }
        }
        thread::sleep(Duration::from_millis(5));
    }
    seen
}

/// Makes an inventory with these machines and three secrets, and answers its stream with the steps put in.
fn plan(fleet: &Fleet, steps: &[Value]) -> Result<String> {
    let failed = |error: std::io::Error| Error::new("cannot make the inventory").because(error);
    let dir = fleet.path("inventory");
    fs::create_dir_all(dir.join("group_vars/all")).map_err(failed)?;
    let hosts: String = fleet
        .machines
        .iter()
        .map(|machine| format!("{} ansible_host={} ansible_user=ops\n", machine.name(), machine.ip()))
        .collect();
    fs::write(dir.join("hosts"), hosts).map_err(failed)?;
    let mut vars = fleet.vars(json!({}));
    vars["ansible_become_password"] = "{{ sudo_password }}".into();
    fs::write(dir.join("group_vars/all/vars.yml"), vars.to_string()).map_err(failed)?;
    let run = |tool: &str, args: &[&str], input: &str| -> Result<Output> {
        let file = fleet.path("input");
        fs::write(&file, input).map_err(failed)?;
        let output = fleet
            .tool(tool)
            .args(args)
            .stdin(fs::File::open(&file).map_err(failed)?)
            .stderr(Stdio::piped())
            .output()
            .map_err(failed)?;
        fs::remove_file(&file).map_err(failed)?;
        assert!(output.status.success(), "{tool} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(output)
    };
    run("pq-secret", &["keygen", "--add"], "")?;
    for (name, value) in [("canary", CANARY), ("sudo_password", SUDO), ("master_key", MASTER)] {
        run("pq-secret", &["set", "group_vars/all/secrets.yml.age", name], value)?;
    }
    let stream = String::from_utf8_lossy(&run("pq-inventory", &[], "")?.stdout).into_owned();
    let mut lines = String::new();
    for line in stream.lines() {
        lines.push_str(&format!("{line}\n"));
        let record: Value = serde_json::from_str(line).unwrap_or_default();
        if record["type"] == "secret" {
            for step in steps {
                let mut step = step.clone();
                step["type"] = "step".into();
                step["title"] = "a step".into();
                step["host"] = record["host"].clone();
                lines.push_str(&format!("{step}\n"));
            }
        }
    }
    Ok(lines)
}

/// The files of a machine that hold a text.
fn holding(machine: &Machine, text: &str) -> String {
    let found = Command::new("grep").args(["-rlsF", "--devices=skip", text]).arg(machine.root()).output();
    let found = found.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    found.replace(&machine.root().display().to_string(), "")
}

#[test]
fn secrets_travel_in_the_stream_of_ssh_and_nowhere_else() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let fleet = Fleet::boot(&lab, &[("sealed", Suite::Bookworm), ("sealed-b", Suite::Trixie)])?;
    for machine in &fleet.machines {
        machine
            .command(["sh", "-euc", "usermod -aG sudo ops; IFS= read -r pw; echo \"ops:$pw\" | chpasswd"])
            .stdin(format!("{SUDO}\n"))
            .output()?
            .success()?;
    }
    let steps = [
        json!({"id": "site/file", "do": "file", "path": "/root/canary", "content": "@secret{canary} @secret{derive:sealed/site/admin#1}\n", "secrets": ["canary", "master_key"]}),
        json!({"id": "site/command", "do": "command", "argv": ["sh", "-c", "sleep 1; cat; echo \"$CANARY\" >&2; touch /root/ran"], "stdin": "@secret{canary}", "env": {"CANARY": "@secret{canary}"}, "creates": "/root/ran", "secrets": ["canary"]}),
        json!({"id": "site/failing", "do": "command", "argv": ["sh", "-c", "cat; echo \"$CANARY\" | base64 >&2; exit 9"], "stdin": "@secret{canary}", "env": {"CANARY": "@secret{canary}"}, "creates": "/root/never", "secrets": ["canary"]}),
    ];
    let plan = plan(&fleet, &steps)?;
    let over = AtomicBool::new(false);
    let (told, seen) = thread::scope(|scope| {
        let watching = scope.spawn(|| watch(&over));
        let told = fleet.apply(&plan, &["-v", "--text"]);
        over.store(true, Ordering::SeqCst);
        (told, watching.join().unwrap_or_default())
    });
    let told = told?;
    assert_eq!(told.code, 1, "{}{}", told.stdout, told.stderr);
    assert!(told.stdout.contains("<secret canary>"), "the failing command spoke: {}", told.stdout);
    assert!(seen.iter().any(|line| line.contains("--remote")), "the watch saw nothing");
    for secret in [CANARY, SUDO, MASTER] {
        for text in seen.iter().chain([&told.stdout, &told.stderr, &plan]) {
            assert!(!text.contains(secret), "`{secret}` shows: {text}");
        }
    }
    for machine in &fleet.machines {
        assert!(machine.read("/root/canary")?.starts_with(&format!("{CANARY} ")));
        machine.sh("journalctl --sync")?.success()?;
        assert_eq!(holding(machine, CANARY), "/root/canary\n", "{}", machine.name());
        assert_eq!(holding(machine, MASTER), "", "the key that the others' passwords come of stays at home");
        assert_eq!(holding(machine, SUDO), "");
        let hidden =
            machine.sh("cat -- $(find /run /tmp /dev/shm -type f -size -1M 2>/dev/null) | tr -d '\\0'")?;
        assert!(!hidden.stdout.contains(CANARY) && !hidden.stdout.contains(MASTER), "{}", machine.name());
    }

    // Facts come the same way, with the same password, and stand behind each host's other records.
    let asked = fleet.tool("pq-inventory").args(["--facts"]).output();
    let asked = asked.map_err(|error| Error::new("cannot run `pq-inventory`").because(error))?;
    let stream = String::from_utf8_lossy(&asked.stdout).into_owned();
    assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
    let records: Vec<Value> = stream.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let kinds: Vec<&str> = records.iter().filter_map(|record| record["type"].as_str()).collect();
    assert_eq!(kinds, ["run", "host", "secret", "facts", "host", "secret", "facts", "end"]);
    assert_eq!(
        (records[3]["os"].as_str(), records[6]["os"].as_str()),
        (Some("debian-12"), Some("debian-13"))
    );
    assert!(
        records[3]["memory"].as_u64() > Some(0) && records[3]["cores"].as_u64() > Some(0),
        "{}",
        records[3]
    );
    fs::write(fleet.path("facts"), &stream).map_err(|error| Error::new("cannot write").because(error))?;
    let replayed = fleet.tool("pq-inventory").args(["--facts-from", "facts"]).output();
    let replayed = replayed.map_err(|error| Error::new("cannot run `pq-inventory`").because(error))?;
    let facts = |text: &str| {
        text.lines().filter(|it| it.contains("\"facts\"")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(facts(&String::from_utf8_lossy(&replayed.stdout)), facts(&stream));

    // A password that sudo does not take is given once, and says what to do.
    fleet.machines[0].sh("echo ops:another | chpasswd")?.success()?;
    let wrong = fleet.apply(&plan, &[])?;
    assert_eq!(wrong.verdict("sealed", "ok").0, 1, "{}{}", wrong.stdout, wrong.stderr);
    assert!(wrong.stderr.contains("cannot become root on host `sealed`"), "{}", wrong.stderr);
    assert!(wrong.stderr.contains("sudo did not take the password"), "{}", wrong.stderr);
    assert!(!wrong.stderr.contains(SUDO));
    // Without any, sudo asks for one or for none, as its own rules say.
    let bare =
        fleet.plan("ops", &json!({}), |_| vec![json!({"id": "a/b", "do": "directory", "path": "/srv/a"})]);
    let asked = fleet.apply(&bare, &[])?;
    assert_eq!(asked.code, 1, "{}", asked.stderr);
    assert!(asked.stderr.contains("--ask-become-pass"), "{}", asked.stderr);
    for machine in &fleet.machines {
        machine.write("/etc/sudoers.d/ops", "ops ALL=(ALL) NOPASSWD: ALL\n")?;
    }
    let free = fleet.apply(&bare, &[])?;
    assert_eq!(free.code, 0, "{}{}", free.stdout, free.stderr);
    Ok(())
}
