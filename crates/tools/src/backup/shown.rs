//! Records of backups for people: tables, with a column for the host where there are several, and lines.

use std::time::SystemTime;

use pq_cli::{Table, age, size};
use pq_stream::from_utc;

use super::row::Row;
use crate::upkeep::counted;

/// Records, and the host that each is of, where there are several.
pub(super) type Rows = [(Option<String>, Row)];

/// Tables of what stands in tables, and behind them what does not.
pub(super) fn tables(rows: &Rows) -> String {
    let now = SystemTime::now();
    let old = |when: &str| from_utc(when).map_or_else(|| when.to_owned(), |time| age(time, now));
    let mut text = table(rows, &["item", "size", "adds at most", "goes to"], |row| match row {
        Row::Forecast { item, size: bytes, added, target, .. } => {
            let target = target.clone().unwrap_or_else(|| "nowhere: there is no room".to_owned());
            Some(vec![item.clone(), size(*bytes), size(*added), target])
        }
        _ => None,
    });
    text += &table(rows, &["item", "age", "size", "added", "to", "proven", "state"], |row| backup(row, &old));
    text += &table(rows, &["item", "time", "size", "dumps", "name"], |row| match row {
        Row::Set { item, set, time, size: bytes, dumps, complete } => {
            let name = if *complete { set.clone() } else { format!("{set}, not complete") };
            Some(vec![item.clone(), day(time).to_owned(), size(*bytes), dumps.to_string(), name])
        }
        _ => None,
    });
    text += &table(rows, &["backup of", "changed", "size", "path"], |row| match row {
        Row::Found { path, time, size: bytes, changed, .. } => {
            Some(vec![day(time).to_owned(), day(changed).to_owned(), size(*bytes), path.clone()])
        }
        _ => None,
    });
    for (host, row) in rows {
        let line = match row {
            Row::Room { target, free, size: all, left, keep } => format!(
                "{target}: {} free of {}, {} may be written so that {keep} % stay free",
                size(*free),
                size(*all),
                size(*left)
            ),
            Row::Target { target, known: None } => format!("{target}: nothing was written to it yet"),
            Row::Target { target, known: Some(known) } => {
                let written = known.written.as_deref().map_or_else(|| "never".to_owned(), old);
                let verified = match &known.verified {
                    None => "never verified".to_owned(),
                    Some(it) if it.wrong.is_empty() => {
                        format!("part {} verified {} ago", it.part, old(&it.when))
                    }
                    Some(it) => {
                        format!("damaged, as verified {} ago: {}", old(&it.when), it.wrong.join("; "))
                    }
                };
                format!("{target}: written {written} ago, {verified}")
            }
            Row::Peer { peer, late, pulled, newest, snapshots, bytes, missing, lost, failed, .. } => {
                let ago =
                    |when: &Option<String>| when.as_deref().map_or("never".to_owned(), |it| old(it) + " ago");
                let gone = if *missing > 0 {
                    format!(", {missing} files that it has no more")
                } else {
                    String::new()
                };
                let state = match (lost, failed) {
                    (Some(lost), _) => {
                        format!("lost something, seen {} ago: {}", old(&lost.since), lost.what.join("; "))
                    }
                    (None, Some(failed)) => {
                        format!("fails since {}: {}", old(&failed.since), failed.why.message)
                    }
                    (None, None) if *late => "too old".to_owned(),
                    (None, None) => "ok".to_owned(),
                };
                format!(
                    "peer {peer}: read {}, newest backup {}, {snapshots} snapshots, {}{gone}: {state}",
                    ago(pulled),
                    ago(newest),
                    size(*bytes)
                )
            }
            _ => continue,
        };
        text += &format!("{}{line}\n", of(host.as_deref()));
    }
    text
}

fn backup(row: &Row, old: &dyn Fn(&str) -> String) -> Option<Vec<String>> {
    let Row::Backup { item, late, unlisted, newest, failed, proven } = row else { return None };
    let state = match (failed, late, unlisted) {
        (_, _, true) => "nothing names it any more".to_owned(),
        (Some(failure), ..) => format!("fails since {}: {}", old(&failure.since), failure.why.message),
        (None, true, _) if newest.is_none() => "there is no backup".to_owned(),
        (None, true, _) => "too old".to_owned(),
        _ => "ok".to_owned(),
    };
    let newest = newest.as_ref();
    Some(vec![
        item.clone(),
        newest.map(|it| old(&it.when)).unwrap_or_default(),
        newest.map(|it| size(it.size)).unwrap_or_default(),
        newest.map(|it| size(it.added)).unwrap_or_default(),
        newest.map(|it| it.target.clone()).unwrap_or_default(),
        proven.as_ref().map_or_else(|| "never".to_owned(), |it| old(&it.when)),
        state,
    ])
}

/// The table of those of which `cells` makes a row; nothing where there are none.
fn table(rows: &Rows, columns: &[&str], cells: impl Fn(&Row) -> Option<Vec<String>>) -> String {
    let several = rows.iter().any(|(host, _)| host.is_some());
    let mut table = match several {
        true => Table::of(&[&["host"][..], columns].concat()),
        false => Table::of(columns),
    };
    for (host, row) in rows {
        if let Some(cells) = cells(row) {
            let host = several.then(|| host.clone().unwrap_or_default());
            table.row(host.into_iter().chain(cells));
        }
    }
    if table.is_empty() { String::new() } else { table.text() }
}

