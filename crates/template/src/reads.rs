//! Which variables a template reads, as far as that can be told without rendering it.
//!
//! What a template names itself (a loop's variable, a macro's argument) is none of them. A name that is put together
//! while it is rendered cannot be told; one that stands in it as a literal can.

use std::collections::{BTreeSet, HashSet};

use minijinja::machinery::{Instruction, get_compiled_template};
use minijinja::{Environment, Value};

/// The names that a template reads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reads {
    /// Variables, each once, in the order of the template; also names that it may reach by `vars` or `lookup`.
    pub names: Vec<String>,
    /// Names that it may reach by `hostvars`, of whatever host.
    pub elsewhere: BTreeSet<String>,
}

impl Reads {
    /// The names that this template reads; none where it is no template that can be read.
    pub fn of(source: &str) -> Self {
        let environment = Environment::empty();
        let Ok(template) = environment.template_from_str(source) else { return Reads::default() };
        let free = template.undeclared_variables(false);
        let instructions = &get_compiled_template(&template).instructions;
        let (mut names, mut literals, mut called) = (Vec::new(), Vec::new(), false);
        for instruction in (0..).map_while(|at| instructions.get(at)) {
            match instruction {
                Instruction::Lookup(name) if free.contains(*name) => names.push((*name).to_owned()),
                Instruction::CallFunction("lookup" | "query" | "q", _) => called = true,
                Instruction::GetAttr(name) => literals.push((*name).to_owned()),
                Instruction::LoadConst(value) => texts(value, &mut literals),
                _ => {}
            }
        }
        let mut seen = HashSet::new();
        names.retain(|name| seen.insert(name.clone()));
        let mut reads = Reads { names, elsewhere: BTreeSet::new() };
        if free.contains("hostvars") {
            reads.elsewhere.extend(literals.iter().cloned());
        }
        if called || free.contains("vars") {
            literals.retain(|name| seen.insert(name.clone()));
            reads.names.extend(literals);
        }
        reads
    }
}

/// The texts in a literal.
fn texts(value: &Value, found: &mut Vec<String>) {
    match value.as_str() {
        Some(text) => found.push(text.to_owned()),
        None => value.try_iter().into_iter().flatten().for_each(|item| texts(&item, found)),
    }
}

#[cfg(test)]
mod tests {
    use super::Reads;

    fn names(source: &str) -> String {
        Reads::of(source).names.join(" ")
    }

    #[test]
    fn variables_are_told_in_the_order_of_the_template() {
        assert_eq!(
            names("x {{ b.c | default('d e') }} y {% if a == \"f\" %}{{ b ~ g[h] }}{% endif %}"),
            "b a g h"
        );
        assert_eq!(names("plain"), "");
        assert_eq!(names("{{ broken"), "");
        assert_eq!(names("{{ port | no_such_filter }}"), "port");
    }

    #[test]
    fn what_a_template_names_itself_is_no_variable() {
        let source = "{% for user in users %}{{ loop.index }} {{ user.name }} {{ mail_domain }}{% endfor %}";
        assert_eq!(names(source), "users mail_domain");
        assert_eq!(names("{% set port = base + 1 %}{{ port }}"), "base");
    }

    #[test]
    fn names_in_quotes_are_read_where_they_lead_to_variables() {
        assert_eq!(names("{{ lookup('vars', 'smtp_host') }}"), "vars smtp_host");
        assert_eq!(names("{{ vars['smtp_host'] }}"), "vars smtp_host");
        let reads = Reads::of("{{ hostvars['db1'].db_port }} {{ hostvars[other]['db_name'] }}");
        assert_eq!(reads.names, ["hostvars", "other"]);
        assert!(["db_port", "db_name"].iter().all(|name| reads.elsewhere.contains(*name)));
    }
}
