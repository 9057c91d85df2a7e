//! The values of an age file: each scalar becomes a secret named by its path, and its text is kept apart.

use std::collections::HashSet;
use std::sync::Arc;

use pq_secrets::{SecretString, Values};
use pq_stream::{Diagnostic, MASTER_KEY, MASTER_KEY_PREVIOUS, Place};

use crate::file::SourceFile;
use crate::node::{Ciphertext, Data, Key, Mark, Node};

/// Shorter texts stand in messages by chance, and so cannot be kept out of them.
const MIN_LENGTH: usize = 6;

/// The variables from which everything is derived: they stand in encrypted files alone.
pub const KEYS: [&str; 2] = [MASTER_KEY, MASTER_KEY_PREVIOUS];

/// A shorter key, from which everything is derived, could be tried out.
const MIN_MASTER_KEY: usize = 16;

/// What a file was encrypted with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encrypted {
    /// age: its files are written for these tools, so what makes a bad secret is refused.
    Age,
    /// ansible-vault: its files are there already, with whatever is in them; short values are taken as they are.
    Vault,
}

/// Whether something inside a value is encrypted with ansible-vault.
pub fn has_vaulted(node: &Node) -> bool {
    match &node.data {
        Data::Vaulted(_) => true,
        Data::List(items) => items.iter().any(|item| has_vaulted(item)),
        Data::Map(entries) => entries.iter().any(|(_, item)| has_vaulted(item)),
        _ => false,
    }
}

/// Name, ciphertext and place of a vaulted part of a value.
pub type Found = (String, String, Mark);

/// A value whose vaulted parts have names, by their paths; and what was found.
///
/// # Errors
/// Where two of them would have one name.
pub fn name_vaulted(
    node: &Arc<Node>,
    path: &str,
    file: &SourceFile,
) -> Result<(Arc<Node>, Vec<Found>), Box<Diagnostic>> {
    let mut found = Vec::new();
    let named = named(node, path, file, &mut found)?;
    let mut names = HashSet::new();
    match found.iter().find(|(name, ..)| !names.insert(name.as_str())) {
        Some((_, _, mark)) => Err(one_name(file, *mark)),
        None => Ok((named, found)),
    }
}

fn named(
    node: &Arc<Node>,
    path: &str,
    file: &SourceFile,
    found: &mut Vec<Found>,
) -> Result<Arc<Node>, Box<Diagnostic>> {
    let data = match &node.data {
        Data::Vaulted(it) => {
            found.push((path.to_owned(), it.text.clone(), node.start));
            Data::Vaulted(Box::new(Ciphertext { name: path.to_owned(), text: it.text.clone() }))
        }
        Data::List(items) => {
            let items = items.iter().enumerate();
            let items = items.map(|(at, item)| named(item, &format!("{path}.{at}"), file, found));
            Data::List(items.collect::<Result<_, _>>()?)
        }
        Data::Map(entries) => {
            let mut with_names = Vec::new();
            for (key, item) in entries {
                let below = below(path, key, file, Encrypted::Vault)?;
                with_names.push((key.clone(), named(item, &below, file, found)?));
            }
            Data::Map(with_names)
        }
        _ => return Ok(node.clone()),
    };
    Ok(Arc::new(Node { data, start: node.start, end: node.end }))
}

/// The path of what a map holds under a key. What vault encrypted has the names it has: other characters become `_`.
fn below(path: &str, key: &Key, file: &SourceFile, kind: Encrypted) -> Result<String, Box<Diagnostic>> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let name = key.text();
    match kind {
        _ if !name.is_empty() && name.chars().all(fits) => Ok(format!("{path}.{name}")),
        Encrypted::Age => Err(unfit(file, key)),
        Encrypted::Vault => {
            let name: String = name.chars().map(|c| if fits(c) { c } else { '_' }).collect();
            Ok(format!("{path}.{}", if name.is_empty() { "_" } else { &name }))
        }
    }
}

/// A variable's value with secrets in the places of its scalars; their texts go into `values`.
///
/// `smtp: {password: x}` is the secret `smtp.password`, the first item of `users` is `users.0`. What is empty
/// stays so.
///
/// # Errors
/// A name that cannot stand in a token, or a value that is too short for a secret.
pub fn conceal(
    node: &Arc<Node>,
    path: &str,
    file: &SourceFile,
    kind: Encrypted,
    values: &mut Values,
) -> Result<Arc<Node>, Box<Diagnostic>> {
    let data = match &node.data {
        Data::Null if path == MASTER_KEY => return Err(short_key(file, node.start)),
        Data::Vaulted(_) => {
            let error = file.error(node.start, "a value is encrypted twice");
            return Err(Box::new(
                error.hint("decrypt it with `ansible-vault`, the file is encrypted as it is"),
            ));
        }
        Data::Null => Data::Null,
        Data::List(items) => {
            let concealed = items
                .iter()
                .enumerate()
                .map(|(at, item)| conceal(item, &format!("{path}.{at}"), file, kind, values));
            Data::List(concealed.collect::<Result<_, _>>()?)
        }
        Data::Map(entries) => {
            let mut concealed: Vec<(Key, Arc<Node>)> = Vec::new();
            for (key, item) in entries {
                let path = below(path, key, file, kind)?;
                concealed.push((key.clone(), conceal(item, &path, file, kind, values)?));
            }
            Data::Map(concealed)
        }
        scalar => {
            let text = text_of(scalar);
            match text.chars().count() {
                length if path == MASTER_KEY && length < MIN_MASTER_KEY => {
                    return Err(short_key(file, node.start));
                }
                length if kind == Encrypted::Age && length < MIN_LENGTH => {
                    return Err(short(file, node, length));
                }
                _ => {}
            }
            if values.contains_key(path) {
                return Err(one_name(file, node.start));
            }
            values.insert(path.to_owned(), SecretString::from(text));
            Data::Secret(path.to_owned())
        }
    };
    Ok(Arc::new(Node { data, start: node.start, end: node.end }))
}

