//! How old backups are, and the last proven restore: by what pq-backup remembers, of which the parts are read that say that.

use std::fs;
use std::path::Path;

use pq_items::{BackupItem, BackupStrategy, Backups};
use pq_store::{At, BACKED, Backed};
use pq_stream::{from_utc, system_cause};

use super::{Context, file};
use crate::{Answer, bounded};

/// How long ago a restore may have been proven where the check does not say.
const PROVEN: u64 = 40 * 86_400;

/// Asks for it.
pub fn ask(backups: &Backups, context: &Context) -> Answer {
    let max_age = match backups.max_age.as_ref().map(pq_items::Span::seconds) {
        Some(age) => age,
        None => match strategy(&context.etc) {
            Ok(strategy) => strategy.max_age.seconds(),
            Err(why) => return Answer::unknown("strategy", why),
        },
    };
    let wanted: Vec<String> = match backups.of.is_empty() {
        false => backups.of.iter().map(ToString::to_string).collect(),
        true => listed(&context.etc),
    };
    let path = context.lib.join(BACKED);
    let state: Backed = match bounded::read(&path) {
        Ok(bytes) => match serde_json::from_slice(&bytes) {
            Ok(state) => state,
            Err(error) => {
                return Answer::unknown("state", format!("cannot read `{}`: {error}", path.display()));
            }
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Backed::default(),
        Err(error) => {
            return Answer::unknown(
                "state",
                format!("cannot read `{}`: {}", path.display(), system_cause(&error)),
            );
        }
    };
    let proven = backups.proven_within.as_ref().map_or(PROVEN, pq_items::Span::seconds);
    judge(&state, &wanted, context.now, max_age, proven)
}

fn strategy(etc: &Path) -> Result<BackupStrategy, String> {
    let path = etc.join("backup.yml");
    let shown = path.display().to_string();
    let text =
        bounded::text(&path).map_err(|error| format!("cannot read `{shown}`: {}", system_cause(&error)))?;
    pq_items::read("the strategy", &shown, &text).map_err(|error| error.to_string())
}

/// The items that are backed up.
pub fn listed(etc: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(etc.join("backup.d")).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|it| it == "yml")
            && let Ok(text) = bounded::text(&path)
            && let Ok(item) = pq_items::read::<BackupItem>("an item", "", &text)
            && !item.is_empty()
        {
            found.push(item.owner.to_string());
        }
    }
    found.sort();
    found
}

fn judge(state: &Backed, wanted: &[String], now: i64, max_age: u64, proven_within: u64) -> Answer {
    let age = |when: Option<&At>| {
        let time = from_utc(&when?.when)?.duration_since(std::time::UNIX_EPOCH).ok()?.as_secs();
        // One of the future says nothing of how old it is.
        u64::try_from(now).ok()?.checked_sub(time)
    };
    let (mut late, mut oldest) = (Vec::new(), 0);
    for name in wanted {
        let item = state.items.get(name);
        let newest = age(item.and_then(|it| it.newest.as_ref()));
        oldest = oldest.max(newest.unwrap_or_default());
        let why = item
            .and_then(|it| it.failed.as_ref())
            .map_or_else(String::new, |it| format!(": {}", it.why.message));
        match newest {
            None => late.push(format!("there is no backup of `{name}`{why}")),
            Some(age) if age > max_age => {
                late.push(format!("the newest backup of `{name}` is {} old{why}", file::span(age)))
            }
            Some(_) => {}
        }
    }
    let damaged = state.targets.iter().filter_map(|(name, it)| {
        let wrong = it.verified.as_ref()?.wrong.first()?;
        Some(format!("what is stored in `{name}` is damaged: {wrong}"))
    });
    let damaged: Vec<String> = damaged.collect();
    let last = wanted.iter().filter_map(|name| age(state.items.get(name)?.proven.as_ref())).min();
    let answer = match (damaged.first(), late.first(), last) {
        (Some(first), ..) => Answer::critical("damaged", first.clone())
            .hint("`pq-backup verify --all` names the files; another copy may be whole"),
        (None, Some(first), _) => {
            let more = if late.len() > 1 { format!(" (and {} more)", late.len() - 1) } else { String::new() };
            Answer::critical("late", format!("{first}{more}"))
                .hint("`pq-backup status` says how each is; `pq-backup run` makes one now")
        }
        (None, None, None) => Answer::warning(
            "unproven",
            format!("{} items are backed up, and no restore was ever proven", wanted.len()),
        )
        .hint("`pq-backup rehearse` proves one"),
        (None, None, Some(age)) if age > proven_within => {
            Answer::warning("unproven", format!("the last restore was proven {} ago", file::span(age)))
                .hint("`pq-backup rehearse` proves one")
        }
        (None, None, Some(age)) => {
            let text = format!(
                "{} items are backed up, the oldest {} ago; a restore was proven {} ago",
                wanted.len(),
                file::span(oldest),
                file::span(age)
            );
            Answer::ok(text)
        }
    };
    let answer = if wanted.is_empty() { Answer::ok("nothing is backed up here") } else { answer };
    #[expect(clippy::cast_precision_loss, reason = "seconds")]
    answer.value(oldest as f64, "s")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::utc;

    const NOW: i64 = 1_800_000_000;

    fn judged(text: &str) -> Answer {
        let text = text.replace("FRESH", &utc(NOW - 3_600)).replace("STALE", &utc(NOW - 90 * 86_400));
        let state: Backed = serde_json::from_str(&text).unwrap();
        judge(&state, &["wiki".to_owned()], NOW, 26 * 3_600, PROVEN)
    }

    #[test]
    fn a_backup_that_is_missing_late_damaged_or_unproven_is_told() {
        for (text, code, word) in [
            ("{}", "late", "no backup of `wiki`"),
            (
                r#"{"items":{"wiki":{"newest":{"when":"STALE"},"failed":{"since":"","when":"","why":{"message":"no room"}}}}}"#,
                "late",
                "90 d old: no room",
            ),
            (r#"{"items":{"wiki":{"newest":{"when":"FRESH"}}}}"#, "unproven", "ever proven"),
            (
                r#"{"items":{"wiki":{"newest":{"when":"FRESH"},"proven":{"when":"STALE"}}}}"#,
                "unproven",
                "90 d ago",
            ),
            (
                r#"{"items":{"wiki":{"newest":{"when":"FRESH"},"proven":{"when":"FRESH","files":3}}}}"#,
                "ok",
                "60 min ago",
            ),
            (
                r#"{"items":{"wiki":{"newest":{"when":"FRESH"},"proven":{"when":"FRESH"}}},"targets":{"local":{"verified":{"wrong":["pack 1"]}}}}"#,
                "damaged",
                "pack 1",
            ),
            (r#"{"items":{"wiki":{"newest":{"when":"2999-01-01T00:00:00Z"}}}}"#, "late", "no backup"),
        ] {
            let answer = judged(text);
            assert_eq!(answer.code, code, "{text}: {answer:?}");
            assert!(answer.message.contains(word), "{text}: {answer:?}");
        }
    }
}
