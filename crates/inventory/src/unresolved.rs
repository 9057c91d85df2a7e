//! Why a variable has no value, and where in its file the reason stands.

use std::fmt;

use pq_stream::{Diagnostic, Place};
use pq_template::{Error, ErrorKind, TemplateError, Value};

use crate::foreign::HOSTVARS;
use crate::groups::Variable;
use crate::node::{Mark, Node};

/// Variables that read variables that read variables…, at most so many.
pub const MAX_CHAIN: usize = 900;

/// An error further to the right is not looked for in its line.
const MAX_COLUMN: usize = 10_000;

/// Why a variable has no value.
#[derive(Debug, Clone)]
pub struct Unresolved {
    /// The reason, with its place.
    pub diagnostic: Diagnostic,
    /// Whether something undefined is the reason: then the variable itself counts as undefined, as in Ansible.
    pub undefined: bool,
}

impl fmt::Display for Unresolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.diagnostic.fmt(f)
    }
}

impl std::error::Error for Unresolved {}

impl Unresolved {
    /// The reason that a template's error is, for the variable in whose value the template stands.
    pub fn of_template(variable: &Variable, node: &Node, error: &TemplateError) -> Self {
        let cause = match variable.node.path_to(&variable.name, node) {
            Some(path) if *path != *variable.name => format!("{}, in `{path}`", error.cause),
            _ => error.cause.clone(),
        };
        let mut diagnostic =
            Diagnostic::new(format!("cannot resolve variable `{}`", variable.name)).cause(cause);
        diagnostic.hints.push(error.hint.clone().unwrap_or_else(|| hint(error, &variable.name)));
        diagnostic.place = Some(place(variable, node, error));
        Unresolved { diagnostic, undefined: error.undefined.is_some() }
    }
}

/// The reason of a value in which something could not be looked up, where that has not told its own.
pub fn inside(variable: &Variable, value: &Value) -> Unresolved {
    let items = Value::from(vec![value.clone()]);
    if let Some(Err(error)) = items.try_iter().ok().and_then(|items| items.checked().next()) {
        let mut source = std::error::Error::source(&error);
        while let Some(inner) = source {
            if let Some(inner) = inner.downcast_ref::<Unresolved>() {
                return inner.clone();
            }
            source = inner.source();
        }
    }
    let undefined = value.is_undefined();
    let cause =
        if undefined { "a value inside is undefined" } else { "a value inside could not be looked up" };
    let diagnostic = Diagnostic::new(format!("cannot resolve variable `{}`", variable.name))
        .cause(cause)
        .hint(format!("`pq-inventory --explain {}` shows what it reads", variable.name));
    Unresolved { diagnostic: diagnostic.at(variable.file.place(variable.node.start)), undefined }
}

/// A value that is an error as soon as it is read.
pub fn failed(reason: &Unresolved) -> Value {
    Value::from(Error::new(ErrorKind::InvalidOperation, reason.to_string()).with_source(reason.clone()))
}

/// Where in the file a template's error stands: the template's line is looked for below the value's beginning,
/// since block scalars begin a line later and are indented.
fn place(variable: &Variable, node: &Node, error: &TemplateError) -> Place {
    let first = node.start.line() + error.line - 1;
    // There may be as many errors as values on a line that is a whole file.
    let lines: &[usize] = if node.start.column() > MAX_COLUMN { &[] } else { &[first, first + 1] };
    for line in lines.iter().copied() {
        let text = variable.file.line(line);
        let from = if line == node.start.line() { node.start.column() - 1 } else { 0 };
        let from = text.char_indices().nth(from).map_or(text.len(), |(at, _)| at);
        if !error.text.is_empty()
            && let Some(at) = text[from..].find(&error.text)
        {
            let column = text[..from + at].chars().count() + error.column;
            return variable.file.place(Mark::new(line, column));
        }
    }
    variable.file.place(node.start)
}

/// What to do where the engine knows no cure.
fn hint(error: &TemplateError, variable: &str) -> String {
    match &error.undefined {
        // It is there for each host, but for one who is read through it.
        Some(name) if name.rsplit('.').next() == Some(HOSTVARS) => {
            "a host that is read through `hostvars` has none itself, as in Ansible: read the third host directly".to_owned()
        }
        Some(name) if !name.is_empty() => {
            format!("set it for the host or one of its groups, or write `{{{{ {name} | default('…') }}}}`")
        }
        _ if error.cause.starts_with("syntax error") => {
            "mend the template; a text that is none is written `!unsafe '…'`".to_owned()
        }
        _ => format!("mend the template; `pq-inventory --explain {variable}` shows what it reads"),
    }
}

/// What holds itself.
pub fn endless(variable: &Variable) -> Unresolved {
    let diagnostic = Diagnostic::new(format!("variable `{}` needs itself", variable.name))
        .cause("its value holds itself, or is nested more than 100 levels deep")
        .hint("give one of the variables in it a value that reads none of the others");
    Unresolved { diagnostic: diagnostic.at(variable.file.place(variable.node.start)), undefined: false }
}

/// What reads itself, or stands at the end of too long a chain.
pub fn circle(variable: &Variable, node: &Node, chain: &str) -> Unresolved {
    let name = &variable.node.path_to(&variable.name, node).unwrap_or_else(|| variable.name.to_string())[..];
    let diagnostic = if chain.split(" → ").next() == Some(name) {
        Diagnostic::new(format!("variable `{name}` needs itself")).cause(format!("{chain} → {name}"))
    } else {
        Diagnostic::new(format!("variable `{name}` is read by too long a chain of variables"))
            .cause(format!("more than {MAX_CHAIN} variables read each other in a row"))
    };
    let diagnostic = diagnostic.hint("give one of them a value that reads none of the others");
    Unresolved { diagnostic: diagnostic.at(variable.file.place(node.start)), undefined: false }
}
