//! What is watched from the inventory on: a web server's logs without what the monitor asks, machines that watch each other, and what an
//! operator sees of both.

#![expect(clippy::unwrap_used, reason = "what the runner itself cannot do ends the test")]

use std::fs;
use std::process::Output;

use pq_testkit::lab::{self, Machine, Result, Suite};
use serde_json::{Value, json};

use crate::ssh::Fleet;
use crate::world::{HOST, bare, demo_inventory, done, install, pipe, serve};

/// Asks the page of the instance, and answers how many lines its access log has more.
fn logged(machine: &Machine, words: &str) -> Result<usize> {
    let lines = || -> Result<usize> {
        let log = "cat /var/log/nginx/front/access.log /var/log/apache2/front/access.log 2>/dev/null | wc -l";
        Ok(machine.sh(log)?.text().trim().parse().unwrap())
    };
    let before = lines()?;
    machine.sh(words)?.success()?;
    Ok(lines()? - before)
}

#[test]
fn what_the_monitor_asks_is_in_no_access_log_and_whoever_forges_its_name_is() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    for server in ["nginx", "apache2"] {
        let machine = bare(&lab, &format!("logs{server}"))?;
        demo_inventory(&lab, &machine)?;
        machine
            .sh("apt-get update -qq && apt-get install -y -qq curl python3 >/dev/null
             mkdir -p /root/sources/example.org /root/site && echo 'a page of our own' >/root/site/index.html
             tar czf /root/sources/example.org/site.tar.gz -C /root site")?
            .success()?;
        serve(&machine, "/root/sources")?;
        let digest = machine
            .sh("sha256sum < /root/sources/example.org/site.tar.gz | cut -d' ' -f1")?
            .success()?
            .text()
            .to_owned();
        machine.write(
            HOST,
            format!(
                "os: debian-12\nweb_server: {server}\nmemory_mb: 2048\nsource_mirror: http://127.0.0.1:8087\ninstances:\n  - {{ app: static, id: front, domain: front.demo.test, archive: {{ url: \"https://example.org/site.tar.gz\", version: \"1\", sha256: {digest} }} }}\n"
            ),
        )?;
        done(pipe(&machine, "pq-apply --text")?);

        let tested = machine.run(["pq-monitor", "test", "front/health"])?;
        assert_eq!(tested.code, 0, "{server}: {}{}", tested.stdout, tested.stderr);
        assert_eq!(
            logged(&machine, "pq-monitor test front/health && pq-monitor test front/health")?,
            0,
            "{server}"
        );
        let ask = |from: &str, more: &str, path: &str| {
            format!(
                "curl -sk -o /dev/null --resolve front.demo.test:443:{from} {more} https://front.demo.test{path}"
            )
        };
        let (here, there, name) = ("127.0.0.1", machine.ip().to_string(), "-A pq-monitor/0.1.0");
        assert_eq!(logged(&machine, &ask(here, name, "/"))?, 0, "{server}: as the monitor does");
        for (from, more, path) in [
            (here, "", "/"),
            (there.as_str(), name, "/"),
            (here, "-A pq-monitor/0.1.0 -H 'X-Forwarded-For: 192.0.2.1'", "/"),
            (here, "-A pq-monitor/0.1.0 -H 'X-Forwarded-For: :pq-monitor/1:'", "/"),
            (here, "-A 'pq-monitor/0.1.0 and more'", "/"),
            (here, "-A 'curl pq-monitor/0.1.0'", "/"),
            (here, name, "/missing"),
        ] {
            assert_eq!(logged(&machine, &ask(from, more, path))?, 1, "{server}: {from} {more} {path}");
        }
    }
    Ok(())
}

