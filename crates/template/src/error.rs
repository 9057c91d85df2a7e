//! Why a template could not be rendered, and where in it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use minijinja::{Error, ErrorKind};
use pq_stream::{Diagnostic, Place};

use crate::compile::Refusal;
use crate::context::Context;
use crate::guard::Misuse;
use crate::{bounds, spent};

/// What to do with a secret instead.
const SECRET_HINT: &str = "a secret can be put into text, be tested with `is defined`, and go through a sink such as `php` or `json`";

/// What is said of a template that has no sensible end.
const TOO_MUCH: &str = "the template takes too much work or makes too much text";

/// What to do about it.
const TOO_MUCH_HINT: &str = "a template may take a million instructions and make 8 MiB of text: loop over less, or set the value itself";

/// A template that could not be rendered.
#[derive(Debug, Clone)]
pub struct TemplateError {
    /// Name of the template: a file's path, or what the text is of.
    pub name: String,
    /// Line in the template, counted from 1.
    pub line: usize,
    /// Column in characters, counted from 1; 1 where only the line is known.
    pub column: usize,
    /// The text of that line.
    pub text: String,
    /// The cause in one line.
    pub cause: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The variable that is undefined, as in `smtp.host`, where that is the cause.
    pub undefined: Option<String>,
    /// The engine's own error; an error that the context's objects raised is in its chain of sources.
    source: Option<Engines>,
}

/// An error of the engine. It holds the values that it is about, which may be too deep to be dropped just anywhere.
#[derive(Debug, Clone)]
struct Engines {
    error: Option<Arc<Error>>,
    deep: bool,
}

impl Drop for Engines {
    fn drop(&mut self) {
        if let Some(error) = self.error.take()
            && self.deep
            && let Some(error) = Arc::into_inner(error)
        {
            // Where there is no other stack, this one has to do.
            let _ = spent::with_room(move || drop(error));
        }
    }
}

impl TemplateError {
    /// An error of the whole template, found before or after the engine ran.
    pub(crate) fn plain(name: &str, source: &str, cause: String) -> Self {
        let text = source.lines().next().unwrap_or("").to_owned();
        TemplateError {
            name: name.to_owned(),
            line: 1,
            column: 1,
            text,
            cause,
            hint: None,
            undefined: None,
            source: None,
        }
    }

    /// What the engine or the compiler says, brought into our form.
    pub(crate) fn new(name: &str, source: &str, context: &Context, refusal: Refusal) -> Self {
        let Refusal { error, offset, line } = refusal;
        let offset = error.range().map(|range| range.start).or(offset);
        let (line, column) = match offset {
            Some(offset) => position(source, offset),
            None => (error.line().or(line).unwrap_or(1), 1),
        };
        let text = source.lines().nth(line - 1).unwrap_or("").to_owned();
        let (cause, hint) = explain(&error, context);
        let undefined = match error.kind() {
            ErrorKind::UndefinedError => Some(cause.split('`').nth(1).unwrap_or("").to_owned()),
            _ => None,
        };
        let column = undefined.as_deref().and_then(|name| word(&text, name)).unwrap_or(column);
        TemplateError {
            name: name.to_owned(),
            line,
            column,
            text,
            cause,
            hint,
            undefined,
            source: Some(Engines { error: Some(Arc::new(error)), deep: bounds::needs_room(source) }),
        }
    }

    /// The error as people read it, with its place in the template.
    pub fn diagnostic(&self) -> Diagnostic {
        let diagnostic = Diagnostic::new(self.to_string()).cause(self.cause.clone()).at(Place {
            file: self.name.clone(),
            line: self.line,
            column: self.column,
            text: self.text.clone(),
        });
        match &self.hint {
            Some(hint) => diagnostic.hint(hint.clone()),
            None => diagnostic,
        }
    }
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot render `{}`", self.name)
    }
}

impl std::error::Error for TemplateError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref()?.error.as_ref().map(|error| &**error as _)
    }
}

