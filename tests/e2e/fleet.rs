//! Several machines over a real sshd: changed once, each with its own verdict, whatever becomes of the others.

use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use pq_testkit::lab::{self, Lab, Machine, Result, Suite};
use serde_json::{Value, json};

use crate::ssh::{Fleet, Told, suites};

/// What each machine is to have: a directory, a file, work that takes a while, and what comes behind it.
fn steps(host: &str) -> Vec<Value> {
    let work =
        "echo run >>/srv/site/runs; sleep \"$(cat /srv/slow 2>/dev/null || echo 0)\"; touch /srv/site/done";
    vec![
        json!({"id": "site/dir", "do": "directory", "path": "/srv/site"}),
        json!({"id": "site/name", "do": "file", "path": "/srv/site/name", "content": format!("{host}\n")}),
        json!({"id": "site/work", "do": "command", "argv": ["sh", "-c", work], "creates": "/srv/site/done"}),
        json!({"id": "site/allowed", "do": "command", "argv": ["sh", "-c", "test -e /srv/forbidden && { echo it is forbidden here >&2; exit 4; }; touch /srv/site/allowed"], "creates": "/srv/site/allowed"}),
        json!({"id": "site/last", "do": "file", "path": "/srv/site/last", "content": "last\n"}),
    ]
}

/// Two machines of each suite.
fn six(lab: &Lab, prefix: &str) -> Result<Fleet> {
    let suites = suites();
    let names: Vec<(String, Suite)> =
        (0..6).map(|number| (format!("{prefix}{number}"), suites[number % suites.len()])).collect();
    let machines: Vec<(&str, Suite)> = names.iter().map(|(name, suite)| (name.as_str(), *suite)).collect();
    Fleet::boot(lab, &machines)
}

