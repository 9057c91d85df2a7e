//! One HTML page of how everything is and was: nothing is loaded from elsewhere, curves are drawn here, light and dark, for a phone
//! and for a desk, in English and French.
//!
//! Always true here: whatever a check answered is text on the page, never a part of it.

mod curve;
mod style;
mod words;

use std::fmt::Write as _;

use jiff::tz::TimeZone;

use crate::history::{History, Incident, SLOT, Span};
use crate::message::here;
use crate::setup::Setup;
use crate::view::{Seen, View, view};
use crate::{Level, number};
use words::both;

/// How many days the bars show.
const BARS: i64 = 90;

/// How many incidents are shown.
const INCIDENTS: usize = 50;

/// The page of a machine.
pub fn page(setup: &Setup, now: i64) -> String {
    let view = view(setup);
    let history = History::look(&setup.places.monitor());
    let zone = TimeZone::system();
    let mut html = String::new();
    head(&mut html, &view);
    html.push_str("<main id=\"main\">\n");
    summary(&mut html, &view, now, &zone);
    let mut owners: Vec<&str> = view.checks.iter().map(|it| it.owner.as_str()).collect();
    owners.dedup();
    for owner in owners {
        let checks: Vec<&Seen> = view.checks.iter().filter(|it| it.owner == owner).collect();
        section(&mut html, owner, &checks, history.as_ref(), now, &zone);
    }
    if let Some(history) = &history {
        incidents(&mut html, &history.incidents(now - BARS * 86_400), &zone);
    }
    html.push_str("</main>\n");
    let _ = writeln!(
        html,
        "<footer><p>pq-monitor {}</p></footer>\n<script>{}</script>\n</body>\n</html>",
        env!("CARGO_PKG_VERSION"),
        style::SCRIPT
    );
    html
}

fn head(html: &mut String, view: &View) {
    let host = escaped(&view.host);
    let _ = write!(
        html,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n<link rel=\"icon\" href=\"data:,\">\n<title>{host}</title>\n<style>{}</style>\n</head>\n<body>\n",
        style::STYLE
    );
    let _ = write!(
        html,
        "<header>\n<h1>{host}</h1>\n<div class=\"languages\"><button type=\"button\" data-language=\"en\" lang=\"en\">English</button><button type=\"button\" data-language=\"fr\" lang=\"fr\">Français</button></div>\n</header>\n"
    );
}

fn summary(html: &mut String, view: &View, now: i64, zone: &TimeZone) {
    let bad = view.checks.iter().filter(|it| it.memory.as_ref().is_some_and(|it| it.level.is_bad())).count();
    let stale = now - view.at > 600;
    let (class, text) = match (stale, bad) {
        (true, _) => (
            "critical",
            both(
                "nothing was asked for more than ten minutes",
                "rien n'a été vérifié depuis plus de dix minutes",
            ),
        ),
        (_, 0) => ("ok", both("all is well", "tout va bien")),
        (_, 1) => {
            (view.worst().class(), both("one check is not well", "une vérification signale un problème"))
        }
        _ => (
            view.worst().class(),
            both(
                &format!("{bad} checks are not well"),
                &format!("{bad} vérifications signalent un problème"),
            ),
        ),
    };
    let at = escaped(&here(view.at, zone));
    let _ = writeln!(
        html,
        "<p class=\"summary {class}\"><strong>{text}</strong> <span class=\"quiet\">{} {at}, {} {}</span></p>",
        both("as of", "état du"),
        view.checks.len(),
        both("checks", "vérifications"),
    );
}

fn section(
    html: &mut String,
    owner: &str,
    checks: &[&Seen],
    history: Option<&History>,
    now: i64,
    zone: &TimeZone,
) {
    let _ = writeln!(html, "<section>\n<h2>{}</h2>", escaped(owner));
    for seen in checks {
        check(html, seen, history, now, zone);
    }
    html.push_str("</section>\n");
}

fn check(html: &mut String, seen: &Seen, history: Option<&History>, now: i64, zone: &TimeZone) {
    let (class, word) = match &seen.memory {
        Some(memory) => (memory.last.level.class(), memory.last.level.translated()),
        None => ("unknown", both("not asked yet", "pas encore vérifié")),
    };
    let _ = write!(
        html,
        "<article class=\"{class}\">\n<h3>{} <span class=\"quiet\">{}</span></h3>\n<p class=\"state {class}\">{word}</p>\n",
        escaped(&seen.about),
        escaped(&seen.id)
    );
    if let Some(memory) = &seen.memory {
        let _ = writeln!(html, "<p class=\"said\">{}</p>", escaped(&memory.last.message));
        if let Some(hint) = memory.last.hint.as_ref().filter(|_| memory.last.level.is_bad()) {
            let _ = writeln!(html, "<p class=\"hint\">{}</p>", escaped(hint));
        }
        if let Some(because) = &memory.because {
            let _ = writeln!(
                html,
                "<p class=\"hint\">{} {}</p>",
                both("explained by", "expliqué par"),
                escaped(because)
            );
        }
        if memory.level.is_bad() {
            let _ = writeln!(
                html,
                "<p class=\"quiet\">{} {}</p>",
                both("since", "depuis le"),
                escaped(&here(memory.since, zone))
            );
        }
    }
    if let Some(history) = history {
        bars(html, &history.days(&seen.id, now - BARS * 86_400), now, zone);
        curves(html, seen, &history.slots(&seen.id, now - 2 * 86_400), now);
    }
    html.push_str("</article>\n");
}

