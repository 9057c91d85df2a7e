//! The files of backup and monitoring: what is read is written again the same, and a slip is told with its place.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fmt::Debug;
use std::fs;

use pq_items::{BackupItem, BackupStrategy, MonitorItem, MonitorStrategy, Probe, read, write};
use pq_stream::Diagnostic;
use serde::Serialize;
use serde::de::DeserializeOwned;

const BACKUP_ITEM: &str = include_str!("wiki.backup.yml");
const MONITOR_ITEM: &str = include_str!("wiki.monitor.yml");
const BACKUP: &str = include_str!("backup.yml");
const MONITOR: &str = include_str!("monitor.yml");

/// Reads a file, writes it, reads that.
fn round<T: DeserializeOwned + Serialize + PartialEq + Debug>(text: &str) -> T {
    let first: T = read("a file", "x.yml", text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let written = write(&first).unwrap();
    let again: T = read("a file", "x.yml", &written).unwrap_or_else(|error| panic!("{error}\n{written}"));
    assert_eq!(first, again, "{written}");
    assert_eq!(write(&again).unwrap(), written);
    first
}

#[test]
fn every_key_that_there_is_comes_back_as_it_was_written() {
    let item: BackupItem = round(BACKUP_ITEM);
    assert_eq!(item.databases.len(), 2);
    assert_eq!(item.quiesce[0].argv.words().last(), Some("yes: [\"no\"] # 1.10"));
    let item: MonitorItem = round(MONITOR_ITEM);
    let kinds: Vec<_> = item.checks.iter().map(|check| std::mem::discriminant(&check.probe)).collect();
    let distinct = kinds.iter().enumerate().filter(|(at, kind)| !kinds[..*at].contains(kind)).count();
    assert_eq!(distinct, 21, "the example has each kind of check");
    assert!(item.checks.iter().any(|check| matches!(&check.probe, Probe::Http(http) if http.status == 204)));
    round::<BackupStrategy>(BACKUP);
    let strategy: MonitorStrategy = round(MONITOR);
    assert_eq!(strategy.windows.len(), 2);
}

#[test]
fn parts_of_one_owner_make_the_same_file_in_either_order() {
    let part = |text: &str| read::<BackupItem>("x", "x", &format!("owner: server\n{text}")).unwrap();
    let (one, two) =
        (part("paths: { include: [/b, /a] }"), part("paths: { include: [/c, /a], exclude: [x] }"));
    let both = |first: &BackupItem, second: &BackupItem| {
        let mut item = part("");
        item.add(first.clone());
        item.add(second.clone());
        write(&item).unwrap()
    };
    assert_eq!(both(&one, &two), both(&two, &one));
    let check = |id: &str| {
        let text = format!("owner: server\nchecks: [{{ id: {id}, disk: {{ path: / }} }}]");
        read::<MonitorItem>("x", "x", &text).unwrap()
    };
    let mut item = check("b");
    item.add(check("a")).unwrap();
    assert_eq!(item.checks.iter().map(|check| check.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(item.add(check("a")).unwrap_err(), "two checks have the id `a`");
}

/// The line, the column and the whole error of a file that is refused.
fn refusal<T: DeserializeOwned + Debug>(text: &str) -> (usize, usize, Diagnostic) {
    let error = read::<T>("an item", "/etc/paquerette/x.yml", text).unwrap_err();
    let place = error.place.clone().unwrap();
    assert_eq!(place.file, "/etc/paquerette/x.yml");
    (place.line, place.column, error)
}

#[test]
fn a_slip_is_told_with_its_place_and_the_word_that_was_meant() {
    let (line, column, error) =
        refusal::<MonitorItem>("owner: wiki\nchecks:\n  - id: page\n    htttp: { url: x }\n");
    assert_eq!((line, column, error.message.as_str()), (4, 5, "an item does not know the key `htttp` here"));
    assert_eq!(error.hints, ["did you mean `http`?"]);
    let (line, _, error) = refusal::<BackupItem>("owner: wiki\npaths:\n  include:\n    - /srv/../etc\n");
    assert_eq!(line, 4, "{error}");
    assert!(error.causes[0].starts_with("`/srv/../etc` is not an absolute path"), "{error}");
    let (_, _, error) = refusal::<BackupItem>("paths: { include: [/srv] }\n");
    assert_eq!(error.message, "the key `owner` is missing here");
    let strategy = BACKUP.replace("12 3 * * *", "12 25 * * *");
    let (line, _, error) = refusal::<BackupStrategy>(&strategy);
    assert!(line > 1 && error.causes[0].starts_with("`25` is no hour"), "{error}");
    let open = BACKUP.replace("rest:https://me@", "rest:https://me:secret@");
    let (_, _, error) = refusal::<BackupStrategy>(&open);
    assert!(error.causes[0].contains("without a password"), "{error}");
}

#[test]
fn a_check_asks_exactly_one_thing() {
    let item = |keys: &str| format!("owner: wiki\nchecks:\n  - {{ id: page, {keys} }}\n");
    for keys in [
        "about: nothing",
        "disk: { path: / }, tcp: { host: localhost, port: 80 }",
        "command: { argv: [] }",
        "certificate: { names: [a.org] }",
        "certificate: { names: [], file: /x }",
        "disk: { path: /, warn: 101 }",
        "unit: { name: nginx }",
        "file: { path: /x, max_age: 0h }",
        "disk: { path: / }, damping: { failures: 3, of: 2 }",
        "http: { url: \"https://a.org/\", matches: \"(a\" }",
    ] {
        assert!(read::<MonitorItem>("x", "x", &item(keys)).is_err(), "{keys}");
    }
    read::<MonitorItem>("x", "x", &item("disk: { path: / }, damping: { failures: 2, of: 3 }")).unwrap();
}

#[test]
fn a_channel_is_exactly_one_way() {
    let with = |channel: &str| {
        MONITOR.replace("{ name: team, mattermost: { url_file: /etc/paquerette/team.url } }", channel)
    };
    assert!(read::<MonitorStrategy>("x", "x", &with("{ name: team }")).is_err());
    let (_, _, error) = refusal::<MonitorStrategy>(&with("{ name: team, mattermos: { url_file: /x } }"));
    assert_eq!(error.hints, ["did you mean `mattermost`?"]);
    let two = "{ name: team, mattermost: { url_file: /x }, exec: { argv: [/x] } }";
    let (_, _, error) = refusal::<MonitorStrategy>(&with(two));
    assert!(error.causes[0].contains("is not exactly one of"), "{error}");
}

#[test]
fn the_published_schema_is_that_of_the_types() {
    let published = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/items.schema.json");
    let published: serde_json::Value = serde_json::from_str(&fs::read_to_string(published).unwrap()).unwrap();
    assert_eq!(published, pq_items::schema(), "run `make schema`");
}
