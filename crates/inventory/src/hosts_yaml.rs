//! The `hosts` file in YAML form: groups as maps with `hosts`, `children` and `vars`, one below the other.
//!
//! Stricter than Ansible in one thing: a key that is none of the three is an error, not a warning.

use std::sync::Arc;

use pq_stream::{Diagnostic, nearest};

use crate::file::{SourceFile, short};
use crate::groups::Groups;
use crate::hosts::{Reader, is_group_name, no_group_name};
use crate::node::{Data, Key, Mark, Node};
use crate::{range, yaml};

type Result<T> = std::result::Result<T, Box<Diagnostic>>;

const KEYS: [&str; 3] = ["children", "hosts", "vars"];

/// Whether a text is meant as YAML: an INI file begins with a heading or a host, this one with a key.
///
/// No host of an INI file ends in a colon, so that a first word that does is a key, whatever stands behind it; but for
/// `web[1:`, which is a range without its end.
pub fn is_meant(text: &str) -> bool {
    let meaningful = |line: &&str| !line.is_empty() && !line.starts_with('#');
    let text = text.trim_start_matches('\u{feff}');
    let first = text.lines().map(str::trim).find(meaningful).unwrap_or("");
    let bare = first.split(" #").next().unwrap_or("").trim_end();
    let word = first.split_whitespace().next().unwrap_or("");
    first.starts_with("---")
        || first.starts_with(['{', '%'])
        || (bare.ends_with(':') && !bare.contains(['=', '[']))
        || (word.ends_with(':') && !word.contains('['))
}

/// Reads a hosts file.
///
/// # Errors
/// What is wrong, and where.
pub fn read(file: &Arc<SourceFile>) -> Result<Groups> {
    let mut reader = Reader::new(file);
    let Some(root) = yaml::load(file)? else {
        let error = file.error(Mark::START, "the file names no group");
        return Err(Box::new(error.hint("write `all:`, below it `hosts:`, and below that your machines")));
    };
    for (key, node) in map(file, &root, "the file")? {
        group(&mut reader, key, node)?;
    }
    reader.finish()
}

/// Reads a group and those below it; its number.
fn group(reader: &mut Reader<'_>, key: &Key, node: &Node) -> Result<usize> {
    let name = key.text();
    if !is_group_name(&name) {
        return Err(no_group_name(reader.file, key.mark, &name));
    }
    let group = reader.declare(&name, key.mark)?;
    for (key, below) in map(reader.file, node, "a group")? {
        match key.text().as_str() {
            "vars" => {
                for (key, value) in map(reader.file, below, "`vars`")? {
                    reader.group_variable(group, &key.text(), Node::clone(value), key.mark)?;
                }
            }
            "children" => {
                for (key, node) in section(reader.file, below, "`children`")? {
                    let child = self::group(reader, &key, &node)?;
                    reader.groups.adopt(group, child);
                }
            }
            "hosts" => {
                for (key, node) in section(reader.file, below, "`hosts`")? {
                    hosts(reader, group, &key, &node)?;
                }
            }
            other => {
                let error = reader.file.error(key.mark, format!("a group has no key `{}`", short(other)));
                let found = nearest(other, KEYS);
                return Err(Box::new(match found {
                    Some(found) => error.hint(format!("did you mean `{found}`?")),
                    None => error.hint("a group has `hosts`, `children` and `vars`"),
                }));
            }
        }
    }
    Ok(group)
}

/// The hosts of one pattern, with the variables beside them.
fn hosts(reader: &mut Reader<'_>, group: usize, key: &Key, node: &Node) -> Result<()> {
    let Data::Text(pattern) = &key.data else {
        let error = reader.file.error(key.mark, "the name of a host is a text");
        return Err(Box::new(error.hint("put it in quotes")));
    };
    let (names, port) = range::expand(pattern).map_err(|cause| {
        let error = reader.file.error(key.mark, cause);
        Box::new(error.hint("a key below `hosts` is a host, or a pattern such as `web[01:10]`"))
    })?;
    let mut variables = Vec::new();
    if let Some(port) = port {
        let node = Node { data: Data::Int(port.into()), start: key.mark, end: key.mark };
        variables.push(reader.make("ansible_port", node, key.mark)?);
    }
    if !node.data.is_nothing() {
        for (key, value) in map(reader.file, node, "the value of a host")? {
            variables.push(reader.make(&key.text(), Node::clone(value), key.mark)?);
        }
    }
    reader.add(&names, group, &variables, key.mark)
}

/// The entries of a map; none where nothing stands.
fn map<'n>(file: &SourceFile, node: &'n Node, what: &str) -> Result<&'n [(Key, Arc<Node>)]> {
    match &node.data {
        Data::Null => Ok(&[]),
        Data::Map(entries) => Ok(entries),
        other => {
            let error = file.error(node.start, format!("{what} is {}, not a map", other.kind()));
            Err(Box::new(error.hint("write `name:` a line, also where nothing follows")))
        }
    }
}

/// As [`map`]; a single name may stand alone.
fn section(file: &SourceFile, node: &Arc<Node>, what: &str) -> Result<Vec<(Key, Arc<Node>)>> {
    if let Data::Text(_) = &node.data {
        let key = Key { data: node.data.clone(), mark: node.start };
        let nothing = Node { data: Data::Null, start: node.start, end: node.end };
        return Ok(vec![(key, Arc::new(nothing))]);
    }
    map(file, node, what).map(<[_]>::to_vec)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        let file = SourceFile::new("hosts".into(), "i/hosts".into(), text.into(), false);
        let error = crate::hosts::read(&Arc::new(file)).err().unwrap();
        let place = error.place.clone().unwrap();
        format!("{}:{}: {}", place.line, place.column, error.message)
    }

    #[test]
    fn yaml_is_told_from_ini_by_its_first_line() {
        for yaml in [
            "---\n",
            "# x\nall:\n",
            "{\"all\": {}}",
            "web: # x\n",
            "web: {hosts: h}",
            "'a': &x {b: 1}",
            "all: null\n",
        ] {
            assert!(is_meant(yaml), "{yaml}");
        }
        for ini in ["", "[web]\n", "host\n", "h:22\n", "2001:db8::1\n", "h a=b:\n"] {
            assert!(!is_meant(ini), "{ini}");
        }
    }

    #[test]
    fn mistakes_are_shown_in_their_line() {
        assert_eq!(refused("all:\n  host:\n    a:\n"), "2:3: a group has no key `host`");
        assert_eq!(refused("all:\n  hosts: [a]\n"), "2:10: `hosts` is a list, not a map");
        assert_eq!(refused("all:\n  hosts:\n    1:\n"), "3:5: the name of a host is a text");
        assert_eq!(
            refused("a:\n  children:\n    b:\n      children:\n        a:\n"),
            "3:5: group `b` is its own ancestor"
        );
    }
}
