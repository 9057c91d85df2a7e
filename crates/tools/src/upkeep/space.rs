//! `pq-server space`.

use std::fmt::Write as _;
use std::time::SystemTime;

use pq_cli::{Failure, Table, age, printable, size};
use pq_stream::{HostSpace, Record, Status, from_utc};

use super::{AskArgs, Asking};

/// Asks hosts what is kept on them.
pub(super) fn tell(args: &AskArgs) -> Result<Status, Failure> {
    let asking = Asking::read(args, true)?;
    let answers = pq_fleet::space(&asking.run, &asking.hosts, &asking.keys, &asking.crew)?;
    asking.write(answers, |it| shown(it, SystemTime::now()), Record::Space, |_| Status::Done)
}

/// One machine, for people.
fn shown(is: &HostSpace, now: SystemTime) -> String {
    let mut text = format!("{}\n", printable(&is.host));
    let mut table = Table::of(&["size", "age", "owner", "what", "where"]);
    for it in &is.kept {
        let least = if it.partial { "> " } else { "" };
        let since = it.since.as_deref().and_then(from_utc);
        table.row([
            format!("{least}{}", size(it.size)),
            since.map(|since| age(since, now)).unwrap_or_default(),
            it.owner.clone(),
            it.what.clone(),
            it.path.clone(),
        ]);
    }
    if !table.is_empty() {
        text.push_str(&table.text());
    }
    let least = if is.kept.iter().any(|it| it.partial) { "more than " } else { "" };
    let _ = writeln!(text, "{}: {least}{} kept", printable(&is.host), size(is.total));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use pq_stream::Kept;

    #[test]
    fn what_is_kept_is_a_table_with_its_sum() {
        let kept = |path: &str, size, partial| Kept {
            path: path.to_owned(),
            what: "old release".to_owned(),
            owner: "wiki".to_owned(),
            since: Some("2026-11-21T06:42:00Z".to_owned()),
            size,
            partial,
        };
        let kept = vec![kept("/srv/a", 3 << 20, false), kept("/srv/b", 2048, true)];
        let is = HostSpace { host: "web".to_owned(), total: (3 << 20) + 2048, kept };
        assert_eq!(
            shown(&is, from_utc("2026-11-23T06:42:00Z").unwrap()),
            "web\n\
             \x20 size       age  owner  what         where\n\
             \x20 3.0 MiB    2 d  wiki   old release  /srv/a\n\
             \x20 > 2.0 KiB  2 d  wiki   old release  /srv/b\n\
             web: more than 3.0 MiB kept\n"
        );
        let nothing = HostSpace { host: "web".to_owned(), ..HostSpace::default() };
        assert_eq!(shown(&nothing, SystemTime::UNIX_EPOCH), "web\nweb: 0 B kept\n");
    }
}
