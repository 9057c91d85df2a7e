//! What is watched: every check of every item, each by its whole name, and what it stands on.
//!
//! Always true here: nobody stands on itself, not even through others.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use pq_items::{Check, Damping, Id, MonitorItem, Probe, Reference};

/// A check, with what its item and the strategy say of it.
#[derive(Debug, Clone)]
pub struct Watched {
    /// Its whole name, `wiki/page`.
    pub id: String,
    /// Whose it is.
    pub owner: String,
    /// What it is, for people.
    pub about: String,
    /// How often it is asked, in seconds; at each run where it is nothing.
    pub every: u64,
    /// How long it may take, where it says.
    pub timeout: Option<Duration>,
    /// What it asks; nothing where the monitor itself answers.
    pub probe: Option<Probe>,
    /// How often it must fail before it counts.
    pub damping: Damping,
    /// The checks that it stands on, by their whole names.
    pub stands_on: Vec<String>,
}

/// Every check.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    checks: BTreeMap<String, Watched>,
    /// What is odd: references that lead nowhere or in circles.
    pub odd: Vec<String>,
}

impl Plan {
    /// The checks of these items; `damping` is the strategy's.
    pub fn of(items: &[MonitorItem], damping: Damping) -> Self {
        let mut plan = Plan::default();
        for item in items {
            for check in item.checks.iter() {
                let watched = watched(&item.owner, check, check.damping.or(item.damping).unwrap_or(damping));
                plan.checks.insert(watched.id.clone(), watched);
            }
        }
        for item in items {
            for check in item.checks.iter() {
                let id = format!("{}/{}", item.owner, check.id);
                for reference in item.depends_on.iter().chain(&check.depends_on) {
                    plan.lay(&id, reference);
                }
            }
        }
        plan
    }

    /// Adds what the monitor says of itself: names, and what each is. It counts at once.
    pub fn own(&mut self, checks: &[(&str, &str)]) {
        for (id, about) in checks {
            let watched = Watched {
                id: (*id).to_owned(),
                owner: "monitor".to_owned(),
                about: (*about).to_owned(),
                every: 0,
                timeout: None,
                probe: None,
                damping: Damping { failures: 1, of: 1 },
                stands_on: Vec::new(),
            };
            self.checks.insert((*id).to_owned(), watched);
        }
    }

    /// Every check, in the order of its name.
    pub fn iter(&self) -> impl Iterator<Item = &Watched> {
        self.checks.values()
    }

    /// The check of a whole name.
    pub fn get(&self, id: &str) -> Option<&Watched> {
        self.checks.get(id)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.checks.len()
    }

    /// Whether nothing is watched.
    pub fn is_empty(&self) -> bool {
        self.checks.is_empty()
    }

    /// Every name of a check.
    pub fn names(&self) -> Vec<&str> {
        self.checks.keys().map(String::as_str).collect()
    }

    fn lay(&mut self, id: &str, reference: &Reference) {
        let text = reference.as_str();
        let of_item = |it: &Watched| it.owner == text && it.probe.as_ref().is_some_and(carries);
        let found: Vec<String> = match text.contains('/') {
            true => self.checks.keys().filter(|key| *key == text).cloned().collect(),
            false => self.checks.values().filter(|it| of_item(it)).map(|it| it.id.clone()).collect(),
        };
        let known = found.is_empty() && !self.checks.values().any(|it| it.owner == text);
        if known {
            self.odd.push(format!("`{id}` stands on `{text}`, which is not watched"));
        }
        for below in found.into_iter().filter(|below| below != id) {
            if self.reaches(&below, id) {
                self.odd.push(format!("`{id}` and `{below}` stand on each other"));
            } else if let Some(watched) = self.checks.get_mut(id)
                && !watched.stands_on.contains(&below)
            {
                watched.stands_on.push(below);
            }
        }
    }

    /// Whether one check stands on another, at any distance.
    fn reaches(&self, from: &str, to: &str) -> bool {
        let (mut next, mut seen) = (vec![from.to_owned()], BTreeSet::new());
        while let Some(id) = next.pop() {
            if id == to {
                return true;
            }
            if seen.insert(id.clone())
                && let Some(watched) = self.checks.get(&id)
            {
                next.extend(watched.stands_on.iter().cloned());
            }
        }
        false
    }
}

fn watched(owner: &Id, check: &Check, damping: Damping) -> Watched {
    let id = format!("{owner}/{}", check.id);
    Watched {
        about: check.about.as_ref().map_or_else(|| id.clone(), ToString::to_string),
        id,
        owner: owner.to_string(),
        every: check.every.as_ref().map_or(0, pq_items::Span::seconds),
        timeout: check.timeout.as_ref().map(|it| Duration::from_secs(it.seconds())),
        probe: Some(check.probe.clone()),
        damping,
        stands_on: Vec::new(),
    }
}

/// Whether others stop where this fails; that a disk fills or a certificate ages takes nobody down yet.
fn carries(probe: &Probe) -> bool {
    matches!(
        probe,
        Probe::Unit(_)
            | Probe::Tcp(_)
            | Probe::Socket(_)
            | Probe::Http(_)
            | Probe::Database(_)
            | Probe::Process(_)
    )
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Items, each written as in its file.
    pub(crate) fn items(texts: &[&str]) -> Vec<MonitorItem> {
        texts.iter().map(|text| pq_items::read("an item", "x.yml", text).unwrap()).collect()
    }

    #[test]
    fn a_check_stands_on_what_carries_the_item_that_is_named() {
        let plan = Plan::of(
            &items(&[
                "{ owner: db, checks: [{ id: runs, unit: { name: mariadb.service } }, { id: disk, disk: { path: / } }] }",
                "{ owner: wiki, depends_on: [db, nowhere], checks: [{ id: page, tcp: { host: a, port: 1 } }, { id: old, depends_on: [db/disk], tcp: { host: a, port: 1 } }] }",
            ]),
            Damping { failures: 3, of: 3 },
        );
        assert_eq!(plan.get("wiki/page").unwrap().stands_on, ["db/runs"]);
        assert_eq!(plan.get("wiki/old").unwrap().stands_on, ["db/runs", "db/disk"]);
        assert_eq!(plan.odd.len(), 2, "{:?}", plan.odd);
        assert!(plan.odd[0].contains("`nowhere`, which is not watched"));
    }

    #[test]
    fn who_stands_on_each_other_is_told_and_ends() {
        let plan = Plan::of(
            &items(&[
                "{ owner: a, depends_on: [b], checks: [{ id: x, tcp: { host: a, port: 1 } }] }",
                "{ owner: b, depends_on: [a], checks: [{ id: x, tcp: { host: a, port: 1 } }] }",
            ]),
            Damping { failures: 3, of: 3 },
        );
        assert_eq!(plan.odd, ["`b/x` and `a/x` stand on each other"]);
        assert!(plan.get("b/x").unwrap().stands_on.is_empty());
    }
}
