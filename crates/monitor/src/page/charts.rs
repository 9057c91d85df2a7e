//! Curves: how long answers took and what is in use over two days, how full disks were over ninety.

use std::fmt::Write as _;

use super::curve::{Curve, round_up};
use pq_items::Probe;

use super::words::{both, decimal, took};
use super::{Page, bars, escaped, shown};
use crate::history::{SLOT, Span};
use crate::view::Seen;

const DAY: i64 = 86_400;

/// Answers that all came within so many milliseconds have no curve: it would be flat.
const AT_ONCE: f64 = 10.0;

/// Draws all of them.
pub fn draw(html: &mut String, page: &Page<'_>) {
    let times: String = page.view.checks.iter().filter_map(|it| answers(page, it)).collect();
    part(html, "curves", &both("Answer times, 48 hours", "Temps de réponse, 48 heures"), "charts", &times);
    let disks: String = page.view.checks.iter().filter_map(|it| disk(page, it)).collect();
    part(html, "room", &both("Disks, 90 days", "Disques, 90 jours"), "charts small", &disks);
    let used: String = page.view.checks.iter().filter_map(|it| used(page, it)).collect();
    part(
        html,
        "used",
        &both("Memory and processors, 48 hours", "Mémoire et processeurs, 48 heures"),
        "charts small",
        &used,
    );
}

fn part(html: &mut String, id: &str, title: &str, class: &str, charts: &str) {
    if !charts.is_empty() {
        let _ = writeln!(html, "<h2 id=\"{id}\">{title}</h2>\n<div class=\"{class}\">\n{charts}</div>");
    }
}

/// How long a check took.
fn answers(page: &Page<'_>, seen: &Seen) -> Option<String> {
    if !["http", "tcp", "dns", "database"].contains(&seen.kind.as_str()) {
        return None;
    }
    let slots = slots(page, seen)?;
    let points: Vec<(i64, f64)> = slots.iter().filter(|it| it.asked > 0).map(|it| (it.at, it.ms)).collect();
    let greatest = greatest(&points)?;
    if greatest < AT_ONCE {
        return None;
    }
    let bad: Vec<i64> = slots.iter().filter(|it| it.bad > 0).map(|it| it.at).collect();
    let top = round_up(greatest);
    let curve = Curve {
        points: &points,
        from: page.now - 2 * DAY,
        until: page.now,
        apart: SLOT,
        top,
        bad: &bad,
        ..Curve::default()
    };
    // How soon an error came is no answer time.
    let now = match shown(seen) {
        ("ok", _) => took(points.last()?.1),
        (class, word) => format!("<span class=\"pill {class}\">{word}</span>"),
    };
    Some(figure(&page.about(seen), &curve, &now, &took(greatest)))
}

/// How full a disk was at the end of each day.
fn disk(page: &Page<'_>, seen: &Seen) -> Option<String> {
    if seen.kind != "disk" {
        return None;
    }
    let from = page.now - bars::DAYS * DAY;
    let days = page.history.as_ref()?.days(&seen.id, from);
    // What a day measured last is of its end, or of now.
    let points: Vec<(i64, f64)> =
        days.iter().filter_map(|it| Some(((it.at + DAY).min(page.now), it.value?))).collect();
    let greatest = greatest(&points)?;
    let limits = &page.setup.strategy.thresholds.disk;
    let limits = [(f64::from(limits.warn.get()), ""), (f64::from(limits.critical.get()), "critical")];
    let curve = Curve {
        points: &points,
        from,
        until: page.now,
        apart: DAY,
        top: 100.0,
        limits: &limits,
        ..Curve::default()
    };
    let what = match page.setup.plan.get(&seen.id)?.probe.as_ref()? {
        Probe::Disk(disk) => format!("<code>{}</code>", escaped(disk.path.as_str())),
        _ => page.about(seen),
    };
    Some(figure(&what, &curve, &decimal(points.last()?.1, 0, "%"), &decimal(greatest, 0, "%")))
}

/// What was in use.
fn used(page: &Page<'_>, seen: &Seen) -> Option<String> {
    if !["memory", "swap", "load"].contains(&seen.kind.as_str()) {
        return None;
    }
    let points: Vec<(i64, f64)> =
        slots(page, seen)?.iter().filter_map(|it| Some((it.at, it.value?))).collect();
    let greatest = greatest(&points)?;
    // The processors can have more to do than they can.
    let top = if greatest > 100.0 { round_up(greatest) } else { 100.0 };
    let curve = Curve {
        points: &points,
        from: page.now - 2 * DAY,
        until: page.now,
        apart: SLOT,
        top,
        ..Curve::default()
    };
    let what = match seen.kind.as_str() {
        "memory" => both("Memory", "Mémoire"),
        "swap" => both("Swap", "Mémoire d'échange"),
        _ => both("Processors", "Processeurs"),
    };
    Some(figure(&what, &curve, &decimal(points.last()?.1, 0, "%"), &decimal(greatest, 0, "%")))
}

fn slots(page: &Page<'_>, seen: &Seen) -> Option<Vec<Span>> {
    Some(page.history.as_ref()?.slots(&seen.id, page.now - 2 * DAY))
}

/// The greatest of two points at least.
fn greatest(points: &[(i64, f64)]) -> Option<f64> {
    (points.len() > 1).then(|| points.iter().map(|it| it.1).fold(0.0, f64::max))
}

fn figure(what: &str, curve: &Curve<'_>, now: &str, greatest: &str) -> String {
    let days = (curve.until - curve.from) / DAY;
    let from = match days {
        2 => both("48 h ago", "il y a 48 h"),
        _ => both(&format!("{days} days ago"), &format!("il y a {days} jours")),
    };
    format!(
        "<figure class=\"card\">\n<figcaption><span>{what}</span><strong>{now}</strong></figcaption>\n<div class=\"plot\">{}</div>\n<p class=\"axis\"><span>{from}</span><span>{} {greatest}</span><span>{}</span></p>\n</figure>\n",
        curve.svg(),
        both("at most", "au plus"),
        both("now", "maintenant"),
    )
}
