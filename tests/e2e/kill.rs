//! Killed at any instant, a rerun reaches the same final state.

use pq_testkit::lab::{self, Machine, Result};

use crate::world::{apply, apply_killed, canonical, traced};

const PLAN: &str = include_str!("small.ndjson");

/// The steps of the plan that change something.
const CHANGING: usize = 14;

/// What the plan made, taken away by hand.
const UNDO: &str = "
    systemctl disable --now small.service 2>/dev/null || test ! -e /etc/systemd/system/small.service
    rm -rf /etc/systemd/system/small.service /etc/small.conf /srv/small /var/lib/paquerette
    systemctl daemon-reload
    if getent passwd small >/dev/null; then userdel small; fi
    if getent group small >/dev/null; then groupdel small; fi
    cp /root/login.defs /etc/login.defs; cp /root/motd /etc/motd
";

fn state(machine: &Machine) -> Result<String> {
    canonical(machine, &["/etc", "/srv"])
}

#[test]
fn a_small_plan_killed_before_and_after_each_step_ends_as_if_nothing_had_been() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let machine = traced(&lab, "killsmall")?;
    machine.sh("cp /etc/login.defs /root/login.defs; cp /etc/motd /root/motd")?.success()?;
    apply(&machine, PLAN, &[])?.success()?;
    let undisturbed = state(&machine)?;
    let again = apply(&machine, PLAN, &["--text"])?.success()?;
    assert!(again.stdout.contains(" 0 changed"), "{}", again.stdout);

    for point in 1..=2 * CHANGING {
        machine.sh(UNDO)?.success()?;
        let killed = apply_killed(&machine, PLAN, point)?;
        assert_eq!(killed.code, 137, "point {point}: {}{}", killed.stdout, killed.stderr);
        let rerun = apply(&machine, PLAN, &[])?;
        assert_eq!(rerun.code, 0, "point {point}: {}{}", rerun.stdout, rerun.stderr);
        assert!(rerun.stderr.contains("was interrupted"), "point {point}: {}", rerun.stderr);
        assert_eq!(state(&machine)?, undisturbed, "point {point}");
    }
    machine.sh(UNDO)?.success()?;
    let beyond = apply_killed(&machine, PLAN, 2 * CHANGING + 1)?;
    assert_eq!(beyond.code, 0, "the plan has more than {CHANGING} changing steps: {}", beyond.stdout);
    Ok(())
}
