//! One encrypted file of variables as a text that is changed: values are set and removed, and all else is kept,
//! comments and order too.
//!
//! Always true here: a text is what the inventory takes, and a change is looked at once more after it was made.
//! Every value but the changed one is what it was, else the change is refused.

use std::ops::Range;
use std::sync::Arc;

use pq_secrets::{ExposeSecret, SecretString, Values};
use pq_stream::Diagnostic;

use crate::concealed::{Encrypted, conceal, unfit};
use crate::file::SourceFile;
use crate::node::{Data, Mark, Node};
use crate::variables::{demand_few, is_variable};
use crate::yaml;

type Result<T> = std::result::Result<T, Box<Diagnostic>>;

/// The text of an encrypted file of variables, and the secrets that it sets.
#[derive(Debug)]
pub struct Document {
    file: SourceFile,
    root: Option<Arc<Node>>,
    values: Values,
    names: Vec<String>,
}

impl Document {
    /// Reads a text; `shown` is the file's name in errors.
    ///
    /// # Errors
    /// What the inventory would refuse in an encrypted file, and where; no text of it is shown.
    pub fn read(shown: &str, text: &str) -> Result<Self> {
        let file = SourceFile::new(shown.to_owned(), shown.to_owned(), text.to_owned(), true);
        let root = yaml::load(&file)?;
        let (mut values, mut names) = (Values::new(), Vec::new());
        match root.as_ref().map(|root| (root, &root.data)) {
            None | Some((_, Data::Null)) => {}
            Some((_, Data::Map(entries))) => {
                demand_few(&file, entries)?;
                for (key, node) in entries {
                    let name = key.text();
                    if !is_variable(&name) {
                        return Err(unfit(&file, key));
                    }
                    conceal(node, &name, &file, Encrypted::Age, &mut values)?;
                    names.push(name);
                }
            }
            Some((root, other)) => {
                let error = file.error(root.start, format!("`{shown}` holds no variables"));
                let error = error.cause(format!("it is {}, not a map", other.kind()));
                return Err(Box::new(error.hint("write one `name: value` a line")));
            }
        }
        Ok(Document { file, root, values, names })
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        self.file.text()
    }

    /// The names of its variables, in their order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Its secrets, by names such as `smtp.password`.
    pub fn values(&self) -> &Values {
        &self.values
    }

    /// What is no text for who reads the same text from a file that is not encrypted: its name and what it is, such
    /// as `a number`. A secret is the text that stands there.
    pub fn of_other_kinds(&self) -> Vec<(String, &'static str)> {
        let (name, text) = (self.file.name.clone(), self.text().to_owned());
        let plain = SourceFile::new(name.clone(), name, text, false);
        let mut found = Vec::new();
        if let Ok(Some(root)) = yaml::load(&plain)
            && let Data::Map(entries) = &root.data
        {
            entries.iter().for_each(|(key, node)| self.kinds(&key.text(), node, &mut found));
        }
        found
    }

