//! Tables for people, and sizes and ages as people say them.

use std::time::{Duration, SystemTime};

use crate::printable;

/// Rows whose columns are as wide as their widest cell.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table that begins with the names of its columns.
    pub fn of(columns: &[&str]) -> Self {
        Table { rows: vec![columns.iter().map(|it| (*it).to_owned()).collect()] }
    }

    /// Adds a row. Control characters are shown as escapes; an empty cell as `-`.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let shown = |cell: String| match cell.is_empty() {
            true => "-".to_owned(),
            false => printable(&cell.replace(['\n', '\t'], " ")),
        };
        self.rows.push(cells.into_iter().map(shown).collect());
    }

    /// Whether it has no row but the first.
    pub fn is_empty(&self) -> bool {
        self.rows.len() < 2
    }

    /// Its lines, each behind two spaces, without spaces at their ends.
    pub fn text(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let widest = |at: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(at));
            cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..columns).map(widest).collect();
        let mut text = String::new();
        for row in &self.rows {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
            let line = cells.collect::<Vec<_>>().join("  ");
            text.push_str("  ");
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// How long something lasts, as in `3 h`: in the largest unit of which there are two.
pub fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// How old something is; what is to come is of now, since clocks differ.
pub fn age(since: SystemTime, now: SystemTime) -> String {
    span(now.duration_since(since).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_no_cell_moves_the_cursor() {
        let mut table = Table::of(&["id", "version"]);
        assert!(table.is_empty());
        table.row(["wiki".to_owned(), String::new()]);
        table.row(["étoile".to_owned(), "1\u{1b}[2J".to_owned()]);
        assert_eq!(table.text(), "  id      version\n  wiki    -\n  étoile  1\\u{1b}[2J\n");
    }

    #[test]
    fn ages_are_short() {
        for (seconds, shown) in [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7_200, "2 h"), (172_800, "2 d")]
        {
            assert_eq!(span(Duration::from_secs(seconds)), shown);
        }
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        assert_eq!(age(now + Duration::from_secs(5), now), "0 s");
    }
}
