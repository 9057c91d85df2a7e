//! YAML files into nodes: the parser's events, Ansible's meaning of scalars, and a place for everything.
//!
//! Refused: a key that occurs twice, more than one document, tags that are not Ansible's, structures nested more
//! than 100 levels deep, and what takes too much memory and time: more than 100,000 values in a file, aliases that
//! would unfold into more than that, templates of more than 512 KiB together, keys of more than 1,000 characters.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use pq_stream::{Diagnostic, OPENING};
use pq_template::Templates;
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, StrInput, Tag};

use crate::file::SourceFile;
use crate::node::{Ciphertext, Data, Key, Mark, Node};
use crate::scalar;

const MAX_DEPTH: usize = 100;
const MAX_UNFOLDED: usize = 100_000;

/// Values in a file: with them, a run stays below a second and 100 MB.
pub const MAX_VALUES: usize = 100_000;

/// The templates of a file, in bytes: compiled ones are some 70 times as large.
const MAX_TEMPLATES: usize = 512 << 10;

/// A key in bytes; YAML itself allows 1024 characters in front of a colon.
const MAX_KEY: usize = 1000;

type Result<T> = std::result::Result<T, Box<Diagnostic>>;

/// The one value of a file; nothing where it is empty.
///
/// # Errors
/// What is wrong, and where.
pub fn load(file: &SourceFile) -> Result<Option<Arc<Node>>> {
    let text = file.text().strip_prefix('\u{feff}').unwrap_or(file.text());
    let json = text.trim_start().starts_with(['{', '['])
        && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
    if let Some((at, message, hint)) = (!json).then(|| forbidden(text)).flatten() {
        return Err(Box::new(file.error(at, message).hint(hint)));
    }
    let mut loader = Loader {
        file,
        json,
        stack: Vec::new(),
        anchors: HashMap::new(),
        values: 0,
        templates: 0,
        unfolded: 0,
        merges: false,
        root: None,
    };
    // Between tokens, tabs are JSON's white space; inside of its texts there are none. Our parser takes them nowhere.
    let spaced = if json && text.contains('\t') { Cow::from(text.replace('\t', " ")) } else { text.into() };
    for event in Parser::new(StrInput::new(&spaced)) {
        match event {
            Ok((event, span)) => loader.event(event, span)?,
            Err(error) => return Err(loader.syntax_error(mark(*error.marker()), error.info())),
        }
    }
    Ok(loader.root.map(|finished| finished.node))
}

/// What the parser would take and YAML forbids: control characters, and documents of another version.
fn forbidden(text: &str) -> Option<(Mark, &'static str, &'static str)> {
    let control = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}');
    if let Some(at) = text.find(control) {
        let before = &text[..at];
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        let mark = Mark::new(before.matches('\n').count() + 1, column);
        return Some((mark, "a control character stands here", "remove it, or write it as in `\"\\x1b\"`"));
    }
    let lines =
        text.lines().enumerate().take_while(|(_, line)| line.is_empty() || line.starts_with(['#', '%']));
    for (index, line) in lines {
        if line.strip_prefix("%YAML").is_some_and(|version| !version.trim_start().starts_with("1.")) {
            let mark = Mark::new(index + 1, 1);
            return Some((mark, "this version of YAML is unknown", "remove this line, or write `%YAML 1.1`"));
        }
    }
    None
}

/// What the tags of YAML itself begin with, as in `!!str`.
const CORE: &str = "tag:yaml.org,2002:";

/// The whole name of a tag, however it is written.
fn full(tag: &Tag) -> String {
    format!("{}{}", tag.handle, tag.suffix)
}

/// The parser counts columns from 0.
fn mark(marker: Marker) -> Mark {
    Mark::new(marker.line().max(1), marker.col() + 1)
}

/// A value with what it weighs when every alias is written out.
#[derive(Clone)]
struct Finished {
    node: Arc<Node>,
    weight: usize,
    depth: usize,
}

