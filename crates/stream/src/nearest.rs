//! The known name that a mistyped one was probably meant to be.

/// The nearest of the known names, if one is near enough to be worth a hint.
pub fn nearest<S: AsRef<str> + Ord>(name: &str, known: impl IntoIterator<Item = S>) -> Option<String> {
    let letters: Vec<char> = name.chars().collect();
    let limit = (letters.len() / 3).clamp(1, 4);
    known
        .into_iter()
        .filter_map(|candidate| Some((distance(&letters, candidate.as_ref(), limit)?, candidate)))
        .filter(|(_, candidate)| candidate.as_ref() != name)
        .min()
        .map(|(_, candidate)| candidate.as_ref().to_owned())
}

/// How many letters must be put in, taken out, replaced or swapped with their neighbour; nothing beyond the limit.
fn distance(a: &[char], b: &str, limit: usize) -> Option<usize> {
    if a.len().abs_diff(b.chars().take(a.len() + limit + 1).count()) > limit {
        return None;
    }
    let b: Vec<char> = b.chars().collect();
    // The row before the last, the last, and the one that is being made.
    let (mut before, mut last, mut row) = (Vec::new(), (0..=b.len()).collect::<Vec<_>>(), Vec::new());
    for i in 1..=a.len() {
        row.clear();
        row.push(i);
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before[j - 2] + 1);
            }
            row.push(best);
        }
        // What follows is no less than the least of two rows in a row.
        if row.iter().chain(&last).all(|distance| *distance > limit) {
            return None;
        }
        (before, last, row) = (last, row, before);
    }
    Some(last[b.len()]).filter(|distance| *distance <= limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_neighbour_is_found_and_a_stranger_is_not() {
        let known = || ["prodhost1", "prodhost2", "demo"];
        assert_eq!(nearest("prodhots1", known()).as_deref(), Some("prodhost1"));
        assert_eq!(nearest("domo", known()).as_deref(), Some("demo"));
        assert_eq!(nearest("staging", known()), None);
        assert_eq!(nearest("demo", ["demo"]), None);
    }
}
