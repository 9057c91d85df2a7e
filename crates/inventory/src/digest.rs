//! A digest over the files that an inventory is made of, so that a plan can say what it was made from.
//!
//! Always true here: two inventories of one digest give the same values, but for the environment that they look up.
//! Files of no consequence may count where lookups are used, since only resolving would tell which they read.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use pq_stream::Diagnostic;
use sha2::{Digest, Sha256};

use crate::file;
use crate::lookups::Inside;

type Result<T> = std::result::Result<T, Box<Diagnostic>>;

/// What counts, below the inventory directory; identities and editors' files do not.
const PARTS: [&str; 7] =
    [".age-recipients", "group_vars", "host_vars", "hosts", "hosts.yaml", "hosts.yml", "recipes"];

/// How templates look things up.
const LOOKUPS: [&str; 4] = ["lookup", "query", "q(", "q ("];

/// The SHA-256, in hexadecimal, over names, lengths and contents, by name; where something is looked up, over every
/// file that lookups can read.
///
/// # Errors
/// Where a file cannot be read.
pub fn of(directory: &Path, lookups: &Inside) -> Result<String> {
    let mut found = Found::default();
    for part in PARTS {
        found.collect(&directory.join(part), &|_| true)?;
    }
    let mut hasher = Sha256::new();
    let mut add = |file: &Path, content: &[u8]| {
        let name = file.strip_prefix(directory).unwrap_or(file).to_string_lossy().into_owned();
        hasher.update(name.as_bytes());
        hasher.update([0]);
        hasher.update((content.len() as u64).to_be_bytes());
        hasher.update(content);
    };
    let mut looked_up = false;
    for path in &found.files {
        let content = file::bytes(path)?;
        looked_up |=
            LOOKUPS.iter().any(|word| content.windows(word.len()).any(|part| part == word.as_bytes()));
        add(path, &content);
    }
    if looked_up {
        let mut others = Found { seen: found.seen, ..Found::default() };
        others.collect(directory, &|path| !Inside::is_hidden(path))?;
        for path in others.files.difference(&found.files) {
            // What lookups cannot read makes no difference.
            let real = path.canonicalize().ok();
            let text = real.as_deref().and_then(Path::to_str).map(|real| lookups.read(real));
            if let Some(Ok(text)) = text {
                add(path, text.as_bytes());
            }
        }
    }
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Files, and the directories that were looked through for them.
#[derive(Default)]
struct Found {
    files: BTreeSet<PathBuf>,
    seen: BTreeSet<PathBuf>,
}

impl Found {
    /// Adds what stands at a path, and below; links are followed, to each directory once.
    fn collect(&mut self, path: &Path, wanted: &impl Fn(&Path) -> bool) -> Result<()> {
        // What leads nowhere is told by who reads it.
        let Ok(metadata) = fs::metadata(path) else { return Ok(()) };
        if metadata.is_file() {
            self.files.insert(path.to_owned());
        }
        if !metadata.is_dir() {
            return Ok(());
        }
        let cannot = |error: std::io::Error| file::refused("directory ", path, &error);
        if !self.seen.insert(path.canonicalize().map_err(cannot)?) {
            return Ok(());
        }
        let mut below = Vec::new();
        for entry in fs::read_dir(path).map_err(cannot)? {
            below.push(entry.map_err(cannot)?.path());
        }
        below.sort();
        below.iter().filter(|path| wanted(path)).try_for_each(|path| self.collect(path, wanted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_lookup_can_read_counts_and_what_nobody_reads_does_not() {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("inventory");
        let write = |name: &str, text: &str| {
            let path = directory.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let inside = Inside { directory: directory.clone(), keys: vec![directory.join("password")] };
        let digest = || of(&directory, &inside).unwrap();
        let moves = |name: &str| {
            write(name, "a");
            let before = digest();
            write(name, "b");
            digest() != before
        };
        write("hosts", "web1\n");
        write("group_vars/all.yml", "a: 1\n");
        assert_eq!(digest(), digest());
        assert!(moves("group_vars/all/more.yml"));
        for name in ["README", "files/motd", "keys/ann.pub"] {
            assert!(!moves(name), "{name}");
        }
        write("group_vars/all.yml", "motd: \"{{ lookup('file', 'motd') }}\"\n");
        for name in ["files/motd", "keys/ann.pub", "motd"] {
            assert!(moves(name), "{name}");
        }
        for name in [".git/index", "files/.swap", "password", "s.yml.age"] {
            assert!(!moves(name), "{name}");
        }
        write("id", "x");
        let before = digest();
        write("id", "AGE-SECRET-KEY-1QQ");
        assert_ne!(digest(), before, "it can be read no more");
        let before = digest();
        write("id", "AGE-SECRET-KEY-1ZZ");
        assert_eq!(digest(), before);
    }

    #[test]
    fn linked_directories_count_once_and_circles_end() {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("inventory");
        fs::create_dir_all(place.path().join("shared")).unwrap();
        fs::create_dir_all(directory.join("group_vars")).unwrap();
        fs::write(directory.join("hosts"), "web1\n").unwrap();
        std::os::unix::fs::symlink("../../shared", directory.join("group_vars/all")).unwrap();
        std::os::unix::fs::symlink("../inventory/group_vars", place.path().join("shared/circle")).unwrap();
        let inside = Inside { directory: directory.clone(), keys: Vec::new() };
        fs::write(place.path().join("shared/a.yml"), "a: 1\n").unwrap();
        let before = of(&directory, &inside).unwrap();
        fs::write(place.path().join("shared/a.yml"), "a: 2\n").unwrap();
        assert_ne!(of(&directory, &inside).unwrap(), before);
    }
}
