//! What the page says, in both languages: the one that the reader wants is shown.

/// The same in English and in French.
pub fn both(english: &str, french: &str) -> String {
    format!(
        "<span lang=\"en\">{}</span><span lang=\"fr\">{}</span>",
        super::escaped(english),
        super::escaped(french)
    )
}
