//! Files below `group_vars/` and `host_vars/` that nobody reads, age files elsewhere, and private keys that lie anywhere
//! in the inventory.
//!
//! What is read is asked of the loader, so that nothing is said here of how files are found. Hidden files and
//! `README…` are left alone.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use pq_stream::{Diagnostic, Place, nearest};

use crate::file;
use crate::variables::{EXTENSIONS, owner};
use crate::world::World;

type Result<T> = std::result::Result<T, Box<Diagnostic>>;

/// The identity of the example, which everybody has: it opens nothing else.
const DEMO: &str = "demo-identity.txt";

/// The directories in which variables lie.
const KINDS: [&str; 2] = ["group_vars", "host_vars"];

/// Larger files hold no keys alone.
const MAX_KEY: u64 = 64 << 10;

const FORM: &str =
    "files of variables end in `.yml`, `.yaml` or `.json`, with `.age` behind it where they are encrypted";

/// What is said of each of them.
///
/// # Errors
/// Where a directory cannot be read.
pub fn of(world: &World) -> Result<Vec<Diagnostic>> {
    let groups: BTreeSet<&str> = world.groups.groups.iter().map(|group| group.name.as_str()).collect();
    let hosts: BTreeSet<&str> = world.groups.hosts.iter().map(|host| host.name.as_str()).collect();
    let mut found = misspelt(world);
    found.extend(misplaced(world));
    for (kind, what, names, others) in
        [("group_vars", "group", &groups, &hosts), ("host_vars", "host", &hosts, &groups)]
    {
        let mut read = HashSet::new();
        for name in names {
            read.extend(world.loader.files(kind, name)?);
        }
        let search = Search { world, kind, what, names, others, read };
        for name in search.entries(kind)? {
            search.entry(&name, &mut found)?;
        }
    }
    Ok(found)
}

/// What is said of each private key in the inventory, read or not.
pub fn keys(world: &World) -> Vec<Diagnostic> {
    let directory = &world.loader.directory;
    let mut found = Vec::new();
    let passed = |path: &Path| path.is_symlink() || path.ends_with(".git") || path.ends_with(DEMO);
    files_below(directory, 0, &passed, &mut found);
    found.retain(|path| {
        path.metadata().is_ok_and(|it| it.len() <= MAX_KEY)
            && file::bytes(path).is_ok_and(|bytes| file::is_key(&String::from_utf8_lossy(&bytes)))
    });
    let said = |path: PathBuf| {
        Diagnostic::new("a private key lies in the inventory").at(first_line(&path)).hint(file::KEY_HINT)
    };
    found.into_iter().map(said).collect()
}

/// The files below a directory, by name, without those that are `passed` over, and what is in such a directory. Linked
/// directories are not entered; what cannot be read is passed over, too.
fn files_below(directory: &Path, depth: usize, passed: &dyn Fn(&Path) -> bool, found: &mut Vec<PathBuf>) {
    let mut paths: Vec<_> =
        fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths.into_iter().filter(|path| !passed(path)) {
        if !path.is_dir() {
            found.push(path);
        } else if depth < 16 && !path.is_symlink() {
            files_below(&path, depth + 1, passed, found);
        }
    }
}

/// Directories beside `group_vars` and `host_vars` that are nearly called so.
fn misspelt(world: &World) -> Vec<Diagnostic> {
    let directory = &world.loader.directory;
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let directories = entries.filter(|entry| entry.path().is_dir());
    let mut names: Vec<String> =
        directories.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    let said = |name: String| {
        let near = nearest(&name, KINDS).filter(|_| !KINDS.contains(&name.as_str()))?;
        let error = Diagnostic::new("nobody reads this").at(first_line(&directory.join(&name)));
        Some(error.hint(format!("did you mean `{near}`?")))
    };
    names.into_iter().filter_map(said).collect()
}

/// Why no host ever gets a value from a file, whatever hosts and groups there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misplaced {
    /// It lies neither below `group_vars/` nor below `host_vars/`.
    Elsewhere,
    /// It, or a directory on the way, is hidden.
    Hidden,
    /// It has not the name of a file of variables.
    Unnamed,
    /// A directory in that of a group or a host has an extension.
    Dotted,
}

