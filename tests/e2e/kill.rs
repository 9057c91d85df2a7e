//! Killed at any instant, a rerun reaches the same final state.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use pq_testkit::lab::{self, Machine, Result};
use pq_tests::Matrix;
use serde_json::Value;

use crate::world::{apply, apply_killed, canonical, demo_inventory, pipe, spawn_apply, traced};

const PLAN: &str = include_str!("small.ndjson");

/// The steps of the small plan that change something.
const CHANGING: usize = 14;

/// What the small plan made, taken away by hand.
const UNDO: &str = "
    systemctl disable --now small.service 2>/dev/null || test ! -e /etc/systemd/system/small.service
    rm -rf /etc/systemd/system/small.service /etc/small.conf /srv/small /var/lib/paquerette
    systemctl daemon-reload
    if getent passwd small >/dev/null; then userdel small; fi
    if getent group small >/dev/null; then groupdel small; fi
    cp /root/login.defs /etc/login.defs; cp /root/motd /etc/motd
";

/// What the state of a machine is compared by, below these.
const SMALL: [&str; 2] = ["/etc", "/srv"];
const WHOLE: [&str; 3] = ["/etc", "/srv", "/var"];

/// The step that a killed run was in, by its last event.
pub fn within(stdout: &str) -> String {
    let mut events = stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let started = events.rfind(|event| event["outcome"] == "started");
    started.and_then(|event| event["id"].as_str().map(str::to_owned)).unwrap_or_default()
}

/// The lines that only one of two texts has.
pub fn unlike(undisturbed: &str, rerun: &str) -> String {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let (one, other) = (lines(undisturbed), lines(rerun));
    let missing = one.difference(&other).map(|line| format!("- {line}\n"));
    missing.chain(other.difference(&one).map(|line| format!("+ {line}\n"))).collect()
}

/// One kill and the rerun: the step it was in, and whether the end was as if nothing had been.
fn kill_and_rerun(
    machine: &Machine,
    nth: usize,
    undisturbed: &str,
) -> Result<std::result::Result<(), String>> {
    machine.sh(UNDO)?.success()?;
    let killed = apply_killed(machine, PLAN, nth)?;
    if killed.code != 137 {
        return Ok(Err(format!("not killed: {} {}", killed.code, killed.stderr)));
    }
    let rerun = apply(machine, PLAN, &[])?;
    // A step that was done may have been noted as ended, though not for sure.
    let told =
        if nth % 2 == 1 { format!("within `{}`", within(&killed.stdout)) } else { "interrupted".to_owned() };
    if rerun.code != 0 || !rerun.stderr.contains(&told) {
        return Ok(Err(format!("the rerun ended with {}: {}{}", rerun.code, rerun.stdout, rerun.stderr)));
    }
    let unlike = unlike(undisturbed, &canonical(machine, &SMALL)?);
    Ok(if unlike.is_empty() { Ok(()) } else { Err(unlike) })
}

#[test]
fn matrix_kill_small_a_plan_killed_before_and_after_each_step_ends_as_if_nothing_had_been() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let mut matrix = Matrix::open("kill_small");
    let machine = traced(&lab, "killsmall")?;
    machine.sh("cp /etc/login.defs /root/login.defs; cp /etc/motd /root/motd")?.success()?;
    apply(&machine, PLAN, &[])?.success()?;
    let undisturbed = canonical(&machine, &SMALL)?;
    let again = apply(&machine, PLAN, &["--text"])?.success()?;
    assert!(again.stdout.contains(" 0 changed"), "{}", again.stdout);
    machine.sh(UNDO)?.success()?;
    let beyond = apply_killed(&machine, PLAN, 2 * CHANGING + 1)?;
    assert_eq!(beyond.code, 0, "the plan has more than {CHANGING} changing steps: {}", beyond.stdout);

    let points = (1..=2 * CHANGING).map(|nth| format!("{nth:02}"));
    for point in matrix.draw(points, CHANGING / 2) {
        let begun = Instant::now();
        let verdict = kill_and_rerun(&machine, point.parse().unwrap_or(0), &undisturbed)?;
        matrix.note(&point, verdict, begun.elapsed());
    }
    matrix.finish();
    Ok(())
}

/// How many random instants of the demo's plan are tried.
const INSTANTS: usize = 3;

