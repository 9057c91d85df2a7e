//! Python's regular expressions, said in those of the `regex` crate.
//!
//! What the crate cannot do (look-around, backreferences, possessive and conditional parts) is refused by name; what
//! the two write in different ways is rewritten. Matching takes time linear in the text, whatever the pattern.

use regex::{Captures, Regex, RegexBuilder};

use crate::spent;

/// Longest text that is searched, in bytes, times the memory of the compiled pattern: a second at the worst, since each
/// byte takes at most 0.2 ns for each byte of it. Measured.
const MAX_SEARCHED: usize = 5_000_000 << 10;

/// What may be searched for all matches of one pattern, in bytes: each match may have to look at the whole rest.
const MAX_WORK: u64 = 5_000_000 / spent::SLOWER;

/// Most matches.
const MAX_MATCHES: usize = 100_000;

/// Memory that a compiled pattern may take: the least of these in which it has its place is taken for its size.
const SIZES: [usize; 4] = [16 << 10, 64 << 10, 256 << 10, 2 << 20];

/// A compiled pattern.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    /// Where `$` is the end of the text.
    at_end: Regex,
    /// Where `$` also stands before a line break, for texts that end with one.
    at_lines: Option<Regex>,
    /// How large they are, at most.
    size: usize,
    /// Whether an empty match may hide a longer one, which Python would look for next.
    hides: bool,
}

impl Pattern {
    /// Compiles a pattern of Python's.
    ///
    /// # Errors
    /// What is wrong with it, or not supported.
    pub(crate) fn new(source: &str, ignore_case: bool, multiline: bool) -> Result<Self, String> {
        let said = Translation::of(source, multiline)?;
        let mut size = 0;
        let mut build = |pattern: &str| {
            let mut builder = RegexBuilder::new(pattern);
            builder.case_insensitive(ignore_case).multi_line(said.multiline);
            let mut built = Err(regex::Error::CompiledTooBig(0));
            for limit in SIZES {
                built = builder.size_limit(limit).build();
                if !matches!(built, Err(regex::Error::CompiledTooBig(_))) {
                    size = limit.max(size);
                    break;
                }
            }
            built.map_err(|error| match error {
                regex::Error::CompiledTooBig(_) => "the pattern is too large".to_owned(),
                other => {
                    let text = other.to_string();
                    let last = text.lines().last().unwrap_or("").trim_start_matches("error: ");
                    match source.len() > 200 {
                        true => format!("the pattern is wrong: {last}"),
                        false => format!("the pattern `{source}` is wrong: {last}"),
                    }
                }
            })
        };
        let at_end = build(&said.text.replace(DOLLAR, if said.multiline { "$" } else { "\\z" }))?;
        let at_lines = match said.text.contains(DOLLAR) && !said.multiline {
            true => Some(build(&said.text.replace(DOLLAR, "(?m:$)"))?),
            false => None,
        };
        Ok(Pattern { at_end, at_lines, size, hides: said.hides })
    }

    /// The compiled pattern that is right for this text.
    ///
    /// # Errors
    /// Where neither is: `$` before the last of several line breaks.
    pub(crate) fn over(&self, text: &str) -> Result<&Regex, String> {
        if text.len().saturating_mul(self.size) > MAX_SEARCHED {
            return Err("the text is too long for such a pattern: search a shorter one".to_owned());
        }
        match &self.at_lines {
            Some(at_lines) if text.ends_with('\n') => match text.matches('\n').count() {
                1 => Ok(at_lines),
                _ => Err("`$` over a text of several lines that ends with a line break is not supported: \
                          use `multiline=true` or `\\Z`"
                    .to_owned()),
            },
            _ => Ok(&self.at_end),
        }
    }

