//! What a recipe's templates see: `host`, `os`, `vars`, and for an instance `instance`, `paths`, `kept`.

use std::collections::BTreeMap;
use std::sync::Arc;

use pq_template::{Context, Value as Rendered, from_json};
use serde_json::Value;

/// What templates see.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    /// Each name's value, also as the template engine takes it.
    values: BTreeMap<String, (Arc<Value>, Rendered)>,
    /// What derived credentials belong to.
    derive: Option<String>,
    /// Declared variables that have no value, and what to do about each.
    missing: Vec<(String, String)>,
}

impl Scope {
    /// Adds a name.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        let value = value.into();
        let rendered = from_json(&value);
        self.values.insert(name.to_owned(), (Arc::new(value), rendered));
    }

    /// The same, with one more name.
    pub fn with(&self, name: &str, value: impl Into<Value>) -> Scope {
        let mut scope = self.clone();
        scope.set(name, value);
        scope
    }

    /// A name's value.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.values.get(name).map(|(value, _)| &**value)
    }

    /// A declared variable's value.
    pub fn var(&self, name: &str) -> Option<&Value> {
        self.get("vars")?.get(name)
    }

    /// A declared variable's value, where it is a text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.var(name)?.as_str()
    }

    /// Gives the templates `derive()`.
    pub fn derive(&mut self, scope: &str) {
        self.derive = Some(scope.to_owned());
    }

    /// Notes what to do about a declared variable that has no value.
    pub fn miss(&mut self, name: &str, hint: String) {
        self.missing.push((name.to_owned(), hint));
    }

    /// The declared variable without a value that an error's cause names, and what to do about it.
    pub fn missing(&self, cause: &str) -> Option<(&str, &str)> {
        let named = |name: &str| cause.contains(&format!("`vars.{name}`"));
        self.missing.iter().find(|(name, _)| named(name)).map(|(name, hint)| (name.as_str(), hint.as_str()))
    }

    /// The same, as the template engine takes it.
    pub fn context(&self) -> Context {
        let names = self.values.iter().map(|(name, (_, rendered))| (name.as_str(), rendered.clone()));
        let context = Context::new(Rendered::from_pairs(names));
        match &self.derive {
            Some(scope) => context.scope(scope),
            None => context,
        }
    }
}
