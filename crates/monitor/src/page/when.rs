//! Times and lengths of time, as people say them in either language.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::words::both;
use crate::message::utc;

const MONTHS: [(&str, &str); 12] = [
    ("Jan", "janv."),
    ("Feb", "févr."),
    ("Mar", "mars"),
    ("Apr", "avr."),
    ("May", "mai"),
    ("Jun", "juin"),
    ("Jul", "juil."),
    ("Aug", "août"),
    ("Sep", "sept."),
    ("Oct", "oct."),
    ("Nov", "nov."),
    ("Dec", "déc."),
];

/// A moment by the machine's clock: day, month, and the time of the day; with the year where that is wanted.
pub fn moment(at: i64, zone: &TimeZone, year: bool) -> String {
    let Ok(time) = Timestamp::from_second(at) else { return both("long ago", "il y a longtemps") };
    let time = time.to_zoned_datetime(zone.clone());
    let month = usize::try_from(time.month() - 1).ok().and_then(|it| MONTHS.get(it)).unwrap_or(&MONTHS[0]);
    let year = if year { format!(" {}", time.year()) } else { String::new() };
    let text = |month: &str| format!("{} {month}{year}, {}", time.day(), time.strftime("%H:%M"));
    format!("<time datetime=\"{}\">{}</time>", utc(at), both(&text(month.0), &text(month.1)))
}

/// The day of a time, in UTC, as bars count them.
pub fn day(at: i64) -> String {
    utc(at).get(..10).unwrap_or_default().to_owned()
}

/// How long something is, in its two greatest units.
pub fn long(seconds: i64) -> (String, String) {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    let same = |text: String| (text.clone(), text);
    match seconds {
        ..60 => same("<\u{a0}1\u{a0}min".to_owned()),
        60..3_600 => same(format!("{minutes}\u{a0}min")),
        3_600..86_400 if minutes == 0 => same(format!("{hours}\u{a0}h")),
        3_600..86_400 => same(format!("{hours}\u{a0}h {minutes:02}")),
        86_400..864_000 if hours > 0 => {
            (format!("{days}\u{a0}d {hours}\u{a0}h"), format!("{days}\u{a0}j {hours}\u{a0}h"))
        }
        _ if days == 1 => ("1\u{a0}day".to_owned(), "1\u{a0}jour".to_owned()),
        _ => (format!("{days}\u{a0}days"), format!("{days}\u{a0}jours")),
    }
}

/// The same, as HTML.
pub fn lasted(seconds: i64) -> String {
    let (english, french) = long(seconds);
    both(&english, &french)
}

/// How long ago something was.
pub fn ago(seconds: i64) -> String {
    let (english, french) = long(seconds);
    both(&format!("{english} ago"), &format!("il y a {french}"))
}
