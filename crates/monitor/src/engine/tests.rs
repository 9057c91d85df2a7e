//! Noise and silence, on a simulated clock.

use super::*;
use crate::plan::tests::items;
use pq_items::Damping;

const START: i64 = 1_800_000_000;
const HOUR: i64 = 3_600;

/// A machine whose checks answer as the test says, once a minute.
struct World {
    plan: Plan,
    state: State,
    now: i64,
    quiet: bool,
    whole: bool,
    told: Vec<Event>,
}

impl World {
    fn new(texts: &[&str]) -> Self {
        let plan = Plan::of(&items(texts), Damping { failures: 3, of: 3 });
        World { plan, state: State::default(), now: START, quiet: false, whole: true, told: Vec::new() }
    }

    /// One run, in which these checks fail, and the others are well.
    fn run(&mut self, bad: &[&str]) -> &mut Self {
        let answer = |id: &str| match bad.contains(&id) {
            true => Answer::critical("refused", "connection refused"),
            false => Answer::ok("well"),
        };
        let answers = self.plan.names().into_iter().map(|id| (id.to_owned(), answer(id))).collect();
        self.step(answers)
    }

    fn step(&mut self, answers: BTreeMap<String, Answer>) -> &mut Self {
        self.now += 60;
        let quiet = self.quiet;
        let rules = Rules {
            host: "web",
            remind_after: &[4 * HOUR, 24 * HOUR],
            whole: self.whole,
            quiet: &|_: &Watched| quiet,
        };
        self.told.extend(tick(&mut self.state, &self.plan, answers, &rules, self.now));
        self
    }

    fn minutes(&mut self, count: usize, bad: &[&str]) -> &mut Self {
        for _ in 0..count {
            self.run(bad);
        }
        self
    }

    /// What was told, as `kind check`.
    fn told(&self) -> Vec<String> {
        self.told.iter().map(|it| format!("{} {}", it.kind.word(), it.check)).collect()
    }
}

const WIKI: &str = "{ owner: wiki, checks: [{ id: page, tcp: { host: a, port: 1 } }] }";

#[test]
fn a_failure_is_told_once_it_counts_and_its_end_too() {
    let mut world = World::new(&[WIKI]);
    assert!(world.minutes(2, &["wiki/page"]).told().is_empty());
    assert_eq!(world.run(&["wiki/page"]).told(), ["began wiki/page"]);
    assert_eq!(world.told[0].since, START + 60, "it is told since when it fails, not since when it counts");
    world.minutes(2, &[]);
    assert_eq!(world.told().len(), 1);
    assert_eq!(world.run(&[]).told(), ["began wiki/page", "ended wiki/page"]);
}

#[test]
fn what_cannot_be_read_any_more_is_not_told_to_be_well() {
    let mut world = World::new(&[WIKI]);
    world.minutes(3, &["wiki/page"]);
    let plan = std::mem::replace(&mut world.plan, Plan::of(&[], Damping { failures: 3, of: 3 }));
    world.whole = false;
    world.minutes(3, &[]);
    assert_eq!(world.told(), ["began wiki/page"]);
    world.plan = plan;
    world.whole = true;
    assert_eq!(world.minutes(3, &[]).told(), ["began wiki/page", "ended wiki/page"]);
    // What nobody wants watched any more is forgotten, and told.
    world.minutes(3, &["wiki/page"]);
    world.plan = Plan::of(&[], Damping { failures: 3, of: 3 });
    assert_eq!(world.minutes(1, &[]).told.last().unwrap().answer.message, "it is not watched any more");
}

#[test]
fn a_day_with_lost_packets_wakes_nobody() {
    // Each check of 30 is asked each minute, and once more where it fails: one packet of a hundred is lost.
    let names: Vec<String> =
        (0..30).map(|at| format!("{{ id: c{at}, tcp: {{ host: a, port: 1 }} }}")).collect();
    let mut world = World::new(&[&format!("{{ owner: wiki, checks: [{}] }}", names.join(", "))]);
    let mut seed: u64 = 7;
    let mut lost = || {
        // xorshift64 (Marsaglia, "Xorshift RNGs")
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed.is_multiple_of(100)
    };
    let (mut failures, mut retried) = (0, 0);
    for _ in 0..24 * 60 {
        let ids: Vec<String> = world.plan.names().into_iter().map(str::to_owned).collect();
        let mut answers = BTreeMap::new();
        for id in ids {
            let first = lost();
            retried += usize::from(first);
            let bad = first && lost();
            failures += usize::from(bad);
            let answer = if bad { Answer::critical("timeout", "no answer") } else { Answer::ok("well") };
            answers.insert(id, answer);
        }
        world.step(answers);
    }
    assert!(retried > 300 && failures > 0, "the day is not as lossy as it should be: {retried}, {failures}");
    assert!(world.told().is_empty(), "{:?}", world.told());
}

