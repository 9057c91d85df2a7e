//! Who can open an age file, as far as its header tells.
//!
//! A stanza to an `age1…` key is anonymous: it says that there is one, not whose it is. One to an ssh key begins with
//! four bytes of the key's SHA-256 (age's `age-encryption.org/v1`), so these are told apart.

use std::collections::BTreeSet;
use std::path::Path;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};
use sha2::{Digest, Sha256};

use crate::seal::{dearmored, is_age};
use crate::{Recipients, SecretError};

/// A recipient as a line of `.age-recipients` has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The public key.
    pub key: String,
    /// What the lines above it, or the end of an ssh key, say of it.
    pub comment: String,
}

impl Listed {
    /// The recipients of a file, in its order; none where there is no file.
    ///
    /// # Errors
    /// Where it cannot be read, or a line is no recipient.
    pub fn load(file: &Path) -> Result<Vec<Self>, SecretError> {
        match Recipients::text(file)? {
            Some(text) => Recipients::parse(&text, file).map(|_| Listed::of(&text)),
            None => Ok(Vec::new()),
        }
    }

    fn of(text: &str) -> Vec<Self> {
        let (mut found, mut above) = (Vec::new(), Vec::new());
        for line in text.lines().map(str::trim) {
            if let Some(comment) = line.strip_prefix('#') {
                above.push(comment.trim().to_owned());
            } else if line.is_empty() {
                above.clear();
            } else {
                let words: Vec<&str> = line.split_whitespace().collect();
                let named = if line.starts_with("ssh-") {
                    words.get(2..).unwrap_or(&[]).join(" ")
                } else {
                    String::new()
                };
                let key = words[..words.len().min(2)].join(" ");
                let said = std::mem::take(&mut above).join(" ");
                found.push(Listed { key, comment: [said, named].join(" ").trim().to_owned() });
            }
        }
        found
    }

    /// How a stanza for an ssh key begins; nothing for other keys.
    fn tag(&self) -> Option<String> {
        let blob = BASE64_STANDARD.decode(self.key.strip_prefix("ssh-ed25519 ")?).ok()?;
        Some(BASE64_STANDARD_NO_PAD.encode(&Sha256::digest(&blob)[..4]))
    }
}

/// The stanzas of an age file's header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The type of each, and for an ssh key its tag.
    stanzas: Vec<(String, Option<String>)>,
}

impl Header {
    /// Reads the header of an age file, armored or not; nothing where it is none.
    pub fn read(encrypted: &[u8]) -> Option<Self> {
        if !is_age(encrypted) {
            return None;
        }
        let binary = dearmored(encrypted).ok()?;
        let lines = binary.split(|byte| *byte == b'\n').take_while(|line| !line.starts_with(b"---"));
        let stanzas = lines
            .filter_map(|line| std::str::from_utf8(line.strip_prefix(b"-> ")?).ok())
            .filter_map(|line| {
                let mut words = line.split(' ').map(|word| word.escape_debug().to_string());
                let kind = words.next()?;
                // A type that ends in `-grease` says nothing: clients add it so that readers skip the unknown.
                let tag = words.next().filter(|_| kind.starts_with("ssh-"));
                (!kind.ends_with("-grease")).then_some((kind, tag))
            })
            .collect();
        Some(Header { stanzas })
    }

    /// How many can open the file.
    pub fn count(&self) -> usize {
        self.stanzas.len()
    }

    /// Whether it does not tell whose keys there are besides the one that opened it.
    pub fn is_anonymous(&self) -> bool {
        self.count() > 1 && self.stanzas.iter().any(|(kind, _)| kind == "X25519")
    }

    /// How many of each type, as in "2 X25519, 1 ssh-ed25519".
    pub fn kinds(&self) -> String {
        let kinds: BTreeSet<&str> = self.stanzas.iter().map(|(kind, _)| kind.as_str()).collect();
        let count = |kind: &str| self.stanzas.iter().filter(|(other, _)| other == kind).count();
        kinds.iter().map(|kind| format!("{} {kind}", count(kind))).collect::<Vec<_>>().join(", ")
    }

    /// How the file differs from one that is encrypted to these; empty where nothing can be told against it.
    pub fn differs(&self, listed: &[Listed]) -> Vec<String> {
        let mut said = Vec::new();
        let anonymous = self.stanzas.iter().filter(|(kind, _)| kind == "X25519").count();
        let wanted = listed.iter().filter(|key| key.tag().is_none()).count();
        if anonymous != wanted {
            said.push(format!("it is encrypted to {anonymous} `age1…` keys, and {wanted} are listed"));
        }
        let tags: BTreeSet<&String> = self.stanzas.iter().filter_map(|(_, tag)| tag.as_ref()).collect();
        for key in listed.iter().filter(|key| key.tag().is_some_and(|tag| !tags.contains(&tag))) {
            said.push(format!("it is not encrypted to `{}`", key.shown()));
        }
        let known: BTreeSet<String> = listed.iter().filter_map(Listed::tag).collect();
        let strangers = tags.iter().filter(|tag| !known.contains(**tag)).count();
        if strangers > 0 {
            said.push(format!("{strangers} ssh key(s) that are not listed open it"));
        }
        let others = self.stanzas.iter().filter(|(kind, _)| kind != "X25519" && kind != "ssh-ed25519");
        for (kind, _) in others {
            said.push(format!("it is encrypted to a recipient of type {kind}"));
        }
        said
    }
}

impl Listed {
    /// The key, shortened, and what is said of it.
    pub fn shown(&self) -> String {
        let key: String = match self.key.char_indices().nth(24) {
            Some((at, _)) => format!("{}…", &self.key[..at]),
            None => self.key.clone(),
        };
        if self.comment.is_empty() { key } else { format!("{key} ({})", self.comment) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGE: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";
    const SSH: &str = include_str!("../tests/ed25519.pub");

    fn listed(text: &str) -> Vec<Listed> {
        Recipients::parse(text, Path::new("r")).unwrap();
        Listed::of(text)
    }

    #[test]
    fn a_recipient_is_told_with_what_stands_above_it() {
        let found = listed(&format!("# who may read\n\n# Ada\n# laptop\n{AGE}\n{SSH}"));
        assert_eq!((found[0].key.as_str(), found[0].comment.as_str()), (AGE, "Ada laptop"));
        assert!(found[1].key.starts_with("ssh-ed25519 AAAA") && found[1].tag().is_some());
        assert_eq!(found[0].shown(), "age1t7rxyev2z3rw82stdlrr… (Ada laptop)");
    }

    #[test]
    fn a_header_says_how_many_of_which_kind_and_what_does_not_fit() {
        let text = format!("{AGE}\n{SSH}");
        let sealed = Recipients::parse(&text, Path::new("r")).unwrap().encrypt(b"a: 1\n", true).unwrap();
        let header = Header::read(&sealed).unwrap();
        assert_eq!((header.count(), header.kinds().as_str()), (2, "1 X25519, 1 ssh-ed25519"));
        assert!(header.differs(&listed(&text)).is_empty(), "{:?}", header.differs(&listed(&text)));
        assert_eq!(header.differs(&listed(AGE)), ["1 ssh key(s) that are not listed open it"]);
        let said = header.differs(&listed(SSH));
        assert_eq!(said, ["it is encrypted to 1 `age1…` keys, and 0 are listed"]);
        assert_eq!(Header::read(b"a: 1\n"), None);
    }
}
