//! Hosts in INI form.

use pq_tests::Chance;

use super::{Kind, Name, Plan, names, priority, template};

/// The hosts file.
pub fn hosts(plan: &Plan, chance: &mut Chance) -> String {
    let mut first = String::new();
    for (host, _) in plan.hosts.iter().filter(|(_, groups)| groups.is_empty()) {
        first.push_str(&line(host, chance));
    }
    let mut sections: Vec<String> = Vec::new();
    for (index, (name, children)) in plan.groups.iter().enumerate() {
        let mut own = format!("[{name}]{}\n", chance.pick(&["", " # a comment", "  "]));
        for (host, _) in plan.hosts.iter().filter(|(_, groups)| groups.contains(&index)) {
            own.push_str(&line(host, chance));
        }
        sections.push(own);
        if !children.is_empty() {
            let lines: String = children
                .iter()
                .map(|child| format!("{}{}\n", plan.groups[*child].0, chance.pick(&["", " # said", "  "])))
                .collect();
            sections.push(format!("[{name}:children]\n{lines}"));
        }
        if chance.one_in(2) {
            sections.push(vars(name, true, chance));
        }
    }
    for special in ["all", "ungrouped"] {
        if chance.one_in(3) {
            sections.push(vars(special, chance.one_in(2), chance));
        }
    }
    chance.shuffle(&mut sections);
    first + &sections.concat()
}

fn line(host: &str, chance: &mut Chance) -> String {
    let mut line = format!("{}{host}", chance.pick(&["", "", "", "  "]));
    for name in names(chance, 3) {
        line.push_str(&format!(" {}={}", name.text(), beside(name, chance)));
    }
    if chance.one_in(6) {
        line.push_str("  # a comment");
    }
    if chance.one_in(8) {
        let text = chance.pick(&["\n", "\n# another\n", "\n; and one more\n"]);
        line.push_str(text);
    }
    line + "\n"
}

fn vars(group: &str, with_priority: bool, chance: &mut Chance) -> String {
    let mut text = format!("[{group}:vars]\n");
    if with_priority && chance.one_in(2) {
        text.push_str(&format!("ansible_group_priority={}\n", priority(chance)));
    }
    for name in names(chance, 4) {
        let equals = *chance.pick(&["=", " = ", "= "]);
        text.push_str(&format!("{}{equals}{}\n", name.text(), below(name, chance)));
    }
    text
}

const WORDS: &[&str] =
    &["abc", "a-b", "/srv/www", "10.0.0.1", "x.y", "0644", "yes", "true", "\"'5'\"", "été", "1.2.3"];
const NUMBERS: &[&str] = &["0", "7", "-3", "1_000", "0x1F", "0b11", "0o17", "42"];
const FLAGS: &[&str] = &["True", "False"];
const LISTS: &[&str] = &["\"['a', 'b']\"", "[]", "\"['zeta','a','a']\"", "\"['été', 'B']\""];
const MAPS: &[&str] = &["\"{'a': 'x', 'b': 2}\"", "{}", "\"{'a': {'a': 'y'}}\"", "\"{'c': ['a']}\""];
const OTHERS: &[&str] = &[
    "None",
    "1.5",
    "1e3",
    "\"(1, 2)\"",
    "\"[1, None, {'a': 2.5}]\"",
    "null",
    "''",
    "-.5",
    "\"'a' 'b'\"",
    "+5",
];

/// A value beside a host, where quotes are taken off before Python's rules apply.
fn beside(name: Name, chance: &mut Chance) -> String {
    if name.rank > 0 && chance.one_in(2) {
        return format!("\"{}\"", template::draw(name.kind, name.rank, chance));
    }
    (*chance.pick(table(name.kind))).to_owned()
}

/// A value below `:vars`, which is the rest of its line.
fn below(name: Name, chance: &mut Chance) -> String {
    if name.rank > 0 && chance.one_in(2) {
        return template::draw(name.kind, name.rank, chance);
    }
    let drawn = *chance.pick(table(name.kind));
    match drawn.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inner) => inner.to_owned(),
        None => drawn.to_owned(),
    }
}

fn table(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Text => WORDS,
        Kind::Number => NUMBERS,
        Kind::Flag => FLAGS,
        Kind::List => LISTS,
        Kind::Map => MAPS,
        Kind::Any => OTHERS,
    }
}
