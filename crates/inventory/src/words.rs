//! The words of a line as a POSIX shell splits them: quotes, backslashes, `#` comments.

/// A word and the column where it begins, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// The word, without its quotes.
    pub text: String,
    /// Its column.
    pub column: usize,
}

/// The words of a line.
///
/// # Errors
/// A quote that is not closed, with its column.
pub fn split(line: &str) -> Result<Vec<Word>, (usize, &'static str)> {
    let mut words = Vec::new();
    let mut word: Option<Word> = None;
    let mut chars = line.chars().enumerate();
    while let Some((at, c)) = chars.next() {
        let column = at + 1;
        let current = |word: &mut Option<Word>, c: Option<char>| {
            word.get_or_insert(Word { text: String::new(), column }).text.extend(c);
        };
        match c {
            '#' => break,
            // Python's `shlex` knows no other white space.
            ' ' | '\t' | '\r' | '\n' => words.extend(word.take()),
            '\\' => {
                let (_, next) = chars.next().ok_or((column, "nothing follows the backslash"))?;
                current(&mut word, Some(next));
            }
            '\'' | '"' => {
                current(&mut word, None);
                loop {
                    let (_, inner) = chars.next().ok_or((column, "the quote is not closed"))?;
                    match inner {
                        inner if inner == c => break,
                        '\\' if c == '"' => match chars.next() {
                            Some((_, escaped @ ('"' | '\\'))) => current(&mut word, Some(escaped)),
                            Some((_, other)) => {
                                current(&mut word, Some('\\'));
                                current(&mut word, Some(other));
                            }
                            None => return Err((column, "the quote is not closed")),
                        },
                        inner => current(&mut word, Some(inner)),
                    }
                }
            }
            c => current(&mut word, Some(c)),
        }
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_a_shell() {
        let words = |line| {
            split(line)
                .map(|words| words.into_iter().map(|word| (word.text, word.column)).collect::<Vec<_>>())
        };
        let one = |text: &str, column| (text.to_owned(), column);
        assert_eq!(words("h a=1  b='x y' # c"), Ok(vec![one("h", 1), one("a=1", 3), one("b=x y", 8)]));
        assert_eq!(words(r#"a="q \" \n" b=\ c"#), Ok(vec![one(r#"a=q " \n"#, 1), one("b= c", 13)]));
        assert_eq!(words("a=x#y"), Ok(vec![one("a=x", 1)]));
        assert_eq!(words("h a=x\u{a0}y"), Ok(vec![one("h", 1), one("a=x\u{a0}y", 3)]));
        assert_eq!(words("a=''"), Ok(vec![one("a=", 1)]));
        assert_eq!(words("h a='x"), Err((5, "the quote is not closed")));
    }
}
