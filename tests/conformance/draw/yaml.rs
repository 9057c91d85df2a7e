//! Maps of variables, and hosts, in YAML: block and flow form, anchors, aliases, merges, comments.

use pq_tests::Chance;
use serde_json::{Map, Value, json};

use super::value::{self, Yaml};
use super::{Kind, Name, Plan, names, priority};

/// Lines of YAML being written.
pub struct Lines<'c> {
    text: String,
    chance: &'c mut Chance,
    /// Anchors of the file so far, by what they name.
    anchors: Vec<(Kind, usize, String)>,
    count: usize,
}

impl<'c> Lines<'c> {
    fn new(chance: &'c mut Chance) -> Self {
        Lines { text: String::new(), chance, anchors: Vec::new(), count: 0 }
    }

    fn line(&mut self, indent: usize, text: &str) {
        if self.chance.one_in(12) {
            let text = self.chance.pick(&["\n", "# a comment: yes\n", "      # another\n"]);
            self.text.push_str(text);
        }
        self.text.push_str(&" ".repeat(indent));
        self.text.push_str(text);
        if !text.is_empty() && !text.ends_with(['|', '>', '+', '-', '2', '"']) && self.chance.one_in(15) {
            self.text.push_str(" # said");
        }
        self.text.push('\n');
    }

    /// Variables, one below the other.
    fn variables(&mut self, indent: usize, drawn: &[Name]) {
        for name in drawn {
            self.variable(indent, *name);
        }
    }

    fn variable(&mut self, indent: usize, name: Name) {
        let known: Vec<String> = self
            .anchors
            .iter()
            .filter(|(kind, rank, _)| *kind == name.kind && *rank <= name.rank)
            .map(|(.., anchor)| anchor.clone())
            .collect();
        if !known.is_empty() && self.chance.one_in(2) {
            let one = self.chance.pick(&known).clone();
            if name.kind == Kind::Map && self.chance.one_in(2) {
                return self.merged(indent, name, &known);
            }
            return self.line(indent, &format!("{}: *{one}", name.text()));
        }
        let mut anchor = String::new();
        if self.chance.one_in(3) {
            self.count += 1;
            let label = format!("a{}", self.count);
            anchor = format!("&{label} ");
            self.anchors.push((name.kind, name.rank, label));
        }
        let value = value::yaml(name, self.chance);
        self.entry(indent, &format!("{}:", name.text()), &anchor, &value);
    }

    /// A map that takes others in.
    fn merged(&mut self, indent: usize, name: Name, known: &[String]) {
        self.line(indent, &format!("{}:", name.text()));
        let all: Vec<String> = known.iter().map(|anchor| format!("*{anchor}")).collect();
        let merge = match self.chance.one_in(2) {
            true => format!("<<: [{}]", all.join(", ")),
            false => format!("<<: {}", all[0]),
        };
        let own = ["a: own", "z: 1"];
        let before = self.chance.one_in(2);
        if before {
            self.line(indent + 2, own[0]);
        }
        self.line(indent + 2, &merge);
        self.line(indent + 2, own[usize::from(before)]);
    }

    /// `key:` and a value, in one form or the other.
    fn entry(&mut self, indent: usize, key: &str, anchor: &str, value: &Yaml) {
        if let Some(flow) = flow(value)
            && (flow.len() < 3 || matches!(value, Yaml::Line(_)) || self.chance.one_in(2))
        {
            // A tag stands behind an anchor, as any value does.
            let line = format!("{key} {anchor}{flow}");
            return self.line(indent, line.trim_end());
        }
        match value {
            Yaml::Line(text) => self.line(indent, format!("{key} {anchor}{text}").trim_end()),
            Yaml::Block(header, lines) => {
                self.text.push_str(&format!("{}{key} {anchor}{header}\n", " ".repeat(indent)));
                for line in lines {
                    let line = format!("{}{line}", " ".repeat(indent + 2));
                    self.text.push_str(line.trim_end());
                    self.text.push('\n');
                }
            }
            Yaml::List(items) => {
                self.line(indent, format!("{key} {anchor}").trim_end());
                // Items may stand as far left as their key does.
                let below = indent + 2 * self.chance.below(2);
                for item in items {
                    self.entry(below, "-", "", item);
                }
            }
            Yaml::Map(entries) => {
                self.line(indent, format!("{key} {anchor}").trim_end());
                for (key, item) in entries {
                    self.entry(indent + 2, &format!("{key}:"), "", item);
                }
            }
        }
    }
}

/// A value in flow form.
fn flow(value: &Yaml) -> Option<String> {
    Some(match value {
        Yaml::Line(text) => text.clone(),
        Yaml::Block(..) => return None,
        Yaml::List(items) => {
            let items = items.iter().map(inner).collect::<Option<Vec<_>>>()?;
            format!("[{}]", items.join(", "))
        }
        Yaml::Map(entries) => {
            let entry = |(key, value): &(String, Yaml)| Some(format!("{key}: {}", inner(value)?));
            format!("{{{}}}", entries.iter().map(entry).collect::<Option<Vec<_>>>()?.join(", "))
        }
    })
}

