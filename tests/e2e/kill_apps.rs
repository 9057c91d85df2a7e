//! The installation of an application, killed at any moment: what comes after a kill is another run, and its end is as if nothing had
//! been. One of PHP with a database, one of Python.

use std::time::{Duration, Instant};

use pq_testkit::lab::{self, Image, Lab, Machine, Result, Suite};
use pq_tests::Matrix;

use crate::apps::{counter, visits};
use crate::kill::{unlike, within};
use crate::world::{HOST, PIPE, apply, canonical, demo_inventory, install, pipe, quiet, serve, spawn_apply};

/// How many moments of each are tried; one of all of them in each `make test`.
const MOMENTS: usize = 20;

/// How many are tried at a time in a whole matrix.
const LANES: usize = 2;

/// What the state of a machine is compared by, below these.
const BELOW: [&str; 3] = ["/etc", "/srv", "/var"];

/// What the program of PHP keeps in its database, but for how often it was visited.
const DATABASE: &str = "mariadb -BNe \"SELECT User, Host, JSON_REMOVE(Priv, '$.password_last_changed') FROM mysql.global_priv ORDER BY 1; \
                        SHOW GRANTS FOR app@localhost; SHOW CREATE TABLE app.visitors\"";

/// An application, its instance, and how it is asked whether it works.
struct Installed {
    name: &'static str,
    keys: fn(&Machine) -> Result<String>,
    state: fn(&Machine) -> Result<String>,
}

const APPS: [Installed; 2] = [
    Installed {
        name: "php",
        keys: |machine| Ok(format!("database: mariadb, {}", counter(machine, "")?)),
        state: |machine| {
            assert!(visits(machine, "app")?.is_some());
            Ok(machine.sh(DATABASE)?.success()?.stdout)
        },
    },
    Installed {
        name: "radicale",
        keys: |machine| {
            serve(machine, "/root/sources")?;
            Ok(String::new())
        },
        state: |machine| Ok(machine.sh("systemctl show -P ActiveState pq-app.service")?.success()?.stdout),
    },
];

/// A machine with a server's base and a platform, so that what is killed is the installation of the application.
fn prepared(lab: &Lab, name: &str, app: &Installed) -> Result<(Machine, String)> {
    let image = lab.snapshot_or("platform", &Image::Base(Suite::Bookworm), "1", |machine| {
        install(machine)?;
        quiet(machine)?;
        demo_inventory(lab, machine)?;
        machine.write(HOST, format!("{ABOUT}platform: [nginx, php, mariadb, python]\ninstances: []\n"))?;
        pipe(machine, "pq-apply")?.success()?;
        machine
            .sh("apt-get install -y -qq curl php8.2-mysql >/dev/null; rm -rf /root/paquerette")?
            .success()?;
        Ok(())
    })?;
    let machine = lab.boot(name, &image)?;
    install(&machine)?;
    demo_inventory(lab, &machine)?;
    let keys = (app.keys)(&machine)?;
    let mirror = if app.name == "php" { "source_mirror: http://127.0.0.1:8087\n" } else { "" };
    let instance = format!("  - {{ app: {}, id: app, domain: app.demo.test, {keys} }}\n", app.name);
    machine.write(
        HOST,
        format!("{ABOUT}{mirror}platform: [nginx, php, mariadb, python]\ninstances:\n{instance}"),
    )?;
    let plan = machine.run(["bash", "-c", PIPE])?.success()?.stdout;
    Ok((machine, plan))
}

const ABOUT: &str = "os: debian-12\nmemory_mb: 2048\n";

/// The machine's state, with what the application itself keeps.
fn state(machine: &Machine, app: &Installed) -> Result<String> {
    Ok(canonical(machine, &BELOW)? + &(app.state)(machine)?)
}

/// One kill, and a rerun that ends as if it had not been. Where it ended before that, since this time it was faster, an earlier moment is tried.
fn kill_once(
    lab: &Lab,
    app: &Installed,
    at: &Moment,
    undisturbed: &str,
) -> Result<std::result::Result<(), String>> {
    let mut after = at.after;
    for _ in 0..8 {
        if let Some(verdict) = kill_after(lab, app, at, after, undisturbed)? {
            return Ok(verdict);
        }
        after = after * 4 / 5;
    }
    Ok(Err("it ended before each kill".to_owned()))
}

/// The same at a moment; nothing where it had ended well before.
fn kill_after(
    lab: &Lab,
    app: &Installed,
    at: &Moment,
    after: Duration,
    undisturbed: &str,
) -> Result<Option<std::result::Result<(), String>>> {
    let (machine, plan) = prepared(lab, &format!("killed{}{}", app.name, at.nth), app)?;
    let running = spawn_apply(&machine, &plan)?;
    std::thread::sleep(after);
    running.kill();
    let killed = running.wait()?;
    let what = format!("killed after {} ms, within `{}`", after.as_millis(), within(&killed.stdout));
    eprintln!("{} {}: {what}", app.name, at.nth);
    if killed.code == 0 {
        return Ok(None);
    }
    if killed.code != 137 {
        return Ok(Some(Err(format!("{what}: it had ended, with {}", killed.code))));
    }
    let rerun = apply(&machine, &plan, &["--text"])?;
    if rerun.code != 0 {
        return Ok(Some(Err(format!(
            "{what}: the rerun ended with {}: {}{}",
            rerun.code, rerun.stdout, rerun.stderr
        ))));
    }
    let again = apply(&machine, &plan, &["--text"])?;
    if again.code != 0 || !again.stdout.contains(" 0 changed") {
        return Ok(Some(Err(format!("{what}: it is not settled: {}{}", again.stdout, again.stderr))));
    }
    let left =
        machine.sh("find / -xdev \\( -name '*.pq-tmp*' -o -name '.tmp-*' \\) -not -path '/proc/*'")?.stdout;
    let unlike = unlike(undisturbed, &state(&machine, app)?) + &left;
    Ok(Some(if unlike.is_empty() { Ok(()) } else { Err(format!("{what}: {unlike}")) }))
}

/// The how manieth moment, and how long after the start it is.
struct Moment {
    nth: String,
    after: Duration,
}

#[test]
fn matrix_kill_apps_an_installation_killed_at_any_moment_ends_as_if_nothing_had_been() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let mut matrix = Matrix::open("kill_apps");
    let points = APPS.iter().flat_map(|app| (1..=MOMENTS).map(|nth| format!("{} {nth:02}", app.name)));
    let drawn = matrix.draw(points, 1);
    for app in &APPS {
        let of_app: Vec<String> = drawn.iter().filter(|point| point.starts_with(app.name)).cloned().collect();
        if of_app.is_empty() {
            continue;
        }
        let (machine, plan) = prepared(&lab, &format!("whole{}", app.name), app)?;
        let begun = Instant::now();
        apply(&machine, &plan, &[])?.success()?;
        let whole = begun.elapsed();
        let undisturbed = state(&machine, app)?;
        drop(machine);
        // Each twentieth of that time has its moment, by chance.
        let part = whole / MOMENTS as u32;
        let moments = (0..MOMENTS).map(|nth| Moment {
            nth: format!("{:02}", nth + 1),
            after: part * nth as u32 + Duration::from_millis(matrix.below(part.as_millis() as usize) as u64),
        });
        let moments: Vec<Moment> = moments.collect();
        matrix.each(of_app, LANES, |point| {
            let at = moments.iter().find(|it| point.ends_with(&it.nth)).ok_or("there is no such moment")?;
            kill_once(&lab, app, at, &undisturbed).map_err(|error| error.to_string())?
        });
    }
    matrix.finish();
    Ok(())
}
