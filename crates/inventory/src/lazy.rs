//! A list or map of a variable whose members are resolved when they are read, each by itself: one that is undefined, or in
//! a circle, is no matter for who reads another one.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock, Weak};

use pq_template::Value;
use pq_template::value::{Enumerator, Object, ObjectRepr, ValueKind};

use crate::groups::Variable;
use crate::node::{Data, Key, Node};
use crate::scope::Scope;
use crate::unresolved::{endless, failed};

/// The list or map at a node of a variable, as the templates of one host see it.
pub struct Lazy {
    /// Weak, since the scope keeps what it has resolved.
    pub scope: Weak<Scope>,
    /// The variable.
    pub variable: Arc<Variable>,
    /// The node, in that variable's value.
    pub node: Arc<Node>,
    /// The places of a map's entries by their keys.
    places: OnceLock<HashMap<Value, usize>>,
}

impl fmt::Debug for Lazy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lazy({})", self.variable.name)
    }
}

impl Lazy {
    /// The value that stands for the node.
    pub fn value(scope: &Arc<Scope>, variable: &Arc<Variable>, node: &Arc<Node>) -> Value {
        let (scope, variable, node) = (Arc::downgrade(scope), variable.clone(), node.clone());
        Value::from_object(Lazy { scope, variable, node, places: OnceLock::new() })
    }

    fn member(&self, key: &Value) -> Option<&Arc<Node>> {
        match &self.node.data {
            Data::List(items) => items.get(key.as_usize()?),
            Data::Map(entries) => {
                let places = self.places.get_or_init(|| {
                    let keys = entries.iter().map(|(key, _)| value_of(key));
                    keys.zip(0..).collect()
                });
                places.get(key).and_then(|at| entries.get(*at)).map(|(_, node)| node)
            }
            _ => None,
        }
    }
}

fn value_of(key: &Key) -> Value {
    key.data.scalar().unwrap_or_default()
}

impl Object for Lazy {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        match self.node.data {
            Data::List(_) => ObjectRepr::Seq,
            _ => ObjectRepr::Map,
        }
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let node = self.member(key)?;
        let scope = self.scope.upgrade()?;
        Some(match scope.member(&self.variable, node) {
            Ok(value) => value,
            Err(reason) if reason.undefined => {
                scope.misses(reason);
                Value::UNDEFINED
            }
            Err(reason) => failed(&reason),
        })
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        match &self.node.data {
            Data::List(items) => Enumerator::Seq(items.len()),
            Data::Map(entries) => Enumerator::Values(entries.iter().map(|(key, _)| value_of(key)).collect()),
            _ => Enumerator::Empty,
        }
    }
}

/// A value with every [`Lazy`] member in it resolved; nothing where there is none. No more than `left` values are looked
/// through: so many are too large for a record anyway.
///
/// # Errors
/// The first member that has no value.
pub fn resolved(value: &Value, left: &mut usize) -> Result<Option<Value>, Value> {
    within(value, left, 0)
}

/// Deeper values are refused where they are written.
const MAX_DEPTH: usize = 100;

fn within(value: &Value, left: &mut usize, depth: usize) -> Result<Option<Value>, Value> {
    if matches!(value.kind(), ValueKind::Undefined | ValueKind::Invalid) {
        return Err(value.clone());
    }
    if let Some(lazy) = value.downcast_object_ref::<Lazy>() {
        *left = left.saturating_sub(1);
        if depth > MAX_DEPTH || *left == 0 {
            return Err(failed(&endless(&lazy.variable)));
        }
        let Some(scope) = lazy.scope.upgrade() else { return Err(Value::UNDEFINED) };
        let whole = scope.all_of(&lazy.variable, &lazy.node).map_err(|reason| failed(&reason))?;
        // What the templates inside it gave may hold others.
        return Ok(Some(within(&whole, left, depth + 1)?.unwrap_or(whole)));
    }
    let Some(object) = value.as_object() else { return Ok(None) };
    if depth > MAX_DEPTH || *left == 0 {
        return Ok(None);
    }
    let mut changed = false;
    let mut item = |item: Value| -> Result<Value, Value> {
        *left = left.saturating_sub(1);
        let new = within(&item, left, depth + 1)?;
        changed |= new.is_some();
        Ok(new.unwrap_or(item))
    };
    let new = match object.repr() {
        // What looks names up, as `hostvars` does, is no data.
        ObjectRepr::Map if !matches!(object.enumerate(), Enumerator::Values(_)) => {
            let entries = object.try_iter_pairs().into_iter().flatten();
            Value::from_pairs(
                entries.map(|(key, value)| Ok((key, item(value)?))).collect::<Result<Vec<_>, Value>>()?,
            )
        }
        ObjectRepr::Seq | ObjectRepr::Iterable => {
            let items = object.try_iter().into_iter().flatten();
            items.map(item).collect::<Result<Vec<_>, Value>>()?.into()
        }
        _ => return Ok(None),
    };
    Ok(changed.then_some(new))
}
