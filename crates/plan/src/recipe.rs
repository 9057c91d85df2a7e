//! The steps that a recipe writes: conditions, lists and templates become steps of the stream.

use pq_recipes::{Component, Phase, Source, StepTemplate};
use pq_stream::Diagnostic;
use serde_json::{Map, Value};

use crate::draft::{Draft, Draught};
use crate::scope::Scope;

/// A recipe whose steps are written.
pub(crate) struct Recipe<'r> {
    /// What the ids begin with: `server`, `platform/nginx`, `wiki`.
    pub owner: &'r str,
    /// Its file.
    pub source: &'r Source,
    /// Where the templates that it names lie.
    pub directory: &'r str,
    /// When its steps are executed, where they do not say so themselves.
    pub phase: Option<Phase>,
    /// Whether all of its steps are hardening.
    pub hardening: bool,
    /// The environment of its commands, where they do not say otherwise themselves.
    pub env: Option<&'r Map<String, Value>>,
}

impl Draft<'_> {
    /// Writes steps of a recipe.
    ///
    /// # Errors
    /// Where one cannot be rendered, or breaks a rule of its type.
    pub fn recipe(
        &mut self,
        recipe: &Recipe<'_>,
        steps: &[StepTemplate],
        scope: &Scope,
    ) -> Result<(), Diagnostic> {
        for step in steps {
            if let Some(when) = &step.when
                && !self.renderer.holds(recipe.source, when, scope)?
            {
                continue;
            }
            match &step.each {
                None => self.recipe_step(recipe, step, scope)?,
                Some(each) => match self.renderer.node(recipe.source, each, scope)? {
                    Value::Array(items) => {
                        for item in items {
                            self.recipe_step(recipe, step, &scope.with("item", item))?;
                        }
                    }
                    other => {
                        return Err(Diagnostic::new(format!("`each` must be a list, and this is `{other}`"))
                            .at(recipe.source.place(each.mark)));
                    }
                },
            }
        }
        Ok(())
    }

    fn recipe_step(
        &mut self,
        recipe: &Recipe<'_>,
        step: &StepTemplate,
        scope: &Scope,
    ) -> Result<(), Diagnostic> {
        let mut fields = Map::new();
        for (key, node) in &step.fields {
            match self.renderer.node(recipe.source, node, scope)? {
                // a field that comes to nothing is left out
                Value::Null => {}
                value => {
                    fields.insert(key.clone(), value);
                }
            }
        }
        if let Some(env) = recipe.env.filter(|env| step.kind == "command" && !env.is_empty()) {
            let mut all = env.clone();
            all.extend(fields.get("env").and_then(Value::as_object).cloned().unwrap_or_default());
            fields.insert("env".to_owned(), all.into());
        }
        if let Some(template) = &step.template {
            let file = self.catalogue.file(recipe.directory, template, recipe.source)?;
            fields.insert("content".to_owned(), Value::from(self.renderer.file(file, scope)?));
        }
        let id = format!("{}/{}", recipe.owner, self.renderer.text(recipe.source, &step.id, scope)?);
        if let Some(within) = &step.within {
            let within = format!("{}/{}", recipe.owner, self.renderer.text(recipe.source, within, scope)?);
            self.members.entry(within).or_default().push(id.clone());
        }
        if step.kind == "transaction" && !fields.contains_key("steps") {
            // One in which nothing is done is none.
            let Some(members) = self.members.remove(&id) else { return Ok(()) };
            fields.insert("steps".to_owned(), Value::from(members));
        }
        let draught = Draught {
            id,
            title: self.renderer.text(recipe.source, &step.title, scope)?,
            kind: step.kind.clone(),
            phase: recipe.phase.unwrap_or(step.phase),
            hardening: recipe.hardening || step.hardening,
            fields,
        };
        self.push(draught, Some(recipe.source.place(step.node.mark)))
    }

    /// What the recipe of a component sees.
    ///
    /// # Errors
    /// Where a variable is not of its type.
    pub fn component_scope(&mut self, component: &Component) -> Result<Scope, Diagnostic> {
        let declared = pq_recipes::Declared {
            source: component.source.clone(),
            variables: component.variables.clone(),
            facts: component.facts.clone(),
        };
        let facts = self.facts(&declared)?;
        let own = self.values(&declared, facts.clone())?;
        let mut vars = self.scope.get("vars").and_then(Value::as_object).cloned().unwrap_or_default();
        vars.extend(own);
        let mut scope = self.scope.with("vars", vars).with("facts", facts);
        // what a component derives is the machine's own
        scope.derive(&format!("{}/server", self.host.host));
        Ok(scope)
    }
}
