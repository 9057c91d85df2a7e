//! Values in an INI inventory: Python literals where they are some, texts otherwise, as Ansible has it.
//!
//! `5` is a number, `True` a boolean, `[1, 'a']` and `1, 2` are lists, `{1, 2}` too; `true`, `0644`, `--1` and `a b`
//! are texts. `b'x'` is a text that is never a template. What JSON cannot hold is refused, and no text.

mod strings;

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use pq_template::Value;

use crate::node::{Data, Key, Mark, Node};
use crate::scalar;

/// Lists and maps in each other; as in YAML.
const MAX_DEPTH: usize = 100;

/// Python takes longer decimal numbers for no numbers.
const MAX_DIGITS: usize = 4300;

/// A literal that Ansible takes, or refuses as well, and that cannot be a value here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// It holds more values than were allowed.
    Many,
    /// It holds something that has no form: what that is, and what to do.
    Formless(&'static str, &'static str),
}

const LARGE: Unfit = Unfit::Formless(
    "the number is too large",
    "put it in quotes to have it as a text: `x=12` is `x='\"12\"'` beside a host, and `x=\"12\"` below `:vars`",
);
const DEEP: Unfit = Unfit::Formless(
    "this is nested more than 100 levels deep",
    "put the inner part into a variable, or into a file in `group_vars/`",
);
const NO_KEY: Unfit =
    Unfit::Formless("a list or map is a key, or stands in a set", "a key is a text in quotes, or a number");
const NO_TEXT: Unfit =
    Unfit::Formless("these bytes are no text", "write the text without the `b` in front of its quotes");

/// The value of a text at `mark`, and how many values it holds.
///
/// # Errors
/// Where it is a literal of more values than `most`, or of what has no form here.
pub fn value(text: &str, mark: Mark, most: usize) -> Result<(Node, usize), Unfit> {
    let end = mark.at_column(mark.column() + text.chars().count());
    let mut reader =
        Reader { text: text.trim_start_matches([' ', '\t']), at: 0, mark, depth: 0, left: most, unfit: None };
    let read = reader.whole();
    // Only a literal can be unfit, but for one that was given up.
    match (read, reader.unfit) {
        (Some(_), Some(unfit)) | (None, Some(unfit @ (Unfit::Many | DEEP))) => Err(unfit),
        (Some(data), None) => Ok((Node { data, start: mark, end }, most - reader.left)),
        (None, _) => Ok((Node { data: Data::Text(text.to_owned()), start: mark, end }, 1)),
    }
}

/// What was read of a literal.
struct Found {
    data: Data,
    /// Whether it can be a key, or stand in a set.
    hashable: bool,
}

impl From<Data> for Found {
    fn from(data: Data) -> Self {
        Found { data, hashable: true }
    }
}

