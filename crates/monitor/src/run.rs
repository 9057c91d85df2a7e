//! One run: asks what is due, decides, writes down, tells, and ends.
//!
//! Always true here: what is to be told is on the disk before it is sent, and what was sent is on the disk before the next is; a
//! run that is killed anywhere tells nothing twice but what it was sending. While the disk takes nothing, `/run` has what is remembered.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use pq_items::Probe;
use pq_store::{HostLock, Locked, Maintenance};
use pq_stream::{Diagnostic, system_cause};

use crate::channel::{Way, addressed, ways};
use crate::crew::{Job, ask_all};
use crate::deliver::{Delivered, deliver};
use crate::engine::{Rules, tick};
use crate::history::History;
use crate::message::here;
use crate::plan::Watched;
use crate::probe::{Context, facts, is_outside, patience};
use crate::restart::{Decision, decide};
use crate::setup::{OWN, Setup};
use crate::spool::Spool;
use crate::state::State;
use crate::time::{Now, rebase};
use crate::{Answer, Event, Level, Message, network, overlap, ping, program, windows};

/// How long a run may take.
pub const DEADLINE: Duration = Duration::from_secs(50);

/// How long a message may wait, and a channel take nothing, before that is told.
const LATE: i64 = 900;
const UNPROVEN: i64 = 9 * 86_400;

/// How long it is told that a message was refused.
const REFUSED: i64 = 86_400;

/// How a run is done.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long it may take.
    pub deadline: Duration,
    /// All checks are asked, whatever is due.
    pub all: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options { deadline: DEADLINE, all: false }
    }
}

/// What a run came to.
#[derive(Debug)]
pub enum Ran {
    /// Another one is at work, as its lock says.
    Skipped(String),
    /// This.
    Done(Box<Report>),
}

/// What came of a run.
#[derive(Debug)]
pub struct Report {
    /// What is remembered now.
    pub state: State,
    /// What was asked.
    pub asked: Vec<String>,
    /// What was told anew.
    pub events: Vec<Event>,
    /// What became of messages.
    pub delivered: Delivered,
    /// What is wrong with the monitor itself.
    pub wrong: Vec<Diagnostic>,
}

/// Runs once.
///
/// # Errors
/// Where nothing can be watched at all.
pub fn run(setup: &Setup, options: &Options) -> Result<Ran, Diagnostic> {
    let begun = Instant::now();
    let places = &setup.places;
    let mut lock = match HostLock::monitor(&places.run) {
        Ok(lock) => Some(lock),
        Err(Locked::By(holder)) => {
            overlap::skipped(setup, &holder, Now::read().wall);
            return Ok(Ran::Skipped(holder));
        }
        // Without a place for locks there is still something to watch.
        Err(Locked::Unusable(..)) => None,
    };
    let killed = lock.as_ref().and_then(HostLock::killed);
    if let Some(lock) = &mut lock {
        let _ = lock.name(&std::env::args().collect::<Vec<_>>().join(" "));
    }
    let mut work = Work::begin(setup, options, begun);
    work.own_runs(killed);
    work.ask();
    work.blame_the_network();
    work.restart();
    let report = work.end();
    if let Some(lock) = lock {
        let _ = lock.release();
    }
    Ok(Ran::Done(Box::new(report)))
}

struct Work<'s> {
    setup: &'s Setup,
    all: bool,
    until: Instant,
    now: Now,
    state: State,
    spool: Spool,
    answers: BTreeMap<String, Answer>,
    wrong: Vec<Diagnostic>,
    network: Option<String>,
}

