//! Sessions with real servers: a killed run's is waited for, another's is named, and one is enough to ask all there is to know.

use std::time::Duration;

use pq_testkit::lab::{self, Result};
use pq_testkit::laws;
use serde_json::json;

use crate::databases::{ends, plan, servers};
use crate::world::{apply, said, spawn_apply};

#[test]
fn what_a_killed_run_left_the_server_at_work_with_is_waited_for() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let machine = servers(&lab, "dakilled")?;
    for (engine, sleeps, asks) in [
        ("postgres", "CREATE TABLE slow AS SELECT 1 AS a FROM pg_sleep(4)", "SELECT count(*) FROM slow"),
        ("mariadb", "CREATE TABLE slow (a int) AS SELECT sleep(4) AS a", "SELECT count(*) FROM lawdata.slow"),
    ] {
        let database = json!({"do": "database", "engine": engine, "name": "lawdata"});
        ends(engine, apply(&machine, &plan(&database), &["--text"])?, 0, " 1 changed");
        // Done twice, it fails; in mariadb it is done even where nobody waits for it any more.
        let step = json!({"do": "sql", "engine": engine, "database": "lawdata", "sql": sleeps,
                          "unless": "SELECT count(*) = 1 FROM information_schema.tables WHERE table_name = 'slow'"});
        for after in [500, 1500, 3000] {
            let running = spawn_apply(&machine, &plan(&step))?;
            std::thread::sleep(Duration::from_millis(after));
            running.kill();
            assert_eq!(running.wait()?.code, 137, "{engine}: it was over after {after} ms");
            ends(engine, apply(&machine, &plan(&step), &["--text"])?, 0, "");
            ends(engine, apply(&machine, &plan(&step), &["--text"])?, 0, " 0 changed");
            let read = match engine {
                "postgres" => format!(
                    "cd /; runuser -u postgres -- psql -qXAtd lawdata -c '{asks}' -c 'DROP TABLE slow'"
                ),
                _ => format!("mariadb -Ne '{asks}; DROP TABLE lawdata.slow'"),
            };
            assert_eq!(machine.sh(&read)?.success()?.text(), "1", "{engine}");
        }
    }
    Ok(())
}

#[test]
fn each_server_is_asked_once_about_all_its_databases_and_users() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let machine = servers(&lab, "daonce")?;
    let mut steps = Vec::new();
    for number in 0..12 {
        let name = format!("law{number}");
        for engine in ["postgres", "mariadb"] {
            let mut user = json!({"do": "database_user", "engine": engine, "name": name, "auth": "socket"});
            let mut database = json!({"do": "database", "engine": engine, "name": name});
            match engine {
                "postgres" => database["owner"] = json!(name),
                _ => user["grants"] = json!([{"database": name}]),
            }
            steps.extend([user, database].iter().filter_map(|step| step.as_object().cloned()));
        }
    }
    let plan = laws::plan(&steps);
    ends("first", apply(&machine, &plan, &["--text"])?, 0, " 48 changed");
    let traced = machine
        .command(["strace", "-f", "-o", "/root/trace", "-e", "trace=connect,execve", "pq-apply", "--text"])
        .stdin(plan.clone())
        .output()?;
    ends("again", traced, 0, " 0 changed");
    let trace = machine.read("/root/trace")?;
    for socket in ["mysqld.sock", ".s.PGSQL.5432"] {
        assert_eq!(trace.lines().filter(|line| line.contains(socket)).count(), 1, "{trace}");
    }
    assert_eq!(trace.matches("execve(").count(), 1, "a process was started: {trace}");
    // For people to read; what it must be is measured elsewhere.
    machine.write("/root/plan", plan.clone())?;
    machine.write("/root/none", self::plan(&json!({"do": "absent", "path": "/root/nothing"})))?;
    let times = machine.sh(
        "for plan in none plan; do for i in $(seq 9); do a=$(date +%s%N); pq-apply </root/$plan >/dev/null; b=$(date +%s%N)
         echo $(( (b - a) / 1000 )); done | sort -n | sed -n 5p; done",
    )?;
    println!(
        "microseconds of a run that asks no server, and of one with 48 databases and users in sync: {}",
        times.stdout.replace('\n', " ")
    );
    Ok(())
}

#[test]
fn who_holds_the_lock_of_a_server_is_named() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let machine = servers(&lab, "daheld")?;
    machine.sh("useradd --system lawuser")?.success()?;
    for (engine, hold) in [
        ("postgres", "psql -qXd lawdata -c 'SELECT pg_advisory_lock(7812749)' -c 'SELECT pg_sleep(60)'"),
        ("mariadb", "mariadb lawdata -e \"SELECT GET_LOCK('paquerette/lawdata', 0); DO SLEEP(60)\""),
    ] {
        let mut user = json!({"do": "database_user", "engine": engine, "name": "lawuser", "auth": "socket"});
        let mut database = json!({"do": "database", "engine": engine, "name": "lawdata"});
        match engine {
            "postgres" => database["owner"] = json!("lawuser"),
            _ => user["grants"] = json!([{"database": "lawdata"}]),
        }
        for step in [user, database] {
            ends(engine, apply(&machine, &plan(&step), &["--text"])?, 0, " 1 changed");
        }
        let held = format!(
            "cd /; nohup runuser -u lawuser -- {hold} >/root/held 2>&1 & for i in $(seq 100); do grep -q . /root/held && break; sleep 0.05; done"
        );
        machine.sh(&held)?.success()?;
        let step = json!({"do": "sql", "engine": engine, "database": "lawdata", "sql": "CREATE TABLE law (a int)", "timeout": 2,
                          "unless": "SELECT count(*) = 1 FROM information_schema.tables WHERE table_name = 'law'"});
        let output = apply(&machine, &plan(&step), &[])?;
        let told = said(&output);
        assert_eq!(output.code, 1, "{engine}: {told}");
        assert!(
            told.contains("`lawuser`") && told.contains("holds paquerette's lock"),
            "{engine} names nobody: {told}"
        );
        // A session outlives its client as long as it sleeps: it is ended in the server, as the error says.
        machine.sh(
            "rm /root/held; cd /; runuser -u postgres -- psql -qXd postgres -c \"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'lawuser'\"
             mariadb -e 'KILL USER lawuser'; sleep 1; true",
        )?
        .success()?;
        ends(engine, apply(&machine, &plan(&step), &["--text"])?, 0, " 1 changed");
    }
    Ok(())
}
