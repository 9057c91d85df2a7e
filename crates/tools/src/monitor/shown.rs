//! Checks as a table for people, and as records.

use std::io::{Write as _, stdout};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pq_cli::{Failure, Form, Table, age, printable};
use pq_monitor::{Level, Report, Seen, Setup, number, view};
use pq_stream::Status;
use serde_json::json;

/// Which checks are shown, and in which order.
pub(super) struct Wanted<'w> {
    /// Those of these items or checks alone; all where none is named.
    pub only: &'w [String],
    /// Those that are not well alone.
    pub bad: bool,
    /// Those that took longest first.
    pub slowest: bool,
}

impl Wanted<'_> {
    /// Whether a check is one of them.
    pub fn wants(&self, seen: &Seen) -> bool {
        let named = self.only.is_empty() || self.only.iter().any(|it| *it == seen.owner || *it == seen.id);
        let bad = seen.memory.as_ref().is_none_or(|it| it.level.is_bad() || it.last.level.is_bad());
        named && (bad || !self.bad)
    }
}

/// How everything is.
pub(super) fn status(setup: &Setup, wanted: &Wanted<'_>, form: Form, anew: bool) -> Result<Status, Failure> {
    let mut all = view(setup);
    all.checks.retain(|seen| wanted.wants(seen));
    if wanted.slowest {
        all.checks.sort_by_key(|it| std::cmp::Reverse(it.memory.as_ref().map(|it| it.last.ms)));
    }
    let status = if all.worst() == Level::Ok { Status::Done } else { Status::Differs };
    let mut text = String::new();
    match form {
        Form::Json => {
            for row in all.rows() {
                text.push_str(&serde_json::to_string(&row).unwrap_or_default());
                text.push('\n');
            }
        }
        Form::Text => {
            if anew {
                text.push_str("\u{1b}[H\u{1b}[2J");
            }
            let mut table = Table::of(&["check", "state", "since", "asked", "value", "ms", "says"]);
            let now = SystemTime::now();
            let old =
                |at: i64| age(UNIX_EPOCH + Duration::from_secs(u64::try_from(at).unwrap_or_default()), now);
            for seen in &all.checks {
                let Some(memory) = &seen.memory else {
                    table.row([
                        seen.id.clone(),
                        "not asked".to_owned(),
                        String::new(),
                        String::new(),
                        String::new(),
                        String::new(),
                        seen.about.clone(),
                    ]);
                    continue;
                };
                let last = &memory.last;
                let value =
                    last.value.map(|it| format!("{} {}", number(it), last.unit).trim_end().to_owned());
                let says = match &memory.because {
                    Some(because) => format!("{} (because of {because})", last.message),
                    None => last.message.clone(),
                };
                table.row([
                    seen.id.clone(),
                    state(memory),
                    old(memory.since),
                    old(memory.asked),
                    value.unwrap_or_default(),
                    last.ms.to_string(),
                    says,
                ]);
            }
            let last = if all.at == 0 {
                "there was no run yet".to_owned()
            } else {
                format!("the last run ended {} ago", old(all.at))
            };
            let waiting = if all.waiting == 0 {
                String::new()
            } else {
                format!("; {} messages wait to be taken", all.waiting)
            };
            let counts = format!(
                "{} checks: {} well, {} warnings, {} critical, {} unknown; {last}{waiting}\n",
                all.checks.len(),
                all.count(Level::Ok),
                all.count(Level::Warning),
                all.count(Level::Critical),
                all.count(Level::Unknown)
            );
            // The table has made its own cells printable.
            text.push_str(&table.text());
            text.push_str(&printable(&counts));
        }
    }
    stdout().write_all(text.as_bytes()).map_err(|error| Failure::output(&error))?;
    Ok(status)
}

/// What a check says, and what counts where that is something else.
fn state(memory: &pq_monitor::Memory) -> String {
    match (memory.last.level, memory.level) {
        _ if memory.flaps => "comes and goes".to_owned(),
        (now, counts) if now == counts => now.to_string(),
        (now, counts) => format!("{now} (counts as {counts})"),
    }
}

/// What a run came to.
pub(super) fn ran(setup: &Setup, done: &Report, form: Form) -> Result<(), Failure> {
    let mut text = String::new();
    match form {
        Form::Json => {
            let rows = view(setup).rows();
            for row in rows.iter().filter(|row| done.asked.contains(&row.check)) {
                text.push_str(&serde_json::to_string(row).unwrap_or_default());
                text.push('\n');
            }
            for event in &done.events {
                let line = json!({ "type": "alert", "host": setup.host, "id": event.id, "kind": event.kind, "check": event.check,
                    "level": event.level, "since": pq_monitor::utc(event.since), "message": event.answer.message,
                    "children": event.children.iter().map(|it| &it.check).collect::<Vec<_>>() });
                text.push_str(&format!("{line}\n"));
            }
        }
        Form::Text => {
            let bad = done.asked.iter().filter_map(|id| Some((id, done.state.checks.get(id)?)));
            for (id, memory) in bad.filter(|(_, memory)| memory.last.level.is_bad()) {
                let because =
                    memory.because.as_ref().map_or_else(String::new, |it| format!(" (because of {it})"));
                text.push_str(&format!("{:8}  {id}: {}{because}\n", memory.last.level, memory.last.message));
            }
            for event in &done.events {
                text.push_str(&format!("told      {} {}\n", event.kind.word(), event.check));
            }
            let failed =
                done.delivered.failed.iter().map(|(name, why)| format!("not taken by {name}: {why}\n"));
            text.extend(failed);
            text.push_str(&format!("{} checks were asked\n", done.asked.len()));
        }
    }
    let text = if form == Form::Text { printable(&text) } else { text };
    stdout().write_all(text.as_bytes()).map_err(|error| Failure::output(&error))
}

/// All about one check.
pub(super) fn explained(check: &str, lines: &[(String, String)], form: Form) -> Result<Status, Failure> {
    let text = match form {
        Form::Json => {
            let said: Vec<_> =
                lines.iter().map(|(word, text)| json!({ "word": word, "text": text })).collect();
            format!("{}\n", json!({ "type": "explanation", "check": check, "lines": said }))
        }
        Form::Text => {
            let widest = lines.iter().map(|it| it.0.len()).max().unwrap_or_default();
            let lines: Vec<String> =
                lines.iter().map(|(word, text)| format!("  {word:widest$}  {}\n", printable(text))).collect();
            format!("{check}\n{}", lines.concat())
        }
    };
    stdout().write_all(text.as_bytes()).map_err(|error| Failure::output(&error))?;
    Ok(Status::Done)
}
