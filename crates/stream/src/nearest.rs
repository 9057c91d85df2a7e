//! The known name that a mistyped one was probably meant to be.

/// The nearest of the known names, if one is near enough to be worth a hint.
pub fn nearest(name: &str, known: impl IntoIterator<Item = String>) -> Option<String> {
    let length = name.chars().count();
    let limit = (length / 3).clamp(1, 4);
    known
        .into_iter()
        .filter(|candidate| candidate.chars().count().abs_diff(length) <= limit)
        .map(|candidate| (distance(name, &candidate), candidate))
        .filter(|(distance, candidate)| *distance <= limit && candidate != name)
        .min()
        .map(|(_, candidate)| candidate)
}

/// How many letters must be put in, taken out, replaced or swapped with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_neighbour_is_found_and_a_stranger_is_not() {
        let known = || ["prodhost1", "prodhost2", "demo"].map(str::to_owned);
        assert_eq!(nearest("prodhots1", known()).as_deref(), Some("prodhost1"));
        assert_eq!(nearest("domo", known()).as_deref(), Some("demo"));
        assert_eq!(nearest("staging", known()), None);
        assert_eq!(nearest("demo", ["demo".to_owned()]), None);
    }
}
