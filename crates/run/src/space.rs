//! `pq-server space`: what paquerette keeps on this machine so that nothing is lost, with its owner, age and size.
//!
//! Nothing is changed, and no link is followed. What vanishes while it is looked at is not told.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pq_machine::{Until, usage};
use pq_steps::ledger::{Ledger, ThingKind};
use pq_store::{LedgerFile, STATE_DIR};
use pq_stream::{Diagnostic, HostSpace, Kept, system_cause, utc, valid_instance_id};

use crate::tell::short;

/// Where executors are kept that came over ssh.
const CACHE: &str = "/var/cache/paquerette";

/// How long sizes are read: an answer must come before who asks gives up.
const MOST: Duration = Duration::from_secs(40);

/// Most that is told; the sum is of all.
const TOLD: usize = 4000;

/// Whose it is that belongs to no owner.
const OURS: &str = "paquerette";

/// What paquerette keeps on this machine, whose instances are below `base`; its name is left empty.
///
/// # Errors
/// Where the ledger cannot be read.
pub fn space(base: &str) -> Result<HostSpace, Diagnostic> {
    let ledger = LedgerFile::load(Path::new(STATE_DIR)).map_err(|error| {
        Diagnostic::new(format!("cannot read the ledger in `{STATE_DIR}`")).cause(system_cause(&error))
    })?;
    let mut found = Found { until: Until::within(MOST), kept: Vec::new() };
    found.look(ledger.ledger(), base, Path::new(STATE_DIR), Path::new(CACHE));
    Ok(found.told())
}

/// The directories below which instances are: the inventory's, and those of what was made.
pub(crate) fn bases(ledger: &Ledger, base: &str) -> BTreeSet<PathBuf> {
    let homes = ledger.things().filter(|(thing, _)| thing.kind == ThingKind::Directory);
    let made = homes.filter_map(|(thing, booked)| {
        let (base, id) = thing.name.rsplit_once("/www/")?;
        booked.owners.contains(id).then(|| PathBuf::from(base))
    });
    made.chain([PathBuf::from(base)]).collect()
}

struct Found {
    until: Until,
    kept: Vec<Kept>,
}

impl Found {
    fn look(&mut self, ledger: &Ledger, base: &str, state: &Path, cache: &Path) {
        let owners = ledger.owners();
        for base in bases(ledger, base) {
            for home in listed(&base.join("www")) {
                self.instance(&home, &owners);
            }
            for backup in listed(&base.join("backups")) {
                let name = name(&backup);
                let owner = if owners.contains(name.as_str()) { name.as_str() } else { OURS };
                self.add(&backup, "backup", owner);
            }
        }
        for (thing, booked) in ledger.things().filter(|(thing, _)| thing.kind == ThingKind::File) {
            let owner = booked.owners.first().map_or(OURS, String::as_str);
            if thing.name.ends_with(".new") {
                self.add(Path::new(&thing.name), "our version of a file that was changed by hand", owner);
            }
        }
        for path in listed(state) {
            match name(&path).as_str() {
                "undo" => {
                    listed(&path)
                        .iter()
                        .for_each(|run| self.add(run, "files as they were before a run", OURS));
                }
                "journal" | "transactions" | "history" if listed(&path).is_empty() => {}
                "journal" => self.add(&path, "journals of runs that came to no good end", OURS),
                "history" => self.add(&path, "journals of earlier runs", OURS),
                "ledger.ndjson" => self.add(&path, "ledger of what was made", OURS),
                "transactions" => self.add(&path, "transactions that are not finished", OURS),
                "recover" => self.add(&path, "program that boot starts", OURS),
                _ => self.add(&path, "records", OURS),
            }
        }
        for path in listed(cache) {
            let what = match name(&path).as_str() {
                "restic" | "backup" => "what backups can make again",
                it if it.starts_with("pq-apply-") => "executor",
                _ => "unfinished download",
            };
            self.add(&path, what, OURS);
        }
    }

    /// What is kept of one instance: releases that are not served, and what an interrupted one left.
    fn instance(&mut self, home: &Path, owners: &BTreeSet<&str>) {
        let id = name(home);
        if valid_instance_id(&id).is_err() {
            return;
        }
        let served = fs::read_link(home.join("current")).ok();
        if served.is_none() && !owners.contains(id.as_str()) {
            self.add(home, "data of an instance that was removed", &id);
            return;
        }
        for path in listed(home).iter().filter(|path| name(path).contains(".before-")) {
            self.add(path, "what was there before a restore", &id);
        }
        let served = served.as_deref().and_then(Path::file_name);
        for release in listed(&home.join("releases")) {
            match name(&release) {
                it if it.starts_with(".tmp-") => self.add(&release, "unfinished release", &id),
                _ if release.file_name() == served => {}
                _ => self.add(&release, "old release", &id),
            }
        }
    }

