//! Certificates of a public authority: pebble, Let's Encrypt's own test server, real certbot, real http-01 over port 80, and all that
//! may go wrong on the way.

use std::time::{Duration, Instant};

use pq_testkit::lab::{self, Image, Lab, Machine, Output, Result, Suite};
use pq_tests::Matrix;

use crate::world::{HOST, canonical, demo_inventory, install, pipe, quiet, serve};

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

/// The instances of the machine, whose certificates are those of an authority where they say nothing else.
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
        HOST,
        format!(
            "os: debian-12\nweb_server: {server}\nmemory_mb: 2048\nsource_mirror: http://127.0.0.1:8087\n\
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

/// Asks until it is so, three seconds at most: a process of the web server that is about to end may answer once more as it did.
fn soon<T>(ask: impl Fn() -> Result<T>, is_so: impl Fn(&T) -> bool) -> Result<T> {
    let begun = Instant::now();
    loop {
        let answer = ask()?;
        if is_so(&answer) || begun.elapsed() > Duration::from_secs(3) {
            return Ok(answer);
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

const PUBLIC: &str = "/root/ca/root.pem";
const LOCAL: &str = "/etc/paquerette/ca/ca.pem";

/// Demands that a site is served with a public certificate, or with the machine's own; the certificate's number.
fn serves(machine: &Machine, id: &str, public: bool) -> Result<String> {
    let (trusted, other) = if public { (PUBLIC, LOCAL) } else { (LOCAL, PUBLIC) };
    let (page, number) = soon(|| served(machine, id, trusted), |(page, _)| !page.is_empty())?;
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
            // the example's machine has no public authority, and this one has
            "sed -i '/^tls: selfsigned$/d' /root/paquerette/inventory/group_vars/demo/demo.yml
             mkdir -p /root/sources/example.org /root/site && echo 'a page of our own' >/root/site/index.html
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
    let points = SERVERS.iter().flat_map(|(server, _)| WAYS.map(|(way, _)| format!("{server}/{way}")));
    // `PQ_POINT=nginx/chosen` tries that one alone.
    let only = std::env::var("PQ_POINT").ok();
    let points = points.filter(|point| only.as_ref().is_none_or(|only| only == point));
    let drawn = matrix.draw(points, 1);
    matrix.each(drawn, 1, |point| {
        for (server, broken) in SERVERS {
            for (_, tried) in WAYS.iter().filter(|(way, _)| point == format!("{server}/{way}")) {
                tried(&lab, server, broken).map_err(|error| error.to_string())?;
            }
        }
        Ok(())
    });
    matrix.finish();
    Ok(())
}

/// What is tried behind each web server.
type Way = fn(&Lab, &str, &str) -> Result<()>;
const WAYS: [(&str, Way); 2] = [("issued", issued), ("chosen", chosen)];

/// Pairs of the operator's own, signed by the authority of the authority's own site.
const PAIRS: &str = r#"
    mkdir -p /root/pairs && cd /root/pairs
    for pair in good:one:30 other:another:30 expired:one:-1; do
        IFS=: read -r name site days <<<"$pair"
        openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=own -keyout $name.key -out $name.csr 2>/dev/null
        printf "subjectAltName=DNS:$site.demo.test\n" >san
        openssl x509 -req -in $name.csr -CA /root/ca/ca.pem -CAkey /root/ca/ca.key -CAcreateserial -days $days -out $name.pem -extfile san 2>/dev/null
        cat /root/ca/ca.pem >>$name.pem
    done
"#;

/// Has somebody else's certbot be at work for a moment.
const AT_WORK: &str = r#"
    mkdir -p -m 0700 /var/log/letsencrypt
    systemd-run --quiet --unit at-work python3 -c 'import fcntl, time; f = open("/var/log/letsencrypt/.certbot.lock", "w"); fcntl.lockf(f, fcntl.LOCK_EX); time.sleep(8)'
    sleep 0.5; systemctl is-active --quiet at-work.service
"#;

/// Each `tls` follows another on one instance, and what cannot be served is refused while what was served goes on. Another instance
/// has its certificate throughout.
fn chosen(lab: &Lab, server: &str, _: &str) -> Result<()> {
    let begun = Instant::now();
    let step = |what: &str| eprintln!("acme: {:>5.1} s {what}", begun.elapsed().as_secs_f32());
    let machine = prepared(lab, &format!("tls{server}"))?;
    machine.run(["bash", "-euc", PAIRS])?.success()?;
    authority(&machine, 5)?;
    let wants = |tls: &str| inventory(&machine, server, &[("one", tls), ("two", ", tls: selfsigned")]);
    let own = |chain: &str, key: &str| {
        format!(", tls: files, tls_chain: /root/pairs/{chain}.pem, tls_key: /root/pairs/{key}.key")
    };
    let left = |below: &str| -> Result<String> {
        let list = format!("cd {below} 2>/dev/null && find . -mindepth 1 | sort | tr '\n' ' '; true");
        Ok(machine.sh(&list)?.text().to_owned())
    };
    let tls = "/etc/paquerette/tls/one";

    step("selfsigned, then public, as it is where nobody says otherwise; certbot is at work already");
    wants(", tls: selfsigned")?;
    run(&machine)?;
    serves(&machine, "one", false)?;
    let neighbour = serves(&machine, "two", false)?;
    machine.sh(AT_WORK)?.success()?;
    wants("")?;
    let got = run(&machine)?;
    assert!(!got.contains("pending"), "{got}");
    assert_eq!(machine.sh("systemctl is-active at-work.service || true")?.text(), "inactive");
    let number = serves(&machine, "one", true)?;
    let modes = machine.sh("cd /etc/letsencrypt && stat -c %a archive live archive/one/privkey1.pem")?;
    assert_eq!(modes.text(), "700\n700\n600");
    settled(&machine)?;

    step("a name more, which leads nowhere, then here");
    names(&machine, "set-servfail", r#"{"host":"more.demo.test"}"#)?;
    wants(", aliases: [more.demo.test]")?;
    let more = run(&machine)?;
    assert!(
        more.contains("`more.demo.test` leads to no address") && more.contains("the one that it has"),
        "{more}"
    );
    assert_eq!(serves(&machine, "one", true)?, number);
    names(&machine, "clear-servfail", r#"{"host":"more.demo.test"}"#)?;
    renew(&machine, "one")?;
    let number = serves(&machine, "one", true)?;
    let said = machine.sh(&format!("openssl x509 -noout -ext subjectAltName -in {tls}/chain.pem"))?.stdout;
    assert!(said.contains("DNS:more.demo.test"), "{said}");
    settled(&machine)?;

    step("the authority has forgotten who asks");
    machine.sh("cp -a /etc/letsencrypt/accounts /root/accounts")?.success()?;
    authority(&machine, 5)?;
    machine.sh("cp -a /root/accounts /etc/letsencrypt/accounts")?.success()?;
    let told = renew(&machine, "one")?;
    assert!(told.to_lowercase().contains("account"), "{told}");
    assert_eq!(served(&machine, "one", PUBLIC)?.1, number);
    authority(&machine, 5)?;

    step("selfsigned again");
    wants(", tls: selfsigned")?;
    run(&machine)?;
    let number = serves(&machine, "one", false)?;
    settled(&machine)?;
    assert_eq!(left(tls)?, "./chain.pem ./key.pem");
    assert!(!left("/etc/letsencrypt")?.contains("one"), "{}", left("/etc/letsencrypt")?);

    step("files that cannot be served");
    let state = || canonical(&machine, &["/etc"]);
    let before = state()?;
    for (chain, key, why) in [
        ("good", "other", "`/root/pairs/other.key` is not its key"),
        ("expired", "expired", "`/root/pairs/expired.pem` has expired"),
        ("other", "other", "`/root/pairs/other.pem` is for another.demo.test, and not for `one.demo.test`"),
    ] {
        wants(&own(chain, key))?;
        let told = ends(pipe(&machine, "pq-apply --text")?, 1)?;
        assert!(told.contains(why) && told.contains("put a chain and its key there"), "{told}");
        assert_eq!(
            (serves(&machine, "one", false)?, serves(&machine, "two", false)?),
            (number.clone(), neighbour.clone())
        );
        assert_eq!(state()?, before, "{told}");
    }

    step("files that can");
    wants(&own("good", "good"))?;
    run(&machine)?;
    let is_own = || -> Result<()> {
        let good = machine.sh("openssl x509 -noout -serial -in /root/pairs/good.pem")?.text().to_owned();
        let is_good = |(page, number): &(String, String)| *number == good && !page.is_empty();
        let (page, number) = soon(|| served(&machine, "one", "/root/ca/ca.pem"), is_good)?;
        assert_eq!(number, good);
        assert!(
            page.contains("a page of our own") && page.to_lowercase().contains("strict-transport"),
            "{page}"
        );
        Ok(())
    };
    is_own()?;
    settled(&machine)?;
    // What is put in its place later is looked at as well.
    machine.sh("cd /root/pairs && cp -p good.key kept.key && cp other.key good.key")?.success()?;
    let told = ends(pipe(&machine, "pq-apply --text")?, 1)?;
    assert!(told.contains("`/root/pairs/good.key` is not its key"), "{told}");
    is_own()?;
    machine.sh("cd /root/pairs && mv kept.key good.key")?.success()?;
    settled(&machine)?;

    step("public, which cannot be had yet: the operator's own goes on; then it can");
    names(&machine, "set-servfail", r#"{"host":"one.demo.test"}"#)?;
    wants("")?;
    let told = run(&machine)?;
    assert!(
        told.contains("is pending: the site goes on with the operator's own, which is good until"),
        "{told}"
    );
    let good = machine.sh("openssl x509 -noout -serial -in /root/pairs/good.pem")?.text().to_owned();
    let is = soon(|| served(&machine, "one", "/root/ca/ca.pem"), |(_, number)| *number == good)?;
    assert!(is.1 == good && is.0.contains("a page of our own"), "{is:?}");
    settled(&machine)?;
    names(&machine, "clear-servfail", r#"{"host":"one.demo.test"}"#)?;
    renew(&machine, "one")?;
    serves(&machine, "one", true)?;
    settled(&machine)?;
    assert!(!left(tls)?.contains("before"), "{}", left(tls)?);

    step("none");
    wants(", tls: none")?;
    run(&machine)?;
    let page =
        machine.sh("curl -sS -i --max-time 20 --resolve '*:80:127.0.0.1' http://one.demo.test/")?.stdout;
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("a page of our own"), "{page}");
    let lower = page.to_lowercase();
    assert!(!lower.contains("location:") && !lower.contains("strict-transport"), "{page}");
    assert!(!served(&machine, "one", LOCAL)?.0.contains("a page of our own"));
    assert_eq!(
        machine.sh(&format!("test ! -e {tls} && ls /root/pairs/good.*"))?.success()?.stdout.lines().count(),
        3
    );
    settled(&machine)?;
    assert_eq!(serves(&machine, "two", false)?, neighbour);
    step("the end");
    Ok(())
}

/// Had, renewed, and what goes wrong on the way, behind one web server; a file with nonsense in it breaks its configuration.
fn issued(lab: &Lab, server: &str, broken: &str) -> Result<()> {
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
    let watched = machine.run(["pq-monitor", "test", "one/certificate"])?;
    assert!(
        watched.code == 1 && watched.stdout.contains("www.one.demo.test is pending: "),
        "{}",
        watched.stdout
    );
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
    let watched = machine.run(["pq-monitor", "test", "one/certificate"])?;
    assert_eq!(watched.code, 0, "{}", watched.stdout);
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
