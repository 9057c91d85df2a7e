//! An upgrade that fails, in each of its phases: the old version serves again within a minute with the same rows and files, the report says
//! why, and the next try, with the cause removed, succeeds. `make matrix M=upgrade` tries all.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use pq_testkit::lab::{self, Lab, Machine, Output, Result};
use pq_tests::Matrix;

use super::{
    App, MEDIAWIKI, RADICALE, RECIPES, WORDPRESS, answers, installed, pins, state, upgrade, versions, wants,
};
use crate::apps::says;
use crate::world::{PIPE, done, sha256};

/// How many are tried in each `make test`.
const SAMPLE: usize = 1;

/// How many are tried at a time in a whole matrix.
const LANES: usize = 2;

/// Within what time the old version must serve again.
const MINUTE: Duration = Duration::from_secs(60);

const APPS: [&App; 3] = [&WORDPRESS, &MEDIAWIKI, &RADICALE];

/// A way to fail.
struct Phase {
    name: &'static str,
    /// Whether an application can fail so.
    of: fn(&App) -> bool,
    /// What is spoilt before.
    spoil: fn(&Lab, &Machine, &App) -> Result<()>,
    /// What is mended afterwards, beside pins and recipe.
    mend: &'static str,
    /// A word of the report.
    told: &'static str,
    options: &'static str,
}

const ALWAYS: fn(&App) -> bool = |_| true;
const WITH_DATABASE: fn(&App) -> bool = |app| app.name != "radicale";

const PHASES: &[Phase] = &[
    Phase {
        name: "download",
        of: WITH_DATABASE,
        spoil: |lab, machine, app| pinned(lab, machine, app, "nowhere", None),
        mend: "",
        told: "404",
        options: "",
    },
    Phase {
        name: "digest",
        of: WITH_DATABASE,
        spoil: |lab, machine, app| pinned(lab, machine, app, "", Some(&"0".repeat(64))),
        mend: "",
        told: "wanted is",
        options: "",
    },
    Phase {
        name: "unpack",
        of: WITH_DATABASE,
        spoil: broken_archive,
        mend: "",
        told: "cannot unpack",
        options: "",
    },
    Phase {
        name: "space",
        of: WITH_DATABASE,
        spoil: |_, machine, _| on(machine, "mount -t tmpfs -o size=64k tmpfs /srv/paquerette/backups"),
        mend: "umount /srv/paquerette/backups",
        told: "BLOCKED",
        options: "",
    },
    Phase {
        name: "dump",
        of: WITH_DATABASE,
        spoil: |_, machine, _| {
            on(
                machine,
                "for it in mariadb-dump pg_dump; do printf '#!/bin/sh\\necho no >&2; exit 3\\n' > /usr/local/sbin/$it; chmod 755 /usr/local/sbin/$it; done",
            )
        },
        mend: "rm /usr/local/sbin/mariadb-dump /usr/local/sbin/pg_dump",
        told: "cannot dump",
        options: "",
    },
    Phase {
        name: "disk-full",
        of: WITH_DATABASE,
        spoil: full,
        mend: "umount /srv/paquerette/backups",
        told: "no space left",
        options: "",
    },
    Phase {
        name: "switch",
        of: ALWAYS,
        spoil: |_, machine, app| {
            on(machine, &format!("mkdir -p /srv/paquerette/www/{}/.current.pq-tmp/x", app.id))
        },
        mend: "rm -r /srv/paquerette/www/*/.current.pq-tmp",
        told: "cannot make link",
        options: "",
    },
    Phase {
        name: "migrate-fails",
        of: ALWAYS,
        spoil: |lab, machine, app| {
            migrating(lab, machine, app, "[/bin/sh, -c, \"echo 'it is Tuesday' >&2; exit 1\"]")
        },
        mend: "",
        told: "it is Tuesday",
        options: "",
    },
    Phase {
        name: "sent-late",
        of: |app| app.name == "wordpress",
        spoil: late,
        mend: "",
        told: "it is Tuesday",
        options: "",
    },
    Phase {
        name: "migrate-does-nothing",
        of: ALWAYS,
        spoil: |lab, machine, app| migrating(lab, machine, app, "[/bin/true]"),
        mend: "",
        told: "the machine still differs",
        options: "",
    },
    Phase {
        name: "migrate-hangs",
        of: ALWAYS,
        spoil: |lab, machine, app| migrating(lab, machine, app, "[/bin/sleep, \"900\"]"),
        mend: "",
        told: "4 s",
        options: "--migrate-limit 4s",
    },
    Phase {
        name: "start",
        of: |app| app.name == "radicale",
        spoil: |lab, machine, app| {
            recipe(
                lab,
                machine,
                app,
                "-m, radicale, --config",
                "-m, \"{{ 'nothing' if instance.version == 'NEW' else 'radicale' }}\", --config",
            )
        },
        mend: "",
        told: "pq-dav.service",
        options: "",
    },
    Phase { name: "health", of: ALWAYS, spoil: unwell, mend: "", told: "no right answer", options: "" },
    Phase {
        name: "database-dies",
        of: WITH_DATABASE,
        spoil: |_, machine, _| {
            once(machine, "migrating", "systemctl stop mariadb postgresql@15-main || true")
        },
        mend: "",
        told: "again, with its data of before",
        options: "",
    },
    Phase {
        name: "killed",
        of: ALWAYS,
        spoil: |_, machine, app| once(machine, mark(app), "pkill -KILL -x pq-upgrade"),
        mend: "",
        told: "",
        options: "",
    },
    Phase { name: "powered-off", of: ALWAYS, spoil: |_, _, _| Ok(()), mend: "", told: "", options: "" },
];

