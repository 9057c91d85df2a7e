//! Names and numbers of the machine's users and groups, from `/etc/passwd` and `/etc/group`.
//!
//! Directories elsewhere (LDAP, SSSD) are not asked: what they know shows as a number.

use std::collections::HashMap;
use std::io;

use pq_steps::{Error, Meta};

use crate::cause::failed;
use crate::fresh::Numbers;

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its number.
    pub id: u32,
    /// The number of its group.
    pub group: u32,
    /// Its home.
    pub home: String,
}

/// All users and groups.
#[derive(Debug, Default)]
pub struct Users {
    users: HashMap<String, User>,
    groups: HashMap<String, u32>,
    user_names: HashMap<u32, String>,
    group_names: HashMap<u32, String>,
}

impl Users {
    /// Reads them from the machine.
    pub fn read() -> Result<Self, Error> {
        let text = |path: &str| match std::fs::read(path) {
            Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
            Err(error) => Err(failed(format!("cannot read `{path}`"), error)),
        };
        Ok(Self::parse(&text("/etc/passwd")?, &text("/etc/group")?))
    }

    /// Reads them from the two files' text; the first line of a name or number counts.
    pub(crate) fn parse(passwd: &str, group: &str) -> Self {
        let mut all = Users::default();
        for line in passwd.lines() {
            let fields: Vec<&str> = line.split(':').collect();
            if let [name, _, id, group, _, home, _] = fields[..]
                && let (Ok(id), Ok(group)) = (id.parse(), group.parse())
            {
                all.user_names.entry(id).or_insert_with(|| name.to_owned());
                all.users.entry(name.to_owned()).or_insert_with(|| User { id, group, home: home.to_owned() });
            }
        }
        for line in group.lines() {
            let fields: Vec<&str> = line.split(':').collect();
            if let [name, _, id, ..] = fields[..]
                && let Ok(id) = id.parse()
            {
                all.group_names.entry(id).or_insert_with(|| name.to_owned());
                all.groups.entry(name.to_owned()).or_insert(id);
            }
        }
        all
    }

    /// The user of that name.
    pub fn user(&self, name: &str) -> Option<&User> {
        self.users.get(name)
    }

    /// The name of a user's number, or the number.
    pub fn user_name(&self, id: u32) -> String {
        self.user_names.get(&id).cloned().unwrap_or_else(|| id.to_string())
    }

    /// The name of a group's number, or the number.
    pub fn group_name(&self, id: u32) -> String {
        self.group_names.get(&id).cloned().unwrap_or_else(|| id.to_string())
    }

    /// Owner and mode by number; a number without a name stands for itself.
    pub fn numbers(&self, meta: &Meta) -> Result<Numbers, Error> {
        let owner = match &meta.ownership {
            None => None,
            Some(wanted) => {
                let user = self.user(&wanted.owner).map(|user| user.id).or_else(|| wanted.owner.parse().ok());
                let group = self.groups.get(&wanted.group).copied().or_else(|| wanted.group.parse().ok());
                Some((
                    user.ok_or_else(|| Error::absent("user", wanted.owner.clone()))?,
                    group.ok_or_else(|| Error::absent("group", wanted.group.clone()))?,
                ))
            }
        };
        Ok(Numbers { mode: meta.mode.map(|mode| mode.bits()), owner })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pq_steps::Mode;

    #[test]
    fn a_name_becomes_its_number_and_one_that_does_not_exist_is_absent() {
        let users = Users::parse(
            "root:x:0:0:root:/root:/bin/sh\nwiki:x:998:997::/nonexistent:/usr/sbin/nologin\nbroken\n",
            "root:x:0:\nwiki:x:997:\nadm:x:4:wiki\n",
        );
        let numbers = users.numbers(&Meta::new(Mode::from_bits(0o640), "wiki", "adm")).unwrap();
        assert_eq!(numbers, Numbers { mode: Some(0o640), owner: Some((998, 4)) });
        assert_eq!((users.user_name(998), users.group_name(33)), ("wiki".to_owned(), "33".to_owned()));
        let missing = users.numbers(&Meta::new(Mode::from_bits(0o640), "nobody2", "adm"));
        assert_eq!(missing, Err(Error::absent("user", "nobody2")));
    }
}
