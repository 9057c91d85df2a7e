//! `omit`: what is left out of a list or map that it stands in, once that is data.

use std::fmt;
use std::sync::Arc;

use minijinja::Value;
use minijinja::value::{Object, ObjectRepr};

/// Stands for nothing at all, as Ansible's does: in a text it is empty, and a variable cannot be it.
#[derive(Debug)]
struct Omit;

impl Object for Omit {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn render(self: &Arc<Self>, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}

/// The value of the variable `omit`.
pub fn omit() -> Value {
    Value::from_object(Omit)
}

/// Whether a value is that one.
pub(crate) fn is_omit(value: &Value) -> bool {
    value.downcast_object_ref::<Omit>().is_some()
}
