//! Renders texts and evaluates values.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use minijinja::machinery::{self, make_string_output};
use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, Value};

use crate::cache::Cache;
use crate::compile::{self, Compiled, Refusal};
use crate::context::Context;
use crate::error::TemplateError;
use crate::text::MAX_TEXT;
use crate::{backslashes, bounds, filters, functions, json, methods, questions, sinks, spent, yaml};

/// The environment in which everything is rendered.
pub struct Templates {
    environment: Environment<'static>,
    files: SyntaxConfig,
    values: SyntaxConfig,
    /// Compiled values; files are rendered once.
    compiled: Cache,
}

impl fmt::Debug for Templates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Templates")
    }
}

impl Default for Templates {
    fn default() -> Self {
        Templates::new()
    }
}

impl Templates {
    /// The environment, with every filter, test and function.
    pub fn new() -> Self {
        let mut environment = Environment::empty();
        // What is below something undefined is undefined too, so that `default` catches it; the guards make errors of
        // everything else that would work on it.
        environment.set_undefined_behavior(UndefinedBehavior::Chainable);
        environment.set_fuel(Some(spent::FUEL));
        environment.set_debug(true);
        compile::add_guards(&mut environment);
        filters::add(&mut environment);
        functions::add(&mut environment);
        sinks::add(&mut environment);
        json::add(&mut environment);
        yaml::add(&mut environment);
        questions::add(&mut environment);
        environment.set_unknown_method_callback(methods::call);
        let syntax = |lstrip| {
            let mut builder = SyntaxConfig::builder();
            builder.trim_blocks(true).lstrip_blocks(lstrip).keep_trailing_newline(true);
            builder.build().unwrap_or_default()
        };
        Templates { environment, files: syntax(true), values: syntax(false), compiled: Cache::default() }
    }

    /// What was compiled lately.
    #[cfg(test)]
    pub(crate) fn compiled(&self) -> &Cache {
        &self.compiled
    }

    /// Whether a text has anything to render.
    pub fn is_template(text: &str) -> bool {
        ["{{", "{%", "{#"].iter().any(|opening| text.contains(opening))
    }

    /// Renders a file: blocks on a line of their own leave no line and no indentation behind.
    ///
    /// # Errors
    /// What is wrong, and where in the source.
    pub fn render_text(&self, name: &str, source: &str, context: &Context) -> Result<String, TemplateError> {
        let value = self.run(name, source, context, &self.files, false)?;
        Ok(value.as_str().unwrap_or_default().to_owned())
    }

    /// Evaluates a value: what is exactly one `{{ expression }}` keeps its type, everything else is a text.
    ///
    /// # Errors
    /// What is wrong, and where in the source.
    pub fn evaluate(
        &self,
        name: &str,
        source: &str,
        context: &Context,
    ) -> Result<serde_json::Value, TemplateError> {
        let value = self.value(name, source, context)?;
        json::to_json(&value).map_err(|error| TemplateError::new(name, source, context, Refusal::from(error)))
    }

    /// As [`Templates::evaluate`], in the engine's own type, for contexts that are looked up lazily.
    ///
    /// # Errors
    /// What is wrong, and where in the source.
    pub fn value(&self, name: &str, source: &str, context: &Context) -> Result<Value, TemplateError> {
        let doubled = backslashes::literal(source);
        self.run(name, &doubled, context, &self.values, true).map_err(|mut error| {
            if matches!(doubled, Cow::Owned(_)) {
                let line = source.lines().nth(error.line - 1).unwrap_or("");
                error.column = backslashes::column(line, &error.text, error.column);
                line.clone_into(&mut error.text);
            }
            error
        })
    }

    /// Whether a condition such as `vars.tls == "selfsigned"`, written without braces, holds.
    ///
    /// # Errors
    /// What is wrong, and where in the condition.
    pub fn holds(&self, name: &str, condition: &str, context: &Context) -> Result<bool, TemplateError> {
        let source = format!("{{{{ true if ({condition}) else false }}}}");
        let shift = "{{ true if (".len();
        self.run(name, &source, context, &self.values, true).map(|value| value.is_true()).map_err(
            |mut error| {
                if error.line == 1 {
                    error.column = error.column.saturating_sub(shift).max(1);
                }
                error.text = condition.lines().nth(error.line - 1).unwrap_or("").to_owned();
                error
            },
        )
    }

    fn run(
        &self,
        name: &str,
        source: &str,
        context: &Context,
        syntax: &SyntaxConfig,
        native: bool,
    ) -> Result<Value, TemplateError> {
        let run = || self.run_here(name, source, context, syntax, native);
        match bounds::needs_room(source) {
            false => run(),
            true => spent::with_room(run)
                .unwrap_or_else(|error| Err(TemplateError::new(name, source, context, Refusal::from(error)))),
        }
    }

    fn run_here(
        &self,
        name: &str,
        source: &str,
        context: &Context,
        syntax: &SyntaxConfig,
        native: bool,
    ) -> Result<Value, TemplateError> {
        let refused = |refusal| TemplateError::new(name, source, context, refusal);
        if native {
            // The engine's own errors would name another value with the same source: ours name this one.
            let kept = self
                .compiled
                .get(source, |source| compile::compile("value", source, syntax, native))
                .map_err(refused)?;
            self.eval(name, source, context, kept.borrow_dependent(), native)
        } else {
            let compiled = compile::compile(name, source, syntax, native).map_err(refused)?;
            self.eval(name, source, context, &compiled, native)
        }
    }

    fn eval(
        &self,
        name: &str,
        source: &str,
        context: &Context,
        compiled: &Compiled<'_>,
        native: bool,
    ) -> Result<Value, TemplateError> {
        let (value, text) = spent::rendering(|| {
            let mut text = String::new();
            let blocks = BTreeMap::new();
            let (value, state) = machinery::eval(
                &self.environment,
                &compiled.instructions,
                context.root(),
                &blocks,
                &mut make_string_output(&mut text),
                AutoEscape::None,
            )?;
            let taken = state.fuel_levels().map_or(0, |(taken, _)| taken);
            if text.len() > MAX_TEXT {
                return Err(Error::from(ErrorKind::OutOfFuel));
            }
            let value = match native && value.is_none() && !compiled.single {
                true => compile::alone(&state, &text)?,
                false => value,
            };
            if let Some(value) = &value {
                bounds::shallow(value)?;
            }
            Ok(((value, text), taken))
        })
        .map_err(|error| TemplateError::new(name, source, context, Refusal::from(error)))?;
        let value = match (compiled.single, value) {
            (_, Some(value)) => value,
            (true, None) => {
                return Err(TemplateError::plain(name, source, "the expression left no value".to_owned()));
            }
            (false, None) => Value::from(text),
        };
        // The newlines at the end that compiling took, or a block there, come back.
        let ends = |text: &str| text.len() - text.trim_end_matches('\n').len();
        Ok(match value.as_str() {
            Some(text) if native && ends(source) > ends(text) => {
                Value::from(text.to_owned() + &"\n".repeat(ends(source) - ends(text)))
            }
            _ => value,
        })
    }
}
