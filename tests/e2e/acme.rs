//! Certificates of a public authority: pebble, Let's Encrypt's own test server, real certbot, real http-01 over port 80, and all that
//! may go wrong on the way.

use std::time::{Duration, Instant};

use pq_testkit::lab::{self, Image, Lab, Machine, Output, Result, Suite};
use pq_tests::Matrix;

use crate::world::{demo_inventory, install, pipe, quiet, serve};

/// What the authority's own site is signed by, and how it judges: certificates of 20 days are due at once for certbot.
const AUTHORITY: &str = r#"
    mkdir -p /root/ca && cd /root/ca
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=minica" \
        -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign -keyout ca.key -out ca.pem 2>/dev/null
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost -keyout api.key -out api.csr 2>/dev/null
    printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n' >san
    openssl x509 -req -in api.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out api.pem -extfile san 2>/dev/null
    cat >pebble.json <<J
    {"pebble":{"listenAddress":"127.0.0.1:14000","managementListenAddress":"127.0.0.1:15000","certificate":"/root/ca/api.pem",
     "privateKey":"/root/ca/api.key","httpPort":80,"tlsPort":443,"ocspResponderURL":"","externalAccountBindingRequired":false,
     "certificateValidityPeriod":1728000}}
J
    systemd-run --quiet --unit names pebble-challtestsrv -http01 "" -https01 "" -tlsalpn01 "" -dns01 127.0.0.1:53 \
        -management 127.0.0.1:8055 -defaultIPv4 127.0.0.1 -defaultIPv6 ::1
    echo 'nameserver 127.0.0.1' >/etc/resolv.conf
    for i in $(seq 50); do curl -s -o /dev/null 127.0.0.1:8055 && break; sleep 0.1; done
"#;