impl<'s> Work<'s> {
    fn begin(setup: &'s Setup, options: &Options, begun: Instant) -> Self {
        let dir = setup.places.monitor();
        let now = Now::read();
        let (mut state, lost) = State::load(&dir);
        // What was remembered while the disk took nothing is newer.
        let aside = State::look(&setup.places.aside());
        if aside.runs > state.runs {
            state = aside;
        }
        let skew = rebase(&mut state, &now);
        state.runs += 1;
        setup.keep();
        let mut work = Work {
            setup,
            all: options.all,
            until: begun + options.deadline,
            now,
            state,
            spool: Spool::new(&dir),
            answers: BTreeMap::new(),
            wrong: setup.broken.clone(),
            network: None,
        };
        let well = |id: &str| OWN.iter().find(|own| own.0 == id).map_or("", |own| own.1);
        for (id, about) in OWN {
            work.answers.insert(id.to_owned(), Answer::ok(about));
        }
        if let Some(lost) = lost {
            work.own("monitor/memory", Answer::warning("lost", lost.to_string()).hint(lost.hints.join("; ")));
            work.wrong.push(lost);
        }
        if let Some(skew) = skew {
            let text =
                format!("the clock was set by {skew} s since the last run: times were brought in line");
            work.own("monitor/clock", Answer::warning("jump", text).hint("`timedatectl` says who sets it"));
        }
        let mut items = Answer::ok(well("monitor/items"));
        if let Some(odd) = setup.plan.odd.first() {
            items = Answer::warning("odd", format!("{odd}{}", more(setup.plan.odd.len())));
        }
        if let Some(first) = setup.broken.first() {
            let text = format!("{first}{}", more(setup.broken.len()));
            items = Answer::critical("broken", text).hint(first.hints.join("; "));
        }
        work.own("monitor/items", items);
        work
    }

    fn own(&mut self, id: &str, answer: Answer) {
        self.answers.insert(id.to_owned(), answer);
    }

    /// Whether runs before this one came to their ends.
    fn own_runs(&mut self, killed: Option<u32>) {
        let skipped = overlap::taken(&self.setup.places);
        if skipped > 0 {
            let text = format!("{skipped} runs were left out, since the one before was still at work");
            self.own(
                "monitor/runs",
                Answer::warning("overlap", text)
                    .hint("see which checks take long: `pq-monitor status --slowest`"),
            );
        } else if let Some(process) = killed {
            let text = format!("the run before, process {process}, was killed or broke down");
            self.own("monitor/runs", Answer::warning("killed", text));
        }
    }

    /// Asks what is due.
    fn ask(&mut self) {
        let due: Vec<&Watched> =
            self.setup.plan.iter().filter(|it| it.probe.is_some() && self.is_due(it)).collect();
        let units: BTreeSet<&str> = due.iter().filter_map(|it| unit(it)).collect();
        let units: Vec<&str> = units.into_iter().collect();
        let left = self.until.saturating_duration_since(Instant::now());
        let context = Arc::new(Context {
            etc: self.setup.places.etc.clone(),
            lib: self.setup.places.lib.clone(),
            thresholds: self.setup.strategy.thresholds.clone(),
            now: self.now.wall,
            units: facts(&units, left.min(Duration::from_secs(10))),
        });
        let jobs = due.iter().filter_map(|it| {
            let probe = it.probe.clone()?;
            let patience = it.timeout.unwrap_or_else(|| patience(&probe));
            let memo = self.state.checks.get(&it.id).map(|memory| memory.memo.clone()).unwrap_or_default();
            Some(Job { id: it.id.clone(), probe, patience, memo })
        });
        for (id, asked) in ask_all(jobs.collect(), &context, self.until) {
            self.state.checks.entry(id.clone()).or_default().memo = asked.memo;
            self.answers.insert(id, asked.answer);
        }
    }

    /// A check is due after its time, a little early rather than a run late; one that just changed at each run.
    fn is_due(&self, watched: &Watched) -> bool {
        let Some(memory) = self.state.checks.get(&watched.id) else { return true };
        let every = i64::try_from(watched.every).unwrap_or(i64::MAX);
        let slack = (every / 10).min(30);
        let unsettled = memory.last.level != memory.level || memory.last.blind;
        self.all || memory.asked == 0 || unsettled || self.now.wall - memory.asked >= every - slack
    }

    /// Where this machine has no network, what it cannot reach is not known.
    fn blame_the_network(&mut self) {
        let outside: Vec<String> = self
            .setup
            .plan
            .iter()
            .filter(|it| it.probe.as_ref().is_some_and(is_outside))
            .filter(|it| self.answers.get(&it.id).is_some_and(network::may_be))
            .map(|it| it.id.clone())
            .collect();
        let before = self.state.checks.get("monitor/network").is_some_and(|it| it.level.is_bad());
        if outside.is_empty() && !before {
            return;
        }
        let Some(why) = network::gone(&self.setup.strategy.network) else { return };
        for id in outside {
            let answer = Answer::unknown(
                "no_network",
                format!("this machine has no network: nothing is known ({why})"),
            );
            self.answers.insert(id, Answer { blind: true, ..answer });
        }
        self.own(
            "monitor/network",
            Answer::critical("no_network", format!("this machine has no network: {why}")),
        );
        self.network = Some(why);
    }

