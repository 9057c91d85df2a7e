//! Times in which nobody is woken: once, or each week. Every one of them ends.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::{Line, Reference};

/// A time in which nobody is woken: `from` and `until`, or `weekly`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Written", into = "Written")]
pub struct Window {
    /// When.
    pub when: When,
    /// Why.
    pub reason: Line,
    /// Who says so.
    pub who: Line,
    /// What it is about, everything by default.
    pub of: Vec<Reference>,
}

/// When a window is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum When {
    /// Once.
    Once {
        /// Its beginning.
        from: Moment,
        /// Its end.
        until: Moment,
    },
    /// Each week.
    Weekly(Weekly),
}

/// A time in which nobody is woken: `from` and `until`, or `weekly`.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Window")]
struct Written {
    /// Its beginning, with `until`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<Moment>,
    /// Its end, at most 31 days later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<Moment>,
    /// Each week, instead of `from` and `until`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    weekly: Option<Weekly>,
    /// Why.
    reason: Line,
    /// Who says so.
    who: Line,
    /// What it is about, everything by default.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    of: Vec<Reference>,
}

/// Some hours of some days, by the machine's own clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Weekly {
    /// The days on which it begins.
    pub days: Vec<Day>,
    /// When it begins.
    pub from: TimeOfDay,
    /// When it ends, on the following day where that is not later than `from`.
    pub until: TimeOfDay,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "their names say it")]
pub enum Day {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

/// A window that stays open longer than this is a mistake that nobody notices.
const LONGEST: i64 = 31 * 86_400;

impl TryFrom<Written> for Window {
    type Error = String;

    fn try_from(it: Written) -> Result<Self, String> {
        let when = match (it.from, it.until, it.weekly) {
            (Some(from), Some(until), None) => match until.seconds() - from.seconds() {
                ..1 => return Err(format!("a window ends at {until}, and begins at {from}")),
                1..=LONGEST => When::Once { from, until },
                _ => return Err(format!("a window from {from} to {until} is longer than 31 days")),
            },
            (None, None, Some(weekly)) if weekly.days.is_empty() => {
                return Err("`days` of a window is empty".to_owned());
            }
            (None, None, Some(weekly)) => When::Weekly(weekly),
            _ => return Err("a window has either `from` and `until`, or `weekly`".to_owned()),
        };
        Ok(Window { when, reason: it.reason, who: it.who, of: it.of })
    }
}

impl From<Window> for Written {
    fn from(Window { when, reason, who, of }: Window) -> Self {
        let (from, until, weekly) = match when {
            When::Once { from, until } => (Some(from), Some(until), None),
            When::Weekly(weekly) => (None, None, Some(weekly)),
        };
        Written { from, until, weekly, reason, who, of }
    }
}

/// A moment with its offset, as in RFC 3339: `2026-12-01T22:00:00+01:00`, `2026-12-01T21:00:00Z`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Moment {
    text: String,
    seconds: i64,
}

impl Moment {
    /// Seconds since 1970.
    pub fn seconds(&self) -> i64 {
        self.seconds
    }
}

impl TryFrom<String> for Moment {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match moment(&text) {
            Some(seconds) => Ok(Moment { text, seconds }),
            None => {
                Err(format!("`{}` is not a moment, such as `2026-12-01T22:00:00+01:00`", text.escape_debug()))
            }
        }
    }
}

/// The seconds since 1970 of a moment of RFC 3339, without fractions.
fn moment(text: &str) -> Option<i64> {
    let (date, rest) = text.split_once('T')?;
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let (time, offset) = match rest.strip_suffix('Z') {
        Some(time) => (time, 0),
        None => {
            let at = rest.find(['+', '-'])?;
            let [hours, minutes] = numbers(&rest[at + 1..], ':', [2, 2])?;
            let offset = (hours <= 23 && minutes <= 59).then_some(hours * 3600 + minutes * 60)?;
            (&rest[..at], if rest[at..].starts_with('-') { -offset } else { offset })
        }
    };
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    let plain = (1970..=9999).contains(&year) && (1..=last).contains(&day);
    let of_day = (plain && hour <= 23 && minute <= 59 && second <= 59)
        .then_some(hour * 3600 + minute * 60 + second)?;
    Some(days(year, month, day) * 86_400 + of_day - offset)
}

