//! Tables of backups for people, and the same as records.

use std::io::{Write as _, stdout};
use std::time::SystemTime;

use pq_backup::{Forecast, Found, Listed, Restored, Room, Session};
use pq_cli::{Failure, Form, Table, age, printable, report, size};
use pq_stream::{Status, from_utc};
use serde_json::{Value, json};

/// What is expected of the next run.
pub(super) fn forecast(
    session: &Session,
    found: &[Forecast],
    rooms: &[(String, Room)],
    form: Form,
) -> Result<Status, Failure> {
    let keep = session.setup.strategy.keep_free;
    let well =
        found.iter().all(|it| it.target.is_some() && it.wrong.is_empty()) && session.setup.broken.is_empty();
    match form {
        Form::Json => {
            for it in found {
                line(
                    &json!({ "type": "forecast", "item": it.item, "size": it.size, "added": it.added, "known": it.known, "target": it.target }),
                )?;
            }
        }
        Form::Text => {
            let mut table = Table::of(&["item", "size", "adds at most", "goes to"]);
            for it in found {
                let target = it.target.clone().unwrap_or_else(|| "nowhere: there is no room".to_owned());
                table.row([it.item.clone(), size(it.size), size(it.added), target]);
            }
            text(&table.text())?;
            for (target, room) in rooms {
                text(&format!(
                    "{target}: {} free of {}, {} may be written so that {} % stay free\n",
                    size(room.free),
                    size(room.size),
                    size(room.left(keep)),
                    keep.get()
                ))?;
            }
        }
    }
    found.iter().flat_map(|it| &it.wrong).for_each(report);
    Ok(if well { Status::Done } else { Status::Differs })
}

/// How old everything is.
pub(super) fn status(session: &Session, form: Form) -> Result<Status, Failure> {
    let (items, targets) = pq_backup::status(session);
    let now = SystemTime::now();
    let old = |when: &str| from_utc(when).map_or_else(|| when.to_owned(), |time| age(time, now));
    let bad_target = targets.iter().any(|(_, known)| {
        known.as_ref().and_then(|it| it.verified.as_ref()).is_some_and(|it| !it.wrong.is_empty())
    });
    let well = !bad_target
        && session.setup.broken.is_empty()
        && items.iter().all(|it| !it.late && (it.unlisted || it.remembered.failed.is_none()));
    if form == Form::Json {
        for it in &items {
            let (newest, failed, proven) =
                (&it.remembered.newest, &it.remembered.failed, &it.remembered.proven);
            line(
                &json!({ "type": "backup", "host": session.setup.host, "item": it.item, "late": it.late, "unlisted": it.unlisted,
                "newest": newest, "failed": failed, "proven": proven }),
            )?;
        }
        for (name, known) in &targets {
            line(&json!({ "type": "target", "host": session.setup.host, "target": name, "known": known }))?;
        }
    } else {
        let mut table = Table::of(&["item", "age", "size", "added", "to", "proven", "state"]);
        for it in &items {
            let newest = it.remembered.newest.as_ref();
            let state = match (&it.remembered.failed, it.late, it.unlisted) {
                (_, _, true) => "nothing names it any more".to_owned(),
                (Some(failure), ..) => {
                    format!("fails since {}: {}", old(&failure.since), failure.why.message)
                }
                (None, true, _) if newest.is_none() => "there is no backup".to_owned(),
                (None, true, _) => "too old".to_owned(),
                _ => "ok".to_owned(),
            };
            table.row([
                it.item.clone(),
                newest.map(|it| old(&it.when)).unwrap_or_default(),
                newest.map(|it| size(it.size)).unwrap_or_default(),
                newest.map(|it| size(it.added)).unwrap_or_default(),
                newest.map(|it| it.target.clone()).unwrap_or_default(),
                it.remembered.proven.as_ref().map_or_else(|| "never".to_owned(), |it| old(&it.when)),
                state,
            ]);
        }
        text(&table.text())?;
        for (name, known) in &targets {
            let Some(known) = known else {
                text(&format!("{name}: nothing was written to it yet\n"))?;
                continue;
            };
            let written = known.written.as_deref().map_or_else(|| "never".to_owned(), old);
            let verified = match &known.verified {
                None => "never verified".to_owned(),
                Some(it) if it.wrong.is_empty() => format!("part {} verified {} ago", it.part, old(&it.when)),
                Some(it) => format!("damaged, as verified {} ago: {}", old(&it.when), it.wrong.join("; ")),
            };
            text(&format!("{name}: written {written} ago, {verified}\n"))?;
        }
    }
    Ok(if well { Status::Done } else { Status::Differs })
}