/// Killed while a step's own commands are at work, which go on without us: the rerun waits for them.
fn killed_within_a_step(matrix: &mut Matrix, machine: &Machine, undisturbed: &str) -> Result<()> {
    let plan = pipe(machine, "cat")?.success()?.stdout;
    let moments = [800, 2500];
    let moments = if matrix.whole() { &moments[..] } else { &moments[matrix.below(2)..][..1] };
    for milliseconds in moments.iter().copied() {
        machine.sh("rm -rf /srv/paquerette/www/dav/releases/*")?.success()?;
        let running = spawn_apply(machine, &plan)?;
        let begun = Instant::now();
        while machine.sh("find /srv/paquerette/www/dav/releases -mindepth 1 | grep -q .")?.code != 0 {
            assert!(begun.elapsed() < Duration::from_secs(60), "the release does not begin");
        }
        std::thread::sleep(Duration::from_millis(milliseconds));
        running.kill();
        let killed = running.wait()?;
        assert_eq!(killed.code, 137, "after {milliseconds} ms: {}", killed.stdout);
        assert_eq!(within(&killed.stdout), "dav/release");
        let rerun = apply(machine, &plan, &[])?;
        assert_eq!(rerun.code, 0, "after {milliseconds} ms: {}{}", rerun.stdout, rerun.stderr);
        let unlike = unlike(undisturbed, &canonical(machine, &WHOLE)?);
        assert!(unlike.is_empty(), "after {milliseconds} ms: {unlike}");
    }
    Ok(())
}

/// Kills a plan, runs it again and kills it further on: before and after each step in a whole matrix, else so many times, at
/// most `stride` notes of the journal apart. Answers the steps, and how long each run lived.
pub fn walk(
    matrix: &mut Matrix,
    machine: &Machine,
    plan: &str,
    stride: usize,
    most: usize,
) -> Result<Vec<(String, Duration)>> {
    let mut kills = Vec::new();
    while matrix.whole() || kills.len() < most {
        // Odd ones come before a step is done, even ones after.
        let nth = if matrix.whole() { 1 + kills.len() % 2 } else { 1 + matrix.below(stride) };
        let begun = Instant::now();
        let killed = apply_killed(machine, plan, nth)?;
        if killed.code == 0 {
            break;
        }
        assert_eq!(killed.code, 137, "{}{}", killed.stdout, killed.stderr);
        let when = if nth % 2 == 1 { "before" } else { "after" };
        kills.push((format!("{} {when}", within(&killed.stdout)), begun.elapsed()));
    }
    assert!(kills.len() >= most / 2, "only {} kills hit", kills.len());
    Ok(kills)
}

/// A walk: killed, run again and killed further on, to the end. Whole: before and after each step.
#[test]
fn matrix_kill_demo_the_demo_killed_all_along_ends_as_if_nothing_had_been() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let mut matrix = Matrix::open("kill_demo");
    let undisturbed = {
        let machine = traced(&lab, "killnot")?;
        demo_inventory(&lab, &machine)?;
        pipe(&machine, "pq-apply >/root/first")?.success()?;
        let undisturbed = canonical(&machine, &WHOLE)?;
        killed_within_a_step(&mut matrix, &machine, &undisturbed)?;
        undisturbed
    };

    let machine = traced(&lab, "killdemo")?;
    demo_inventory(&lab, &machine)?;
    let plan = pipe(&machine, "cat")?.success()?;
    assert_eq!(plan.stderr, "");
    let plan = plan.stdout;
    // Far enough apart that all of them lie within the plan; the rest runs undisturbed.
    let stride = 2 * plan.matches("\"type\":\"step\"").count() / INSTANTS;
    let kills = walk(&mut matrix, &machine, &plan, stride, INSTANTS)?;
    let last = apply(&machine, &plan, &[])?;
    assert_eq!(last.code, 0, "after {kills:?}: {}{}", last.stdout, last.stderr);
    let text = apply(&machine, &plan, &["--text"])?.stdout;
    assert!(text.contains(" 0 changed"), "{text}");
    let unlike = unlike(&undisturbed, &canonical(&machine, &WHOLE)?);
    for (point, time) in kills {
        matrix.note(&point, if unlike.is_empty() { Ok(()) } else { Err(unlike.clone()) }, time);
    }
    matrix.note("the end", if unlike.is_empty() { Ok(()) } else { Err(unlike) }, Duration::ZERO);
    matrix.finish();
    Ok(())
}
