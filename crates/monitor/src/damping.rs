//! When a failure counts: N of the last M, both ways; and when something that comes and goes is told once.
//!
//! Pure functions over the last answers.

use pq_items::Damping;

use crate::Level;

/// How many answers are looked at to see whether something comes and goes.
pub const LOOK: usize = 16;

/// From how many changes among them on it does.
const BEGINS: usize = 8;

/// Up to how many it has settled.
const ENDS: usize = 2;

/// What counts after these answers, the newest last, where `current` counted before.
///
/// It gets worse once N of the last M are as bad, and better once N are as good and no N are as bad as before.
pub fn settled(recent: &[Level], current: Level, damping: Damping) -> Level {
    let last = &recent[recent.len().saturating_sub(usize::from(damping.of))..];
    let enough = |count: usize| count >= usize::from(damping.failures);
    let at_least = |level: Level| last.iter().filter(|it| **it >= level).count();
    let at_most = |level: Level| last.iter().filter(|it| **it <= level).count();
    let all = [Level::Ok, Level::Unknown, Level::Warning, Level::Critical];
    if let Some(worse) = all.iter().rev().find(|level| **level > current && enough(at_least(**level))) {
        return *worse;
    }
    let better = all.iter().find(|level| **level < current && enough(at_most(**level)));
    match better {
        Some(better) if !enough(at_least(current)) => *better,
        _ => current,
    }
}

/// Whether it comes and goes after these answers, where it did or did not before.
pub fn flaps(recent: &[Level], before: bool) -> bool {
    let last = &recent[recent.len().saturating_sub(LOOK)..];
    let changes = last.windows(2).filter(|two| two[0].is_bad() != two[1].is_bad()).count();
    if before { changes > ENDS } else { changes >= BEGINS }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Level::{Critical, Ok, Warning};

    fn after(levels: &[Level], failures: u8, of: u8) -> Level {
        let mut current = Ok;
        for end in 1..=levels.len() {
            current = settled(&levels[..end], current, Damping { failures, of });
        }
        current
    }

    #[test]
    fn three_of_three_count_both_ways() {
        assert_eq!(after(&[Critical, Critical], 3, 3), Ok);
        assert_eq!(after(&[Critical, Critical, Critical], 3, 3), Critical);
        assert_eq!(after(&[Critical, Critical, Critical, Ok, Ok], 3, 3), Critical);
        assert_eq!(after(&[Critical, Critical, Critical, Ok, Ok, Ok], 3, 3), Ok);
        assert_eq!(after(&[Critical, Critical, Critical, Ok, Critical, Ok, Ok], 3, 3), Critical);
    }

    #[test]
    fn two_of_three_bear_one_that_is_well_between() {
        assert_eq!(after(&[Critical, Ok, Critical], 2, 3), Critical);
        assert_eq!(after(&[Critical, Ok, Ok, Critical], 2, 3), Ok);
        assert_eq!(after(&[Critical, Critical, Ok], 2, 3), Critical);
        assert_eq!(after(&[Critical, Critical, Ok, Ok], 2, 3), Ok);
    }

    #[test]
    fn one_of_three_stays_as_long_as_one_is_bad() {
        assert_eq!(after(&[Critical, Ok, Ok], 1, 3), Critical);
        assert_eq!(after(&[Critical, Ok, Ok, Ok], 1, 3), Ok);
    }

    #[test]
    fn it_gets_worse_and_better_by_degrees() {
        assert_eq!(after(&[Warning, Warning, Critical], 3, 3), Warning);
        assert_eq!(after(&[Warning, Warning, Critical, Critical, Critical], 3, 3), Critical);
        assert_eq!(after(&[Critical, Critical, Critical, Warning, Warning, Warning], 3, 3), Warning);
    }

    #[test]
    fn what_comes_and_goes_flaps_until_it_settles() {
        let mut recent = Vec::new();
        let mut flapping = false;
        for at in 0..12 {
            recent.push(if at % 2 == 0 { Critical } else { Ok });
            flapping = flaps(&recent, flapping);
            assert_eq!(flapping, at >= 8, "{at}");
        }
        for _ in 0..12 {
            recent.push(Ok);
            flapping = flaps(&recent, flapping);
        }
        assert!(flapping, "three changes are among the last sixteen still");
        recent.push(Ok);
        assert!(!flaps(&recent, flapping));
        assert!(!flaps(&[Critical; 16], false), "what is just bad does not flap");
    }
}
