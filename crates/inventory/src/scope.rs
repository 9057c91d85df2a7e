//! The variables of one host as templates see them: resolved when they are read, once, and never in a circle.

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap};
use std::iter::{Enumerate, Peekable};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::{fmt, slice};

use pq_template::value::{Enumerator, Object};
use pq_template::{Context, TemplateError, Value};

use crate::effective::Effective;
use crate::groups::Variable;
use crate::magic;
use crate::node::Node;
use crate::unresolved::{MAX_CHAIN, Unresolved, circle, failed};
use crate::world::World;

/// A value, or why there is none.
pub type Resolved = Result<Value, Arc<Unresolved>>;

/// What has read more names than this is not shared among hosts: each would be kept for each variable.
const MAX_READ: usize = 200;

/// Names that were read, set or not, in order.
type Names = Arc<[Arc<str>]>;

/// What was resolved, and every name that was read on the way; no names where it is this host's alone.
type Noted = (Resolved, Option<Names>);

/// What the groups of some hosts set, and what of it came out the same for all of them.
#[derive(Debug)]
pub struct Base {
    /// By name.
    pub variables: Effective,
    /// Beside each: what was resolved without reading anything that is the host's own.
    known: Box<[OnceLock<Box<Known>>]>,
}

impl Base {
    /// A base of these variables.
    pub fn new(variables: Effective) -> Self {
        let known = variables.as_slice().iter().map(|_| OnceLock::new()).collect();
        Base { variables, known }
    }
}

/// A template of a base, resolved.
#[derive(Debug)]
struct Known {
    resolved: Resolved,
    /// A host that sets one of these resolves anew.
    read: Names,
    written: OnceLock<Box<str>>,
}

/// A variable of a host, and where it stands among those of its groups; nowhere if the host sets it itself.
#[derive(Debug, Clone, Copy)]
pub struct Found<'s> {
    /// The variable.
    pub variable: &'s Arc<Variable>,
    shared: Option<usize>,
}

impl Found<'_> {
    /// Whether the host sets it itself.
    pub fn is_own(&self) -> bool {
        self.shared.is_none()
    }
}

/// The variables of one host.
pub struct Scope {
    world: Weak<World>,
    host: usize,
    base: Arc<Base>,
    own: Effective,
    resolved: Mutex<HashMap<Arc<str>, Noted>>,
    /// The variables that are being resolved now, outermost first.
    active: Mutex<Vec<Active>>,
}

/// A variable that is being resolved.
struct Active {
    name: Arc<str>,
    /// What it has read; nothing once it has read what is this host's alone.
    read: Option<BTreeSet<Arc<str>>>,
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
    pub fn new(world: &Arc<World>, host: usize, base: Arc<Base>, own: Effective) -> Self {
        let world = Arc::downgrade(world);
        Scope { world, host, base, own, resolved: Mutex::default(), active: Mutex::default() }
    }

