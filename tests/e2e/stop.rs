//! Asked to stop, a run finishes the step at work and says how to go on; some steps alone, by their ids.

use std::time::{Duration, Instant};

use pq_testkit::lab::{self, Machine, Result};

use crate::world::{apply, bare, spawn_apply};

/// A command that takes a while, and notes what it got of signals; a step before it, and two behind.
const PLAN: &str = r#"{"type":"run","format":1,"inventory":"/nowhere","digest":"0","time":"2026-11-23T00:00:00Z"}
{"type":"host","host":"m","groups":["all"],"connection":{"kind":"local"},"os":"debian-12","instances":[],"vars":{}}
{"type":"step","host":"m","id":"one/dir","title":"its directory","do":"directory","path":"/srv/one"}
{"type":"step","host":"m","id":"one/work","title":"work that takes a while","do":"command","argv":["sh","-c","trap 'touch /srv/one/hit' INT TERM HUP; touch /srv/one/begun; sleep 2; touch /srv/one/done"],"creates":"/srv/one/done"}
{"type":"step","host":"m","id":"one/after","title":"what comes after","do":"file","path":"/srv/one/after","content":"x\n"}
{"type":"step","host":"m","id":"two/dir","title":"another directory","do":"directory","path":"/srv/two"}
{"type":"end","hosts":1,"status":0}
"#;

/// Whether there is such a file.
fn is_there(machine: &Machine, path: &str) -> Result<bool> {
    Ok(machine.run(["test", "-e", path])?.code == 0)
}

/// Waits until the work has begun.
fn begun(machine: &Machine) -> Result<()> {
    let begin = Instant::now();
    while !is_there(machine, "/srv/one/begun")? {
        assert!(begin.elapsed() < Duration::from_secs(20), "the work did not begin");
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

#[test]
fn a_run_that_is_asked_to_stop_finishes_its_step_and_the_next_one_goes_on() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let machine = bare(&lab, "stop")?;
    for signal in ["INT", "TERM", "HUP"] {
        machine.sh("rm -rf /srv/one /srv/two")?.success()?;
        let running = spawn_apply(&machine, PLAN)?;
        begun(&machine)?;
        machine.sh(&format!("pkill -{signal} -x pq-apply"))?.success()?;
        let stopped = running.wait()?;
        assert_eq!(stopped.code, 1, "{signal}: {}{}", stopped.stdout, stopped.stderr);
        assert!(
            stopped
                .stdout
                .contains(r#""id":"one/work","title":"work that takes a while","outcome":"changed""#)
        );
        assert!(stopped.stdout.contains(r#""not_reached":2"#), "{signal}: {}", stopped.stdout);
        assert!(
            stopped.stderr.contains("note: stopping when the step at work is done"),
            "{}",
            stopped.stderr
        );
        assert!(
            stopped.stderr.contains(&format!("the run was asked to stop (SIG{signal})"))
                && stopped.stderr.contains("hint: run the same command again"),
            "{}",
            stopped.stderr
        );
        assert!(is_there(&machine, "/srv/one/done")? && !is_there(&machine, "/srv/one/hit")?, "{signal}");
        assert!(!is_there(&machine, "/srv/one/after")? && !is_there(&machine, "/srv/two")?, "{signal}");
        let rerun = apply(&machine, PLAN, &["--text"])?;
        assert_eq!(rerun.code, 0, "{}{}", rerun.stdout, rerun.stderr);
        assert!(
            rerun.stdout.contains("2 ok, 2 changed") && !rerun.stderr.contains("interrupted"),
            "{}",
            rerun.stdout
        );
    }

    // Who asks twice means it: it ends at once, and the next run says so and goes on.
    machine.sh("rm -rf /srv/one /srv/two")?.success()?;
    let running = spawn_apply(&machine, PLAN)?;
    begun(&machine)?;
    machine.sh("pkill -INT -x pq-apply; sleep 0.2; pkill -INT -x pq-apply")?.success()?;
    let ended = running.wait()?;
    assert_eq!(ended.code, 130, "{}{}", ended.stdout, ended.stderr);
    let rerun = apply(&machine, PLAN, &[])?;
    assert_eq!(rerun.code, 0, "{}{}", rerun.stdout, rerun.stderr);
    assert!(rerun.stderr.contains("interrupted within `one/work`"), "{}", rerun.stderr);
    assert!(is_there(&machine, "/srv/two")?);
    Ok(())
}

#[test]
fn some_steps_alone_are_executed_by_their_ids() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let machine = bare(&lab, "only")?;
    let two = apply(&machine, PLAN, &["--only", "two/*", "--text"])?.success()?;
    assert!(two.stdout.contains("m: 0 ok, 1 changed"), "{}", two.stdout);
    assert!(two.stderr.contains("note: 3 more steps of the plan were not looked at"), "{}", two.stderr);
    assert!(is_there(&machine, "/srv/two")? && !is_there(&machine, "/srv/one")?);
    let check = apply(&machine, PLAN, &["--check", "--only", "*/dir", "--text"])?;
    assert_eq!(check.code, 3, "{}", check.stderr);
    assert!(check.stdout.contains("m: 1 ok, 1 differ"), "{}", check.stdout);
    let none = apply(&machine, PLAN, &["--only", "two"])?;
    assert_eq!((none.code, none.stdout.as_str()), (2, ""));
    assert!(none.stderr.contains("did you mean `two/*`? nothing was touched"), "{}", none.stderr);
    Ok(())
}

#[test]
fn on_a_terminal_what_is_at_work_is_shown_and_in_a_pipe_it_is_not() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let machine = bare(&lab, "live")?;
    machine.write("/root/plan", PLAN)?;
    let command = machine.command(["script", "-qec", "pq-apply --text </root/plan", "/dev/null"]);
    let shown = command.env("TERM", "xterm").output()?.success()?;
    assert!(
        shown.stdout.contains("one/work: work that takes a while;") && shown.stdout.contains("3 steps left"),
        "{}",
        shown.stdout
    );
    // Nothing of it stays: the line is taken away at last.
    let last = shown.stdout.split("0 steps left").last().unwrap_or_default();
    assert_eq!(last.trim_start_matches(' ').trim_end_matches('\n'), "\r\u{1b}[2K", "{:?}", shown.stdout);
    assert!(shown.stdout.contains("4 changed"), "{:?}", shown.stdout);
    machine.sh("rm -rf /srv/one /srv/two")?.success()?;
    let piped = apply(&machine, PLAN, &["--text"])?.success()?;
    assert!(!piped.stderr.contains("left") && !piped.stdout.contains("left"), "{}", piped.stderr);
    Ok(())
}
