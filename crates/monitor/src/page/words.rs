//! What the page says, in both languages: the one that the reader wants is shown.

use super::{escaped, french};

/// The same in English and in French.
pub fn both(english: &str, french: &str) -> String {
    if english == french {
        return rich(english);
    }
    format!(
        "<span class=\"en\" lang=\"en\">{}</span><span class=\"fr\" lang=\"fr\">{}</span>",
        rich(english),
        rich(french)
    )
}

/// What checks, items and their answers say: in French too where these tools are whose words they are.
pub fn phrase(text: &str) -> String {
    match french::of(text) {
        Some(french) => both(text, &french),
        // Somebody's own words, in whichever language.
        None => format!("<span class=\"own\">{}</span>", rich(text)),
    }
}

/// What people see alone where they hear what is around it, and the other way round.
pub fn heard(html: &str) -> String {
    format!("<span class=\"hidden\">{html}</span>")
}

/// Text, with what stands between backticks as code.
fn rich(text: &str) -> String {
    let mut out = String::new();
    let mut parts = text.split('`').peekable();
    let mut code = false;
    while let Some(part) = parts.next() {
        // One without its fellow is only a character.
        match (code, parts.peek()) {
            (true, Some(_)) => out.push_str(&format!("<code>{}</code>", escaped(part))),
            (true, None) => out.push_str(&format!("`{}", escaped(part))),
            (false, _) => out.push_str(&escaped(part)),
        }
        code = !code;
    }
    out
}

/// A number with its decimals, as each language writes it, and what follows it.
pub fn decimal(value: f64, places: usize, unit: &str) -> String {
    let english = format!("{value:.places$}");
    let space = if unit.is_empty() { "" } else { "\u{a0}" };
    // A percentage is written close up in English.
    let close = if unit == "%" { "" } else { space };
    both(&format!("{english}{close}{unit}"), &format!("{}{space}{unit}", english.replace('.', ",")))
}

/// So many milliseconds.
pub fn took(ms: f64) -> String {
    match ms {
        ms if ms >= 1_000.0 => decimal(ms / 1_000.0, 1, "s"),
        ms if ms < 1.0 => both("<\u{a0}1\u{a0}ms", "<\u{a0}1\u{a0}ms"),
        ms => decimal(ms, 0, "ms"),
    }
}

/// What part was well, in percent.
pub fn share(well: f64) -> String {
    let percent = well * 100.0;
    // What failed once is never all.
    match percent {
        percent if percent >= 100.0 => decimal(100.0, 0, "%"),
        percent => decimal(percent.min(99.99), 2, "%"),
    }
}

/// For one, and for more.
pub type Plural = (&'static str, &'static str);

/// So many of something, in both languages.
pub fn counted(number: usize, english: Plural, french: Plural) -> (String, String) {
    let english = if number == 1 { english.0 } else { english.1 };
    // French has no plural for nothing.
    let french = if number < 2 { french.0 } else { french.1 };
    (format!("{number} {english}"), format!("{number} {french}"))
}

/// The same, as HTML.
pub fn count(number: usize, english: Plural, french: Plural) -> String {
    let (english, french) = counted(number, english, french);
    both(&english, &french)
}
