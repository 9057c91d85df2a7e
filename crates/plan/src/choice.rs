//! Which instances a command line means: those of an application, or one by its id.

use pq_stream::Instance;

/// The instances that are meant; all of them where no name is given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice(Vec<String>);

impl Choice {
    /// Those of these applications, or with these ids.
    pub fn new(names: impl IntoIterator<Item = String>) -> Self {
        Choice(names.into_iter().collect())
    }

    /// Whether an instance is meant.
    pub fn takes(&self, instance: &Instance) -> bool {
        self.0.is_empty() || self.0.iter().any(|name| *name == instance.app || *name == instance.id)
    }

    /// The names that were given.
    pub fn names(&self) -> &[String] {
        &self.0
    }
}
