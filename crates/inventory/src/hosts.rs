//! The `hosts` file; here in INI form: groups, `:children`, `:vars`, ranges, variables beside hosts.

use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::Arc;

use pq_secrets::Values;
use pq_stream::{Diagnostic, OPENING, nearest};

use crate::concealed::{KEYS, clear_key, has_vaulted};
use crate::file::{SourceFile, short};
use crate::groups::{Groups, UNGROUPED, Variable};
use crate::node::{Data, Mark, Node};
use crate::python::{self, Unfit};
use crate::yaml::{MAX_VALUES, too_many};
use crate::{hosts_yaml, range, words};

type Result<T> = std::result::Result<T, Box<Diagnostic>>;

/// What the file may be called. Under the plain name it is in either form, else in YAML.
pub const NAMES: [&str; 3] = ["hosts", "hosts.yml", "hosts.yaml"];

/// Hosts of an inventory. Ranges make many of few letters, and each has a record.
const MAX_HOSTS: usize = 100_000;

/// How often a host is put into a group, or gets a variable that stands beside it.
const MAX_PLACEMENTS: usize = 1_000_000;

/// Groups of an inventory.
const MAX_GROUPS: usize = 20_000;

/// What the lines below a heading are.
enum Section {
    Hosts(usize),
    Children(usize),
    Vars(usize),
}

/// Reads a hosts file.
///
/// # Errors
/// What is wrong, and where.
pub fn read(file: &Arc<SourceFile>) -> Result<Groups> {
    if file.name != NAMES[0] || hosts_yaml::is_meant(file.text()) {
        return hosts_yaml::read(file);
    }
    let mut reader = Reader::new(file);
    let mut section = Section::Hosts(UNGROUPED);
    for (index, line) in file.text().lines().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let mark = Mark::new(index + 1, line[..indent].chars().count() + 1);
        match line.trim() {
            "" => {}
            comment if comment.starts_with(['#', ';']) => {}
            heading if heading.starts_with('[') && is_heading(heading) => {
                section = reader.heading(heading, mark)?
            }
            text => match section {
                Section::Hosts(group) => reader.host(text, group, mark)?,
                Section::Children(group) => reader.child(text, group, mark)?,
                Section::Vars(group) => reader.variable(text, group, mark)?,
            },
        }
    }
    reader.finish()
}

/// `[::1]:22` and `[a:c]x` are hosts, `[group]` and `[group:vars]` are headings.
fn is_heading(text: &str) -> bool {
    let end = text.find(']').unwrap_or(text.len());
    let rest = text.get(end + 1..).unwrap_or("").trim();
    rest.is_empty() || rest.starts_with(['#', ';']) || rest.ends_with(']')
}

/// Whether groups may be called that.
pub fn is_group_name(name: &str) -> bool {
    let odd = |c: char| c.is_whitespace() || c.is_control() || c == '/';
    name.len() <= range::MAX_NAME && !name.contains(odd) && !["", ".", ".."].contains(&name)
}

/// The error of a group that may not be called that.
pub fn no_group_name(file: &SourceFile, mark: Mark, name: &str) -> Box<Diagnostic> {
    let error = file.error(mark, format!("`{}` is no name of a group", short(name)));
    Box::new(match name.len() > range::MAX_NAME {
        true => error.cause(format!("it is longer than {} characters", range::MAX_NAME)).hint("shorten it"),
        false => error.hint("a group's name has neither spaces nor slashes: `web_servers`"),
    })
}

/// Hosts and groups as far as the file was read.
pub struct Reader<'f> {
    /// The file.
    pub file: &'f Arc<SourceFile>,
    /// What was read.
    pub groups: Groups,
    /// Groups with a heading of their own, or that are somebody's child.
    declared: HashSet<usize>,
    /// Groups that must turn out to be declared, and where they are mentioned.
    mentioned: Vec<(usize, Mark)>,
    /// Values in variables.
    values: usize,
    placements: usize,
    /// Names of variables, each kept once.
    names: RefCell<HashSet<Arc<str>>>,
}

impl<'f> Reader<'f> {
    /// A reader that has read nothing.
    pub fn new(file: &'f Arc<SourceFile>) -> Self {
        let (groups, declared) = (Groups::default(), HashSet::from([0, UNGROUPED]));
        Reader {
            file,
            groups,
            declared,
            mentioned: Vec::new(),
            values: 0,
            placements: 0,
            names: RefCell::default(),
        }
    }

    /// The group of that name, which the file says there is.
    ///
    /// # Errors
    /// Where there are too many groups.
    pub fn declare(&mut self, name: &str, mark: Mark) -> Result<usize> {
        let group = self.group(name, mark)?;
        self.declared.insert(group);
        self.mentioned.push((group, mark));
        Ok(group)
    }

