//! From answers to what people are told. No clock, no disk, no network: time is handed in, and a test can simulate a year.
//!
//! Always true here: nobody is told that something ended who was not told that it began; what is explained by something else
//! is told with that, once; nothing is told while a window is open, and afterwards what is true then.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use crate::damping::{LOOK, flaps, settled};
use crate::event::{Child, Event, Kind};
use crate::plan::{Plan, Watched};
use crate::state::{Memory, State, Told};
use crate::{Answer, Level};

/// What the strategy says of telling.
pub struct Rules<'r> {
    /// The machine's name.
    pub host: &'r str,
    /// After how many seconds it is told again; the last one counts from then on.
    pub remind_after: &'r [i64],
    /// Whether all that is watched could be read: else nothing is forgotten for not being there.
    pub whole: bool,
    /// Whether a window is open in which nobody is told of a check.
    pub quiet: &'r dyn Fn(&Watched) -> bool,
}

/// Takes in the answers of a run, and says what is to be told.
pub fn tick(
    state: &mut State,
    plan: &Plan,
    answers: BTreeMap<String, Answer>,
    rules: &Rules<'_>,
    now: i64,
) -> Vec<Event> {
    let mut events = if rules.whole { forget(state, plan, rules, now) } else { Vec::new() };
    let asked: BTreeSet<String> = answers.keys().cloned().collect();
    for (id, answer) in answers {
        if plan.get(&id).is_some() {
            note(state.checks.entry(id).or_default(), answer, now);
        }
    }
    for id in &asked {
        let Some(watched) = plan.get(id) else { continue };
        let because = root(state, plan, id, &mut BTreeSet::new());
        let Some(memory) = state.checks.get_mut(id) else { continue };
        memory.because = because.filter(|_| memory.last.level.is_bad() && memory.told.is_none());
        if memory.because.is_none() && !memory.last.blind {
            count(memory, watched, now);
        }
    }
    for watched in plan.iter().filter(|watched| !(rules.quiet)(watched)) {
        let children = children(state, plan, &watched.id);
        let Some(memory) = state.checks.get_mut(&watched.id) else { continue };
        events.extend(tell(memory, watched, rules, now, children));
    }
    events
}

/// Remembers nothing of what is not watched any more; people who were told of it are told that.
fn forget(state: &mut State, plan: &Plan, rules: &Rules<'_>, now: i64) -> Vec<Event> {
    let gone: Vec<String> = state.checks.keys().filter(|id| plan.get(id).is_none()).cloned().collect();
    let mut events = Vec::new();
    for id in gone {
        let Some(memory) = state.checks.remove(&id) else { continue };
        if let Some(told) = memory.told {
            let answer = Answer::ok("it is not watched any more");
            events.push(Event {
                id: stable(rules.host, &id, told.first, "gone", 0),
                kind: Kind::Ended,
                about: id.clone(),
                check: id,
                level: told.level,
                since: memory.since,
                at: now,
                answer,
                children: Vec::new(),
            });
        }
    }
    events
}

fn note(memory: &mut Memory, answer: Answer, now: i64) {
    memory.asked = now;
    if memory.since == 0 {
        memory.since = now;
    }
    if !answer.blind {
        match (answer.level.is_bad(), memory.bad_since) {
            (true, None) => memory.bad_since = Some(now),
            (false, Some(_)) => memory.bad_since = None,
            _ => {}
        }
    }
    memory.last = answer;
}

/// Whether a check that others stand on takes them down: it just failed, or it counts as failed.
fn is_down(memory: &Memory) -> bool {
    memory.last.level == Level::Critical || memory.level == Level::Critical && memory.last.level.is_bad()
}

