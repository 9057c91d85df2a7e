//! The doors for `fuzz/`, with what must hold whatever came in. Nothing else is built with `--cfg fuzzing`.

use std::sync::{Arc, LazyLock};

use pq_secrets::Values;
use pq_stream::Diagnostic;
use pq_template::to_json;
use serde_json::Value;

use crate::concealed::{Encrypted, conceal};
use crate::file::SourceFile;
use crate::groups::{ALL, Groups, Variable};
use crate::node::{Data, Mark, Node};
use crate::{hosts, instances, pattern, python, range, scalar, words, yaml};

const START: Mark = Mark::START;

/// Stands in seeds where a secret does.
const CANARY: &str = "CANARY";

fn file(name: &str, text: &str, secret: bool) -> Arc<SourceFile> {
    Arc::new(SourceFile::new(name.to_owned(), name.to_owned(), text.to_owned(), secret))
}

/// An error has a place in the file, and no more of it than a line.
fn told(error: &Diagnostic, text: &str) {
    let place = error.place.as_ref();
    // In YAML a carriage return ends a line too.
    let lines = text.matches(['\n', '\r']).count() + 2;
    assert!(
        place.is_some_and(|place| (1..=lines).contains(&place.line) && place.column > 0),
        "no place: {error:?}"
    );
    assert!(!error.message.contains('\n'), "of several lines: {error:?}");
}

/// A hosts file in INI form.
pub fn hosts_ini(text: &str) {
    read_hosts("hosts", text);
}

/// A hosts file in YAML form.
pub fn hosts_yaml(text: &str) {
    read_hosts("hosts.yml", text);
}

fn read_hosts(name: &str, text: &str) {
    // No text with a NUL comes from a file.
    if text.contains('\0') {
        return;
    }
    match hosts::read(&file(name, text, false)) {
        Ok(groups) => placed(&groups),
        Err(error) => told(&error, text),
    }
}

/// Every host is in `all`, below groups that hold it; no name leads out of a directory.
fn placed(groups: &Groups) {
    assert_eq!(groups.members(ALL).len(), groups.hosts.len(), "a host is not in `all`");
    for (index, host) in groups.hosts.iter().enumerate().take(100) {
        let above = groups.of_host(index);
        assert!(above.len() > 1 && above[0] == ALL, "{} is in no group", host.name);
    }
    let names = groups.hosts.iter().map(|it| &it.name).chain(groups.groups.iter().map(|it| &it.name));
    for name in names {
        let unsafe_name = name.contains(['/', '\n', '\0']) || name == "." || name == ".." || name.is_empty();
        assert!(!unsafe_name, "{name:?} is no name");
    }
}

/// The words of a line: quoted again, they are the same; and the hosts that each of them makes.
pub fn host_line(text: &str) {
    let line = text.lines().next().unwrap_or("");
    if let Ok(found) = words::split(line) {
        let texts: Vec<&String> = found.iter().map(|word| &word.text).collect();
        let quoted: Vec<String> =
            texts.iter().map(|text| format!("'{}'", text.replace('\'', r"'\''"))).collect();
        let again = words::split(&quoted.join(" ")).unwrap_or_default();
        assert_eq!(again.iter().map(|word| &word.text).collect::<Vec<_>>(), texts, "{quoted:?}");
    }
    for pattern in line.split_whitespace() {
        if let Ok((hosts, port)) = range::expand(pattern) {
            assert!(!hosts.is_empty() && hosts.len() <= 65_536 && port != Some(0), "{} hosts", hosts.len());
            let first = range::expand(&hosts[0]);
            let own = || first.as_ref().is_ok_and(|(names, _)| names[..] == hosts[..1]);
            assert!(hosts[0].contains(':') || own(), "{} is not its own host", hosts[0]);
        }
    }
}

/// A value: as Python's literal it is read again from how Python would show it.
pub fn literal(text: &str) {
    if let Ok((node, values)) = python::value(text, START, 1000) {
        assert!((1..=1000).contains(&values), "{values} values");
        let shown = repr(&node.data);
        let again = python::value(&shown, START, 1000).map(|(node, _)| repr(&node.data));
        assert_eq!(again.as_ref(), Ok(&shown), "{:?}", node.data);
    }
    if let Ok(Data::Int(number)) = scalar::plain(text) {
        assert_eq!(scalar::plain(&number.to_string()), Ok(Data::Int(number)));
    }
    if serde_json::from_str::<serde_json::Number>(text).is_ok() && text.trim() == text {
        let read = scalar::json(text);
        assert!(matches!(
            read,
            Ok(Data::Int(_) | Data::Large(_) | Data::Float(_)) | Err("the number is too large")
        ));
    }
}

