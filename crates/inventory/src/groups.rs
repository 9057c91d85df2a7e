//! Hosts, groups and who is in what.

use std::collections::{BTreeSet, HashMap};
use std::iter::successors;
use std::sync::{Arc, LazyLock, OnceLock};

use pq_secrets::Values;
use pq_stream::Diagnostic;
use serde_json::Value;

use crate::file::SourceFile;
use crate::node::{Mark, Node};
use crate::record::entry;

/// A variable as one file sets it.
#[derive(Debug, Clone)]
pub struct Variable {
    /// Its name.
    pub name: Arc<str>,
    /// Its value, unresolved.
    pub node: Arc<Node>,
    /// Where its name stands.
    pub mark: Mark,
    /// In which file.
    pub file: Arc<SourceFile>,
    /// The texts of the secrets in its value, by their names.
    pub secrets: Arc<Values>,
    /// Why its secrets could not be opened; it can be told, and not used.
    pub locked: Option<Arc<Diagnostic>>,
    common: OnceLock<Box<Common>>,
}

/// What is the same for every host of a group that sets a variable, each made once it is asked for.
#[derive(Debug, Clone, Default)]
struct Common {
    /// Where it is set, as an entry of the record's `origins`.
    origin: OnceLock<Box<str>>,
    /// Its value where no part of it is a template.
    plain: OnceLock<Option<pq_template::Value>>,
    /// Such a value as an entry of the record's `vars`.
    written: OnceLock<Box<str>>,
}

impl Variable {
    /// A variable that a file sets.
    pub fn new(
        name: impl Into<Arc<str>>,
        node: Arc<Node>,
        mark: Mark,
        file: Arc<SourceFile>,
        secrets: Values,
    ) -> Self {
        // Nearly all have none, and share it.
        static NONE: LazyLock<Arc<Values>> = LazyLock::new(Arc::default);
        let secrets = if secrets.is_empty() { NONE.clone() } else { Arc::new(secrets) };
        Variable { name: name.into(), node, mark, file, secrets, locked: None, common: OnceLock::new() }
    }

    fn common(&self) -> &Common {
        self.common.get_or_init(Box::default)
    }

    /// Its value where no part of it is a template, and so the same for every host.
    pub fn plain(&self) -> Option<&pq_template::Value> {
        self.common().plain.get_or_init(|| self.node.value(&mut |_, _| Err(())).ok()).as_ref()
    }

    /// A place in its file, named from the inventory directory on: `group_vars/all.yml:3:1`.
    pub fn at(&self, mark: Mark) -> String {
        format!("{}:{}:{}", self.file.name, mark.line(), self.file.column(mark))
    }

    /// Where it is set, as an entry of the record's `origins`, written anew.
    pub fn write_origin(&self) -> String {
        entry(&self.name, &Value::from(self.at(self.mark)))
    }

    /// The same, written once.
    pub fn origin(&self) -> &str {
        self.common().origin.get_or_init(|| self.write_origin().into())
    }

    /// Where a value that is the same for every host is kept as an entry of the record's `vars`.
    pub fn written(&self) -> &OnceLock<Box<str>> {
        &self.common().written
    }
}

/// A group.
#[derive(Debug)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// The groups that it is a child of.
    pub parents: BTreeSet<usize>,
    /// The groups that are its children, in the order in which they became that.
    pub children: Vec<usize>,
    /// The hosts that are listed in it, in the order in which they were.
    pub hosts: Vec<usize>,
    /// What the hosts file sets for it.
    pub variables: Vec<Arc<Variable>>,
    /// Distance from `all`, by the longest way.
    pub depth: usize,
    /// `ansible_group_priority`, 1 where nothing sets it; groups of one depth are ordered by it.
    pub priority: i64,
}

impl Group {
    fn new(name: &str) -> Self {
        Group {
            name: name.to_owned(),
            parents: BTreeSet::new(),
            children: Vec::new(),
            hosts: Vec::new(),
            variables: Vec::new(),
            depth: 0,
            priority: 1,
        }
    }
}

