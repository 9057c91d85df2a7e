//! Collabora Online, with a stand-in: `tests/standins/collabora`, a package of its name from a repository of its shape.

use pq_testkit::lab::{Machine, Result};

use super::{App, says};
use crate::world::{HOST, nothing_left, pipe, serve, shown};

pub(super) const COLLABORA: App = App { name: "collabora", engines: &["none"], first, works };

const STANDIN: &str = include_str!("../../standins/collabora/coolwsd");
const MAKE: &str = include_str!("../../standins/collabora/make");

/// The repository that its packages come from, signed, on loopback.
fn first(machine: &Machine) -> Result<String> {
    machine
        .sh("apt-get update -qq && apt-get install -y -qq gnupg apt-utils python3 >/dev/null")?
        .success()?;
    machine.write("/etc/apt/apt.conf.d/95direct", "Acquire::http::Proxy::127.0.0.1 \"DIRECT\";\n")?;
    machine.write("/root/coolwsd.py", STANDIN)?;
    machine.run(["bash", "-euc", &format!("cd /root; {MAKE}")])?.success()?;
    serve(machine, "/root/sources")?;
    let fingerprint = machine.read("/root/fingerprint")?;
    Ok(format!(
        "console: true, nextclouds: [cloud.example.org], fingerprints: [{}], languages: [fr, en]",
        fingerprint.trim()
    ))
}

/// It works, also once it was closed and opened again.
fn works(machine: &Machine) -> Result<()> {
    answers(machine)?;
    if machine.sh("mkdir /root/was-closed")?.code != 0 {
        return Ok(());
    }
    closed(machine)?;
    answers(machine)
}

/// Closed, the service of its package rests, and nobody watches or starts it; opened, it runs again.
fn closed(machine: &Machine) -> Result<()> {
    let open = machine.read(HOST)?;
    machine.write(HOST, open.replace("app: collabora,", "app: collabora, state: closed,"))?;
    let run = pipe(machine, "pq-apply --text")?;
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    let said = says(
        machine,
        "sleep 1; browser -o /dev/null -w '%{http_code}\n' $url/hosting/discovery; systemctl is-active coolwsd.service || true
         systemctl is-enabled coolwsd.service || true; pgrep -u cool || true; grep coolwsd /etc/paquerette/monitor.d/app.yml || true",
    )?;
    assert_eq!(said, "503\ninactive\ndisabled\n");
    nothing_left(machine)?;
    machine.write(HOST, open)?;
    let run = pipe(machine, "pq-apply --text")?;
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    nothing_left(machine)
}

/// It is found, opens what allowed hosts have and nothing else, and its console with the password that pq-secret shows.
fn answers(machine: &Machine) -> Result<()> {
    machine.write("/root/password", shown(machine, "demo/app/admin")?)?;
    let said = says(
        machine,
        r#"browser $url/; echo; browser $url/hosting/discovery | grep -o 'urlsrc="[^"]*"'
           browser $url/hosting/capabilities | grep -o '"productVersion": "[^"]*"'
           open() { browser --http1.1 -m 5 -o /dev/null -w '%{http_code}\n' -H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13' -H 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==' "$url/cool/https%3A%2F%2F$1%2Findex.php%2Fapps%2Frichdocuments%2Fwopi%2Ffiles%2F7/ws" || true; }
           open cloud.example.org; open cloudxexample.org; open evil.example.org
           console() { browser -o /dev/null -w '%{http_code}\n' -u "admin:$1" $url/browser/dist/admin/admin.html; }
           console "$(cat /root/password)"; console guessed; rm /root/password
           stat -c '%a %U' /etc/coolwsd/coolwsd.xml
           systemctl show -p User,NRestarts coolwsd.service
           journalctl -q -b -u coolwsd.service | grep -c certificate || true
           ss -tlnH 'sport = 9980' | awk '{ print $4 }'"#,
    )?;
    let wanted = "OK\nurlsrc=\"https://app.demo.test/browser/5c8/cool.html?\"\n\"productVersion\": \"26.04.2.4\"\n\
                  101\n403\n403\n200\n401\n640 cool\nUser=cool\nNRestarts=0\n0\n127.0.0.1:9980\n";
    // systemd tells them in an order of its own
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&said), sorted(wanted), "{said}");
    Ok(())
}
