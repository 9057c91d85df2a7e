//! The machine that runs the tests, in temporary directories of it: nothing outside of them is changed.

#![expect(clippy::unwrap_used, reason = "what fails here is a failed test")]

mod archives;
mod certificates;
mod commands;
mod downloads;
mod files;
mod server;

use std::path::{Path, PathBuf};

use pq_machine::Machine;
use pq_steps::{AbsPath, Error, Meta, Mode};

/// A temporary directory and the machine that it is on.
struct World {
    directory: tempfile::TempDir,
    machine: Machine,
}

impl World {
    fn new() -> Self {
        World { directory: tempfile::tempdir().unwrap(), machine: Machine::local() }
    }

    /// One on a file system that need not be synced, where there is one: much goes in and out of it.
    fn in_memory() -> Self {
        let memory = Path::new("/dev/shm");
        match memory.is_dir() {
            true => World { directory: tempfile::tempdir_in(memory).unwrap(), machine: Machine::local() },
            false => World::new(),
        }
    }

    fn at(&self, name: &str) -> AbsPath {
        AbsPath::new(self.real(name).to_str().unwrap()).unwrap()
    }

    fn real(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.real(name)).unwrap()
    }

    /// Everything below, as `name kind` lines.
    fn tree(&self, below: &str) -> Vec<String> {
        let mut found = Vec::new();
        walk(&self.real(below), Path::new(""), &mut found);
        found.sort();
        found
    }
}

fn walk(root: &Path, at: &Path, found: &mut Vec<String>) {
    use std::os::unix::fs::PermissionsExt;
    let Ok(entries) = std::fs::read_dir(root.join(at)) else { return };
    for entry in entries {
        let entry = entry.unwrap();
        let path = at.join(entry.file_name());
        let meta = entry.path().symlink_metadata().unwrap();
        let mode = meta.permissions().mode() & 0o7777;
        let name = path.display();
        if meta.is_symlink() {
            found.push(format!("{name} -> {}", std::fs::read_link(entry.path()).unwrap().display()));
        } else if meta.is_dir() {
            found.push(format!("{name}/ {mode:04o}"));
            walk(root, &path, found);
        } else {
            found.push(format!("{name} {mode:04o}"));
        }
    }
}

fn mode(bits: u32) -> Meta {
    Meta { mode: Some(Mode::from_bits(bits)), ownership: None }
}

/// An error's message, causes and hints in one line.
fn told(error: Error) -> String {
    let diagnostic = error.into_diagnostic();
    [vec![diagnostic.message], diagnostic.causes, diagnostic.hints].concat().join(" | ")
}

fn root() -> bool {
    // The owner of what we create is who we are.
    use std::os::unix::fs::MetadataExt;
    tempfile::tempfile().unwrap().metadata().unwrap().uid() == 0
}
