//! Values in an INI inventory: Python literals where they are some, texts otherwise, as Ansible has it.
//!
//! `5` is a number, `True` a boolean, `[1, 'a']` a list; `true`, `0644` and `a b` are texts.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use crate::node::{Data, Key, Mark, Node};

/// The value of a text at `mark`.
pub fn value(text: &str, mark: Mark) -> Node {
    let end = Mark { column: mark.column + text.chars().count(), ..mark };
    let data = literal(text.trim(), mark).unwrap_or_else(|| Data::Text(text.to_owned()));
    Node { data, start: mark, end }
}

fn literal(text: &str, mark: Mark) -> Option<Data> {
    let mut reader = Reader { text, at: 0, mark, depth: 0 };
    let data = reader.value()?;
    reader.space();
    let rest = &text[reader.at..];
    (rest.is_empty() || rest.starts_with('#')).then_some(data)
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    mark: Mark,
    depth: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn space(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.next();
        }
    }

    fn eat(&mut self, c: char) -> bool {
        self.space();
        let found = self.peek() == Some(c);
        if found {
            self.next();
        }
        found
    }

    fn value(&mut self) -> Option<Data> {
        self.space();
        self.depth += 1;
        if self.depth > 50 {
            return None;
        }
        let data = match self.peek()? {
            '\'' | '"' => self.strings(),
            '[' => self.items('[', ']').map(|(items, _)| Data::List(items)),
            '(' => self.items('(', ')').and_then(|(mut items, comma)| match (items.len(), comma) {
                // Parentheses around one value without a comma only group.
                (1, false) => items.pop().map(|item| item.data.clone()),
                _ => Some(Data::List(items)),
            }),
            '{' => self.map(),
            c if c.is_alphabetic() => self.word(),
            _ => self.number(),
        };
        self.depth -= 1;
        data
    }

    fn node(&mut self) -> Option<Arc<Node>> {
        let data = self.value()?;
        Some(Arc::new(Node { data, start: self.mark, end: self.mark }))
    }

    /// Items up to the closing character, and whether a comma stood among them.
    fn items(&mut self, open: char, close: char) -> Option<(Vec<Arc<Node>>, bool)> {
        self.eat(open);
        let (mut items, mut comma) = (Vec::new(), false);
        while !self.eat(close) {
            if !items.is_empty() && !comma_before(&mut comma, self.eat(',')) {
                return None;
            }
            if self.eat(close) {
                break;
            }
            items.push(self.node()?);
        }
        Some((items, comma))
    }

    fn map(&mut self) -> Option<Data> {
        self.eat('{');
        let mut entries: Vec<(Key, Arc<Node>)> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        while !self.eat('}') {
            if !entries.is_empty() && !self.eat(',') {
                return None;
            }
            if self.eat('}') {
                break;
            }
            let key = Key { data: self.value()?, mark: self.mark };
            if matches!(key.data, Data::List(_) | Data::Map(_)) || !self.eat(':') {
                return None;
            }
            let node = self.node()?;
            // As in Python the last of equal keys counts.
            match places.entry(key.identity()) {
                Entry::Occupied(known) => entries[*known.get()].1 = node,
                Entry::Vacant(new) => {
                    new.insert(entries.len());
                    entries.push((key, node));
                }
            }
        }
        Some(Data::Map(entries))
    }

    fn word(&mut self) -> Option<Data> {
        let start = self.at;
        while self.peek().is_some_and(|c| c.is_alphanumeric() || c == '_') {
            self.next();
        }
        match &self.text[start..self.at] {
            "True" => Some(Data::Bool(true)),
            "False" => Some(Data::Bool(false)),
            "None" => Some(Data::Null),
            _ => None,
        }
    }

    /// One string, or several beside each other, which are one.
    fn strings(&mut self) -> Option<Data> {
        let mut out = String::new();
        while let Some(quote @ ('\'' | '"')) = self.peek() {
            self.next();
            // Three quotes begin a string of several lines, which no value is.
            if self.text[self.at..].starts_with(&format!("{quote}{quote}")) {
                return None;
            }
            loop {
                match self.next()? {
                    c if c == quote => break,
                    '\\' => out.extend(self.escape()?),
                    c => out.push(c),
                }
            }
            self.space();
        }
        Some(Data::Text(out))
    }

    fn escape(&mut self) -> Option<Vec<char>> {
        let found = match self.text[self.at..].chars().next()? {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            '0' => '\0',
            c @ ('\\' | '\'' | '"') => c,
            'x' => self.code(2)?,
            'u' => self.code(4)?,
            'U' => self.code(8)?,
            // An escape that is none stays as it is.
            _ => return Some(vec!['\\']),
        };
        self.next();
        Some(vec![found])
    }

    /// The character of an escape's digits; stops on the last of them.
    fn code(&mut self, digits: usize) -> Option<char> {
        let text = self.text.get(self.at + 1..self.at + 1 + digits)?;
        // Without it a sign would be taken for a digit.
        if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let found = u32::from_str_radix(text, 16).ok().and_then(char::from_u32)?;
        self.at += digits;
        Some(found)
    }

    fn number(&mut self) -> Option<Data> {
        let start = self.at;
        while matches!(self.peek(), Some('+' | '-')) {
            self.next();
        }
        let negative = self.text[start..self.at].matches('-').count() % 2 == 1;
        let begin = self.at;
        while self.peek().is_some_and(|c| c.is_ascii_alphanumeric() || "._".contains(c))
            || (matches!(self.peek(), Some('+' | '-')) && self.text[begin..self.at].ends_with(['e', 'E']))
        {
            self.next();
        }
        let digits = &self.text[begin..self.at];
        if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
            || digits.ends_with('_')
            || digits.contains("__")
        {
            return None;
        }
        let clean = digits.replace('_', "");
        let based = |prefix: &str, base| {
            let lower = clean.to_ascii_lowercase();
            lower.strip_prefix(prefix).and_then(|digits| i64::from_str_radix(digits, base).ok())
        };
        let whole = based("0x", 16).or_else(|| based("0o", 8)).or_else(|| based("0b", 2)).or_else(|| {
            let leading = clean.len() > 1 && clean.starts_with('0') && clean.bytes().any(|byte| byte != b'0');
            if leading { None } else { clean.parse().ok() }
        });
        if let Some(whole) = whole {
            return Some(Data::Int(if negative { -whole } else { whole }));
        }
        let is_float = clean.contains(['.', 'e', 'E'])
            && clean.bytes().all(|b| b.is_ascii_digit() || b".eE+-".contains(&b));
        let number: f64 = if is_float { clean.parse().ok()? } else { return None };
        Some(Data::Float(if negative { -number } else { number }))
    }
}