/// A number without its sign.
enum Number {
    Whole(Option<u128>),
    Float(f64),
    Imaginary(f64),
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    mark: Mark,
    depth: usize,
    /// Values that may still be read.
    left: usize,
    unfit: Option<Unfit>,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(' ' | '\t' | '\x0c')) {
            self.at += 1;
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

    /// Everything up to the end or a comment: a value, or several with commas, which are a list.
    fn whole(&mut self) -> Option<Data> {
        let first = self.value()?;
        let ends = |reader: &mut Self| {
            reader.space();
            reader.rest().is_empty() || reader.rest().starts_with('#')
        };
        if ends(self) {
            return Some(first.data);
        }
        self.count()?;
        let mut items = vec![first];
        while self.eat(',') && !ends(self) {
            items.push(self.value()?);
        }
        ends(self).then(|| self.list(items))
    }

    /// A value: what stands by itself, or a sum that is a complex number.
    fn value(&mut self) -> Option<Found> {
        self.count()?;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return self.give_up(DEEP);
        }
        self.space();
        let found = match self.peek()? {
            '\'' | '"' => self.strings()?,
            '[' => {
                self.next();
                let (items, _) = self.items(']', Vec::new())?;
                unhashable(self.list(items))
            }
            '(' => self.group()?,
            '{' => self.map_or_set()?,
            '.' if self.rest().starts_with("...") => {
                self.at += 3;
                Data::Text("...".to_owned()).into()
            }
            '+' | '-' | '.' | '0'..='9' => self.signed()?,
            _ if self.prefix().is_some() => self.strings()?,
            _ => self.word()?,
        };
        self.depth -= 1;
        self.complex(found)
    }

    fn count(&mut self) -> Option<()> {
        match self.left.checked_sub(1) {
            Some(left) => self.left = left,
            None => return self.give_up(Unfit::Many),
        }
        Some(())
    }

    fn give_up<T>(&mut self, unfit: Unfit) -> Option<T> {
        self.unfit = Some(unfit);
        None
    }

    fn placed(&self, data: Data) -> Arc<Node> {
        Arc::new(Node { data, start: self.mark, end: self.mark })
    }

    fn list(&self, items: Vec<Found>) -> Data {
        Data::List(items.into_iter().map(|item| self.placed(item.data)).collect())
    }

    /// Items up to the closing character, behind those that were read, and whether a comma stood among them.
    fn items(&mut self, close: char, mut items: Vec<Found>) -> Option<(Vec<Found>, bool)> {
        let mut comma = false;
        while !self.eat(close) {
            if !items.is_empty() {
                if !self.eat(',') {
                    return None;
                }
                comma = true;
                if self.eat(close) {
                    break;
                }
            }
            items.push(self.value()?);
        }
        Some((items, comma))
    }

    /// A tuple, or one value in parentheses, which only group.
    fn group(&mut self) -> Option<Found> {
        self.eat('(');
        let (mut items, comma) = self.items(')', Vec::new())?;
        if let (1, false) = (items.len(), comma) {
            return items.pop();
        }
        let hashable = items.iter().all(|item| item.hashable);
        Some(Found { hashable, ..self.list(items).into() })
    }

    fn map_or_set(&mut self) -> Option<Found> {
        self.eat('{');
        if self.eat('}') {
            return Some(unhashable(Data::Map(Vec::new())));
        }
        let first = self.value()?;
        let data = match self.eat(':') {
            true => self.map(first)?,
            false => self.set(first)?,
        };
        Some(unhashable(data))
    }

    fn map(&mut self, first: Found) -> Option<Data> {
        let mut entries: Vec<(Key, Arc<Node>)> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        let mut key = first;
        loop {
            let value = self.value()?;
            let node = self.placed(value.data);
            if matches!(key.data, Data::List(_) | Data::Map(_)) {
                self.unfit.get_or_insert(NO_KEY);
            }
            if matches!(key.data, Data::Raw(_)) {
                self.unfit.get_or_insert(NO_TEXT);
            }
            let key_of_map = Key { data: key.data, mark: self.mark };
            // As in Python the last of equal keys counts.
            match places.entry(key_of_map.identity()) {
                Entry::Occupied(known) => entries[*known.get()].1 = node,
                Entry::Vacant(new) => {
                    new.insert(entries.len());
                    entries.push((key_of_map, node));
                }
            }
            let comma = self.eat(',');
            if self.eat('}') {
                return Some(Data::Map(entries));
            }
            if !comma {
                return None;
            }
            key = self.value()?;
            if !self.eat(':') {
                return None;
            }
        }
    }

    /// A set is a list in which everything occurs once.
    fn set(&mut self, first: Found) -> Option<Data> {
        let (mut items, _) = self.items('}', vec![first])?;
        // Refused as a whole; comparing what is nested would take a time for each level.
        if items.iter().any(|item| !item.hashable) {
            self.unfit.get_or_insert(NO_KEY);
            return Some(self.list(items));
        }
        let mut seen = HashSet::new();
        items.retain(|item| seen.insert(equality(&item.data)));
        Some(self.list(items))
    }

    fn word(&mut self) -> Option<Found> {
        let start = self.at;
        while self.peek().is_some_and(|c| c.is_alphanumeric() || c == '_') {
            self.next();
        }
        match &self.text[start..self.at] {
            "True" => Some(Data::Bool(true).into()),
            "False" => Some(Data::Bool(false).into()),
            "None" => Some(Data::Null.into()),
            "set" if self.eat('(') && self.eat(')') => Some(unhashable(Data::List(Vec::new()))),
            _ => None,
        }
    }

    /// A number with at most one sign.
    fn signed(&mut self) -> Option<Found> {
        let negative = self.eat('-');
        if !negative {
            self.eat('+');
        }
        let number = match self.unsigned()? {
            Number::Whole(magnitude) => {
                let whole = magnitude.and_then(|magnitude| scalar::whole(negative, magnitude));
                whole.unwrap_or_else(|| self.too_large())
            }
            Number::Float(number) if number.is_infinite() => self.too_large(),
            Number::Float(number) => Data::Float(if negative { -number } else { number }),
            Number::Imaginary(number) => {
                let (real, number) = if negative { (-0.0, -number) } else { (0.0, number) };
                return Some(complex(real, number));
            }
        };
        Some(number.into())
    }

    fn too_large(&mut self) -> Data {
        self.unfit.get_or_insert(LARGE);
        Data::Null
    }

    /// What was found, or the complex number that it is with an imaginary one behind it: a text here.
    fn complex(&mut self, found: Found) -> Option<Found> {
        let real = match &found.data {
            Data::Int(number) => *number as f64,
            Data::Large(number) => *number as f64,
            Data::Float(number) => *number,
            _ => return Some(found),
        };
        let negative = self.eat('-');
        if !negative && !self.eat('+') {
            return Some(found);
        }
        match self.unsigned()? {
            Number::Imaginary(number) => {
                Some(complex(real + 0.0, if negative { 0.0 - number } else { number }))
            }
            _ => None,
        }
    }

    /// A number without a sign; parentheses around it only group.
    fn unsigned(&mut self) -> Option<Number> {
        let mut open = 0;
        while self.eat('(') {
            open += 1;
        }
        let number = self.number()?;
        for _ in 0..open {
            if !self.eat(')') {
                return None;
            }
        }
        Some(number)
    }

    fn number(&mut self) -> Option<Number> {
        let text = self.rest();
        let base = match text.as_bytes() {
            [b'0', b'x' | b'X', ..] => 16,
            [b'0', b'o' | b'O', ..] => 8,
            [b'0', b'b' | b'B', ..] => 2,
            _ => 10,
        };
        let (number, end) = match base {
            10 => decimal(text)?,
            _ => {
                let end = digits(text, 1 + usize::from(text[2..].starts_with('_')) + 1, base)?;
                (Number::Whole(u128::from_str_radix(&text[2..end].replace('_', ""), base).ok()), end)
            }
        };
        if text[end..].starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '.') {
            return None;
        }
        self.at += end;
        Some(number)
    }
}

