//! What a repository may lose by itself, and what somebody has taken from it.
//!
//! `forget` takes snapshots, `prune` takes packs and the indexes that named them, and writes new indexes first; a new recovery kit takes the
//! key of the one before. Files never change. What is beyond that is no doing of these tools.

use std::collections::BTreeSet;

use super::names::{CONFIG, Name};

/// What is known of a repository: what is kept here and was not missing at its last reading.
#[derive(Debug, Default)]
pub struct Before(BTreeSet<Name>);

impl Before {
    /// Those names.
    pub fn new(names: impl IntoIterator<Item = Name>) -> Self {
        Before(names.into_iter().collect())
    }

    /// What is gone of it that no repository loses by itself, in words; `now` is what it has.
    pub fn lost(&self, now: &BTreeSet<Name>) -> Vec<String> {
        let of = |names: &BTreeSet<Name>, kind: &str| names.iter().filter(|it| it.kind() == kind).count();
        let gone = |kind: &str| self.0.iter().filter(|it| it.kind() == kind && !now.contains(it)).count();
        let mut lost = Vec::new();
        if gone(CONFIG) > 0 {
            lost.push("its `config` is gone: there is no repository any more".to_owned());
        }
        if gone("keys") > 0 && of(now, "keys") == 0 {
            lost.push("no key of it is left".to_owned());
        }
        let (had, has) = (of(&self.0, "snapshots"), of(now, "snapshots"));
        let went = gone("snapshots");
        if went > 0 && had - went < went {
            lost.push(format!("{went} of {had} backups are gone, {has} are there"));
        }
        let (packs, indexes) = (gone("data"), gone("index"));
        if packs > 0 && indexes == 0 {
            lost.push(format!("files of data are gone ({packs}), and its indexes still name them"));
        }
        // An index goes alone where all that it named goes along.
        let new = now.iter().any(|it| it.kind() == "index" && !self.0.contains(it));
        if indexes > 0 && packs == 0 && !new {
            lost.push(format!("indexes are gone ({indexes}), and none took their place"));
        }
        for (kind, words) in [("data", "no file of data is left"), ("index", "no index is left")] {
            if of(&self.0, kind) > 0 && of(now, kind) == 0 {
                lost.push(words.to_owned());
            }
        }
        lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(kind: &str, number: u8) -> Name {
        let id = format!("{number:02x}").repeat(32);
        let path = match kind {
            "config" => kind.to_owned(),
            "data" => format!("data/{number:02x}/{id}"),
            _ => format!("{kind}/{id}"),
        };
        Name::read(&path).unwrap()
    }

    fn all() -> BTreeSet<Name> {
        let several = ["keys", "snapshots", "index", "data"]
            .into_iter()
            .flat_map(|kind| (1..=4).map(move |it| name(kind, it)));
        several.chain([name("config", 0)]).collect()
    }

    fn lost(now: &dyn Fn(&Name) -> bool, new: &[Name]) -> Vec<String> {
        let now = all().into_iter().filter(|it| now(it)).chain(new.iter().cloned()).collect();
        Before::new(all()).lost(&now)
    }

    #[test]
    fn what_forget_and_prune_take_is_no_loss() {
        assert!(lost(&|_| true, &[]).is_empty());
        assert!(lost(&|it| *it != name("snapshots", 1), &[]).is_empty());
        let pruned = |it: &Name| !["index", "data"].contains(&it.kind()) || *it == name("data", 1);
        assert!(lost(&pruned, &[name("index", 9), name("data", 9)]).is_empty());
        assert!(lost(&|it| *it != name("keys", 2), &[name("keys", 9)]).is_empty());
    }

    #[test]
    fn what_somebody_takes_is_one() {
        let said = |now: &dyn Fn(&Name) -> bool, words: &str| {
            let lost = lost(now, &[]).join("; ");
            assert!(lost.contains(words), "{words}: {lost}");
        };
        said(&|it| it.kind() != CONFIG, "no repository any more");
        said(&|it| it.kind() != "keys", "no key");
        said(&|it| it.kind() != "snapshots", "4 of 4 backups are gone");
        said(&|it| *it != name("data", 3), "files of data are gone (1)");
        said(&|it| it.kind() != "index", "indexes are gone (4)");
        said(&|it| !["index", "data"].contains(&it.kind()), "no file of data is left");
    }
}