impl Misplaced {
    /// Why nobody reads an age file at a path below the inventory directory; nothing where it may be read.
    pub fn of(below: &Path) -> Option<Self> {
        let names: Vec<String> = below
            .components()
            .filter(|part| *part != Component::CurDir)
            .map(|part| part.as_os_str().to_string_lossy().into_owned())
            .collect();
        let (name, directories) = match &names[..] {
            [kind, directories @ .., name] if KINDS.contains(&kind.as_str()) => (name, directories),
            _ => return Some(Misplaced::Elsewhere),
        };
        if name.starts_with('.') || directories.iter().any(|name| name.starts_with('.')) {
            return Some(Misplaced::Hidden);
        }
        let extension =
            name.strip_suffix(".age").map(|inner| inner.rsplit_once('.').map_or("", |(_, it)| it));
        match extension {
            Some(extension) if EXTENSIONS.contains(&extension) => {}
            // In a directory of a group or a host, a name alone will do.
            Some("") if !directories.is_empty() => {}
            _ => return Some(Misplaced::Unnamed),
        }
        // The first is called after a group or a host, as in `web1.example.org/`.
        directories.iter().skip(1).any(|name| name.contains('.')).then_some(Misplaced::Dotted)
    }

    /// The same in words.
    pub fn cause(self) -> &'static str {
        match self {
            Misplaced::Elsewhere => {
                "variables are read below `group_vars/` and `host_vars/` of the inventory alone"
            }
            Misplaced::Hidden => "what is hidden is no part of an inventory",
            Misplaced::Unnamed => {
                "encrypted files of variables end in `.yml.age`, `.yaml.age` or `.json.age`"
            }
            Misplaced::Dotted => "a directory with an extension in its name is not looked into",
        }
    }
}

/// Age files beside `group_vars` and `host_vars`.
fn misplaced(world: &World) -> Vec<Diagnostic> {
    let directory = &world.loader.directory;
    let mut found = Vec::new();
    // Those two are looked through by themselves.
    let passed = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with('.') || KINDS.iter().any(|kind| *path == directory.join(kind))
    };
    files_below(directory, 0, &passed, &mut found);
    found.retain(|path| path.to_string_lossy().ends_with(".age"));
    let said = |path: PathBuf| {
        Diagnostic::new("nobody reads this")
            .at(first_line(&path))
            .cause(Misplaced::Elsewhere.cause())
            .hint("move it to where variables lie, such as `group_vars/all/secrets.yml.age`")
    };
    found.into_iter().map(said).collect()
}

/// The beginning of a file.
fn first_line(path: &Path) -> Place {
    Place { file: path.display().to_string(), line: 1, column: 1, text: String::new() }
}

/// One of the two directories.
struct Search<'w> {
    world: &'w World,
    kind: &'static str,
    what: &'static str,
    names: &'w BTreeSet<&'w str>,
    /// The names that belong into the other directory.
    others: &'w BTreeSet<&'w str>,
    read: HashSet<String>,
}

