//! The machine's own users and groups, as `/etc/passwd` and `/etc/group` have them.
//!
//! Directories elsewhere (LDAP, SSSD) are not asked: what paquerette creates, it creates here.

use pq_stream::Diagnostic;

use crate::{AbsPath, Error, Probe};

/// A line of `/etc/group`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GroupEntry {
    pub id: u32,
    pub members: Vec<String>,
}

/// A line of `/etc/passwd`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UserEntry {
    pub id: u32,
    pub group: u32,
    pub comment: String,
    pub home: String,
    pub shell: String,
}

/// The group of that name.
pub(super) fn group(machine: &dyn Probe, name: &str) -> Result<Option<GroupEntry>, Error> {
    let text = database(machine, "/etc/group")?;
    Ok(fields(&text, name).and_then(|fields| match fields[..] {
        [_, _, id, members] => Some(GroupEntry {
            id: id.parse().ok()?,
            members: members.split(',').filter(|m| !m.is_empty()).map(str::to_owned).collect(),
        }),
        _ => None,
    }))
}

/// The name of the group with that number.
pub(super) fn group_of(machine: &dyn Probe, id: u32) -> Result<Option<String>, Error> {
    let text = database(machine, "/etc/group")?;
    let number = |line: &&str| line.split(':').nth(2).and_then(|number| number.parse().ok()) == Some(id);
    Ok(text.lines().find(number).and_then(|line| line.split(':').next()).map(str::to_owned))
}

/// The user of that name.
pub(super) fn user(machine: &dyn Probe, name: &str) -> Result<Option<UserEntry>, Error> {
    let text = database(machine, "/etc/passwd")?;
    Ok(fields(&text, name).and_then(|fields| match fields[..] {
        [_, _, id, group, comment, home, shell] => Some(UserEntry {
            id: id.parse().ok()?,
            group: group.parse().ok()?,
            comment: comment.to_owned(),
            home: home.to_owned(),
            shell: shell.to_owned(),
        }),
        _ => None,
    }))
}

/// Refuses a name that the tools of Debian would refuse, or take for an option.
pub(super) fn valid_name(field: &str, name: &str) -> Result<(), String> {
    let mut bytes = name.bytes();
    let first = bytes.next().is_some_and(|b| b.is_ascii_lowercase() || b == b'_');
    let rest = bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b));
    if first && rest && name.len() <= 32 {
        return Ok(());
    }
    Err(format!(
        "`{field}` is `{}`: at most 32 lower case letters, digits, `_` and `-`, the first a letter or `_`",
        name.escape_debug()
    ))
}

/// The groups that list a user as a member.
pub(super) fn groups_of(machine: &dyn Probe, user: &str) -> Result<Vec<String>, Error> {
    let text = database(machine, "/etc/group")?;
    let lists = |line: &&str| line.split(':').nth(3).is_some_and(|all| all.split(',').any(|it| it == user));
    Ok(text.lines().filter(lists).filter_map(|line| line.split(':').next()).map(str::to_owned).collect())
}

/// Refuses to take over an account that was not made for a service: system's numbers end at 999, `adduser.conf(5)`.
pub(super) fn of_the_system(what: &str, name: &str, id: u32) -> Result<(), Error> {
    if id < 1000 {
        return Ok(());
    }
    Err(Diagnostic::new(format!("cannot use {what} `{name}` for a service"))
        .cause(format!("it exists with the number {id}: it is a person's, and not ours to change"))
        .hint("choose another id")
        .into())
}

/// What is taken for granted unless a step says no.
pub(super) fn yes() -> bool {
    true
}

fn database(machine: &dyn Probe, path: &'static str) -> Result<String, Error> {
    let bytes = machine.read(&AbsPath::known(path))?.unwrap_or_default();
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn fields<'a>(text: &'a str, name: &str) -> Option<Vec<&'a str>> {
    text.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|fields| fields[0] == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_could_be_an_option_or_a_path_is_refused() {
        for name in ["", "-x", "a b", "a:b", "Wiki", "a/b", "1a", "é"] {
            assert!(valid_name("name", name).is_err(), "{name:?}");
        }
        for name in ["wiki", "www-data", "_apt", "nc_amap2"] {
            assert!(valid_name("name", name).is_ok(), "{name:?}");
        }
    }
}
