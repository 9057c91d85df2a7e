//! A machine that carried services before paquerette came: they go on answering whoever they answered, what would harden the machine
//! is reported, and done once the inventory says so.

use pq_testkit::lab::{self, Image, Lab, Machine, Output, Result, Suite};

use crate::world::{HOST, demo_inventory, install};

/// Where the services of others answer.
const SERVICES: [u16; 2] = [8443, 9000];

/// What the machine carries: two services, a rule of somebody's firewall, and settings of ssh that are not ours.
const CARRIES: &str = "
    apt-get update -qq && apt-get install -y -qq iptables >/dev/null
    iptables -A INPUT -p tcp --dport 5555 -j DROP
    for port in 8443 9000; do
        mkdir -p /srv/legacy && echo legacy $port >/srv/legacy/$port
        printf '[Service]\\nExecStart=/usr/bin/python3 -m http.server -d /srv/legacy %s\\n[Install]\\nWantedBy=multi-user.target\\n' $port \
            >/etc/systemd/system/legacy-$port.service
        systemctl enable -q --now legacy-$port
    done
    for i in $(seq 50); do ss -Hltn | grep -q :9000 && break; sleep 0.1; done
";

/// Runs the server's part of the pipe.
fn server(machine: &Machine, options: &str, last: &str) -> Result<Output> {
    let line = format!(
        "cd /root/paquerette && export PQ_IDENTITY=inventory/demo-identity.txt && \
         pq-inventory demo | pq-server {options} | {last}"
    );
    machine.run(["bash", "-c", &line])
}

fn inventory(machine: &Machine, text: &str) -> Result<()> {
    let base = "platform: []\ninstances: []\n";
    machine.write(HOST, format!("{base}{text}"))
}

/// What others get of the machine, from outside.
fn answers(machine: &Machine) -> Vec<bool> {
    let answers = |port: u16| {
        let address = std::net::SocketAddr::from((machine.ip(), port));
        std::net::TcpStream::connect_timeout(&address, std::time::Duration::from_secs(3)).is_ok()
    };
    SERVICES.iter().map(|port| answers(*port)).collect()
}

/// What hardening would change.
fn settings(machine: &Machine) -> Result<String> {
    let script = "sshd -T | sort | sha256sum; sysctl -n net.ipv4.conf.all.rp_filter; grep ^UMASK /etc/login.defs
                  stat -c %a /etc/cron.d; iptables -S INPUT | grep -v ufw; test -e /etc/ufw/ufw.conf && ufw status | head -n 1; true";
    Ok(machine.sh(script)?.success()?.stdout)
}

fn done(run: Output, says: &[&str]) -> Output {
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    for words in says {
        assert!(
            run.stdout.contains(words) || run.stderr.contains(words),
            "{words}: {}{}",
            run.stdout,
            run.stderr
        );
    }
    run
}