impl Search<'_> {
    /// The names in a directory that are worth a word.
    fn entries(&self, directory: &str) -> Result<Vec<String>> {
        let path = self.path(directory);
        if !path.is_dir() {
            return Ok(Vec::new());
        }
        let cannot = |error: std::io::Error| {
            let error = Diagnostic::new(format!("cannot read directory `{}`", path.display()))
                .cause(pq_stream::system_cause(&error));
            Box::new(error)
        };
        let mut names = Vec::new();
        for entry in fs::read_dir(&path).map_err(cannot)? {
            names.extend(entry.map_err(cannot)?.file_name().into_string().ok());
        }
        names.retain(|name| !name.starts_with('.') && !name.starts_with("README"));
        names.sort();
        Ok(names)
    }

    /// An entry of `group_vars` or `host_vars` itself.
    fn entry(&self, name: &str, found: &mut Vec<Diagnostic>) -> Result<()> {
        let path = format!("{}/{name}", self.kind);
        let below = format!("{path}/");
        if self.read.contains(&path) {
            return Ok(());
        }
        if self.path(&path).is_dir() && self.read.iter().any(|file| file.starts_with(&below)) {
            return self.below(&path, found);
        }
        let owner = owner(name);
        let (kind, what) = (self.kind, self.what);
        let unread = |cause: String| Diagnostic::new("nobody reads this").at(self.place(&path)).cause(cause);
        let first = name.split('.').next().unwrap_or(name);
        found.push(if self.names.contains(owner) {
            let files = self.world.loader.files(kind, owner)?;
            match files.iter().find(|file| !file.ends_with(".age")) {
                Some(file) if !name.ends_with(".age") => {
                    unread(format!("`{file}` speaks for {what} `{owner}`"))
                        .hint(format!("of `{owner}/`, `{owner}.yml`, `{owner}.yaml` and `{owner}.json` the first counts: put all into one"))
                }
                _ if self.path(&path).is_dir() => unread("it holds no file of variables".to_owned()).hint(FORM),
                _ => unread("it has no extension of a file of variables".to_owned()).hint(FORM),
            }
        } else if self.names.contains(first) && first != name {
            unread("it has no extension of a file of variables".to_owned()).hint(FORM)
        } else {
            let error = unread(format!("there is no {what} `{owner}`"));
            if self.others.contains(owner) {
                let (other, place) = match self.kind {
                    "group_vars" => ("host", "host_vars"),
                    _ => ("group", "group_vars"),
                };
                error.hint(format!("it is a {other}: move the file to `{place}/`"))
            } else if let Some(near) = nearest(owner, self.names) {
                error.hint(format!("did you mean `{near}`?"))
            } else {
                error.hint(format!("name the {what} in the file `hosts`, or remove the file"))
            }
        });
        Ok(())
    }

    /// What is not read in a directory that is.
    fn below(&self, directory: &str, found: &mut Vec<Diagnostic>) -> Result<()> {
        for name in self.entries(directory)? {
            let path = format!("{directory}/{name}");
            let inner = format!("{path}/");
            if self.read.contains(&path) {
                continue;
            }
            if self.path(&path).is_dir() && self.read.iter().any(|file| file.starts_with(&inner)) {
                self.below(&path, found)?;
                continue;
            }
            let cause = match self.path(&path).is_dir() {
                true => "it holds no file of variables",
                false => "it has no extension of a file of variables",
            };
            let error = Diagnostic::new("nobody reads this").at(self.place(&path));
            found.push(error.cause(cause).hint(FORM));
        }
        Ok(())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.world.loader.directory.join(name)
    }

    fn place(&self, name: &str) -> Place {
        first_line(&self.path(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_file_is_read_where_variables_lie_and_under_such_a_name() {
        for read in [
            "group_vars/all.yml.age",
            "./host_vars/web1.json.age",
            "group_vars/all/secrets.yml.age",
            "group_vars/all/secrets.age",
            "group_vars/all/deep/s.yaml.age",
            "host_vars/web1.example.org/s.yml.age",
        ] {
            assert_eq!(Misplaced::of(Path::new(read)), None, "{read}");
        }
        let why = |path: &str| Misplaced::of(Path::new(path)).unwrap();
        for elsewhere in
            ["hosts.age", "all.yml.age", "files/x.yml.age", "group_vars", "a/group_vars/all.yml.age"]
        {
            assert_eq!(why(elsewhere), Misplaced::Elsewhere, "{elsewhere}");
        }
        for unnamed in
            ["group_vars/all.age", "group_vars/all.txt.age", "group_vars/all/s.bak.age", "host_vars/a.yml"]
        {
            assert_eq!(why(unnamed), Misplaced::Unnamed, "{unnamed}");
        }
        assert_eq!(why("group_vars/all/old.d/all.yml.age"), Misplaced::Dotted);
        assert_eq!(why("group_vars/.all.yml.age"), Misplaced::Hidden);
        assert_eq!(why("group_vars/.git/all.yml.age"), Misplaced::Hidden);
    }
}