/// The backups that there are.
pub(super) fn list(listed: &[Listed], form: Form) -> Result<Status, Failure> {
    if form == Form::Json {
        for it in listed {
            line(
                &json!({ "type": "set", "item": it.item, "set": it.set, "time": it.time, "size": it.size, "dumps": it.dumps, "complete": it.complete }),
            )?;
        }
        return Ok(Status::Done);
    }
    let mut table = Table::of(&["item", "time", "size", "dumps", "name"]);
    for it in listed {
        let name = if it.complete { it.set.clone() } else { format!("{}, not complete", it.set) };
        table.row([it.item.clone(), day(&it.time).to_owned(), size(it.size), it.dumps.to_string(), name]);
    }
    match table.is_empty() {
        true => text("there is no backup\n")?,
        false => text(&table.text())?,
    }
    Ok(Status::Done)
}

/// Files that were found.
pub(super) fn found(found: &[Found], form: Form) -> Result<Status, Failure> {
    if form == Form::Json {
        for it in found {
            line(
                &json!({ "type": "found", "path": it.path, "set": it.set, "time": it.time, "size": it.size, "changed": it.changed, "kind": it.kind }),
            )?;
        }
        return Ok(Status::Done);
    }
    let mut table = Table::of(&["backup of", "changed", "size", "path"]);
    for it in found {
        table.row([day(&it.time).to_owned(), day(&it.changed).to_owned(), size(it.size), it.path.clone()]);
    }
    match table.is_empty() {
        true => text("no backup has such a file\n")?,
        false => text(&table.text())?,
    }
    Ok(Status::Done)
}

/// What came back.
pub(super) fn restored(item: &str, it: &Restored, form: Form) -> Result<Status, Failure> {
    match form {
        Form::Json => line(
            &json!({ "type": "restored", "item": item, "into": it.into, "set": it.set, "time": it.time, "files": it.files,
            "bytes": it.bytes, "dumps": it.dumps, "missing": it.missing, "failed": it.failed.iter().map(ToString::to_string).collect::<Vec<_>>() }),
        )?,
        Form::Text => {
            text(&format!("{}\n", it.into.display()))?;
            pq_cli::tell(&printable(&format!(
                "restored `{item}` as of {}: {} entries, {}, {} dumps\n",
                day(&it.time),
                it.files,
                size(it.bytes),
                it.dumps.len()
            )));
        }
    }
    for missing in &it.missing {
        pq_cli::tell(&printable(&format!(
            "{}: note: was missing already when it was backed up: {missing}\n",
            pq_cli::tool_name()
        )));
    }
    it.failed.iter().for_each(report);
    Ok(if it.failed.is_empty() { Status::Done } else { Status::Failed })
}

/// A time down to its minute.
pub(super) fn day(time: &str) -> &str {
    time.get(..16).unwrap_or(time)
}

fn text(text: &str) -> Result<(), Failure> {
    stdout().write_all(printable(text).as_bytes()).map_err(|error| Failure::output(&error))
}

fn line(value: &Value) -> Result<(), Failure> {
    writeln!(stdout(), "{value}").map_err(|error| Failure::output(&error))
}