/// A record that is no row of a table: its lines on standard output, and those beside.
pub(super) fn line(host: Option<&str>, row: &Row) -> (String, String) {
    let (mut lines, mut beside) = (Vec::new(), Vec::new());
    match row {
        // As ssh and scp name a place on a machine.
        Row::Restored { item, into, time, files, bytes, dumps, .. } => {
            let at = host.map(|host| format!("{host}:")).unwrap_or_default();
            beside.push(format!(
                "restored `{item}` as of {}: {files} entries, {}, {} dumps",
                day(time),
                size(*bytes),
                dumps.len()
            ));
            let beside = beside.iter().map(|it| format!("{}{it}\n", of(host))).collect();
            return (format!("{at}{}\n", into.display()), beside);
        }
        Row::Copied { target, sets } => {
            lines.push(format!("copied to {target}: {}", counted(*sets, "backup", "backups")));
        }
        Row::Forgotten { item, target, stay, gone, unfinished, only_looked } => {
            let goes = if *only_looked { "would go" } else { "went" };
            let mut text = format!("{item} in {target}: {stay} stay, {} {goes}", gone.len());
            if *unfinished > 0 {
                text.push_str(&format!(", and {unfinished} that were never finished"));
            }
            if !gone.is_empty() {
                text.push_str(&format!(": {}", gone.join(", ")));
            }
            lines.push(text);
        }
        Row::Rehearsed { item, time, proven } => {
            let many = |number| usize::try_from(number).unwrap_or(usize::MAX);
            lines.push(format!(
                "{item}: the backup of {} was restored in {} s and compared: {}, {}, {}; all of that is gone again",
                day(time),
                proven.seconds,
                counted(many(proven.files), "entry", "entries"),
                size(proven.bytes),
                counted(many(proven.rows), "row", "rows"),
            ));
        }
        Row::Placed { item, of, time, before, databases, kept } => {
            let day = day(time);
            lines.push(match item == of {
                true => format!("{item} is as of {day} again; what it was until now is backup {before}"),
                false => {
                    format!("{item} has what {of} had on {day}; what it was until now is backup {before}")
                }
            });
            lines.extend(databases.iter().map(|words| format!("back: {words}")));
            lines.extend(kept.iter().map(|path| format!("kept: {}", path.display())));
        }
        Row::Rebuilt { item, time, databases } => {
            let with =
                if databases.is_empty() { String::new() } else { format!(", with {}", databases.join(", ")) };
            lines.push(format!("{item}: as of {}{with}", day(time)));
        }
        Row::Pulled { peer, files, bytes, missing, expired, only_looked } => {
            let come = if *only_looked { "would come" } else { "came" };
            let mut text = format!("{peer}: {} {come}, {}", counted(*files, "file", "files"), size(*bytes));
            if *missing > 0 {
                text.push_str(&format!("; {missing} that it has no more stay here"));
            }
            if *expired > 0 {
                text.push_str(&format!("; {expired} that it has not had for long went"));
            }
            lines.push(text);
        }
        Row::Kit { files, targets } => {
            lines.extend(files.iter().map(|path| path.display().to_string()));
            beside.push(format!("it opens {}; keep it where this machine is not", targets.join(", ")));
        }
        // These stand in tables.
        Row::Forecast { .. }
        | Row::Room { .. }
        | Row::Backup { .. }
        | Row::Target { .. }
        | Row::Peer { .. }
        | Row::Set { .. }
        | Row::Found { .. } => {}
    }
    let text = |lines: Vec<String>| lines.iter().map(|it| format!("{}{it}\n", of(host))).collect();
    (text(lines), text(beside))
}

fn of(host: Option<&str>) -> String {
    host.map(|host| format!("{host}: ")).unwrap_or_default()
}

/// A time down to its minute.
pub(super) fn day(time: &str) -> &str {
    time.get(..16).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copied(target: &str) -> Row {
        Row::Target { target: target.into(), known: None }
    }

    fn set(item: &str) -> Row {
        let (time, set) = ("2026-11-28T03:12:44Z".into(), "s1".into());
        Row::Set { item: item.into(), set, time, size: 2048, dumps: 1, complete: true }
    }

    #[test]
    fn one_machine_needs_no_column_for_it_and_several_do() {
        assert_eq!(
            tables(&[(None, set("wiki")), (None, copied("local"))]),
            "  item  time              size     dumps  name\n  wiki  2026-11-28T03:12  2.0 KiB  1      s1\nlocal: nothing was written to it yet\n"
        );
        assert_eq!(
            tables(&[(Some("web".into()), set("wiki")), (Some("db".into()), copied("local"))]),
            "  host  item  time              size     dumps  name\n  web   wiki  2026-11-28T03:12  2.0 KiB  1      s1\ndb: local: nothing was written to it yet\n"
        );
    }

    #[test]
    fn a_place_on_another_machine_has_its_name() {
        let row = Row::Restored {
            item: "wiki".into(),
            into: "/srv/r".into(),
            set: "s1".into(),
            time: "2026-11-28T03:12:44Z".into(),
            files: 3,
            bytes: 5,
            dumps: Vec::new(),
            missing: Vec::new(),
            failed: Vec::new(),
        };
        assert_eq!(line(Some("web"), &row).0, "web:/srv/r\n");
        assert_eq!(line(None, &row).0, "/srv/r\n");
    }
}
