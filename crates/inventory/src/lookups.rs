//! What the lookups of inventory values read: the environment, and files inside the inventory directory.
//!
//! Always true here: no link leads out of the directory, and no encrypted file, no identity and no password of
//! ansible-vault is read.

use std::path::{Path, PathBuf};

use pq_stream::system_cause;
use pq_template::{Error, ErrorKind, Lookups};

use crate::file;

/// Lookups for the values of one inventory directory.
#[derive(Debug)]
pub struct Inside {
    /// The directory.
    pub directory: PathBuf,
    /// Files with identities and passwords, which may lie in it, too.
    pub keys: Vec<PathBuf>,
}

/// How files begin that are never put into a value.
const SECRET: [&str; 3] = ["age-encryption.org/", "-----BEGIN AGE ENCRYPTED FILE", "$ANSIBLE_VAULT;"];

/// What stands in an identity.
const IDENTITY: &str = "AGE-SECRET-KEY-";

impl Lookups for Inside {
    fn env(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn file(&self, path: &str) -> Result<String, Error> {
        self.read(path)
    }
}

impl Inside {
    /// Whether a name is one of a file or directory that is not looked into: `.git`, what editors leave.
    pub fn is_hidden(path: &Path) -> bool {
        path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
    }

    /// A file's text, where it may be read.
    ///
    /// # Errors
    /// Why not.
    pub fn read(&self, path: &str) -> Result<String, Error> {
        let refused = |cause: &str| {
            Error::new(ErrorKind::InvalidOperation, format!("lookup `file` cannot read `{path}`: {cause}"))
        };
        let of_file = |diagnostic: Box<pq_stream::Diagnostic>| {
            refused(diagnostic.causes.first().unwrap_or(&diagnostic.message))
        };
        let root = self.directory.canonicalize().map_err(|error| refused(&system_cause(&error)))?;
        let (plain, beside) = (root.join(path), root.join("files").join(path));
        let found = if !Path::new(path).is_absolute() && beside.exists() { beside } else { plain };
        let found = found.canonicalize().map_err(|error| refused(&system_cause(&error)))?;
        if !found.starts_with(&root) {
            return Err(refused("it is outside the inventory directory"));
        }
        if found.strip_prefix(&root).is_ok_and(|below| below.ancestors().any(Self::is_hidden)) {
            return Err(refused("it is hidden, or in a hidden directory"));
        }
        if found.extension().is_some_and(|extension| extension == "age") {
            return Err(refused("it is encrypted; a secret is read by its name, as a variable"));
        }
        if self.keys.iter().any(|key| key.canonicalize().is_ok_and(|key| key == found)) {
            return Err(refused("it opens secrets; what it holds is in no value"));
        }
        let text = file::text(file::bytes(&found).map_err(of_file)?, path).map_err(of_file)?;
        if SECRET.iter().any(|begin| text.starts_with(begin)) || text.contains(IDENTITY) {
            return Err(refused(
                "it is encrypted, or an identity; a secret is read by its name, as a variable",
            ));
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn only_plain_files_inside_the_inventory_are_read() {
        let place = std::env::temp_dir().join(format!("pq-lookups-{}", std::process::id()));
        let inventory = place.join("inventory");
        fs::create_dir_all(inventory.join("files")).unwrap();
        fs::write(place.join("outside"), "out").unwrap();
        fs::write(inventory.join("files/motd"), "hello\n").unwrap();
        fs::write(inventory.join("vault"), "$ANSIBLE_VAULT;1.1;AES256\n").unwrap();
        fs::write(inventory.join("key"), "x\nAGE-SECRET-KEY-1QQ\n").unwrap();
        fs::write(inventory.join("a.age"), "x").unwrap();
        std::os::unix::fs::symlink(place.join("outside"), inventory.join("link")).unwrap();
        fs::write(inventory.join("password"), "x").unwrap();
        fs::create_dir(inventory.join(".git")).unwrap();
        fs::write(inventory.join(".git/config"), "x").unwrap();
        let keys = vec![place.join("nowhere"), inventory.join("./password")];
        let inside = Inside { directory: inventory, keys };
        let read = |path: &str| inside.file(path).map_err(|error| error.to_string());
        assert_eq!(read("motd"), Ok("hello\n".to_owned()));
        assert_eq!(read("files/motd"), Ok("hello\n".to_owned()));
        for (path, cause) in [
            ("../outside", "outside the inventory"),
            ("link", "outside the inventory"),
            ("/etc/passwd", "outside the inventory"),
            ("vault", "it is encrypted"),
            ("key", "an identity"),
            ("a.age", "it is encrypted"),
            ("password", "it opens secrets"),
            (".git/config", "it is hidden"),
            ("nope", "no such file"),
            ("files", "a directory"),
        ] {
            assert!(read(path).unwrap_err().contains(cause), "{path}");
        }
        fs::remove_dir_all(place).unwrap();
    }
}