    /// Every match, from left to right, as Python finds them: an empty one may follow another at once.
    ///
    /// # Errors
    /// As [`Pattern::over`], or where Python would go on in a way that the engine cannot.
    pub(crate) fn matches<'t>(&self, text: &'t str, most: usize) -> Result<Vec<Captures<'t>>, String> {
        let regex = self.over(text)?;
        let (mut out, mut at, mut empty_at) = (Vec::new(), 0, None);
        let mut work = 0;
        while out.len() < most && at <= text.len() {
            work += (text.len() - at) as u64;
            if work > MAX_WORK || out.len() >= MAX_MATCHES {
                return Err("it would take too much work: search a shorter text".to_owned());
            }
            let Some(found) = regex.captures_at(text, at) else { break };
            let whole = found.get_match();
            if whole.is_empty() && empty_at == Some(whole.start()) {
                at += text[at..].chars().next().map_or(1, char::len_utf8);
                empty_at = None;
                continue;
            }
            if whole.is_empty() {
                if self.hides && whole.start() < text.len() {
                    return Err(
                        "a pattern that can match nothing, with `|` or a lazy repetition, is not supported \
                                where all matches are looked for"
                            .to_owned(),
                    );
                }
                empty_at = Some(whole.start());
            }
            at = whole.end();
            out.push(found);
        }
        Ok(out)
    }
}

/// Stands for `$` until it is known what the text ends with.
const DOLLAR: char = '\u{f8ff}';

struct Translation {
    text: String,
    multiline: bool,
    hides: bool,
}

impl Translation {
    fn of(source: &str, multiline: bool) -> Result<Self, String> {
        let mut said = Translation { text: String::new(), multiline, hides: false };
        let chars: Vec<char> = source.chars().collect();
        if chars.contains(&DOLLAR) {
            return Err("the pattern holds a character of the private range".to_owned());
        }
        let mut at = 0;
        let mut repeatable = false;
        while let Some(c) = chars.get(at) {
            let rest = &chars[at..];
            let (taken, repeats) = match c {
                '\\' => (said.escape(rest, false)?, true),
                '[' => (said.class(rest)?, true),
                '(' => (said.group(rest, at == 0)?, false),
                '*' | '+' | '?' => (said.repetition(rest, 1, &c.to_string(), repeatable)?, false),
                '{' => match counted(rest) {
                    Some((length, text)) => (said.repetition(rest, length, &text, repeatable)?, false),
                    None => (said.push("\\{"), true),
                },
                '}' => (said.push("\\}"), true),
                ']' => (said.push("\\]"), true),
                '$' => (said.push(&DOLLAR.to_string()), true),
                '|' => {
                    said.hides = true;
                    (said.push("|"), false)
                }
                other => (said.push(&other.to_string()), true),
            };
            repeatable = repeats;
            at += taken;
        }
        Ok(said)
    }

    /// Adds one character's worth.
    fn push(&mut self, text: &str) -> usize {
        self.text.push_str(text);
        1
    }

    fn repetition(
        &mut self,
        rest: &[char],
        length: usize,
        text: &str,
        repeatable: bool,
    ) -> Result<usize, String> {
        if !repeatable {
            return Err(format!("the pattern repeats nothing, or twice, at `{text}`"));
        }
        self.text.push_str(text);
        match rest.get(length) {
            Some('?') => {
                self.hides = true;
                self.text.push('?');
                Ok(length + 1)
            }
            Some('+') => Err("possessive repetitions such as `a*+` are not supported".to_owned()),
            _ => Ok(length),
        }
    }

    /// What begins with `(`.
    fn group(&mut self, rest: &[char], first: bool) -> Result<usize, String> {
        let tail: String = rest.iter().skip(1).take(200).collect();
        let Some(kind) = tail.strip_prefix('?') else { return Ok(self.push("(")) };
        if ["=", "!", "<=", "<!"].iter().any(|open| kind.starts_with(open)) {
            return Err("look-ahead and look-behind (`(?=`, `(?!`, `(?<=`, `(?<!`) are not supported: \
                        match what stands around too, and use groups"
                .to_owned());
        }
        if kind.starts_with('(') || kind.starts_with("P=") || kind.starts_with('>') {
            return Err(
                "backreferences, conditional and atomic groups are not supported in a pattern".to_owned()
            );
        }
        if let Some(comment) = kind.strip_prefix('#') {
            let end = comment.find(')').ok_or("a comment in the pattern does not end")?;
            return Ok(comment[..end].chars().count() + 4);
        }
        if kind.starts_with("P<") {
            self.text.push_str("(?P<");
            return Ok(4);
        }
        let end = kind.find([')', ':']).unwrap_or(0);
        let (flags, close) = (&kind[..end], &kind[end..]);
        if flags.chars().all(|c| c == 'i' || c == 's') && close.starts_with(':') {
            self.text.push_str(&format!("(?{flags}:"));
            return Ok(end + 3);
        }
        if !flags.is_empty() && flags.chars().all(|c| "ismu".contains(c)) && close.starts_with(')') && first {
            self.multiline |= flags.contains('m');
            let flags: String = flags.chars().filter(|c| *c == 'i' || *c == 's').collect();
            if !flags.is_empty() {
                self.text.push_str(&format!("(?{flags})"));
            }
            return Ok(end + 3);
        }
        Err(format!(
            "`(?{}` is not supported in a pattern",
            kind.chars().take(end.max(1)).collect::<String>()
        ))
    }

