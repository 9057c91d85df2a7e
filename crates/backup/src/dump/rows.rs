//! Counts the rows of each table in a dump while it goes by, by the form that the server's own program gives it.

use std::collections::BTreeMap;

use memchr::{memchr, memchr2, memchr3};
use pq_items::Engine;

/// The longest line whose beginning is kept: that of a statement.
const HEAD: usize = 1024;

/// PostgreSQL: the line behind the rows of a table.
const LAST: &[u8] = b"\\.\n";

/// Rows of each table.
pub struct Rows {
    engine: Engine,
    rows: BTreeMap<String, u64>,
    /// The table whose rows go by.
    table: Option<String>,
    /// The beginning of the line at work.
    line: Vec<u8>,
    /// Of MariaDB: within a text, behind a backslash, how deep in brackets.
    quoted: bool,
    escaped: bool,
    depth: u32,
    count: u64,
}

impl Rows {
    /// Of a dump by that engine's program.
    pub fn of(engine: Engine) -> Self {
        Rows {
            engine,
            rows: BTreeMap::new(),
            table: None,
            line: Vec::new(),
            quoted: false,
            escaped: false,
            depth: 0,
            count: 0,
        }
    }

    /// The rows of each table so far.
    pub fn counted(&self) -> BTreeMap<String, u64> {
        self.rows.clone()
    }

    /// Takes what goes by.
    pub fn take(&mut self, bytes: &[u8]) {
        match self.engine {
            Engine::Postgres => self.lines(bytes),
            Engine::Mariadb => self.statements(bytes),
        }
    }

    /// PostgreSQL: `COPY table (columns) FROM stdin;`, a row a line, `\.`.
    fn lines(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at(memchr(b'\n', rest).map_or(rest.len(), |end| end + 1));
            rest = behind;
            // Of a row nothing is looked at but whether it is the end of them.
            let head = if self.table.is_some() { LAST.len() + 1 } else { HEAD };
            let room = head.saturating_sub(self.line.len());
            self.line.extend_from_slice(&piece[..piece.len().min(room)]);
            if piece.last() != Some(&b'\n') {
                continue;
            }
            match &self.table {
                Some(table) if self.line == LAST => {
                    self.rows.insert(table.clone(), self.count);
                    self.table = None;
                }
                Some(_) => self.count += 1,
                None => {
                    if let Some(table) = copied(&self.line) {
                        (self.table, self.count) = (Some(table), 0);
                    } else if let Some(table) = created(&self.line) {
                        self.rows.entry(table).or_insert(0);
                    }
                }
            }
            self.line.clear();
        }
    }

    /// MariaDB: `INSERT INTO `table` VALUES (…),(…);`, on one line or several, with `\` and `'` in texts behind a backslash.
    fn statements(&mut self, bytes: &[u8]) {
        let mut at = 0;
        while at < bytes.len() {
            if self.table.is_none() {
                at = self.outside(bytes, at);
                continue;
            }
            let rest = &bytes[at..];
            if self.escaped {
                (self.escaped, at) = (false, at + 1);
                continue;
            }
            let found = match (self.quoted, self.depth) {
                (true, _) => memchr2(b'\'', b'\\', rest),
                (false, 0) => memchr3(b'\'', b'(', b';', rest),
                (false, _) => memchr3(b'\'', b'(', b')', rest),
            };
            let Some(found) = found else { return };
            match rest[found] {
                b'\'' => self.quoted = !self.quoted,
                b'\\' => self.escaped = true,
                b'(' => {
                    self.count += u64::from(self.depth == 0);
                    self.depth += 1;
                }
                b')' => self.depth = self.depth.saturating_sub(1),
                _ => {
                    if let Some(table) = self.table.take() {
                        *self.rows.entry(table).or_insert(0) += self.count;
                    }
                    self.line.clear();
                }
            }
            at += found + 1;
        }
    }

    /// Between statements: looks for the beginning of the next, and says where to go on.
    fn outside(&mut self, bytes: &[u8], at: usize) -> usize {
        let rest = &bytes[at..];
        let end = memchr(b'\n', rest);
        let piece = &rest[..end.unwrap_or(rest.len())];
        let room = HEAD.saturating_sub(self.line.len());
        let before = self.line.len();
        self.line.extend_from_slice(&piece[..piece.len().min(room)]);
        if let Some((table, length)) = inserted(&self.line) {
            (self.table, self.count, self.depth, self.quoted) = (Some(table), 0, 0, false);
            self.line.clear();
            return at + length.saturating_sub(before);
        }
        match end {
            Some(end) => {
                if let Some(table) = created(&self.line) {
                    self.rows.entry(table).or_insert(0);
                }
                self.line.clear();
                at + end + 1
            }
            None => bytes.len(),
        }
    }
}

