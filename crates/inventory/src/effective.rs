//! The variables that are in effect: of each name the last that was set, in the order of the names.
//!
//! A list of pointers that is searched by halves: hosts share most of their variables, and names stay where they are.

use std::sync::Arc;

use crate::groups::Variable;

/// Variables, one of each name, by name.
#[derive(Debug, Default)]
pub struct Effective(Vec<Arc<Variable>>);

impl Effective {
    /// What is in effect after these were set in this order.
    pub fn new<'v>(set: impl IntoIterator<Item = &'v Arc<Variable>>) -> Self {
        let mut all: Vec<Arc<Variable>> = set.into_iter().cloned().collect();
        // The later one comes first, and stays.
        all.reverse();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all.dedup_by(|later, earlier| later.name == earlier.name);
        all.shrink_to_fit();
        Effective(all)
    }

    /// Where a name stands in the order; nothing where it is not set.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.0.binary_search_by(|variable| (*variable.name).cmp(name)).ok()
    }

    /// The variable of a name.
    pub fn get(&self, name: &str) -> Option<&Arc<Variable>> {
        self.position(name).map(|at| &self.0[at])
    }

    /// All of them, in the order of their names.
    pub fn as_slice(&self) -> &[Arc<Variable>] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::SourceFile;
    use crate::node::{Data, Mark, Node};

    fn variable(name: &str, value: i64) -> Arc<Variable> {
        let mark = Mark::START;
        let file = Arc::new(SourceFile::new("f".into(), "f".into(), String::new(), false));
        let node = Arc::new(Node { data: Data::Int(value), start: mark, end: mark });
        Arc::new(Variable::new(name.to_owned(), node, mark, file, pq_secrets::Values::new()))
    }

    #[test]
    fn of_one_name_the_last_is_in_effect() {
        let set = [variable("b", 1), variable("a", 2), variable("b", 3), variable("c", 4), variable("b", 5)];
        let effective = Effective::new(&set);
        let names: Vec<&str> = effective.as_slice().iter().map(|it| &*it.name).collect();
        assert_eq!(names, ["a", "b", "c"]);
        assert_eq!(effective.get("b").unwrap().node.data, Data::Int(5));
        assert_eq!(effective.position("c"), Some(2));
        assert_eq!(effective.position("d"), None);
    }
}
