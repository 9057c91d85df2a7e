//! Renders what recipes write, and leads errors back to their files.

use pq_recipes::{Data, Mark, Node, Source};
use pq_stream::Diagnostic;
use pq_template::{TemplateError, Templates};
use serde_json::{Map, Value};

use crate::scope::Scope;

/// Renders the texts of recipes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Renderer<'t>(pub &'t Templates);

impl Renderer<'_> {
    /// A value with its texts rendered; a text that is one expression keeps the expression's type.
    ///
    /// # Errors
    /// Where a text cannot be rendered.
    pub fn node(&self, source: &Source, node: &Node, scope: &Scope) -> Result<Value, Diagnostic> {
        Ok(match &node.data {
            Data::Scalar(Value::String(text)) if Templates::is_template(text) => self
                .0
                .evaluate(&source.shown, text, &scope.context())
                .map_err(|error| inside(source, node, &error, scope))?,
            Data::Scalar(value) => value.clone(),
            Data::List(items) => Value::Array(
                items.iter().map(|item| self.node(source, item, scope)).collect::<Result<_, _>>()?,
            ),
            Data::Map(entries) => {
                let mut map = Map::new();
                for (key, value) in entries {
                    map.insert(key.clone(), self.node(source, value, scope)?);
                }
                Value::Object(map)
            }
        })
    }

    /// A value that must come out as a text.
    ///
    /// # Errors
    /// Where it cannot be rendered, or is no text.
    pub fn text(&self, source: &Source, node: &Node, scope: &Scope) -> Result<String, Diagnostic> {
        match self.node(source, node, scope)? {
            Value::String(text) => Ok(text),
            Value::Number(number) => Ok(number.to_string()),
            Value::Bool(word) => Ok(word.to_string()),
            other => Err(Diagnostic::new(format!("a text must stand here, and this is `{other}`"))
                .at(source.place(node.mark))),
        }
    }

    /// Whether a condition holds.
    ///
    /// # Errors
    /// Where it cannot be evaluated.
    pub fn holds(&self, source: &Source, node: &Node, scope: &Scope) -> Result<bool, Diagnostic> {
        let condition = node.text().unwrap_or_default();
        let held = self.0.holds(&source.shown, condition, &scope.context());
        held.map_err(|error| inside(source, node, &error, scope))
    }

    /// A file of the catalogue, rendered.
    ///
    /// # Errors
    /// Where it cannot be rendered.
    pub fn file(&self, source: &Source, scope: &Scope) -> Result<String, Diagnostic> {
        let rendered = self.0.render_text(&source.shown, &source.text, &scope.context());
        rendered.map_err(|error| hinted(error.diagnostic(), &error, scope))
    }
}

/// An error in a text of a YAML file: its place in the text becomes one in the file.
fn inside(source: &Source, node: &Node, error: &TemplateError, scope: &Scope) -> Diagnostic {
    let opening = source.place(node.mark).text.chars().nth(node.mark.column.saturating_sub(1));
    let mark = match opening {
        Some('|' | '>') => {
            let line = node.mark.line + error.line;
            let indent =
                source.place(Mark { line, column: 1 }).text.chars().take_while(|c| *c == ' ').count();
            Mark { line, column: indent + error.column }
        }
        _ if error.line > 1 => Mark { line: node.mark.line + error.line - 1, column: 1 },
        Some('"' | '\'') => Mark { column: node.mark.column + error.column, ..node.mark },
        _ => Mark { column: node.mark.column + error.column - 1, ..node.mark },
    };
    hinted(error.diagnostic().at(source.place(mark)), error, scope)
}

/// The error with what to do about a variable that is not set, which the engine cannot know.
fn hinted(diagnostic: Diagnostic, error: &TemplateError, scope: &Scope) -> Diagnostic {
    match scope.missing(&error.cause) {
        Some((name, hint)) => Diagnostic {
            message: format!("a recipe reads the variable `{name}`, which is not set"),
            hints: vec![hint.to_owned()],
            ..diagnostic
        },
        None => diagnostic,
    }
}