#[test]
fn what_a_machine_carried_stays_reachable_and_hardening_is_reported_until_it_is_wished() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let machine = carrying(&lab)?;
    let before = settings(&machine)?;

    // By itself: what is no hardening is done, what is one is told.
    inventory(&machine, "cron_jobs: [{ name: quota, command: /bin/true, schedule: \"12 4 * * *\" }]\n")?;
    let look = server(&machine, "", "pq-apply --check --text")?;
    assert_eq!(look.code, 3, "{}{}", look.stdout, look.stderr);
    let told = [
        "carried services before paquerette came: 8443/tcp (python3), 9000/tcp (python3)",
        "iptables-save: -A INPUT -p tcp",
    ];
    told.iter().for_each(|words| assert!(look.stderr.contains(words), "{words}: {}", look.stderr));
    let first = done(server(&machine, "", "pq-apply --text")?, &["hardening: enforce", " only reported"]);
    let reported =
        |name: &str| first.stdout.lines().any(|line| line.contains("reported") && line.contains(name));
    for name in ["server/ssh-settings", "server/firewall ", "server/login-umask", "server/kernel-net.ipv4"] {
        assert!(reported(name), "{name}: {}", first.stdout);
    }
    assert_eq!(settings(&machine)?, before);
    assert_eq!(answers(&machine), [true, true]);
    let cron = "grep -rl /bin/true /etc/cron.d | wc -l";
    assert_eq!(machine.sh(cron)?.text(), "1");
    done(server(&machine, "", "pq-apply --text")?, &[" 0 changed", " only reported"]);
    // Nothing is left to do but what is not wished.
    done(server(&machine, "", "pq-apply --check --text")?, &[" 0 differ"]);

    // A job that the inventory does not have any more goes where that is asked for, and nothing else.
    inventory(&machine, "")?;
    done(server(&machine, "", "pq-apply --text")?, &[" 0 changed"]);
    assert_eq!(machine.sh(cron)?.text(), "1");
    done(server(&machine, "--remove-unused", "pq-apply --text")?, &[" 1 changed", "server/unused"]);
    assert_eq!(machine.sh(cron)?.text(), "0");

    // What somebody changed is set aside, where cron does not read it.
    inventory(&machine, "cron_jobs: [{ name: quota, command: /bin/true, schedule: \"12 4 * * *\" }]\n")?;
    done(server(&machine, "", "pq-apply --text")?, &[" changed"]);
    machine.sh("echo '# mine' >>$(grep -rl /bin/true /etc/cron.d)")?.success()?;
    inventory(&machine, "")?;
    done(
        server(&machine, "--remove-unused", "pq-apply --text")?,
        &["was changed by hand, wanted set aside as `"],
    );
    assert_eq!(machine.sh("ls /etc/cron.d | grep quota")?.text(), "paquerette-job-quota.old");
    assert_eq!(machine.sh("grep -c mine /etc/cron.d/paquerette-job-quota.old")?.text(), "1");
    done(server(&machine, "--remove-unused", "pq-apply --text")?, &[" 0 changed"]);

    // Once it is wished it is done, and what answered others still does.
    inventory(&machine, "hardening: enforce\n")?;
    let hard = done(server(&machine, "", "pq-apply --text -v")?, &["9000/tcp is open (python3)"]);
    assert!(!hard.stdout.contains("reported"), "{}", hard.stdout);
    assert_ne!(settings(&machine)?, before);
    assert_eq!(answers(&machine), [true, true]);
    let rules = machine.run(["ufw", "status"])?.success()?.stdout;
    assert!(rules.contains("Status: active") && rules.contains("open before paquerette"), "{rules}");
    assert!(machine.sh("iptables -S INPUT")?.stdout.contains("--dport 5555 -j DROP"));
    done(server(&machine, "", "pq-apply --text")?, &[" 0 changed"]);

    // A person who left comes in no more, and a rule that is not wanted shuts.
    machine.sh("ssh-keygen -q -t ed25519 -N '' -C anna -f /root/anna")?.success()?;
    let person = format!(
        "operators: [{{ name: anna, keys: [\"{}\"] }}]\nfirewall_rules: [allow 8080/tcp]\n",
        machine.read("/root/anna.pub")?.trim()
    );
    inventory(&machine, &format!("hardening: enforce\n{person}"))?;
    done(
        server(&machine, "--remove-unused", "pq-apply --text")?,
        &["rule `allow 80/tcp`", "rule `allow 443/tcp`"],
    );
    let state =
        "set +e; ufw status | grep -c 'ALLOW *Anywhere *$'; grep -c anna /home/anna/.ssh/authorized_keys
                 ls /etc/sudoers.d | grep -c anna; true";
    assert_eq!(machine.sh(state)?.stdout, "1\n1\n1\n");
    inventory(&machine, "hardening: enforce\n")?;
    done(
        server(&machine, "--remove-unused", "pq-apply --text")?,
        &["key `anna ssh-ed25519", "rule `allow 8080/tcp`"],
    );
    assert_eq!(machine.sh(state)?.stdout, "2\n0\n0\n");
    done(server(&machine, "--remove-unused", "pq-apply --text")?, &[" 0 changed"]);

    // A wish for a report alone holds on any machine, and undoes nothing.
    inventory(&machine, "hardening: audit\n")?;
    done(server(&machine, "", "pq-apply --text")?, &[" 0 changed"]);
    assert!(machine.run(["ufw", "status"])?.stdout.contains("Status: active"));
    Ok(())
}

fn carrying(lab: &Lab) -> Result<Machine> {
    let machine = lab.boot("carried", &Image::Base(Suite::Bookworm))?;
    install(&machine)?;
    demo_inventory(lab, &machine)?;
    machine.sh(CARRIES)?.success()?;
    Ok(machine)
}
