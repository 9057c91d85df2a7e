//! Which list says who can open an encrypted file: the nearest `.age-recipients` in the directories above it.
//!
//! Beyond the inventory directory none is looked for: who can write somewhere above it shall not be given its secrets.

use std::io;
use std::path::{Path, PathBuf};

use crate::inventory::Inventory;

/// What a list is called.
const LIST: &str = ".age-recipients";

/// The list for a file, as it would be typed from here; nothing where there is none.
///
/// # Errors
/// What the system answers when it is asked where we are.
pub fn recipients_file(file: &Path) -> io::Result<Option<PathBuf>> {
    let absolute = std::path::absolute(file)?;
    let above: Vec<&Path> = absolute.ancestors().skip(1).collect();
    let inventory = above.iter().position(|directory| Inventory::is_in(directory));
    let near = &above[..inventory.map_or(above.len(), |at| at + 1)];
    let list = near.iter().map(|directory| directory.join(LIST)).find(|list| list.symlink_metadata().is_ok());
    let here = std::env::current_dir().ok();
    Ok(list.map(|list| match here.and_then(|here| list.strip_prefix(here).ok().map(Path::to_owned)) {
        Some(short) => short,
        None => list,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_nearest_list_counts_and_none_above_the_inventory() {
        let place = tempfile::tempdir().unwrap();
        let inventory = place.path().join("inventory");
        let group = inventory.join("group_vars/prod");
        fs::create_dir_all(&group).unwrap();
        let list = |file: &str| {
            let found = recipients_file(&inventory.join(file)).unwrap()?;
            Some(found.strip_prefix(place.path()).unwrap().display().to_string())
        };
        fs::write(place.path().join(LIST), "").unwrap();
        assert_eq!(list("group_vars/all.yml.age").unwrap(), LIST);
        fs::write(inventory.join("hosts"), "a\n").unwrap();
        assert_eq!(list("group_vars/all.yml.age"), None);
        fs::write(inventory.join(LIST), "").unwrap();
        fs::write(group.join(LIST), "").unwrap();
        assert_eq!(list("hosts").unwrap(), "inventory/.age-recipients");
        assert_eq!(list("group_vars/all.yml.age").unwrap(), "inventory/.age-recipients");
        assert_eq!(list("group_vars/prod/s.yml.age").unwrap(), "inventory/group_vars/prod/.age-recipients");
    }
}
