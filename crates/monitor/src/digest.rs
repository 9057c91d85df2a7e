//! What says, each week, that all is well: so that silence means something.

use jiff::tz::TimeZone;
use pq_stream::Diagnostic;

use crate::channel::{addressed, ways};
use crate::history::History;
use crate::message::here;
use crate::setup::Setup;
use crate::spool::Spool;
use crate::view::view;
use crate::{Level, Message, answer};

const WEEK: i64 = 7 * 86_400;

/// Writes the digest into the spool: the next run sends it.
///
/// # Errors
/// Where it cannot be written.
pub fn digest(setup: &Setup, now: i64) -> Result<usize, Diagnostic> {
    let ways = ways(&setup.strategy.alerts);
    if ways.is_empty() {
        return Ok(0);
    }
    let (title, lines) = words(setup, now);
    let message = Message::words(&setup.host, now, &title, lines, addressed(&ways));
    Spool::new(&setup.places.monitor())
        .put(&message)
        .map_err(|error| Diagnostic::new("cannot write the digest").cause(pq_stream::system_cause(&error)))?;
    Ok(ways.len())
}

/// Its title and its lines.
pub fn words(setup: &Setup, now: i64) -> (String, Vec<String>) {
    let view = view(setup);
    let zone = TimeZone::system();
    let bad: Vec<_> =
        view.checks.iter().filter(|it| it.memory.as_ref().is_some_and(|it| it.level.is_bad())).collect();
    let title = match bad.len() {
        0 => format!("all is well: {} checks", view.checks.len()),
        1 => format!("1 of {} checks is not well", view.checks.len()),
        count => format!("{count} of {} checks are not well", view.checks.len()),
    };
    let mut lines = Vec::new();
    for seen in bad {
        let Some(memory) = &seen.memory else { continue };
        lines.push(format!(
            "{}: {} ({}): {}, since {}",
            memory.level,
            seen.id,
            seen.about,
            memory.last.message,
            here(memory.since, &zone)
        ));
    }
    let backup = view.checks.iter().filter(|it| it.kind == "backup").filter_map(|it| it.memory.as_ref());
    lines.extend(backup.map(|it| format!("backups: {}", it.last.message)));
    let certificates = view.checks.iter().filter(|it| it.kind == "certificate");
    let next = certificates
        .filter_map(|it| Some((it.memory.as_ref()?.last.value?, it)))
        .min_by(|a, b| a.0.total_cmp(&b.0));
    if let Some((days, seen)) = next {
        lines.push(format!(
            "the certificate that ends first: {}, in {} days",
            seen.id,
            answer::number(days.floor())
        ));
    }
    if let Some(history) = History::look(&setup.places.monitor()) {
        let incidents = history.incidents(now - WEEK);
        let critical = incidents.iter().filter(|it| it.level == Level::Critical).count();
        lines.push(format!("in the last week: {} failures, {critical} of them critical", incidents.len()));
        let worst = history
            .uptime(now - WEEK)
            .into_iter()
            .filter(|it| it.1 < 100.0)
            .min_by(|a, b| a.1.total_cmp(&b.1));
        if let Some((check, share)) = worst {
            lines.push(format!("least often well: {check}, {share:.2} % of the time"));
        }
    }
    let state = crate::State::look(&setup.places.monitor());
    for (name, at) in &state.proven {
        lines.push(format!("{name} took something last at {}", here(*at, &zone)));
    }
    lines.push(format!("last run: {}", here(view.at, &zone)));
    (title, lines)
}
