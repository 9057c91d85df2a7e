//! The second line of defence: secret values are taken out of every text that is shown.
//!
//! The first line is that no text is made with a secret in it. This one catches what programs print.

use base64::Engine;
use base64::prelude::BASE64_STANDARD_NO_PAD;

/// Values shorter than this are not looked for: they would be found in every word.
const MIN_LENGTH: usize = 6;

/// Replaces secret values, in every encoding that programs print, by their names.
#[derive(Clone, Default)]
pub struct Redactor {
    /// What to look for and what stands in its place, longest first.
    patterns: Vec<(String, String)>,
    /// Those that programs write over several lines.
    folded: Vec<(String, String)>,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Redactor({} patterns)", self.patterns.len())
    }
}

impl Redactor {
    /// Adds a secret's value: as it is, and as base64, percent-encoded, JSON and quoted text.
    pub fn add(&mut self, name: &str, value: &str) {
        if value.len() < MIN_LENGTH {
            return;
        }
        let mark = format!("<secret {name}>");
        let json = serde_json::to_string(value).unwrap_or_default();
        let hex: String = value.bytes().map(|byte| format!("{byte:02x}")).collect();
        let mut forms = vec![
            value.to_owned(),
            percent(value, false),
            percent(value, true),
            json.trim_matches('"').to_owned(),
            json.trim_matches('"').replace('/', "\\/"),
            percent(value, false).replace("%20", "+"),
            value.replace('\'', r"'\''"),
            value.replace('\'', "''"),
            value.escape_default().to_string(),
            html(value),
        ];
        for form in base64_cores(value).chain([hex]).filter(|form| form.len() >= MIN_LENGTH) {
            self.folded.push((form.clone(), mark.clone()));
            forms.push(form);
        }
        forms.extend(value.lines().filter(|line| *line != value).map(str::to_owned));
        for form in forms {
            if form.len() >= MIN_LENGTH && !self.patterns.iter().any(|(known, _)| *known == form) {
                self.patterns.push((form, mark.clone()));
            }
        }
        self.patterns.sort_by(|a, b| b.0.len().cmp(&a.0.len()).then_with(|| a.cmp(b)));
    }

    /// The text without any of the values.
    pub fn redact(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (pattern, mark) in &self.patterns {
            if text.contains(pattern) {
                text = text.replace(pattern, mark);
            }
        }
        match text.contains('\n') && !self.folded.is_empty() {
            true => self.unfolded(&text),
            false => text,
        }
    }

    /// The text without what stands there once line ends and blanks are left out, as `base64` and `xxd` fold what is long.
    fn unfolded(&self, text: &str) -> String {
        let (places, flat): (Vec<usize>, String) =
            text.char_indices().filter(|(_, c)| c.is_ascii() && !c.is_ascii_whitespace()).unzip();
        let mut found: Vec<(usize, usize, &str)> = Vec::new();
        for (pattern, mark) in &self.folded {
            let at = flat.match_indices(pattern).map(|(at, _)| at);
            found.extend(at.map(|at| (places[at], places[at + pattern.len() - 1] + 1, &**mark)));
        }
        found.sort_unstable();
        let (mut out, mut end) = (String::new(), 0);
        for (from, to, mark) in found {
            // What overlaps is one.
            if from >= end {
                out.push_str(&text[end..from]);
                out.push_str(mark);
            }
            end = end.max(to);
        }
        out + &text[end..]
    }
}

/// What base64 makes of the value wherever it begins in what is encoded: the letters that depend on it alone.
fn base64_cores(value: &str) -> impl Iterator<Item = String> {
    let core = |before: usize| {
        let bytes = [&[0; 2][..before], value.as_bytes()].concat();
        let whole = BASE64_STANDARD_NO_PAD.encode(&bytes);
        whole[(before * 8).div_ceil(6)..bytes.len() * 8 / 6].to_owned()
    };
    let cores: Vec<String> = (0..3).map(core).collect();
    cores.into_iter().flat_map(|core| [core.replace('+', "-").replace('/', "_"), core])
}

/// Percent-encoding of everything that is not unreserved.
fn percent(value: &str, lower: bool) -> String {
    value
        .bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => (byte as char).to_string(),
            _ if lower => format!("%{byte:02x}"),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

fn html(value: &str) -> String {
    value
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_encoding_of_a_value_is_taken_out() {
        let value = "s3cr&t \"quoted\" it's/é";
        let mut redactor = Redactor::default();
        redactor.add("canary", value);
        for form in [
            value.to_owned(),
            BASE64_STANDARD_NO_PAD.encode(value),
            percent(value, true),
            serde_json::to_string(value).unwrap(),
            html(value),
        ] {
            let shown = redactor.redact(&format!("curl: cannot send {form} to host"));
            assert!(shown.contains("<secret canary>") && !shown.contains("s3cr"), "{form} → {shown}");
        }
    }

    #[test]
    fn base64_that_is_folded_is_taken_out() {
        let value = "a long secret, such as a private key has lines of: 0123456789 and so on and on, é";
        let mut redactor = Redactor::default();
        redactor.add("canary", value);
        for before in ["", "a", "ab", "abc: "] {
            let whole = BASE64_STANDARD_NO_PAD.encode(format!("{before}{value}\n"));
            for width in [20, 64, 76] {
                let lines: Vec<&str> =
                    whole.as_bytes().chunks(width).map(|line| std::str::from_utf8(line).unwrap()).collect();
                let said = redactor.redact(&format!("it says\n  {}\ndone", lines.join("\n  ")));
                assert!(said.starts_with("it says\n") && said.ends_with("done"), "{said}");
                assert!(said.contains("<secret canary>") && said.len() < 60, "{said}");
            }
        }
    }

    #[test]
    fn base64_of_a_text_with_the_value_in_it_is_taken_out() {
        let mut redactor = Redactor::default();
        redactor.add("canary", "correct horse battery");
        for before in ["", "a", "ab", "abc", "user:"] {
            for after in ["", "\n", "ab", "\n\n\n"] {
                let encoded = BASE64_STANDARD_NO_PAD.encode(format!("{before}correct horse battery{after}"));
                let shown = redactor.redact(&encoded);
                assert!(shown.contains("<secret canary>"), "{before:?} {after:?}: {shown}");
                assert!(shown.len() < before.len() + after.len() + 30, "{shown}");
            }
        }
    }

    #[test]
    fn an_empty_or_short_value_is_not_looked_for() {
        let mut redactor = Redactor::default();
        ["", "a", "abcde"].iter().for_each(|value| redactor.add("short", value));
        assert_eq!(redactor.redact("abcde and a"), "abcde and a");
    }

    #[test]
    fn a_line_of_a_private_key_is_taken_out_too() {
        let mut redactor = Redactor::default();
        redactor.add("key", "-----BEGIN-----\nAAAABBBBCCCC\n-----END-----\n");
        assert!(!redactor.redact("bad line AAAABBBBCCCC").contains("AAAABBBB"));
    }
}
