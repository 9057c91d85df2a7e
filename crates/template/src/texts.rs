//! The filters that shape texts: comments, wrapping, cutting, attributes.

use minijinja::{Error, Value};

use crate::arguments::{Given, Row};
use crate::text;

/// What each is called, and what it takes. None may be given a secret.
pub(crate) const TABLE: &[Row] = &[
    ("comment", &["text", "style", "**"], comment),
    ("center", &["value", "width"], center),
    ("truncate", &["s", "length", "killwords", "end", "leeway"], truncate),
    ("wordcount", &["s"], wordcount),
    ("wordwrap", &["s", "width", "break_long_words", "wrapstring", "break_on_hyphens"], wordwrap),
    ("replace", &["s", "old", "new", "count"], replace),
    ("indent", &["s", "width", "first", "blank"], indent),
    ("xmlattr", &["d", "autospace"], xmlattr),
    ("type_debug", &["obj"], type_debug),
];

/// A text of this many characters, in the middle, as Python's `str.center` has it.
pub(crate) fn centered(text: &str, width: usize, fill: char) -> String {
    let missing = width.saturating_sub(text.chars().count());
    let left = missing / 2 + (missing & width & 1);
    let pad = |count| std::iter::repeat_n(fill, count).collect::<String>();
    format!("{}{text}{}", pad(left), pad(missing - left))
}

fn center(given: &Given) -> Result<Value, Error> {
    Ok(centered(&given.written(0)?, given.width(1, 80)?, ' ').into())
}

fn truncate(given: &Given) -> Result<Value, Error> {
    let (text, end) = (given.text(0)?, given.text_or(3, "...")?);
    let (length, leeway) = (given.width(1, 255)?, given.width(4, 5)?);
    let kept = length.checked_sub(end.chars().count());
    let kept = kept.ok_or_else(|| given.error("`length` is shorter than `end`"))?;
    if text.chars().count() <= length + leeway {
        return Ok(text.into());
    }
    let head: String = text.chars().take(kept).collect();
    let head = if given.flag(2, false) {
        &head[..]
    } else {
        head.rsplit_once(' ').map_or(&head[..], |(head, _)| head)
    };
    Ok(format!("{head}{end}").into())
}

fn replace(given: &Given) -> Result<Value, Error> {
    let (text, old, new) = (given.written(0)?, given.written(1)?, given.written(2)?);
    let count = usize::try_from(given.integer(3, -1)?).ok();
    Ok(text::replaced(&text, &old, &new, count)?.into())
}

fn indent(given: &Given) -> Result<Value, Error> {
    let text = given.written(0)?;
    let margin = match given.option(1).and_then(Value::as_str) {
        Some(margin) => margin.to_owned(),
        None => " ".repeat(given.width(1, 4)?),
    };
    let (first, blank) = (given.flag(2, false), given.flag(3, false));
    let mut out = String::new();
    // The last line break begins a line, if it is the last of the text or not.
    for (index, line) in text.split('\n').enumerate() {
        out.push_str(if index > 0 { "\n" } else { "" });
        let wanted = if index == 0 { first } else { blank || !line.is_empty() };
        text::bounded(out.len() + margin.len() + line.len())?;
        out.push_str(if wanted { &margin } else { "" });
        out.push_str(line);
    }
    Ok(out.into())
}

fn wordcount(given: &Given) -> Result<Value, Error> {
    let text = given.written(0)?;
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
    Ok(words.filter(|word| !word.is_empty()).count().into())
}

fn xmlattr(given: &Given) -> Result<Value, Error> {
    let map = given.value(0)?;
    let (mut out, mut length) = (Vec::new(), 0);
    for key in given.list(0)? {
        let value = map.get_item(&key)?;
        let name = key.to_string();
        if name.contains(|c: char| c.is_whitespace() || "/>=".contains(c)) {
            return Err(given.error(format!("`{name}` is no name of an attribute")));
        }
        if !value.is_none() && !value.is_undefined() {
            let value = value.to_string();
            // The longest of what stands for one character has five more.
            let longer = |text: &str| text.len() + 5 * text.matches(['&', '<', '>', '\'', '"']).count();
            length += longer(&name) + longer(&value);
            text::bounded(length)?;
            out.push(format!("{}=\"{}\"", escaped(&name), escaped(&value)));
        }
    }
    let lead = if given.flag(1, true) && !out.is_empty() { " " } else { "" };
    Ok(format!("{lead}{}", out.join(" ")).into())
}

/// As markupsafe escapes.
fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('\'', "&#39;").replace('"', "&#34;")
}

fn type_debug(given: &Given) -> Result<Value, Error> {
    use minijinja::value::ValueKind as K;
    let value = given.value(0)?;
    Ok(Value::from(match value.kind() {
        K::Undefined => "UndefinedMarker",
        K::None => "NoneType",
        K::Bool => "bool",
        K::Number if value.is_integer() => "int",
        K::Number => "float",
        K::String => "str",
        K::Seq if value.is_tuple() => "tuple",
        K::Seq => "list",
        K::Map => "dict",
        kind => return Err(given.error(format!("a {kind} has no type of Python's"))),
    }))
}

/// The looks of a comment: beginning, decoration of each line, end.
const STYLES: [(&str, &str, &str, &str); 5] = [
    ("plain", "", "# ", ""),
    ("erlang", "", "% ", ""),
    ("c", "", "// ", ""),
    ("cblock", "/*", " * ", " */"),
    ("xml", "<!--", " - ", "-->"),
];

