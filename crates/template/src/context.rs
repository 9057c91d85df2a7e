//! What a template reads: the caller's variables, and `derive` where the caller gives a scope.

use std::sync::Arc;

use minijinja::value::Object;
use minijinja::{Error, ErrorKind, Value};
use pq_stream::{Source, Token, pieces};

use crate::lookups::{self, Lookups};

/// The variables of one rendering.
#[derive(Debug, Clone)]
pub struct Context {
    variables: Value,
    derive: Option<Value>,
    lookups: Option<Arc<dyn Lookups>>,
}

impl Context {
    /// A context of these variables: a map, or any object that looks names up when they are asked for.
    pub fn new(variables: impl Into<Value>) -> Self {
        Context { variables: variables.into(), derive: None, lookups: None }
    }

    /// Gives templates the function `derive(name, generation=1)`: a credential of that scope.
    #[must_use]
    pub fn scope(mut self, scope: &str) -> Self {
        let scope = scope.to_owned();
        self.derive = Some(Value::from_function(move |name: &str, generation: Option<u32>| {
            derive(&scope, name, generation.unwrap_or(1))
        }));
        self
    }

    /// Gives templates the functions `lookup`, `query` and `q`.
    #[must_use]
    pub fn lookups(mut self, lookups: Arc<dyn Lookups>) -> Self {
        self.lookups = Some(lookups);
        self
    }

    /// A variable; nothing where nothing sets it.
    pub(crate) fn variable(&self, name: &str) -> Option<Value> {
        self.variables.as_object()?.get_value_by_str(name)
    }

    /// What the engine asks for names.
    pub(crate) fn root(&self) -> Value {
        Value::from_object(Root(self.clone()))
    }

    /// The names that could have been meant by what stands below `path`: `["vars"]` → the keys of `vars`.
    pub(crate) fn names_below(&self, path: &[&str]) -> Vec<String> {
        let mut at = self.variables.clone();
        for part in path {
            match at.get_attr(part) {
                Ok(next) => at = next,
                Err(_) => return Vec::new(),
            }
        }
        let keys = at.as_object().and_then(|object| object.try_iter());
        keys.into_iter().flatten().filter_map(|key| key.as_str().map(str::to_owned)).collect()
    }
}

impl<V: Into<Value>> From<V> for Context {
    fn from(variables: V) -> Self {
        Context::new(variables)
    }
}

/// The token of a derived credential.
fn derive(scope: &str, name: &str, generation: u32) -> Result<Value, Error> {
    let source = Source::Derived { scope: scope.to_owned(), name: name.to_owned(), generation };
    let token = Token { source, sinks: Vec::new() }.to_string();
    match pieces(&token) {
        Ok(found) if found.len() == 1 && generation > 0 => Ok(Value::from(token)),
        _ => Err(Error::new(
            ErrorKind::InvalidOperation,
            format!(
                "`derive` takes a name of letters, digits and `_`, and a generation from 1 on, not `{name}`, `{generation}`"
            ),
        )),
    }
}

#[derive(Debug)]
struct Root(Context);

impl Object for Root {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        if key == "derive"
            && let Some(derive) = &self.0.derive
        {
            return Some(derive.clone());
        }
        let found = self.0.variable(key);
        match &self.0.lookups {
            Some(given) if found.is_none() => lookups::function(key, &self.0, given),
            _ => found,
        }
    }
}