/// The table of a line `COPY public.a (x, y) FROM stdin;`.
fn copied(line: &[u8]) -> Option<String> {
    let line = std::str::from_utf8(line).ok()?.trim_end();
    let rest = line.strip_prefix("COPY ")?.strip_suffix(" FROM stdin;")?;
    let table = rest.split(" (").next()?;
    Some(table.to_owned())
}

/// The table of a line that makes one: PostgreSQL's `CREATE TABLE public.a (`, MariaDB's with its name in backquotes.
fn created(line: &[u8]) -> Option<String> {
    let line = std::str::from_utf8(line).ok()?.trim_end();
    let rest = line.strip_prefix("CREATE TABLE ").or_else(|| line.strip_prefix("CREATE UNLOGGED TABLE "))?;
    let name = rest.strip_suffix(" (").or_else(|| rest.strip_suffix(" ()"))?;
    Some(name.strip_prefix('`').and_then(|name| name.strip_suffix('`')).unwrap_or(name).replace("``", "`"))
}

/// The table of a statement that begins with ``INSERT INTO `a` VALUES``, and how long that is.
fn inserted(line: &[u8]) -> Option<(String, usize)> {
    let start = b"INSERT INTO `";
    if !line.starts_with(start) {
        return None;
    }
    let text = std::str::from_utf8(line)
        .unwrap_or_else(|error| std::str::from_utf8(&line[..error.valid_up_to()]).unwrap_or_default());
    // columns that are generated are left out: then the others are named
    let end = text.find("` VALUES").map(|at| (at, at + 8)).or_else(|| {
        let at = text.find("` (")?;
        let values = text[at..].find(") VALUES")?;
        Some((at, at + values + 8))
    })?;
    Some((text[start.len()..end.0].replace("``", "`"), end.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whole, and cut into pieces of each length.
    fn counted(engine: Engine, text: &str) -> BTreeMap<String, u64> {
        let mut whole = Rows::of(engine);
        whole.take(text.as_bytes());
        for length in 1..9 {
            let mut rows = Rows::of(engine);
            text.as_bytes().chunks(length).for_each(|piece| rows.take(piece));
            assert_eq!(rows.counted(), whole.counted(), "in pieces of {length}");
        }
        whole.counted()
    }

    #[test]
    fn rows_of_mariadb_are_counted_whatever_is_in_them() {
        let dump = "CREATE TABLE `a` (\n  `x` int\n);\nCREATE TABLE `b``c` (\n);\nINSERT INTO `a` VALUES\n(1,'it\\'s; (x),(y)'),\n(2,'\\\\'),\n(3,NULL);\n\
                    INSERT INTO `a` VALUES (4,''),(5,'INSERT INTO `z` VALUES (1);');\nINSERT INTO `g` (`x`, `y`) VALUES (1,2);\n-- Dump completed\n";
        let rows = counted(Engine::Mariadb, dump);
        assert_eq!(rows, BTreeMap::from([("a".into(), 5), ("b`c".into(), 0), ("g".into(), 1)]));
    }

    #[test]
    fn rows_of_postgres_are_the_lines_of_a_copy() {
        let dump = "CREATE TABLE public.a (\n  x integer\n);\nCREATE TABLE public.empty (\n);\nCOPY public.a (x) FROM stdin;\n1\n\\\\.\nCOPY b (x) FROM stdin;\n\\.\n\n\
                    COPY public.\"B c\" (x) FROM stdin;\n\\.\n";
        let rows = counted(Engine::Postgres, dump);
        assert_eq!(
            rows,
            BTreeMap::from([
                ("public.a".into(), 3),
                ("public.empty".into(), 0),
                ("public.\"B c\"".into(), 0)
            ])
        );
    }
}