/// The error of two secrets that would have one name.
fn one_name(file: &SourceFile, mark: Mark) -> Box<Diagnostic> {
    let error = file.error(mark, "two secrets would have one name");
    Box::new(error.hint("their names differ in punctuation only: rename one of them"))
}

/// The error of a name that cannot stand in a token.
pub fn unfit(file: &SourceFile, key: &Key) -> Box<Diagnostic> {
    Box::new(
        file.error(key.mark, "a secret cannot have this name")
            .cause("names of secrets, and of what is inside them, are made of letters, digits and `_`")
            .hint("rename it, as in `smtp_password`"),
    )
}

/// The error of a key that is too short; neither it nor its length is shown.
pub fn short_key(file: &SourceFile, start: Mark) -> Box<Diagnostic> {
    Box::new(
        file.error(start, format!("`{MASTER_KEY}` is shorter than {MIN_MASTER_KEY} characters"))
            .cause("passwords and the salts of hashes are derived from it")
            .hint("make one with `openssl rand -base64 32`"),
    )
}

/// The error of a secret that is empty or too short; its name is from the file, and not shown.
fn short(file: &SourceFile, node: &Node, length: usize) -> Box<Diagnostic> {
    let error = match length {
        0 => file.error(node.start, "a secret is empty"),
        _ => Box::new(
            file.error(node.start, format!("a secret is shorter than {MIN_LENGTH} characters"))
                .cause("so short a text cannot be kept out of messages"),
        ),
    };
    Box::new(error.hint(
        "make one with `openssl rand -base64 32`; what is no secret belongs in a file that is not encrypted",
    ))
}

/// The error of a key that everybody who has the inventory can read.
pub fn clear_key(file: &SourceFile, name: &str, mark: Mark) -> Box<Diagnostic> {
    // The line is not shown: the key stands in it.
    let place = Place { text: String::new(), ..file.place(mark) };
    Box::new(
        Diagnostic::new(format!("`{name}` stands in a file that is not encrypted"))
            .at(place)
            .cause("who reads it can derive every password")
            .hint("make a new one with `openssl rand -base64 32`, and set it in an age file, such as `group_vars/all/secrets.yml.age`"),
    )
}

/// The text of a scalar; of an encrypted file every one is read as the text that it is.
fn text_of(data: &Data) -> String {
    match data {
        Data::Text(text) | Data::Raw(text) => text.clone(),
        other => other.scalar().map(|value| value.to_string()).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;

    /// Place and message of the refusal.
    fn refused(text: &str) -> Option<String> {
        let file = SourceFile::new("s.yml.age".into(), "i/s.yml.age".into(), text.into(), true);
        let root = yaml::load(&file).unwrap().unwrap();
        let Data::Map(entries) = &root.data else { panic!("{text}") };
        let (key, node) = &entries[0];
        let error = conceal(node, &key.text(), &file, Encrypted::Age, &mut Values::new()).err()?;
        let place = error.place.clone().unwrap();
        assert!(place.text.is_empty() && error.hints[0].contains("openssl rand -base64 32"), "{error:?}");
        assert!(!format!("{error:?}").contains("CAN"), "{error:?}");
        Some(format!("{}:{} {}", place.line, place.column, error.message))
    }

    #[test]
    fn a_secret_that_is_too_short_is_refused_and_not_shown() {
        let short = |place: &str| Some(format!("{place} a secret is shorter than 6 characters"));
        let key = |place: &str| Some(format!("{place} `master_key` is shorter than 16 characters"));
        assert_eq!(refused("pw: ''"), Some("1:1 a secret is empty".to_owned()));
        assert_eq!(refused("pw: CANAR"), short("1:1"));
        assert_eq!(refused("smtp: {port: 587}"), short("1:1"));
        assert_eq!(refused("a:\n- CANARY\n- yes"), short("3:1"));
        assert_eq!(refused("master_key: CANARY-of-15-ch"), key("1:1"));
        assert_eq!(refused("master_key:"), key("1:1"));
        assert_eq!(refused("master_key: ''"), key("1:1"));
        for good in ["pw: CANARY", "pw: é12345", "pw:", "master_key: CANARY-of-16-chr"] {
            assert_eq!(refused(good), None, "{good}");
        }
    }
}
