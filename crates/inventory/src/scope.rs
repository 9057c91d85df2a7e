//! The variables of one host as templates see them: resolved when they are read, once, and never in a circle.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use pq_stream::{Diagnostic, Place};
use pq_template::value::{Enumerator, Object};
use pq_template::{Context, Error, ErrorKind, TemplateError, Templates, Value};

use crate::groups::Variable;
use crate::magic;
use crate::node::{Data, Mark, Node};
use crate::world::World;

/// Variables that read variables that read variables…, at most so many.
const MAX_CHAIN: usize = 50;

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

type Resolved = Result<Value, Arc<Unresolved>>;

/// The variables of one host.
pub struct Scope {
    world: Weak<World>,
    host: usize,
    variables: BTreeMap<String, Variable>,
    resolved: Mutex<HashMap<String, Resolved>>,
    /// The variables that are being resolved now, outermost first.
    active: Mutex<Vec<String>>,
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scope({} variables)", self.variables.len())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Scope {
    /// The scope of a host with what is set for it.
    pub fn new(world: &Arc<World>, host: usize, variables: BTreeMap<String, Variable>) -> Self {
        let world = Arc::downgrade(world);
        Scope { world, host, variables, resolved: Mutex::default(), active: Mutex::default() }
    }

    /// What is set for the host, by name.
    pub fn variables(&self) -> &BTreeMap<String, Variable> {
        &self.variables
    }

    /// A variable's value; nothing where nothing sets it.
    ///
    /// # Errors
    /// Why it cannot be resolved.
    pub fn resolve(self: &Arc<Self>, name: &str) -> Option<Resolved> {
        let variable = self.variables.get(name)?;
        if let Some(known) = lock(&self.resolved).get(name) {
            return Some(known.clone());
        }
        let chain = {
            let mut active = lock(&self.active);
            let begin = active.iter().position(|known| known == name);
            if begin.is_none() && active.len() < MAX_CHAIN {
                active.push(name.to_owned());
                None
            } else {
                Some(active[begin.unwrap_or(active.len() - 1)..].join(" → "))
            }
        };
        if let Some(chain) = chain {
            return Some(Err(Arc::new(circle(variable, name, &chain))));
        }
        let resolved = self.node(variable, &variable.node).map_err(Arc::new);
        lock(&self.active).pop();
        lock(&self.resolved).insert(name.to_owned(), resolved.clone());
        Some(resolved)
    }

    fn node(self: &Arc<Self>, variable: &Variable, node: &Node) -> Result<Value, Unresolved> {
        match &node.data {
            Data::Text(text) if Templates::is_template(text) => self.template(variable, node, text),
            Data::List(items) => items
                .iter()
                .map(|item| self.node(variable, item))
                .collect::<Result<Vec<_>, _>>()
                .map(Value::from),
            Data::Map(entries) => {
                let entry = |(key, node): &(crate::node::Key, Arc<Node>)| {
                    Ok((key.data.scalar().unwrap_or_default(), self.node(variable, node)?))
                };
                entries.iter().map(entry).collect::<Result<Vec<_>, _>>().map(Value::from_pairs)
            }
            scalar => Ok(scalar.scalar().unwrap_or_default()),
        }
    }

    fn template(self: &Arc<Self>, variable: &Variable, node: &Node, text: &str) -> Result<Value, Unresolved> {
        let Some(world) = self.world.upgrade() else { return Ok(Value::from(text)) };
        let context = Context::new(Value::from_dyn_object(self.clone()));
        world
            .templates
            .value(&variable.name, text, &context)
            .map_err(|error| self.explain(variable, node, &error))
    }

    /// The reason of a template's error: that of the variable it read, where that one could not be resolved.
    fn explain(&self, variable: &Variable, node: &Node, error: &TemplateError) -> Unresolved {
        let mut source = std::error::Error::source(error);
        while let Some(inner) = source {
            if let Some(inner) = inner.downcast_ref::<Unresolved>() {
                return inner.clone();
            }
            source = inner.source();
        }
        if let Some(name) = error.undefined.as_deref().and_then(|path| path.split(['.', '[']).next())
            && let Some(Err(inner)) = lock(&self.resolved).get(name)
        {
            return Unresolved::clone(inner);
        }
        let mut diagnostic = Diagnostic::new(format!("cannot resolve variable `{}`", variable.name))
            .cause(error.cause.clone());
        diagnostic.hints.extend(error.hint.clone());
        diagnostic.place = Some(place(variable, node, error));
        Unresolved { diagnostic, undefined: error.undefined.is_some() }
    }
}

impl Object for Scope {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        match self.resolve(key) {
            None => magic::value(&self.world.upgrade()?, self.host, key),
            Some(Ok(value)) => Some(value),
            Some(Err(reason)) if reason.undefined => None,
            Some(Err(reason)) => Some(failed(&reason)),
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.variables.keys().map(|name| Value::from(name.as_str())).collect())
    }
}

/// A value that is an error as soon as it is read.
pub fn failed(reason: &Unresolved) -> Value {
    Value::from(Error::new(ErrorKind::InvalidOperation, reason.to_string()).with_source(reason.clone()))
}

/// Where in the file a template's error stands: the template's line is looked for below the value's beginning,
/// since block scalars begin a line later and are indented.
fn place(variable: &Variable, node: &Node, error: &TemplateError) -> Place {
    let first = node.start.line + error.line - 1;
    for line in [first, first + 1] {
        let text = variable.file.line(line);
        let from = if line == node.start.line { node.start.column - 1 } else { 0 };
        let from = text.char_indices().nth(from).map_or(text.len(), |(at, _)| at);
        if !error.text.is_empty()
            && let Some(at) = text[from..].find(&error.text)
        {
            let column = text[..from + at].chars().count() + error.column;
            return variable.file.place(Mark { line, column });
        }
    }
    variable.file.place(node.start)
}

fn circle(variable: &Variable, name: &str, chain: &str) -> Unresolved {
    let diagnostic = if chain.split(" → ").next() == Some(name) {
        Diagnostic::new(format!("variable `{name}` needs itself")).cause(format!("{chain} → {name}"))
    } else {
        Diagnostic::new(format!("variable `{name}` is read by too long a chain of variables"))
            .cause(format!("more than {MAX_CHAIN} variables read each other in a row"))
    };
    Unresolved { diagnostic: diagnostic.at(variable.file.place(variable.node.start)), undefined: false }
}
