//! Where a file of an inventory lies: in which inventory, and whether a host gets variables from there.
//!
//! Always true here: a file belongs to one inventory, that which is named or found, for every verb; so what is written
//! lies where `who` and `rekey` find it. What lies in another inventory is worked on with that one named.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use pq_cli::Failure;
use pq_inventory::{Inventory, Misplaced};
use pq_stream::Diagnostic;

use super::keeper::{Keys, cannot};

const SUCH: &str =
    "put it where variables lie, such as `group_vars/all/secrets.yml.age` or `host_vars/HOST.yml.age`";

/// The path of a file below the directory of its inventory.
///
/// # Errors
/// Where it lies outside of the inventory.
pub fn below(keys: &Keys, file: &Path) -> Result<PathBuf, Failure> {
    let own = || around(file);
    // In a directory of an inventory, nobody has to name it.
    let directory = match (keys.inventory(), own()) {
        (Ok(directory), _) => directory,
        (Err(_), Some(own)) => own,
        (Err(failure), None) => return Err(failure),
    };
    let found = within(&directory, file).map_err(|error| cannot("find", file, &error))?;
    found.ok_or_else(|| {
        let (file, shown) = (file.display(), directory.display());
        let error = Diagnostic::new(format!("`{file}` lies outside of the inventory `{shown}`"));
        let error = error.cause("`pq-secret who` and `rekey` look for age files in the inventory alone");
        Failure::input(match own() {
            Some(own) => {
                error.hint(format!("it belongs to another inventory: name that, with `-i {}`", own.display()))
            }
            None => error.hint(SUCH),
        })
    })
}

/// Whether a file would lie neither in the inventory of that directory nor in another one.
pub fn is_nowhere(directory: &Path, file: &Path) -> bool {
    matches!(within(directory, file), Ok(None)) && around(file).is_none()
}

/// The directory of the inventory around a file.
fn around(file: &Path) -> Option<PathBuf> {
    let absolute = resolved(file).ok()?;
    absolute.ancestors().skip(1).find(|above| Inventory::is_in(above)).map(Path::to_owned)
}

/// The path of a file below a directory; nothing where it lies outside.
///
/// # Errors
/// What the system answers when it is asked where we are.
fn within(directory: &Path, file: &Path) -> io::Result<Option<PathBuf>> {
    let (root, file) = (resolved(directory)?, resolved(file)?);
    // A linked directory of a group is in the inventory; so is what a link from elsewhere leads to.
    let found = file.strip_prefix(&root).map(Path::to_owned).ok();
    Ok(found.or_else(|| real(&file).strip_prefix(real(&root)).map(Path::to_owned).ok()))
}

/// Refuses a place from which no host ever gets a value; `below` is the path below the inventory directory.
///
/// # Errors
/// Why nobody reads it.
pub fn demand_read(below: &Path, shown: &Path) -> Result<(), Failure> {
    let Some(why) = Misplaced::of(below) else { return Ok(()) };
    let error = Diagnostic::new(format!("no host would ever get a value from `{}`", shown.display()));
    Err(Failure::input(error.cause(why.cause()).hint(SUCH)))
}

/// The absolute path without `..`; behind a link, `..` leads to where the system goes.
fn resolved(path: &Path) -> io::Result<PathBuf> {
    let mut resolved = PathBuf::new();
    for part in std::path::absolute(path)?.components() {
        match part {
            Component::ParentDir => {
                resolved = fs::canonicalize(&resolved).unwrap_or(resolved);
                resolved.pop();
            }
            part => resolved.push(part),
        }
    }
    Ok(resolved)
}

/// The path with the links in it followed, as far as it is there; the last name is left as it is.
fn real(path: &Path) -> PathBuf {
    let mut above = path.ancestors().skip(1);
    let found = above.find_map(|above| {
        let rest = path.strip_prefix(above).ok()?;
        Some(fs::canonicalize(above).ok()?.join(rest))
    });
    found.unwrap_or_else(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_step_up_is_resolved_before_a_place_is_judged() {
        let place = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(place.path()).unwrap();
        fs::create_dir_all(root.join("i/group_vars/all")).unwrap();
        fs::create_dir_all(root.join("shared/prod")).unwrap();
        symlink(root.join("shared/prod"), root.join("i/group_vars/prod")).unwrap();
        let is = |path: &str| resolved(&root.join(path)).unwrap().strip_prefix(&root).unwrap().to_owned();
        assert_eq!(is("i/group_vars/all/../x.age"), Path::new("i/group_vars/x.age"));
        assert_eq!(is("i/nothing/../../x.age"), Path::new("x.age"));
        assert_eq!(is("i/group_vars/prod/../x.age"), Path::new("shared/x.age"));
        assert_eq!(is("i/group_vars/prod/x.age"), Path::new("i/group_vars/prod/x.age"));
        assert_eq!(real(&root.join("i/group_vars/prod/new/x.age")), root.join("shared/prod/new/x.age"));
    }
}
