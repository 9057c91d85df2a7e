//! A step as a recipe writes it: spelt as on the stream, its texts templates.

use pq_stream::{Diagnostic, nearest};

use crate::{Data, Node, Source};

/// Keys of a step that are the recipe's, not the step type's.
const OWN: [&str; 10] =
    ["id", "title", "do", "before", "after", "in", "template", "when", "each", "hardening"];

/// When a step is executed, beside its place among the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Phase {
    /// Where it stands.
    #[default]
    InOrder,
    /// `before: packages`: before the package transaction.
    BeforePackages,
    /// `after: files`: behind all steps without a mark, when the files of every owner are in place.
    AfterFiles,
}

/// A step as a recipe writes it.
#[derive(Debug, Clone, PartialEq)]
pub struct StepTemplate {
    /// The whole mapping, for its place.
    pub node: Node,
    /// Name below the owner: `conf` becomes `platform/nginx/conf`.
    pub id: Node,
    /// What it is, for people.
    pub title: Node,
    /// The step type.
    pub kind: String,
    /// When it is executed.
    pub phase: Phase,
    /// `in`: the transaction that does it, by its id below the owner; a recipe of the same owner has it further down.
    pub within: Option<Node>,
    /// The file whose rendered text becomes the step's `content`.
    pub template: Option<Node>,
    /// A condition without braces; the step is left out where it does not hold.
    pub when: Option<Node>,
    /// `hardening: true`: it takes something away from who could use it, so that it may be wished to be reported only.
    pub hardening: bool,
    /// A list; the step is written once for each `item`.
    pub each: Option<Node>,
    /// The fields of the step type.
    pub fields: Vec<(String, Node)>,
}

impl StepTemplate {
    /// Takes a step apart.
    ///
    /// # Errors
    /// Where `id`, `title` or `do` is missing, or one of the recipe's own keys is no text.
    pub fn new(source: &Source, node: &Node) -> Result<Self, Diagnostic> {
        let error = |at: &Node, text: String| Diagnostic::new(text).at(source.place(at.mark));
        let Data::Map(entries) = &node.data else {
            return Err(error(node, format!("a step is a mapping, and this is {}", node.words())));
        };
        let text = |key: &str| match node.get(key) {
            Some(value) if value.text().is_none() => {
                Err(error(value, format!("`{key}` of a step must be a text, and this is {}", value.words())))
            }
            value => Ok(value.cloned()),
        };
        let required = |key: &str| {
            text(key)?.ok_or_else(|| {
                let written = entries.iter().map(|(name, _)| name.clone());
                let diagnostic = error(node, format!("a step has no `{key}`"));
                match nearest(key, written) {
                    Some(name) => diagnostic.hint(format!("is `{name}` a slip?")),
                    None => diagnostic.hint("every step has `id`, `title` and `do`"),
                }
            })
        };
        let plain = |node: Node| node.text().unwrap_or_default().to_owned();
        Ok(StepTemplate {
            node: node.clone(),
            id: required("id")?,
            title: required("title")?,
            kind: plain(required("do")?),
            phase: match (node.get("before"), node.get("after")) {
                (None, None) => Phase::InOrder,
                (Some(word), None) if word.text() == Some("packages") => Phase::BeforePackages,
                (None, Some(word)) if word.text() == Some("files") => Phase::AfterFiles,
                (Some(word), _) | (_, Some(word)) => {
                    let diagnostic = error(word, "a step has another phase than there is".to_owned());
                    return Err(diagnostic
                        .hint("there are `before: packages` and `after: files`, and one of them only"));
                }
            },
            within: text("in")?,
            template: text("template")?,
            when: text("when")?,
            each: node.get("each").cloned(),
            hardening: match node.get("hardening") {
                None => false,
                Some(value) if value.data == Data::Scalar(true.into()) => true,
                Some(value) => return Err(error(value, "`hardening` of a step can only be true".to_owned())),
            },
            fields: entries.iter().filter(|(key, _)| !OWN.contains(&key.as_str())).cloned().collect(),
        })
    }

    /// Takes the steps of a list apart.
    ///
    /// # Errors
    /// As [`StepTemplate::new`].
    pub fn all(source: &Source, nodes: &[Node]) -> Result<Vec<Self>, Diagnostic> {
        nodes.iter().map(|node| StepTemplate::new(source, node)).collect()
    }
}