/// Where the digits end that begin at `from`, with single `_` between them; nothing where there is none.
fn digits(text: &str, from: usize, base: u32) -> Option<usize> {
    let bytes = text.as_bytes();
    let is_digit = |at: usize| bytes.get(at).is_some_and(|byte| char::from(*byte).is_digit(base));
    let mut end = from;
    while is_digit(end) || (end > from && bytes.get(end) == Some(&b'_') && is_digit(end + 1)) {
        end += 1;
    }
    (end > from).then_some(end)
}

fn decimal(text: &str) -> Option<(Number, usize)> {
    let whole = digits(text, 0, 10).unwrap_or(0);
    let mut end = whole;
    if text[end..].starts_with('.') {
        end = digits(text, end + 1, 10).unwrap_or(end + 1);
    }
    // A point alone is no number.
    if end == 1 && whole == 0 {
        return None;
    }
    if text[end..].starts_with(['e', 'E']) {
        let sign = usize::from(text[end + 1..].starts_with(['+', '-']));
        end = digits(text, end + 1 + sign, 10)?;
    }
    let clean = text[..end].replace('_', "");
    if text[end..].starts_with(['j', 'J']) {
        return Some((Number::Imaginary(clean.parse().ok()?), end + 1));
    }
    if end > whole {
        return Some((Number::Float(clean.parse().ok()?), end));
    }
    let leading = clean.starts_with('0') && clean.bytes().any(|byte| byte != b'0');
    (!leading && clean.len() <= MAX_DIGITS).then(|| (Number::Whole(clean.parse().ok()), end))
}

