//! All about one check: what it asks, how it is, why, what was, and what helps.

use jiff::tz::TimeZone;
use pq_items::{Check, Id, Probe};
use pq_stream::{Diagnostic, nearest};

use crate::history::History;
use crate::message::here;
use crate::plan::Watched;
use crate::setup::Setup;
use crate::state::State;
use crate::{Level, number};

/// The check of a name.
///
/// # Errors
/// Where there is none.
pub fn find<'s>(setup: &'s Setup, id: &str) -> Result<&'s Watched, Diagnostic> {
    if let Some(watched) = setup.plan.get(id) {
        return Ok(watched);
    }
    let names = setup.plan.names();
    let own: Vec<&str> = names.iter().copied().filter(|it| it.split('/').next() == Some(id)).collect();
    let error = Diagnostic::new(format!("no check `{id}` is watched on this machine"));
    Err(match (own.is_empty(), nearest(id, &names)) {
        (false, _) => error.hint(format!("`{id}` is an item; its checks are {}", own.join(", "))),
        (true, Some(near)) => error.hint(format!("did you mean `{near}`?")),
        (true, None) => error.hint("`pq-monitor status` lists all of them"),
    })
}

/// All about it, a line each: a word, and what is said.
///
/// # Errors
/// Where there is no such check.
pub fn explain(setup: &Setup, id: &str, now: i64) -> Result<Vec<(String, String)>, Diagnostic> {
    let watched = find(setup, id)?;
    let zone = TimeZone::system();
    let state = State::newest(&setup.places);
    let mut lines: Vec<(String, String)> = Vec::new();
    let mut say = |word: &str, text: String| lines.push((word.to_owned(), text));
    say("is", watched.about.clone());
    if let Some(probe) = &watched.probe {
        say("asks", format!("{}: {}", probe.kind(), asked(probe)));
        say(
            "item",
            setup.places.etc.join("monitor.d").join(format!("{}.yml", watched.owner)).display().to_string(),
        );
    }
    let every =
        if watched.every == 0 { "at each run".to_owned() } else { format!("every {} s", watched.every) };
    say(
        "asked",
        format!(
            "{every}; it counts once {} of {} answers are bad, or good again",
            watched.damping.failures, watched.damping.of
        ),
    );
    if !watched.stands_on.is_empty() {
        say("stands on", watched.stands_on.join(", "));
    }
    let Some(memory) = state.checks.get(id).filter(|it| it.asked > 0) else {
        say("answer", "it was never asked: `pq-monitor run` asks".to_owned());
        return Ok(lines);
    };
    let last = &memory.last;
    say(
        "answer",
        format!(
            "{} {}: {} ({} ms, at {})",
            last.level,
            last.code,
            last.message,
            last.ms,
            here(memory.asked, &zone)
        ),
    );
    if let Some(hint) = &last.hint {
        say("hint", hint.clone());
    }
    if let Some(value) = last.value {
        say(
            "value",
            format!(
                "{}{}",
                number(value),
                if last.unit.is_empty() { String::new() } else { format!(" {}", last.unit) }
            ),
        );
    }
    say("counts", format!("{} since {}", memory.level, here(memory.since, &zone)));
    let letters: String = memory
        .recent
        .iter()
        .map(|it| match it {
            Level::Ok => '.',
            Level::Unknown => '?',
            Level::Warning => 'w',
            Level::Critical => 'C',
        })
        .collect();
    if !letters.is_empty() {
        say("lately", format!("{letters}  (the newest last; . well, w warning, C critical, ? unknown)"));
    }
    if memory.flaps {
        say("flaps", "it comes and goes: what it says is told once, until it settles".to_owned());
    }
    if let Some(because) = &memory.because {
        say("because", format!("`{because}` fails, and explains it: nothing is told of this one"));
    }
    match &memory.told {
        Some(told) if told.again == 0 => say("told", format!("at {}", here(told.first, &zone))),
        Some(told) => say("told", format!("at {}, and {} times again", here(told.first, &zone), told.again)),
        None if memory.level.is_bad() => {
            say("told", "nobody yet: a window is open, or something explains it".to_owned())
        }
        None => {}
    }
    if !memory.restarts.is_empty() {
        let times: Vec<String> = memory.restarts.iter().map(|at| here(*at, &zone)).collect();
        say("started", times.join(", "));
    }
    if let Some(history) = History::look(&setup.places.monitor()) {
        if let Some(share) = history.uptime(now - 30 * 86_400).get(id) {
            say("well", format!("{share:.2} % of the last 30 days"));
        }
        for incident in history.incidents(now - 30 * 86_400).iter().filter(|it| it.check == id).take(5) {
            let until =
                incident.ended.map_or_else(|| "lasts".to_owned(), |at| format!("until {}", here(at, &zone)));
            say(
                "failed",
                format!(
                    "{} from {} {until}: {}",
                    incident.level,
                    here(incident.began, &zone),
                    incident.message
                ),
            );
        }
    }
    Ok(lines)
}

/// What a check asks, in the words of its item.
fn asked(probe: &Probe) -> String {
    let Ok(id) = Id::new("x") else { return String::new() };
    let check = Check {
        id,
        about: None,
        every: None,
        timeout: None,
        depends_on: Vec::new(),
        damping: None,
        probe: probe.clone(),
    };
    let value = serde_json::to_value(check).unwrap_or_default();
    value.get(probe.kind()).map(|it| it.to_string().replace('"', "")).unwrap_or_default()
}