/// A web server with a certificate of one authority for all, and the tools.
const SERVES: &str = "
    apt-get update -qq; apt-get install -y -qq nginx-light openssl >/dev/null
    mkdir -p /etc/paquerette; cd /etc/ssl; openssl ecparam -name prime256v1 -genkey -noout -out leaf.key
    openssl req -new -key leaf.key -subj /CN=$1 -out leaf.csr
    openssl x509 -req -in leaf.csr -CA peers.pem -CAkey peers.key -CAcreateserial -days 9 -extfile <(echo subjectAltName=DNS:$1) -out leaf.pem 2>/dev/null
    echo \"server { listen 443 ssl; server_name $1; ssl_certificate /etc/ssl/leaf.pem; ssl_certificate_key /etc/ssl/leaf.key; return 404; }\" >/etc/nginx/sites-enabled/default
    systemctl restart nginx
    printf '#!/bin/sh\\ncat >>/root/told\\n' >/usr/local/bin/tell; chmod 0755 /usr/local/bin/tell";

/// Two machines that an operator reaches, each of which serves something; the apt proxy of the lab is the third of the ring.
fn two(lab: &pq_testkit::lab::Lab) -> Result<Fleet> {
    let fleet = Fleet::boot(lab, &[("watcha", Suite::Bookworm), ("watchb", Suite::Bookworm)])?;
    let names: String = fleet.machines.iter().map(|it| format!("{} {}.test\n", it.ip(), it.name())).collect();
    let made = fleet.machines[0].sh(
        "apt-get update -qq; apt-get install -y -qq openssl >/dev/null; openssl ecparam -name prime256v1 -genkey -noout -out /root/ca.key
         openssl req -x509 -key /root/ca.key -subj /CN=peers -days 9 -out /root/ca.pem -addext basicConstraints=critical,CA:TRUE",
    )?;
    made.success()?;
    let (pem, key) = (fleet.machines[0].read("/root/ca.pem")?, fleet.machines[0].read("/root/ca.key")?);
    for machine in &fleet.machines {
        install(machine)?;
        machine.write("/etc/ssl/peers.pem", pem.as_str())?;
        machine.write("/etc/ssl/peers.key", key.as_str())?;
        let hosts = machine.read("/etc/hosts")?;
        machine.write("/etc/hosts", format!("{hosts}{names}"))?;
        let name = format!("{}.test", machine.name());
        machine.run(["bash", "-euc", SERVES, "serves", &name])?.success()?;
        machine.sh("ip route replace default via 10.77.0.1")?.success()?;
    }
    Ok(fleet)
}

