//! What the operator names for a plan is in it: whose data may be lost, which transactions go on.

use std::collections::BTreeSet;

use pq_steps::AnyStep;
use pq_stream::{Diagnostic, nearest, owner_of};

use crate::work::WorkHost;

/// The names of `--allow-data-loss` and `--resume`, held to the plan.
#[derive(Debug)]
pub struct Allowed<'a> {
    data_loss: &'a [String],
    resume: &'a [String],
    /// The ids of steps that destroy data, and their owners.
    destroying: BTreeSet<String>,
    /// The ids of transactions.
    transactions: BTreeSet<String>,
}

impl<'a> Allowed<'a> {
    /// What the operator wrote.
    pub fn new(data_loss: &'a [String], resume: &'a [String]) -> Self {
        Allowed { data_loss, resume, destroying: BTreeSet::new(), transactions: BTreeSet::new() }
    }

    /// Looks at the steps of a host, for [`Allowed::all_fit`].
    pub fn see(&mut self, host: &WorkHost) {
        for planned in &host.steps {
            let id = &planned.record.id;
            if !self.data_loss.is_empty() && planned.record.destroys.is_some() {
                self.destroying.extend([id.clone(), owner_of(id).to_owned()]);
            }
            if !self.resume.is_empty() && matches!(planned.step, AnyStep::Transaction(_)) {
                self.transactions.insert(id.clone());
            }
        }
    }

    /// Whether each is about a step of the plan, once every host was seen.
    ///
    /// # Errors
    /// One that is not.
    pub fn all_fit(&self) -> Result<(), Diagnostic> {
        let destroys = |name: &str| format!("`--allow-data-loss`: no step of `{name}` destroys data");
        fits(self.data_loss, &self.destroying, destroys)?;
        let resumes = |name: &str| format!("`--resume`: the plan holds no transaction `{name}`");
        fits(self.resume, &self.transactions, resumes)
    }
}

fn fits(
    names: &[String],
    known: &BTreeSet<String>,
    unknown: impl Fn(&str) -> String,
) -> Result<(), Diagnostic> {
    let Some(name) = names.iter().find(|name| !known.contains(*name)) else { return Ok(()) };
    let error = Diagnostic::new(unknown(&name.escape_debug().to_string()));
    Err(match nearest(name, known.iter().map(String::as_str)) {
        Some(near) => error.hint(format!("did you mean `{near}`? nothing was touched")),
        None => error.hint("leave it out; nothing was touched"),
    })
}
