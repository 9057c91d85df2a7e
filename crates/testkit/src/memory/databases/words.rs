//! Statements as words.

/// The words of each statement, signs apart; what is quoted is one word, without its quotes.
pub(super) fn statements(sql: &str) -> Vec<Vec<String>> {
    let sql = for_mariadb(sql);
    let (mut all, mut words, mut rest) = (Vec::new(), Vec::new(), sql.as_str());
    while let Some(first) = rest.chars().next() {
        let mut length = first.len_utf8();
        match first {
            ';' => all.push(std::mem::take(&mut words)),
            c if c.is_whitespace() => {}
            '\'' | '"' | '`' => {
                let (word, end) = quoted(rest, first);
                words.push(word);
                length = end;
            }
            c if c.is_alphanumeric() || c == '_' => {
                length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
                words.push(rest[..length].to_owned());
            }
            sign => words.push(sign.to_string()),
        }
        rest = &rest[length..];
    }
    all.push(words);
    all.retain(|words| !words.is_empty());
    all
}

/// What is in `/*M! */` counts, and what is in `/*!80000 */` is MySQL's.
fn for_mariadb(sql: &str) -> String {
    let mut text = String::new();
    let mut rest = sql;
    while let Some((before, comment)) = rest.split_once("/*") {
        let (comment, after) = comment.split_once("*/").unwrap_or((comment, ""));
        text.push_str(before);
        text.push_str(comment.strip_prefix("M!").unwrap_or_default());
        rest = after;
    }
    text + rest
}

/// What stands in quotes, and how long it is with them.
fn quoted(rest: &str, quote: char) -> (String, usize) {
    let (mut word, mut at) = (String::new(), 1);
    while let Some(end) = rest[at..].find(quote) {
        word.push_str(&rest[at..at + end]);
        at += end + 1;
        if !rest[at..].starts_with(quote) {
            return (word, at);
        }
        word.push(quote);
        at += 1;
    }
    (word, rest.len())
}

/// Rights with commas between, up to `ON`, and what follows it.
pub(super) fn rights<'a>(words: &'a [&'a str]) -> Option<(Vec<String>, &'a [&'a str])> {
    let on = words.iter().position(|word| *word == "ON")?;
    let names = words[..on].split(|word| *word == ",").map(|name| name.join(" ")).collect();
    Some((names, &words[on + 1..]))
}
