//! A bare machine gets every component of the platform, with either web server, on each Debian: done once, nothing is left
//! to do, also after a boot. `make matrix M=platform` tries them all.

use std::collections::BTreeSet;
use std::time::Instant;

use pq_testkit::lab::{self, Image, Lab, Machine, Result, Suite};
use pq_tests::Matrix;

use crate::dist::portable;
use crate::world::{HOST, demo_inventory, install, install_from, nothing_left, pipe};

/// How many of the four are tried in each `make test`.
const SAMPLE: usize = 1;

/// A suite, how inventories call it, its web servers, its other components, and the units of these and of its instances.
struct System {
    suite: Suite,
    os: &'static str,
    servers: &'static [&'static str],
    components: &'static [&'static str],
    units: &'static [&'static str],
    php: &'static str,
}

const ALL: &[&str] = &["php", "python", "mariadb", "postgres", "redis", "docker"];

const SYSTEMS: [System; 3] = [
    System {
        suite: Suite::Bullseye,
        os: "debian-11",
        servers: &["nginx"],
        components: &["php", "mariadb"],
        units: &["mariadb.service"],
        php: "php7.4-fpm.service",
    },
    System {
        suite: Suite::Bookworm,
        os: "debian-12",
        servers: &["nginx", "apache2"],
        components: ALL,
        units: &[
            "postgresql@15-main.service",
            "mariadb.service",
            "redis-server.service",
            "docker.service",
            "pq-dav.service",
        ],
        php: "php8.2-fpm.service",
    },
    System {
        suite: Suite::Trixie,
        os: "debian-13",
        servers: &["nginx", "apache2"],
        components: ALL,
        units: &[
            "postgresql@17-main.service",
            "mariadb.service",
            "redis-server.service",
            "docker.service",
            "pq-dav.service",
        ],
        php: "php8.4-fpm.service",
    },
];

/// A machine whose PHP is too old for the wiki, and that has no Python for the calendars: its platform stands alone.
const ALONE: &str = "instances: []\n";

fn machine(lab: &Lab, system: &System, server: &str) -> Result<Machine> {
    let machine = lab.boot(&format!("pf{}{server}", &system.os[7..]), &Image::Base(system.suite))?;
    match (system.suite, portable()) {
        (Suite::Bullseye, Some(dir)) => install_from(&machine, &dir)?,
        _ => install(&machine)?,
    }
    demo_inventory(lab, &machine)?;
    let System { os, components, .. } = system;
    let (components, whole) = (components.join(", "), components.contains(&"python"));
    let instances = if whole { "" } else { ALONE };
    machine.write(
        HOST,
        format!(
            "os: {os}\nweb_server: {server}\nplatform: [{server}, {components}]\nmemory_mb: 2048\n{instances}"
        ),
    )?;
    Ok(machine)
}