/// A value as Python shows it.
fn repr(data: &Data) -> String {
    let all = |items: Vec<String>| items.join(", ");
    match data {
        Data::Null => "None".to_owned(),
        Data::Bool(true) => "True".to_owned(),
        Data::Bool(false) => "False".to_owned(),
        Data::Int(number) => number.to_string(),
        Data::Large(number) => number.to_string(),
        Data::Float(number) => format!("{number:?}"),
        Data::List(items) => format!("[{}]", all(items.iter().map(|item| repr(&item.data)).collect())),
        Data::Map(entries) => {
            let pair = |(key, node): &(crate::node::Key, Arc<Node>)| {
                format!("{}: {}", repr(&key.data), repr(&node.data))
            };
            format!("{{{}}}", all(entries.iter().map(pair).collect()))
        }
        Data::Text(text) | Data::Raw(text) | Data::Secret(text) => quoted(text),
        Data::Vaulted(it) => quoted(&it.text),
    }
}

/// A text as Python writes it.
fn quoted(text: &str) -> String {
    let plain = text.replace('\\', r"\\").replace('\'', r"\'").replace('\n', r"\n").replace('\r', r"\r");
    format!("'{}'", plain.replace('\t', r"\t").replace('\0', r"\x00"))
}

/// A file of variables: bounded, or an error with a place; as a secret file it shows nothing of what it holds.
pub fn yaml(text: &str) {
    match yaml::load(&file("vars.yml", text, false)) {
        Ok(Some(root)) => {
            let mut left = 100_000 + 2 * text.len() + 10;
            measure(&root, 0, &mut left);
        }
        Ok(None) => {}
        Err(error) => told(&error, text),
    }
    let secret = file("vars.yml.age", text, true);
    let hidden = |error: Box<Diagnostic>| assert!(!format!("{error:?}").contains(CANARY), "{error:?}");
    match yaml::load(&secret) {
        Err(error) => hidden(error),
        Ok(None) => {}
        Ok(Some(root)) => {
            let Data::Map(entries) = &root.data else { return };
            for (key, node) in entries {
                match conceal(node, &key.text(), &secret, Encrypted::Age, &mut Values::new()) {
                    Ok(node) => concealed(&node),
                    Err(error) => hidden(error),
                }
            }
        }
    }
}

fn measure(node: &Node, depth: usize, left: &mut usize) {
    assert!(depth <= 100, "nested too deep");
    *left = left.checked_sub(1).unwrap_or_else(|| panic!("unfolds into too many values"));
    match &node.data {
        Data::List(items) => items.iter().for_each(|item| measure(item, depth + 1, left)),
        Data::Map(entries) => entries.iter().for_each(|(_, node)| measure(node, depth + 1, left)),
        _ => {}
    }
}

fn concealed(node: &Node) {
    match &node.data {
        Data::Null | Data::Secret(_) => {}
        Data::List(items) => items.iter().for_each(|item| concealed(item)),
        Data::Map(entries) => entries.iter().for_each(|(_, node)| concealed(node)),
        other => panic!("{} stands in clear", other.kind()),
    }
}

/// A pattern: hosts that there are, each once; and less itself nothing.
pub fn pattern(text: &str) {
    static GROUPS: LazyLock<Option<Groups>> = LazyLock::new(|| {
        let text = "[web]\nweb[01:12].example.org\n[db]\ndb[a:c]\nweb01.example.org\n[prod:children]\nweb\ndb\n[v6]\nfe80::1\n";
        hosts::read(&file("hosts", text, false)).ok()
    });
    let Some(groups) = &*GROUPS else { panic!("the inventory is none") };
    let own = [text.to_owned()];
    match pattern::select(groups, &own) {
        Ok(mut found) => {
            let count = found.len();
            found.sort_unstable();
            found.dedup();
            assert!(count > 0 && count == found.len() && found.iter().all(|host| *host < groups.hosts.len()));
            let mut twice = pattern::select(groups, &[text.to_owned(), text.to_owned()]).unwrap_or_default();
            twice.sort_unstable();
            assert_eq!(twice, found, "twice is not once");
        }
        Err(error) => assert!(!error.hints.is_empty(), "no hint: {error:?}"),
    }
}

/// The variable `instances`: ids as they may be, each once.
pub fn instances(text: &str) {
    let file = file("all.yml", text, false);
    let Ok(Some(node)) = yaml::load(&file) else { return };
    let value = json(&node);
    let variable = Variable::new("instances".to_owned(), node, START, file, Values::new());
    match instances::read(&variable, &value) {
        Ok(found) => {
            let ids: std::collections::BTreeSet<&str> = found.iter().map(|it| it.id.as_str()).collect();
            assert_eq!(ids.len(), found.len(), "an id was given twice");
            assert!(ids.iter().all(|id| pq_stream::valid_instance_id(id).is_ok()), "{ids:?}");
        }
        Err(error) => {
            told(&error, text);
            assert!(!error.hints.is_empty(), "no hint: {error:?}");
        }
    }
    let places = instances::places(&variable);
    assert!(places.iter().all(|(_, mark)| mark.line() > 0 && mark.column() > 0), "{places:?}");
}

fn json(node: &Node) -> Value {
    match &node.data {
        Data::List(items) => items.iter().map(|item| json(item)).collect(),
        Data::Map(entries) => entries.iter().map(|(key, node)| (key.text(), json(node))).collect(),
        scalar => scalar.scalar().and_then(|value| to_json(&value).ok()).unwrap_or_default(),
    }
}