/// What is there once an upgrade is half-way.
fn mark(app: &App) -> &'static str {
    if app.name == "radicale" { "began" } else { "migrating" }
}

fn on(machine: &Machine, script: &str) -> Result<()> {
    machine.run(["bash", "-euc", script])?.success().map(drop)
}

/// Does something once, as soon as a mark of an upgrade is there.
fn once(machine: &Machine, mark: &str, script: &str) -> Result<()> {
    on(
        machine,
        &format!(
            "systemd-run -q --unit once bash -c 'until ls /srv/paquerette/backups/upgrade/*/{mark} >/dev/null 2>&1; do sleep 0.005; done; {script}'"
        ),
    )
}

/// Pins the new version elsewhere, or by another digest.
fn pinned(lab: &Lab, machine: &Machine, app: &App, end: &str, digest: Option<&str>) -> Result<()> {
    let new = &versions(lab, app)[1];
    let at = format!("{RECIPES}/{}/pins.yml", app.name);
    let text = machine.read(&at)?;
    let line = |line: &str| {
        if !line.contains(&format!("\"{new}\"")) {
            return line.to_owned();
        }
        let line = line.replace(".tar.gz", &format!("{end}.tar.gz"));
        match (digest, line.rsplit_once("sha256: ")) {
            (Some(digest), Some((before, _))) => format!("{before}sha256: {digest} }}"),
            _ => line,
        }
    };
    machine.write(&at, text.lines().map(line).collect::<Vec<_>>().join("\n") + "\n")
}

/// Pins an archive that is cut short, by its own digest.
fn broken_archive(lab: &Lab, machine: &Machine, app: &App) -> Result<()> {
    let name = if app.name == "mediawiki" {
        "releases.wikimedia.org/mediawiki/mediawiki"
    } else {
        "wordpress.org/wordpress"
    };
    let whole = fs::read(lab.sources().join(format!("{name}-13.tar.gz"))).unwrap_or_default();
    let cut = &whole[..whole.len() / 2];
    let _ = fs::write(lab.sources().join(format!("{name}-13cut.tar.gz")), cut);
    pinned(lab, machine, app, "cut", Some(&sha256(cut)))
}

/// Where it saves is large enough at first, and full as soon as it is closed.
fn full(_: &Lab, machine: &Machine, _: &App) -> Result<()> {
    on(machine, "mount -t tmpfs -o size=400m tmpfs /srv/paquerette/backups")?;
    // At once, however slow the machine is: what is there has room, and nothing else.
    once(machine, "closed", "mount -o remount,size=64k /srv/paquerette/backups")
}

/// The inventory has a recipe of its own, in which something is another; `NEW` in it is the new version.
fn recipe(lab: &Lab, machine: &Machine, app: &App, from: &str, to: &str) -> Result<()> {
    let built_in =
        format!("{}/../crates/recipes/catalogue/apps/{}/recipe.yml", env!("CARGO_MANIFEST_DIR"), app.name);
    let text = fs::read_to_string(&built_in).unwrap_or_default();
    assert!(text.contains(from), "{from} is not in {built_in}");
    let text = text.replace(from, to).replace("NEW", &versions(lab, app)[1]);
    machine.write(&format!("{RECIPES}/{}/recipe.yml", app.name), text)
}