    /// All that is set for the host, by name.
    pub fn all(&self) -> impl Iterator<Item = Found<'_>> {
        Merged {
            own: self.own.as_slice().iter().peekable(),
            base: self.base.variables.as_slice().iter().enumerate().peekable(),
        }
        .filter(|found| !magic::is_fixed(&found.variable.name))
    }

    /// The variables that are set for the host, by name.
    pub fn variables(&self) -> impl Iterator<Item = &Arc<Variable>> {
        self.all().map(|found| found.variable)
    }

    /// A variable by its name.
    fn find(&self, name: &str) -> Option<Found<'_>> {
        if magic::is_fixed(name) {
            return None;
        }
        if let Some(variable) = self.own.get(name) {
            return Some(Found { variable, shared: None });
        }
        let at = self.base.variables.position(name)?;
        Some(Found { variable: &self.base.variables.as_slice()[at], shared: Some(at) })
    }

    /// A variable, unresolved.
    pub fn variable(&self, name: &str) -> Option<&Arc<Variable>> {
        self.find(name).map(|found| found.variable)
    }

    /// A variable's value; nothing where nothing sets it.
    ///
    /// # Errors
    /// Why it cannot be resolved.
    pub fn resolve(self: &Arc<Self>, name: &str) -> Option<Resolved> {
        self.find(name).map(|found| self.value(found))
    }

    /// The value of a variable of this host.
    ///
    /// # Errors
    /// Why it cannot be resolved.
    pub fn value(self: &Arc<Self>, found: Found<'_>) -> Resolved {
        let variable = found.variable;
        let name = variable.name.as_str();
        if !found.is_own()
            && let Some(value) = variable.plain()
        {
            self.has_read(name, Some(&[]));
            return Ok(value.clone());
        }
        if let Some((known, read)) = self.known(found) {
            self.has_read(name, read.as_deref());
            return known;
        }
        let chain = {
            let mut active = lock(&self.active);
            let begin = active.iter().position(|known| *known.name == *name);
            if begin.is_none() && active.len() < MAX_CHAIN {
                active.push(Active { name: name.into(), read: Some(BTreeSet::new()) });
                None
            } else {
                let names = active[begin.unwrap_or(active.len() - 1)..].iter();
                Some(names.map(|active| &*active.name).collect::<Vec<_>>().join(" → "))
            }
        };
        if let Some(chain) = chain {
            // Who closes a circle depends on where it was entered.
            self.reads_own();
            return Err(Arc::new(circle(variable, name, &chain)));
        }
        let resolved = self.node(variable, &variable.node).map_err(Arc::new);
        let read = lock(&self.active).pop().and_then(|active| active.read);
        let read = read.filter(|names| names.len() <= MAX_READ);
        let read: Option<Names> = read.map(|names| names.into_iter().collect());
        self.has_read(name, read.as_deref());
        match (found.shared, read) {
            (Some(at), Some(read)) if !self.sets_any(&read) => {
                let known = Known { resolved: resolved.clone(), read, written: OnceLock::new() };
                self.base.known[at].get_or_init(|| Box::new(known));
            }
            (_, read) => {
                lock(&self.resolved).insert(name.into(), (resolved.clone(), read));
            }
        }
        resolved
    }

    /// What was resolved before, for this host or for another with the same groups.
    fn known(&self, found: Found<'_>) -> Option<Noted> {
        if let Some(known) = self.shared(found) {
            return Some((known.resolved.clone(), Some(known.read.clone())));
        }
        lock(&self.resolved).get(found.variable.name.as_str()).cloned()
    }

    /// What was resolved for any host with the same groups, where nothing of this host's own plays a part.
    fn shared(&self, found: Found<'_>) -> Option<&Known> {
        let known = self.base.known[found.shared?].get()?;
        (!self.sets_any(&known.read)).then_some(known)
    }

    /// Where the entry of a variable in the records is kept, for it is the same for all hosts of the same groups;
    /// nothing where it is this host's alone, or not resolved yet.
    pub fn kept<'s>(&'s self, found: Found<'s>) -> Option<&'s OnceLock<Box<str>>> {
        match !found.is_own() && found.variable.plain().is_some() {
            true => Some(found.variable.written()),
            false => self.shared(found).map(|known| &known.written),
        }
    }

    /// Whether the host itself sets one of these.
    fn sets_any(&self, names: &[Arc<str>]) -> bool {
        !self.own.as_slice().is_empty() && names.iter().any(|name| self.own.contains(name))
    }

    /// Notes for the variable that is being resolved that it read another one, with all that this one read.
    fn has_read(&self, name: &str, below: Option<&[Arc<str>]>) {
        if let Some(active) = lock(&self.active).last_mut() {
            match below {
                None => active.read = None,
                Some(below) => {
                    if let Some(read) = &mut active.read {
                        if !read.contains(name) {
                            read.insert(name.into());
                        }
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
        node.value(&mut |node, text| self.template(variable, node, text))
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
            && let Some((Err(inner), _)) = self.find(name).and_then(|found| self.known(found))
        {
            return Unresolved::clone(&inner);
        }
        Unresolved::of_template(variable, node, error)
    }
}

impl Object for Scope {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        match self.resolve(key) {
            None if key == "vars" => {
                self.reads_own();
                Some(Value::from_dyn_object(self.clone()))
            }
            None => {
                let value = magic::value(&self.world.upgrade()?, self.host, key);
                match value {
                    Some(_) => self.reads_own(),
                    None => self.has_read(key, Some(&[])),
                }
                value
            }
            Some(Ok(value)) => Some(value),
            Some(Err(reason)) if reason.undefined => None,
            Some(Err(reason)) => Some(failed(&reason)),
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        self.reads_own();
        Enumerator::Values(self.variables().map(|it| Value::from(it.name.as_str())).collect())
    }
}

/// What the host sets and what its groups set, by name; where both set one, it is the host's.
struct Merged<'s> {
    own: Peekable<slice::Iter<'s, Arc<Variable>>>,
    base: Peekable<Enumerate<slice::Iter<'s, Arc<Variable>>>>,
}

impl<'s> Iterator for Merged<'s> {
    type Item = Found<'s>;

    fn next(&mut self) -> Option<Self::Item> {
        let order = match (self.own.peek(), self.base.peek()) {
            (Some(own), Some((_, base))) => own.name.cmp(&base.name),
            (None, _) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
        };
        if order.is_eq() {
            self.base.next();
        }
        match order {
            Ordering::Greater => self.base.next().map(|(at, variable)| Found { variable, shared: Some(at) }),
            _ => self.own.next().map(|variable| Found { variable, shared: None }),
        }
    }
}
