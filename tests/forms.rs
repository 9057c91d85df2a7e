//! Secrets of a test in each form in which a program could show them.
//!
//! Looked for are a whole text, each line of it, and the first and last letters of these, since errors cut what they
//! quote: as they are, in other letters, backwards, and as hex, base64 (wherever they begin in what is encoded), URL,
//! JSON, YAML, HTML and quoted for shells write them.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// So many letters of a secret tell which it is.
const PART: usize = 12;

/// What must not be seen.
#[derive(Debug, Clone, Default)]
pub struct Forms {
    /// What a form is called, and its text.
    forms: Vec<(String, String)>,
}

impl Forms {
    /// All forms of some secrets.
    pub fn of<'s>(secrets: impl IntoIterator<Item = &'s str>) -> Self {
        let mut forms = Forms::default();
        secrets.into_iter().for_each(|secret| forms.add(secret));
        forms
    }

    /// Adds a secret. Lines of less than [`PART`] characters are looked for only as a part of it.
    pub fn add(&mut self, secret: &str) {
        let mut parts = vec![secret.to_owned()];
        for line in secret.lines().filter(|line| line.chars().count() >= PART) {
            let letters: Vec<char> = line.chars().collect();
            parts.push(line.to_owned());
            parts.push(letters[..PART].iter().collect());
            parts.push(letters[letters.len() - PART..].iter().collect());
        }
        for part in parts {
            for (kind, form) in forms(&part) {
                if !self.forms.iter().any(|(_, known)| *known == form) {
                    self.forms.push((format!("{part:?} {kind}"), form));
                }
            }
        }
    }

    /// The first form that stands in a text, by what it is called.
    pub fn seen_in(&self, text: &str) -> Option<&str> {
        let mut forms = self.forms.iter();
        forms.find(|(_, form)| text.contains(form)).map(|(name, _)| name.as_str())
    }
}

fn forms(text: &str) -> Vec<(&'static str, String)> {
    let json = serde_json::Value::from(text).to_string();
    let json = json[1..json.len() - 1].to_owned();
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let url = |kept: &str, lower: bool| {
        let escape = |byte: u8| match char::from(byte) {
            c if c.is_ascii_alphanumeric() || kept.contains(c) => c.to_string(),
            _ if lower => format!("%{byte:02x}"),
            _ => format!("%{byte:02X}"),
        };
        text.bytes().map(escape).collect::<String>()
    };
    let shell = |c: char| match c.is_ascii_alphanumeric() || "_-./".contains(c) {
        true => c.to_string(),
        false => format!("\\{c}"),
    };
    let html = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    let mut forms = vec![
        ("as it is", text.to_owned()),
        ("in upper case", text.to_uppercase()),
        ("in lower case", text.to_lowercase()),
        ("backwards", text.chars().rev().collect()),
        ("in hex", hex(text.as_bytes())),
        ("in upper hex", hex(text.as_bytes()).to_uppercase()),
        ("as bytes", format!("{:?}", text.as_bytes()).trim_matches(['[', ']']).to_owned()),
        ("in a URL", url("-._~", false)),
        ("in a URL, lower", url("-._~", true)),
        ("in a URL, all", url("", false)),
        ("in a form", url("-._", false).replace("%20", "+")),
        ("in JSON", json.clone()),
        ("in JSON, for HTML", json.replace('/', "\\/")),
        ("in Rust", text.escape_debug().to_string()),
        ("in Rust, ASCII", text.escape_default().to_string()),
        ("in quotes", text.replace('\'', "''")),
        ("in quotes of a shell", text.replace('\'', r"'\''")),
        ("in a shell", text.chars().map(shell).collect()),
        ("in HTML", html.replace('\'', "&#39;")),
    ];
    for before in 0..3 {
        // The letters that depend on nothing but the text.
        let bytes = [&[0; 2][..before], text.as_bytes()].concat();
        let core = (before * 8_usize).div_ceil(6)..bytes.len() * 8 / 6;
        forms.push(("in base64", STANDARD_NO_PAD.encode(&bytes)[core.clone()].to_owned()));
        forms.push(("in base64 for URLs", URL_SAFE_NO_PAD.encode(&bytes)[core].to_owned()));
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_seen_in_each_form_and_in_parts() {
        let secret = "canary/9f+Vogel=\"27\nsecond line: it's";
        let forms = Forms::of([secret]);
        for shown in [
            "error: `canary/9f+Vogel=\"27`",
            "canary/9f+Vo…",
            "…9f+Vogel=\"27",
            "SECOND LINE: IT'S",
            r"canary/9f+Vogel=\u{22}27 canary/9f+Vogel=\x2227 second line: it\'s",
            "canary%2F9f%2BVogel%3D%2227",
            "7365636f6e64206c696e653a2069742773",
            "user:Y2FuYXJ5LzlmK1ZvZ2VsPSIyNw==",
            "'second line: it'\\''s'",
            "72\"=legoV+f9/yranac",
        ] {
            assert!(forms.seen_in(shown).is_some(), "{shown}");
        }
        for before in ["", "a", "ab", "abc"] {
            let encoded = STANDARD_NO_PAD.encode(format!("{before}{secret}\n"));
            assert!(forms.seen_in(&encoded).is_some(), "{encoded}");
        }
        for other in ["a canary", "second", "canary/9f", "the second line"] {
            assert_eq!(forms.seen_in(other), None, "{other}");
        }
    }
}