    /// Starts units that do not run, where they have a budget for it and it can help.
    fn restart(&mut self) {
        let held = HostLock::holder(&self.setup.places.run).ok().flatten();
        let full =
            self.setup.plan.iter().any(|it| matches!(it.probe, Some(Probe::Disk(_))) && self.fails(&it.id));
        let setup = self.setup;
        for watched in setup.plan.iter() {
            let Some(Probe::Unit(unit)) = &watched.probe else { continue };
            let Some(budget) = &unit.restart else { continue };
            let Some(answer) =
                self.answers.get(&watched.id).filter(|it| it.level == Level::Critical).cloned()
            else {
                continue;
            };
            if answer.code == "absent" || answer.code == "masked" {
                continue;
            }
            let below = watched.stands_on.iter().find(|id| self.fails(id));
            let not = match (below, &held) {
                (Some(below), _) => Some(format!("not started again: it stands on `{below}`, which fails")),
                (None, Some(holder)) => {
                    Some(format!("not started again: this machine is being changed by {holder}"))
                }
                (None, None) if full => Some("not started again: a disk is full".to_owned()),
                (None, None) if self.window(watched).is_some() => {
                    Some("not started again: a maintenance window is open".to_owned())
                }
                _ => None,
            };
            let answer = match not {
                Some(not) => noted(answer, &not),
                None => self.start(watched, unit.name.as_str(), budget, answer),
            };
            self.answers.insert(watched.id.clone(), answer);
        }
    }

    /// Whether a check fails, by this run's answer, or by the last one where it was not asked.
    fn fails(&self, id: &str) -> bool {
        let before = || self.state.checks.get(id).map(|it| &it.last);
        self.answers.get(id).or_else(before).is_some_and(|it| it.level == Level::Critical)
    }

    fn start(&mut self, watched: &Watched, name: &str, budget: &pq_items::Restart, answer: Answer) -> Answer {
        let now = self.now.wall;
        let memory = self.state.checks.entry(watched.id.clone()).or_default();
        let times = match decide(&mut memory.restarts, budget, now) {
            Decision::Wait => return noted(answer, "it was started again a moment ago"),
            Decision::Spent => {
                let text = format!(
                    "it was started again {} times within {}: that is its budget",
                    budget.most, budget.within
                );
                return noted(Answer { code: "restart_budget".to_owned(), ..answer }, &text);
            }
            Decision::Start(times) => times,
        };
        memory.restarts.push(now);
        // Who is killed while it starts has spent this start all the same.
        let _ = self.state.save(&self.setup.places.monitor());
        let left = self.until.saturating_duration_since(Instant::now()).min(Duration::from_secs(20));
        let _ = program::run(&["systemctl", "reset-failed", "--", name], None, None, left);
        let started = program::run(&["systemctl", "restart", "--", name], None, None, left);
        let left = self.until.saturating_duration_since(Instant::now()).min(Duration::from_secs(5));
        let runs = facts(&[name], left)
            .ok()
            .and_then(|mut it| it.remove(name))
            .is_some_and(|it| it.get("ActiveState").is_some_and(|state| state == "active"));
        let of = format!("({times} of {} within {})", budget.most, budget.within);
        match (runs, started) {
            (true, _) => {
                let mut well =
                    Answer::ok(format!("`{name}` runs; it had to be started again {of}: {}", answer.message));
                well.ms = answer.ms;
                well
            }
            (false, Err(why)) => {
                noted(answer, &format!("started again {of}, and it does not run yet: {why}"))
            }
            (false, Ok(_)) => noted(answer, &format!("started again {of}, and it does not run")),
        }
    }

