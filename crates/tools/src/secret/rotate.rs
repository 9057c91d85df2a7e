//! `pq-secret rotate`: a new `master_key`, with the old one beside it until every host has applied.
//!
//! Always true here: the old key is not removed before each host that has it ended well in a run whose inventory was
//! read after the rotation, or was named as gone.

use std::collections::BTreeSet;
use std::io::{self, BufRead};
use std::path::Path;
use std::time::SystemTime;

use pq_cli::Failure;
use pq_inventory::{Document, Inventory};
use pq_secrets::{ExposeSecret, SecretString, new_password};
use pq_stream::{Diagnostic, MASTER_KEY, Record, Status, utc};

use super::keeper::{Keeper, Keys};
use super::{PREVIOUS, ROTATED, say};

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
    let applied = applied(io::stdin().lock(), &rotated)?;
    let waiting: Vec<String> = hosts
        .iter()
        .filter(|host| !applied.contains(*host) && !without.contains(host))
        .map(|host| format!("`{host}`"))
        .collect();
    if !waiting.is_empty() {
        return Err(Failure::failed(
            Diagnostic::new(format!("{} of {} hosts still have to apply: {}", waiting.len(), hosts.len(), waiting.join(", ")))
                .cause(format!("no run whose inventory was read after {rotated} ended well on them; nothing was changed"))
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
    let inventory = Inventory::open(&keys.inventory()?, keys.identity_files(), keys.vault_password_files())?;
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

/// The hosts that ended well in a run whose inventory was read after that time; streams may follow each other.
fn applied(input: impl BufRead, after: &str) -> Result<BTreeSet<String>, Failure> {
    let (mut applied, mut later) = (BTreeSet::new(), false);
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
        match serde_json::from_str(&line).map_err(|error| wrong(error.to_string()))? {
            Record::Run(run) => later = run.time.as_str() > after,
            // A plan has no host's `end`: only an execution says how a host ended.
            Record::End(end) if later => match (end.host, end.status) {
                (Some(host), Status::Done) => drop(applied.insert(host)),
                (Some(host), _) => drop(applied.remove(&host)),
                (None, _) => {}
            },
            _ => {}
        }
    }
    Ok(applied)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = r#"{"type":"run","format":1,"inventory":"/i","digest":"","time":"TIME"}"#;

    fn applied_in(lines: &[(&str, &str)]) -> Vec<String> {
        let text: Vec<String> = lines
            .iter()
            .map(|(what, status)| match *what {
                "run" => RUN.replace("TIME", status),
                host => format!(r#"{{"type":"end","host":"{host}","status":{status}}}"#),
            })
            .collect();
        let found = applied(text.join("\n").as_bytes(), "2026-11-23T06:42:00Z").unwrap();
        found.into_iter().collect()
    }

    #[test]
    fn a_host_has_applied_when_it_ended_well_in_a_later_run() {
        let later = ("run", "2026-11-23T06:42:01Z");
        assert_eq!(applied_in(&[later, ("a", "0"), ("b", "1"), ("c", "3")]), ["a"]);
        assert!(applied_in(&[("run", "2026-11-23T06:42:00Z"), ("a", "0")]).is_empty());
        assert!(applied_in(&[("a", "0")]).is_empty());
        assert_eq!(applied_in(&[later, ("a", "1"), later, ("a", "0")]), ["a"]);
        assert!(applied_in(&[later, ("a", "0"), later, ("a", "1")]).is_empty());
        assert!(applied("{}".as_bytes(), "").is_err());
    }
}
