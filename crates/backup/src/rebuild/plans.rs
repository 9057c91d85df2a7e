//! The plans that a machine kept of itself, as they are in its newest backup: it is rebuilt from them where the inventory is not at hand.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::SystemTime;

use pq_store::{PLANS, kept_plans, plan};
use pq_stream::{Diagnostic, Record, Secret, system_cause};

use super::{SERVER, newest};
use crate::restore::Restored;
use crate::session::{Session, Teller};

/// Plans by owner: `server`, `platform`, and each instance.
pub struct Plans {
    owners: BTreeMap<String, Kept>,
    /// When the backup was made that they are from.
    pub time: String,
}

/// The plan of an owner, and when it was kept.
struct Kept {
    records: Vec<Record>,
    when: SystemTime,
}

impl Plans {
    /// Fetches them from the newest backup of the machine itself.
    ///
    /// # Errors
    /// Where it has none, or one cannot be read.
    pub fn fetch(session: &Session, told: &mut dyn Teller) -> Result<Self, Diagnostic> {
        let chosen = newest(session, SERVER)?;
        let scratch = tempfile::Builder::new()
            .prefix(".rebuild-")
            .tempdir_in("/var/tmp")
            .map_err(|error| Diagnostic::new("cannot use `/var/tmp`").cause(system_cause(&error)))?;
        chosen.files(&[PLANS.to_owned()], scratch.path(), &mut Restored::default(), told)?;
        let time = chosen.set.time.get(..16).unwrap_or_default().to_owned();
        Plans::read(&scratch.path().join(PLANS.trim_start_matches('/')), time)
    }

    /// Reads those in a directory.
    fn read(dir: &Path, time: String) -> Result<Self, Diagnostic> {
        let cannot = |owner: &str, cause: String| {
            Diagnostic::new(format!("cannot read the plan of `{owner}` in the backup of {time}")).cause(cause)
        };
        let mut owners = BTreeMap::new();
        for owner in kept_plans(dir).map_err(|error| cannot("server", system_cause(&error)))? {
            let file = plan(dir, &owner);
            let unread = |error: std::io::Error| cannot(&owner, system_cause(&error));
            let text = fs::read_to_string(&file).map_err(unread)?;
            let when = fs::metadata(&file).and_then(|it| it.modified()).map_err(unread)?;
            let records: Result<Vec<Record>, _> = text.lines().map(serde_json::from_str).collect();
            let records = records.map_err(|error| cannot(&owner, error.to_string()))?;
            owners.insert(owner, Kept { records, when });
        }
        match owners.contains_key(SERVER) {
            true => Ok(Plans { owners, time }),
            false => Err(Diagnostic::new("the backup holds no plan of the machine")
                .cause("it was made before anything was applied to its end, or by other means")
                .hint("give the plan: `pq-inventory HOST | pq-server | pq-platform | pq-instance | pq-backup rebuild`")),
        }
    }

    /// The instances that were there.
    pub fn instances(&self) -> Vec<String> {
        self.owners.keys().filter(|it| !matches!(it.as_str(), SERVER | "platform")).cloned().collect()
    }

    /// The plans of some owners as one stream; an owner that has none has no step.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn stream(&self, owners: &[&str]) -> Result<String, Diagnostic> {
        // In the order in which they are planned: what others stand on comes first.
        let rank = |owner: &&str| [SERVER, "platform"].iter().position(|it| it == owner).unwrap_or(2);
        let mut owners = owners.to_vec();
        owners.sort_by_key(rank);
        let chosen: Vec<&Kept> = owners.iter().filter_map(|owner| self.owners.get(*owner)).collect();
        let newest = chosen.iter().max_by_key(|it| it.when).copied();
        let mut lines: Vec<Record> = Vec::new();
        let is_head = |it: &&Record| matches!(it, Record::Run(_) | Record::Host(_));
        lines.extend(newest.into_iter().flat_map(|it| it.records.iter().filter(is_head).cloned()));
        lines.extend(sealed(&chosen).map(Record::Secret));
        let name = lines.iter().find_map(|it| match it {
            Record::Host(host) => Some(host.host.clone()),
            _ => None,
        });
        // What several plans have in common stands in each as it was when that was kept: the newest counts.
        let mut places: BTreeMap<&str, (usize, SystemTime)> = BTreeMap::new();
        for kept in &chosen {
            for record in &kept.records {
                let Record::Step(step) = record else { continue };
                let mut line = step.clone();
                line.host = name.clone().unwrap_or(line.host);
                match places.get(step.id.as_str()) {
                    Some((_, when)) if *when >= kept.when => {}
                    Some((at, _)) => {
                        lines[*at] = Record::Step(line);
                        places.insert(&step.id, (*at, kept.when));
                    }
                    None => {
                        places.insert(&step.id, (lines.len(), kept.when));
                        lines.push(Record::Step(line));
                    }
                }
            }
        }
        let is_end = |it: &&Record| matches!(it, Record::End(_));
        lines.extend(newest.into_iter().flat_map(|it| it.records.iter().filter(is_end).cloned()));
        let mut text = String::new();
        for line in lines {
            text.push_str(&serde_json::to_string(&line).map_err(|error| Diagnostic::from_error(&error))?);
            text.push('\n');
        }
        Ok(text)
    }
}

