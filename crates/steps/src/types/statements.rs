//! SQL as far as its statements can be told apart: words outside of strings, quoted names and comments.
//!
//! Always true here: what is accepted holds nothing that is still open at its end, nothing that would end a message, and no
//! statement that looks like a comment.

use crate::Engine;

/// The words of each statement in lower case; what is quoted is no word.
///
/// # Errors
/// What is wrong with the text, without any of it.
pub(super) fn read(engine: Engine, sql: &str) -> Result<Vec<Vec<String>>, &'static str> {
    if sql.contains('\0') {
        return Err("holds a NUL");
    }
    let mut reader = Reader { engine, rest: sql, before: ' ' };
    let mut statements: Vec<Vec<String>> = vec![Vec::new()];
    while let Some(piece) = reader.next()? {
        match piece {
            Piece::End => statements.push(Vec::new()),
            Piece::Word(word) => {
                statements.last_mut().into_iter().for_each(|words| words.push(word.to_lowercase()));
            }
            Piece::Other => {}
        }
    }
    statements.retain(|words| !words.is_empty());
    Ok(statements)
}

/// What stands next.
enum Piece<'a> {
    Word(&'a str),
    /// A string, a quoted name, a sign, a comment, white space.
    Other,
    /// The end of a statement.
    End,
}

struct Reader<'a> {
    engine: Engine,
    rest: &'a str,
    /// The character before the rest.
    before: char,
}

const OPEN: &str = "holds a quote or a comment that is not closed";

fn in_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<Option<Piece<'a>>, &'static str> {
        let Some(first) = self.rest.chars().next() else { return Ok(None) };
        let (rest, mariadb) = (self.rest, self.engine == Engine::Mariadb);
        let dashes = |rest: &str| {
            rest.strip_prefix("--")
                .is_some_and(|rest| !mariadb || rest.chars().next().is_none_or(char::is_whitespace))
        };
        let (length, piece) = match first {
            ';' => (1, Piece::End),
            c if c.is_whitespace() => (c.len_utf8(), Piece::Other),
            '#' if mariadb => (line(rest), Piece::Other),
            '-' if dashes(rest) => (line(rest), Piece::Other),
            '/' if rest.starts_with("/*") => (self.comment()?, Piece::Other),
            '\'' if !mariadb && matches!(self.before, 'e' | 'E') => (escaped(rest)?, Piece::Other),
            '\'' | '"' => (quoted(rest, first)?, Piece::Other),
            '`' if mariadb => (quoted(rest, first)?, Piece::Other),
            '$' if !mariadb && dollar(rest).is_some() => {
                let tag = dollar(rest).unwrap_or("");
                let end = rest[tag.len()..].find(tag).ok_or(OPEN)?;
                (end + 2 * tag.len(), Piece::Other)
            }
            c if in_word(c) => {
                let end = rest.find(|c| !in_word(c)).unwrap_or(rest.len());
                (end, Piece::Word(&rest[..end]))
            }
            c => (c.len_utf8(), Piece::Other),
        };
        self.before = rest[..length].chars().next_back().unwrap_or(' ');
        self.rest = &rest[length..];
        Ok(Some(piece))
    }

    /// The length of a comment; PostgreSQL's may hold others. What MariaDB runs in one is no comment.
    fn comment(&self) -> Result<usize, &'static str> {
        let rest = self.rest;
        if self.engine == Engine::Mariadb {
            if rest.starts_with("/*!") || rest.starts_with("/*M!") {
                return Err("holds a comment that the server would run");
            }
            return rest[2..].find("*/").map(|end| end + 4).ok_or(OPEN);
        }
        let (mut at, mut depth) = (2, 1);
        while depth > 0 {
            let next = rest[at..].find(['*', '/']).ok_or(OPEN)?;
            at += next;
            if rest[at..].starts_with("*/") {
                (at, depth) = (at + 2, depth - 1);
            } else if rest[at..].starts_with("/*") {
                (at, depth) = (at + 2, depth + 1);
            } else {
                at += 1;
            }
        }
        Ok(at)
    }
}

/// The length up to the end of the line.
fn line(rest: &str) -> usize {
    rest.find('\n').unwrap_or(rest.len())
}

/// The length of what stands in quotes. A doubled quote looks like two that touch each other, which comes to the same.
fn quoted(rest: &str, quote: char) -> Result<usize, &'static str> {
    rest[1..].find(quote).map(|end| end + 2).ok_or(OPEN)
}

/// The length of a string in which a backslash escapes.
fn escaped(rest: &str) -> Result<usize, &'static str> {
    let mut skip = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if skip => skip = false,
            '\\' => skip = true,
            '\'' => return Ok(at + 1),
            _ => {}
        }
    }
    Err(OPEN)
}

/// The opening of a string in dollars, as in `$$` or `$body$`.
fn dollar(rest: &str) -> Option<&str> {
    let end = rest[1..].find('$')? + 2;
    let tag = &rest[1..end - 1];
    let plain = tag.chars().all(|c| c.is_alphanumeric() || c == '_');
    (plain && !tag.starts_with(|c: char| c.is_ascii_digit())).then_some(&rest[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first_words(engine: Engine, sql: &str) -> Vec<String> {
        read(engine, sql).unwrap().into_iter().map(|words| words[0].clone()).collect()
    }

    #[test]
    fn statements_are_told_apart_whatever_stands_in_quotes() {
        let sql = "INSERT INTO a VALUES ('x; ''DROP', E'\\'; DROP'); -- DROP;\n/* a /* b; */ c; */ UPDATE \"a;\" SET b = $t$;\\!$t$;";
        assert_eq!(first_words(Engine::Postgres, sql), ["insert", "update"]);
        let sql = "SELECT `a;`, \"b;\", 'c\\'; # no; \n UPDATE t SET a = 1--1";
        assert_eq!(first_words(Engine::Mariadb, sql), ["select", "update"]);
        assert_eq!(read(Engine::Postgres, " ; -- x").unwrap(), Vec::<Vec<String>>::new());
    }

    #[test]
    fn what_hides_a_statement_and_what_is_left_open_is_refused() {
        for sql in ["SELECT 'a", "SELECT \"a", "/* a", "SELECT 'a\0'", "SELECT $$a"] {
            assert!(read(Engine::Postgres, sql).is_err(), "{sql}");
        }
        for sql in ["/*! DROP */", "/*M! DROP */", "SELECT `a", "SELECT 'a\\''"] {
            assert!(read(Engine::Mariadb, sql).is_err(), "{sql}");
        }
    }
}
