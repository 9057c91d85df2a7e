//! The variables of one host as templates see them: resolved when they are read, once, and never in a circle.

use std::collections::{BTreeMap, BTreeSet, HashMap, btree_map};
use std::fmt;
use std::iter::Peekable;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use pq_stream::{Diagnostic, Place};
use pq_template::value::{Enumerator, Object};
use pq_template::{Context, Error, ErrorKind, TemplateError, Templates, Value};

use crate::groups::Variable;
use crate::magic;
use crate::node::{Data, Mark, Node};
use crate::world::World;

/// Variables that read variables that read variables…, at most so many.
const MAX_CHAIN: usize = 900;

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

/// What was resolved, and every name that was read on the way; no names where it is this host's alone.
type Noted = (Resolved, Option<Arc<BTreeSet<String>>>);

/// What the groups of some hosts set, and what of it came out the same for all of them.
#[derive(Debug)]
pub struct Base {
    /// By name.
    pub variables: BTreeMap<String, Arc<Variable>>,
    /// What was resolved without reading anything that is the host's own.
    known: Mutex<HashMap<String, Arc<Known>>>,
}

impl Base {
    /// A base of these variables.
    pub fn new(variables: BTreeMap<String, Arc<Variable>>) -> Self {
        Base { variables, known: Mutex::default() }
    }
}

/// A variable of a base, resolved.
#[derive(Debug)]
pub struct Known {
    resolved: Resolved,
    /// Its name and value as the host's record has them, once somebody has written one.
    pub written: OnceLock<String>,
    /// Every name that was read on the way, set or not: a host that sets one of them resolves anew.
    read: Arc<BTreeSet<String>>,
}

/// The variables of one host.
pub struct Scope {
    world: Weak<World>,
    host: usize,
    base: Arc<Base>,
    own: BTreeMap<String, Arc<Variable>>,
    resolved: Mutex<HashMap<String, Noted>>,
    /// The variables that are being resolved now, outermost first.
    active: Mutex<Vec<Active>>,
}

/// A variable that is being resolved.
struct Active {
    name: String,
    /// What it has read; nothing once it has read what is this host's alone.
    read: Option<BTreeSet<String>>,
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scope({} variables)", self.variables().count())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Scope {
    /// The scope of a host: what it sets itself goes before what its groups set.
    pub fn new(
        world: &Arc<World>,
        host: usize,
        base: Arc<Base>,
        own: BTreeMap<String, Arc<Variable>>,
    ) -> Self {
        let world = Arc::downgrade(world);
        Scope { world, host, base, own, resolved: Mutex::default(), active: Mutex::default() }
    }

    /// What is set for the host, by name.
    pub fn variables(&self) -> impl Iterator<Item = &Arc<Variable>> {
        Merged { own: self.own.values().peekable(), base: self.base.variables.values().peekable() }
    }

    /// A variable, unresolved.
    pub fn variable(&self, name: &str) -> Option<&Arc<Variable>> {
        self.own.get(name).or_else(|| self.base.variables.get(name))
    }

    /// Whether the host itself sets it.
    pub fn is_own(&self, name: &str) -> bool {
        self.own.contains_key(name)
    }

    /// A variable's value; nothing where nothing sets it.
    ///
    /// # Errors
    /// Why it cannot be resolved.
    pub fn resolve(self: &Arc<Self>, name: &str) -> Option<Resolved> {
        let variable = self.variable(name)?;
        if let Some((known, read)) = self.known(name) {
            self.has_read(name, read.as_deref());
            return Some(known);
        }
        let chain = {
            let mut active = lock(&self.active);
            let begin = active.iter().position(|known| known.name == name);
            if begin.is_none() && active.len() < MAX_CHAIN {
                active.push(Active { name: name.to_owned(), read: Some(BTreeSet::new()) });
                None
            } else {
                let names = active[begin.unwrap_or(active.len() - 1)..].iter();
                Some(names.map(|active| active.name.as_str()).collect::<Vec<_>>().join(" → "))
            }
        };
        if let Some(chain) = chain {
            // Who closes a circle depends on where it was entered.
            self.reads_own();
            return Some(Err(Arc::new(circle(variable, name, &chain))));
        }
        let resolved = self.node(variable, &variable.node).map_err(Arc::new);
        let read = lock(&self.active).pop().and_then(|active| active.read).map(Arc::new);
        if let Some(read) = &read
            && !self.own.contains_key(name)
            && !self.sets_any(read)
        {
            let known = Known { resolved: resolved.clone(), written: OnceLock::new(), read: read.clone() };
            lock(&self.base.known).insert(name.to_owned(), Arc::new(known));
        }
        self.has_read(name, read.as_deref());
        lock(&self.resolved).insert(name.to_owned(), (resolved.clone(), read));
        Some(resolved)
    }