/// What is sealed: the newest message, which holds all secrets of the host, with the names that any of the plans needs.
fn sealed(chosen: &[&Kept]) -> Option<Secret> {
    let mut all: Vec<(SystemTime, &Secret)> = Vec::new();
    for kept in chosen {
        all.extend(kept.records.iter().filter_map(|record| match record {
            Record::Secret(secret) => Some((kept.when, secret)),
            _ => None,
        }));
    }
    let names: BTreeSet<String> = all.iter().flat_map(|(_, secret)| secret.names.iter().cloned()).collect();
    let (_, newest) =
        all.into_iter().filter(|(_, it)| !it.sealed.is_empty()).max_by_key(|(when, _)| *when)?;
    Some(Secret { names: names.into_iter().collect(), ..newest.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = r#"{"type":"run","format":1,"inventory":"","digest":"","time":""}"#;
    const HOST: &str =
        r#"{"type":"host","host":"web","groups":[],"connection":{"kind":"local"},"instances":[],"vars":{}}"#;
    const END: &str = r#"{"type":"end","hosts":1,"status":0}"#;

    fn kept(dir: &Path, owner: &str, age: u64, lines: &[&str]) {
        let text = [RUN, HOST].iter().chain(lines).chain(&[END]).map(|line| format!("{line}\n"));
        let file = plan(dir, owner);
        fs::write(&file, text.collect::<String>()).unwrap();
        let when = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(2_000_000_000 - age);
        fs::File::options().append(true).open(file).unwrap().set_modified(when).unwrap();
    }

    #[test]
    fn plans_of_several_owners_are_one_stream_with_the_newest_secrets() {
        let dir = tempfile::tempdir().unwrap();
        let step = |id: &str| {
            format!(
                r#"{{"type":"step","host":"web","id":"{id}","title":"t","do":"directory","path":"/srv/a"}}"#
            )
        };
        let (one, other) = (step("platform/nginx/a"), step("wiki/a"));
        kept(dir.path(), "server", 9, &[]);
        kept(
            dir.path(),
            "platform",
            5,
            &[r#"{"type":"secret","host":"web","names":["b"],"sealed":"old"}"#, &one],
        );
        kept(
            dir.path(),
            "wiki",
            1,
            &[r#"{"type":"secret","host":"web","names":["a"],"sealed":"new"}"#, &other],
        );
        let plans = Plans::read(dir.path(), String::new()).unwrap();
        assert_eq!(plans.instances(), ["wiki"]);
        let stream = plans.stream(&["wiki", "platform"]).unwrap();
        assert!(stream.contains(r#""names":["a","b"],"sealed":"new""#), "{stream}");
        assert_eq!(stream.lines().filter(|line| line.contains(r#""type":"step""#)).count(), 2);
        // What both have is that of the newer one.
        let shared = |path: &str| {
            format!(
                r#"{{"type":"step","host":"web","id":"platform/os","title":"t","do":"directory","path":"{path}"}}"#
            )
        };
        kept(dir.path(), "platform", 5, &[&shared("/old"), &one]);
        kept(dir.path(), "wiki", 1, &[&shared("/new"), &other]);
        let both = Plans::read(dir.path(), String::new()).unwrap().stream(&["wiki", "platform"]).unwrap();
        assert!(both.contains("/new") && !both.contains("/old"), "{both}");
        assert!(stream.starts_with(&RUN[..20]) && stream.trim_end().ends_with(END), "{stream}");
    }

    #[test]
    fn a_backup_without_the_plan_of_its_machine_says_how_to_give_one() {
        let dir = tempfile::tempdir().unwrap();
        kept(dir.path(), "wiki", 1, &[]);
        let error = Plans::read(dir.path(), String::new()).err().unwrap();
        assert!(error.to_string().contains("holds no plan") && error.hints[0].contains("pq-inventory HOST"));
    }
}