/// A list or map whose end has not come.
struct Open {
    start: Mark,
    anchor: usize,
    weight: usize,
    depth: usize,
    /// Whether what stands inside is never a template.
    unsafe_texts: bool,
    kind: Kind,
}

enum Kind {
    List(Vec<Arc<Node>>),
    Map {
        entries: Vec<(Key, Arc<Node>)>,
        seen: HashMap<String, Mark>,
        merged: Vec<Arc<Node>>,
        key: Option<Key>,
        /// Whether the key is a `<<` without quotes.
        merges: bool,
    },
}

impl Kind {
    fn map() -> Self {
        Kind::Map { entries: Vec::new(), seen: HashMap::new(), merged: Vec::new(), key: None, merges: false }
    }
}

struct Loader<'f> {
    file: &'f SourceFile,
    json: bool,
    stack: Vec<Open>,
    anchors: HashMap<usize, Finished>,
    values: usize,
    templates: usize,
    unfolded: usize,
    /// Whether the key that was read last is a `<<` without quotes.
    merges: bool,
    root: Option<Finished>,
}

impl Loader<'_> {
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<()> {
        let start = mark(span.start);
        let begins = matches!(event, Event::Scalar(..) | Event::SequenceStart(..) | Event::MappingStart(..));
        if begins && !self.awaits_key() {
            self.values += 1;
            if self.values > MAX_VALUES {
                return Err(too_many(self.file, start));
            }
        }
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let data = self.scalar(&text, style, tag.as_deref(), start)?;
                self.merges = self.awaits_key()
                    && !self.json
                    && style == ScalarStyle::Plain
                    && tag.is_none()
                    && text == "<<";
                self.demand_short(&data, start)?;
                let data = match data {
                    // A secret is the text that stands in the file: `0123` keeps its zero.
                    Data::Bool(_) | Data::Int(_) | Data::Large(_) | Data::Float(_)
                        if self.file.is_secret() && !self.awaits_key() =>
                    {
                        Data::Text(text.into_owned())
                    }
                    data => data,
                };
                let node = Arc::new(Node { data, start, end: mark(span.end) });
                self.finish(Finished { node, weight: 1, depth: 0 }, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                let unsafe_texts = self.collection_tag(tag.as_deref(), "seq", start)?;
                self.open(start, anchor, unsafe_texts, Kind::List(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                let unsafe_texts = self.collection_tag(tag.as_deref(), "map", start)?;
                if self.awaits_key() {
                    return Err(self.map_as_key(start));
                }
                self.open(start, anchor, unsafe_texts, Kind::map())
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(mark(span.end)),
            Event::Alias(anchor) => {
                let Some(found) = self.anchors.get(&anchor).cloned() else {
                    let error = self.file.error(start, "this alias stands inside the value that it names");
                    return Err(Box::new(error.hint("write the value out, or move the anchor `&name`")));
                };
                self.unfolded = self.unfolded.saturating_add(found.weight);
                if self.unfolded > MAX_UNFOLDED {
                    let error = self.file.error(start, "aliases unfold into more than 100,000 values");
                    return Err(Box::new(error.hint("write the values out, or use fewer aliases")));
                }
                self.finish(found, 0)
            }
            Event::DocumentStart(_) if self.root.is_some() => {
                let error = self.file.error(start, "a second document begins here");
                Err(Box::new(error.hint("a file of variables is one document: remove this `---`")))
            }
            _ => Ok(()),
        }
    }

    /// Refuses a key that is too long, and a template where those of the file are so together.
    fn demand_short(&mut self, data: &Data, start: Mark) -> Result<()> {
        let (Data::Text(text) | Data::Raw(text)) = data else { return Ok(()) };
        if self.awaits_key() && text.len() > MAX_KEY {
            let error = self.file.error(start, "a key is longer than 1,000 characters");
            return Err(Box::new(error.hint("a key is a name: put a long text into a value")));
        }
        // What is secret is never a template.
        if matches!(data, Data::Text(_)) && !self.file.is_secret() && Templates::is_template(text) {
            self.templates += text.len();
            if self.templates > MAX_TEMPLATES {
                let error = self.file.error(start, "the templates of this file are longer than 512 KiB");
                return Err(Box::new(error.hint(
                    "put some of them into other files; a text that is none is written `!unsafe '…'`",
                )));
            }
        }
        Ok(())
    }

    fn open(&mut self, start: Mark, anchor: usize, unsafe_texts: bool, kind: Kind) -> Result<()> {
        if self.stack.len() >= MAX_DEPTH {
            return Err(self.too_deep(start));
        }
        let unsafe_texts = unsafe_texts || self.is_unsafe();
        self.stack.push(Open { start, anchor, weight: 1, depth: 0, unsafe_texts, kind });
        Ok(())
    }

    fn too_deep(&self, start: Mark) -> Box<Diagnostic> {
        let error = self.file.error(start, "this is nested more than 100 levels deep");
        Box::new(error.hint("is a bracket or a brace not closed? else put the inner part into a variable"))
    }

    fn close(&mut self, end: Mark) -> Result<()> {
        let Some(open) = self.stack.pop() else { return Ok(()) };
        let data = match open.kind {
            Kind::List(items) => Data::List(items),
            Kind::Map { entries, merged, .. } => Data::Map(self.merge(entries, &merged)?),
        };
        let node = Arc::new(Node { data, start: open.start, end });
        self.finish(Finished { node, weight: open.weight, depth: open.depth + 1 }, open.anchor)
    }

    /// Puts a finished value where it belongs.
    fn finish(&mut self, finished: Finished, anchor: usize) -> Result<()> {
        if anchor != 0 {
            self.anchors.insert(anchor, finished.clone());
        }
        let level = self.stack.len();
        let start = finished.node.start;
        if level + finished.depth > MAX_DEPTH {
            return Err(self.too_deep(start));
        }
        let Some(open) = self.stack.last_mut() else {
            self.root = Some(finished);
            return Ok(());
        };
        open.weight = open.weight.saturating_add(finished.weight);
        open.depth = open.depth.max(finished.depth);
        match &mut open.kind {
            Kind::List(items) => items.push(finished.node),
            Kind::Map { key: key @ None, merges, .. } => match &finished.node.data {
                Data::List(_) | Data::Map(_) => {
                    let error = self.file.error(start, "a list or map cannot be a key");
                    return Err(Box::new(error.hint("a key is a word, or a text in quotes")));
                }
                data => {
                    *merges = std::mem::take(&mut self.merges);
                    *key = Some(Key { data: data.clone(), mark: start });
                }
            },
            Kind::Map { entries, seen, merged, key, merges } => {
                let Some(key) = key.take() else { return Ok(()) };
                if *merges {
                    merged.push(finished.node);
                } else {
                    if let Some(first) = seen.insert(key.identity(), key.mark) {
                        return Err(twice(self.file, &key, first));
                    }
                    entries.push((key, finished.node));
                }
            }
        }
        Ok(())
    }

    /// The entries of a map with what `<<` brings: its own win, then the first of the merged maps.
    fn merge(&self, entries: Vec<(Key, Arc<Node>)>, merged: &[Arc<Node>]) -> Result<Vec<(Key, Arc<Node>)>> {
        if merged.is_empty() {
            return Ok(entries);
        }
        let mut sources: Vec<&Arc<Node>> = Vec::new();
        for node in merged {
            match &node.data {
                Data::List(items) => sources.extend(items),
                _ => sources.push(node),
            }
        }
        let mut taken: HashSet<String> = entries.iter().map(|(key, _)| key.identity()).collect();
        let mut out: Vec<(Key, Arc<Node>)> = Vec::new();
        for source in sources {
            let Data::Map(brought) = &source.data else {
                let error = self.file.error(source.start, "`<<` takes a map, or a list of maps");
                let error = error.cause(format!("this is {}", source.data.kind()));
                return Err(Box::new(error.hint("write `<<: *name`, where `&name` stands at a map")));
            };
            for (key, node) in brought {
                if taken.insert(key.identity()) {
                    out.push((key.clone(), node.clone()));
                }
            }
        }
        out.extend(entries);
        Ok(out)
    }

    fn scalar(&self, text: &str, style: ScalarStyle, tag: Option<&Tag>, start: Mark) -> Result<Data> {
        if text.contains(OPENING) {
            let error = self.file.error(start, format!("a value holds the text `{OPENING}`"));
            return Err(Box::new(
                error
                    .cause("that text stands for a secret in what the tools say to each other")
                    .hint("to use a secret, name its variable: `{{ smtp_password }}`"),
            ));
        }
        let plain = style == ScalarStyle::Plain;
        let resolve = |text: &str| {
            let data = match if self.json { scalar::json(text) } else { scalar::plain(text) } {
                // JSON, which the stream is, has no such numbers.
                Ok(Data::Float(number)) if !number.is_finite() => Err("no number stands here"),
                data => data,
            };
            data.map_err(|cause| {
                Box::new(self.file.error(start, cause).hint("put it in quotes to have it as a text"))
            })
        };
        // Never a template, once it is a text.
        let raw = |data| match data {
            Data::Text(text) => Data::Raw(text),
            data => data,
        };
        let within = |data| if self.is_unsafe() && !self.awaits_key() { raw(data) } else { data };
        let written = || Data::Text(text.to_owned());
        match tag.map(full).as_deref() {
            Some("!unsafe") => resolve(text).map(raw),
            // A tag that says nothing: as if it were plain, also in quotes.
            Some("!") => resolve(text).map(within),
            None if plain => resolve(text).map(within),
            None => Ok(within(written())),
            Some("!vault" | "!vault-encrypted") => {
                Ok(Data::Vaulted(Box::new(Ciphertext { name: String::new(), text: text.to_owned() })))
            }
            Some(name) => match name.strip_prefix(CORE) {
                Some("str") => Ok(within(written())),
                Some("null") => Ok(Data::Null),
                Some(wanted @ ("int" | "float" | "bool")) => {
                    let data = match (wanted, scalar::plain(text).unwrap_or(Data::Null)) {
                        ("float", Data::Int(number)) => Data::Float(number as f64),
                        (_, data) => data,
                    };
                    let fits = matches!(
                        (wanted, &data),
                        ("int", Data::Int(_) | Data::Large(_))
                            | ("float", Data::Float(_))
                            | ("bool", Data::Bool(_))
                    );
                    fits.then_some(data).ok_or_else(|| {
                        let error = self.file.error(start, format!("this is no `!!{wanted}`"));
                        Box::new(error.hint("mend the value, or leave the tag out"))
                    })
                }
                _ => Err(self.unknown_tag(name, start)),
            },
        }
    }

    /// Refuses what is no tag of a list or map; whether it says that no text inside is a template.
    fn collection_tag(&self, tag: Option<&Tag>, own: &str, start: Mark) -> Result<bool> {
        match tag.map(full).as_deref() {
            None | Some("!") => Ok(false),
            Some("!unsafe") => Ok(true),
            Some(name) if name.strip_prefix(CORE) == Some(own) => Ok(false),
            Some(name) => Err(self.unknown_tag(name, start)),
        }
    }

    fn is_unsafe(&self) -> bool {
        self.stack.last().is_some_and(|open| open.unsafe_texts)
    }

    fn unknown_tag(&self, name: &str, start: Mark) -> Box<Diagnostic> {
        let shown = match name.strip_prefix(CORE) {
            Some(name) => format!("!!{name}"),
            None => name.to_owned(),
        };
        let shown = self.file.quoted(&shown);
        let error = self.file.error(start, format!("there is no tag{shown} here"));
        Box::new(error.hint("leave the tag out; a text that begins with `!` needs quotes"))
    }

    fn awaits_key(&self) -> bool {
        matches!(self.stack.last(), Some(Open { kind: Kind::Map { key: None, .. }, .. }))
    }

    /// A map where a key should be is nearly always a template that lacks its quotes.
    fn map_as_key(&self, start: Mark) -> Box<Diagnostic> {
        let error = self.file.error(start, "a map cannot be a key");
        let line = self.file.line(start.line());
        match line.find("{{") {
            Some(at) => Box::new(error.cause("`{{` outside of quotes begins two maps").hint(format!(
                "put the value in quotes: `{}\"{}\"`",
                &line[..at].trim_start(),
                line[at..].trim()
            ))),
            None => Box::new(error.hint("a key is a word, or a text in quotes")),
        }
    }

    /// The parser's complaint, with a cure for what people write most.
    fn syntax_error(&self, at: Mark, info: &str) -> Box<Diagnostic> {
        let error = self.file.error(at, format!("`{}` is no YAML", self.file.shown));
        if self.file.is_hidden() {
            let error = error.cause("what is wrong is not shown, since the file is secret");
            return Box::new(
                error.hint("look at that line where you can decrypt it, as with `pq-secret edit`"),
            );
        }
        let error = error.cause(info.to_lowercase());
        let line = self.file.line(at.line());
        let indentation: String = line.chars().take_while(|c| c.is_whitespace()).collect();
        let of_tabs = info.contains("tab") || info.contains("YAML whitespace");
        Box::new(if indentation.contains('\t') || (of_tabs && line.contains('\t')) {
            error.hint("YAML is indented with spaces: replace the tabs of this line")
        } else if line.contains(": {{") {
            error.hint("put a value that begins with `{{` in quotes")
        } else if info.contains("mapping values") || line.matches(": ").count() > 1 {
            error.hint("put a value that holds `: ` in quotes")
        } else if info.contains("anchor") {
            error.hint(
                "an alias `*name` stands behind its anchor `&name`; a text that begins with `*` needs quotes",
            )
        } else if info.contains("indentation in quoted scalar") {
            error.hint("a text in quotes goes on further in than its key: indent its next lines, up to the quote that ends it")
        } else if info.contains("quoted scalar") {
            error.hint("close the quote; in double quotes a backslash is written twice")
        } else if info.contains("indentation in flow") || info == "invalid indentation" {
            error.hint("what goes on over lines, as inside of brackets, is indented further than its key")
        } else if info.contains("flow") || info.contains("bracket") || info.contains("recursion") {
            error.hint("see whether each `[` and `{` is closed; a text that begins with one needs quotes")
        } else if info.contains("character") {
            error.hint("put a text that begins with one of `@`, `%`, `*`, `&`, `!` or a backtick in quotes")
        } else if info.contains("handle") {
            error.hint("leave the tag out; a text that begins with `!` needs quotes")
        } else {
            error
                .hint("see whether this line and the one before are indented alike, and each key has its `:`")
        })
    }
}

/// The error of a file that holds too many values.
pub fn too_many(file: &SourceFile, mark: Mark) -> Box<Diagnostic> {
    let error = file.error(mark, format!("`{}` holds more than 100,000 values", file.shown));
    Box::new(
        error.hint(
            "put some of them into other files; `group_vars/GROUP/` is a directory of as many as you like",
        ),
    )
}

/// The error of a key that occurs twice.
fn twice(file: &SourceFile, key: &Key, first: Mark) -> Box<Diagnostic> {
    let error = file.error(key.mark, format!("key{} occurs twice in a map", file.quoted(&key.text())));
    let cause = format!("it stands first at {}:{}:{}", file.shown, first.line(), file.column(first));
    Box::new(error.cause(cause).hint("remove one of them"))
}

#[cfg(test)]
#[path = "yaml_tests.rs"]
mod tests;