    /// The window that is open on a check, in words.
    fn window(&self, watched: &Watched) -> Option<String> {
        let zone = TimeZone::system();
        let open = windows::open(&self.setup.strategy.windows, watched, self.now.wall, &zone);
        if let Some(window) = open {
            return Some(format!("{} ({})", window.reason, window.who));
        }
        let time =
            std::time::UNIX_EPOCH + Duration::from_secs(u64::try_from(self.now.wall).unwrap_or_default());
        let window = Maintenance::new(&self.setup.places.lib).of(&watched.owner, time).ok().flatten()?;
        Some(format!("{}, until {}", window.why, window.until))
    }

    /// Decides, writes down, tells.
    fn end(mut self) -> Report {
        let dir = self.setup.places.monitor();
        let ways = ways(&self.setup.strategy.alerts);
        self.judge_delivery(&ways);
        let dir = self.home(dir);
        let mut history = None;
        match History::open(&self.setup.places.monitor()) {
            Ok((mut opened, aside)) => {
                if let Some(aside) = aside {
                    let kept = aside.display();
                    let text =
                        format!("the history was spoilt, and begins anew; the old one is kept as `{kept}`");
                    self.own("monitor/history", Answer::warning("lost", text));
                }
                if let Err(error) = opened.prune(self.now.wall) {
                    self.unwritten("monitor/history", &error);
                }
                history = Some(opened);
            }
            Err(error) => self.unwritten("monitor/history", &error),
        }
        let asked: Vec<String> = self.answers.keys().cloned().collect();
        let answers = std::mem::take(&mut self.answers);
        let events = self.decide(answers, &ways);
        if let Some(history) = &mut history
            && let Err(error) = history.record(&self.state, &asked, self.now.wall)
        {
            self.wrong.push(error);
        }
        let delivered = self.tell(&dir, &ways);
        ping::ping(&self.setup.strategy.alerts, self.wrong.is_empty(), self.network.is_some());
        Report { state: self.state, asked, events, delivered, wrong: self.wrong }
    }

    fn unwritten(&mut self, id: &str, error: &Diagnostic) {
        self.own(id, Answer::warning("unwritten", error.to_string()).hint(error.hints.join("; ")));
        self.wrong.push(error.clone());
    }

    /// Whether messages of before are taken.
    fn judge_delivery(&mut self, ways: &BTreeMap<String, Way>) {
        let now = self.now.wall;
        match self.spool.all() {
            Ok((waiting, spoilt)) => {
                let late = waiting
                    .iter()
                    .find(|it| now - it.at > LATE && it.to.keys().any(|name| ways.contains_key(name)));
                if let Some(late) = late {
                    let why =
                        late.to.iter().filter_map(|(name, it)| Some(format!("{name}: {}", it.why.as_ref()?)));
                    let text = format!(
                        "a message waits since {}: {}",
                        here(late.at, &TimeZone::system()),
                        why.collect::<Vec<_>>().join("; ")
                    );
                    self.own(
                        "monitor/delivery",
                        Answer::critical("waiting", text)
                            .hint("`pq-monitor --test-alert` tries each way now"),
                    );
                }
                if let Some(path) = spoilt.first() {
                    let text = format!("`{}` held no message, and is set aside as `.bad`", path.display());
                    self.own("monitor/delivery", Answer::warning("spoilt", text));
                }
            }
            Err(error) => {
                let text = format!("cannot read messages that wait: {}", system_cause(&error));
                self.own("monitor/delivery", Answer::critical("unreadable", text));
            }
        }
        if let Some(path) = self.spool.refused(now - REFUSED).first() {
            let text =
                format!("a message was refused for hours by a way that takes others: `{}`", path.display());
            self.own(
                "monitor/delivery",
                Answer::warning("refused", text).hint("`why` in that file is what the way said"),
            );
        }
        let known = ways.keys().filter_map(|name| Some((name, now - self.state.proven.get(name)?)));
        if let Some((name, age)) = known.clone().find(|it| it.1 > UNPROVEN) {
            let text = format!("nothing was taken by `{name}` for {} days, not even a digest", age / 86_400);
            self.own(
                "monitor/channels",
                Answer::warning("unproven", text).hint("`pq-monitor --test-alert` tries each way now"),
            );
        }
        // Of one that is new it is seen from now on.
        for name in ways.keys() {
            self.state.proven.entry(name.clone()).or_insert(now);
        }
        self.state.proven.retain(|name, _| ways.contains_key(name));
    }

