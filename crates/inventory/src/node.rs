//! Values as they stand in the inventory's files: unresolved, each with its place.

use std::sync::Arc;

use pq_template::{Templates, Value};

/// Line and column in a file, both counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark {
    line: u32,
    column: u32,
}

impl Mark {
    /// Where a file begins.
    pub const START: Mark = Mark { line: 1, column: 1 };

    /// A place by its line and column, both from 1. What is beyond four thousand million is at that.
    pub fn new(line: usize, column: usize) -> Self {
        let number = |it: usize| u32::try_from(it).unwrap_or(u32::MAX);
        Mark { line: number(line), column: number(column) }
    }

    /// The line, from 1.
    pub fn line(self) -> usize {
        self.line as usize
    }

    /// The column, in characters, from 1.
    pub fn column(self) -> usize {
        self.column as usize
    }

    /// Another column of the same line.
    pub fn at_column(self, column: usize) -> Self {
        Mark::new(self.line(), column)
    }
}

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The value.
    pub data: Data,
    /// Where it begins.
    pub start: Mark,
    /// Where it ends, exclusive.
    pub end: Mark,
}

/// A value as a file has it.
#[derive(Debug, Clone, PartialEq)]
pub enum Data {
    /// Nothing.
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// An integer above `i64::MAX`.
    Large(u64),
    /// A number that is no integer.
    Float(f64),
    /// A text; it may be a template.
    Text(String),
    /// A text that is never a template (`!unsafe`).
    Raw(String),
    /// A secret, by its name; the value is kept elsewhere.
    Secret(String),
    /// A secret that ansible-vault encrypted inside a plain file.
    Vaulted(Box<Ciphertext>),
    /// A list.
    List(Vec<Arc<Node>>),
    /// A map in the order of the file; keys are scalars.
    Map(Vec<(Key, Arc<Node>)>),
}

/// A secret that ansible-vault encrypted.
#[derive(Debug, Clone, PartialEq)]
pub struct Ciphertext {
    /// Its name; empty until the file that holds it gives it one.
    pub name: String,
    /// The text from `$ANSIBLE_VAULT;` on.
    pub text: String,
}

/// A key of a map.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    /// The key; always a scalar.
    pub data: Data,
    /// Where it stands.
    pub mark: Mark,
}

impl Data {
    /// A scalar as a template's value; nothing for lists and maps.
    pub fn scalar(&self) -> Option<Value> {
        Some(match self {
            Data::Null => Value::from(()),
            Data::Bool(it) => Value::from(*it),
            Data::Int(it) => Value::from(*it),
            Data::Large(it) => Value::from(*it),
            Data::Float(it) => Value::from(*it),
            Data::Text(it) | Data::Raw(it) => Value::from(it.as_str()),
            Data::Secret(name) => Value::from(format!("@secret{{{name}}}")),
            Data::Vaulted(it) => Value::from(format!("@secret{{{}}}", it.name)),
            Data::List(_) | Data::Map(_) => return None,
        })
    }

    /// Whether it is nothing for Python, which takes all of these for false.
    pub fn is_nothing(&self) -> bool {
        match self {
            Data::Null | Data::Bool(false) | Data::Int(0) => true,
            Data::Float(number) => *number == 0.0,
            Data::Text(text) | Data::Raw(text) => text.is_empty(),
            Data::List(items) => items.is_empty(),
            Data::Map(entries) => entries.is_empty(),
            _ => false,
        }
    }

    /// What it is, for errors.
    pub fn kind(&self) -> &'static str {
        match self {
            Data::Null => "nothing",
            Data::Bool(_) => "a boolean",
            Data::Int(_) | Data::Large(_) | Data::Float(_) => "a number",
            Data::Text(_) | Data::Raw(_) => "a text",
            Data::Secret(_) | Data::Vaulted(_) => "a secret",
            Data::List(_) => "a list",
            Data::Map(_) => "a map",
        }
    }
}