/// What the recipe of MediaWiki migrates with.
const UPDATE: &str = r#"argv:
        - sh
        - -euc
        - >-
          php maintenance/update.php --quick;
          php maintenance/sql.php --query "INSERT INTO updatelog (ul_key) VALUES ('paquerette-{{ upgrade.to }}')""#;

/// Its migration is another command.
fn migrating(lab: &Lab, machine: &Machine, app: &App, argv: &str) -> Result<()> {
    match app.name {
        "wordpress" => recipe(
            lab,
            machine,
            app,
            "argv: [php, \"{{ paths.home }}/install.php\", migrate]",
            &format!("argv: {argv}"),
        ),
        "mediawiki" => recipe(lab, machine, app, UPDATE, &format!("argv: {argv}")),
        _ => recipe(
            lab,
            machine,
            app,
            "health:\n",
            &format!(
                "upgrade:\n  each:\n    - {{ id: migrate, title: its data, do: command, user: \"{{{{ instance.user }}}}\", unless: [/bin/false], argv: {argv} }}\nhealth:\n"
            ),
        ),
    }
}

/// People send while it is closed, dumped and migrated, so slowly that each ends in another moment of that; then the migration fails.
fn late(lab: &Lab, machine: &Machine, app: &App) -> Result<()> {
    migrating(lab, machine, app, "[/bin/sh, -c, \"sleep 5; echo 'it is Tuesday' >&2; exit 1\"]")?;
    machine.write("/srv/paquerette/www/blog/kept/wp-content/plugins/own/late.php", LATE)?;
    machine.write("/root/sends", SENDS)?;
    on(
        machine,
        "mariadb blog -e 'CREATE TABLE wp_late (n INTEGER)'; chown blog: /srv/paquerette/www/blog/kept/wp-content/plugins/own/late.php
         head -c 200000 /dev/zero > /root/sent; mkdir /root/late; systemd-run -q --unit sends bash /root/sends",
    )
}

const LATE: &str = "<?php
$base = new PDO('mysql:unix_socket=/run/mysqld/mysqld.sock;dbname=blog', 'blog', '');
$base->prepare('INSERT INTO wp_late VALUES (?)')->execute([(int) $_GET['n']]);
usleep(300000);
echo 'noted';
";

const SENDS: &str = r#"
for n in $(seq 20); do
    curl -sS --max-time 60 --resolve '*:443:127.0.0.1' --cacert /etc/paquerette/ca/ca.pem --limit-rate $((400000 / (n + 2))) --data-binary @/root/sent -o /root/late/$n "https://blog.demo.test/wp-content/plugins/own/late.php?n=$n" &
done
wait
"#;

/// Who was told that it is noted finds it.
fn noted(machine: &Machine) -> Result<()> {
    let lost = says(
        machine,
        r#"for i in $(seq 300); do systemctl is-active -q sends || break; sleep 0.2; done; : > /root/noted
           for n in $(seq 20); do
             grep -qx noted /root/late/$n 2>/dev/null || continue
             echo $n >> /root/noted; mariadb blog -BNe "SELECT COUNT(*) FROM wp_late WHERE n = $n" | grep -qx 1 || echo "$n is lost"
           done
           test -s /root/noted || echo nothing was noted"#,
    )?;
    assert_eq!(lost, "");
    Ok(())
}

/// The new version does not answer as it should.
fn unwell(lab: &Lab, machine: &Machine, app: &App) -> Result<()> {
    let never =
        |usual: &str| format!("body: \"{{{{ 'never' if instance.version == 'NEW' else '{usual}' }}}}\"");
    match app.name {
        "wordpress" => recipe(lab, machine, app, "body: wp-submit", &never("wp-submit")),
        "mediawiki" => {
            recipe(lab, machine, app, "body: \"MediaWiki {{ instance.version }}\"", &never("MediaWiki"))
        }
        _ => recipe(lab, machine, app, "body: Radicale", &never("Radicale")),
    }
}

