//! How hard a machine is to attack after a run, as three programs of others measure it: Lynis for the whole, `systemd-analyze
//! security` for each unit, testssl.sh for TLS.
//!
//! `make bench-hardening`. A disposable bookworm gets the server, the platform and the demo's two instances, and is measured
//! before and after. What is installed for the measure alone (the programs and what they run on) comes after the run.

use std::process::ExitCode;

use pq_testkit::lab::{Image, Lab, Machine, Suite};
use serde_json::Value;

#[path = "../e2e/world.rs"]
#[expect(dead_code, reason = "tests use more of it")]
mod world;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// What testssl.sh finds that is not ours to mend, and why; `docs/design/hardening.md` has more words.
const WAIVED: [(&str, &str); 4] = [
    ("cipher_order", "Mozilla's profile lets the client choose"),
    ("cert_revocation", "the authority of the test has no list of revoked certificates"),
    ("cert_validityPeriod", "the authority of the test signs for longer than a public one"),
    ("HSTS", "said with a public certificate alone"),
];

/// The site that is measured.
const SITE: &str = "wiki.demo.test";

fn main() -> ExitCode {
    match bench() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-hardening: error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn bench() -> Result<()> {
    let lab = Lab::open()?;
    let bare = lab.boot("bench-hardening0", &Image::Base(Suite::Bookworm))?;
    let before = lynis(&bare)?;
    drop(bare);
    println!("lynis, a bare machine: {}", before.index);

    let machine = lab.boot("bench-hardening", &Image::Base(Suite::Bookworm))?;
    world::install(&machine)?;
    world::demo_inventory(&lab, &machine)?;
    machine.sh(
        "cd /root/paquerette/inventory &&
         printf 'platform: [nginx, php, python, mariadb, postgres, redis]\\nmemory_mb: 2048\\nsmtp_host: relay.demo.test\\n' > host_vars/demo.yml",
    )?
    .success()?;
    let run = world::pipe(&machine, "pq-apply --text")?;
    if run.code != 0 {
        return Err(format!("the run failed: {}{}", run.stdout, run.stderr).into());
    }

    let (units, php) = units(&machine)?;
    let findings = tls(&machine)?;
    let after = lynis(&machine)?;
    println!("lynis: {} (bare {}); it suggests:", after.index, before.index);
    after.suggestions.iter().for_each(|it| println!("  {it}"));
    println!("php-fpm: {php:.1}");
    println!(
        "result: lynis={} lynis_bare={} units_max={units:.1} php_fpm={php:.1} testssl_findings={findings}",
        after.index, before.index
    );
    Ok(())
}

/// What Lynis says of a machine.
struct Lynis {
    index: u32,
    suggestions: Vec<String>,
}

fn lynis(machine: &Machine) -> Result<Lynis> {
    // Both machines have the updates of the day.
    let script =
        "apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get upgrade -y -qq >/dev/null 2>&1 &&
                  apt-get install -y -qq --no-install-recommends lynis >/dev/null 2>&1 &&
                  cd / && lynis audit system --quick --no-colors --report-file /root/lynis.dat >/dev/null";
    machine.sh(script)?.success()?;
    let report = machine.read("/root/lynis.dat")?;
    let value = |line: &str, key: &str| line.strip_prefix(key).map(str::to_owned);
    let index = report.lines().find_map(|line| value(line, "hardening_index="));
    Ok(Lynis {
        index: index.ok_or("lynis gave no index")?.parse()?,
        suggestions: report.lines().filter_map(|line| value(line, "suggestion[]=")).collect(),
    })
}

/// The exposure of the worst unit that is written whole, and of PHP's.
fn units(machine: &Machine) -> Result<(f64, f64)> {
    let listed = machine.sh("cd /etc/systemd/system && ls pq-*.service")?.success()?.stdout;
    let exposure = |unit: &str| -> Result<f64> {
        let said = machine.run(["systemd-analyze", "security", "--no-pager", unit])?.success()?.stdout;
        let words: Vec<&str> = said.lines().last().unwrap_or_default().split_whitespace().collect();
        let at = words.iter().position(|word| word.ends_with(':')).ok_or("no exposure")?;
        Ok(words.get(at + 1).ok_or("no exposure")?.parse()?)
    };
    let mut worst: f64 = 0.0;
    for unit in listed.split_whitespace() {
        let is = exposure(unit)?;
        println!("{unit}: {is:.1}");
        worst = worst.max(is);
    }
    for unit in ["nginx.service", "postfix@-.service", "mariadb.service"] {
        println!("{unit}: {:.1} (its own, or with a drop-in of ours)", exposure(unit)?);
    }
    Ok((worst, exposure("php8.2-fpm.service")?))
}

/// How many things testssl.sh finds that are LOW or worse and not waived.
fn tls(machine: &Machine) -> Result<usize> {
    let script = format!(
        "trap 'tail -n 20 /root/tls.txt >&2' EXIT
         apt-get install -y -qq --no-install-recommends testssl.sh bsdextrautils bind9-dnsutils >/root/tls.txt 2>&1
         grep -q {SITE} /etc/hosts || echo 127.0.0.1 {SITE} >> /etc/hosts
         rm -f /root/tls.json
         testssl --quiet --color 0 --warnings off --ip 127.0.0.1 --nodns none --add-ca /etc/paquerette/ca/ca.pem \
                 --jsonfile /root/tls.json {SITE}:443 >/root/tls.txt 2>&1; test -s /root/tls.json"
    );
    machine.sh(&script)?.success()?;
    let report: Value = serde_json::from_str(&machine.read("/root/tls.json")?)?;
    let findings = report.as_array().ok_or("testssl.sh wrote no list")?;
    if findings.len() < 50 {
        return Err(format!("testssl.sh tried {} things alone", findings.len()).into());
    }
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    let mut count = 0;
    for finding in findings {
        let (id, severity) = (text(finding, "id"), text(finding, "severity"));
        match severity.as_str() {
            "LOW" | "MEDIUM" | "HIGH" | "CRITICAL" => {}
            // A word of testssl.sh on itself and its openssl.
            "WARN" => {
                println!("testssl: {id} could not be tried: {}", text(finding, "finding"));
                continue;
            }
            _ => continue,
        }
        let waiver = WAIVED.iter().find(|(waived, _)| id.starts_with(waived));
        count += usize::from(waiver.is_none());
        let why = waiver.map_or("counts", |(_, why)| why);
        println!("testssl: {severity} {id}: {} ({why})", text(finding, "finding"));
    }
    Ok(count)
}
