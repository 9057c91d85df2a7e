//! The names that files of a repository of restic have, and no others.
//!
//! Each but `config` is named after the SHA-256 of what it holds, and is never changed: so who keeps a copy can tell what is of the
//! repository without its password. Locks are of those who are at work there, and not copied.

/// The files of a directory of their own, in the order in which they are listed: what comes later is there when what comes before says so.
pub const FLAT: [&str; 3] = ["snapshots", "index", "keys"];

/// What the repository is: the one file that has no digest for a name.
pub const CONFIG: &str = "config";

/// A file of a repository.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name(String);

impl Name {
    /// Reads a path within a repository; nothing where no file of one has it.
    pub fn read(path: &str) -> Option<Self> {
        let good = match path.split_once('/') {
            None => path == CONFIG,
            Some(("data", rest)) => {
                rest.split_once('/').is_some_and(|(head, id)| is_id(id) && head == &id[..2])
            }
            Some((kind, id)) => FLAT.contains(&kind) && is_id(id),
        };
        good.then(|| Name(path.to_owned()))
    }

    /// The path within the repository.
    pub fn path(&self) -> &str {
        &self.0
    }

    /// What kind of file it is: `config`, `keys`, `snapshots`, `index` or `data`.
    pub fn kind(&self) -> &str {
        self.0.split('/').next().unwrap_or_default()
    }

    /// The digest of its content; nothing for `config`.
    pub fn digest(&self) -> Option<&str> {
        self.0.rsplit_once('/').map(|(_, id)| id)
    }

    /// When it is fetched: what others stand on first, so that who is killed in between leaves no snapshot that lacks something.
    pub fn turn(&self) -> u8 {
        match self.kind() {
            CONFIG | "keys" => 0,
            "data" => 1,
            "index" => 2,
            _ => 3,
        }
    }
}

fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|it| it.is_ascii_digit() || (b'a'..=b'f').contains(&it))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_a_repository_is_known_by_its_name_and_nothing_else_is_one() {
        let id = "0123456789abcdef".repeat(4);
        for good in
            ["config".to_owned(), format!("keys/{id}"), format!("snapshots/{id}"), format!("data/01/{id}")]
        {
            assert!(Name::read(&good).is_some(), "{good}");
        }
        for bad in [
            "".to_owned(),
            "config/x".to_owned(),
            format!("locks/{id}"),
            format!("data/{id}"),
            format!("data/02/{id}"),
            format!("index/../{id}"),
            format!("/keys/{id}"),
            format!("keys/{}", id.to_uppercase()),
            format!("keys/{id}0"),
            "data/01/evil".to_owned(),
        ] {
            assert_eq!(Name::read(&bad), None, "{bad}");
        }
        let turn = |path: &str| Name::read(path).unwrap().turn();
        assert!(turn("config") < turn(&format!("data/01/{id}")));
        assert!(turn(&format!("data/01/{id}")) < turn(&format!("snapshots/{id}")));
    }
}