/// Days since 1970-01-01 (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Numbers of exactly so many digits, with a sign between.
fn numbers<const N: usize>(text: &str, between: char, widths: [usize; N]) -> Option<[i64; N]> {
    let mut found = [0; N];
    let mut parts = text.split(between);
    for (number, width) in found.iter_mut().zip(widths) {
        let part = parts.next()?;
        *number = (part.len() == width && part.bytes().all(|b| b.is_ascii_digit()))
            .then(|| part.parse().ok())??;
    }
    parts.next().is_none().then_some(found)
}

/// A time of day, `22:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct TimeOfDay(u16);

impl TimeOfDay {
    /// Minutes since midnight.
    pub fn minutes(self) -> u16 {
        self.0
    }
}

impl TryFrom<String> for TimeOfDay {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let minutes = numbers(&text, ':', [2, 2])
            .filter(|[hour, minute]| *hour <= 23 && *minute <= 59)
            .and_then(|[hour, minute]| u16::try_from(hour * 60 + minute).ok());
        let wrong = || format!("`{}` is not a time of day, such as `22:00`", text.escape_debug());
        minutes.map(TimeOfDay).ok_or_else(wrong)
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl From<TimeOfDay> for String {
    fn from(time: TimeOfDay) -> String {
        time.to_string()
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<Moment> for String {
    fn from(moment: Moment) -> String {
        moment.text
    }
}

impl JsonSchema for Moment {
    fn schema_name() -> Cow<'static, str> {
        "Moment".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time", "description": "a moment with its offset" })
    }
}

impl JsonSchema for TimeOfDay {
    fn schema_name() -> Cow<'static, str> {
        "TimeOfDay".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-2][0-9]:[0-5][0-9]$", "description": "a time of day: `22:00`" })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn window(value: Value) -> Result<Window, String> {
        serde_json::from_value(value).map_err(|error| error.to_string())
    }

    #[test]
    fn a_moment_is_counted_with_its_offset() {
        let seconds = |text: &str| Moment::try_from(text.to_owned()).map(|it| it.seconds());
        assert_eq!(seconds("1970-01-01T00:00:00Z"), Ok(0));
        assert_eq!(seconds("2026-11-23T06:42:00Z"), Ok(1_795_416_120));
        assert_eq!(seconds("2026-11-23T07:42:00+01:00"), Ok(1_795_416_120));
        assert_eq!(seconds("2000-02-29T00:00:00Z"), Ok(951_782_400));
        assert_eq!(seconds("2100-02-28T23:59:59Z"), Ok(4_107_542_399));
        for bad in [
            "2026-02-29T00:00:00Z",
            "2026-11-23",
            "2026-11-23T06:42Z",
            "2026-11-23T06:42:00",
            "2026-11-23 06:42:00Z",
            "2026-11-23T24:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-1-1T00:00:00Z",
            "é",
        ] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_window_ends_and_says_who_opened_it() {
        let once = |from: &str, until: &str| {
            window(json!({ "from": from, "until": until, "reason": "new disk", "who": "claire" }))
        };
        assert!(once("2026-12-01T22:00:00Z", "2026-12-02T02:00:00Z").is_ok());
        assert!(once("2026-12-01T22:00:00Z", "2026-12-01T22:00:00Z").is_err());
        assert!(once("2026-12-01T22:00:00Z", "2027-12-01T22:00:00Z").unwrap_err().contains("31 days"));
        let weekly = json!({ "days": ["sunday"], "from": "23:30", "until": "01:00" });
        assert!(window(json!({ "weekly": weekly, "reason": "x", "who": "claire" })).is_ok());
        let both = json!({ "from": "2026-12-01T22:00:00Z", "weekly": weekly, "reason": "x", "who": "y" });
        assert!(window(both).is_err());
        assert!(window(json!({ "weekly": weekly, "reason": "x" })).is_err());
        assert!(window(json!({ "reason": "x", "who": "y" })).is_err());
    }
}