/// Notes that a comma stood there, and says whether one did.
fn comma_before(seen: &mut bool, found: bool) -> bool {
    *seen |= found;
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        fn show(data: &Data) -> String {
            match data {
                Data::List(items) => items.iter().map(|item| show(&item.data)).collect::<Vec<_>>().join(","),
                Data::Map(entries) => entries
                    .iter()
                    .map(|(key, node)| format!("{}={}", key.text(), show(&node.data)))
                    .collect::<Vec<_>>()
                    .join(","),
                Data::Text(text) => format!("{text:?}"),
                other => other.scalar().map(|value| value.to_string()).unwrap_or_default(),
            }
        }
        show(&value(text, Mark { line: 1, column: 1 }).data)
    }

    /// What Python's `ast.literal_eval` answers, and the text itself where it refuses.
    #[test]
    fn values_are_python_literals_or_texts() {
        let cases = [
            ("5", "5"),
            ("-5", "-5"),
            ("0644", "\"0644\""),
            ("0o17", "15"),
            ("0x1f", "31"),
            ("1_000", "1000"),
            ("1e3", "1000.0"),
            (".5", "0.5"),
            ("1.2.3", "\"1.2.3\""),
            ("True", "True"),
            ("true", "\"true\""),
            ("None", "None"),
            ("'a b'", "\"a b\""),
            ("'a' \"b\"", "\"ab\""),
            ("''", "\"\""),
            ("['', \"\"]", "\"\",\"\""),
            ("'''a'''", "\"'''a'''\""),
            ("'\\x+1'", "\"'\\\\x+1'\""),
            ("[1, 'a', [True]]", "1,\"a\",True"),
            ("(1, 2)", "1,2"),
            ("(1)", "1"),
            ("{'a': 1, 'b': [2]}", "a=1,b=2"),
            ("{\"a\": 1,}", "a=1"),
            ("1 # one", "1"),
            ("a # b", "\"a # b\""),
            ("[1, a]", "\"[1, a]\""),
            ("a b", "\"a b\""),
            ("", "\"\""),
            ("10.77.0.1", "\"10.77.0.1\""),
            ("'it\\'s \\u00e9'", "\"it's é\""),
            ("{{ x }}", "\"{{ x }}\""),
            ("1 2", "\"1 2\""),
        ];
        for (text, expected) in cases {
            assert_eq!(shown(text), expected, "{text}");
        }
    }
}