    fn add(&mut self, path: &Path, what: &str, owner: &str) {
        let Some(usage) = usage(path, self.until) else { return };
        self.kept.push(Kept {
            path: short(&path.to_string_lossy()),
            what: what.to_owned(),
            owner: owner.to_owned(),
            since: Some(utc(usage.changed)),
            size: usage.size,
            partial: usage.partial,
        });
    }

    fn told(mut self) -> HostSpace {
        self.kept.sort_by(|one, other| other.size.cmp(&one.size).then_with(|| one.path.cmp(&other.path)));
        let total = self.kept.iter().map(|it| it.size).sum();
        self.kept.truncate(TOLD);
        HostSpace { host: String::new(), total, kept: self.kept }
    }
}

/// What is in a directory, sorted; nothing where there is none, or where it is a link.
fn listed(path: &Path) -> Vec<PathBuf> {
    if !path.symlink_metadata().is_ok_and(|it| it.is_dir()) {
        return Vec::new();
    }
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use pq_steps::ledger::{Entry, Thing, What};
    use std::os::unix::fs::symlink;

    fn wanted(kind: ThingKind, name: &str, owner: &str) -> Entry {
        let what = What::Wanted { owner: owner.to_owned(), before: false };
        Entry { thing: Thing::new(kind, name), what }
    }

    fn write(path: &Path, bytes: usize) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, vec![7; bytes]).unwrap();
    }

    #[test]
    fn what_is_kept_is_told_with_its_owner_and_the_largest_first() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        let base = root.join("srv");
        let home = base.join("www/wiki");
        write(&home.join("releases/1/index.php"), 300 << 10);
        write(&home.join("releases/2/index.php"), 10);
        write(&home.join("releases/.tmp-3/index.php"), 10);
        write(&home.join("data/page"), 1 << 20);
        symlink("releases/2", home.join("current")).unwrap();
        write(&base.join("www/gone/data/page"), 10);
        write(&base.join("www/not an id/page"), 10);
        let edited = root.join("etc/site.conf.new");
        write(&edited, 10);
        let state = root.join("state");
        write(&state.join("undo/run/0000"), 10);
        write(&state.join("history/run.ndjson"), 10);
        write(&root.join("cache/pq-apply-0123"), 10);
        let mut ledger = Ledger::default();
        ledger.take(&wanted(ThingKind::Directory, home.to_str().unwrap(), "wiki"));
        ledger.take(&wanted(ThingKind::File, edited.to_str().unwrap(), "platform/nginx"));
        ledger.take(&wanted(ThingKind::File, root.join("gone.new").to_str().unwrap(), "wiki"));
        let mut found = Found { until: Until::within(MOST), kept: Vec::new() };
        found.look(&ledger, "/nowhere", &state, &root.join("cache"));
        let told = found.told();
        let told_of = |what: &str| {
            let it: Vec<_> = told.kept.iter().filter(|it| it.what.starts_with(what)).collect();
            assert_eq!(it.len(), 1, "{what}: {:?}", told.kept);
            (it[0].path.strip_prefix(root.to_str().unwrap()).unwrap().to_owned(), it[0].owner.as_str())
        };
        assert_eq!(told_of("old release"), ("/srv/www/wiki/releases/1".to_owned(), "wiki"));
        assert_eq!(told_of("unfinished release"), ("/srv/www/wiki/releases/.tmp-3".to_owned(), "wiki"));
        assert_eq!(told_of("data of"), ("/srv/www/gone".to_owned(), "gone"));
        assert_eq!(told_of("our version"), ("/etc/site.conf.new".to_owned(), "platform/nginx"));
        assert_eq!(told_of("files as"), ("/state/undo/run".to_owned(), OURS));
        assert_eq!(told_of("executor"), ("/cache/pq-apply-0123".to_owned(), OURS));
        assert_eq!(told.kept[0].what, "old release");
        assert_eq!(told.kept.len(), 7, "{:?}", told.kept);
        assert_eq!(told.total, told.kept.iter().map(|it| it.size).sum::<u64>());
        assert!(told.total >= 300 << 10 && told.total < 1 << 20);
    }

    #[test]
    fn a_path_of_somebody_else_moves_no_cursor() {
        assert_eq!(short("/srv/a\u{1b}[2J\nb"), "/srv/a\\u{1b}[2J b");
        assert!(short(&"é".repeat(1000)).len() <= 500);
    }
}
