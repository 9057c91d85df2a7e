//! Whether nobody is to be told of a check now: the strategy's windows, and those that runs of these tools open.
//!
//! Every window ends: a strategy's by its form, a run's by what it wrote when it opened it.

use jiff::Timestamp;
use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use pq_items::{Day, Reference, Weekly, When, Window};

use crate::plan::Watched;

/// The window that is open on a check.
pub fn open<'w>(windows: &'w [Window], watched: &Watched, now: i64, zone: &TimeZone) -> Option<&'w Window> {
    windows.iter().find(|window| {
        let concerned = window.of.is_empty() || window.of.iter().any(|it| is_of(it, watched));
        concerned && is_open(&window.when, now, zone)
    })
}

fn is_of(reference: &Reference, watched: &Watched) -> bool {
    reference.as_str() == watched.owner || reference.as_str() == watched.id
}

fn is_open(when: &When, now: i64, zone: &TimeZone) -> bool {
    match when {
        When::Once { from, until } => (from.seconds()..until.seconds()).contains(&now),
        When::Weekly(weekly) => is_weekly(weekly, now, zone),
    }
}

fn is_weekly(weekly: &Weekly, now: i64, zone: &TimeZone) -> bool {
    let Ok(now) = Timestamp::from_second(now) else { return false };
    let here = now.to_zoned_datetime(zone.clone());
    let minute = i32::from(here.hour()) * 60 + i32::from(here.minute());
    let (from, until) = (i32::from(weekly.from.minutes()), i32::from(weekly.until.minutes()));
    let begins_on = |day: Weekday| weekly.days.iter().any(|it| weekday(*it) == day);
    if from < until {
        return begins_on(here.weekday()) && (from..until).contains(&minute);
    }
    // It ends on the following day.
    begins_on(here.weekday()) && minute >= from || begins_on(here.weekday().previous()) && minute < until
}

fn weekday(day: Day) -> Weekday {
    match day {
        Day::Monday => Weekday::Monday,
        Day::Tuesday => Weekday::Tuesday,
        Day::Wednesday => Weekday::Wednesday,
        Day::Thursday => Weekday::Thursday,
        Day::Friday => Weekday::Friday,
        Day::Saturday => Weekday::Saturday,
        Day::Sunday => Weekday::Sunday,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Plan;
    use crate::plan::tests::items;
    use pq_items::Damping;

    fn windows(text: &str) -> Vec<Window> {
        pq_items::read("windows", "x.yml", text).unwrap()
    }

    /// Whether a window is open on `wiki/page` at a moment of UTC, in Paris' winter.
    fn opened(windows: &[Window], moment: &str) -> bool {
        let plan = Plan::of(
            &items(&["{ owner: wiki, checks: [{ id: page, tcp: { host: a, port: 1 } }] }"]),
            Damping { failures: 1, of: 1 },
        );
        let now = moment.parse::<Timestamp>().unwrap().as_second();
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        open(windows, plan.get("wiki/page").unwrap(), now, &zone).is_some()
    }

    #[test]
    fn a_weekly_window_goes_by_the_machines_own_clock_and_over_midnight() {
        let windows = windows(
            "[{ weekly: { days: [sunday], from: '23:30', until: '01:00' }, reason: upgrades, who: claire }]",
        );
        // 2026-11-29 is a Sunday.
        for (moment, is) in [
            ("2026-11-29T22:29:00Z", false),
            ("2026-11-29T22:30:00Z", true),
            ("2026-11-29T23:59:00Z", true),
            ("2026-11-30T00:00:00Z", false),
            ("2026-11-28T23:30:00Z", false),
        ] {
            assert_eq!(opened(&windows, moment), is, "{moment}");
        }
    }

    #[test]
    fn a_window_once_ends_and_is_of_what_it_names() {
        let text = |of: &str| {
            format!(
                "[{{ from: '2026-12-01T22:00:00+01:00', until: '2026-12-02T02:00:00+01:00', reason: disk, who: x, of: [{of}] }}]"
            )
        };
        for (of, is) in
            [("", true), ("wiki", true), ("wiki/page", true), ("server", false), ("wiki/other", false)]
        {
            assert_eq!(opened(&windows(&text(of)), "2026-12-01T21:00:00Z"), is, "{of}");
        }
        assert!(!opened(&windows(&text("")), "2026-12-02T01:00:00Z"));
        assert!(!opened(&windows(&text("")), "2026-12-01T20:59:59Z"));
    }
}