    /// What was resolved before, for this host or for another with the same groups.
    fn known(&self, name: &str) -> Option<Noted> {
        if let Some(known) = lock(&self.resolved).get(name) {
            return Some(known.clone());
        }
        let known = self.shared(name)?;
        Some((known.resolved.clone(), Some(known.read.clone())))
    }

    /// What was resolved for another host with the same groups, where nothing of this host's own plays a part.
    pub fn shared(&self, name: &str) -> Option<Arc<Known>> {
        if self.own.contains_key(name) {
            return None;
        }
        let known = lock(&self.base.known).get(name).cloned()?;
        (!self.sets_any(&known.read)).then_some(known)
    }

    /// Whether the host itself sets one of these.
    fn sets_any(&self, names: &BTreeSet<String>) -> bool {
        match self.own.len() < names.len() {
            true => self.own.keys().any(|name| names.contains(name)),
            false => names.iter().any(|name| self.own.contains_key(name)),
        }
    }

    /// Notes for the variable that is being resolved that it read another one, with all that this one read.
    fn has_read(&self, name: &str, below: Option<&BTreeSet<String>>) {
        if let Some(active) = lock(&self.active).last_mut() {
            match below {
                None => active.read = None,
                Some(below) => {
                    if let Some(read) = &mut active.read {
                        read.insert(name.to_owned());
                        read.extend(below.iter().cloned());
                    }
                }
            }
        }
    }

    /// Notes that what is being resolved is this host's alone.
    fn reads_own(&self) {
        if let Some(active) = lock(&self.active).last_mut() {
            active.read = None;
        }
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
        let context =
            Context::new(Value::from_dyn_object(self.clone())).lookups(world.loader.lookups.clone());
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
            && let Some((Err(inner), _)) = self.known(name)
        {
            return Unresolved::clone(&inner);
        }
        let mut diagnostic = Diagnostic::new(format!("cannot resolve variable `{}`", variable.name))
            .cause(error.cause.clone());
        diagnostic.hints.push(error.hint.clone().unwrap_or_else(|| hint(error, &variable.name)));
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
            None => {
                let value = magic::value(&self.world.upgrade()?, self.host, key);
                match value {
                    Some(_) => self.reads_own(),
                    None => self.has_read(key, Some(&BTreeSet::new())),
                }
                value
            }
            Some(Ok(value)) => Some(value),
            Some(Err(reason)) if reason.undefined => None,
            Some(Err(reason)) => Some(failed(&reason)),
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.variables().map(|it| Value::from(it.name.as_str())).collect())
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

/// What to do where the engine knows no cure.
fn hint(error: &TemplateError, variable: &str) -> String {
    match &error.undefined {
        Some(name) if !name.is_empty() => {
            format!("set it for the host or one of its groups, or write `{{{{ {name} | default('…') }}}}`")
        }
        _ if error.cause.starts_with("syntax error") => {
            "mend the template; a text that is none is written `!unsafe '…'`".to_owned()
        }
        _ => format!("mend the template; `pq-inventory --explain {variable}` shows what it reads"),
    }
}

fn circle(variable: &Variable, name: &str, chain: &str) -> Unresolved {
    let diagnostic = if chain.split(" → ").next() == Some(name) {
        Diagnostic::new(format!("variable `{name}` needs itself")).cause(format!("{chain} → {name}"))
    } else {
        Diagnostic::new(format!("variable `{name}` is read by too long a chain of variables"))
            .cause(format!("more than {MAX_CHAIN} variables read each other in a row"))
    };
    let diagnostic = diagnostic.hint("give one of them a value that reads none of the others");
    Unresolved { diagnostic: diagnostic.at(variable.file.place(variable.node.start)), undefined: false }
}

/// The variables of two maps by name; where both have one, the first map's.
struct Merged<'s> {
    own: Peekable<btree_map::Values<'s, String, Arc<Variable>>>,
    base: Peekable<btree_map::Values<'s, String, Arc<Variable>>>,
}

impl<'s> Iterator for Merged<'s> {
    type Item = &'s Arc<Variable>;

    fn next(&mut self) -> Option<Self::Item> {
        let order = match (self.own.peek(), self.base.peek()) {
            (Some(own), Some(base)) => own.name.cmp(&base.name),
            (None, _) => return self.base.next(),
            (Some(_), None) => return self.own.next(),
        };
        if order.is_eq() {
            self.base.next();
        }
        if order.is_gt() { self.base.next() } else { self.own.next() }
    }
}