/// Line and column of a byte.
fn position(source: &str, offset: usize) -> (usize, usize) {
    let before = source.get(..offset).unwrap_or(source);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// The column of a name in a line; the engine points at the filter that first minded.
fn word(line: &str, name: &str) -> Option<usize> {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    if name.is_empty() {
        return None;
    }
    line.match_indices(name).find_map(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + name.len()..]);
        let whole = !before.ends_with(part) && !after.starts_with(part);
        whole.then(|| before.chars().count() + 1)
    })
}

/// Cause and hint of an engine's error.
fn explain(error: &Error, context: &Context) -> (String, Option<String>) {
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        if let Some(misuse) = inner.downcast_ref::<Misuse>() {
            return (misuse.to_string(), Some(misuse.hint.unwrap_or(SECRET_HINT).to_owned()));
        }
        source = inner.source();
    }
    let detail = error.detail().unwrap_or("").trim();
    match error.kind() {
        ErrorKind::UndefinedError => undefined(detail, context),
        ErrorKind::OutOfFuel => (TOO_MUCH.to_owned(), Some(TOO_MUCH_HINT.to_owned())),
        ErrorKind::UnknownFilter => unknown(detail, "filter", crate::filters::names()),
        ErrorKind::UnknownTest => unknown(detail, "test", crate::questions::names()),
        ErrorKind::UnknownFunction => match crate::refused::why("function", first_word(detail)) {
            Some(why) => {
                (format!("the function `{}` is not supported", first_word(detail)), Some(why.to_owned()))
            }
            None => (format!("there is no function `{}`", first_word(detail)), None),
        },
        ErrorKind::UnknownMethod => {
            let named = detail.split(['`', ' ']).find_map(|word| crate::refused::why("method", word));
            (format!("there is no such method: {detail}"), named.map(str::to_owned))
        }
        _ if detail.is_empty() => (error.kind().to_string(), None),
        kind @ ErrorKind::SyntaxError => (format!("{kind}: {detail}"), None),
        _ => (detail.to_owned(), None),
    }
}

/// An undefined variable and its neighbour; the engine says "`vars.titel` is undefined", in parentheses or not.
fn undefined(detail: &str, context: &Context) -> (String, Option<String>) {
    let Some(name) = detail.split('`').nth(1).filter(|name| !name.is_empty()) else {
        return ("a value is undefined".to_owned(), None);
    };
    let path: Vec<&str> = name.split('.').collect();
    let (last, above) = path.split_last().unwrap_or((&"", &[]));
    let hint = suggested(last, above, context).map(|found| {
        let full = above.iter().copied().chain([found.as_str()]).collect::<Vec<_>>().join(".");
        format!("did you mean `{full}`?")
    });
    (format!("`{name}` is undefined"), hint)
}

/// Names that are compared in a run: as many variables may be undefined as there are names to compare each with.
const MAX_COMPARED: usize = 500_000;

/// The name below `above` that was probably meant, unless too many were compared already.
fn suggested(name: &str, above: &[&str], context: &Context) -> Option<String> {
    static COMPARED: AtomicUsize = AtomicUsize::new(0);
    if COMPARED.load(Relaxed) > MAX_COMPARED {
        return None;
    }
    let known = context.names_below(above);
    COMPARED.fetch_add(known.len(), Relaxed);
    pq_stream::nearest(name, known)
}

fn unknown(detail: &str, what: &str, known: Vec<&'static str>) -> (String, Option<String>) {
    let name = detail.split_whitespace().nth(1).unwrap_or("");
    if let Some(why) = crate::refused::why(what, name) {
        return (format!("the {what} `{name}` is not supported"), Some(why.to_owned()));
    }
    let hint = pq_stream::nearest(name, known).map(|found| format!("did you mean `{found}`?"));
    (format!("there is no {what} `{name}`"), hint)
}

fn first_word(detail: &str) -> &str {
    detail.split_whitespace().next().unwrap_or("")
}
