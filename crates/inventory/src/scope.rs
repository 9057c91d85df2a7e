//! The variables of one host as templates see them: resolved when they are read, once, and never in a circle.

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap};
use std::iter::{Enumerate, Peekable};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::{fmt, slice};

use pq_template::value::{Enumerator, Object};
use pq_template::{Context, TemplateError, Templates, Value};

use crate::effective::Effective;
use crate::foreign::HOSTVARS;
use crate::groups::Variable;
use crate::lazy::{self, Lazy};
use crate::magic::{self, VARS};
use crate::node::{Data, Node};
use crate::unresolved::{self, MAX_CHAIN, Unresolved, circle, failed};
use crate::world::World;

/// A value, or why there is none.
pub type Resolved = Result<Value, Arc<Unresolved>>;

/// What has read more names than this is not shared among hosts: each would be kept for each variable.
const MAX_READ: usize = 200;

/// Values inside one that are looked through for members that are still to be resolved.
const MAX_WHOLE: usize = 1_000_000;

/// Names that were read, set or not, in order.
type Names = Arc<[Arc<str>]>;

/// What was resolved.
#[derive(Debug, Clone)]
struct Noted {
    resolved: Resolved,
    /// Every name that was read on the way; none where it is this host's alone.
    read: Option<Names>,
    /// Whether members may be read of it though it has no value as a whole.
    partial: bool,
}

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
    /// As of [`Noted`].
    partial: bool,
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

/// Whose templates read the variables of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadBy {
    /// The host's own.
    Itself,
    /// Those of some host, through `hostvars`: then there is neither `hostvars` nor `vars`, as in Ansible.
    Hostvars,
}

/// The variables of one host.
pub struct Scope {
    world: Weak<World>,
    host: usize,
    reader: ReadBy,
    base: Arc<Base>,
    own: Effective,
    resolved: Mutex<HashMap<Arc<str>, Noted>>,
    /// Variables as templates see them in whose values there are [`Lazy`] members.
    open: Mutex<HashMap<Arc<str>, Noted>>,
    /// Templates inside lists and maps, by their nodes.
    members: Mutex<HashMap<usize, (Noted, bool)>>,
    /// What is being resolved now, outermost first.
    active: Mutex<Vec<Active>>,
    /// Why the last undefined member has no value.
    missing: Mutex<Option<Arc<Unresolved>>>,
}

/// A variable, or a template inside of one, that is being resolved.
struct Active {
    variable: Arc<Variable>,
    node: usize,
    /// What it has read; nothing once it has read what is this host's alone.
    read: Option<BTreeSet<Arc<str>>>,
    /// Whether there may be [`Lazy`] members in what comes of it.
    open: bool,
}

