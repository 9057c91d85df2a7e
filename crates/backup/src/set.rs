//! Sets of snapshots: what belongs together, and which of it is whole.

use std::collections::BTreeMap;
use std::time::SystemTime;

use pq_stream::utc;

use crate::manifest::{FILES, INCOMPLETE, OURS};
use crate::restic::{Restic, Result, Snapshot};

/// One backup of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set {
    /// Which one.
    pub id: String,
    /// The item.
    pub item: String,
    /// The machine that made it.
    pub host: String,
    /// When its files were read, in UTC with a fraction of a second.
    pub time: String,
    /// The snapshot of its files, which has the manifest; without it the set is none.
    pub files: Option<Snapshot>,
    /// The snapshots of its dumps, by part.
    pub dumps: BTreeMap<String, Snapshot>,
}

impl Set {
    /// A new name: sets of one item follow each other by name as they do by time.
    pub fn name(now: SystemTime) -> String {
        let time = utc(now).replace(['-', ':'], "");
        format!("{}-{:05}", time.trim_end_matches('Z'), std::process::id() % 100_000)
    }

    /// The tags of one of its snapshots.
    pub fn tags(item: &str, set: &str, part: &str) -> String {
        format!("{OURS},item:{item},set:{set},part:{part}")
    }

    /// Whether it counts.
    pub fn is_whole(&self) -> bool {
        self.files.is_some()
    }

    /// Whether nothing was missing when it was made.
    pub fn is_complete(&self) -> bool {
        self.files.as_ref().is_some_and(|it| !it.tags.iter().any(|tag| tag == INCOMPLETE))
    }

    /// Every snapshot of it, that which makes it whole last.
    pub fn snapshots(&self) -> impl Iterator<Item = &Snapshot> {
        self.dumps.values().chain(&self.files)
    }

    /// Bytes that are in it.
    pub fn size(&self) -> u64 {
        self.snapshots().filter_map(|it| Some(it.summary?.total_bytes_processed)).sum()
    }
}

/// The sets in a repository, oldest first, also those that are not whole; of one item, or of all.
pub fn sets(restic: &Restic, item: Option<&str>) -> Result<Vec<Set>> {
    let item = item.map(|item| format!("item:{item}"));
    let tags: Vec<&str> = std::iter::once(OURS).chain(item.as_deref()).collect();
    Ok(grouped(restic.snapshots(&tags)?))
}

/// Snapshots as the sets that they belong to, oldest first.
pub fn grouped(snapshots: Vec<Snapshot>) -> Vec<Set> {
    let mut sets: BTreeMap<(String, String), Set> = BTreeMap::new();
    for snapshot in snapshots {
        let (Some(item), Some(id), Some(part)) =
            (snapshot.tag("item"), snapshot.tag("set"), snapshot.tag("part"))
        else {
            continue;
        };
        let (item, mut id, part) = (item.to_owned(), id.to_owned(), part.to_owned());
        // Where somebody who may only add has added another of the same name, both are there, and neither hides the other.
        while part == FILES && sets.get(&(item.clone(), id.clone())).is_some_and(Set::is_whole) {
            id.push('+');
        }
        let set = sets.entry((item.clone(), id.clone())).or_insert_with(|| Set {
            id,
            item,
            host: snapshot.hostname.clone(),
            time: snapshot.time.clone(),
            files: None,
            dumps: BTreeMap::new(),
        });
        set.time = set.time.clone().max(snapshot.time.clone());
        match part == FILES {
            true => set.files = Some(snapshot),
            false => {
                set.dumps.insert(part, snapshot);
            }
        }
    }
    let mut sets: Vec<Set> = sets.into_values().collect();
    sets.sort_by(|one, other| one.time.cmp(&other.time).then_with(|| one.id.cmp(&other.id)));
    sets
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub fn snapshot(id: &str, time: &str, item: &str, set: &str, part: &str) -> Snapshot {
        let tags = Set::tags(item, set, part).split(',').map(str::to_owned).collect();
        Snapshot {
            id: id.to_owned(),
            time: time.to_owned(),
            paths: Vec::new(),
            hostname: "web".to_owned(),
            tags,
            summary: None,
        }
    }

    #[test]
    fn a_set_is_whole_once_its_files_are_there() {
        let other = Snapshot {
            tags: vec!["mine".to_owned()],
            ..snapshot("9", "2026-11-28T03:00:00Z", "x", "y", "z")
        };
        let found = grouped(vec![
            snapshot("2", "2026-11-28T03:12:05Z", "wiki", "s1", FILES),
            snapshot("1", "2026-11-28T03:12:00Z", "wiki", "s1", "mariadb-wiki"),
            snapshot("3", "2026-11-29T03:12:00Z", "wiki", "s2", "mariadb-wiki"),
            other,
        ]);
        assert_eq!(
            found.iter().map(|it| (it.id.as_str(), it.is_whole())).collect::<Vec<_>>(),
            [("s1", true), ("s2", false)]
        );
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].time, "2026-11-28T03:12:05Z");
        let forged = grouped(vec![
            snapshot("2", "2026-11-28T03:12:05Z", "wiki", "s1", FILES),
            snapshot("8", "2026-11-28T04:00:00Z", "wiki", "s1", FILES),
        ]);
        assert_eq!(forged.iter().map(|it| it.id.as_str()).collect::<Vec<_>>(), ["s1", "s1+"]);
        assert_eq!(found[0].snapshots().map(|it| it.id.as_str()).collect::<Vec<_>>(), ["1", "2"]);
    }
}
