//! Whose data may be lost, as the operator says.

use std::collections::BTreeSet;

use pq_stream::{Diagnostic, nearest, owner_of};

use crate::work::WorkHost;

/// The owners and steps of `--allow-data-loss`, held to the plan.
#[derive(Debug)]
pub struct Allowed<'a> {
    wanted: &'a [String],
    /// The ids of steps that destroy data, and their owners.
    known: BTreeSet<String>,
}

impl<'a> Allowed<'a> {
    /// What the operator wrote.
    pub fn new(wanted: &'a [String]) -> Self {
        Allowed { wanted, known: BTreeSet::new() }
    }

    /// Looks at the steps of a host, for [`Allowed::all_fit`].
    pub fn see(&mut self, host: &WorkHost) {
        if self.wanted.is_empty() {
            return;
        }
        for planned in host.steps.iter().filter(|planned| planned.record.destroys.is_some()) {
            self.known.insert(planned.record.id.clone());
            self.known.insert(owner_of(&planned.record.id).to_owned());
        }
    }

    /// Whether each is about a step of the plan that destroys data, once every host was seen.
    ///
    /// # Errors
    /// One that is not.
    pub fn all_fit(&self) -> Result<(), Diagnostic> {
        let Some(unknown) = self.wanted.iter().find(|id| !self.known.contains(*id)) else { return Ok(()) };
        let shown = unknown.escape_debug();
        let error = Diagnostic::new(format!("`--allow-data-loss`: no step of `{shown}` destroys data"));
        Err(match nearest(unknown, self.known.iter().map(String::as_str)) {
            Some(near) => error.hint(format!("did you mean `{near}`? nothing was touched")),
            None => error.hint("leave it out; nothing was touched"),
        })
    }
}