/// Runs a pipe of the operator's: its status, standard output and standard error.
fn operator(fleet: &Fleet, tool: &str, words: &[&str], input: &str) -> (i32, String, String) {
    let file = fleet.path("stream");
    fs::write(&file, input).unwrap();
    let mut command = fleet.tool(tool);
    let Output { status, stdout, stderr } =
        command.args(words).stdin(fs::File::open(&file).unwrap()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (status.code().unwrap_or(-1), text(stdout), text(stderr))
}

/// What a machine told since that was last asked: kind, check and code of each.
fn told(machine: &Machine) -> Result<Vec<String>> {
    let text = machine.sh("cat /root/told 2>/dev/null; rm -f /root/told")?.stdout;
    let letters: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let events = letters.iter().flat_map(|it| it["events"].as_array().cloned().unwrap_or_default());
    let of_peers = events.filter(|it| {
        let check = it["check"].as_str().unwrap_or_default();
        check.contains("peer") || check == "monitor/network"
    });
    Ok(of_peers
        .map(|it| format!("{} {} {}", it["kind"], it["check"], it["answer"]["message"]).replace('"', ""))
        .collect())
}

fn runs(machine: &Machine, times: usize) -> Result<()> {
    for _ in 0..times {
        machine.run(["pq-monitor", "run", "--all", "--quiet"])?;
    }
    Ok(())
}

#[test]
fn machines_of_one_inventory_watch_each_other_and_their_operator_sees_all() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let fleet = two(&lab)?;
    let [one, other] = &fleet.machines[..] else { return Ok(()) };
    let peer = |name: &str, url: &str| json!({ "name": name, "url": url, "ca": "/etc/ssl/peers.pem" });
    let vars = json!({
        "locales": ["C.UTF-8"], "timezone": "UTC", "monitor_failures": 2, "admin_email": "a@example.org",
        "monitor_channels": [{ "name": "file", "exec": { "argv": ["/usr/local/bin/tell"] } }],
        "monitor_peers": [
            peer("watchc", "https://10.77.0.1:3142/"),
            peer("watcha", "https://watcha.test/"),
            peer("watchb", "https://watchb.test/"),
        ],
    });
    let hosts = fleet.plan("root", &vars, |_| Vec::new());
    let hosts = hosts.replace(r#""type":"host""#, r#""type":"host","os":"debian-12""#);

    // Each watches the next one by its name, and asks the others about its own network.
    let only = ["--only", "server/monitor-*", "--only", "platform/items-monitor", "--text"];
    let (code, plan, err) = operator(&fleet, "pq-server", &[], &hosts);
    assert_eq!(code, 0, "{err}");
    let (code, out, err) = operator(&fleet, "pq-apply", &only, &plan);
    assert_eq!(code, 0, "{out}{err}");
    let item = one.read("/etc/paquerette/monitor.d/server.yml")?;
    assert!(item.contains("peer-watchb") && !item.contains("peer-watchc"), "{item}");
    assert!(other.read("/etc/paquerette/monitor.d/server.yml")?.contains("peer-watchc"));
    assert!(one.read("/etc/paquerette/monitor.yml")?.contains("https://10.77.0.1:3142/"));

    // An operator sees both in one table; records have the names of the inventory.
    for machine in [one, other] {
        runs(machine, 1)?;
    }
    let (code, out, err) = operator(&fleet, "pq-monitor", &["status", "--text"], &hosts);
    assert!([0, 3].contains(&code) && err.is_empty(), "{code} {out}{err}");
    for words in [["watcha", "server/peer-watchb"], ["watchb", "server/load"]] {
        assert!(out.lines().any(|line| words.iter().all(|word| line.contains(word))), "{out}");
    }
    assert_eq!(out.matches("the last run ended").count(), 2, "{out}");
    let (_, out, _) = operator(&fleet, "pq-monitor", &["status", "server/peer-watchb"], &hosts);
    let records: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let checks: Vec<&Value> = records.iter().filter(|it| it["type"] == "check").collect();
    assert_eq!(checks.len(), 1, "{out}");
    assert_eq!((&checks[0]["host"], &checks[0]["status"]), (&json!("watcha"), &json!("ok")), "{out}");
    assert_eq!(records.last().unwrap()["hosts"], 2, "{out}");
    let (code, _, err) = operator(&fleet, "pq-monitor", &["status", "nothing"], &hosts);
    assert!(code == 2 && err.contains("no host watches `nothing`"), "{code} {err}");
    told(one)?;

    // One is cut off: told once, with its name, and the operator sees it.
    other.sh("ip link set host0 down")?.success()?;
    runs(one, 4)?;
    let events = told(one)?;
    assert_eq!(events.len(), 1, "{events:?}");
    assert!(
        events[0].starts_with("began server/peer-watchb host watchb is gone")
            || events[0].contains("host `watchb` is gone"),
        "{events:?}"
    );
    let (code, out, err) = operator(&fleet, "pq-monitor", &["status", "--bad", "--text"], &hosts);
    assert_eq!(code, 75, "{out}{err}");
    assert!(out.contains("host `watchb` is gone") && out.contains("watchb: no answer"), "{out}");
    assert!(err.contains("cannot reach host `watchb`"), "{err}");

    // It comes back: told once.
    let up = "ip link set host0 up; for i in $(seq 40); do ip route replace default via 10.77.0.1 2>/dev/null && break; sleep 0.25; done";
    other.sh(up)?.success()?;
    runs(one, 3)?;
    let events = told(one)?;
    assert!(events.len() == 1 && events[0].starts_with("ended server/peer-watchb"), "{events:?}");

    // Its own network is gone: nobody is accused.
    one.sh("ip link set host0 down")?.success()?;
    runs(one, 3)?;
    let events = told(one)?;
    assert!(events.len() == 1 && events[0].starts_with("began monitor/network"), "{events:?}");
    let status = one.sh("pq-monitor status server/peer-watchb --here --text || true")?.stdout;
    assert!(status.contains("unknown"), "{status}");
    one.sh(up)?.success()?;
    runs(one, 3)?;
    let events = told(one)?;
    assert!(events.len() == 1 && events[0].starts_with("ended monitor/network"), "{events:?}");
    Ok(())
}
