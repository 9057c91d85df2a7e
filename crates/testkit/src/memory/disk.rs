//! The files of the machine in memory, and the count of changes. One method here is one change that a kill may follow.

use std::collections::BTreeMap;

use pq_steps::{Error, Kind};

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    File(Vec<u8>),
    Directory,
    Link(String),
}

/// Something with a name.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub what: What,
    pub mode: u32,
    pub owner: String,
    pub group: String,
    /// When it last changed, in milliseconds of the machine's clock.
    pub changed: u64,
}

impl Node {
    pub fn kind(&self) -> Kind {
        match self.what {
            What::File(_) => Kind::File,
            What::Directory => Kind::Directory,
            What::Link(_) => Kind::Symlink,
        }
    }
}

/// All files, by their path without links, and the clock.
#[derive(Debug, Clone, Default)]
pub(super) struct Disk {
    pub nodes: BTreeMap<String, Node>,
    /// Milliseconds since the machine was made.
    pub clock: u64,
    /// How many changes there have been.
    pub changes: usize,
    /// How many more there may be.
    pub left: Option<usize>,
    pub killed: bool,
    /// Whether who is killed dies of it, by a panic.
    pub dead: bool,
}

/// What passes between two changes: more than the coarseness of a real file system's times.
const STEP: u64 = 20;

/// How many links one path may lead through.
const HOPS: usize = 40;

impl Disk {
    /// Counts one change, or refuses it because its author is dead.
    pub fn act(&mut self) -> Result<(), Error> {
        if let Some(left) = &mut self.left {
            if *left == 0 {
                self.killed = true;
                assert!(!self.dead, "killed by the test");
                return Err(Error::failed("killed", "by the test"));
            }
            *left -= 1;
        }
        self.changes += 1;
        self.clock += STEP;
        Ok(())
    }

    /// The path without links; its last part is followed only if `last`. `None` where a directory on the way is
    /// missing or the links go round.
    pub fn resolve(&self, path: &str, last: bool) -> Option<String> {
        let mut parts: Vec<String> =
            path.split('/').rev().filter(|p| !p.is_empty()).map(str::to_owned).collect();
        let (mut at, mut hops) = (String::new(), 0);
        while let Some(part) = parts.pop() {
            match part.as_str() {
                "." => continue,
                ".." => {
                    at.truncate(at.rfind('/').unwrap_or(0));
                    continue;
                }
                _ => {}
            }
            let next = format!("{at}/{part}");
            match self.nodes.get(&next).map(|node| &node.what) {
                Some(What::Link(target)) if last || !parts.is_empty() => {
                    hops += 1;
                    if hops > HOPS {
                        return None;
                    }
                    if target.starts_with('/') {
                        at.clear();
                    }
                    parts.extend(target.split('/').rev().filter(|p| !p.is_empty()).map(str::to_owned));
                }
                Some(What::File(_)) | None if !parts.is_empty() => return None,
                _ => at = next,
            }
        }
        Some(if at.is_empty() { "/".to_owned() } else { at })
    }

    /// What stands at a path; the last link is not followed.
    pub fn get(&self, path: &str) -> Option<&Node> {
        self.nodes.get(&self.resolve(path, false)?)
    }

    /// The bytes of what stands at a path, and of all below it.
    pub fn taken(&self, path: &str) -> u64 {
        let Some(path) = self.resolve(path, false) else { return 0 };
        let below = format!("{path}/");
        let within = |at: &String| *at == path || at.starts_with(&below);
        let size = |node: &Node| match &node.what {
            What::File(content) => content.len() as u64,
            What::Directory => 4096,
            What::Link(_) => 0,
        };
        self.nodes.iter().filter(|(at, _)| within(at)).map(|(_, node)| size(node)).sum()
    }

    /// What a path leads to.
    pub fn follow(&self, path: &str) -> Option<&Node> {
        self.nodes.get(&self.resolve(path, true)?)
    }

    /// The text of a file; empty where there is none.
    pub fn text(&self, path: &str) -> String {
        match self.follow(path).map(|node| &node.what) {
            Some(What::File(content)) => String::from_utf8_lossy(content).into_owned(),
            _ => String::new(),
        }
    }

