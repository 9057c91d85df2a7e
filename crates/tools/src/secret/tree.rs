//! The files below a directory of the inventory.
//!
//! Links are followed, to directories too, as the inventory follows them: what it reads from there is kept here as
//! well. Each file comes once, however many ways lead to it, so that no circle has to be told from a deep tree.
//! What is hidden is no part of an inventory.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use pq_cli::Failure;

use super::keeper::cannot;

/// The regular files whose names are wanted, by path; none where there is no such directory.
///
/// # Errors
/// Where a directory cannot be read.
pub fn files(directory: &Path, wanted: fn(&str) -> bool) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    if directory.is_dir() {
        below(directory, wanted, &mut BTreeSet::new(), &mut found)?;
    }
    Ok(found)
}

fn below(
    directory: &Path,
    wanted: fn(&str) -> bool,
    seen: &mut BTreeSet<PathBuf>,
    found: &mut Vec<PathBuf>,
) -> Result<(), Failure> {
    let failed = |error: std::io::Error| cannot("read directory", directory, &error);
    if !seen.insert(fs::canonicalize(directory).map_err(failed)?) {
        return Ok(());
    }
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        paths.push(entry.map_err(failed)?.path());
    }
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        if path.is_dir() {
            below(&path, wanted, seen, found)?;
        } else if wanted(&name)
            && path.is_file()
            && fs::canonicalize(&path).is_ok_and(|real| seen.insert(real))
        {
            found.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn each_file_comes_once_also_through_links_and_circles() {
        let place = tempfile::tempdir().unwrap();
        let (inventory, shared) = (place.path().join("i"), place.path().join("shared"));
        fs::create_dir_all(inventory.join("a/.git")).unwrap();
        fs::create_dir(&shared).unwrap();
        for file in
            ["i/z.age", "i/a/x.age", "i/a/plain.yml", "i/a/.hidden.age", "i/a/.git/y.age", "shared/s.age"]
        {
            fs::write(place.path().join(file), "").unwrap();
        }
        symlink(&shared, inventory.join("b")).unwrap();
        symlink(".", inventory.join("a/again")).unwrap();
        symlink("x.age", inventory.join("a/y.age")).unwrap();
        symlink("nothing", inventory.join("a/n.age")).unwrap();
        let found = files(&inventory, |name| name.ends_with(".age")).ok().unwrap();
        let found: Vec<_> =
            found.iter().map(|path| path.strip_prefix(&inventory).unwrap().display().to_string()).collect();
        assert_eq!(found, ["a/x.age", "b/s.age", "z.age"]);
        assert!(files(&place.path().join("nowhere"), |_| true).ok().unwrap().is_empty());
    }
}