/// A value inside a flow form: plain texts with signs of their own cannot stand there.
fn inner(value: &Yaml) -> Option<String> {
    let text = flow(value)?;
    let plain = !text.starts_with(['\'', '"', '[', '{']);
    (!plain || !text.contains([',', '[', '{', '?', '#', ':', '='])).then_some(text)
}

/// A file of variables.
pub fn variables(chance: &mut Chance, most: usize) -> String {
    let mut drawn = names(chance, most);
    if chance.one_in(2) {
        drawn.sort_by_key(|name| name.rank);
    }
    let mut lines = Lines::new(chance);
    if lines.chance.one_in(3) {
        lines.text.push_str("---\n");
    }
    if drawn.is_empty() {
        let text = lines.chance.pick(&["{}\n", "# nothing yet\n", "---\n"]);
        lines.text.push_str(text);
        return lines.text;
    }
    lines.variables(0, &drawn);
    if lines.chance.one_in(10) {
        lines.text.push_str("...\n");
    }
    lines.text
}

/// The hosts file.
pub fn hosts(plan: &Plan, chance: &mut Chance) -> String {
    let mut lines = Lines::new(chance);
    let mut written = vec![false; plan.groups.len()];
    lines.text.push_str("---\nall:\n");
    if lines.chance.one_in(2) {
        let drawn = names(lines.chance, 4);
        vars(&mut lines, 2, &drawn, None);
    }
    let alone: Vec<&String> =
        plan.hosts.iter().filter(|(_, groups)| groups.is_empty()).map(|(host, _)| host).collect();
    host_lines(&mut lines, 2, &alone);
    let is_child = |group: usize| plan.groups.iter().any(|(_, children)| children.contains(&group));
    let below_all = lines.chance.one_in(2);
    let indent = if below_all { 4 } else { 0 };
    if below_all {
        lines.text.push_str("  children:\n");
    }
    for index in (0..plan.groups.len()).filter(|group| !is_child(*group)) {
        group(&mut lines, plan, index, indent, &mut written);
    }
    lines.text
}

fn host_lines(lines: &mut Lines<'_>, indent: usize, hosts: &[&String]) {
    if hosts.is_empty() {
        return;
    }
    lines.text.push_str(&format!("{}hosts:\n", " ".repeat(indent)));
    for host in hosts {
        let drawn = names(lines.chance, 3);
        lines.line(indent + 2, &format!("{host}:"));
        lines.variables(indent + 4, &drawn);
    }
}

fn vars(lines: &mut Lines<'_>, indent: usize, drawn: &[Name], priority: Option<i64>) {
    if drawn.is_empty() && priority.is_none() {
        return;
    }
    lines.text.push_str(&format!("{}vars:\n", " ".repeat(indent)));
    if let Some(priority) = priority {
        lines.line(indent + 2, &format!("ansible_group_priority: {priority}"));
    }
    lines.variables(indent + 2, drawn);
}

/// A group where it is mentioned first; afterwards its bare name.
fn group(lines: &mut Lines<'_>, plan: &Plan, index: usize, indent: usize, written: &mut [bool]) {
    let (name, children) = &plan.groups[index];
    lines.text.push_str(&format!("{}{name}:\n", " ".repeat(indent)));
    if std::mem::replace(&mut written[index], true) {
        return;
    }
    let own: Vec<&String> =
        plan.hosts.iter().filter(|(_, groups)| groups.contains(&index)).map(|(host, _)| host).collect();
    host_lines(lines, indent + 2, &own);
    if lines.chance.one_in(2) {
        let drawn = names(lines.chance, 4);
        let priority = lines.chance.one_in(2).then(|| priority(lines.chance));
        vars(lines, indent + 2, &drawn, priority);
    }
    if !children.is_empty() {
        lines.text.push_str(&format!("{}children:\n", " ".repeat(indent + 2)));
        for child in children {
            group(lines, plan, *child, indent + 4, written);
        }
    }
}

/// The hosts file in JSON, which is YAML too.
pub fn hosts_in_json(plan: &Plan, chance: &mut Chance) -> String {
    let mut groups = Map::new();
    let alone: Map<String, Value> = plan
        .hosts
        .iter()
        .filter(|(_, groups)| groups.is_empty())
        .map(|(host, _)| (host.clone(), json_variables(chance, 3)))
        .collect();
    groups.insert("all".to_owned(), json!({ "hosts": alone, "vars": json_variables(chance, 3) }));
    for (index, (name, children)) in plan.groups.iter().enumerate() {
        let own: Map<String, Value> = plan
            .hosts
            .iter()
            .filter(|(_, groups)| groups.contains(&index))
            .map(|(host, _)| (host.clone(), json_variables(chance, 2)))
            .collect();
        let children: Map<String, Value> =
            children.iter().map(|child| (plan.groups[*child].0.clone(), json!({}))).collect();
        let mut entry = json!({ "hosts": own, "vars": json_variables(chance, 3), "children": children });
        if chance.one_in(3) {
            entry["vars"]["ansible_group_priority"] = Value::from(priority(chance));
        }
        groups.insert(name.clone(), entry);
    }
    serde_json::to_string_pretty(&groups).unwrap()
}

/// Variables as a JSON map.
pub fn json_variables(chance: &mut Chance, most: usize) -> Value {
    let drawn = names(chance, most);
    drawn.into_iter().map(|name| (name.text(), value::json(name, chance))).collect::<Map<_, _>>().into()
}