/// Waits until a file is there.
fn wait_for(machine: &Machine, path: &str) -> Result<()> {
    let begin = Instant::now();
    while machine.run(["test", "-e", path])?.code != 0 {
        assert!(begin.elapsed() < Duration::from_secs(40), "`{path}` did not come on `{}`", machine.name());
        sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// The hosts in the order in which the stream's lines name them, each once for all lines that follow each other.
fn grouped(told: &Told) -> Vec<String> {
    let mut hosts: Vec<String> = told
        .stdout
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok()?["host"].as_str().map(str::to_owned))
        .collect();
    hosts.dedup();
    hosts
}

/// What the machine holds of executions: journals, executors, temporary files.
fn kept(machine: &Machine) -> Result<String> {
    let list =
        "ls -A /var/lib/paquerette/journal /var/lib/paquerette/history /var/cache/paquerette; ls -A /tmp";
    Ok(machine.run(["sh", "-c", list])?.stdout)
}

#[test]
fn six_machines_are_changed_once_and_their_faults_are_their_own() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let mut fleet = six(&lab, "fleet")?;
    let plan = fleet.plan("root", &json!({}), steps);

    let check = fleet.apply(&plan, &["--check"])?;
    assert_eq!(check.code, 3, "{}{}", check.stdout, check.stderr);
    let first = fleet.apply(&plan, &[])?;
    assert_eq!((first.code, first.stderr.as_str()), (0, ""), "{}", first.stdout);
    // Grouped, so that what follows in the pipe takes it for a stream: each host once.
    assert_eq!(grouped(&first).len(), 6, "{:?}", grouped(&first));
    for machine in &fleet.machines {
        assert_eq!(first.verdict(machine.name(), "changed"), (0, 5), "{}", machine.name());
        assert_eq!(machine.read("/srv/site/name")?, format!("{}\n", machine.name()));
        let mode = machine.sh("stat -c %U:%a /var/cache/paquerette /var/cache/paquerette/pq-apply-*")?;
        assert_eq!(mode.text(), "root:700\nroot:700");
    }
    let before: Vec<String> = fleet.machines.iter().map(kept).collect::<Result<_>>()?;
    let second = fleet.apply(&plan, &["--text"])?;
    assert_eq!((second.code, second.stderr.as_str()), (0, ""), "{}", second.stdout);
    for machine in &fleet.machines {
        assert!(second.stdout.contains(&format!("{}: 5 ok, 0 changed", machine.name())), "{}", second.stdout);
    }
    let after: Vec<String> = fleet.machines.iter().map(kept).collect::<Result<_>>()?;
    assert_eq!(before, after, "a run without a change leaves nothing");

    let hosts: String = plan
        .lines()
        .filter(|line| !line.contains(r#""type":"step""#))
        .fold(String::new(), |all, line| all + line + "\n");
    let status = fleet.apply(&hosts, &["--status", "--text"])?;
    assert_eq!((status.code, status.stderr.as_str()), (0, ""), "{}", status.stdout);
    assert_eq!(status.stdout.matches("at work      nobody").count(), 6, "{}", status.stdout);
    assert_eq!(status.stdout.matches("booked       ").count(), 6, "{}", status.stdout);

    // An executor that was tampered with is not started: the right one is sent again.
    let one = &fleet.machines[5];
    one.sh("for f in /var/cache/paquerette/pq-apply-*; do printf 'touch /srv/owned' >$f; done")?.success()?;
    let mended = fleet.apply(&plan, &[])?;
    assert_eq!(mended.code, 0, "{}", mended.stderr);
    assert_eq!(one.run(["test", "-e", "/srv/owned"])?.code, 1);

    faults(&mut fleet)
}

/// One machine is off, one is cut off within a step, one has a step that fails; the other three finish.
fn faults(fleet: &mut Fleet) -> Result<()> {
    for machine in &fleet.machines {
        machine.sh("rm -rf /srv/site")?.success()?;
    }
    fleet.machines[0].kill()?;
    fleet.machines[1].sh("echo 8 >/srv/slow")?.success()?;
    fleet.machines[2].sh("touch /srv/forbidden")?.success()?;
    let names: Vec<String> = fleet.machines.iter().map(|machine| machine.name().to_owned()).collect();
    let soon = json!({"ansible_ssh_common_args": fleet.attentive(), "ansible_timeout": 5});
    let plan = fleet.plan("root", &soon, steps);
    let running = fleet.start(&plan, &[])?;
    let cut = &fleet.machines[1];
    wait_for(cut, "/srv/site/runs")?;
    cut.sh("ip link set host0 down")?.success()?;
    let told = Told::of(running)?;
    assert_eq!(told.code, 1, "{}{}", told.stdout, told.stderr);
    assert_eq!(told.verdict(&names[0], "ok").0, 75, "{}", told.stdout);
    assert_eq!(told.verdict(&names[1], "changed"), (75, 2), "{}", told.stdout);
    assert_eq!(told.verdict(&names[2], "failed"), (1, 1), "{}", told.stdout);
    assert_eq!(told.verdict(&names[2], "not_reached"), (1, 1));
    for name in &names[3..] {
        assert_eq!(told.verdict(name, "changed"), (0, 5), "{}", told.stdout);
    }
    for text in [
        format!("error: cannot reach host `{}`", names[0]),
        format!("error: the line to host `{}` was cut", names[1]),
        "step `site/work` was at work".to_owned(),
        "the run goes on there".to_owned(),
    ] {
        assert!(told.stderr.contains(&text), "{text}: {}", told.stderr);
    }
    assert!(told.stdout.contains("it is forbidden here"), "{}", told.stdout);

    // Cut off, the run went on to its end.
    wait_for(cut, "/srv/site/last")?;
    cut.sh("ip link set host0 up; for i in 1 2 3 4 5 6 7 8 9; do ip addr show host0 | grep -q 10.77 && break; sleep 1; done")?
        .success()?;
    fleet.machines[2].sh("rm /srv/forbidden")?.success()?;
    fleet.machines[0].start()?;
    let rerun = fleet.apply(&plan, &[])?;
    assert_eq!(rerun.code, 0, "{}{}", rerun.stdout, rerun.stderr);
    assert_eq!(rerun.verdict(&names[0], "changed"), (0, 5), "{}", rerun.stdout);
    assert_eq!(
        rerun.verdict(&names[1], "ok"),
        (0, 5),
        "the rerun shows what the cut one did: {}",
        rerun.stdout
    );
    assert_eq!(rerun.verdict(&names[2], "changed"), (0, 2), "{}", rerun.stdout);
    for machine in &fleet.machines {
        assert_eq!(machine.read("/srv/site/runs")?, "run\n", "{}: the work was done once", machine.name());
        assert_eq!(machine.read("/srv/site/last")?, "last\n");
    }
    Ok(())
}

#[test]
fn a_run_over_ssh_is_stopped_by_its_operator_and_by_nothing_else() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let fleet = Fleet::boot(&lab, &[("stopped", Suite::Bookworm), ("stopped-b", Suite::Bookworm)])?;
    let plan = fleet.plan("root", &json!({}), steps);
    let again = || -> Result<()> {
        for machine in &fleet.machines {
            machine.sh("rm -rf /srv/site; echo 4 >/srv/slow")?.success()?;
        }
        Ok(())
    };
    // The operator's process dies: both runs go on, and who comes meanwhile is told whose they are.
    again()?;
    let mut killed = fleet.start(&plan, &[])?;
    for machine in &fleet.machines {
        wait_for(machine, "/srv/site/runs")?;
    }
    killed.kill().ok();
    killed.wait().ok();
    let busy = fleet.apply(&plan, &[])?;
    assert_eq!(busy.code, 75, "{}{}", busy.stdout, busy.stderr);
    assert!(
        busy.stderr.contains("host `stopped`: this machine is being changed by `pq-apply, sent by operator@"),
        "{}",
        busy.stderr
    );
    for machine in &fleet.machines {
        wait_for(machine, "/srv/site/last")?;
        let scope = machine.sh("journalctl --no-pager -o cat -u 'paquerette-*.scope' | head -1")?;
        assert!(scope.text().contains("paquerette-"), "a run that changes has a scope: {}", scope.stdout);
    }
    sleep(Duration::from_millis(300));
    let rerun = fleet.apply(&plan, &[])?;
    assert_eq!(rerun.code, 0, "{}{}", rerun.stdout, rerun.stderr);
    assert_eq!(rerun.verdict("stopped", "ok"), (0, 5), "{}", rerun.stdout);

    // The operator asks to stop: the step at work is finished on both, and no further one begun.
    again()?;
    let stopped = fleet.start(&plan, &[])?;
    for machine in &fleet.machines {
        wait_for(machine, "/srv/site/runs")?;
    }
    let asked = Command::new("kill").args(["-INT", &stopped.id().to_string()]).status();
    assert!(asked.is_ok_and(|status| status.success()));
    let told = Told::of(stopped)?;
    assert_eq!(told.code, 1, "{}{}", told.stdout, told.stderr);
    assert!(told.stderr.contains("the run was asked to stop (SIGINT)"), "{}", told.stderr);
    for machine in &fleet.machines {
        assert_eq!(told.verdict(machine.name(), "changed"), (1, 3), "{}", told.stdout);
        assert_eq!(told.verdict(machine.name(), "not_reached"), (1, 2), "{}", told.stdout);
        assert_eq!(machine.run(["test", "-e", "/srv/site/last"])?.code, 1);
    }

    // One machine at a time, none begun once one has failed.
    for machine in &fleet.machines {
        machine.sh("touch /srv/forbidden; rm -f /srv/slow")?.success()?;
    }
    let careful = fleet.apply(&plan, &["-j", "1", "--max-fail", "1", "--text"])?;
    assert_eq!(careful.code, 1, "{}{}", careful.stdout, careful.stderr);
    assert!(careful.stdout.contains("stopped-b: not begun"), "{}", careful.stdout);
    Ok(())
}

/// The old file replaced, then work that does not end before it is cut off.
fn upgrade(_: &str) -> Vec<Value> {
    let work = "touch /srv/begun; sleep 600";
    vec![
        json!({"id": "site/conf", "do": "file", "path": "/etc/site.conf", "content": "new\n"}),
        json!({"id": "site/work", "do": "command", "argv": ["sh", "-c", work], "creates": "/srv/done", "timeout": 900}),
        json!({"id": "site/upgrade", "do": "transaction", "steps": ["site/conf", "site/work"], "rollback": [
            {"id": "site/back", "title": "not begun", "do": "absent", "path": "/srv/begun"}]}),
    ]
}

#[test]
fn a_machine_that_is_reached_over_ssh_and_loses_its_power_undoes_at_boot_what_was_half_way() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let mut fleet = Fleet::boot(&lab, &[("powerless", Suite::Bookworm)])?;
    let old = |_: &str| {
        vec![json!({"id": "site/conf", "do": "file", "path": "/etc/site.conf", "content": "old\n"})]
    };
    let first = fleet.apply(&fleet.plan("root", &json!({}), old), &[])?;
    assert_eq!(first.code, 0, "{}{}", first.stdout, first.stderr);
    // Nothing of ours is installed there.
    let machine = &mut fleet.machines[0];
    assert_ne!(machine.sh("command -v pq-apply")?.code, 0);
    let soon = json!({"ansible_ssh_common_args": fleet.attentive()});
    let running = fleet.start(&fleet.plan("root", &soon, upgrade), &[])?;
    let machine = &mut fleet.machines[0];
    wait_for(machine, "/srv/begun")?;
    assert_eq!(machine.read("/etc/site.conf")?, "new\n");
    machine.kill()?;
    let told = Told::of(running)?;
    assert_eq!(told.code, 75, "{}{}", told.stdout, told.stderr);
    machine.start()?;
    let left =
        "test -e /var/lib/paquerette/recover || test -e /etc/systemd/system/paquerette-recover.service";
    let begin = Instant::now();
    while machine.sh(left)?.code == 0 {
        assert!(begin.elapsed() < Duration::from_secs(40), "nothing undid it");
        sleep(Duration::from_millis(100));
    }
    assert_eq!(machine.read("/etc/site.conf")?, "old\n");
    assert_eq!(machine.run(["test", "-e", "/srv/begun"])?.code, 1);
    Ok(())
}
