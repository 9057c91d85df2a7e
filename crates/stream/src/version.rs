//! Versions as applications write them, and their order.

use std::cmp::Ordering;

/// The order of two versions: numbers by their value, everything else by its letters.
pub fn compare(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (parts(a), parts(b));
    loop {
        return match (a.next(), b.next()) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(x), Some(y)) => match order(x, y) {
                Ordering::Equal => continue,
                unequal => unequal,
            },
        };
    }
}

/// Whether a version is one of `wanted`: `32` and `32.0` are met by `32.0.15`, not by `320.1`.
pub fn meets(version: &str, wanted: &str) -> bool {
    let in_number = wanted.ends_with(|c: char| c.is_ascii_digit());
    let goes_on = |rest: &str| in_number && rest.starts_with(|c: char| c.is_ascii_digit());
    !wanted.is_empty() && version.strip_prefix(wanted).is_some_and(|rest| !goes_on(rest))
}

/// Runs of digits and runs of letters; what stands between only separates.
fn parts(version: &str) -> impl Iterator<Item = &str> {
    version.split(|c: char| !c.is_ascii_alphanumeric()).flat_map(|word| {
        let together = |a: &u8, b: &u8| a.is_ascii_digit() == b.is_ascii_digit();
        word.as_bytes().chunk_by(together).filter_map(|run| std::str::from_utf8(run).ok())
    })
}

fn order(a: &str, b: &str) -> Ordering {
    match (a.parse::<u64>(), b.parse::<u64>()) {
        (Ok(a), Ok(b)) => a.cmp(&b),
        _ => a.cmp(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_by_their_numbers() {
        let sorted = ["2022-07-31", "2022-07-31a", "2022-07-31b", "2024-02-06", "2025-05-14"];
        assert!(sorted.windows(2).all(|pair| compare(pair[0], pair[1]) == Ordering::Less));
        assert_eq!(compare("9.10", "9.9"), Ordering::Greater);
        assert_eq!(compare("3.9.0", "3.9"), Ordering::Greater);
    }

    #[test]
    fn a_prefix_ends_where_a_number_ends() {
        assert!(meets("32.0.15", "32") && meets("32.0.15", "32.0") && meets("32.0.15", "32.0.15"));
        assert!(meets("2022-07-31a", "2022-07-31") && meets("2022-07-31a", "2022"));
        assert!(
            !meets("320.1", "32") && !meets("32.0.15", "32.0.1") && !meets("32.0", "") && !meets("3", "32")
        );
    }
}