/// A machine with pebble, and with the packages of a site at hand.
fn machine(lab: &Lab, name: &str) -> Result<Machine> {
    let image = lab.snapshot_or("acme", &Image::Base(Suite::Bookworm), "1", |machine| {
        machine
            .sh("apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends pebble certbot curl nginx >/dev/null
                 systemctl disable --now nginx.service certbot.timer 2>/dev/null")?
            .success()?;
        Ok(())
    })?;
    let machine = lab.boot(name, &image)?;
    install(&machine)?;
    quiet(&machine)?;
    machine.sh(AUTHORITY)?.success()?;
    Ok(machine)
}

/// Starts the authority anew, which forgets whom it knew; so many of a hundred requests have their number refused.
fn authority(machine: &Machine, refused: u8) -> Result<()> {
    let script = format!(
        "systemctl stop pebble.service 2>/dev/null || true; rm -rf /etc/letsencrypt/accounts
         systemd-run --quiet --unit pebble -E PEBBLE_VA_NOSLEEP=1 -E PEBBLE_AUTHZREUSE=0 -E PEBBLE_WFE_NONCEREJECT={refused} \
             pebble -strict=true -config /root/ca/pebble.json -dnsserver 127.0.0.1:53
         for i in $(seq 100); do curl -sf --cacert /root/ca/ca.pem https://localhost:15000/roots/0 >/root/ca/root.pem && exit 0; sleep 0.1; done; exit 1"
    );
    machine.sh(&script)?.success().map(drop)
}

/// Tells the names' server something.
fn names(machine: &Machine, what: &str, body: &str) -> Result<()> {
    machine.sh(&format!("curl -sf -d '{body}' http://127.0.0.1:8055/{what}"))?.success().map(drop)
}

/// The instances of the machine.
fn inventory(machine: &Machine, server: &str, instances: &[(&str, &str)]) -> Result<()> {
    let digest = machine.sh("sha256sum < /root/sources/example.org/site.tar.gz")?.success()?.stdout;
    let digest = digest.split(' ').next().unwrap_or_default().to_owned();
    let list: String = instances
        .iter()
        .map(|(id, more)| {
            format!(
                "  - {{ app: static, id: {id}, domain: {id}.demo.test, hsts: true{more}, archive: \
                 {{ url: \"https://example.org/site.tar.gz\", version: \"1\", sha256: {digest} }} }}\n"
            )
        })
        .collect();
    machine.write(
        "/root/paquerette/inventory/host_vars/demo.yml",
        format!(
            "os: debian-12\nweb_server: {server}\nmemory_mb: 2048\nsource_mirror: http://127.0.0.1:8087\ntls: letsencrypt\n\
             acme_directory: https://localhost:14000/dir\nacme_ca_file: /root/ca/ca.pem\ninstances:\n{list}"
        ),
    )
}

/// A run of the whole pipe, which must end well.
fn run(machine: &Machine) -> Result<String> {
    ends(pipe(machine, "pq-apply --text")?, 0)
}

/// What a run said, which must have ended so.
fn ends(output: Output, code: i32) -> Result<String> {
    let said = format!("{}{}", output.stdout, output.stderr);
    assert_eq!(output.code, code, "{said}");
    Ok(said)
}

/// `pq-instance renew`, as an operator types it.
fn renew(machine: &Machine, id: &str) -> Result<String> {
    let line = format!(
        "cd /root/paquerette && export PQ_IDENTITY=inventory/demo-identity.txt && pq-inventory demo | pq-instance renew {id} | pq-apply --text"
    );
    ends(machine.run(["bash", "-c", &line])?, 0)
}

/// The page of a site with its headers, trusted by one authority alone; its certificate's number.
fn served(machine: &Machine, id: &str, trusted: &str) -> Result<(String, String)> {
    let ask = format!(
        "curl -sS -i --max-time 20 --resolve '*:443:127.0.0.1' --capath /nowhere --cacert {trusted} https://{id}.demo.test/ || true"
    );
    let number = format!(
        "openssl s_client -connect 127.0.0.1:443 -servername {id}.demo.test </dev/null 2>/dev/null | openssl x509 -noout -serial"
    );
    Ok((machine.sh(&ask)?.stdout, machine.sh(&number)?.text().to_owned()))
}

const PUBLIC: &str = "/root/ca/root.pem";
const LOCAL: &str = "/etc/paquerette/ca/ca.pem";

/// Demands that a site is served with a public certificate, or with the machine's own; the certificate's number.
fn serves(machine: &Machine, id: &str, public: bool) -> Result<String> {
    let (trusted, other) = if public { (PUBLIC, LOCAL) } else { (LOCAL, PUBLIC) };
    let (page, number) = served(machine, id, trusted)?;
    assert!(page.contains("a page of our own"), "{id}: {page}");
    assert_eq!(page.to_lowercase().contains("strict-transport-security"), public, "{id}: {page}");
    assert_eq!(served(machine, id, other)?.0, "", "{id}");
    Ok(number)
}

/// Demands that nothing is left to do.
fn settled(machine: &Machine) -> Result<String> {
    let said = run(machine)?;
    assert!(said.contains(" 0 changed"), "{said}");
    ends(pipe(machine, "pq-apply --check --verify --text")?, 0)?;
    Ok(said)
}

/// How often certbot was begun.
fn asked(machine: &Machine) -> Result<String> {
    Ok(machine
        .sh("grep -c 'certbot version' /var/log/letsencrypt/letsencrypt.log || true")?
        .text()
        .to_owned())
}

fn prepared(lab: &Lab, name: &str) -> Result<Machine> {
    let machine = machine(lab, name)?;
    demo_inventory(lab, &machine)?;
    machine
        .sh(
            "mkdir -p /root/sources/example.org /root/site && echo 'a page of our own' >/root/site/index.html
             tar czf /root/sources/example.org/site.tar.gz -C /root site",
        )?
        .success()?;
    serve(&machine, "/root/sources")?;
    Ok(machine)
}

/// Each web server, and where a file with nonsense in it breaks its configuration.
const SERVERS: [(&str, &str); 2] =
    [("nginx", "/etc/nginx/conf.d/zz-broken.conf"), ("apache2", "/etc/apache2/conf-enabled/zz-broken.conf")];

#[test]
fn matrix_acme_a_public_certificate_is_had_as_soon_as_it_can_be_and_stays_served() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let mut matrix = Matrix::open("acme");
    for point in matrix.draw(SERVERS.map(|(server, _)| server.to_owned()), 1) {
        let begun = Instant::now();
        for (server, broken) in SERVERS.iter().filter(|(server, _)| *server == point) {
            all(&lab, server, broken)?;
        }
        matrix.note(&point, Ok(()), begun.elapsed());
    }
    matrix.finish();
    Ok(())
}