/// What a node is known by: those of a variable that lives have different places.
fn address(node: &Node) -> usize {
    std::ptr::from_ref(node).addr()
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
    pub fn new(world: &Arc<World>, host: usize, reader: ReadBy, base: Arc<Base>, own: Effective) -> Self {
        let world = Arc::downgrade(world);
        Scope {
            world,
            host,
            reader,
            base,
            own,
            resolved: Mutex::default(),
            open: Mutex::default(),
            members: Mutex::default(),
            active: Mutex::default(),
            missing: Mutex::default(),
        }
    }

    /// The number of the host.
    pub fn host(&self) -> usize {
        self.host
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

    /// The value of a variable of this host, whole.
    ///
    /// # Errors
    /// Why it cannot be resolved.
    pub fn value(self: &Arc<Self>, found: Found<'_>) -> Resolved {
        self.obtain(found, true)
    }

    /// A variable's value: `whole`, or as templates see it, with members that are resolved when they are read.
    fn obtain(self: &Arc<Self>, found: Found<'_>, whole: bool) -> Resolved {
        let (variable, node) = (found.variable, &found.variable.node);
        let name = &*variable.name;
        if !found.is_own()
            && let Some(value) = variable.plain()
        {
            self.has_read(name, Some(&[]));
            return Ok(value.clone());
        }
        if let Some(known) = self.known(found)
            && (whole || !known.partial || known.resolved.is_ok())
        {
            self.has_read(name, known.read.as_deref());
            return known.resolved;
        }
        if !whole {
            if node.holds_templates() {
                self.has_read(name, Some(&[]));
                self.opens();
                return Ok(Lazy::value(self, variable, node));
            }
            let open = lock(&self.open).get(name).cloned();
            if let Some(open) = open {
                self.has_read(name, open.read.as_deref());
                self.opens();
                return open.resolved;
            }
        }
        self.enter(variable, node)?;
        let mut resolved = self.node(variable, node).map_err(Arc::new);
        let (read, open) = self.so_far();
        let holds = node.holds_templates();
        let open = open && resolved.is_ok();
        if open && !holds {
            let noted = Noted { resolved: resolved.clone(), read, partial: true };
            lock(&self.open).insert(name.into(), noted);
        }
        if open && whole {
            resolved = resolved.and_then(|value| self.whole(variable, &value));
        }
        let read = self.leave();
        self.has_read(name, read.as_deref());
        if open && !whole {
            self.opens();
            return resolved;
        }
        let partial = open || holds;
        match (found.shared, read) {
            (Some(at), Some(read)) if !self.sets_any(&read) => {
                let known = Known { resolved: resolved.clone(), partial, read, written: OnceLock::new() };
                self.base.known[at].get_or_init(|| Box::new(known));
            }
            (_, read) => {
                let noted = Noted { resolved: resolved.clone(), read, partial };
                lock(&self.resolved).insert(name.into(), noted);
            }
        }
        resolved
    }

    /// What stands at a node inside a variable's value.
    ///
    /// # Errors
    /// Why it cannot be resolved.
    pub fn member(self: &Arc<Self>, variable: &Arc<Variable>, node: &Arc<Node>) -> Resolved {
        match &node.data {
            Data::Text(text) if Templates::is_template(text) => self.leaf(variable, node, text),
            Data::List(_) | Data::Map(_) => {
                self.opens();
                Ok(Lazy::value(self, variable, node))
            }
            scalar => Ok(scalar.scalar().unwrap_or_default()),
        }
    }

    /// The value of a template inside a list or map.
    fn leaf(self: &Arc<Self>, variable: &Arc<Variable>, node: &Node, text: &str) -> Resolved {
        let known = lock(&self.members).get(&address(node)).cloned();
        let (noted, open) = match known {
            Some(known) => known,
            None => {
                self.enter(variable, node)?;
                let resolved = self.template(variable, node, text).map_err(Arc::new);
                let (_, open) = self.so_far();
                let noted = Noted { resolved, read: self.leave(), partial: false };
                lock(&self.members).insert(address(node), (noted.clone(), open));
                (noted, open)
            }
        };
        self.has_read(&variable.name, noted.read.as_deref());
        if open {
            self.opens();
        }
        noted.resolved
    }

    /// Notes that a node is being resolved.
    ///
    /// # Errors
    /// It is already, or too many are.
    fn enter(&self, variable: &Arc<Variable>, node: &Node) -> Result<(), Arc<Unresolved>> {
        let chain = {
            let mut active = lock(&self.active);
            let begin = active.iter().position(|known| known.node == address(node));
            if begin.is_none() && active.len() < MAX_CHAIN {
                let (variable, read) = (variable.clone(), Some(BTreeSet::new()));
                active.push(Active { variable, node: address(node), read, open: false });
                return Ok(());
            }
            let names = active[begin.unwrap_or(active.len() - 1)..].iter();
            names.map(Active::name).collect::<Vec<_>>().join(" → ")
        };
        // Who closes a circle depends on where it was entered.
        self.reads_own();
        Err(Arc::new(circle(variable, node, &chain)))
    }

    /// What has been read for what is being resolved, and whether there may be [`Lazy`] members in it.
    fn so_far(&self) -> (Option<Names>, bool) {
        let active = lock(&self.active);
        let last = active.last();
        let read = last.and_then(|active| active.read.as_ref()).filter(|names| names.len() <= MAX_READ);
        (read.map(|names| names.iter().cloned().collect()), last.is_some_and(|active| active.open))
    }

    /// Ends what is being resolved; says what it has read.
    fn leave(&self) -> Option<Names> {
        let read = lock(&self.active).pop().and_then(|active| active.read);
        let read = read.filter(|names| names.len() <= MAX_READ);
        read.map(|names| names.into_iter().collect())
    }

    /// Notes that there may be [`Lazy`] members in what is being resolved.
    fn opens(&self) {
        if let Some(active) = lock(&self.active).last_mut() {
            active.open = true;
        }
    }

    /// Notes why a member that was read is undefined.
    pub fn misses(&self, reason: Arc<Unresolved>) {
        *lock(&self.missing) = Some(reason);
    }

    /// A value with all its members resolved.
    ///
    /// # Errors
    /// Why one of them has no value.
    fn whole(&self, variable: &Variable, value: &Value) -> Resolved {
        lock(&self.missing).take();
        let mut left = MAX_WHOLE;
        let whole = lazy::resolved(value, &mut left).map_err(|hole| match lock(&self.missing).take() {
            Some(reason) if hole.is_undefined() => reason,
            _ => Arc::new(unresolved::inside(variable, &hole)),
        })?;
        Ok(whole.unwrap_or_else(|| value.clone()))
    }

    /// All of a list or map of a variable.
    ///
    /// # Errors
    /// Why a member has no value.
    pub fn all_of(self: &Arc<Self>, variable: &Arc<Variable>, node: &Node) -> Resolved {
        self.node(variable, node).map_err(Arc::new)
    }

    /// What was resolved before, for this host or for another with the same groups.
    fn known(&self, found: Found<'_>) -> Option<Noted> {
        if let Some(Known { resolved, partial, read, .. }) = self.shared(found) {
            let (resolved, read, partial) = (resolved.clone(), Some(read.clone()), *partial);
            return Some(Noted { resolved, read, partial });
        }
        lock(&self.resolved).get(&*found.variable.name).cloned()
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
        !self.own.as_slice().is_empty() && names.iter().any(|name| self.own.get(name).is_some())
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

    fn node(self: &Arc<Self>, variable: &Arc<Variable>, node: &Node) -> Result<Value, Unresolved> {
        node.value(&mut |inner, text| match std::ptr::eq(inner, &*variable.node) {
            true => self.template(variable, inner, text),
            false => self.leaf(variable, inner, text).map_err(|reason| Unresolved::clone(&reason)),
        })
    }

    fn template(self: &Arc<Self>, variable: &Variable, node: &Node, text: &str) -> Result<Value, Unresolved> {
        let Some(world) = self.world.upgrade() else { return Ok(Value::from(text)) };
        let context =
            Context::new(Value::from_dyn_object(self.clone())).lookups(world.loader.lookups.clone());
        let before = lock(&self.missing).take();
        let value = world.templates.value(&variable.name, text, &context);
        let missing = std::mem::replace(&mut *lock(&self.missing), before);
        value.map_err(|error| self.explain(variable, node, &error, missing))
    }

    /// The reason of a template's error: that of the variable it read, where that one could not be resolved, or of
    /// the member, which is `missing`.
    fn explain(
        &self,
        variable: &Variable,
        node: &Node,
        error: &TemplateError,
        missing: Option<Arc<Unresolved>>,
    ) -> Unresolved {
        let mut source = std::error::Error::source(error);
        while let Some(inner) = source {
            if let Some(inner) = inner.downcast_ref::<Unresolved>() {
                return inner.clone();
            }
            source = inner.source();
        }
        let Some(path) = error.undefined.as_deref() else {
            return Unresolved::of_template(variable, node, error);
        };
        let head = path.split(['.', '[']).next().unwrap_or("");
        let reason = match self.find(head).map(|found| (found, self.known(found))) {
            Some((_, Some(Noted { resolved: Err(reason), partial: false, .. }))) => Some(reason),
            Some((_, Some(Noted { partial: false, .. }))) => None,
            Some((found, _)) if !found.is_own() && found.variable.plain().is_some() => None,
            // Nothing is set of that name.
            None if head == path && !path.is_empty() => None,
            _ => missing,
        };
        reason.map_or_else(
            || Unresolved::of_template(variable, node, error),
            |reason| Unresolved::clone(&reason),
        )
    }
}

impl Active {
    /// Its name: that of the variable, or the way into it.
    fn name(&self) -> String {
        let name = &self.variable.name;
        self.variable.node.path_at(name, self.node).unwrap_or_else(|| name.to_string())
    }
}

impl Object for Scope {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        match self.find(key).map(|found| self.obtain(found, false)) {
            None if self.reader == ReadBy::Hostvars && [HOSTVARS, VARS].contains(&key) => {
                self.reads_own();
                None
            }
            None if key == VARS => {
                self.reads_own();
                Some(Value::from_dyn_object(self.clone()))
            }
            None => {
                let value = magic::value(&self.world.upgrade()?, self, key);
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
        Enumerator::Values(self.variables().map(|it| Value::from(&*it.name)).collect())
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