/// The check farthest below that explains a failure of this one.
fn root(state: &State, plan: &Plan, id: &str, seen: &mut BTreeSet<String>) -> Option<String> {
    for below in &plan.get(id)?.stands_on {
        if !seen.insert(below.clone()) {
            continue;
        }
        if let Some(found) = root(state, plan, below, seen) {
            return Some(found);
        }
        if state.checks.get(below).is_some_and(is_down) {
            return Some(below.clone());
        }
    }
    None
}

/// Decides what counts after the last answer.
fn count(memory: &mut Memory, watched: &Watched, now: i64) {
    memory.recent.push(memory.last.level);
    let most = LOOK.max(usize::from(watched.damping.of));
    let over = memory.recent.len().saturating_sub(most);
    memory.recent.drain(..over);
    let flapped = memory.flaps;
    memory.flaps = flaps(&memory.recent, flapped);
    let level = match (memory.flaps, flapped) {
        (true, _) => memory.recent.iter().copied().max().unwrap_or_default(),
        // It has settled: what is true now counts, wherever that began.
        (false, true) => settled(&memory.recent, Level::Ok, watched.damping),
        (false, false) => settled(&memory.recent, memory.level, watched.damping),
    };
    if level != memory.level {
        memory.since = match level.is_bad() && !memory.level.is_bad() {
            true => memory.bad_since.unwrap_or(now),
            false => now,
        };
        memory.level = level;
    }
}

/// What failed with this check, and is explained by it.
fn children(state: &State, plan: &Plan, id: &str) -> Vec<Child> {
    let explained = state.checks.iter().filter(|(_, memory)| memory.because.as_deref() == Some(id));
    explained
        .map(|(child, memory)| Child {
            check: child.clone(),
            about: plan.get(child).map_or_else(|| child.clone(), |it| it.about.clone()),
            message: memory.last.message.clone(),
        })
        .collect()
}

/// What is told of one check now.
fn tell(
    memory: &mut Memory,
    watched: &Watched,
    rules: &Rules<'_>,
    now: i64,
    children: Vec<Child>,
) -> Option<Event> {
    let bad = memory.level.is_bad() && memory.because.is_none();
    let kind = match &mut memory.told {
        None if bad => {
            memory.told = Some(Told { level: memory.level, first: now, last: now, again: 0 });
            if memory.flaps { Kind::Flaps } else { Kind::Began }
        }
        None => return None,
        Some(told) if !memory.level.is_bad() => {
            let told = std::mem::take(told);
            memory.told = None;
            return Some(event(
                memory,
                watched,
                rules,
                (Kind::Ended, told.level, told.first, 0),
                now,
                children,
            ));
        }
        Some(told) if memory.level > told.level => {
            told.level = memory.level;
            told.last = now;
            Kind::Worse
        }
        Some(told) => {
            let steps = rules.remind_after;
            let step = usize::try_from(told.again).unwrap_or(usize::MAX).min(steps.len().saturating_sub(1));
            if steps.get(step).is_none_or(|after| now - told.last < *after) {
                return None;
            }
            told.last = now;
            told.again = told.again.saturating_add(1);
            Kind::Again
        }
    };
    let told = memory.told.clone().unwrap_or_default();
    Some(event(memory, watched, rules, (kind, memory.level, told.first, told.again), now, children))
}

fn event(
    memory: &Memory,
    watched: &Watched,
    rules: &Rules<'_>,
    (kind, level, first, again): (Kind, Level, i64, u32),
    now: i64,
    children: Vec<Child>,
) -> Event {
    Event {
        id: stable(rules.host, &watched.id, first, kind.word(), again),
        kind,
        check: watched.id.clone(),
        about: watched.about.clone(),
        level,
        since: memory.since,
        at: now,
        answer: memory.last.clone(),
        children,
    }
}

/// The same for the same thing, whenever it is computed: who receives it twice can tell.
fn stable(host: &str, check: &str, first: i64, kind: &str, again: u32) -> String {
    let digest = Sha256::digest(format!("{host}\0{check}\0{first}\0{kind}\0{again}"));
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