#[test]
fn what_comes_and_goes_is_told_once() {
    let mut world = World::new(&[WIKI]);
    for _ in 0..60 {
        world.run(&["wiki/page"]).run(&[]);
    }
    assert_eq!(world.told(), ["flaps wiki/page"]);
    world.minutes(60, &[]);
    assert_eq!(world.told(), ["flaps wiki/page", "ended wiki/page"]);
}

#[test]
fn what_flapped_and_stays_down_is_not_told_to_be_well() {
    let mut world = World::new(&[WIKI]);
    for _ in 0..10 {
        world.run(&["wiki/page"]).run(&[]);
    }
    world.minutes(60, &["wiki/page"]);
    assert_eq!(world.told(), ["flaps wiki/page"]);
    assert_eq!(world.state.checks["wiki/page"].level, Level::Critical);
    world.minutes(3, &[]);
    assert_eq!(world.told().last().unwrap(), "ended wiki/page");
}

/// A host, a database on it, and thirty services on that.
fn fleet() -> (World, Vec<String>) {
    let mut texts = vec![
        "{ owner: host, checks: [{ id: up, tcp: { host: a, port: 1 } }] }".to_owned(),
        "{ owner: db, depends_on: [host], checks: [{ id: runs, tcp: { host: a, port: 1 } }] }".to_owned(),
    ];
    let names: Vec<String> = (0..30).map(|at| format!("app{at}")).collect();
    for name in &names {
        texts.push(format!(
            "{{ owner: {name}, depends_on: [db], checks: [{{ id: page, tcp: {{ host: a, port: 1 }} }}] }}"
        ));
    }
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    (World::new(&texts), names.iter().map(|name| format!("{name}/page")).collect())
}

#[test]
fn a_host_that_is_gone_with_thirty_services_is_one_message() {
    let (mut world, apps) = fleet();
    let mut all: Vec<&str> = apps.iter().map(String::as_str).collect();
    all.extend(["host/up", "db/runs"]);
    world.minutes(30, &all);
    assert_eq!(world.told(), ["began host/up"]);
    assert_eq!(world.told[0].children.len(), 31);
    world.minutes(30, &[]);
    assert_eq!(world.told(), ["began host/up", "ended host/up"], "what was not told does not end");
}

#[test]
fn what_stays_down_when_the_host_is_back_is_told_then() {
    let (mut world, apps) = fleet();
    let mut all: Vec<&str> = apps.iter().map(String::as_str).collect();
    all.extend(["host/up", "db/runs"]);
    world.minutes(10, &all);
    world.minutes(10, &["db/runs", "app3/page"]);
    assert_eq!(world.told(), ["began host/up", "began db/runs", "ended host/up"]);
    assert_eq!(world.told[1].children[0].check, "app3/page");
    world.minutes(10, &["app3/page"]);
    assert_eq!(world.told()[3..], ["began app3/page", "ended db/runs"]);
}

#[test]
fn an_application_that_fails_alone_is_told_alone() {
    let (mut world, _) = fleet();
    world.minutes(5, &["app7/page"]);
    assert_eq!(world.told(), ["began app7/page"]);
    world.minutes(5, &["app7/page", "host/up", "db/runs"]);
    assert_eq!(world.told(), ["began app7/page", "began host/up"]);
    world.minutes(5, &[]);
    let mut ends = world.told()[2..].to_vec();
    ends.sort();
    assert_eq!(
        ends,
        ["ended app7/page", "ended host/up"],
        "who was told that it began is told that it ended"
    );
}

#[test]
fn a_monitor_that_is_started_anew_repeats_nothing_and_misses_nothing() {
    let mut world = World::new(&[WIKI]);
    world.minutes(5, &["wiki/page"]);
    let kept = serde_json::to_vec(&world.state).unwrap();
    world.state = serde_json::from_slice(&kept).unwrap();
    world.minutes(5, &["wiki/page"]);
    assert_eq!(world.told(), ["began wiki/page"]);
    // It was not there for two hours, in which the page came back.
    world.state = serde_json::from_slice(&serde_json::to_vec(&world.state).unwrap()).unwrap();
    world.now += 2 * HOUR;
    world.minutes(3, &[]);
    assert_eq!(world.told(), ["began wiki/page", "ended wiki/page"]);
}

#[test]
fn a_reminder_comes_after_four_hours_and_then_each_day() {
    let mut world = World::new(&[WIKI]);
    world.minutes(3 * 24 * 60, &["wiki/page"]);
    let hours: Vec<i64> = world.told.iter().map(|it| (it.at - START) / HOUR).collect();
    assert_eq!(world.told(), ["began wiki/page", "again wiki/page", "again wiki/page", "again wiki/page"]);
    assert_eq!(hours, [0, 4, 28, 52]);
    let mut ids: Vec<&str> = world.told.iter().map(|it| it.id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 4, "each has an id of its own");
}

