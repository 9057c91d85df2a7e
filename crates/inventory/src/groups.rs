//! Hosts, groups and who is in what.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use pq_secrets::Values;

use crate::file::SourceFile;
use crate::node::{Mark, Node};

/// A variable as one file sets it.
#[derive(Debug, Clone)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its value, unresolved.
    pub node: Arc<Node>,
    /// Where its name stands.
    pub mark: Mark,
    /// In which file.
    pub file: Arc<SourceFile>,
    /// The texts of the secrets in its value, by their names.
    pub secrets: Arc<Values>,
}

/// A group.
#[derive(Debug, Default)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// The groups that it is a child of.
    pub parents: BTreeSet<usize>,
    /// What the hosts file sets for it.
    pub variables: Vec<Arc<Variable>>,
    /// Distance from `all`, by the longest way.
    pub depth: usize,
    /// `ansible_group_priority`; groups of one depth are ordered by it.
    pub priority: i64,
}

/// A host.
#[derive(Debug, Default)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// The groups in which it is listed.
    pub groups: BTreeSet<usize>,
    /// What the hosts file sets for it.
    pub variables: Vec<Arc<Variable>>,
}

/// The group of every host.
pub const ALL: usize = 0;
/// The group of the hosts that are in no other.
pub const UNGROUPED: usize = 1;

/// All hosts and groups, in the order of the file.
#[derive(Debug)]
pub struct Groups {
    /// The groups; the first two are `all` and `ungrouped`.
    pub groups: Vec<Group>,
    /// The hosts.
    pub hosts: Vec<Host>,
    group_names: HashMap<String, usize>,
    host_names: HashMap<String, usize>,
}

impl Default for Groups {
    fn default() -> Self {
        let mut empty = Groups {
            groups: Vec::new(),
            hosts: Vec::new(),
            group_names: HashMap::new(),
            host_names: HashMap::new(),
        };
        empty.add_group("all");
        empty.add_group("ungrouped");
        empty
    }
}

impl Groups {
    /// The group of that name, made where there is none.
    pub fn add_group(&mut self, name: &str) -> usize {
        if let Some(found) = self.group_names.get(name) {
            return *found;
        }
        let index = self.groups.len();
        self.groups.push(Group { name: name.to_owned(), ..Group::default() });
        self.group_names.insert(name.to_owned(), index);
        index
    }

    /// The host of that name, made where there is none.
    pub fn add_host(&mut self, name: &str) -> usize {
        if let Some(found) = self.host_names.get(name) {
            return *found;
        }
        let index = self.hosts.len();
        self.hosts.push(Host { name: name.to_owned(), ..Host::default() });
        self.host_names.insert(name.to_owned(), index);
        index
    }

    /// The group of that name.
    pub fn group(&self, name: &str) -> Option<usize> {
        self.group_names.get(name).copied()
    }

    /// The host of that name.
    pub fn host(&self, name: &str) -> Option<usize> {
        self.host_names.get(name).copied()
    }

    /// Gives every group and host its place below `all`, and groups their depth.
    ///
    /// # Errors
    /// The name of a group that is its own ancestor.
    pub fn finish(&mut self) -> Result<(), String> {
        for (index, group) in self.groups.iter_mut().enumerate() {
            if index != ALL && group.parents.is_empty() {
                group.parents.insert(ALL);
            }
        }
        for host in &mut self.hosts {
            host.groups.remove(&ALL);
            if host.groups.len() > 1 {
                host.groups.remove(&UNGROUPED);
            }
            if host.groups.is_empty() {
                host.groups.insert(UNGROUPED);
            }
        }
        // Each round settles at least one level; more rounds than groups mean a circle.
        for _ in 0..=self.groups.len() {
            let mut changed = None;
            for index in 0..self.groups.len() {
                let above = self.groups[index].parents.iter().map(|parent| self.groups[*parent].depth + 1);
                let depth = above.max().unwrap_or(0);
                if depth > self.groups[index].depth {
                    self.groups[index].depth = depth;
                    changed = Some(index);
                }
            }
            match changed {
                None => return Ok(()),
                Some(index) if self.groups[index].depth > self.groups.len() => {
                    return Err(self.groups[index].name.clone());
                }
                Some(_) => {}
            }
        }
        Err(self
            .groups
            .iter()
            .max_by_key(|group| group.depth)
            .map(|group| group.name.clone())
            .unwrap_or_default())
    }

    /// The groups of a host, from `all` down, as Ansible orders them: by depth, priority, name.
    pub fn of_host(&self, host: usize) -> Vec<usize> {
        let mut found: BTreeSet<usize> = BTreeSet::from([ALL]);
        let mut next: Vec<usize> = self.hosts[host].groups.iter().copied().collect();
        while let Some(group) = next.pop() {
            if found.insert(group) {
                next.extend(&self.groups[group].parents);
            }
        }
        let mut sorted: Vec<usize> = found.into_iter().collect();
        sorted.sort_by_key(|index| {
            let group = &self.groups[*index];
            (group.depth, group.priority, &group.name)
        });
        sorted
    }

    /// The hosts of a group and of those below it, in the order of the file.
    pub fn members(&self, group: usize) -> Vec<usize> {
        (0..self.hosts.len()).filter(|host| self.of_host(*host).contains(&group)).collect()
    }
}
