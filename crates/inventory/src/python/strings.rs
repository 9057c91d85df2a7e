//! Python's strings in a literal: prefixes, long and short quotes, escapes, several beside each other, bytes.

use super::{Found, NO_TEXT, Reader, Unfit};
use crate::node::Data;

const BY_NAME: Unfit = Unfit::Formless(
    "`\\N{…}` names a character",
    "write the character itself, or its number as in `\\u2013`",
);

impl Reader<'_> {
    /// The letters in front of a quote: how many, whether it is raw, and whether it is of bytes.
    pub(super) fn prefix(&self) -> Option<(usize, bool, bool)> {
        let length = self.rest().bytes().take(3).position(|byte| matches!(byte, b'\'' | b'"'))?;
        let letters = self.rest()[..length].to_ascii_lowercase();
        let (raw, bytes) = match &letters[..] {
            "" | "u" => (false, false),
            "r" => (true, false),
            "b" => (false, true),
            "br" | "rb" => (true, true),
            _ => return None,
        };
        Some((length, raw, bytes))
    }

    /// One string, or several beside each other, which are one.
    pub(super) fn strings(&mut self) -> Option<Found> {
        let (_, _, of_bytes) = self.prefix()?;
        let mut out = String::new();
        while let Some((length, raw, bytes)) = self.prefix() {
            if bytes != of_bytes {
                return None;
            }
            self.at += length;
            self.string(raw, bytes, &mut out)?;
            self.space();
        }
        if !of_bytes {
            return Some(Data::Text(out).into());
        }
        // Each character is a byte; Ansible trusts no template that was bytes.
        let bytes = out.chars().map(|c| u32::from(c) as u8).collect();
        let text = String::from_utf8(bytes).unwrap_or_else(|_| {
            self.unfit.get_or_insert(NO_TEXT);
            String::new()
        });
        Some(Data::Raw(text).into())
    }

    fn string(&mut self, raw: bool, bytes: bool, out: &mut String) -> Option<()> {
        let quote = self.next()?;
        let long = quote.to_string().repeat(3);
        let close = match self.text[self.at - 1..].starts_with(&long) {
            true => &long[..],
            false => &long[..1],
        };
        self.at += close.len() - 1;
        while !self.rest().starts_with(close) {
            match self.next()? {
                '\\' if raw => {
                    out.push('\\');
                    out.push(self.next()?);
                }
                '\\' => self.escape(bytes, out)?,
                '\n' | '\r' if close.len() == 1 => return None,
                c if bytes && !c.is_ascii() => return None,
                c => out.push(c),
            }
        }
        self.at += close.len();
        Some(())
    }

    fn escape(&mut self, bytes: bool, out: &mut String) -> Option<()> {
        let found = match self.next()? {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'a' => '\x07',
            'b' => '\x08',
            'f' => '\x0c',
            'v' => '\x0b',
            c @ ('\\' | '\'' | '"') => c,
            first @ '0'..='7' => {
                let mut code = first.to_digit(8)?;
                for _ in 0..2 {
                    let Some(digit) = self.peek().and_then(|c| c.to_digit(8)) else { break };
                    code = code * 8 + digit;
                    self.at += 1;
                }
                char::from_u32(if bytes { code & 0xff } else { code })?
            }
            'x' => self.code(2)?,
            'u' if !bytes => self.code(4)?,
            'U' if !bytes => self.code(8)?,
            'N' if !bytes => {
                self.at += self.rest().strip_prefix('{')?.find('}')? + 2;
                self.unfit.get_or_insert(BY_NAME);
                return Some(());
            }
            // An escape that is none stays as it is.
            c if !bytes || c.is_ascii() => {
                out.extend(['\\', c]);
                return Some(());
            }
            _ => return None,
        };
        out.push(found);
        Some(())
    }

    /// The character of an escape's digits.
    fn code(&mut self, digits: usize) -> Option<char> {
        let text = self.rest().get(..digits)?;
        // Without it a sign would be taken for a digit.
        if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let found = u32::from_str_radix(text, 16).ok().and_then(char::from_u32)?;
        self.at += digits;
        Some(found)
    }
}
