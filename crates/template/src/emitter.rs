//! Writes YAML as libyaml's emitter does, which is what Ansible's filters are: same breaks, quotes and indentation.

use std::sync::LazyLock;

use regex::Regex;

/// What is written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node {
    /// A number, a truth value or nothing, as it stands.
    Plain(String),
    /// A text.
    Text(String),
    /// A secret's token: the executor writes it with its quotes.
    Token(String),
    /// A list.
    List(Vec<Node>),
    /// A map.
    Map(Vec<(Node, Node)>),
}

impl Node {
    fn is_styled(&self) -> bool {
        !matches!(self, Node::Plain(_) | Node::Text(_))
    }

    /// Whether it stands in brackets: an empty one always does.
    fn is_flow(&self, wish: Option<bool>) -> bool {
        match self {
            Node::List(items) if !items.is_empty() => wish.unwrap_or(!items.iter().any(Node::is_styled)),
            Node::Map(pairs) if !pairs.is_empty() => {
                wish.unwrap_or(!pairs.iter().any(|(key, value)| key.is_styled() || value.is_styled()))
            }
            _ => true,
        }
    }

    /// Whether it can be a key before a colon.
    fn is_simple_key(&self) -> bool {
        match self {
            Node::Plain(text) | Node::Text(text) => text.len() <= 128 && !text.contains(BREAKS),
            Node::Token(_) => true,
            Node::List(items) => items.is_empty(),
            Node::Map(pairs) => pairs.is_empty(),
        }
    }
}

/// What libyaml takes for a line break.
const BREAKS: [char; 5] = ['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'];

/// Plain texts that YAML 1.1 reads as something else.
static OTHER: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let words =
        "yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF|~|null|Null|NULL|<<|=";
    let integers = "[-+]?0b[0-1_]+|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+|[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+";
    let floats = r"[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)";
    let times = r"[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{4}-[0-9][0-9]?-[0-9][0-9]?(?:[Tt]|[ \t]+)[0-9][0-9]?:[0-9]{2}:[0-9]{2}(?:\.[0-9]*)?(?:[ \t]*(?:Z|[-+][0-9][0-9]?(?::[0-9]{2})?))?";
    Regex::new(&format!("^(?:{words}|{integers}|{floats}|{times})?$")).ok()
});

/// How a text may be written.
struct Allowed {
    plain_in_flow: bool,
    plain_in_block: bool,
    single: bool,
}

fn printable(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}')
}

fn analyze(text: &str) -> Allowed {
    let chars: Vec<char> = text.chars().collect();
    let blank = |at: usize| chars.get(at).is_none_or(|c| *c == ' ' || *c == '\t' || BREAKS.contains(c));
    let is_break = |c: Option<&char>| c.is_some_and(|c| BREAKS.contains(c));
    let mut block = text.starts_with("---") || text.starts_with("...");
    let (mut flow, mut special, mut space_break, mut break_space) = (block, false, false, false);
    for (at, c) in chars.iter().enumerate() {
        let (first, before_blank) = (at == 0, blank(at + 1));
        match c {
            '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@'
            | '`'
                if first =>
            {
                (flow, block) = (true, true);
            }
            '?' | ':' if first => (flow, block) = (true, block || before_blank),
            '-' if first && before_blank => (flow, block) = (true, true),
            ',' | '?' | '[' | ']' | '{' | '}' => flow = true,
            ':' => (flow, block) = (true, block || before_blank),
            '#' if blank(at - 1) => (flow, block) = (true, true),
            _ => {}
        }
        special |= !printable(*c) && !BREAKS.contains(c);
        if at > 0 {
            space_break |= BREAKS.contains(c) && chars[at - 1] == ' ';
            break_space |= *c == ' ' && is_break(chars.get(at - 1));
        }
    }
    let edge = |c: Option<&char>| c == Some(&' ') || is_break(c);
    let edges = edge(chars.first()) || edge(chars.last());
    let lines = text.contains(BREAKS);
    let plain = !edges && !lines && !special;
    let quoted = !break_space && !space_break && !special;
    Allowed {
        plain_in_flow: plain && !flow && !chars.is_empty(),
        plain_in_block: plain && !block,
        single: quoted,
    }
}

