//! The values that ansible-vault encrypted inside a plain file (`!vault |`), and where they stand in its text.

use std::ops::Range;

use pq_stream::Diagnostic;
use saphyr_parser::{Event, Parser, StrInput};

use crate::document::{block_end, byte};
use crate::file::SourceFile;
use crate::node::Mark;

const TAG: &str = "!vault";

/// A value that ansible-vault encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vaulted {
    /// The keys that lead to it, the variable's name first.
    pub path: Vec<String>,
    /// From its tag to its last line, without the line's end.
    pub range: Range<usize>,
    /// What ansible-vault wrote.
    pub ciphertext: String,
}

/// What the parser is inside of.
enum Inside {
    List(usize),
    Map(Option<String>),
}

impl Vaulted {
    /// The values in a text, in its order; `shown` is the file's name in errors.
    ///
    /// # Errors
    /// Where the text is no YAML, or a value is written in another form than a block.
    pub fn find(shown: &str, text: &str) -> Result<Vec<Self>, Box<Diagnostic>> {
        let file = SourceFile::new(shown.to_owned(), shown.to_owned(), text.to_owned(), false);
        let (mut found, mut stack): (Vec<Vaulted>, Vec<Inside>) = (Vec::new(), Vec::new());
        for event in Parser::new(StrInput::new(text)) {
            let (event, span) = event.map_err(|error| {
                let mark = Mark::new(error.marker().line().max(1), error.marker().col() + 1);
                file.error(mark, format!("`{shown}` is no YAML"))
            })?;
            match event {
                Event::SequenceStart(..) => stack.push(Inside::List(0)),
                Event::MappingStart(..) => stack.push(Inside::Map(None)),
                Event::SequenceEnd | Event::MappingEnd => {
                    stack.pop();
                    ended(&mut stack);
                }
                Event::Alias(_) => ended(&mut stack),
                Event::Scalar(value, _, _, tag) => {
                    if let Some(Inside::Map(key @ None)) = stack.last_mut() {
                        *key = Some(value.into_owned());
                        continue;
                    }
                    let is_vault = |tag: &saphyr_parser::Tag| {
                        tag.handle == "!" && matches!(tag.suffix.as_str(), "vault" | "vault-encrypted")
                    };
                    if tag.as_deref().is_some_and(is_vault) {
                        let mark = Mark::new(span.start.line().max(1), span.start.col() + 1);
                        let range = range(text, byte(text, mark)).ok_or_else(|| {
                            let error = file.error(mark, "this value cannot be moved");
                            Box::new(error.cause("it does not stand in lines of its own below `!vault |`"))
                        })?;
                        let path = stack.iter().map(|inside| match inside {
                            Inside::List(at) => at.to_string(),
                            Inside::Map(key) => key.clone().unwrap_or_default(),
                        });
                        found.push(Vaulted { path: path.collect(), range, ciphertext: value.into_owned() });
                    }
                    ended(&mut stack);
                }
                _ => {}
            }
        }
        Ok(found)
    }
}

/// A value has come.
fn ended(stack: &mut [Inside]) {
    match stack.last_mut() {
        Some(Inside::List(at)) => *at += 1,
        Some(Inside::Map(key)) => *key = None,
        None => {}
    }
}

/// From the tag, which stands at `at`, to the end of the block behind it.
fn range(text: &str, at: usize) -> Option<Range<usize>> {
    let behind = text[at..].strip_prefix(TAG)?.trim_start_matches(' ');
    let start = text.len() - behind.len();
    behind.starts_with(['|', '>']).then(|| at..block_end(text, start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_where_they_stand() {
        let text = "# c\na: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  3031\n\nb:\n  - n: 1\n    c: !vault |\n      $X\n      3233\n# end\nd: 1\n";
        let found = Vaulted::find("x", text).unwrap();
        let paths: Vec<String> = found.iter().map(|it| it.path.join(".")).collect();
        assert_eq!(paths, ["a", "b.0.c"]);
        assert_eq!(found[0].ciphertext, "$ANSIBLE_VAULT;1.1;AES256\n3031\n");
        let mut changed = text.to_owned();
        for it in found.iter().rev() {
            changed.replace_range(it.range.clone(), "X");
        }
        assert_eq!(changed, "# c\na: X\n\nb:\n  - n: 1\n    c: X\n# end\nd: 1\n");
        assert!(Vaulted::find("x", "a: !vault 'x'\n").is_err());
    }
}