    fn kinds(&self, path: &str, node: &Node, found: &mut Vec<(String, &'static str)>) {
        match &node.data {
            Data::Bool(_) | Data::Int(_) | Data::Large(_) | Data::Float(_) => {
                found.push((path.to_owned(), node.data.kind()));
            }
            // Ansible reads a date where it stands without quotes.
            Data::Text(text)
                if is_date(text) && self.text()[self.byte(node.start)..].starts_with(text.as_str()) =>
            {
                found.push((path.to_owned(), "a date"));
            }
            Data::List(items) => {
                let items = items.iter().enumerate();
                items.for_each(|(at, item)| self.kinds(&format!("{path}.{at}"), item, found));
            }
            Data::Map(entries) => {
                entries
                    .iter()
                    .for_each(|(key, item)| self.kinds(&format!("{path}.{}", key.text()), item, found));
            }
            _ => {}
        }
    }

    /// With a secret set to another value, or with a new one: behind the variable `beside`, else at the end.
    ///
    /// # Errors
    /// Where the value is none that a secret may have, or the file is written in a way that allows no such change.
    pub fn with(&self, name: &str, value: &SecretString, beside: Option<&str>) -> Result<Self> {
        let scalar = self.node(name).filter(|node| !matches!(node.data, Data::List(_) | Data::Map(_)));
        let text = match scalar {
            Some(node) => {
                let (start, end) = self.span(node);
                let block =
                    !name.contains('.') && self.text()[end..].trim_start_matches(' ').starts_with('\n');
                let spelled = spelled(value.expose_secret(), block);
                let (start, end, gap) = match self.empty(name, start == end) {
                    Some(at) => (at, at, " "),
                    None => (start, end, ""),
                };
                format!("{}{gap}{spelled}{}", &self.text()[..start], &self.text()[end..])
            }
            None if self.node(name).is_none() && !is_path(name) => {
                let error = Diagnostic::new(format!("`{}` is no name of a secret", name.escape_debug()));
                let error = error.cause("it is made of letters, digits and `_`, and begins with no digit");
                return Err(Box::new(error.hint("choose one such as `smtp_password`")));
            }
            None if self.node(name).is_some() || name.contains('.') => return Err(self.no_place(name)),
            None => {
                let line = format!("{name}: {}\n", spelled(value.expose_secret(), true));
                let beside = beside.and_then(|beside| self.node(beside));
                let at = beside.map_or(self.text().len(), |node| self.line_after(self.span(node).1));
                let (before, after) = self.text().split_at(at);
                let gap = if before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
                format!("{before}{gap}{line}{after}")
            }
        };
        let changed = Document::read(&self.file.shown, &text).map_err(|error| {
            // A value that no secret may have is told; a text that the change would spoil is not there to be seen.
            let spoilt = SourceFile::new(String::new(), String::new(), text, true);
            if yaml::load(&spoilt).is_err() { self.refused(name) } else { error }
        })?;
        let mut wanted = self.values.clone();
        wanted.insert(name.to_owned(), value.clone());
        let mut names = self.names.clone();
        if !name.contains('.') && !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
        self.checked(changed, &wanted, &names).ok_or_else(|| self.refused(name))
    }

    /// Without variables that stand on a line of their own each.
    ///
    /// # Errors
    /// Where one of them cannot be taken out without touching another.
    pub fn without(&self, gone: &[&str]) -> Result<Self> {
        let lines = |name: &&str| Some(self.node(name)?.start.line());
        let gone_lines: Vec<usize> = gone.iter().filter_map(lines).collect();
        let kept = self.text().split_inclusive('\n').enumerate();
        let text: String =
            kept.filter(|(at, _)| !gone_lines.contains(&(at + 1))).map(|(_, line)| line).collect();
        let changed =
            Document::read(&self.file.shown, &text).map_err(|_| self.refused(&gone.join("`, `")))?;
        let below = |path: &str| gone.contains(&path.split('.').next().unwrap_or(path));
        let wanted = self.values.iter().filter(|(path, _)| !below(path));
        let wanted = wanted.map(|(path, value)| (path.clone(), value.clone())).collect();
        let names: Vec<String> =
            self.names.iter().filter(|name| !gone.contains(&name.as_str())).cloned().collect();
        self.checked(changed, &wanted, &names).ok_or_else(|| self.refused(&gone.join("`, `")))
    }

    /// A changed text, where it holds what it should and nothing else.
    fn checked(&self, changed: Self, wanted: &Values, names: &[String]) -> Option<Self> {
        let same = changed.values.len() == wanted.len()
            && wanted.iter().all(|(name, value)| {
                changed.values.get(name).is_some_and(|is| is.expose_secret() == value.expose_secret())
            });
        let (mut is, mut want) = (changed.names.clone(), names.to_vec());
        is.sort();
        want.sort();
        (same && is == want).then_some(changed)
    }

    /// The value at a path such as `smtp.password` or `users.0`.
    fn node(&self, path: &str) -> Option<&Arc<Node>> {
        path.split('.').try_fold(self.root.as_ref()?, |node, step| match &node.data {
            Data::List(items) => items.get(step.parse::<usize>().ok()?),
            _ => node.entry(step).map(|(_, node)| node),
        })
    }

    /// Where the value of a variable would stand of which only the name is there.
    fn empty(&self, name: &str, nothing: bool) -> Option<usize> {
        let (key, _) = self.root.as_ref().filter(|_| nothing)?.entry(name)?;
        let at = self.byte(key.mark);
        self.text()[at..].starts_with(&format!("{name}:")).then_some(at + name.len() + 1)
    }

    /// Where a scalar stands in the text, in bytes.
    fn span(&self, node: &Node) -> (usize, usize) {
        let text = self.text();
        let start = self.byte(node.start);
        if let Some(block) = block(text, start) {
            return (block.start, block.end);
        }
        // The parser ends a value in quotes only where the next thing begins.
        match text[start..].chars().next() {
            Some('\'') => (start, start + quoted(&text[start..], false)),
            Some('"') => (start, start + quoted(&text[start..], true)),
            _ => {
                let plain = &text[start..self.byte(node.end).max(start)];
                let plain = plain.split(" #").next().unwrap_or(plain);
                (start, start + plain.trim_end().len())
            }
        }
    }

    fn line_after(&self, at: usize) -> usize {
        line_after(self.text(), at)
    }

    fn byte(&self, mark: Mark) -> usize {
        byte(self.text(), mark)
    }

    /// The error of a name under which no single value stands, or can stand as the file is.
    fn no_place(&self, name: &str) -> Box<Diagnostic> {
        let kind = |path: &str| self.node(path).map(|node| node.data.kind());
        let above = |path: &str| path.rfind('.').map(|at| path[..at].to_owned());
        // The innermost of those around it that is there.
        let mut around = above(name);
        let mut missing = None;
        while let Some(path) = around.take_if(|path| kind(path).is_none()) {
            around = above(&path);
            missing = Some(path);
        }
        let cause = match (kind(name), around, missing) {
            (Some(kind), ..) => format!("`{name}` is {kind}, and not one value"),
            (_, Some(there), _) if !matches!(kind(&there), Some("a map" | "a list")) => {
                format!("`{there}` is one value, and not a map")
            }
            (_, _, Some(map)) => format!("there is no map `{map}` in the file"),
            (_, Some(there), None) => {
                let what = kind(&there).unwrap_or("a map").trim_start_matches("a ");
                let last = &name[there.len() + 1..];
                format!("the {what} `{there}` has no `{last}`, and `set` puts nothing new into a {what}")
            }
            (None, None, None) => return self.refused(name),
        };
        let error = Diagnostic::new(format!("cannot change `{name}` in `{}`", self.file.shown)).cause(cause);
        Box::new(error.hint(format!("write it there with `pq-secret edit {}`", self.file.shown)))
    }

    fn refused(&self, name: &str) -> Box<Diagnostic> {
        let error = Diagnostic::new(format!("cannot change `{name}` in `{}`", self.file.shown));
        Box::new(
            error
                .cause("it is written in a way that only a person changes without touching the rest")
                .hint(format!("change it with `pq-secret edit {}`", self.file.shown)),
        )
    }
}

/// Whether a name can lead to a secret: `smtp.password`, `users.0`.
fn is_path(name: &str) -> bool {
    let mut steps = name.split('.');
    let item = |step: &str| !step.is_empty() && step.bytes().all(|byte| byte.is_ascii_digit());
    steps.next().is_some_and(is_variable) && steps.all(|step| is_variable(step) || item(step))
}

/// Whether a text is a date, or a date with a time, for YAML 1.1: `2026-11-23`.
fn is_date(text: &str) -> bool {
    let digits = |text: &str, length: &[usize]| {
        length.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    let (date, time) = match text.find(['T', 't', ' ', '\t']) {
        Some(at) => (&text[..at], Some(text[at + 1..].trim_start())),
        None => (text, None),
    };
    let parts: Vec<&str> = date.split('-').collect();
    let [year, month, day] = parts[..] else { return false };
    match time {
        None => digits(year, &[4]) && digits(month, &[2]) && digits(day, &[2]),
        Some(time) => {
            let hour = time.split(':').next().unwrap_or("");
            let short = [1, 2];
            let begins = digits(hour, &short) && time.matches(':').count() >= 2;
            begins && digits(year, &[4]) && digits(month, &short) && digits(day, &short)
        }
    }
}

/// A place in a text, in bytes.
pub(crate) fn byte(text: &str, mark: Mark) -> usize {
    let start: usize = text.split_inclusive('\n').take(mark.line() - 1).map(str::len).sum();
    let line = &text[start..];
    start + line.char_indices().nth(mark.column() - 1).map_or(line.len(), |(at, _)| at)
}

fn line_after(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |length| at + length + 1)
}

/// The block whose first line begins at `at`, from its `|` or `>` to its last line, without that line's end.
fn block(text: &str, at: usize) -> Option<Range<usize>> {
    let before = text[..at].trim_end_matches(' ').strip_suffix('\n')?.trim_end();
    let word = before.rsplit([' ', '\n']).next().filter(|word| word.starts_with(['|', '>']))?;
    let start = before.len() - word.len();
    Some(start..block_end(text, start))
}

/// Where the block ends whose `|` or `>` stands at `start`, without its last line's end.
///
/// It goes on over the lines that are empty or indented more than the line of its key.
pub(crate) fn block_end(text: &str, start: usize) -> usize {
    let indent = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let outer = indent(&text[text[..start].rfind('\n').map_or(0, |at| at + 1)..]);
    let mut at = line_after(text, start);
    let mut end = at;
    for line in text[at..].split_inclusive('\n') {
        at += line.len();
        match line.trim().is_empty() {
            true => {}
            false if indent(line) > outer => end = at,
            false => break,
        }
    }
    end - usize::from(text[..end].ends_with('\n'))
}

/// The length of a text in quotes at the beginning of `text`; `escapes` for double ones.
fn quoted(text: &str, escapes: bool) -> usize {
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = characters.next() {
        match c {
            '\\' if escapes => drop(characters.next()),
            '"' if escapes => return at + 1,
            '\'' if !escapes => match characters.peek() {
                Some((_, '\'')) => drop(characters.next()),
                _ => return at + 1,
            },
            _ => {}
        }
    }
    text.len()
}

/// A text in double quotes; YAML takes JSON's escapes, and allows fewer characters without one.
fn escaped(text: &str) -> String {
    let json = serde_json::Value::from(text).to_string();
    let escape = |c: char| match c.is_control() || matches!(c, '\u{feff}' | '\u{2028}' | '\u{2029}') {
        true => format!("\\u{:04x}", u32::from(c)),
        false => c.to_string(),
    };
    json.chars().map(escape).collect()
}

/// A text in YAML: a block where it has several lines and may be one, else in quotes.
fn spelled(text: &str, block: bool) -> String {
    let lines = text.strip_suffix('\n').unwrap_or(text);
    let odd = |c: char| {
        (c.is_control() && c != '\n') || matches!(c, '\u{feff}' | '\u{85}' | '\u{2028}' | '\u{2029}')
    };
    if text.contains(odd) {
        return escaped(text);
    }
    if !text.contains('\n') {
        return format!("'{}'", text.replace('\'', "''"));
    }
    if !block || lines.starts_with([' ', '\n']) || lines.ends_with('\n') || lines.is_empty() {
        return escaped(text);
    }
    let chomped = if text.ends_with('\n') { "|" } else { "|-" };
    let indented: Vec<String> = lines
        .split('\n')
        .map(|line| if line.is_empty() { String::new() } else { format!("  {line}") })
        .collect();
    format!("{chomped}\n{}", indented.join("\n"))
}

#[cfg(test)]
#[path = "document_tests.rs"]
mod tests;