    /// The names in a directory.
    pub fn names(&self, path: &str) -> Vec<String> {
        let Some(path) = self.resolve(path, true) else { return Vec::new() };
        let top = format!("{}/", path.trim_end_matches('/'));
        let below = self.nodes.range(top.clone()..).take_while(|(path, _)| path.starts_with(&top));
        let names = below.map(|(path, _)| &path[top.len()..]);
        names.filter(|name| !name.is_empty() && !name.contains('/')).map(str::to_owned).collect()
    }

    /// Where something new would stand: its directory exists, whatever links lead there.
    fn place(&self, path: &str) -> Result<String, Error> {
        let cannot = |cause: &str| Error::failed(format!("cannot make `{path}`"), cause);
        let real = self.resolve(path, false).ok_or_else(|| cannot("no such directory"))?;
        let parent = real.rsplit_once('/').map_or("", |(parent, _)| parent);
        match self.nodes.get(if parent.is_empty() { "/" } else { parent }).map(Node::kind) {
            Some(Kind::Directory) => Ok(real),
            _ => Err(cannot("no such directory")),
        }
    }

    fn node(&mut self, path: &str) -> Result<&mut Node, Error> {
        let cannot = || Error::failed(format!("cannot change `{path}`"), "no such file or directory");
        let real = self.resolve(path, false).ok_or_else(cannot)?;
        let clock = self.clock;
        let node = self.nodes.get_mut(&real).ok_or_else(cannot)?;
        node.changed = clock;
        Ok(node)
    }

    /// Makes something where nothing is, of root.
    pub fn make(&mut self, path: &str, what: What, mode: u32) -> Result<(), Error> {
        self.act()?;
        let real = self.place(path)?;
        if self.nodes.contains_key(&real) {
            return Err(Error::failed(format!("cannot make `{path}`"), "it exists"));
        }
        let root = || "root".to_owned();
        let node = Node { what, mode, owner: root(), group: root(), changed: self.clock };
        self.nodes.insert(real.clone(), node);
        self.touch_parent(&real);
        Ok(())
    }

    /// Fills a file.
    pub fn fill(&mut self, path: &str, content: &[u8]) -> Result<(), Error> {
        self.act()?;
        self.node(path)?.what = What::File(content.to_vec());
        Ok(())
    }

    /// Changes only the time.
    pub fn touch(&mut self, path: &str) -> Result<(), Error> {
        self.act()?;
        self.node(path).map(drop)
    }

    pub fn set_mode(&mut self, path: &str, mode: u32) -> Result<(), Error> {
        self.act()?;
        self.node(path)?.mode = mode;
        Ok(())
    }

    pub fn set_owner(&mut self, path: &str, owner: &str, group: &str) -> Result<(), Error> {
        self.act()?;
        let node = self.node(path)?;
        (node.owner, node.group) = (owner.to_owned(), group.to_owned());
        Ok(())
    }

    /// Takes one name away; a directory must be empty.
    pub fn unlink(&mut self, path: &str) -> Result<(), Error> {
        self.act()?;
        let cannot = |cause: &str| Error::failed(format!("cannot remove `{path}`"), cause);
        let real = self.resolve(path, false).ok_or_else(|| cannot("no such file or directory"))?;
        if !self.names_below(&real).is_empty() {
            return Err(cannot("directory not empty"));
        }
        self.nodes.remove(&real).ok_or_else(|| cannot("no such file or directory"))?;
        self.touch_parent(&real);
        Ok(())
    }

    /// Gives something, with all that is in it, another name.
    pub fn rename(&mut self, from: &str, to: &str) -> Result<(), Error> {
        self.act()?;
        let cannot = |cause: &str| Error::failed(format!("cannot rename `{from}` to `{to}`"), cause);
        let (from, to) = (self.resolve(from, false).unwrap_or_default(), self.place(to)?);
        let Some(moved) = self.nodes.get(&from).map(Node::kind) else {
            return Err(cannot("nothing is there"));
        };
        let replaced = self.nodes.get(&to).map(Node::kind);
        if replaced.is_some_and(|it| (it == Kind::Directory) != (moved == Kind::Directory)) {
            return Err(cannot("a directory and something else cannot replace each other"));
        }
        if !self.names_below(&to).is_empty() {
            return Err(cannot("directory not empty"));
        }
        for path in self.names_below(&from).into_iter().chain([from.clone()]) {
            if let Some(mut node) = self.nodes.remove(&path) {
                if path == from {
                    node.changed = self.clock;
                }
                self.nodes.insert(format!("{to}{}", &path[from.len()..]), node);
            }
        }
        self.touch_parent(&from);
        self.touch_parent(&to);
        Ok(())
    }

