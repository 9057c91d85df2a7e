//! What goes wrong while an instance is installed concerns no other one, is told with its cause and its cure, and leaves nothing
//! half-installed that is served; once it is mended, the same command ends as if nothing had been.

use pq_testkit::lab::{self, Machine, Result};

use crate::apps::{counter, visits};
use crate::world::{HOST, bare, demo_inventory, done, nothing_left, pipe};

/// A server of archives that breaks off after nine tenths of each.
const CUTS: &str = r#"
import http.server, os
class Cut(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        whole = open('/root/sources' + self.path, 'rb').read()
        self.send_response(200); self.send_header('Content-Length', str(len(whole))); self.end_headers()
        self.wfile.write(whole[:len(whole) * 9 // 10]); self.wfile.flush(); self.connection.close()
http.server.HTTPServer(('127.0.0.1', 8088), Cut).serve_forever()
"#;

/// The mirror of the machine itself, and that of the lab.
const OWN: &str = "127.0.0.1:8087";
const LAB: &str = "10.77.0.1:8088";

/// The inventory's machine: an instance that works, and these behind it, from archives that a mirror serves.
fn instances(machine: &Machine, mirror: &str, archive: &str, more: &str) -> Result<()> {
    machine.write(
        HOST,
        format!(
            "os: debian-12\nmemory_mb: 2048\nsource_mirror: http://{mirror}\nplatform: [python]\ninstances:\n  \
             - {{ app: php, id: blog, domain: blog.demo.test, {archive} }}\n{more}"
        ),
    )
}

/// The run fails and says so, the other instance works as before, and nobody is served what is not there.
fn fails(machine: &Machine, words: &[&str]) -> Result<()> {
    let run = pipe(machine, "pq-apply --text")?;
    let said = run.stdout.clone() + &run.stderr;
    assert_eq!(run.code, 1, "{said}");
    for word in words {
        assert!(said.contains(word), "`{word}` is not in:\n{said}");
    }
    assert!(visits(machine, "blog")?.is_some());
    let served =
        machine.sh("ls /etc/nginx/sites-enabled /srv/paquerette/www/shop/current 2>/dev/null || true")?;
    assert!(!served.stdout.contains("shop"), "{}", served.stdout);
    Ok(())
}

#[test]
fn what_fails_of_one_instance_concerns_no_other_and_is_made_good_by_a_rerun() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let machine = bare(&lab, "faults")?;
    demo_inventory(&lab, &machine)?;
    machine.sh("mkdir -p /root/site-7; head -c 8000000 /dev/urandom > /root/site-7/large")?.success()?;
    let archive = counter(&machine, "")?;
    machine.write("/root/cuts.py", CUTS)?;
    machine.sh("systemd-run --unit cuts python3 /root/cuts.py")?.success()?;
    let shop = |archive: &str, more: &str| {
        format!("  - {{ app: php, id: shop, domain: shop.demo.test, {archive} {more} }}\n")
    };
    instances(&machine, OWN, &archive, "")?;
    done(pipe(&machine, "pq-apply --text")?);
    machine.sh("apt-get install -y -qq curl >/dev/null")?.success()?;

    // Another digest than that of what comes.
    let (before, digest) = archive.split_once("sha256: ").unwrap_or_default();
    let other = format!("{before}sha256: {}{}", "0".repeat(8), &digest[8..]);
    instances(&machine, OWN, &archive, &shop(&other, ""))?;
    fails(&machine, &["shop/release", "SHA-256", "00000000"])?;

    // The source is down, breaks off each time, or has nothing of that name.
    for (mirror, words) in [("127.0.0.1:8089", "connection refused"), ("127.0.0.1:8088", "broke off")] {
        instances(&machine, mirror, &archive, &shop(&archive, ""))?;
        fails(&machine, &["shop/release", words, "run again when the server answers"])?;
    }
    instances(&machine, OWN, &archive, &shop(&archive.replace("site-7", "site-8"), ""))?;
    fails(&machine, &["shop/release", "404", "pin another version"])?;

    // The disk is full while it is unpacked.
    let releases = "/srv/paquerette/www/shop/releases";
    machine.sh(&format!("mount -t tmpfs -o size=12m tmpfs {releases}"))?.success()?;
    instances(&machine, OWN, &archive, &shop(&archive, ""))?;
    fails(&machine, &["shop/release", "no space left on device"])?;
    assert_eq!(machine.sh(&format!("ls {releases}"))?.text(), "");
    machine.sh(&format!("umount {releases}"))?.success()?;

    // A port that somebody else has: nothing is started, and no site hands on to who listens there.
    let listens = "mkdir /root/theirs; systemd-run --unit theirs python3 -m http.server -d /root/theirs -b 127.0.0.1 5232";
    machine.sh(listens)?.success()?;
    let calendar = "  - { app: radicale, id: dav, domain: dav.demo.test }\n";
    instances(&machine, LAB, &archive, calendar)?;
    fails(&machine, &["cannot start `pq-dav.service`", "`python3` listens on port 5232"])?;
    assert_eq!(machine.sh("ls /etc/nginx/sites-enabled | grep dav; true")?.text(), "");
    machine.sh("systemctl stop theirs.service")?.success()?;

    // Made good: the same command, and nothing is left to do.
    done(pipe(&machine, "pq-apply --text")?);
    instances(&machine, OWN, &archive, &(shop(&archive, "") + calendar))?;
    done(pipe(&machine, "pq-apply --text")?);
    assert!(visits(&machine, "shop")?.is_some());
    nothing_left(&machine)
}