#[test]
fn while_a_window_is_open_nothing_is_told_and_afterwards_what_is_true() {
    let mut world = World::new(&[WIKI]);
    world.quiet = true;
    world.minutes(10, &["wiki/page"]);
    world.minutes(10, &[]);
    world.quiet = false;
    world.minutes(10, &[]);
    assert!(world.told().is_empty(), "what began and ended within it");
    world.quiet = true;
    world.minutes(10, &["wiki/page"]);
    world.quiet = false;
    assert_eq!(world.run(&["wiki/page"]).told(), ["began wiki/page"], "what still fails when it closes");
    world.quiet = true;
    world.minutes(10, &[]);
    assert_eq!(world.told().len(), 1);
    world.quiet = false;
    assert_eq!(world.run(&[]).told(), ["began wiki/page", "ended wiki/page"]);
}

#[test]
fn without_a_network_of_its_own_the_monitor_says_nothing_of_others() {
    let mut world = World::new(&[WIKI]);
    let blind = || {
        let answer = Answer { blind: true, ..Answer::unknown("no_network", "no network") };
        BTreeMap::from([("wiki/page".to_owned(), answer)])
    };
    for _ in 0..60 {
        world.step(blind());
    }
    assert!(world.told().is_empty());
    assert_eq!(world.state.checks["wiki/page"].last.level, Level::Unknown, "it is shown as not known");
    assert_eq!(world.state.checks["wiki/page"].bad_since, None, "and is no time in which it failed");
    world.minutes(3, &["wiki/page"]);
    for _ in 0..60 {
        world.step(blind());
    }
    world.minutes(3, &[]);
    assert_eq!(world.told(), ["began wiki/page", "ended wiki/page"]);
}

#[test]
fn what_gets_worse_is_told_and_what_gets_a_little_better_is_not() {
    let mut world = World::new(&[WIKI]);
    let with = |answer: Answer| BTreeMap::from([("wiki/page".to_owned(), answer)]);
    let say = |world: &mut World, answer: Answer| {
        for _ in 0..3 {
            world.step(with(answer.clone()));
        }
    };
    say(&mut world, Answer::warning("full", "86 %"));
    say(&mut world, Answer::critical("full", "96 %"));
    say(&mut world, Answer::warning("full", "90 %"));
    say(&mut world, Answer::ok("50 %"));
    assert_eq!(world.told(), ["began wiki/page", "worse wiki/page", "ended wiki/page"]);
    assert_eq!(world.told[2].level, Level::Critical);
}

#[test]
fn what_is_not_watched_any_more_ends() {
    let mut world = World::new(&[WIKI]);
    world.minutes(3, &["wiki/page"]);
    world.plan = Plan::default();
    world.run(&[]);
    assert_eq!(world.told(), ["began wiki/page", "ended wiki/page"]);
    assert!(world.state.checks.is_empty());
}

#[test]
fn of_machines_in_a_ring_one_that_is_gone_is_told_once_and_one_without_a_network_accuses_nobody() {
    // Each watches the next one; what it hears is what `network` lets through.
    let ring = ["web1", "web2", "web3"];
    let next = |at: usize| ring[(at + 1) % ring.len()];
    let mut worlds: Vec<World> = (0..ring.len())
        .map(|at| {
            let peer = next(at);
            World::new(&[&format!(
                "{{ owner: server, checks: [{{ id: peer-{peer}, peer: {{ name: {peer}, url: 'https://{peer}/' }} }}] }}"
            )])
        })
        .collect();
    let mut minutes = |count: usize, gone: Option<&str>, cut: Option<&str>| {
        for _ in 0..count {
            for (at, world) in worlds.iter_mut().enumerate().filter(|(at, _)| gone != Some(ring[*at])) {
                let peer = next(at);
                let answer = match () {
                    () if cut == Some(ring[at]) => {
                        Answer { blind: true, ..Answer::unknown("no_network", "nothing is known") }
                    }
                    () if gone == Some(peer) || cut == Some(peer) => {
                        Answer::critical("gone", format!("host `{peer}` is gone"))
                    }
                    () => Answer::ok("answers"),
                };
                world.step([(format!("server/peer-{peer}"), answer)].into());
            }
        }
        worlds.iter().flat_map(World::told).collect::<Vec<_>>()
    };
    assert!(minutes(60, None, None).is_empty());
    assert_eq!(minutes(60, Some("web2"), None), ["began server/peer-web2"]);
    assert_eq!(minutes(10, None, None), ["began server/peer-web2", "ended server/peer-web2"]);
    // The line of web1 is cut: web3 says so, and web1 says nothing of web2.
    let told = minutes(60, None, Some("web1"));
    assert_eq!(told.last().map(String::as_str), Some("began server/peer-web1"), "{told:?}");
    assert_eq!(told.len(), 3, "{told:?}");
    assert_eq!(minutes(10, None, None).len(), 4);
}