    /// The group of that name, made where there is none.
    fn group(&mut self, name: &str, mark: Mark) -> Result<usize> {
        let group = self.groups.add_group(name);
        match group < MAX_GROUPS {
            true => Ok(group),
            false => Err(self.beyond(mark, "20,000 groups")),
        }
    }

    /// The error of an inventory that is larger than it may be.
    fn beyond(&self, mark: Mark, what: &str) -> Box<Diagnostic> {
        let error = self.file.error(mark, format!("the inventory has more than {what}"));
        Box::new(
            error
                .hint("is a range too long? else make two inventories of it, each in a directory of its own"),
        )
    }

    /// Counts values that were read.
    ///
    /// # Errors
    /// Where there are too many.
    fn count(&mut self, values: usize, mark: Mark) -> Result<()> {
        self.values += values;
        match self.values > MAX_VALUES {
            true => Err(too_many(self.file, mark)),
            false => Ok(()),
        }
    }

    /// Puts hosts into a group, with the variables beside them.
    ///
    /// # Errors
    /// Where there are too many.
    pub fn add(
        &mut self,
        names: &[String],
        group: usize,
        variables: &[Arc<Variable>],
        mark: Mark,
    ) -> Result<()> {
        self.placements += names.len() * (1 + variables.len());
        if self.placements > MAX_PLACEMENTS {
            return Err(self.beyond(mark, "1,000,000 hosts in groups and variables beside hosts"));
        }
        for name in names {
            let host = self.groups.add_host(name);
            self.groups.enlist(host, group);
            self.groups.hosts[host].variables.extend(variables.iter().cloned());
        }
        match self.groups.hosts.len() > MAX_HOSTS {
            true => Err(self.beyond(mark, "100,000 hosts")),
            false => Ok(()),
        }
    }

