//! Which sets of an item are kept: the last of each of so many days, weeks and months that have any.
//!
//! Always true here: the newest whole set stays, and so does the newest complete one; a set of the future stays and counts for nothing,
//! since whoever can set a clock forward could push good ones out with it; what is no whole set stays for a day, lest it is at work.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use pq_items::Retention;
use pq_stream::from_utc;

use crate::set::Set;

const DAY: Duration = Duration::from_secs(86_400);

/// How far ahead a clock may be.
const AHEAD: Duration = Duration::from_secs(2 * 3600);

/// What a set, which is of that day since 1970, is the last of.
type Bucket = dyn Fn(&Set, u64) -> String;

/// The sets that go, of those of one item, oldest first.
pub fn goes<'s>(sets: &[&'s Set], keep: Retention, now: SystemTime) -> Vec<&'s Set> {
    let mut kept: BTreeSet<&str> = BTreeSet::new();
    let newest_first = || sets.iter().rev().filter(|set| set.is_whole());
    kept.extend(newest_first().next().map(|set| set.id.as_str()));
    kept.extend(newest_first().find(|set| set.is_complete()).map(|set| set.id.as_str()));
    for set in sets {
        let Some(time) = from_utc(&set.time) else {
            // Who dates it so is no clock of ours.
            kept.insert(&set.id);
            continue;
        };
        let young = !set.is_whole() && time + DAY > now;
        if young || time > now + AHEAD {
            kept.insert(&set.id);
        }
    }
    let counted: Vec<(&Set, u64)> = newest_first()
        .filter_map(|set| {
            let time = from_utc(&set.time).filter(|time| *time <= now + AHEAD)?;
            Some((*set, time.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs() / 86_400))
        })
        .collect();
    let day = |_: &Set, day: u64| day.to_string();
    // 1970-01-01 was a Thursday.
    let week = |_: &Set, day: u64| ((day + 3) / 7).to_string();
    let month = |set: &Set, _: u64| set.time.get(..7).unwrap_or_default().to_owned();
    let rules: [(u16, &Bucket); 3] = [(keep.daily, &day), (keep.weekly, &week), (keep.monthly, &month)];
    for (most, of) in rules {
        let mut seen = BTreeSet::new();
        for (set, day) in &counted {
            if seen.len() >= usize::from(most) {
                break;
            }
            if seen.insert(of(set, *day)) {
                kept.insert(&set.id);
            }
        }
    }
    sets.iter().filter(|set| !kept.contains(set.id.as_str())).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::FILES;
    use crate::set::grouped;
    use crate::set::tests::snapshot;

    fn at(text: &str) -> SystemTime {
        from_utc(text).unwrap()
    }

    fn sets(times: &[(&str, &str)]) -> Vec<Set> {
        grouped(times.iter().map(|(time, part)| snapshot(time, time, "wiki", time, part)).collect())
    }

    fn going(times: &[(&str, &str)], keep: Retention, now: &str) -> Vec<String> {
        let sets = sets(times);
        goes(&sets.iter().collect::<Vec<_>>(), keep, at(now)).iter().map(|set| set.id.clone()).collect()
    }

    #[test]
    fn the_last_of_each_day_week_and_month_stays() {
        let keep = Retention { daily: 2, weekly: 2, monthly: 2 };
        let times = [
            ("2026-09-30T03:00:00Z", FILES),
            ("2026-10-31T03:00:00Z", FILES),
            ("2026-11-20T03:00:00Z", FILES),
            ("2026-11-27T03:00:00Z", FILES),
            ("2026-11-28T02:00:00Z", FILES),
            ("2026-11-28T03:00:00Z", FILES),
        ];
        // days 28 and 27, weeks of the 28th and the 20th, months 11 and 10
        assert_eq!(
            going(&times, keep, "2026-11-28T04:00:00Z"),
            ["2026-09-30T03:00:00Z", "2026-11-28T02:00:00Z"]
        );
    }

    #[test]
    fn what_counts_nothing_takes_nobody_s_place() {
        let keep = Retention { daily: 1, weekly: 1, monthly: 1 };
        let times = [
            ("2026-11-01T03:00:00Z", "mariadb-wiki"),
            ("2026-11-27T03:00:00Z", FILES),
            ("2026-11-28T03:00:00Z", "mariadb-wiki"),
            ("2099-01-01T00:00:00Z", FILES),
        ];
        assert_eq!(going(&times, keep, "2026-11-28T04:00:00Z"), ["2026-11-01T03:00:00Z"]);
        // a clock that was set back makes no set old
        assert!(going(&times[1..], keep, "2020-01-01T00:00:00Z").is_empty());
        // and nothing is kept for ever where none is to be: but the newest
        let none = Retention { daily: 0, weekly: 0, monthly: 0 };
        assert!(going(&times[1..2], none, "2030-01-01T00:00:00Z").is_empty());
    }
}