/// What a machine answers, on one line.
fn says(machine: &Machine, script: &str) -> Result<String> {
    Ok(machine.sh(script)?.success()?.stdout.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// What the machine itself says, with the tools out of sight.
fn reads_back(machine: &Machine, system: &System, server: &str) -> Result<()> {
    let unit = format!("{server}.service");
    for unit in system.units.iter().copied().chain([unit.as_str(), system.php, "fail2ban.service"]) {
        let state = machine.run(["systemctl", "is-active", unit])?;
        assert_eq!(state.text(), "active", "{unit}: {}", machine.run(["systemctl", "status", unit])?.stdout);
    }
    let firewall = machine.run(["ufw", "status"])?.stdout;
    assert!(firewall.contains("Status: active"), "{firewall}");
    let failed = machine.run(["systemctl", "list-units", "--failed", "--no-legend", "--plain"])?.stdout;
    assert_eq!(failed, "", "units that failed");

    // Nobody outside reaches anything but ssh and the web server.
    let listening = machine.sh("ss -Hltn | awk '{print $4}'")?.success()?.stdout;
    let open: BTreeSet<&str> = listening
        .lines()
        .filter(|at| !at.starts_with("127.") && !at.starts_with("[::1]"))
        .filter_map(|at| at.rsplit(':').next())
        .collect();
    assert_eq!(open, BTreeSet::from(["22", "80", "443"]), "{listening}");

    // apt reads what unattended-upgrades is told as it was meant.
    let upgrades = "apt-config dump | sed -n 's/^Unattended-Upgrade::Automatic-Reboot-Time \"04:\\([0-2][0-9]\\)\";/hour/p
                                               s/^DPkg::Options:: \"--force-\\(.*\\)\";/\\1/p' | sort";
    assert_eq!(says(machine, upgrades)?, "confdef confold hour");
    for component in system.components {
        let (question, answer) = match *component {
            "mariadb" => (
                "mariadb -BNe \"SELECT @@character_set_server, @@collation_server, @@innodb_buffer_pool_size, \
                 (SELECT COUNT(*) FROM mysql.user WHERE User = ''), \
                 (SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = 'test')\"",
                "utf8mb4 utf8mb4_unicode_ci 536870912 0 0",
            ),
            "postgres" => (
                "cd /; runuser -u postgres -- psql -AtF' ' -c \"SELECT current_setting('shared_buffers'), \
                 current_setting('listen_addresses'), datcollate, pg_encoding_to_char(encoding) \
                 FROM pg_database WHERE datname = 'template1'\"",
                "512MB localhost C.UTF-8 UTF8",
            ),
            "redis" => (
                "redis-cli -s /run/redis/redis-server.sock config get maxmemory; \
                 stat -c '%a %G' /run/redis/redis-server.sock",
                "maxmemory 134217728 770 redis",
            ),
            "docker" => ("docker info -f '{{.DockerRootDir}}'", "/srv/paquerette/docker"),
            _ => continue,
        };
        assert_eq!(says(machine, question)?, answer, "{component}");
    }
    confined(machine, system, server)?;
    outside(machine, server)
}

/// Web server and PHP see and may do what they need alone, as their own processes find.
fn confined(machine: &Machine, system: &System, server: &str) -> Result<()> {
    let web = format!("{server}.service");
    for unit in [web.as_str(), system.php] {
        let probe = format!(
            "pid=$(systemctl show --property=MainPID --value {unit})
             awk '/^Seccomp:/ {{ print $2 }}' /proc/$pid/status
             mkdir -p /home/somebody
             nsenter -t $pid -m sh -c 'for d in /usr /etc /boot; do touch $d/.probe 2>/dev/null && echo writes $d; done
                                       touch /home/somebody/.probe 2>/dev/null && echo writes home
                                       touch /run/.probe && rm /run/.probe'; rmdir /home/somebody"
        );
        assert_eq!(says(machine, &probe)?, "2", "{unit}");
    }
    Ok(())
}

/// What strangers find.
fn outside(machine: &Machine, server: &str) -> Result<()> {
    // A name that is no site's: no page, and no certificate of anybody's.
    let stranger = "import ssl, socket
c = ssl.create_default_context(); c.check_hostname = False; c.verify_mode = ssl.CERT_NONE
try:
    s = c.wrap_socket(socket.create_connection(('127.0.0.1', 443), 5), server_hostname='nobody.test')
    s.send(b'GET / HTTP/1.1\\r\\nHost: nobody.test\\r\\nConnection: close\\r\\n\\r\\n')
    print(s.recv(12)[9:].decode(), b'demo' in s.getpeercert(True))
except ssl.SSLError:
    print('refused')
";
    let answer = machine.run(["python3", "-c", stranger])?;
    // nginx before 1.19.4 greets with a certificate of nobody, and says nothing.
    let wanted = ["refused", "403 False", "False"];
    assert!(wanted.contains(&answer.text()), "{server}: {}{}", answer.stdout, answer.stderr);

    let open = "find /srv/paquerette /etc/paquerette /var/lib/paquerette -xdev ! -type l -perm -0002 ! -perm -1000 \
                -not -path '/srv/paquerette/docker/*'";
    assert_eq!(says(machine, open)?, "", "anybody may write there");
    Ok(())
}

fn from_bare_to_done(lab: &Lab, system: &System, server: &str) -> Result<()> {
    let mut machine = machine(lab, system, server)?;
    let first = pipe(&machine, "pq-apply --text")?;
    assert_eq!(first.code, 0, "{}{}", first.stdout, first.stderr);
    reads_back(&machine, system, server)?;
    nothing_left(&machine)?;
    machine.reboot()?;
    reads_back(&machine, system, server)?;
    nothing_left(&machine)
}

#[test]
fn matrix_platform_every_component_from_bare_to_done_and_nothing_more_after_a_boot() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let mut matrix = Matrix::open("platform");
    let all =
        SYSTEMS.iter().flat_map(|it| it.servers.iter().map(move |server| format!("{}/{server}", it.os)));
    // `PQ_POINT=debian-13/nginx` tries that one alone.
    let only = std::env::var("PQ_POINT").ok();
    let points = all.filter(|point| only.as_ref().is_none_or(|only| only == point));
    for point in matrix.draw(points, SAMPLE) {
        let begun = Instant::now();
        let (os, server) = point.split_once('/').unwrap_or_default();
        let Some(system) = SYSTEMS.iter().find(|it| it.os == os) else { continue };
        eprintln!("platform: {point}");
        from_bare_to_done(&lab, system, server)?;
        matrix.note(&point, Ok(()), begun.elapsed());
    }
    matrix.finish();
    Ok(())
}