fn unhashable(data: Data) -> Found {
    Found { data, hashable: false }
}

/// A complex number as Python writes it: a number has no such form here, and Ansible makes a text of it, too.
fn complex(real: f64, imaginary: f64) -> Found {
    let shown = |number: f64| {
        let text = Value::from(number).to_string();
        text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
    };
    let text = match real == 0.0 && real.is_sign_positive() {
        true => format!("{}j", shown(imaginary)),
        false => {
            let sign = if imaginary.is_sign_negative() { "" } else { "+" };
            format!("({}{sign}{}j)", shown(real), shown(imaginary))
        }
    };
    Data::Text(text).into()
}

/// What two values have in common that are equal in Python: `1`, `1.0` and `True` are.
fn equality(data: &Data) -> String {
    match data {
        Data::Bool(it) => i64::from(*it).to_string(),
        Data::Int(it) => it.to_string(),
        Data::Large(it) => it.to_string(),
        Data::Float(it) if it.fract() == 0.0 => format!("{it:.0}"),
        Data::Float(it) => it.to_string(),
        Data::List(items) => {
            // Texts are quoted already: quoting what holds them would double that at each level.
            let items: Vec<String> = items.iter().map(|item| equality(&item.data)).collect();
            format!("({})", items.join(","))
        }
        Data::Raw(text) => format!("b{text:?}"),
        Data::Text(text) => format!("{text:?}"),
        _ => "None".to_owned(),
    }
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
                Data::Raw(text) => format!("raw {text:?}"),
                other => other.scalar().map(|value| value.to_string()).unwrap_or_default(),
            }
        }
        match value(text, Mark::START, 1000) {
            Ok((node, _)) => show(&node.data),
            Err(unfit) => format!("{unfit:?}"),
        }
    }

    /// What Python's `ast.literal_eval` answers, and the text itself where it refuses.
    #[test]
    fn values_are_python_literals_or_texts() {
        let cases = [
            ("{(1, 'a,'), (1.0, 'a,'), ((1,), 'a,')}", "1,\"a,\",1,\"a,\""),
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
            ("'''a'''", "\"a\""),
            ("1,", "1"),
            ("22,80, 443 # ports", "22,80,443"),
            ("[1,2],[3]", "1,2,3"),
            ("1,,2", "\"1,,2\""),
            ("{1, 2, 1.0, 'a',}", "1,2,\"a\""),
            ("{(1, 2)}", "1,2"),
            ("set( )", ""),
            ("...", "\"...\""),
            ("- 1", "-1"),
            ("-(1)", "-1"),
            ("--1", "\"--1\""),
            ("-True", "\"-True\""),
            ("1+2", "\"1+2\""),
            ("1 - 2.5j", "\"(1-2.5j)\""),
            ("-2j", "\"(-0-2j)\""),
            ("007.5", "7.5"),
            ("0_0", "0"),
            ("0x_f", "15"),
            ("1__0", "\"1__0\""),
            ("1_e5", "\"1_e5\""),
            ("1.real", "\"1.real\""),
            ("-9223372036854775808", "-9223372036854775808"),
            ("18446744073709551615", "18446744073709551615"),
            ("u'x'", "\"x\""),
            (r#"b"\xc3\xa9""#, "raw \"é\""),
            (r"r'\n'", r#""\\n""#),
            (r"'\777\q'", r#""ǿ\\q""#),
            ("f'x'", "\"f'x'\""),
            ("'a' b'b'", "\"'a' b'b'\""),
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
    #[test]
    fn a_literal_that_has_no_form_here_is_refused() {
        let deep = "[".repeat(101);
        for text in [
            "1e400",
            "18446744073709551616",
            "[-9223372036854775809]",
            "{[1]}",
            "{(1, 2): 3}",
            r"b'\xff'",
            &deep,
        ] {
            assert!(shown(text).starts_with("Formless"), "{text}");
        }
        // No literal: a text, whatever stands in it.
        for text in ["1e400 x", "{[1]: x}", &"9".repeat(4301)] {
            assert_eq!(shown(text), format!("{text:?}"));
        }
        assert_eq!(shown(&"1,".repeat(1000)), "Many");
    }
}
