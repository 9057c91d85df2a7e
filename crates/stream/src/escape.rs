//! How a value is written for each sink: the one implementation, for plain values and for secrets.
//!
//! Hashes are not here: they need a salt, which only who holds `master_key` can derive.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::Sink;

impl Sink {
    /// The value as it is written at this sink; nothing for the hashes, which are salted.
    pub fn escape(self, value: &str) -> Option<String> {
        Some(match self {
            Sink::Sh => format!("'{}'", value.replace('\'', r"'\''")),
            Sink::Sql => format!("'{}'", value.replace('\'', "''")),
            Sink::Php => format!("'{}'", backslash(value, r"\'")),
            Sink::Ini => format!("\"{}\"", backslash(value, "\\\"")),
            Sink::Env => format!("\"{}\"", backslash(value, "\\\"`$")),
            Sink::Json => json(value),
            Sink::Yaml => yaml(value),
            Sink::Xml => value.chars().map(xml).collect(),
            Sink::Url => value.bytes().map(url).collect(),
            Sink::Base64 => BASE64_STANDARD.encode(value),
            Sink::Sha512crypt | Sink::Bcrypt | Sink::Htpasswd => return None,
        })
    }

    /// Whether the sink works on each character alone, so that a text may go through it in pieces.
    pub fn by_character(self) -> bool {
        matches!(self, Sink::Xml | Sink::Url)
    }
}

/// A backslash before each of `special`.
fn backslash(value: &str, special: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        if special.contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

fn json(value: &str) -> String {
    serde_json::Value::from(value).to_string()
}

/// A YAML double-quoted scalar: what YAML 1.1 calls non-printable is escaped too.
fn yaml(value: &str) -> String {
    let mut out = String::from("\"");
    for c in value.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c.is_control()
                || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}') =>
            {
                out.push_str(&format!("\\u{:04X}", c as u32));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Line ends and tabs as references, since attributes lose them otherwise.
fn xml(c: char) -> String {
    match c {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        '"' => "&quot;".to_owned(),
        '\'' => "&#39;".to_owned(),
        '\t' | '\n' | '\r' => format!("&#{};", c as u32),
        c => c.to_string(),
    }
}

fn url(byte: u8) -> String {
    match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => (byte as char).to_string(),
        _ => format!("%{byte:02X}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sink_keeps_a_value_inside_its_quotes() {
        let hostile = "a'b\"c\\d$e`f<g>&h\ni é%";
        let expected = [
            (
                Sink::Sh,
                r#"'a'\''b"c\d$e`f<g>&h
i é%'"#,
            ),
            (Sink::Sql, "'a''b\"c\\d$e`f<g>&h\ni é%'"),
            (Sink::Php, "'a\\'b\"c\\\\d$e`f<g>&h\ni é%'"),
            (Sink::Json, r#""a'b\"c\\d$e`f<g>&h\ni é%""#),
            (Sink::Yaml, r#""a'b\"c\\d$e`f<g>&h\ni é%""#),
            (Sink::Xml, "a&#39;b&quot;c\\d$e`f&lt;g&gt;&amp;h&#10;i é%"),
            (Sink::Ini, "\"a'b\\\"c\\\\d$e`f<g>&h\ni é%\""),
            (Sink::Env, "\"a'b\\\"c\\\\d\\$e\\`f<g>&h\ni é%\""),
            (Sink::Url, "a%27b%22c%5Cd%24e%60f%3Cg%3E%26h%0Ai%20%C3%A9%25"),
            (Sink::Base64, "YSdiImNcZCRlYGY8Zz4maAppIMOpJQ=="),
        ];
        for (sink, text) in expected {
            assert_eq!(sink.escape(hostile).unwrap(), text, "{}", sink.name());
        }
    }

    #[test]
    fn a_hash_is_no_escape() {
        assert!(Sink::all().filter(|(_, sink)| sink.salted()).all(|(_, sink)| sink.escape("x").is_none()));
    }
}
