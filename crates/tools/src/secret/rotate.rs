//! `pq-secret rotate`: a new `master_key`, with the old one beside it until every host has applied.
//!
//! Always true here: the old key is not removed before each host that has it ended well in a run of all its instances
//! that was given the new key, from an inventory that was read after the rotation, or was named as gone.

use std::collections::BTreeSet;
use std::io::{self, BufRead};
use std::path::Path;
use std::time::SystemTime;

use pq_cli::Failure;
use pq_inventory::{Document, Inventory};
use pq_secrets::{ExposeSecret, SecretString, new_password};
use pq_stream::{Diagnostic, MASTER_KEY, MASTER_KEY_PREVIOUS as PREVIOUS, Record, Secret, Status, utc};

use super::keeper::{Keeper, Keys};
use super::{ROTATED, say};

/// Letters and digits of a new key: 256 bits and more.
const LENGTH: usize = 44;

/// Draws a new key, and keeps the old one.
///
/// # Errors
/// Where there is no key, a rotation is not finished, or the file cannot be written.
pub fn begin(keys: &Keys, file: Option<&Path>) -> Result<Status, Failure> {
    let keeper = holder(keys, file)?;
    let _lock = keeper.lock()?;
    let document = keeper.document(&keeper.plain()?)?;
    if document.names().iter().any(|name| name == PREVIOUS) {
        return Err(Failure::input(
            Diagnostic::new(format!("the last rotation of `{}` is not finished", keeper.path.display()))
                .cause(format!("`{PREVIOUS}` is still there: some host may know no other"))
                .hint("apply on every host, then `… --apply --json | pq-secret rotate --finish`"),
        ));
    }
    let old = key(&document, &keeper.path)?;
    let new = new_password(LENGTH)
        .map_err(|error| Failure::failed(Diagnostic::new("cannot draw a key").cause(error.to_string())))?;
    let now = SecretString::from(utc(SystemTime::now()));
    let document = document.with(MASTER_KEY, &new, None)?;
    let document = document.with(PREVIOUS, &old, Some(MASTER_KEY))?.with(ROTATED, &now, Some(PREVIOUS))?;
    keeper.write(document.text())?;
    say(&format!("`{}` has a new `{MASTER_KEY}`, and the old one as `{PREVIOUS}`", keeper.path.display()));
    say("now apply on every host, all of it: `pq-inventory | pq-instance --apply --json > applied.jsonl`");
    say(
        "then `pq-secret rotate --finish < applied.jsonl`; `pq-secret show --previous` prints an old password",
    );
    Ok(Status::Done)
}

/// Removes the old key, when every host has applied.
///
/// # Errors
/// Where there is no rotation to finish, or hosts still have to apply: they are named, and nothing is changed.
pub fn finish(keys: &Keys, file: Option<&Path>, without: &[String]) -> Result<Status, Failure> {
    let keeper = holder(keys, file)?;
    let _lock = keeper.lock()?;
    let document = keeper.document(&keeper.plain()?)?;
    let Some(rotated) = document.values().get(ROTATED).map(|time| time.expose_secret().to_owned()) else {
        return Err(Failure::input(
            Diagnostic::new(format!("there is no rotation to finish in `{}`", keeper.path.display()))
                .hint("`pq-secret rotate` begins one"),
        ));
    };
    let hosts = hosts(keys, &document, &keeper.path)?;
    if let Some(unknown) = without.iter().find(|name| !hosts.contains(*name)) {
        let error =
            Diagnostic::new(format!("host `{}` has no `{MASTER_KEY}` of this file", unknown.escape_debug()));
        return Err(Failure::input(error.hint("name with `--without` only hosts that are waited for")));
    }
    let (new, identities) = (key(&document, &keeper.path)?, keys.identities()?);
    let is_new = |sealed: &Secret| {
        let opened = pq_secrets::open(&sealed.sealed, &identities, "the secrets of the run");
        let key = opened.ok().and_then(|values| values.get(MASTER_KEY).cloned());
        key.is_some_and(|key| key.expose_secret() == new.expose_secret())
    };
    let applied = applied(io::stdin().lock(), &rotated, is_new)?;
    let waiting: Vec<String> = hosts
        .iter()
        .filter(|host| !applied.contains(*host) && !without.contains(host))
        .map(|host| format!("`{host}`"))
        .collect();
    if !waiting.is_empty() {
        return Err(Failure::failed(
            Diagnostic::new(format!("{} of {} hosts still have to apply: {}", waiting.len(), hosts.len(), waiting.join(", ")))
                .cause(format!("no run of all their instances with the new key, from an inventory that was read after {rotated}, ended well on them; nothing was changed"))
                .hint("apply there and give what that wrote as well, or `--without HOST` for a machine that is gone"),
        ));
    }
    keeper.write(document.without(&[PREVIOUS, ROTATED])?.text())?;
    say(&format!(
        "the old key is gone from `{}`: {} applied",
        keeper.path.display(),
        count(hosts.len() - without.len())
    ));
    Ok(Status::Done)
}

