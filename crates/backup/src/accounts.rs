//! Whose files an item has: names and numbers, so that a restore on another machine can give them to the same names.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, lchown};
use std::path::Path;

use pq_items::BackupItem;

use crate::manifest::Accounts;

/// The accounts that own the item's paths, or the first level below them; and the instance's own.
pub fn of(item: &BackupItem) -> Accounts {
    let (users, groups) = (numbers("/etc/passwd"), numbers("/etc/group"));
    let mut accounts = Accounts::default();
    let mut take = |uid: u32, gid: u32| {
        if let Some(name) = users.get(&uid) {
            accounts.users.insert(name.clone(), uid);
        }
        if let Some(name) = groups.get(&gid) {
            accounts.groups.insert(name.clone(), gid);
        }
    };
    for path in &item.paths.include {
        let Ok(is) = fs::symlink_metadata(path.as_str()) else { continue };
        take(is.uid(), is.gid());
        for entry in fs::read_dir(path.as_str()).into_iter().flatten().flatten().take(1000) {
            if let Ok(is) = entry.metadata() {
                take(is.uid(), is.gid());
            }
        }
    }
    accounts
}

/// Gives what came back to those who have the names now whose numbers it came back with.
///
/// # Errors
/// Where it cannot be given.
pub fn give(path: &Path, accounts: &Accounts) -> io::Result<()> {
    let moved = |was: &BTreeMap<String, u32>, is: BTreeMap<u32, String>| -> BTreeMap<u32, u32> {
        let now: BTreeMap<String, u32> = is.into_iter().map(|(number, name)| (name, number)).collect();
        was.iter()
            .filter_map(|(name, was)| Some((*was, *now.get(name)?)))
            .filter(|(was, is)| was != is)
            .collect()
    };
    let (users, groups) =
        (moved(&accounts.users, numbers("/etc/passwd")), moved(&accounts.groups, numbers("/etc/group")));
    match users.is_empty() && groups.is_empty() {
        true => Ok(()),
        false => each(path, &users, &groups),
    }
}

fn each(path: &Path, users: &BTreeMap<u32, u32>, groups: &BTreeMap<u32, u32>) -> io::Result<()> {
    let is = fs::symlink_metadata(path)?;
    let (user, group) = (users.get(&is.uid()).copied(), groups.get(&is.gid()).copied());
    if user.is_some() || group.is_some() {
        lchown(path, user, group)?;
        if !is.file_type().is_symlink() {
            // To change the owner takes away what lets a program run as them.
            fs::set_permissions(path, is.permissions())?;
        }
    }
    if is.is_dir() {
        for entry in fs::read_dir(path)? {
            each(&entry?.path(), users, groups)?;
        }
    }
    Ok(())
}

/// Names by number, of a file of accounts: `name:x:number:…`.
fn numbers(path: &str) -> BTreeMap<u32, String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let entry = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next()?.to_owned();
        Some((fields.nth(1)?.parse().ok()?, name))
    };
    // the first of a number counts, as it does for the system
    text.lines().rev().filter_map(entry).collect()
}