fn comment(given: &Given) -> Result<Value, Error> {
    let (text, style) = (given.text(0)?, given.text_or(1, "plain")?);
    let Some((_, beginning, decoration, end)) = STYLES.into_iter().find(|(name, ..)| *name == style) else {
        return Err(given.error(format!("there is no style `{style}`: use plain, erlang, c, cblock or xml")));
    };
    let known =
        ["newline", "beginning", "prefix", "prefix_count", "decoration", "postfix", "postfix_count", "end"];
    if let Some((name, _)) = given.named().iter().find(|(name, _)| !known.contains(&name.as_str())) {
        return Err(given.error(format!("there is no argument `{name}`")));
    }
    let option = |name: &str| given.named().iter().find(|(known, _)| known == name).map(|(_, value)| value);
    let word = |name: &str, default: &str| option(name).map_or(default.to_owned(), ToString::to_string);
    let count = |name: &str| match option(name) {
        None => Ok(1),
        Some(count) => {
            let count = count.as_usize().filter(|count| *count <= 1000);
            count.ok_or_else(|| given.error(format!("`{name}` is a number up to 1000")))
        }
    };
    let newline = word("newline", "\n");
    let decoration = word("decoration", decoration);
    let margin = decoration.trim_end();
    let (prefix, postfix) = (word("prefix", margin), word("postfix", margin));
    let mut out = String::new();
    let beginning = word("beginning", beginning);
    if !beginning.is_empty() {
        out += &format!("{beginning}{newline}");
    }
    if !prefix.is_empty() {
        let line = if prefix == newline { newline.clone() } else { format!("{prefix}{newline}") };
        let count = count("prefix_count")?;
        text::bounded(line.len().saturating_mul(count))?;
        out += &line.repeat(count);
    }
    let lines = text::replaced(&text, &newline, &format!("{newline}{decoration}"), None)?;
    let body = format!("{decoration}{lines}");
    out += &text::replaced(&body, &format!("{decoration}{newline}"), &format!("{margin}{newline}"), None)?;
    for _ in 0..count("postfix_count")? {
        text::bounded(out.len() + newline.len() + postfix.len())?;
        out += &format!("{newline}{postfix}");
    }
    let end = word("end", end);
    if !end.is_empty() {
        out += &format!("{newline}{end}");
    }
    Ok(out.into())
}

fn wordwrap(given: &Given) -> Result<Value, Error> {
    let (text, by) = (given.text(0)?, given.text_or(3, "\n")?);
    let width = given.width(1, 79)?.max(1);
    let (long, hyphens) = (given.flag(2, true), given.flag(4, true));
    let mut lines = Vec::new();
    for line in text.lines() {
        let line = wrapped(line, width, long, hyphens);
        // A line of nothing stays a line.
        if line.is_empty() { lines.push(String::new()) } else { lines.extend(line) }
    }
    text::bounded(text.len().saturating_add(lines.len().saturating_mul(by.len())))?;
    Ok(lines.join(&by).into())
}

/// As Python's `textwrap.wrap`.
fn wrapped(line: &str, width: usize, long: bool, hyphens: bool) -> Vec<String> {
    let line: Vec<char> = line.chars().collect();
    let mut chunks = chunks(&line, hyphens);
    chunks.reverse();
    let blank = |chunk: &&[char]| chunk.iter().all(|c| c.is_whitespace());
    let mut lines: Vec<String> = Vec::new();
    while !chunks.is_empty() {
        if !lines.is_empty() {
            chunks.pop_if(|chunk| blank(chunk));
        }
        let mut current: Vec<&[char]> = Vec::new();
        let mut used = 0;
        while let Some(chunk) = chunks.pop_if(|chunk| used + chunk.len() <= width) {
            used += chunk.len();
            current.push(chunk);
        }
        if let Some(chunk) = chunks.pop_if(|chunk| chunk.len() > width) {
            let room = width - used;
            if long {
                let hyphen = chunk
                    .iter()
                    .take(room)
                    .rposition(|c| *c == '-')
                    .filter(|at| hyphens && chunk.iter().take(*at).any(|c| *c != '-'));
                let (head, rest) = chunk.split_at(hyphen.map_or(room, |at| at + 1));
                current.push(head);
                chunks.push(rest);
            } else if current.is_empty() {
                current.push(chunk);
            } else {
                chunks.push(chunk);
            }
        }
        current.pop_if(|chunk| blank(chunk));
        if !current.is_empty() {
            lines.push(current.concat().into_iter().collect());
        }
    }
    lines
}

/// Runs of white space and words, a hyphenated word in parts.
fn chunks(chars: &[char], hyphens: bool) -> Vec<&[char]> {
    let letter =
        |at: Option<usize>| at.and_then(|at| chars.get(at)).is_some_and(|c| c.is_alphabetic() || *c == '_');
    let hyphen = |at: Option<usize>| at.and_then(|at| chars.get(at)) == Some(&'-');
    let (mut out, mut start) = (Vec::new(), 0);
    for (at, c) in chars.iter().enumerate() {
        let back = |count| at.checked_sub(count);
        let new = at == 0
            || chars[at - 1].is_whitespace() != c.is_whitespace()
            || hyphens
                && hyphen(back(1))
                && letter(back(2))
                && (letter(back(3)) || hyphen(back(3)) && letter(back(4)))
                && letter(Some(at))
                && (letter(Some(at + 1)) || hyphen(Some(at + 1)) && letter(Some(at + 2)));
        if new && at > 0 {
            out.push(&chars[start..at]);
            start = at;
        }
    }
    if start < chars.len() {
        out.push(&chars[start..]);
    }
    out
}