    /// Every path below a directory.
    pub fn names_below(&self, real: &str) -> Vec<String> {
        let top = format!("{}/", real.trim_end_matches('/'));
        let below = self.nodes.range(top.clone()..).take_while(|(path, _)| path.starts_with(&top));
        below.map(|(path, _)| path.clone()).filter(|path| *path != real).collect()
    }

    fn touch_parent(&mut self, real: &str) {
        let parent = real.rsplit_once('/').map_or("", |(parent, _)| parent);
        let clock = self.clock;
        if let Some(node) = self.nodes.get_mut(if parent.is_empty() { "/" } else { parent }) {
            node.changed = clock;
        }
    }

    /// Replaces a file as careful programs do, keeping its owner and mode; only the last change makes it visible.
    pub fn replace(&mut self, path: &str, content: &[u8]) -> Result<(), Error> {
        let (mode, owner, group) = match self.get(path) {
            Some(node) => (node.mode, node.owner.clone(), node.group.clone()),
            None => (0o644, "root".to_owned(), "root".to_owned()),
        };
        let beside = format!("{path}+");
        match self.get(&beside) {
            Some(_) => self.fill(&beside, content)?,
            None => self.make(&beside, What::File(content.to_vec()), mode)?,
        }
        self.set_owner(&beside, &owner, &group)?;
        self.rename(&beside, path)
    }

    /// Lays a file down with its directories, whatever was there; for furnishing a machine, not for changing one.
    pub fn lay(&mut self, path: &str, content: &[u8]) {
        self.lay_node(path, What::File(content.to_vec()), 0o644);
    }

    /// As [`Disk::lay`], for anything.
    pub fn lay_node(&mut self, path: &str, what: What, mode: u32) {
        let root = || "root".to_owned();
        let changed = self.clock;
        let node = |what, mode| Node { what, mode, owner: root(), group: root(), changed };
        for (index, _) in path.match_indices('/') {
            let directory = if index == 0 { "/" } else { &path[..index] };
            if self.follow(directory).is_none() {
                self.nodes.insert(directory.to_owned(), node(What::Directory, 0o755));
            }
        }
        let real = self.resolve(path, false).unwrap_or_else(|| path.to_owned());
        self.nodes.insert(real, node(what, mode));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_followed_on_the_way_and_at_the_end_only_when_asked() {
        let mut disk = Disk::default();
        disk.lay("/usr/bin/tool", b"x");
        disk.lay_node("/bin", What::Link("usr/bin".to_owned()), 0o777);
        disk.lay_node("/usr/bin/alias", What::Link("../bin/tool".to_owned()), 0o777);
        disk.lay_node("/loop", What::Link("/loop".to_owned()), 0o777);
        assert_eq!(disk.resolve("/bin/tool", true).as_deref(), Some("/usr/bin/tool"));
        assert_eq!(disk.resolve("/bin/alias", false).as_deref(), Some("/usr/bin/alias"));
        assert_eq!(disk.resolve("/bin/alias", true).as_deref(), Some("/usr/bin/tool"));
        assert_eq!(disk.resolve("/loop/x", true), None);
        assert_eq!(disk.resolve("/none/x", true), None);
        assert_eq!(disk.names("/bin"), ["alias", "tool"]);
    }

    #[test]
    fn the_dead_change_nothing() {
        let mut disk = Disk::default();
        disk.lay("/etc/a", b"1");
        disk.left = Some(1);
        assert!(disk.fill("/etc/a", b"2").is_ok());
        assert!(disk.fill("/etc/a", b"3").is_err() && disk.unlink("/etc/a").is_err());
        assert_eq!((disk.text("/etc/a").as_str(), disk.killed), ("2", true));
    }
}
