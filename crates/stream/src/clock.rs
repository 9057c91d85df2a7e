//! Times as people read them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A time in UTC, as in `2026-11-23T06:42:00Z`; times before 1970 are shown as 1970.
pub fn utc(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (year, month, day) = civil(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Year, month and day of a day counted from 1970-01-01 (Howard Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms", `civil_from_days`).
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

/// Reads a time as [`utc`] writes it, also with a fraction of its seconds; nothing where it is none.
pub fn from_utc(text: &str) -> Option<SystemTime> {
    let (date, clock) = text.strip_suffix('Z')?.split_once('T')?;
    let number = |text: &str| text.parse::<u64>().ok();
    let [year, month, day] = date.split('-').map(number).collect::<Option<Vec<_>>>()?[..] else {
        return None;
    };
    let (clock, micros) = clock.split_once('.').unwrap_or((clock, "0"));
    let [hours, minutes, seconds] = clock.split(':').map(number).collect::<Option<Vec<_>>>()?[..] else {
        return None;
    };
    let micros = number(&format!("{micros:0<6}"))?;
    if !(1970..10_000).contains(&year) || month > 12 || day > 31 || hours > 24 || minutes > 60 || seconds > 60
    {
        return None;
    }
    let days = days_since_1970(year, month, day)?;
    let seconds = ((days * 24 + hours) * 60 + minutes) * 60 + seconds;
    Some(UNIX_EPOCH + Duration::from_secs(seconds) + Duration::from_micros(micros))
}

/// Days from 1970-01-01 to a date of the Gregorian calendar: years are counted from March, so the leap day is last.
fn days_since_1970(year: u64, month: u64, day: u64) -> Option<u64> {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year.checked_sub(1)?, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day;
    days.checked_sub(719_469)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_shown_in_utc_and_read_again() {
        for (seconds, shown) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_795_416_120, "2026-11-23T06:42:00Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            let time = UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!(utc(time), shown);
            assert_eq!(from_utc(shown), Some(time));
        }
        for none in
            ["", "n/a", "2026-11-23", "2026-11-23T06:42Z", "2026-13-23T06:42:00Z", "1969-11-23T06:42:00Z"]
        {
            assert_eq!(from_utc(none), None, "{none}");
        }
    }
}