/// A host.
#[derive(Debug, Default)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// The groups in which it is listed, by their numbers, in order.
    pub groups: Vec<usize>,
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
        self.groups.push(Group::new(name));
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

    /// Makes a group the child of another.
    pub fn adopt(&mut self, parent: usize, child: usize) {
        if self.groups[child].parents.insert(parent) {
            self.groups[parent].children.push(child);
        }
    }

    /// Lists a host in a group.
    pub fn enlist(&mut self, host: usize, group: usize) {
        let groups = &mut self.hosts[host].groups;
        if let Err(at) = groups.binary_search(&group) {
            groups.insert(at, group);
            self.groups[group].hosts.push(host);
        }
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
        for index in UNGROUPED..self.groups.len() {
            if self.groups[index].parents.is_empty() {
                self.adopt(ALL, index);
            }
        }
        let mut elsewhere = vec![false; self.hosts.len()];
        for (index, elsewhere) in elsewhere.iter_mut().enumerate() {
            let groups = &mut self.hosts[index].groups;
            // It stays in `all`'s own list, which says where it comes in the order of all hosts.
            groups.retain(|group| *group != ALL);
            if groups.len() > 1 && groups.contains(&UNGROUPED) {
                groups.retain(|group| *group != UNGROUPED);
                *elsewhere = true;
            }
            if self.hosts[index].groups.is_empty() {
                self.enlist(index, UNGROUPED);
            }
        }
        self.groups[UNGROUPED].hosts.retain(|host| !elsewhere[*host]);
        self.settle()
    }

    /// Gives every group its depth: it is known once those of all parents are.
    fn settle(&mut self) -> Result<(), String> {
        let mut waits: Vec<usize> = self.groups.iter().map(|group| group.parents.len()).collect();
        let mut settled: Vec<usize> = Vec::with_capacity(waits.len());
        settled.extend((waits[ALL] == 0).then_some(ALL));
        let mut at = 0;
        while let Some(group) = settled.get(at).copied() {
            at += 1;
            let depth = self.groups[group].depth + 1;
            for child in self.groups[group].children.clone() {
                self.groups[child].depth = self.groups[child].depth.max(depth);
                waits[child] -= 1;
                settled.extend((waits[child] == 0).then_some(child));
            }
        }
        // What is left is in a circle, or below one: each has a parent that is left, too.
        let left = |group: &usize| waits[*group] > 0;
        let above = |group: usize| self.groups[group].parents.iter().copied().find(left);
        let Some(last) = (0..self.groups.len()).rfind(left) else { return Ok(()) };
        let count = self.groups.len();
        // So many steps up lead into the circle, so many more once around it.
        let far = successors(Some(last), |group| above(*group)).nth(count).unwrap_or(last);
        let named = successors(Some(far), |group| above(*group)).take(count).max().unwrap_or(last);
        Err(self.groups[named].name.clone())
    }

    /// The groups of a host, from `all` down, as Ansible orders them: by depth, priority, name.
    pub fn of_host(&self, host: usize) -> Vec<usize> {
        let mut found: BTreeSet<usize> = BTreeSet::from([ALL]);
        let mut next: Vec<usize> = self.hosts[host].groups.clone();
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

    /// The hosts of a group and of those below it, as Ansible orders them: a group's own hosts first, then its
    /// children's, then theirs. (From the grandchildren on, Ansible's order differs from run to run.)
    pub fn members(&self, group: usize) -> Vec<usize> {
        let (mut order, mut at) = (vec![group], 0);
        let mut seen = BTreeSet::from([group]);
        while let Some(next) = order.get(at) {
            order.extend(self.groups[*next].children.iter().filter(|child| seen.insert(**child)));
            at += 1;
        }
        let mut listed = vec![false; self.hosts.len()];
        let hosts = order.iter().flat_map(|group| &self.groups[*group].hosts).copied();
        hosts.filter(|host| !std::mem::replace(&mut listed[*host], true)).collect()
    }
}