/// Everything, behind one web server; a file with nonsense in it breaks its configuration.
fn all(lab: &Lab, server: &str, broken: &str) -> Result<()> {
    let begun = Instant::now();
    let step = |what: &str| eprintln!("acme: {:>5.1} s {what}", begun.elapsed().as_secs_f32());
    let machine = prepared(lab, &format!("acme{server}"))?;
    inventory(&machine, server, &[("one", ", aliases: [www.one.demo.test]"), ("two", "")])?;
    names(&machine, "set-servfail", r#"{"host":"two.demo.test"}"#)?;

    step("nobody answers for the authority, and one name leads nowhere");
    let first = run(&machine)?;
    assert!(first.contains("the certificate of one.demo.test, www.one.demo.test is pending"), "{first}");
    assert!(first.contains("`two.demo.test` leads to no address"), "{first}");
    serves(&machine, "one", false)?;
    serves(&machine, "two", false)?;
    let before = asked(&machine)?;
    let again = settled(&machine)?;
    assert!(again.contains("one.demo.test, www.one.demo.test is pending"), "{again}");
    assert_eq!((before.as_str(), asked(&machine)?.as_str()), ("1", "1"), "{again}");

    step("half of all numbers are refused");
    authority(&machine, 50)?;
    let refused = renew(&machine, "one")?;
    assert!(refused.contains("`one.demo.test` at ::1, port 80: leads here"), "{refused}");
    assert!(refused.contains("issued it") || refused.contains("badNonce"), "{refused}");

    step("one in twenty is: it is had; the other name stays pending");
    authority(&machine, 5)?;
    let got = renew(&machine, "one")?;
    assert!(got.contains("https://localhost:14000/dir issued it"), "{got}");
    let number = serves(&machine, "one", true)?;
    serves(&machine, "two", false)?;
    let alone = settled(&machine)?;
    assert!(!alone.contains("one.demo.test") && alone.contains("two.demo.test is pending"), "{alone}");
    names(&machine, "clear-servfail", r#"{"host":"two.demo.test"}"#)?;
    names(&machine, "add-aaaa", r#"{"host":"two.demo.test","addresses":["fd00::99"]}"#)?;
    let wrong = renew(&machine, "two")?;
    assert!(wrong.contains("`two.demo.test` at fd00::99, port 80:"), "{wrong}");
    names(&machine, "clear-aaaa", r#"{"host":"two.demo.test"}"#)?;
    renew(&machine, "two")?;
    serves(&machine, "two", true)?;
    settled(&machine)?;

    step("renewed by certbot's own timer");
    assert_eq!(
        machine.sh("systemctl is-enabled certbot.timer; systemctl is-active certbot.timer")?.text(),
        "enabled\nactive"
    );
    machine.sh("systemctl start certbot.service")?.success()?;
    let renewed = serves(&machine, "one", true)?;
    assert_ne!(number, renewed);
    settled(&machine)?;

    step("the web server cannot be reloaded after a renewal");
    machine
        .sh(&format!("echo 'no such directive;' >{broken}; systemctl start certbot.service"))?
        .success()?;
    assert_eq!(serves(&machine, "one", true)?, renewed);
    let noted = machine.read("/var/lib/paquerette/acme/one.failed")?;
    assert!(noted.contains("zz-broken.conf"), "{noted}");
    let told = ends(pipe(&machine, "pq-apply --text")?, 1)?;
    assert!(told.contains("zz-broken.conf"), "{told}");
    machine.run(["rm", broken])?.success()?;
    let right = run(&machine)?;
    assert!(right.contains("it was renewed, and the web server was not reloaded"), "{right}");
    assert_ne!(serves(&machine, "one", true)?, renewed);
    settled(&machine)?;

    step("killed while it is issued");
    for (id, after) in [("three", 900), ("four", 2200)] {
        inventory(&machine, server, &[("one", ", aliases: [www.one.demo.test]"), ("two", ""), (id, "")])?;
        let running = machine
            .command(["bash", "-c", &format!("{} | exec pq-apply --text", crate::world::PIPE)])
            .start()?;
        let until = Instant::now() + Duration::from_secs(60);
        while machine.sh("pgrep -f '[c]ertbot certonly'")?.code != 0 && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(50));
        }
        std::thread::sleep(Duration::from_millis(after));
        machine.sh("pkill -9 -x pq-apply; pkill -9 -f '[c]ertbot certonly'; true")?;
        drop(running.wait()?);
        run(&machine)?;
        serves(&machine, id, true)?;
        settled(&machine)?;
    }
    let lineages = machine.sh("ls /etc/letsencrypt/live /var/www/acme/.well-known/acme-challenge")?.stdout;
    assert!(!lineages.contains("-0001") && !lineages.contains("paquerette-"), "{lineages}");
    step("the end");
    Ok(())
}
