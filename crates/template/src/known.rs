//! Values that were seen before: texts and numbers are found at once, lists and maps one after the other.

use std::collections::HashSet;

use minijinja::{Error, Value};

use crate::spent;

/// Values, each once.
#[derive(Default)]
pub(crate) struct Known {
    plain: HashSet<Value>,
    /// Maps that are equal may have their keys in another order, so they have no hash.
    nested: Vec<Value>,
}

impl Known {
    /// These values.
    ///
    /// # Errors
    /// That comparing them took too much work.
    pub(crate) fn of(values: &[Value]) -> Result<Self, Error> {
        let mut known = Known::default();
        for value in values {
            known.add(value)?;
        }
        Ok(known)
    }

    /// Whether a value is among them.
    ///
    /// # Errors
    /// That comparing took too much work.
    pub(crate) fn has(&self, value: &Value) -> Result<bool, Error> {
        if value.as_object().is_none() {
            return Ok(self.plain.contains(value));
        }
        spent::walk(self.nested.len() as u64)?;
        Ok(self.nested.contains(value))
    }

    /// Adds a value; says whether it is new.
    ///
    /// # Errors
    /// That comparing took too much work.
    pub(crate) fn add(&mut self, value: &Value) -> Result<bool, Error> {
        if self.has(value)? {
            return Ok(false);
        }
        match value.as_object() {
            None => drop(self.plain.insert(value.clone())),
            Some(_) => self.nested.push(value.clone()),
        }
        Ok(true)
    }
}
