//! Templates that were compiled before: a value of a group is rendered for each of its hosts.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use self_cell::self_cell;

use crate::compile::{Compiled, Refusal};

self_cell! {
    /// A compiled template and the source that it points into.
    pub(crate) struct Kept {
        owner: String,
        #[covariant]
        dependent: Compiled,
    }
}

/// Compiled templates, by their sources.
#[derive(Default)]
pub(crate) struct Cache {
    kept: Mutex<HashMap<Arc<str>, Arc<Kept>>>,
}

impl Cache {
    /// The compiled template of a source; it is compiled where it is new.
    ///
    /// # Errors
    /// What the compiler answers; that is not kept.
    pub fn get(
        &self,
        source: &str,
        compile: impl for<'s> FnOnce(&'s str) -> Result<Compiled<'s>, Refusal>,
    ) -> Result<Arc<Kept>, Refusal> {
        let known = self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(source).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let new = Arc::new(Kept::try_new(source.to_owned(), |source| compile(source))?);
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).insert(source.into(), new.clone());
        Ok(new)
    }
}