impl Key {
    /// The key as a text: what a variable or a field is called.
    pub fn text(&self) -> String {
        match &self.data {
            Data::Text(text) | Data::Raw(text) => text.clone(),
            Data::Null => "null".to_owned(),
            Data::Bool(it) => it.to_string(),
            other => other.scalar().map(|value| value.to_string()).unwrap_or_default(),
        }
    }
}

impl Key {
    /// What tells keys apart: `1` and `"1"` are two.
    pub fn identity(&self) -> String {
        let kind = match &self.data {
            Data::Text(_) | Data::Raw(_) => 't',
            Data::Null => 'n',
            Data::Bool(_) => 'b',
            _ => 'i',
        };
        format!("{kind}{}", self.text())
    }
}

impl Node {
    /// The node as a template's value; `template` says what becomes of a text that is a template.
    ///
    /// # Errors
    /// What `template` answers.
    pub fn value<E>(&self, template: &mut impl FnMut(&Node, &str) -> Result<Value, E>) -> Result<Value, E> {
        match &self.data {
            Data::Text(text) if Templates::is_template(text) => template(self, text),
            Data::List(items) => {
                items.iter().map(|item| item.value(template)).collect::<Result<Vec<_>, _>>().map(Value::from)
            }
            Data::Map(entries) => {
                let entry = |(key, node): &(Key, Arc<Node>)| {
                    Ok((key.data.scalar().unwrap_or_default(), node.value(template)?))
                };
                entries.iter().map(entry).collect::<Result<Vec<_>, _>>().map(Value::from_pairs)
            }
            scalar => Ok(scalar.scalar().unwrap_or_default()),
        }
    }

    /// Whether it is a list or map with a template somewhere inside.
    pub fn holds_templates(&self) -> bool {
        let template = |node: &Arc<Node>| match &node.data {
            Data::Text(text) => Templates::is_template(text),
            _ => node.holds_templates(),
        };
        match &self.data {
            Data::List(items) => items.iter().any(template),
            Data::Map(entries) => entries.iter().any(|(_, node)| template(node)),
            _ => false,
        }
    }

    /// Whether a text in it holds this one.
    pub fn holds_text(&self, wanted: &str) -> bool {
        match &self.data {
            Data::Text(text) | Data::Raw(text) => text.contains(wanted),
            Data::List(items) => items.iter().any(|item| item.holds_text(wanted)),
            Data::Map(entries) => {
                entries.iter().any(|(key, node)| key.text().contains(wanted) || node.holds_text(wanted))
            }
            _ => false,
        }
    }

    /// The name of a node inside the value of `name`, as templates write it: `name.key[0]`.
    pub fn path_to(&self, name: &str, inner: &Node) -> Option<String> {
        self.path_at(name, std::ptr::from_ref(inner).addr())
    }

    /// The same for a node that is known by its address.
    pub fn path_at(&self, name: &str, inner: usize) -> Option<String> {
        if std::ptr::from_ref(self).addr() == inner {
            return Some(name.to_owned());
        }
        match &self.data {
            Data::List(items) => {
                let mut items = items.iter().enumerate();
                items.find_map(|(at, item)| item.path_at(&format!("{name}[{at}]"), inner))
            }
            Data::Map(entries) => entries.iter().find_map(|(key, node)| {
                let text = key.text();
                let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
                let plain = text.chars().all(word) && !text.starts_with(|c: char| c.is_ascii_digit());
                let name = match plain && !text.is_empty() {
                    true => format!("{name}.{text}"),
                    false => format!("{name}['{}']", text.escape_debug()),
                };
                node.path_at(&name, inner)
            }),
            _ => None,
        }
    }

    /// The entry of a map by its key.
    pub fn entry(&self, name: &str) -> Option<(&Key, &Arc<Node>)> {
        match &self.data {
            Data::Map(entries) => {
                entries.iter().find(|(key, _)| key.text() == name).map(|(key, node)| (key, node))
            }
            _ => None,
        }
    }
}
