//! Whole runs, in a directory of their own, with real checks of this machine.

use super::*;
use crate::setup::Places;
use std::fs;
use std::path::Path;

struct World {
    dir: tempfile::TempDir,
    places: Places,
}

/// A machine with one check, that a file is there, and one way of telling, which appends to a file.
fn world() -> World {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let places = Places { etc: at("etc"), lib: at("lib"), run: at("run") };
    fs::create_dir_all(places.etc.join("monitor.d")).unwrap();
    let shown = dir.path().display();
    let strategy = format!(
        "schedule: {{ run: '* * * * *', digest: '0 7 * * 1' }}\nalerts: {{ remind_after: [4h], channels: [{{ name: file, exec: {{ argv: [sh, -c, 'cat >>{shown}/told'] }} }}] }}\nthresholds: {{ damping: {{ failures: 2, of: 2 }}, disk: {{ warn: 99, critical: 100 }}, disk_full_within: 1d, certificate: {{ warn: 72, critical: 84 }} }}\n"
    );
    fs::write(places.etc.join("monitor.yml"), strategy).unwrap();
    let item = format!(
        "owner: wiki\nchecks:\n- {{ id: mark, about: the mark is there, file: {{ path: {shown}/mark, max_age: 1d }} }}\n"
    );
    fs::write(places.etc.join("monitor.d/wiki.yml"), item).unwrap();
    fs::write(at("mark"), "").unwrap();
    World { dir, places }
}

impl World {
    fn run(&self) -> Box<Report> {
        match run(&Setup::read(&self.places).unwrap(), &Options::default()).unwrap() {
            Ran::Done(report) => report,
            Ran::Skipped(holder) => panic!("{holder}"),
        }
    }

    fn at(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    /// What was told: titles.
    fn told(&self) -> Vec<String> {
        let text = fs::read_to_string(self.at("told")).unwrap_or_default();
        let title = |line: &str| {
            let json: serde_json::Value = serde_json::from_str(line).unwrap();
            json["title"].as_str().unwrap().split(']').nth(1).unwrap().trim().to_owned()
        };
        text.lines().map(title).collect()
    }
}

fn state(path: &Path) -> std::path::PathBuf {
    path.join("lib/monitor/state.json")
}

#[test]
fn a_failure_is_told_at_the_second_run_and_its_end() {
    let world = world();
    assert!(world.run().wrong.is_empty());
    fs::remove_file(world.at("mark")).unwrap();
    world.run();
    assert!(world.told().is_empty());
    let report = world.run();
    assert_eq!((report.events.len(), report.delivered.taken), (1, 1));
    world.run();
    assert_eq!(world.told().len(), 1);
    assert!(world.told()[0].starts_with("CRITICAL wiki/mark: cannot look at"), "{:?}", world.told());
    fs::write(world.at("mark"), "").unwrap();
    world.run();
    world.run();
    assert_eq!(world.told()[1], "OK wiki/mark: the mark is there");
    assert_eq!(fs::read_dir(world.at("lib/monitor/spool")).unwrap().count(), 0);
}

#[test]
fn a_state_that_is_truncated_spoilt_or_of_the_future_is_told_and_the_run_goes_on() {
    let world = world();
    world.run();
    let path = state(world.dir.path());
    let whole = fs::read(&path).unwrap();
    for bad in [&whole[..whole.len() / 3], b"\x00\x01", b""] {
        fs::write(&path, bad).unwrap();
        let report = world.run();
        assert!(report.asked.contains(&"wiki/mark".to_owned()));
        let told = world.told();
        assert!(
            told.last().unwrap().starts_with("WARNING monitor/memory: what was remembered of checks is lost"),
            "{told:?}"
        );
        world.run();
    }
    let mut future = State::load(&world.places.monitor()).0;
    future.shift(400 * 86_400, i64::MAX);
    future.at += 400 * 86_400;
    future.save(&world.places.monitor()).unwrap();
    world.run();
    let told = world.told();
    assert!(told.last().unwrap().starts_with("WARNING monitor/clock: the clock was set by -"), "{told:?}");
    world.run();
    assert!(world.told().last().unwrap().starts_with("OK monitor/clock"));
}

#[test]
fn an_overlapping_run_is_left_out_and_told_of() {
    let world = world();
    let mut held = HostLock::monitor(&world.places.run).unwrap();
    held.name("pq-monitor run").unwrap();
    let setup = Setup::read(&world.places).unwrap();
    for _ in 0..2 {
        assert!(
            matches!(run(&setup, &Options::default()).unwrap(), Ran::Skipped(holder) if holder.contains("pq-monitor run"))
        );
    }
    held.release().unwrap();
    world.run();
    assert!(world.told()[0].starts_with("WARNING monitor/runs: 2 runs were left out"), "{:?}", world.told());
}

#[test]
fn a_broken_item_is_told_with_its_line_and_the_others_are_asked() {
    let world = world();
    fs::write(world.places.etc.join("monitor.d/shop.yml"), "owner: shop\nchecks:\n- { id: x, htp: {} }\n")
        .unwrap();
    let report = world.run();
    assert!(report.asked.contains(&"wiki/mark".to_owned()));
    assert!(
        world.told()[0].contains("monitor/items") && world.told()[0].contains("shop.yml:3:12"),
        "{:?}",
        world.told()
    );
}

#[test]
fn what_a_killed_run_had_decided_is_told_by_the_next_one_and_once() {
    let world = world();
    world.run();
    // As it is on the disk when the run is killed right behind its first write: decided, not in the spool yet.
    let dir = world.places.monitor();
    let mut state = State::load(&dir).0;
    let event = crate::message::tests::event(crate::Kind::Began, "wiki/mark", Level::Critical);
    let ways = ways(&Setup::read(&world.places).unwrap().strategy.alerts);
    let now = state.at;
    state.outbox.push(Message::of("web", now, vec![event], addressed(&ways)).unwrap());
    state.save(&dir).unwrap();
    world.run();
    world.run();
    assert_eq!(world.told().len(), 1, "{:?}", world.told());
    assert!(State::load(&dir).0.outbox.is_empty());
}

#[test]
fn a_window_that_a_run_of_the_tools_opened_keeps_everybody_asleep() {
    let world = world();
    let windows = Maintenance::new(&world.places.lib);
    windows.open("wiki", "upgrade", std::time::SystemTime::now(), Duration::from_secs(600)).unwrap();
    fs::remove_file(world.at("mark")).unwrap();
    for _ in 0..3 {
        world.run();
    }
    assert!(world.told().is_empty());
    windows.close("wiki").unwrap();
    world.run();
    assert_eq!(world.told().len(), 1);
}

#[test]
fn while_the_disk_takes_nothing_people_are_told_once_and_nothing_is_lost() {
    let world = world();
    world.run();
    // A directory in the way of the state's temporary file: it cannot be written, as on a full disk.
    let dir = world.places.monitor();
    fs::create_dir_all(dir.join("state.json.pq-tmp/x")).unwrap();
    let report = world.run();
    assert!(report.wrong.iter().any(|it| it.message.contains("cannot be written")), "{:?}", report.wrong);
    fs::remove_file(world.at("mark")).unwrap();
    for _ in 0..4 {
        world.run();
    }
    let told = world.told();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("monitor/memory: what is remembered cannot be written"), "{told:?}");
    assert!(told[1].contains("wiki/mark"), "{told:?}");
    fs::remove_dir_all(dir.join("state.json.pq-tmp")).unwrap();
    world.run();
    assert_eq!(world.told()[2..], ["OK monitor/memory: what was remembered can be read and written"]);
    assert!(!world.places.aside().join("state.json").exists());
}
