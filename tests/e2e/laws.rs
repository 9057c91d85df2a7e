//! Every step type obeys the laws on a real machine: the examples of the laws, through `pq-apply`.

use pq_testkit::lab::{self, Machine, Output, Result};
use pq_testkit::laws::{self, Example};

use crate::world::{self, apply, bare};

/// The machine as it was before an example, as far as the examples reach.
const RESET: &str = "
    set +e
    rm -rf /srv/law /etc/cron.d/law /var/lib/paquerette /usr/lib/locale/locale-archive /usr/lib/locale/??_*
    for unit in reload restart service stopped unit; do
        systemctl disable --now law-$unit.service; rm -f /etc/systemd/system/law-$unit.service
    done 2>/dev/null
    test ! -e /etc/locale.gen || sed -i 's/^[a-z]/# &/' /etc/locale.gen
    systemctl daemon-reload
    userdel lawuser; groupdel lawuser; groupdel lawgroup; groupdel lawpeople
    userdel lawkey; groupdel lawkey
    rm -f /etc/apt/sources.list.d/law.sources /etc/apt/keyrings/law.gpg
    rm -f /etc/nginx/sites-*/law /etc/apache2/sites-*/law.conf
    rm -f /etc/sysctl.d/60-paquerette-* /etc/sysctl.d/99-law.conf
    echo 0 >/proc/sys/net/ipv4/ip_forward; echo 32768 60999 >/proc/sys/net/ipv4/ip_local_port_range
    true
";

/// What an example may have changed, without keys and the copies that the account tools keep.
const STATE: &str = "
    cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/ip_local_port_range
    test ! -e /var/lib/apache2 || find /var/lib/apache2 -type f | sort
    find /srv/law /etc -not -path '*/__pycache__*' -printf '%p %y %m %u:%g %l\\n' | sort
    find /srv/law /etc -type f -not -name '*.pyc' -not -name 'passwd-' -not -name 'group-' -not -name '*shadow-' \
        -not -path '*/certificate/*' -print0 | sort -z | xargs -0 sha256sum
";

/// Serves what the examples download, in the machine itself.
fn serve(machine: &Machine) -> Result<()> {
    machine.sh("mkdir -p /root/sources/law")?.success()?;
    for (path, bytes) in laws::sources() {
        machine.write(&format!("/root/sources/{path}"), bytes)?;
    }
    world::serve(machine, "/root/sources")
}

/// One example from one start: prepared, checked, applied, and applied again. The state in which it ends.
fn one(machine: &Machine, example: &Example, start: usize) -> Result<String> {
    let name = format!("{} ({}), start {start}", example.kind(), example.about);
    let holds = |output: &Output, code: i32, says: &str| {
        let right = output.code == code && output.stdout.contains(says);
        assert!(
            right,
            "{name}: {} instead of {code} and `{says}`\n{}{}",
            output.code, output.stdout, output.stderr
        );
    };
    let already = example.already.contains(&start);
    let step = laws::plan(std::slice::from_ref(&example.step));

    machine.sh(RESET)?.success()?;
    // Each by itself: what a start spoils, it may have prepared, and what it writes over may be what no step wrote.
    for before in example.prepare.iter().chain(&example.starts[start]) {
        let kind = before.get("do").and_then(serde_json::Value::as_str).unwrap_or_default();
        let whole = ["file", "cron", "unit"].contains(&kind) && !before.contains_key("seed");
        let take: &[&str] = if whole { &["--take", "ours", "/**"] } else { &[] };
        apply(machine, &laws::plan(std::slice::from_ref(before)), take)?.success()?;
    }
    holds(&apply(machine, &step, &["--check", "--text"])?, if already { 0 } else { 3 }, "");
    holds(&apply(machine, &step, &["--text"])?, 0, if already { " 0 changed" } else { " 1 changed" });
    holds(&apply(machine, &step, &["--check", "--text"])?, 0, " 0 differ");
    holds(&apply(machine, &step, &["--text"])?, 0, " 0 changed");
    Ok(machine.sh(STATE)?.success()?.stdout)
}

#[test]
fn every_step_type_obeys_the_laws_on_a_real_machine() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let machine = bare(&lab, "laws")?;
    serve(&machine)?;
    let on_a_bare_one = |example: &Example| example.needs.is_none();
    for example in laws::examples().map_err(lab::Error::new)?.into_iter().filter(on_a_bare_one) {
        if example.kind() == "transaction" {
            // Its steps are those of a plan: `executor` has them.
            continue;
        }
        if example.only_looks {
            let step = laws::plan(std::slice::from_ref(&example.step));
            assert_eq!(apply(&machine, &step, &[])?.code, 0, "{}", example.kind());
            continue;
        }
        let ends: Vec<String> =
            (0..example.starts.len()).map(|start| one(&machine, &example, start)).collect::<Result<_>>()?;
        for (start, end) in ends.iter().enumerate() {
            assert_eq!(*end, ends[0], "{} ({}) from start {start}", example.kind(), example.about);
        }
    }
    Ok(())
}
