//! How long people wait while an instance is upgraded: a client that asks every 50 ms, of a PHP release without a migration, of a WSGI
//! service that systemd listens for, and of a release with a migration of five seconds.

use std::process::ExitCode;

use pq_testkit::lab::{Image, Lab, Machine, Result, Suite};
use pq_tests::{TOOLS, tools};

/// Asks every 50 ms until `/root/stop` is there; says how many were lost, and the longest time in milliseconds without a good answer.
const CLIENT: &str = include_str!("upgrade.py");

/// What the migration takes, in seconds.
const MIGRATION: f64 = 5.0;

const INVENTORY: &str = "/root/inventory";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-upgrade: error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let lab = Lab::open()?;
    let machine = lab.boot("benchupg", &Image::Base(Suite::Bookworm))?;
    for tool in TOOLS {
        machine.push(tools().join(tool), &format!("/usr/local/bin/{tool}"), "0755")?;
    }
    machine.write("/root/client.py", CLIENT)?;
    machine.sh("apt-get update -qq && apt-get install -y -qq python3 curl >/dev/null")?.success()?;
    let top = concat!(env!("CARGO_MANIFEST_DIR"), "/../inventory");
    let archive = std::process::Command::new("tar").args(["c", "-C", top, "."]).output();
    let archive = archive.map(|it| it.stdout).unwrap_or_default();
    machine.sh(&format!("mkdir -p {INVENTORY}"))?.success()?;
    machine.command(["tar", "x", "--no-same-owner", "-C", INVENTORY]).stdin(archive).output()?.success()?;
    machine.write(
        &format!("{INVENTORY}/recipes/apps/slow/recipe.yml"),
        format!(
            "app: slow\nabout: A page whose migration takes its time\nneeds: {{ php: {{ min: \"7.4\" }}, database: {{ engines: [mariadb] }} }}\nweb: {{ kind: php, root: \".\" }}\n\
             health:\n  - {{ http: /, body: \"version {{{{ instance.version }}}}\" }}\nupgrade:\n  each:\n    - {{ id: migrate, title: its time, do: command, user: \"{{{{ instance.user }}}}\", creates: \"{{{{ paths.data }}}}/at-{{{{ upgrade.to }}}}\", argv: [sh, -c, \"sleep {MIGRATION}; touch {{{{ paths.data }}}}/at-{{{{ upgrade.to }}}}\"] }}\n"
        ),
    )?;
    packages(&lab, &machine)?;
    sources(&machine)?;
    wants(&machine, 1)?;
    let installed = machine.sh(&pipe("pq-server | pq-platform | pq-instance | pq-apply --text"))?;
    if installed.code != 0 {
        eprintln!("{}", installed.stdout);
    }
    installed.success()?;
    wants(&machine, 2)?;
    let mut figures = Vec::new();
    for id in ["page", "hello", "slow"] {
        machine.sh(&format!("rm -f /root/stop; systemd-run -q --unit client-{id} sh -c 'python3 /root/client.py https://{id}.demo.test/ > /root/said-{id}'; sleep 3"))?.success()?;
        let run = machine.sh(&pipe(&format!("pq-upgrade {id} --apply --text")))?;
        eprintln!("{}{}", run.stdout, run.stderr);
        run.success()?;
        machine.sh("sleep 2; touch /root/stop; sleep 2")?.success()?;
        let said = machine.read(&format!("/root/said-{id}"))?;
        println!("{id}: {}", said.trim());
        let mut numbers = said.split_whitespace().filter_map(|word| word.parse::<f64>().ok());
        figures.push((numbers.next().unwrap_or(f64::MAX), numbers.next().unwrap_or(f64::MAX)));
    }
    println!(
        "result: php_downtime_ms={:.0} wsgi_lost={:.0} migration_extra_s={:.1}",
        figures[0].1,
        figures[1].0,
        figures[2].1 / 1000.0 - MIGRATION
    );
    Ok(())
}

/// What ends a pipe that the inventory begins.
fn pipe(last: &str) -> String {
    format!(
        "cd /root && export PQ_IDENTITY={INVENTORY}/demo-identity.txt && pq-inventory -i {INVENTORY} demo | {last}"
    )
}

/// The packages of Python that the service wants, where the machine serves them itself.
fn packages(lab: &Lab, machine: &Machine) -> Result<()> {
    let fetched = std::process::Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/demo/sources"))
        .arg(tools().join("lab"))
        .status();
    machine.sh("mkdir -p /root/sources")?.success()?;
    let copied = std::process::Command::new("cp")
        .arg("-r")
        .arg(lab.sources().join("pypi"))
        .arg(machine.root().join("root/sources/"))
        .status();
    let both = [fetched, copied].into_iter().all(|it| it.is_ok_and(|it| it.success()));
    if both { Ok(()) } else { Err(pq_testkit::lab::Error::new("the packages of Python cannot be had")) }
}

/// Both versions of each application, served by the machine itself.
fn sources(machine: &Machine) -> Result<()> {
    machine.write(
        "/root/requirements.txt",
        include_str!("../../crates/recipes/catalogue/apps/wsgi/hello-1.0.txt"),
    )?;
    machine
        .sh("mkdir -p /root/sources/example.org && cd /root
             for v in 1 2; do for app in page slow; do mkdir -p $app-$v; echo \"<?php echo 'version $v';\" > $app-$v/index.php; tar czf sources/example.org/$app-$v.tar.gz $app-$v; done
               mkdir -p hello-$v; printf 'def application(environ, start):\\n    start(\"200 OK\", [(\"Content-Type\", \"text/plain\")])\\n    return [b\"version %s\"]\\napp = application\\n' $v > hello-$v/app.py; cp requirements.txt hello-$v/; tar czf sources/example.org/hello-$v.tar.gz hello-$v; done
             systemd-run -q --unit sources python3 -m http.server -d /root/sources -b 127.0.0.1 8087; sleep 1")?
        .success()
        .map(drop)
}

/// The inventory wants a version of each.
fn wants(machine: &Machine, version: u32) -> Result<()> {
    let digest = |name: &str| -> Result<String> {
        let said = machine
            .sh(&format!("sha256sum < /root/sources/example.org/{name}-{version}.tar.gz | cut -d' ' -f1"))?;
        Ok(said.success()?.text().to_owned())
    };
    let archive = |name: &str| -> Result<String> {
        Ok(format!(
            "archive: {{ url: \"https://example.org/{name}-{version}.tar.gz\", version: \"{version}\", sha256: {} }}",
            digest(name)?
        ))
    };
    let mut pins = String::new();
    for at in 1..=version {
        let said =
            machine.sh(&format!("sha256sum < /root/sources/example.org/slow-{at}.tar.gz | cut -d' ' -f1"))?;
        pins += &format!(
            "\"{at}\": {{ url: https://example.org/slow-{at}.tar.gz, sha256: {} }}\n",
            said.success()?.text()
        );
    }
    machine.write(&format!("{INVENTORY}/recipes/apps/slow/pins.yml"), pins)?;
    machine.write(
        &format!("{INVENTORY}/host_vars/demo.yml"),
        format!(
            "os: debian-12\nmemory_mb: 2048\nsource_mirror: http://127.0.0.1:8087\ninstances:\n  \
             - {{ app: php, id: page, domain: page.demo.test, {} }}\n  - {{ app: wsgi, id: hello, domain: hello.demo.test, page: /, {} }}\n  \
             - {{ app: slow, id: slow, domain: slow.demo.test, database: mariadb, version: \"{version}\" }}\n",
            archive("page")?,
            archive("hello")?
        ),
    )
}