fn count(hosts: usize) -> String {
    format!("{hosts} host{}", if hosts == 1 { "" } else { "s" })
}

/// The file that holds the key: the one that was named, or the only one of the inventory.
fn holder(keys: &Keys, file: Option<&Path>) -> Result<Keeper, Failure> {
    if let Some(file) = file {
        return Keeper::new(keys, file);
    }
    let mut found = Vec::new();
    for path in keys.all()? {
        let keeper = Keeper::new(keys, &path)?;
        let document = keeper.document(&keeper.plain()?)?;
        if document.names().iter().any(|name| name == MASTER_KEY) {
            found.push(keeper);
        }
    }
    let several: Vec<String> = found.iter().map(|keeper| format!("`{}`", keeper.path.display())).collect();
    match found.pop() {
        Some(one) if several.len() == 1 => Ok(one),
        None => Err(Failure::input(
            Diagnostic::new(format!("no age file of the inventory holds `{MASTER_KEY}`")).hint(format!(
                "`pq-secret set group_vars/all/secrets.yml.age {MASTER_KEY} --generate 44` makes one"
            )),
        )),
        Some(_) => Err(Failure::input(
            Diagnostic::new(format!("several files hold a `{MASTER_KEY}`"))
                .cause(several.join(", "))
                .hint("name the one to rotate"),
        )),
    }
}

fn key(document: &Document, path: &Path) -> Result<SecretString, Failure> {
    document.values().get(MASTER_KEY).cloned().ok_or_else(|| {
        Failure::input(
            Diagnostic::new(format!("`{}` holds no `{MASTER_KEY}`", path.display()))
                .hint("`pq-secret rotate` alone looks for the file that does"),
        )
    })
}

/// The hosts whose key is that of this file.
fn hosts(keys: &Keys, document: &Document, path: &Path) -> Result<BTreeSet<String>, Failure> {
    let inventory = Inventory::open(&keys.inventory()?, keys.files())?;
    let own = key(document, path)?;
    let identities = keys.identities()?;
    let mut hosts = BTreeSet::new();
    for record in inventory.records(&[], SystemTime::now())? {
        let Record::Secret(sealed) = record else { continue };
        let what = format!("the secrets of host `{}`", sealed.host);
        let values = pq_secrets::open(&sealed.sealed, &identities, &what).map_err(super::keeper::secret)?;
        if values.get(MASTER_KEY).is_some_and(|key| key.expose_secret() == own.expose_secret()) {
            hosts.insert(sealed.host);
        }
    }
    Ok(hosts)
}

/// What a run says of the host that it is about.
struct Told {
    host: String,
    /// Its instances of which nothing has been said yet.
    silent: BTreeSet<String>,
    /// Whether it was given the new key.
    new: bool,
}

