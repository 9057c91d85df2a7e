//! Templates that were compiled before: a value of a group is rendered for each of its hosts.

use std::collections::HashMap;
use std::mem;
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

/// Compiled templates, by their sources; those that were used least recently are forgotten.
#[derive(Default)]
pub(crate) struct Cache {
    kept: Mutex<Generations>,
}

type Generation = HashMap<Arc<str>, Arc<Kept>>;

/// What was used lately, and what was used before that and not since. Without an end, an inventory of many hosts
/// whose templates differ would take all memory.
#[derive(Default)]
struct Generations {
    young: Generation,
    old: Generation,
    /// The sources of the young ones together, in bytes.
    bytes: usize,
}

/// Templates of a generation.
const MAX_TEMPLATES: usize = 1000;

/// Their sources in bytes; what is compiled is some 70 times as large, and a small one a few kilobytes.
const MAX_BYTES: usize = 128 << 10;

impl Generations {
    fn get(&mut self, source: &str) -> Option<Arc<Kept>> {
        if let Some(known) = self.young.get(source) {
            return Some(known.clone());
        }
        let (source, known) = self.old.remove_entry(source)?;
        self.insert(source, known.clone());
        Some(known)
    }

    fn insert(&mut self, source: Arc<str>, new: Arc<Kept>) {
        if self.young.len() >= MAX_TEMPLATES || self.bytes + source.len() > MAX_BYTES {
            self.old = mem::take(&mut self.young);
            self.bytes = 0;
        }
        self.bytes += source.len();
        self.young.insert(source, new);
    }
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
        let known = self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(source);
        if let Some(known) = known {
            return Ok(known);
        }
        let new = Arc::new(Kept::try_new(source.to_owned(), |source| compile(source))?);
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).insert(source.into(), new.clone());
        Ok(new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Context, Templates};

    #[test]
    fn what_is_used_stays_and_what_is_not_goes() {
        let (templates, context) = (Templates::new(), Context::new(minijinja::Value::from(())));
        let render = |source: &str| templates.value("x", source, &context).unwrap();
        for at in 0..3 * MAX_TEMPLATES {
            render(&format!("{{{{ 1 + {at} }}}}"));
            render("{{ 1 }}");
        }
        let kept = templates.compiled().kept.lock().unwrap();
        assert!(kept.young.contains_key("{{ 1 }}") && kept.young.len() + kept.old.len() <= 2 * MAX_TEMPLATES);
        drop(kept);
        let long = "x".repeat(MAX_BYTES / 2);
        (0..10).for_each(|at| drop(render(&format!("{{{{ {at} }}}}{long}"))));
        let kept = templates.compiled().kept.lock().unwrap();
        let sources = kept.young.keys().chain(kept.old.keys());
        assert!(sources.map(|source| source.len()).sum::<usize>() <= 2 * MAX_BYTES);
    }
}