/// The state of the emitter.
pub(crate) struct Emitter {
    out: String,
    column: usize,
    indent: Option<usize>,
    step: usize,
    width: usize,
    wish: Option<bool>,
    flow: usize,
    blank: bool,
    indention: bool,
}

impl Emitter {
    /// Writes one document.
    pub(crate) fn write(node: &Node, step: usize, width: usize, wish: Option<bool>) -> String {
        let (out, column, indent) = (String::new(), 0, None);
        let mut it =
            Emitter { out, column, indent, step, width, wish, flow: 0, blank: true, indention: true };
        it.node(node, false, false);
        it.out.push('\n');
        it.out
    }

    fn put(&mut self, c: char) {
        self.out.push(c);
        self.column += 1;
    }

    fn line(&mut self) {
        self.out.push('\n');
        self.column = 0;
    }

    fn line_and_indent(&mut self) {
        let indent = self.indent.unwrap_or(0);
        if !self.indention || self.column > indent || self.column == indent && !self.blank {
            self.line();
        }
        while self.column < indent {
            self.put(' ');
        }
        (self.blank, self.indention) = (true, true);
    }

    fn indicator(&mut self, text: &str, spaced: bool, blank: bool, indention: bool) {
        if spaced && !self.blank {
            self.put(' ');
        }
        text.chars().for_each(|c| self.put(c));
        self.blank = blank;
        self.indention &= indention;
    }

    fn deeper(&mut self, flow: bool, indentless: bool) {
        self.indent = Some(match self.indent {
            None if flow => self.step,
            None => 0,
            Some(indent) if indentless => indent,
            Some(indent) => indent + self.step,
        });
    }

    fn node(&mut self, node: &Node, in_map: bool, key: bool) {
        let outer = self.indent;
        let flow = self.flow > 0 || node.is_flow(self.wish);
        match node {
            Node::List(items) if flow => {
                self.indicator("[", true, true, false);
                self.deeper(true, false);
                self.flow += 1;
                for (index, item) in items.iter().enumerate() {
                    self.separate(index);
                    self.node(item, false, false);
                }
                self.flow -= 1;
                self.indicator("]", false, false, false);
            }
            Node::Map(pairs) if flow => {
                self.indicator("{", true, true, false);
                self.deeper(true, false);
                self.flow += 1;
                for (index, (name, value)) in pairs.iter().enumerate() {
                    self.separate(index);
                    self.pair(name, value);
                }
                self.flow -= 1;
                self.indicator("}", false, false, false);
            }
            Node::List(items) => {
                self.deeper(false, in_map && !self.indention);
                for item in items {
                    self.line_and_indent();
                    self.indicator("-", true, false, true);
                    self.node(item, false, false);
                }
            }
            Node::Map(pairs) => {
                self.deeper(false, false);
                for (name, value) in pairs {
                    self.line_and_indent();
                    self.pair(name, value);
                }
            }
            Node::Plain(text) => self.scalar(text, true, key),
            Node::Text(text) => self.scalar(text, false, key),
            Node::Token(token) => self.indicator(token, true, false, false),
        }
        self.indent = outer;
    }

    fn separate(&mut self, index: usize) {
        if index > 0 {
            self.indicator(",", false, false, false);
        }
        if self.column > self.width {
            self.line_and_indent();
        }
    }

    fn pair(&mut self, name: &Node, value: &Node) {
        let block = self.flow == 0;
        if name.is_simple_key() {
            self.node(name, true, true);
            self.indicator(":", false, false, false);
        } else {
            self.indicator("?", true, false, block);
            self.node(name, true, false);
            if block || self.column > self.width {
                self.line_and_indent();
            }
            self.indicator(":", true, false, block);
        }
        self.node(value, true, false);
    }

