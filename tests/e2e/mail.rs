//! Mail of a machine goes through a relay that wants TLS and a login: with the addresses that it should have, and later
//! where the relay is down.

use std::time::{Duration, Instant};

use pq_testkit::lab::{self, Image, Lab, Machine, Result, Suite};
use serde_json::Value;

use crate::world::{bare, demo_inventory, pipe};

const PASSWORD: &str = "relay: pass word#1 'quoted' é";

/// A machine that is a relay, its certificate signed by an authority of its own.
fn relay(lab: &Lab) -> Result<Machine> {
    let image = lab.snapshot_or("relay", &Image::Base(Suite::Bookworm), "1", |machine| {
        let packages = "apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-aiosmtpd openssl >/dev/null";
        machine.sh(packages)?.success().map(drop)
    })?;
    let relay = lab.boot("mailrelay", &image)?;
    relay
        .sh("cd /root && export RANDFILE=/dev/null
             openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj '/CN=test authority' \
                 -addext basicConstraints=critical,CA:TRUE -keyout ca.key -out ca.pem
             openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=relay -keyout relay.key -out relay.csr
             printf 'subjectAltName=DNS:relay.example.org\\n' > san
             openssl x509 -req -in relay.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out relay.pem -extfile san")?
        .success()?;
    relay.write("/root/relay.py", include_str!("relay.py"))?;
    start(&relay)?;
    Ok(relay)
}

fn start(relay: &Machine) -> Result<()> {
    let run = ["systemd-run", "--unit", "relay", "python3", "/root/relay.py", "post@example.org", PASSWORD];
    relay.run(run)?.success()?;
    let listens = "for i in $(seq 100); do ss -Hltn | grep -q ':587 ' && exit 0; sleep 0.1; done; exit 1";
    relay.sh(listens)?.success().map(drop)
}

/// Waits until the relay has taken so many messages; answers them.
fn taken(relay: &Machine, count: usize) -> Result<Vec<Value>> {
    let begun = Instant::now();
    loop {
        let mails: Vec<Value> = relay
            .sh("cat /root/mails 2>/dev/null || true")?
            .stdout
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        if mails.len() >= count || begun.elapsed() > Duration::from_secs(30) {
            return Ok(mails);
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// What is wrong with a message: from whom, to whom, how it came.
fn envelope(mail: &Value) -> String {
    let mut to: Vec<&str> = mail["to"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    to.sort_unstable();
    format!("{} > {} tls {} login {}", mail["from"], to.join(" "), mail["tls"], mail["login"])
}

#[test]
fn mail_to_root_reaches_people_through_a_relay_and_waits_while_that_is_down() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let relay = relay(&lab)?;
    let machine = bare(&lab, "mailed")?;
    demo_inventory(&lab, &machine)?;
    machine.write("/usr/local/share/ca-certificates/test.crt", relay.read("/root/ca.pem")?)?;
    machine.sh(&format!("echo '{} relay.example.org' >> /etc/hosts", relay.ip()))?.success()?;
    machine.write(
        "/root/paquerette/inventory/host_vars/demo/mail.yml",
        "smtp_host: relay.example.org
smtp_user: post@example.org
mail_name: demo.example.org
mail_sender: machines@example.org
root_mail: [ann@example.org, bob@example.org]
always_bcc: archive@example.org
instances: []
clock_sync: false
kernel_settings: false
",
    )?;
    let set = "cd /root/paquerette && export PQ_IDENTITY=inventory/demo-identity.txt && \
               pq-secret set inventory/host_vars/demo/secrets.yml.age smtp_password";
    machine.command(["sh", "-c", set]).stdin(PASSWORD).output()?.success()?;
    let server = "cd /root/paquerette && export PQ_IDENTITY=inventory/demo-identity.txt && \
                  pq-inventory demo | pq-server";
    let run = machine.sh(&format!("{server} | pq-apply --text"))?;
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    machine
        .sh("apt-get install -y -qq --no-install-recommends openssl >/dev/null; update-ca-certificates")?
        .success()?;
    let again = machine.sh(&format!("{server} | pq-apply --text"))?;
    assert!(again.code == 0 && again.stdout.contains(" 0 changed"), "{}{}", again.stdout, again.stderr);

    // To root, and to a user of the system, as cron writes to them.
    machine.sh("printf 'Subject: to root\\n\\nhello\\n' | /usr/sbin/sendmail root")?.success()?;
    machine
        .sh("printf 'Subject: to a user\\n\\nhello\\n' | runuser -u www-data -- /usr/sbin/sendmail www-data")?
        .success()?;
    let mails = taken(&relay, 2)?;
    let log = machine.sh("mailq; journalctl -t postfix/smtp --no-pager | tail -20")?.stdout;
    assert_eq!(mails.len(), 2, "{mails:?} {log}");
    for mail in &mails {
        assert_eq!(
            envelope(mail),
            "\"machines@example.org\" > ann@example.org archive@example.org bob@example.org tls true login \"post@example.org\"",
            "{mail}"
        );
        let from = mail["data"].as_str().unwrap_or_default().lines().find(|line| line.starts_with("From: "));
        assert!(from.is_some_and(|from| from.contains("machines@example.org")), "{mail}");
    }
    // What an application says of itself stays.
    machine
        .sh("printf 'From: wiki@wiki.example.org\\nSubject: own\\n\\nhello\\n' | /usr/sbin/sendmail -f wiki@wiki.example.org carl@example.org")?
        .success()?;
    let own = taken(&relay, 3)?;
    assert!(
        own.get(2).is_some_and(|mail| envelope(mail)
            .starts_with("\"wiki@wiki.example.org\" > archive@example.org carl@example.org")),
        "{own:?}"
    );

    // While the relay is down, mail waits.
    relay.run(["systemctl", "stop", "relay"])?.success()?;
    machine.sh("printf 'Subject: later\\n\\nhello\\n' | /usr/sbin/sendmail root")?.success()?;
    let waits = "for i in $(seq 100); do mailq | grep -q 'refused' && exit 0; sleep 0.1; done; mailq; exit 1";
    machine.sh(waits)?.success()?;
    start(&relay)?;
    machine.run(["postqueue", "-f"])?.success()?;
    let later = taken(&relay, 4)?;
    assert!(
        later
            .get(3)
            .is_some_and(|mail| mail["data"].as_str().is_some_and(|data| data.contains("Subject: later"))),
        "{later:?}"
    );
    assert!(machine.run(["mailq"])?.stdout.contains("empty"));

    // A relay with another name's certificate gets nothing: neither mail nor password.
    machine.sh(&format!("echo '{} other.example.org' >> /etc/hosts", relay.ip()))?.success()?;
    machine.sh("sed -i s/relay.example.org/other.example.org/ /root/paquerette/inventory/host_vars/demo/mail.yml")?.success()?;
    let run = machine.sh(&format!("{server} | pq-apply --text"))?;
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    machine.sh("printf 'Subject: to nobody\\n\\nhello\\n' | /usr/sbin/sendmail root")?.success()?;
    let refused =
        "for i in $(seq 100); do mailq | grep -qi 'not verified' && exit 0; sleep 0.1; done; mailq; exit 1";
    machine.sh(refused)?.success()?;
    assert_eq!(taken(&relay, 4)?.len(), 4);
    assert_eq!(pipe(&machine, "pq-apply --check")?.code, 0);
    Ok(())
}
