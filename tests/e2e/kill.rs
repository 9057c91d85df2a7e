//! Killed at any instant, a rerun reaches the same final state.

use pq_testkit::lab::{self, Machine, Result};

use crate::world::{apply, apply_killed, canonical, demo_inventory, pipe, traced};

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

/// How many random instants of the demo's plan are tried.
const INSTANTS: usize = 10;

/// A seed that `PQ_SEED` can set; printed, so that a failure can be had again.
fn seed() -> u64 {
    let seed = std::env::var("PQ_SEED").ok().and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.map_or(1, |now| u64::from(now.subsec_nanos()) | 1)
    });
    eprintln!("PQ_SEED={seed}");
    seed
}

/// The next number of a sequence (Marsaglia's xorshift64).
fn next(state: &mut u64) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    usize::try_from(*state >> 33).unwrap_or(0)
}

#[test]
fn the_demo_killed_at_ten_random_steps_ends_as_if_nothing_had_been() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let mut state_of_chance = seed();
    let all = ["/etc", "/srv", "/var"];

    let undisturbed = {
        let machine = traced(&lab, "killnot")?;
        demo_inventory(&lab, &machine)?;
        pipe(&machine, "pq-apply >/root/first")?.success()?;
        canonical(&machine, &all)?
    };

    let machine = traced(&lab, "killdemo")?;
    demo_inventory(&lab, &machine)?;
    let plan = pipe(&machine, "cat")?.success()?;
    assert_eq!(plan.stderr, "");
    let plan = plan.stdout;
    let changing = 2 * plan.matches("\"type\":\"step\"").count();
    let mut kills = 0;
    while kills < INSTANTS {
        // Far enough apart that ten of them lie within the plan; the rest runs undisturbed.
        let nth = 1 + next(&mut state_of_chance) % (changing / INSTANTS);
        let killed = apply_killed(&machine, &plan, nth)?;
        if killed.code == 0 {
            break;
        }
        assert_eq!(killed.code, 137, "{}{}", killed.stdout, killed.stderr);
        kills += 1;
    }
    assert!(kills >= INSTANTS / 2, "only {kills} kills hit");
    let last = apply(&machine, &plan, &[])?;
    assert_eq!(last.code, 0, "{}{}", last.stdout, last.stderr);
    let text = apply(&machine, &plan, &["--text"])?.stdout;
    assert!(text.contains(" 0 changed"), "{text}");
    let ended = canonical(&machine, &all)?;
    let differing: Vec<_> = unlike(&undisturbed, &ended);
    assert!(differing.is_empty(), "{}", differing.join("\n"));
    Ok(())
}

/// The lines that only one of two texts has.
fn unlike(one: &str, other: &str) -> Vec<String> {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<std::collections::BTreeSet<_>>();
    let (one, other) = (lines(one), lines(other));
    let only =
        |sign: &str, a: &std::collections::BTreeSet<String>, b: &std::collections::BTreeSet<String>| {
            a.difference(b).map(|line| format!("{sign} {line}")).collect::<Vec<_>>()
        };
    [only("-", &one, &other), only("+", &other, &one)].concat()
}
