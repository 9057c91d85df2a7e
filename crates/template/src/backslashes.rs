//! Backslashes in the texts of `{{ … }}` stand for themselves, as Ansible has it: YAML has read them once already.
//!
//! So `regex_replace('(a)', '\1')` names a group, and `'\n'` is two characters. In `{% … %}` they are Jinja's escapes.

use std::borrow::Cow;

/// The source with each backslash in a text of `{{ … }}` doubled, which Jinja reads as one.
pub(crate) fn literal(source: &str) -> Cow<'_, str> {
    if !source.contains('\\') || !source.contains("{{") {
        return Cow::Borrowed(source);
    }
    let (mut out, mut rest) = (String::with_capacity(source.len() + 16), source);
    while let Some(at) = ["{{", "{%", "{#"].iter().filter_map(|opening| rest.find(opening)).min() {
        let (before, tail) = rest.split_at(at);
        out.push_str(before);
        let length = match &tail[..2] {
            "{{" => expression(&mut out, tail),
            "{#" => copy(&mut out, tail, tail.find("#}").map(|end| end + 2)),
            _ => copy(&mut out, tail, statement(tail)),
        };
        rest = &tail[length..];
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Copies as it is; where it has no end, all of it.
fn copy(out: &mut String, tail: &str, length: Option<usize>) -> usize {
    let length = length.unwrap_or(tail.len());
    out.push_str(&tail[..length]);
    length
}

/// The length of a statement; `raw` reaches to its end.
fn statement(tail: &str) -> Option<usize> {
    let end = tail.find("%}")? + 2;
    let word = tail[2..end].trim_start_matches(['-', '+']).trim_start();
    if !word.starts_with("raw") {
        return Some(end);
    }
    let close = end + tail[end..].find("endraw")?;
    Some(close + tail[close..].find("%}")? + 2)
}

/// Copies an expression with its backslashes doubled; how long it was.
fn expression(out: &mut String, tail: &str) -> usize {
    let (mut quote, mut chars) = (None, tail.char_indices().peekable());
    while let Some((at, c)) = chars.next() {
        out.push(c);
        match (c, quote) {
            ('\\', Some(quote)) => {
                out.push('\\');
                if let Some((_, next)) = chars.next_if(|(_, next)| *next == '\\' || *next == quote) {
                    out.extend(['\\', next]);
                }
            }
            (c, Some(open)) if c == open => quote = None,
            ('\'' | '"', None) => quote = Some(c),
            ('}', None) if at > 1 && chars.next_if(|(_, next)| *next == '}').is_some() => {
                out.push('}');
                return at + 2;
            }
            _ => {}
        }
    }
    tail.len()
}

/// The column of the source that a column of its doubled form is.
pub(crate) fn column(source: &str, doubled: &str, column: usize) -> usize {
    let mut chars = source.chars().peekable();
    1 + doubled.chars().take(column.saturating_sub(1)).filter(|c| chars.next_if_eq(c).is_some()).count()
}