/// The machine loses its power once an upgrade is half-way.
fn powered_off(machine: &mut Machine, app: &App) -> Result<()> {
    let begin = PIPE.split_once(" | ").map_or(PIPE, |(begin, _)| begin);
    let running = machine.spawn(["bash", "-c", &format!("{begin} | pq-upgrade --apply --text")])?;
    let script = format!(
        "until ls /srv/paquerette/backups/upgrade/*/{} >/dev/null 2>&1; do sleep 0.01; done",
        mark(app)
    );
    on(machine, &script)?;
    machine.kill()?;
    drop(running);
    machine.start()
}

/// The old version serves again, with all that it had.
fn is_back(machine: &Machine, app: &App, old: &str, before: &str, rows: &str) -> Result<()> {
    let begun = Instant::now();
    answers(machine, app)?;
    while state(machine, app)? != before && begun.elapsed() < MINUTE {
        sleep(Duration::from_millis(500));
    }
    assert_eq!(state(machine, app)?, before, "after {:?}", begun.elapsed());
    answers(machine, app)?;
    assert_eq!(says(machine, app.canary)?, rows);
    let seen = (app.seen)(machine)?;
    assert!(seen.contains(old), "{seen}");
    assert!(begun.elapsed() < MINUTE, "{:?}", begun.elapsed());
    Ok(())
}

fn try_one(lab: &Lab, app: &App, phase: &Phase) -> Result<()> {
    let mut machine = installed(lab, app, &format!("upg{}{}", app.id, phase.name.replace('-', "")))?;
    let [old, new] = versions(lab, app);
    let (before, rows) = (state(&machine, app)?, says(&machine, app.canary)?);
    wants(&machine, app, &new)?;
    (phase.spoil)(lab, &machine, app)?;
    match phase.name {
        "powered-off" => powered_off(&mut machine, app)?,
        "killed" => {
            let run = upgrade(&machine, "--apply")?;
            assert_eq!(run.code, 137, "{}{}", run.stdout, run.stderr);
            assert_ne!(state(&machine, app)?, before);
            done(machine.run(["pq-apply", "--recover"])?);
        }
        _ => {
            let run = upgrade(&machine, &format!("--apply {}", phase.options))?;
            eprintln!("{}: {}{}", phase.name, run.stdout, run.stderr);
            failed(&run, phase);
        }
    }
    is_back(&machine, app, &old, &before, &rows)?;
    if phase.name == "sent-late" {
        noted(&machine)?;
    }
    if !phase.mend.is_empty() {
        on(&machine, phase.mend)?;
    }
    on(
        &machine,
        &format!("systemctl stop once 2>/dev/null || true; rm -f {RECIPES}/{}/recipe.yml", app.name),
    )?;
    pins(lab, &machine, app)?;
    let run = done(upgrade(&machine, "--apply")?);
    assert_eq!(state(&machine, app)?, before.replace(&old, &new), "{}{}", run.stdout, run.stderr);
    let seen = (app.seen)(&machine)?;
    assert!(seen.contains(&new), "{seen}");
    assert_eq!(says(&machine, app.canary)?, rows);
    Ok(())
}

/// It said that it failed, and why.
fn failed(run: &Output, phase: &Phase) {
    let all = format!("{}{}", run.stdout, run.stderr);
    assert_eq!(run.code, 1, "{all}");
    assert!(all.contains(phase.told), "`{}`: {all}", phase.told);
}

#[test]
fn matrix_upgrade_what_fails_in_any_phase_goes_back_by_itself() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let mut matrix = Matrix::open("upgrade");
    let points = APPS.iter().flat_map(|app| {
        PHASES.iter().filter(|phase| (phase.of)(app)).map(|phase| format!("{}/{}", app.name, phase.name))
    });
    // `PQ_POINT=wordpress/killed` tries that one alone.
    let only = std::env::var("PQ_POINT").ok();
    let points = points.filter(|point| only.as_ref().is_none_or(|only| only == point));
    let drawn = matrix.draw(points, SAMPLE);
    matrix.each(drawn, LANES, |point| {
        eprintln!("upgrade: {point}");
        let (app, phase) = point.split_once('/').unwrap_or_default();
        let app = APPS.iter().find(|it| it.name == app).ok_or("there is no such application")?;
        let phase = PHASES.iter().find(|it| it.name == phase).ok_or("there is no such phase")?;
        try_one(&lab, app, phase).map_err(|error| error.to_string())
    });
    matrix.finish();
    Ok(())
}