    /// What begins with a backslash.
    fn escape(&mut self, rest: &[char], class: bool) -> Result<usize, String> {
        let c = *rest.get(1).ok_or("the pattern ends with a backslash")?;
        let octal = |most: usize| {
            rest.iter().skip(1).take(most).take_while(|c| ('0'..='7').contains(*c)).collect::<String>()
        };
        match c {
            'd' | 'D' | 's' | 'S' | 'w' | 'W' | 'n' | 't' | 'r' | 'f' | 'v' | 'a' => {
                self.text.extend(['\\', c])
            }
            'b' if class => self.text.push_str("\\x08"),
            'b' | 'B' | 'A' if !class => self.text.extend(['\\', c]),
            'Z' if !class => self.text.push_str("\\z"),
            'x' | 'u' | 'U' => {
                let length =
                    [('x', 2), ('u', 4), ('U', 8)].iter().find(|(k, _)| *k == c).map_or(0, |(_, n)| *n);
                let digits: String = rest.iter().skip(2).take(length).collect();
                if digits.len() != length || !digits.chars().all(|c| c.is_ascii_hexdigit()) {
                    return Err(format!("`\\{c}` needs {length} hexadecimal digits in a pattern"));
                }
                self.text.push_str(&format!("\\x{{{digits}}}"));
                return Ok(length + 2);
            }
            '0' => {
                let digits = octal(3);
                let code = u32::from_str_radix(&digits, 8).unwrap_or(0);
                self.text.push_str(&format!("\\x{{{code:x}}}"));
                return Ok(digits.len() + 1);
            }
            '1'..='9' => return Err("backreferences such as `\\1` are not supported in a pattern".to_owned()),
            c if c.is_ascii_alphabetic() => return Err(format!("there is no `\\{c}` in a pattern")),
            '<' | '>' | ' ' => self.text.push(c),
            c if c.is_ascii() => self.text.extend(['\\', c]),
            c => self.text.push(c),
        }
        Ok(2)
    }

    /// What stands in brackets; the crate knows operators there that Python does not.
    fn class(&mut self, rest: &[char]) -> Result<usize, String> {
        self.text.push('[');
        let mut at = 1;
        if rest.get(at) == Some(&'^') {
            self.text.push('^');
            at += 1;
        }
        let first = at;
        while let Some(c) = rest.get(at) {
            at += match c {
                ']' if at > first => {
                    self.text.push(']');
                    return Ok(at + 1);
                }
                '\\' => self.escape(&rest[at..], true)?,
                '[' | ']' | '&' | '~' => self.push(&format!("\\{c}")),
                '-' if at == first || rest.get(at + 1) == Some(&']') || rest.get(at - 1) == Some(&'-') => {
                    self.push("\\-")
                }
                other => self.push(&other.to_string()),
            };
        }
        Err("a `[` in the pattern does not end".to_owned())
    }
}

/// A repetition such as `{2,3}`: how long it is, and as the crate writes it. Anything else is a brace.
fn counted(rest: &[char]) -> Option<(usize, String)> {
    let end = rest.iter().position(|c| *c == '}')?;
    let inner: String = rest[1..end].iter().collect();
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let text = match inner.split_once(',') {
        Some((low, high)) if digits(low) && digits(high) => {
            format!("{{{},{high}}}", if low.is_empty() { "0" } else { low })
        }
        None if digits(&inner) && !inner.is_empty() => format!("{{{inner}}}"),
        _ => return None,
    };
    Some((end + 1, text))
}
