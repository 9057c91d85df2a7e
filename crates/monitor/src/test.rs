//! Asks once, beside all runs: one check, or every way of telling.

use std::collections::BTreeMap;
use std::time::Instant;

use jiff::tz::TimeZone;
use pq_items::Probe;
use pq_stream::Diagnostic;

use crate::channel::ways;
use crate::plan::Watched;
use crate::probe::{Context, ask, facts, patience};
use crate::setup::Setup;
use crate::state::State;
use crate::{Answer, Message, channel};

/// Asks one check now; nothing of it is remembered.
///
/// # Errors
/// Where it is one of the monitor's own, which only a run can answer.
pub fn test(setup: &Setup, watched: &Watched, now: i64) -> Result<Answer, Diagnostic> {
    let Some(probe) = &watched.probe else {
        return Err(Diagnostic::new(format!("`{}` is answered by `pq-monitor run` itself", watched.id)));
    };
    let begun = Instant::now();
    let patience = watched.timeout.unwrap_or_else(|| patience(probe));
    let names: Vec<&str> = match probe {
        Probe::Unit(unit) => vec![unit.name.as_str()],
        _ => Vec::new(),
    };
    let context = Context {
        etc: setup.places.etc.clone(),
        lib: setup.places.lib.clone(),
        thresholds: setup.strategy.thresholds.clone(),
        now,
        units: facts(&names, patience),
    };
    let memo = State::look(&setup.places.monitor())
        .checks
        .get(&watched.id)
        .map(|it| it.memo.clone())
        .unwrap_or_default();
    let mut answer = ask(probe, &context, begun + patience, &memo).answer;
    answer.ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(answer)
}

/// Sends a message by each way, and says which took it.
pub fn test_alert(setup: &Setup, now: i64) -> BTreeMap<String, Result<(), String>> {
    let ways = ways(&setup.strategy.alerts);
    let lines = vec![
        format!(
            "This is a test: `pq-monitor --test-alert` on {} wants to know whether this arrives.",
            setup.host
        ),
        "Nothing is wrong. What is wrong comes the same way.".to_owned(),
    ];
    let message = Message::words(&setup.host, now, "test: this way works", lines, channel::addressed(&ways));
    let zone = TimeZone::system();
    let sent: Vec<_> = ways
        .into_iter()
        .map(|(name, way)| {
            let letter = message.letter(false, &zone);
            (name, std::thread::spawn(move || letter.map_or(Ok(()), |letter| way.send(&letter))))
        })
        .collect();
    let taken = sent.into_iter().map(|(name, thread)| {
        let taken =
            thread.join().unwrap_or_else(|_| Err("it broke down: this is a bug in paquerette".to_owned()));
        (name, taken)
    });
    taken.collect()
}
