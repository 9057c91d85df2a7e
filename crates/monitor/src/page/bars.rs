//! A bar a day, the newest at the right. A day that was not all well is a taller bar, so that colour is not all that tells.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::when::day;
use super::words::{both, heard, share};
use super::{Page, escaped};
use crate::number;
use crate::view::Seen;

/// How many days there are.
pub const DAYS: i64 = 90;

const DAY: i64 = 86_400;
const HEIGHT: i64 = 32;

/// How a day was: what part of it is known to be well, if anything is known.
type Days = BTreeMap<i64, Option<f64>>;

/// The days of some checks together: of each day, the check that failed longest counts.
fn days(page: &Page<'_>, checks: &[&Seen]) -> Days {
    let mut all = Days::new();
    let Some(history) = &page.history else { return all };
    for seen in checks {
        for it in history.days(&seen.id, first(page.now)) {
            #[expect(clippy::cast_precision_loss, reason = "a part of a day")]
            let well = (it.asked > 0).then(|| (it.asked - it.bad) as f64 / it.asked as f64);
            let before = all.entry(it.at).or_insert(well);
            *before = match (*before, well) {
                (Some(before), Some(well)) => Some(before.min(well)),
                (before, well) => before.or(well),
            };
        }
    }
    all
}

/// The beginning of the first day.
fn first(now: i64) -> i64 {
    now - now.rem_euclid(DAY) - (DAYS - 1) * DAY
}

/// Draws the bars of some checks together.
pub fn draw(html: &mut String, page: &Page<'_>, checks: &[&Seen]) {
    let days = days(page, checks);
    let known: Vec<f64> = days.values().flatten().copied().collect();
    if known.is_empty() {
        return;
    }
    let mut drawn = String::new();
    for at in (0..DAYS).map(|it| first(page.now) + it * DAY) {
        let (class, top, title) = match days.get(&at) {
            None => ("", 14, String::new()),
            Some(None) => ("unknown", 6, "?".to_owned()),
            Some(Some(well)) if *well >= 1.0 => ("ok", 6, "100 %".to_owned()),
            // A tenth of a day is a bad day.
            Some(Some(well)) => {
                let class = if *well <= 0.9 { "critical" } else { "warning" };
                (class, 0, format!("{} %", number((well * 100.0).min(99.99))))
            }
        };
        let x = (at - first(page.now)) / DAY * 8;
        let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
        let title =
            if title.is_empty() { title } else { format!("<title>{}: {}</title>", day(at), escaped(&title)) };
        let _ = write!(
            drawn,
            "<rect{class} x=\"{x}\" y=\"{top}\" width=\"6\" height=\"{}\">{title}</rect>",
            HEIGHT - top
        );
    }
    #[expect(clippy::cast_precision_loss, reason = "a count of days")]
    let mean = known.iter().sum::<f64>() / known.len() as f64;
    let _ = writeln!(
        html,
        "<svg class=\"bars\" viewBox=\"0 0 {} {HEIGHT}\" preserveAspectRatio=\"none\" aria-hidden=\"true\">{drawn}</svg>\n<p class=\"axis\"><span>{}</span><span>{}{}</span><span>{}</span></p>",
        DAYS * 8 - 2,
        both("90 days ago", "il y a 90 jours"),
        heard(&both("well for", "en bon état")),
        share(mean),
        both("today", "aujourd'hui")
    );
}

/// What the colours are.
pub fn legend() -> String {
    let of =
        |class: &str, word: String| format!("<li class=\"{class}\"><span class=\"dot\"></span>{word}</li>");
    format!(
        "<ul class=\"legend\">{}{}{}{}</ul>",
        of("ok", both("well all day", "bien toute la journée")),
        of("warning", both("failed for a while", "en panne un moment")),
        of("critical", both("for more than a tenth of the day", "plus d'un dixième du jour")),
        of("none", both("nothing known", "rien de connu"))
    )
}
