//! The last plan of each owner that was executed to a good end, as a stream of one host which is this machine: what a backup needs to
//! build it again where the inventory is not at hand.
//!
//! Always true here: a plan is replaced as a whole. Secrets stand in it as tokens, and sealed for those who open the inventory: the
//! machine itself opens none.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::replace;

/// Where they are.
pub const PLANS: &str = "/var/lib/paquerette/plans";

/// What begins the line of sealed secrets, which is another each time that the inventory is read.
const SEALED: &str = "{\"type\":\"secret\"";

/// How their files end.
const END: &str = "ndjson";

/// The file of an owner's plan: of an instance, of `server`, or of `platform` with all of its components.
pub fn plan(dir: &Path, owner: &str) -> PathBuf {
    dir.join(owner).with_extension(END)
}

/// Keeps the plan of an owner. One that is there and is the same but for what is sealed stays, unless `anew`.
///
/// # Errors
/// Where it cannot be written; the one before is there then.
pub fn keep_plan(dir: &Path, owner: &str, stream: &str, anew: bool) -> io::Result<()> {
    let path = plan(dir, owner);
    let open = |text: &str| -> Vec<String> {
        text.lines().filter(|line| !line.starts_with(SEALED)).map(str::to_owned).collect()
    };
    match fs::read_to_string(&path) {
        Ok(kept) if !anew && open(&kept) == open(stream) => Ok(()),
        _ => replace(&path, stream.as_bytes()),
    }
}

/// Forgets the plan of an owner that was removed.
///
/// # Errors
/// Where it is there, and cannot be removed.
pub fn forget_plan(dir: &Path, owner: &str) -> io::Result<()> {
    match fs::remove_file(plan(dir, owner)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Whose plans are kept in a directory, by name.
///
/// # Errors
/// Where it cannot be read; one that is not there holds none.
pub fn kept_plans(dir: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut owners = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == END)
            && let Some(owner) = path.file_stem().and_then(|stem| stem.to_str())
        {
            owners.push(owner.to_owned());
        }
    }
    owners.sort();
    Ok(owners)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_written_again_only_where_it_is_another() {
        let dir = tempfile::tempdir().unwrap();
        let stream = |sealed: &str, step: &str| {
            format!(
                "{{\"type\":\"secret\",\"sealed\":\"{sealed}\"}}\n{{\"type\":\"step\",\"id\":\"{step}\"}}\n"
            )
        };
        let read = || fs::read_to_string(plan(dir.path(), "wiki")).unwrap();
        keep_plan(dir.path(), "wiki", &stream("one", "wiki/a"), false).unwrap();
        keep_plan(dir.path(), "wiki", &stream("two", "wiki/a"), false).unwrap();
        assert_eq!(read(), stream("one", "wiki/a"));
        keep_plan(dir.path(), "wiki", &stream("two", "wiki/b"), false).unwrap();
        assert_eq!(read(), stream("two", "wiki/b"));
        keep_plan(dir.path(), "wiki", &stream("three", "wiki/b"), true).unwrap();
        assert_eq!(read(), stream("three", "wiki/b"));
        assert_eq!(kept_plans(dir.path()).unwrap(), ["wiki"]);
        forget_plan(dir.path(), "wiki").unwrap();
        forget_plan(dir.path(), "wiki").unwrap();
        assert!(kept_plans(dir.path()).unwrap().is_empty());
    }
}
