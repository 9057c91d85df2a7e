//! Commands: their environment, their limits, and the view in which they can only look.

use std::fs;
use std::time::{Duration, Instant};

use pq_steps::{Command, Error, Probe, System, Text};

use crate::{World, root, told};

fn shell(script: &str) -> Command {
    Command::new(["sh", "-c", script])
}

#[test]
fn a_status_other_than_zero_is_no_error_and_a_signal_is_a_status() {
    let mut world = World::new();
    let output = world.machine.run(&shell("echo out; echo err >&2; exit 7")).unwrap();
    assert_eq!((output.status, output.stdout.as_str(), output.stderr.as_str()), (7, "out\n", "err\n"));
    assert_eq!(world.machine.run(&shell("kill -TERM $$")).unwrap().status, 128 + 15);
}

#[test]
fn the_environment_is_clean_and_the_input_closed() {
    let mut world = World::new();
    let mut command = shell("env | sort; pwd; cat");
    command.env.insert("GIVEN".to_owned(), Text::from("yes"));
    let output = world.machine.run(&command).unwrap();
    let lines: Vec<&str> = output.stdout.lines().filter(|line| !line.starts_with("HOME=")).collect();
    let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let run = format!("PAQUERETTE_RUN={}", std::process::id());
    assert_eq!(lines, ["GIVEN=yes", "LC_ALL=C.UTF-8", &run, path, "PWD=/", "/"], "{}", output.stderr);
    command.stdin = Some(Text::from("hello"));
    assert!(world.machine.run(&command).unwrap().stdout.ends_with("/\nhello"));
}

#[test]
fn a_missing_program_user_or_directory_is_absent() {
    let mut world = World::new();
    let absent = |result: Result<_, Error>| match result {
        Err(Error::Absent(absent)) => (absent.what, absent.name),
        other => panic!("{other:?}"),
    };
    let result = world.machine.run(&Command::new(["no-such-program"])).map(drop);
    assert_eq!(absent(result), ("program", "no-such-program".to_owned()));
    let result = world.machine.run(&Command::new(["/etc/passwd"])).map(drop);
    assert_eq!(absent(result), ("program", "/etc/passwd".to_owned()));
    let result =
        world.machine.run(&Command { user: Some("no-such-user".to_owned()), ..shell("true") }).map(drop);
    assert_eq!(absent(result), ("user", "no-such-user".to_owned()));
    let result = world.machine.run(&Command { cwd: Some(world.at("none")), ..shell("true") }).map(drop);
    assert_eq!(absent(result), ("directory", world.at("none").as_str().to_owned()));
}

#[test]
fn a_time_limit_ends_the_program_with_all_that_it_started() {
    let mut world = World::new();
    let script = format!("(sleep 1; touch {}) & echo started >&2; wait", world.at("late"));
    let begun = Instant::now();
    let error =
        world.machine.run(&Command { timeout: Duration::from_millis(300), ..shell(&script) }).unwrap_err();
    assert!(begun.elapsed() < Duration::from_millis(900), "{:?}", begun.elapsed());
    let said = told(error);
    assert!(said.contains("took too long") && said.contains("started"), "{said}");
    std::thread::sleep(Duration::from_millis(1200));
    assert!(world.tree(".").is_empty(), "a child outlived its parent's limit");
}

#[test]
fn a_program_is_over_when_it_ended_although_something_holds_its_output() {
    let begun = Instant::now();
    let output = World::new().machine.run(&shell("sleep 3 & echo done")).unwrap();
    assert_eq!(output.stdout, "done\n");
    assert!(begun.elapsed() < Duration::from_secs(2));
}

#[test]
fn of_much_output_beginning_and_end_are_kept() {
    let mut world = World::new();
    let output = world.machine.run(&shell("echo first; yes | head -c 5000000; echo last")).unwrap();
    assert!(output.stdout.len() <= 1 << 20, "{}", output.stdout.len());
    assert!(output.stdout.starts_with("first\ny\n") && output.stdout.ends_with("y\nlast\n"));
}

#[test]
fn a_long_input_passes_while_the_output_is_heard() {
    let mut world = World::new();
    let text = "0123456789\n".repeat(40_000);
    let output =
        world.machine.run(&Command { stdin: Some(Text::from(text.as_str())), ..Command::new(["cat"]) });
    assert_eq!(output.unwrap().stdout, text);
    let ignored =
        world.machine.run(&Command { stdin: Some(Text::from(text.as_str())), ..Command::new(["true"]) });
    assert_eq!(ignored.unwrap().status, 0);
}

#[test]
fn an_argument_is_never_taken_for_more_than_it_is() {
    let output =
        World::new().machine.run(&Command::new(["printf", "%s|", "-x", "$(id)", "a b", ""])).unwrap();
    assert_eq!(output.stdout, "-x|$(id)|a b||");
}

#[test]
fn another_user_is_who_the_command_runs_as() {
    if !root() {
        return eprintln!("not tested: only root can be somebody else");
    }
    let mut world = World::new();
    let command = Command {
        user: Some("nobody".to_owned()),
        ..shell("id -un; id -gn; id -Gn; echo $HOME; touch /etc/x-pq")
    };
    let output = world.machine.run(&command).unwrap();
    assert_eq!(output.stdout, "nobody\nnogroup\nnogroup\n/nonexistent\n");
    assert_ne!(output.status, 0);
}

#[test]
fn a_command_that_looks_can_write_nowhere() {
    if !root() {
        return eprintln!("not tested: only root can take a read-only view of a machine");
    }
    let world = World::new();
    fs::write(world.real("there"), "as it was").unwrap();
    let script = format!(
        "cd {}; cat there; rm there; echo x >there; echo x >new; for d in /etc /run /dev/shm /var/tmp; do \
         touch $d/pq-look && echo wrote $d; done; echo y >/dev/null && echo devices work",
        world.directory.path().display()
    );
    let output = world.machine.ask(&shell(&script)).unwrap();
    assert_eq!(output.stdout, "as it wasdevices work\n", "{}", output.stderr);
    assert_eq!(world.text("there"), "as it was");
    assert!(output.stderr.contains("Read-only file system"));
    fs::write(world.real("new"), "the machine itself stays as it is").unwrap();
}

#[test]
fn a_look_is_cheap() {
    if !root() {
        return eprintln!("not tested: only root can take a read-only view of a machine");
    }
    let world = World::new();
    let time = |doing: &mut dyn FnMut()| {
        // The shortest: what else runs on this computer makes others longer.
        let once = |_| {
            let begun = Instant::now();
            doing();
            begun.elapsed()
        };
        (0..20).map(once).min().unwrap_or_default()
    };
    let mut other = World::new();
    let run = time(&mut || drop(other.machine.run(&Command::new(["true"])).unwrap()));
    let ask = time(&mut || drop(world.machine.ask(&Command::new(["true"])).unwrap()));
    eprintln!("run {run:?}, ask {ask:?}");
    assert!(ask < run + Duration::from_millis(20), "run {run:?}, ask {ask:?}");
}