    fn scalar(&mut self, text: &str, typed: bool, key: bool) {
        let allowed = analyze(text);
        self.deeper(true, false);
        let fits = if self.flow > 0 { allowed.plain_in_flow } else { allowed.plain_in_block };
        let other = || OTHER.as_ref().is_none_or(|other| other.is_match(text));
        if fits && (typed || !other()) {
            self.plain(text, !key);
        } else if allowed.single {
            self.single(text, !key);
        } else {
            self.double(text, !key);
        }
        (self.blank, self.indention) = (false, false);
    }

    /// Whether a space at `at` becomes a line break.
    fn breaks(&self, chars: &[char], at: usize, allowed: bool) -> bool {
        let alone = at == 0 || chars[at - 1] != ' ';
        allowed && alone && self.column > self.width && chars[at] == ' '
    }

    fn plain(&mut self, text: &str, folds: bool) {
        if !self.blank {
            self.put(' ');
        }
        let chars: Vec<char> = text.chars().collect();
        for (at, c) in chars.iter().enumerate() {
            if self.breaks(&chars, at, folds) && chars.get(at + 1) != Some(&' ') {
                self.line_and_indent();
            } else {
                self.put(*c);
                self.indention &= *c == ' ';
            }
        }
    }

    fn single(&mut self, text: &str, folds: bool) {
        self.indicator("'", true, false, false);
        let chars: Vec<char> = text.chars().collect();
        let mut broken = false;
        for (at, c) in chars.iter().enumerate() {
            let inside = at > 0 && at + 1 < chars.len() && chars[at + 1] != ' ';
            if inside && self.breaks(&chars, at, folds) {
                self.line_and_indent();
            } else if BREAKS.contains(c) {
                if !broken && *c == '\n' {
                    self.line();
                }
                if *c == '\n' {
                    self.line();
                } else {
                    self.out.push(*c);
                    self.column = 0;
                }
                (self.indention, broken) = (true, true);
            } else {
                if broken {
                    self.line_and_indent();
                }
                if *c == '\'' {
                    self.put('\'');
                }
                self.put(*c);
                (self.indention, broken) = (self.indention && *c == ' ', false);
            }
        }
        if broken {
            self.line_and_indent();
        }
        self.indicator("'", false, false, false);
    }

    fn double(&mut self, text: &str, folds: bool) {
        self.indicator("\"", true, false, false);
        let chars: Vec<char> = text.chars().collect();
        for (at, c) in chars.iter().enumerate() {
            if at > 0 && at + 1 < chars.len() && self.breaks(&chars, at, folds) {
                self.line_and_indent();
                if chars[at + 1] == ' ' {
                    self.put('\\');
                }
            } else if !printable(*c) || BREAKS.contains(c) || *c == '"' || *c == '\\' {
                escaped(*c).chars().for_each(|c| self.put(c));
            } else {
                self.put(*c);
            }
        }
        self.indicator("\"", false, false, false);
    }
}

fn escaped(c: char) -> String {
    let short = match c {
        '\0' => '0',
        '\u{7}' => 'a',
        '\u{8}' => 'b',
        '\t' => 't',
        '\n' => 'n',
        '\u{b}' => 'v',
        '\u{c}' => 'f',
        '\r' => 'r',
        '\u{1b}' => 'e',
        '"' | '\\' => c,
        '\u{85}' => 'N',
        '\u{2028}' => 'L',
        '\u{2029}' => 'P',
        c => {
            return match u32::from(c) {
                code @ 0..=0xff => format!("\\x{code:02X}"),
                code @ 0x100..=0xffff => format!("\\u{code:04X}"),
                code => format!("\\U{code:08X}"),
            };
        }
    };
    format!("\\{short}")
}