    /// Sets a variable for a group.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn group_variable(&mut self, group: usize, name: &str, node: Node, mark: Mark) -> Result<()> {
        let variable = self.make(name, node, mark)?;
        if name != "ansible_group_priority" {
            self.groups.groups[group].variables.push(variable);
            return Ok(());
        }
        // What Python's `int` makes of it.
        let priority = match &variable.node.data {
            Data::Int(priority) => Some(*priority),
            Data::Bool(it) => Some(i64::from(*it)),
            Data::Text(text) => text.trim().parse().ok(),
            Data::Float(number) if number.abs() < 1e15 => Some(number.trunc() as i64),
            _ => None,
        };
        let Some(priority) = priority else {
            let error = self.file.error(variable.node.start, "`ansible_group_priority` is a whole number");
            return Err(Box::new(error.cause(format!("this is {}", variable.node.data.kind()))));
        };
        self.groups.groups[group].priority = priority;
        Ok(())
    }

    fn heading(&mut self, text: &str, mark: Mark) -> Result<Section> {
        let Some(end) = text.find(']') else {
            let error = self.file.error(mark, "the heading has no `]`");
            return Err(Box::new(error.hint("write `[name]`, alone on its line")));
        };
        let (inside, behind) = (&text[1..end], text[end + 1..].trim());
        if !behind.is_empty() && !behind.starts_with('#') {
            let error = self.file.error(mark, format!("`{}` stands behind a heading", short(behind)));
            return Err(Box::new(
                error.hint("a comment there begins with `#`; all else has a line of its own"),
            ));
        }
        if inside.parse::<std::net::Ipv6Addr>().is_ok() {
            let error = self.file.error(mark, format!("`[{inside}]` is no heading"));
            return Err(Box::new(
                error.hint(format!("an address has no brackets, or a port behind them: `[{inside}]:22`")),
            ));
        }
        let (name, kind) = inside.split_once(':').unwrap_or((inside, "hosts"));
        if !is_group_name(name) {
            return Err(no_group_name(self.file, mark, name));
        }
        let group = self.group(name, mark)?;
        match kind {
            "hosts" => {
                self.declared.insert(group);
                Ok(Section::Hosts(group))
            }
            "children" => {
                self.declared.insert(group);
                Ok(Section::Children(group))
            }
            "vars" => {
                self.mentioned.push((group, mark));
                Ok(Section::Vars(group))
            }
            other => {
                let error = self.file.error(mark, format!("there is no section `:{}`", short(other)));
                Err(Box::new(error.hint("a group has hosts below `[name]`, groups below `[name:children]`, variables below `[name:vars]`")))
            }
        }
    }

    fn host(&mut self, text: &str, group: usize, mark: Mark) -> Result<()> {
        if text.split_whitespace().nth(MAX_VALUES).is_some() {
            return Err(too_many(self.file, mark));
        }
        let at = |column: usize| mark.at_column(mark.column() + column - 1);
        let words = words::split(text).map_err(|(column, cause)| {
            let error = self.file.error(at(column), cause);
            Box::new(error.hint("a quote or backslash that is meant so stands behind a backslash"))
        })?;
        let Some((first, rest)) = words.split_first() else { return Ok(()) };
        let (names, port) =
            range::expand(&first.text).map_err(|cause| Box::new(self.file.error(mark, cause).hint(
                "a line is a host, or a pattern such as `web[01:10]`, and then variables: `web1 ansible_host=192.0.2.1`",
            )))?;
        let mut variables = Vec::new();
        if let Some(port) = port {
            let node = Node { data: Data::Int(port.into()), start: mark, end: mark };
            variables.push(self.make("ansible_port", node, mark)?);
        }
        for word in rest {
            let Some((name, value)) = word.text.split_once('=') else {
                let error =
                    self.file.error(at(word.column), format!("`{}` is no variable", short(&word.text)));
                return Err(Box::new(error.hint("write `name=value`, without spaces around the `=`")));
            };
            let mark = at(word.column + name.chars().count() + 1);
            let node = self.value(value, mark)?;
            variables.push(self.make(name, node, at(word.column))?);
        }
        self.add(&names, group, &variables, mark)
    }

    fn child(&mut self, text: &str, parent: usize, mark: Mark) -> Result<()> {
        let name = text.split('#').next().unwrap_or("").trim();
        if !is_group_name(name) || name.contains(['=', '[', ']']) {
            let error = self.file.error(mark, format!("`{}` is no name of a group", short(name)));
            return Err(Box::new(error.hint("below `:children` stand names of groups, one a line")));
        }
        let child = self.group(name, mark)?;
        self.mentioned.push((child, mark));
        self.groups.adopt(parent, child);
        Ok(())
    }

    fn variable(&mut self, text: &str, group: usize, mark: Mark) -> Result<()> {
        let Some((name, value)) = text.split_once('=') else {
            let error = self.file.error(mark, format!("`{}` sets no variable", short(text)));
            return Err(Box::new(error.hint("below `:vars` every line is `name=value`")));
        };
        let before = text.len() - value.trim_start().len();
        let column = mark.column() + text[..before].chars().count();
        let node = self.value(value.trim(), mark.at_column(column))?;
        self.group_variable(group, name.trim(), node, mark)
    }

    /// A value in an INI file.
    fn value(&mut self, text: &str, mark: Mark) -> Result<Node> {
        match python::value(text, mark, MAX_VALUES.saturating_sub(self.values)) {
            Ok((node, values)) => self.count(values, mark).map(|()| node),
            Err(Unfit::Many) => Err(too_many(self.file, mark)),
            Err(Unfit::Formless(what, hint)) => Err(Box::new(self.file.error(mark, what).hint(hint))),
        }
    }

    /// A variable of this file.
    ///
    /// # Errors
    /// A name or a value that may not stand here.
    pub fn make(&self, name: &str, node: Node, mark: Mark) -> Result<Arc<Variable>> {
        if node.holds_text(OPENING) {
            let error = self.file.error(node.start, format!("a value holds the text `{OPENING}`"));
            return Err(Box::new(error.hint("to use a secret, name its variable: `{{ smtp_password }}`")));
        }
        if has_vaulted(&node) {
            let error =
                self.file.error(node.start, "a value in the hosts file is encrypted with ansible-vault");
            return Err(Box::new(error.hint("set it in `group_vars/` or `host_vars/`")));
        }
        if KEYS.contains(&name) {
            return Err(clear_key(self.file, name, mark));
        }
        if name.is_empty() {
            let error = self.file.error(mark, "the variable has no name");
            return Err(Box::new(error.hint("write `name=value`, without spaces around the `=`")));
        }
        Ok(Arc::new(Variable::new(self.named(name), Arc::new(node), mark, self.file.clone(), Values::new())))
    }

    /// A name, which many hosts may have.
    fn named(&self, name: &str) -> Arc<str> {
        let mut names = self.names.borrow_mut();
        if let Some(known) = names.get(name) {
            return known.clone();
        }
        let new: Arc<str> = name.into();
        names.insert(new.clone());
        new
    }

    /// Hosts and groups, each in its place.
    ///
    /// # Errors
    /// A group that is not there, or in a circle.
    pub fn finish(mut self) -> Result<Groups> {
        let undeclared = self.mentioned.iter().find(|(group, _)| !self.declared.contains(group));
        if let Some((group, mark)) = undeclared {
            let name = &self.groups.groups[*group].name;
            let known = self.declared.iter().map(|group| self.groups.groups[*group].name.clone());
            let error = self.file.error(*mark, format!("there is no group `{name}`"));
            let hint = match nearest(name, known) {
                Some(found) => format!("did you mean `{found}`?"),
                None => format!("begin it with a line `[{name}]`"),
            };
            return Err(Box::new(error.hint(hint)));
        }
        self.groups.finish().map_err(|name| {
            let (_, mark) = self
                .mentioned
                .iter()
                .find(|(group, _)| self.groups.groups[*group].name == name)
                .copied()
                .unwrap_or((0, Mark::START));
            let error = self.file.error(mark, format!("group `{name}` is its own ancestor"));
            Box::new(error.hint("take it, or a group above it, from the children of those below"))
        })?;
        Ok(self.groups)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(text: &str) -> std::result::Result<Groups, String> {
        let file = SourceFile::new("hosts".into(), "i/hosts".into(), text.into(), false);
        read(&Arc::new(file)).map_err(|error| {
            let place = error
                .place
                .as_ref()
                .map_or(String::new(), |place| format!("{}:{}: ", place.line, place.column));
            format!("{place}{}", error.message)
        })
    }

    fn of(groups: &Groups, host: &str) -> String {
        let host = groups.host(host).unwrap();
        groups
            .of_host(host)
            .iter()
            .map(|group| groups.groups[*group].name.as_str())
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn hosts_get_their_groups_from_all_down() {
        let text = "alone\n[web]\nw[1:2] a=1\n[db]\nd ansible_host=10.0.0.1 # x\nw1 a=2\n\
                    [prod:children]\nweb\ndb\n[base:children]\nprod\n[prod:vars]\nx = 5\ny=a # b\n";
        let groups = groups(text).unwrap();
        assert_eq!(of(&groups, "alone"), "all ungrouped");
        assert_eq!(of(&groups, "w1"), "all base prod db web");
        assert_eq!(of(&groups, "d"), "all base prod db");
        let w1 = &groups.hosts[groups.host("w1").unwrap()];
        let values: Vec<_> =
            w1.variables.iter().map(|v| (&*v.name, &v.node.data, v.node.start.column())).collect();
        assert_eq!(values, [("a", &Data::Int(1), 10), ("a", &Data::Int(2), 6)]);
        let prod = &groups.groups[groups.group("prod").unwrap()];
        assert_eq!(prod.variables[1].node.data, Data::Text("a # b".into()));
        assert_eq!(groups.members(groups.group("prod").unwrap()).len(), 3);
    }

    #[test]
    fn a_priority_orders_groups_of_one_depth() {
        let text = "[b]\nh\n[a]\nh\n[a:vars]\nansible_group_priority=5\n";
        assert_eq!(of(&groups(text).unwrap(), "h"), "all b a");
    }

    #[test]
    fn mistakes_are_shown_in_their_line() {
        let cases = [
            ("[a]\nh x\n", "2:3: `x` is no variable"),
            ("[a]\nh x='1\n", "2:5: the quote is not closed"),
            ("[a:vars]\nx=1\n", "1:1: there is no group `a`"),
            ("[a:children]\nb\n", "2:1: there is no group `b`"),
            ("[a:kids]\n", "1:1: there is no section `:kids`"),
            ("[a]\n[a:vars]\nx\n", "3:1: `x` sets no variable"),
            ("[a\nh\n", "1:1: the heading has no `]`"),
            ("[a]\n  h[2:1]\n", "2:3: `[2:1]` is no range such as `[01:10]` or `[a:f]`"),
            ("[a]\nh[1]\n", "2:1: `[1]` is no range such as `[01:10]` or `[a:f]`"),
            ("[a:]\n", "1:1: there is no section `:`"),
            ("[a] ; b\n", "1:1: `; b` stands behind a heading"),
            ("[::1]\n", "1:1: `[::1]` is no heading"),
            ("[a]\nh x=1e400\n", "2:5: the number is too large"),
            ("[a]\nh x=['@secret{y}']\n", "2:5: a value holds the text `@secret{`"),
            ("[a]\nh master_key=x\n", "2:3: `master_key` stands in a file that is not encrypted"),
            ("[a]\nh x=@secret{y}\n", "2:5: a value holds the text `@secret{`"),
        ];
        for (text, expected) in cases {
            assert_eq!(groups(text).map(|_| ()), Err(expected.to_owned()), "{text}");
        }
        assert!(groups("[a:children]\nb\n[b:children]\na\n").unwrap_err().ends_with("is its own ancestor"));
        assert!(groups("[a:children]\na\n").unwrap_err().ends_with("is its own ancestor"));
        // What hangs below a circle is not the one that is named.
        let below = "[a:children]\nb\n[b:children]\na\nc\n[c]\nh\n";
        assert_eq!(groups(below).unwrap_err(), "2:1: group `b` is its own ancestor");
    }
}
