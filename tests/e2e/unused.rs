//! What a machine does not need any more is taken away where that is asked for: programs, and what came with them alone. What is
//! data stays, and so does what was there before.

use pq_testkit::lab::{self, Image, Machine, Output, Result, Suite};

use crate::world::{HOST, demo_inventory, done, install};

fn platform(machine: &Machine, components: &str, options: &str) -> Result<Output> {
    let text = format!("web_server: nginx\nplatform: [{components}]\ninstances: []\n");
    machine.write(HOST, text)?;
    let line = format!(
        "cd /root/paquerette && export PQ_IDENTITY=inventory/demo-identity.txt && \
         pq-inventory demo | pq-platform {options} --text"
    );
    machine.run(["bash", "-c", &line])
}

/// Which of some packages are installed.
fn installed(machine: &Machine, names: &[&str]) -> Result<Vec<String>> {
    let script = "for name; do dpkg-query -Wf '${db:Status-Status} ${Package}\\n' \"$name\" 2>/dev/null; done | sed -n 's/^installed //p'";
    let argv = ["sh", "-c", script, "sh"].into_iter().chain(names.iter().copied());
    Ok(machine.run(argv)?.success()?.stdout.lines().map(str::to_owned).collect())
}

const PACKAGES: [&str; 10] = [
    "nginx",
    "nginx-common",
    "php8.2-fpm",
    "php8.2-cli",
    "mariadb-server",
    "mariadb-server-core",
    "postgresql-15",
    "postgresql-common",
    "redis-server",
    "redis-tools",
];

#[test]
fn what_nothing_needs_any_more_goes_and_data_stays() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let machine = lab.boot("unused", &Image::Base(Suite::Bookworm))?;
    install(&machine)?;
    demo_inventory(&lab, &machine)?;
    // Somebody's own, before us: one that a component wants too, and one that nobody wants.
    machine.sh("apt-get update -qq && apt-get install -y -qq php8.2-cli tree >/dev/null; mkdir -p /srv/paquerette")?.success()?;
    done(platform(&machine, "nginx, php, mariadb, postgres, redis", "--apply")?);
    assert_eq!(installed(&machine, &PACKAGES)?, PACKAGES);
    machine
        .sh("mariadb -e 'CREATE DATABASE kept; CREATE TABLE kept.t (n INT); INSERT INTO kept.t VALUES (42)'")?
        .success()?;

    // Without being asked, nothing goes.
    done(platform(&machine, "redis", "--apply")?);
    assert_eq!(installed(&machine, &PACKAGES)?, PACKAGES);
    let look = platform(&machine, "apache2, redis", "--remove-unused --check")?;
    assert_eq!(look.code, 3, "{}{}", look.stdout, look.stderr);
    assert!(look.stdout.contains("package `nginx` is wanted by nobody else"), "{}", look.stdout);
    assert_eq!(installed(&machine, &PACKAGES)?, PACKAGES);

    // Another web server comes in the same run, on the same ports.
    done(platform(&machine, "apache2, redis", "--remove-unused --apply")?);
    assert_eq!(installed(&machine, &PACKAGES)?, ["php8.2-cli", "redis-server", "redis-tools"]);
    assert_eq!(installed(&machine, &["tree", "apache2"])?, ["tree", "apache2"]);
    let state = |unit: &str| -> Result<String> {
        Ok(machine.run(["systemctl", "is-active", unit])?.text().to_owned())
    };
    let states: Result<Vec<String>> =
        ["apache2", "redis-server", "nginx", "mariadb"].map(state).into_iter().collect();
    assert_eq!(states?, ["active", "active", "inactive", "inactive"]);
    let ours =
        "find /etc/nginx /etc/mysql /etc/php /etc/systemd/system -name '*paquerette*' | grep -v apache2";
    assert_eq!(machine.sh(ours)?.stdout, "");
    assert!(machine.sh("ls /var/lib/mysql /var/lib/postgresql/15/main")?.success().is_ok());
    let again = done(platform(&machine, "apache2, redis", "--remove-unused --apply")?);
    assert!(again.stdout.contains(" 0 changed"), "{}", again.stdout);

    // It comes back, with its data.
    done(platform(&machine, "apache2, redis, mariadb", "--remove-unused --apply")?);
    assert_eq!(machine.sh("mariadb -BNe 'SELECT n FROM kept.t'")?.text(), "42");
    let again = done(platform(&machine, "apache2, redis, mariadb", "--apply")?);
    assert!(again.stdout.contains(" 0 changed"), "{}", again.stdout);

    // What somebody else needs is no longer ours to take.
    machine.sh("apt-get install -y -qq default-mysql-server >/dev/null")?.success()?;
    let refused = platform(&machine, "apache2, redis", "--remove-unused --apply")?;
    assert_eq!(refused.code, 1, "{}{}", refused.stdout, refused.stderr);
    assert!(refused.stdout.contains("default-mysql-server would have to go too"), "{}", refused.stdout);
    assert_eq!(machine.sh("mariadb -BNe 'SELECT n FROM kept.t'")?.text(), "42");
    Ok(())
}
