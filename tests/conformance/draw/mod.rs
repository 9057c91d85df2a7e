//! Draws inventories by chance: groups in trees, hosts in several of them, variables in every place and form.
//!
//! Not drawn is what `docs/design/inventory.md` lists as a wanted difference: times, keys that occur twice, `1` and
//! `true` in one map, a lone `=`, files beside the hosts file. Neither is what Ansible takes from the hashes of texts,
//! so that it differs from run to run: the order of hosts below grandchildren, and of what `union`, `difference` and
//! `intersect` leave; nor numbers that are none or have no end, nor templates that may write nothing at all, which is
//! `none` for Ansible.

mod files;
mod ini;
mod template;
mod value;
mod yaml;

use std::fs;
use std::path::Path;

use pq_tests::Chance;

/// What a variable holds; its name begins with the kind's letter, so that all that set it agree on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    Number,
    Flag,
    List,
    Map,
    Any,
}

impl Kind {
    const ALL: [Kind; 6] = [Kind::Text, Kind::Number, Kind::Flag, Kind::List, Kind::Map, Kind::Any];

    fn letter(self) -> char {
        match self {
            Kind::Text => 't',
            Kind::Number => 'n',
            Kind::Flag => 'b',
            Kind::List => 'l',
            Kind::Map => 'm',
            Kind::Any => 'x',
        }
    }
}

/// A variable to be set. A template in it reads only variables of a lower rank, so that no circle comes about.
#[derive(Debug, Clone, Copy)]
pub struct Name {
    kind: Kind,
    rank: usize,
}

impl Name {
    fn draw(chance: &mut Chance) -> Self {
        Name { kind: *chance.pick(&Kind::ALL), rank: chance.below(RANKS) }
    }

    fn text(self) -> String {
        format!("{}{}", self.kind.letter(), self.rank)
    }
}

const RANKS: usize = 4;

/// Some names, each once.
pub fn names(chance: &mut Chance, most: usize) -> Vec<Name> {
    let mut drawn: Vec<Name> = Vec::new();
    for _ in 0..chance.below(most + 1) {
        let name = Name::draw(chance);
        if !drawn.iter().any(|known| known.text() == name.text()) {
            drawn.push(name);
        }
    }
    drawn
}

/// Groups and hosts, before they are written in one form or the other.
pub struct Plan {
    /// Groups by name, each with the numbers of its children, which are higher than its own.
    pub groups: Vec<(String, Vec<usize>)>,
    /// Hosts as the file spells them, each with its groups.
    pub hosts: Vec<(String, Vec<usize>)>,
}

const GROUPS: [&str; 9] =
    ["web", "db", "prod", "test", "base_server", "eu-west", "zz", "Upper", "g.with.dots"];
const HOSTS: [&str; 12] = [
    "h0",
    "h1",
    "h2",
    "alpha.example.org",
    "beta.example.org",
    "10.0.0.1",
    "w[1:3]",
    "x[01:05:2]",
    "y[a:c].lan",
    "p[9:11]-[a:b]",
    "port:2222",
    "w1",
];
/// Hosts that a template may name; not every inventory has them.
const NAMED: [&str; 4] = ["h0", "h1", "w1", "alpha.example.org"];

impl Plan {
    fn draw(chance: &mut Chance) -> Self {
        let mut names = GROUPS.to_vec();
        chance.shuffle(&mut names);
        names.truncate(1 + chance.below(6));
        let count = names.len();
        let mut groups: Vec<(String, Vec<usize>)> =
            names.into_iter().map(|name| (name.to_owned(), Vec::new())).collect();
        for child in 1..count {
            for _ in 0..chance.below(3) {
                let parent = chance.below(child);
                if !groups[parent].1.contains(&child) {
                    groups[parent].1.push(child);
                }
            }
        }
        let mut names = HOSTS.to_vec();
        chance.shuffle(&mut names);
        names.truncate(1 + chance.below(6));
        let hosts = names.into_iter().map(|name| {
            let mut groups: Vec<usize> = (0..chance.below(4)).map(|_| chance.below(count)).collect();
            groups.sort_unstable();
            groups.dedup();
            (name.to_owned(), groups)
        });
        let hosts = hosts.collect();
        Plan { groups, hosts }
    }
}

/// Writes the inventory of a seed into a directory, which is made.
pub fn write(seed: u64, directory: &Path) {
    let mut chance = Chance::new(seed);
    let plan = Plan::draw(&mut chance);
    fs::create_dir_all(directory).unwrap();
    let (name, text) = match chance.below(5) {
        0 | 1 => ("hosts", ini::hosts(&plan, &mut chance)),
        2 => ("hosts", yaml::hosts(&plan, &mut chance)),
        3 => (*chance.pick(&["hosts.yml", "hosts.yaml"]), yaml::hosts(&plan, &mut chance)),
        _ => ("hosts", yaml::hosts_in_json(&plan, &mut chance)),
    };
    fs::write(directory.join(name), text).unwrap();
    files::write(&plan, directory, &mut chance);
}

/// What `ansible_group_priority` may be.
pub fn priority(chance: &mut Chance) -> i64 {
    *chance.pick(&[-1, 0, 1, 2, 10])
}