    /// From answers to what is told: that is remembered together with what it was decided from.
    fn decide(&mut self, answers: BTreeMap<String, Answer>, ways: &BTreeMap<String, Way>) -> Vec<Event> {
        let remind_after: Vec<i64> = self
            .setup
            .strategy
            .alerts
            .remind_after
            .iter()
            .map(|it| i64::try_from(it.seconds()).unwrap_or(i64::MAX))
            .collect();
        let quiet: BTreeSet<String> =
            self.setup.plan.iter().filter(|it| self.window(it).is_some()).map(|it| it.id.clone()).collect();
        let rules = Rules {
            host: &self.setup.host,
            remind_after: &remind_after,
            whole: self.setup.broken.is_empty(),
            quiet: &|watched: &Watched| quiet.contains(&watched.id),
        };
        let events = tick(&mut self.state, &self.setup.plan, answers, &rules, self.now.wall);
        if let Some(message) = Message::of(&self.setup.host, self.now.wall, events.clone(), addressed(ways)) {
            self.state.outbox.push(message);
        }
        events
    }

    /// Where this run writes: where it should, or, while that disk takes nothing, in memory until the next boot.
    fn home(&mut self, dir: PathBuf) -> PathBuf {
        let aside = self.setup.places.aside();
        let saved = self.state.save(&dir);
        let Err(error) = saved else {
            self.take_back(&aside);
            return dir;
        };
        let why = Diagnostic::new("what is remembered cannot be written")
            .cause(format!("cannot write below `{}`: {}", dir.display(), system_cause(&error)))
            .hint(format!(
                "make room there, or remount it read-write; until then it is kept in `{}`",
                aside.display()
            ));
        self.unwritten("monitor/memory", &why);
        self.spool = Spool::new(&aside);
        aside
    }

    /// What was kept in memory while the disk took nothing goes where it belongs.
    fn take_back(&self, aside: &Path) {
        let kept = Spool::new(aside);
        for mut message in kept.all().map(|it| it.0).unwrap_or_default() {
            if self.spool.put(&message).is_ok() {
                message.to.clear();
                let _ = kept.update(&message);
            }
        }
        let _ = std::fs::remove_file(aside.join("state.json"));
    }

    /// Writes down what is remembered, then messages, then sends.
    fn tell(&mut self, dir: &Path, ways: &BTreeMap<String, Way>) -> Delivered {
        let saved = self.state.save(dir);
        // What cannot be put into the spool stays in what is remembered.
        self.state.outbox.retain(|message| self.spool.put(message).is_err());
        if let Err(error) = saved.and_then(|()| self.state.save(dir)) {
            let why = Diagnostic::new("nothing of this run can be remembered, not even until the next boot");
            self.wrong.push(why.cause(format!(
                "cannot write below `{}`: {}",
                dir.display(),
                system_cause(&error)
            )));
        }
        let mut messages = self.spool.all().map(|it| it.0).unwrap_or_default();
        messages.append(&mut self.state.outbox);
        let delivered = deliver(&self.spool, messages, ways, &mut self.state, self.now.wall, self.until);
        self.state.outbox = delivered.waiting.iter().filter(|it| !self.spool.holds(it)).cloned().collect();
        if let Some(cause) = &delivered.unwritten {
            let why = Diagnostic::new("cannot write down which messages were taken").cause(cause.clone());
            self.wrong.push(why.hint("they may be sent once more, with the same id"));
        }
        if delivered.taken > 0 || !self.state.outbox.is_empty() {
            let _ = self.state.save(dir);
        }
        delivered
    }
}

fn unit(watched: &Watched) -> Option<&str> {
    match &watched.probe {
        Some(Probe::Unit(unit)) => Some(unit.name.as_str()),
        _ => None,
    }
}

fn noted(answer: Answer, words: &str) -> Answer {
    let message = crate::answer::line(&format!("{}; {words}", answer.message));
    Answer { message, ..answer }
}

fn more(count: usize) -> String {
    if count > 1 { format!(" (and {} more)", count - 1) } else { String::new() }
}

#[cfg(test)]
mod tests;
