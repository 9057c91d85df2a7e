//! What a run with fifty checks costs, ten of which hang: how long beyond the time that each has, how much memory; beside one cycle of
//! monit with the same fifty.
//!
//! `make bench-monitor`. On a disposable bookworm; three rounds, of which the worst counts for us, and the best for monit.

use std::process::ExitCode;

use pq_testkit::lab::{Image, Lab, Machine, Suite};

#[path = "../e2e/world.rs"]
#[expect(dead_code, reason = "tests use more of it")]
mod world;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const ROUNDS: usize = 3;

/// How long each check has.
const TIMEOUT: f64 = 10.0;

/// A server that answers on 8090, and one that takes connections up on 8091 and says nothing.
const SERVERS: &str = "
import socket, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Well(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.send_header('Content-Length', '4'); self.end_headers(); self.wfile.write(b'well')
    def log_message(self, *args): pass
mute = socket.create_server(('127.0.0.1', 8091), backlog=100)
threading.Thread(target=ThreadingHTTPServer(('127.0.0.1', 8090), Well).serve_forever).start()
held = []
while True: held.append(mute.accept())
";

/// Runs a command, and prints seconds, kilobytes and its exit status.
const MEASURE: &str = "
import resource, subprocess, sys, time
begun = time.monotonic()
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
print(time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, code)
";

fn main() -> ExitCode {
    match bench() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-monitor: error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn bench() -> Result<()> {
    let lab = Lab::open()?;
    let machine = lab.boot("bench-monitor", &Image::Base(Suite::Bookworm))?;
    world::install(&machine)?;
    machine
        .sh("systemctl mask -q monit; apt-get update -qq; DEBIAN_FRONTEND=noninteractive apt-get install -y -qq monit cron >/dev/null; mkdir -p /etc/paquerette/monitor.d")?
        .success()?;
    machine.write("/root/servers.py", SERVERS)?;
    machine.sh("systemd-run -q --unit=servers python3 /root/servers.py; sleep 1")?.success()?;
    machine.write("/etc/paquerette/monitor.yml", STRATEGY)?;
    machine.write("/etc/paquerette/monitor.d/bench.yml", item())?;
    machine.write("/root/monitrc", monitrc())?;
    machine.sh("chmod 0600 /root/monitrc")?.success()?;
    let (mut beyond, mut memory, mut ours, mut theirs) = (0.0_f64, 0.0_f64, 0.0_f64, f64::MAX);
    for round in 1..=ROUNDS {
        let (seconds, kilobytes) = measured(&machine, &["pq-monitor", "run", "--all", "--quiet"], 3)?;
        let counted =
            machine.sh("pq-monitor status --json | grep -c '\"check\":\"bench/.*\"code\":\"timeout\"'")?;
        if counted.text() != "10" {
            return Err(format!("{} checks timed out, not 10", counted.text()).into());
        }
        // Where no daemon of it runs, it does one cycle itself; its status says nothing of that.
        machine.sh("rm -f /var/log/monit.log")?.success()?;
        let (monit, _) = measured(&machine, &["monit", "-c", "/root/monitrc", "validate"], 0)?;
        let noted = machine.sh("grep -c \"'hang[0-9]' failed\" /var/log/monit.log || true")?;
        if noted.text() != "10" {
            return Err(format!("monit noted {} pages that hang, not 10", noted.text()).into());
        }
        println!(
            "round {round}: pq-monitor {seconds:.2} s, {:.1} MB; monit {monit:.2} s",
            kilobytes / 1024.0
        );
        beyond = beyond.max(seconds - TIMEOUT);
        memory = memory.max(kilobytes / 1024.0);
        ours = ours.max(seconds);
        theirs = theirs.min(monit);
    }
    println!(
        "result: beyond_deadline_s={beyond:.2} rss_mb={memory:.1} monit_cycle_ratio={:.3}",
        ours / theirs
    );
    Ok(())
}

/// Seconds and kilobytes of a command that ends with that status.
fn measured(machine: &Machine, argv: &[&str], wanted: i32) -> Result<(f64, f64)> {
    let argv: Vec<&str> = ["python3", "-c", MEASURE].into_iter().chain(argv.iter().copied()).collect();
    let said = machine.run(argv.clone())?.success()?.text().to_owned();
    let numbers: Vec<f64> = said.split_whitespace().filter_map(|it| it.parse().ok()).collect();
    match numbers[..] {
        [seconds, kilobytes, code] if code == f64::from(wanted) || wanted == 0 => Ok((seconds, kilobytes)),
        _ => Err(format!("`{}` said {said}", argv[3]).into()),
    }
}

const STRATEGY: &str = "
schedule: { run: '* * * * *', digest: '0 7 * * 1' }
alerts: { remind_after: [4h] }
thresholds: { damping: { failures: 3, of: 3 }, disk: { warn: 98, critical: 99 }, disk_full_within: 1d, certificate: { warn: 72, critical: 84 } }
";

/// Ten pages that hang, ten that answer, ten ports, ten units, ten file systems.
fn item() -> String {
    let mut text = "owner: bench\nchecks:\n".to_owned();
    for at in 0..10 {
        for check in [
            format!("id: hang{at}, http: {{ url: 'http://127.0.0.1:8091/{at}' }}"),
            format!("id: page{at}, http: {{ url: 'http://127.0.0.1:8090/{at}', body: well }}"),
            format!("id: port{at}, tcp: {{ host: 127.0.0.1, port: 8090 }}"),
            format!("id: unit{at}, unit: {{ name: cron.service }}"),
            format!("id: disk{at}, disk: {{ path: / }}"),
        ] {
            text.push_str(&format!("- {{ {check} }}\n"));
        }
    }
    text
}

/// The same for monit, with the same time for each.
fn monitrc() -> String {
    let mut text = "set daemon 60\nset logfile /var/log/monit.log\nset pidfile /run/monit.pid\nset statefile /run/monit.state\n".to_owned();
    for at in 0..10 {
        text.push_str(&format!(
            "check host hang{at} with address 127.0.0.1\n  if failed port 8091 protocol http request '/{at}' with timeout 10 seconds then alert\n\
             check host page{at} with address 127.0.0.1\n  if failed port 8090 protocol http request '/{at}' with timeout 10 seconds then alert\n\
             check host port{at} with address 127.0.0.1\n  if failed port 8090 with timeout 10 seconds then alert\n\
             check process unit{at} with pidfile /run/crond.pid\n\
             check filesystem disk{at} with path /\n  if space usage > 98% then alert\n"
        ));
    }
    text
}