/// A bar a day, the newest at the right.
fn bars(html: &mut String, days: &[Span], now: i64, zone: &TimeZone) {
    if days.is_empty() {
        return;
    }
    let first = now - now.rem_euclid(86_400) - (BARS - 1) * 86_400;
    let (mut asked, mut bad) = (0, 0);
    let mut drawn = String::new();
    // Of a day of which nothing is known the ground shows.
    for day in days.iter().filter(|day| day.at >= first) {
        let class = match day {
            day if day.asked == 0 => "unknown",
            day if day.bad == 0 => "ok",
            // A tenth of a day is a bad day.
            day if day.bad * 10 >= day.asked => "critical",
            _ => "warning",
        };
        asked += day.asked;
        bad += day.bad;
        let x = (day.at - first) / 86_400 * 4;
        let date = here(day.at, zone);
        let title = format!("{}: {}", date.get(..10).unwrap_or_default(), share(day.asked, day.bad));
        let _ = write!(
            drawn,
            "<rect class=\"{class}\" x=\"{x}\" y=\"0\" width=\"3\" height=\"24\"><title>{}</title></rect>",
            escaped(&title)
        );
    }
    let label = share(asked, bad);
    let _ = writeln!(
        html,
        "<svg class=\"bars\" viewBox=\"0 0 {} 24\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{label}, {BARS} d\">{drawn}</svg>\n<p class=\"quiet\">{label} {}</p>",
        BARS * 4,
        both("of 90 days", "sur 90 jours"),
    );
}

fn share(asked: i64, bad: i64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a percentage")]
    let share = (asked - bad) as f64 * 100.0 / asked.max(1) as f64;
    // What failed once is never all.
    let share = if bad > 0 { share.min(99.99) } else { share };
    format!("{share:.2} %")
}

fn curves(html: &mut String, seen: &Seen, slots: &[Span], now: i64) {
    if slots.len() < 2 {
        return;
    }
    let from = now - 2 * 86_400;
    match seen.kind.as_str() {
        "http" | "tcp" | "dns" | "database" => {
            let points: Vec<(i64, f64)> =
                slots.iter().filter(|it| it.asked > 0).map(|it| (it.at, it.ms)).collect();
            let last = points.last().map_or(0.0, |it| it.1);
            curve::draw(
                html,
                &points,
                (from, now, SLOT),
                None,
                &both("answer time", "temps de réponse"),
                &format!("{} ms", number(last.round())),
            );
        }
        "disk" | "memory" | "swap" | "load" => {
            let points: Vec<(i64, f64)> = slots.iter().filter_map(|it| Some((it.at, it.value?))).collect();
            let last = points.last().map_or(0.0, |it| it.1);
            let most = (seen.kind != "load").then_some(100.0);
            curve::draw(
                html,
                &points,
                (from, now, SLOT),
                most,
                &both("in use", "occupation"),
                &format!("{} %", number(last)),
            );
        }
        _ => {}
    }
}

fn incidents(html: &mut String, all: &[Incident], zone: &TimeZone) {
    let _ = writeln!(html, "<section>\n<h2>{}</h2>", both("Incidents", "Incidents"));
    if all.is_empty() {
        let _ = writeln!(html, "<p class=\"quiet\">{}</p>", both("none in 90 days", "aucun en 90 jours"));
    }
    if !all.is_empty() {
        html.push_str("<ul class=\"incidents\">\n");
    }
    for it in all.iter().take(INCIDENTS) {
        let until = match it.ended {
            Some(ended) => format!("{} {}", both("until", "jusqu'au"), escaped(&here(ended, zone))),
            None => both("it lasts", "en cours"),
        };
        let _ = writeln!(
            html,
            "<li class=\"{}\"><strong>{}</strong> {} <span class=\"quiet\">{} {until}</span></li>",
            it.level.class(),
            escaped(&it.check),
            escaped(&it.message),
            escaped(&here(it.began, zone)),
        );
    }
    if !all.is_empty() {
        html.push_str("</ul>\n");
    }
    html.push_str("</section>\n");
}

impl Level {
    fn class(self) -> &'static str {
        match self {
            Level::Ok => "ok",
            Level::Unknown => "unknown",
            Level::Warning => "warning",
            Level::Critical => "critical",
        }
    }

    fn translated(self) -> String {
        match self {
            Level::Ok => both("well", "bien"),
            Level::Unknown => both("not known", "inconnu"),
            Level::Warning => both("warning", "attention"),
            Level::Critical => both("critical", "critique"),
        }
    }
}

/// Text that is only text in HTML.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests;
