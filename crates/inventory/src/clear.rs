//! Values that look like secrets by their names, and stand in files that everybody can read.
//!
//! No value is ever in what is said of one.

use std::path::Path;

use pq_stream::Diagnostic;
use pq_template::Templates;

use crate::groups::Variable;
use crate::hosts;
use crate::node::{Data, Mark, Node};

/// Whether a path below the inventory directory is that of a hosts file.
pub fn is_hosts_file(below: &Path) -> bool {
    hosts::NAMES.iter().any(|name| below == Path::new(name))
}

/// What is said of each such value.
pub fn of(variable: &Variable) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    if !variable.file.is_secret() {
        look(&variable.name, &variable.name, variable.mark, &variable.node, &mut found);
    }
    let said = |(path, mark): (String, Mark)| {
        let mut place = variable.file.place(mark);
        place.text = String::new();
        // A hosts file is no file of variables: it cannot be sealed.
        let how = match is_hosts_file(Path::new(&variable.file.name)) {
            true => format!(
                "set it in an age file, as with `pq-secret set host_vars/HOST.yml.age {}`, and remove it here",
                variable.name
            ),
            false => "put it into an age file: `pq-secret seal`".to_owned(),
        };
        Diagnostic::new(format!("`{path}` looks like a secret, and stands in clear"))
            .at(place)
            .hint(format!("{how}; and change it, since whoever had the file knows it"))
    };
    found.into_iter().map(said).collect()
}

fn look(path: &str, name: &str, mark: Mark, node: &Node, found: &mut Vec<(String, Mark)>) {
    match &node.data {
        Data::Map(entries) => {
            for (key, node) in entries {
                let name = key.text();
                look(&format!("{path}.{name}"), &name, key.mark, node, found);
            }
        }
        Data::List(items) => {
            for (at, item) in items.iter().enumerate() {
                look(&format!("{path}[{at}]"), name, item.start, item, found);
            }
        }
        Data::Text(text) if has_private_key(text) => found.push((path.to_owned(), mark)),
        data if is_secret(name) && is_value(data) => found.push((path.to_owned(), mark)),
        _ => {}
    }
}

/// Whether a name promises a secret.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let (before, last) = name.rsplit_once(['_', '-']).unwrap_or(("", &name));
    match last {
        "password" | "passwords" | "passwd" | "passphrase" | "pass" | "pwd" => true,
        "secret" | "secrets" | "token" | "tokens" | "pin" => true,
        "key" => !before.is_empty() && !before.contains("pub"),
        _ => false,
    }
}

/// Whether a private key stands in a text: one that is so whatever its name says.
fn has_private_key(text: &str) -> bool {
    text.contains("AGE-SECRET-KEY-1") || text.contains("-----BEGIN") && text.contains("PRIVATE KEY-----")
}

/// Whether a value may be a secret itself: no template, and no path of a file that holds one.
fn is_value(data: &Data) -> bool {
    match data {
        Data::Text(text) => {
            !text.is_empty() && !text.starts_with(['/', '~']) && !Templates::is_template(text)
        }
        Data::Raw(_) | Data::Int(_) | Data::Large(_) | Data::Float(_) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_promise_a_secret_are_told_from_those_that_speak_of_one() {
        for name in ["db_password", "PASSWORD", "smtp-token", "api_key", "des_key", "client_secret"] {
            assert!(is_secret(name), "{name}");
        }
        for name in ["password_length", "secret_scope", "key", "ssh_public_key", "token_lifetime", "bypass"] {
            assert!(!is_secret(name), "{name}");
        }
        assert!(has_private_key("-----BEGIN RSA PRIVATE KEY-----\nx") && !has_private_key("age1x"));
        assert!(!has_private_key("-----BEGIN CERTIFICATE-----\nx"));
        assert!(is_value(&Data::Text("hunter22".into())) && is_value(&Data::Int(1234)));
        for text in ["", "{{ from_elsewhere }}", "/etc/ssl/private/site.pem", "~/.ssh/id_ed25519"] {
            assert!(!is_value(&Data::Text(text.into())), "{text}");
        }
    }
}