/// The hosts on which the last run ended well, with the new key and for every instance, where its inventory was read
/// after that time; streams may follow each other.
fn applied(
    input: impl BufRead,
    after: &str,
    is_new: impl Fn(&Secret) -> bool,
) -> Result<BTreeSet<String>, Failure> {
    let (mut applied, mut later, mut told) = (BTreeSet::new(), false, None::<Told>);
    for (at, line) in input.lines().enumerate() {
        let wrong = |cause: String| {
            Failure::input(
                Diagnostic::new(format!("line {} of standard input is no record", at + 1))
                    .cause(cause)
                    .hint("give what `… --apply --json` or `pq-apply` wrote"),
            )
        };
        let line = line.map_err(|error| wrong(error.to_string()))?;
        if line.trim().is_empty() {
            continue;
        }
        let record: Record = serde_json::from_str(&line).map_err(|error| wrong(error.to_string()))?;
        match (record, &mut told) {
            (Record::Run(run), _) => {
                later = run.time.as_str() > after;
                told = None;
            }
            (Record::Host(host), _) => {
                let silent = host.instances.into_iter().map(|instance| instance.id).collect();
                told = Some(Told { host: host.host, silent, new: false });
            }
            (Record::Secret(sealed), Some(told)) if told.host == sealed.host => told.new = is_new(&sealed),
            // A step belongs to the instance whose name its id begins with: a run of others says nothing of this one.
            (Record::Event(event), Some(told)) if told.host == event.host => {
                let owner = event.id.split('/').next().unwrap_or(&event.id);
                told.silent.remove(owner);
            }
            // A plan has no host's `end`: only an execution says how a host ended.
            (Record::End(end), told) => {
                let Some(host) = end.host else { continue };
                match told.as_ref().filter(|told| told.host == host && told.new) {
                    Some(told) if end.status == Status::Done => {
                        if later && told.silent.is_empty() {
                            applied.insert(host);
                        }
                    }
                    // It failed on the way, or has another key since.
                    _ => drop(applied.remove(&host)),
                }
            }
            _ => {}
        }
    }
    Ok(applied)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = r#"{"type":"run","format":1,"inventory":"/i","digest":"","time":"TIME"}"#;
    const LATER: &str = "run 2026-11-23T06:42:01Z";

    /// The hosts that applied, after the records that such words stand for; `host HOST ID,ID` has instances.
    fn applied_in(said: &[&str]) -> Vec<String> {
        let line = |said: &&str| {
            let words: Vec<&str> = said.split(' ').collect();
            match words[..] {
                ["run", time] => RUN.replace("TIME", time),
                ["host", host, ids] => {
                    let ids: Vec<String> =
                        ids.split(',').map(|id| format!(r#"{{"app":"wiki","id":"{id}"}}"#)).collect();
                    let ids = ids.join(",");
                    format!(
                        r#"{{"type":"host","host":"{host}","groups":[],"connection":{{"kind":"ssh"}},"instances":[{ids}],"vars":{{}}}}"#
                    )
                }
                ["secret", host, sealed] => {
                    format!(r#"{{"type":"secret","host":"{host}","names":[],"sealed":"{sealed}"}}"#)
                }
                ["event", host, id] => {
                    format!(r#"{{"type":"event","host":"{host}","id":"{id}","title":"","outcome":"ok"}}"#)
                }
                ["end", host, status] => format!(r#"{{"type":"end","host":"{host}","status":{status}}}"#),
                _ => panic!("{said}"),
            }
        };
        let text: Vec<String> = said.iter().map(line).collect();
        let is_new = |sealed: &Secret| sealed.sealed == "new";
        let found = applied(text.join("\n").as_bytes(), "2026-11-23T06:42:00Z", is_new);
        found.unwrap_or_else(|_| panic!("{text:?}")).into_iter().collect()
    }

    const HOST: [&str; 3] = ["host a wiki", "secret a new", "event a wiki/user"];

    fn after(first: &[&'static str], rest: &[&'static str]) -> Vec<String> {
        applied_in(&[first, &HOST[..], rest].concat())
    }

    #[test]
    fn a_host_has_applied_when_it_ended_well_in_a_later_run() {
        assert_eq!(after(&[LATER], &["end a 0"]), ["a"]);
        assert!(after(&["run 2026-11-23T06:42:00Z"], &["end a 0"]).is_empty());
        assert!(after(&[], &["end a 0"]).is_empty());
        assert!(after(&[LATER], &["end a 1"]).is_empty() && after(&[LATER], &["end a 3"]).is_empty());
        assert_eq!(after(&[LATER, "host a wiki", "end a 1", LATER], &["end a 0"]), ["a"]);
        assert!(after(&[LATER], &["end a 0", LATER, "host a wiki", "secret a new", "end a 1"]).is_empty());
        assert!(applied("{}".as_bytes(), "", |_| true).is_err());
    }

    #[test]
    fn a_run_with_another_key_is_none_and_takes_back_what_one_before_it_did() {
        for sealed in [&["secret a old"][..], &["secret b new"], &[]] {
            let stale = [&[LATER, "host a wiki"], sealed, &["event a wiki/user", "end a 0"]].concat();
            assert!(applied_in(&stale).is_empty(), "{sealed:?}");
            assert!(after(&[LATER], &[&["end a 0"][..], &stale].concat()).is_empty(), "{sealed:?}");
            assert_eq!(after(&[&stale[..], &[LATER]].concat(), &["end a 0"]), ["a"], "{sealed:?}");
        }
    }

    #[test]
    fn a_run_without_one_of_the_instances_says_nothing() {
        let some = [LATER, "host a wiki,dav", "secret a new", "event a server/timezone", "event a dav/user"];
        assert!(applied_in(&[&some[..], &["end a 0"]].concat()).is_empty());
        assert_eq!(applied_in(&[&some[..], &["event a wiki/user", "end a 0"]].concat()), ["a"]);
        assert_eq!(after(&[LATER], &[&["end a 0"][..], &some, &["end a 0"]].concat()), ["a"]);
        assert_eq!(applied_in(&[LATER, "host a wiki", "secret a new", "event a wiki/x", "end a 0"]), ["a"]);
    }
}
