//! Five numbers that say most: how often pages answered, how fast, how full the fullest disk is, the next certificate, backups.

use std::fmt::Write as _;

use pq_items::Probe;

use super::when::long;
use super::words::decimal;
use super::words::{both, count, phrase, share, took};
use super::{Page, escaped, safety};
use crate::Level;
use crate::view::Seen;

const DAY: i64 = 86_400;

/// A number, and what it is.
struct Tile {
    class: &'static str,
    place: &'static str,
    label: String,
    value: String,
    more: String,
}

/// Draws those of which something is known.
pub fn draw(html: &mut String, page: &Page<'_>) {
    let tiles = [availability(page), speed(page), disk(page), certificate(page), backup(page)];
    let tiles: Vec<Tile> = tiles.into_iter().flatten().collect();
    if tiles.is_empty() {
        return;
    }
    html.push_str("<ul class=\"tiles\">\n");
    for it in tiles {
        let _ = writeln!(
            html,
            "<li class=\"{0}\"><a class=\"{0}\" href=\"#{1}\"><span class=\"label\"><span class=\"dot\"></span>{2}</span><strong>{3}</strong><span class=\"quiet\">{4}</span></a></li>",
            it.class, it.place, it.label, it.value, it.more
        );
    }
    html.push_str("</ul>\n");
}

fn of_kind<'p>(page: &'p Page<'_>, kind: &str) -> Vec<&'p Seen> {
    page.view.checks.iter().filter(|it| it.kind == kind).collect()
}

/// The worst level of some checks, as it counts.
fn class(of: &[&Seen]) -> &'static str {
    of.iter().filter_map(|it| it.memory.as_ref()).map(|it| it.level).max().unwrap_or(Level::Unknown).class()
}

fn availability(page: &Page<'_>) -> Option<Tile> {
    let pages = of_kind(page, "http");
    let known = page.history.as_ref()?.uptime(page.now - super::bars::DAYS * DAY);
    let shares: Vec<f64> = pages.iter().filter_map(|it| known.get(&it.id).copied()).collect();
    if shares.is_empty() {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "a count of pages")]
    let mean = shares.iter().sum::<f64>() / shares.len() as f64 / 100.0;
    Some(Tile {
        class: class(&pages),
        place: "applications",
        label: both("Pages, 90 days", "Pages, 90 jours"),
        value: share(mean),
        more: count(shares.len(), ("page", "pages"), ("page", "pages")),
    })
}

fn speed(page: &Page<'_>) -> Option<Tile> {
    let (pages, history) = (of_kind(page, "http"), page.history.as_ref()?);
    let mut means: Vec<(f64, &Seen)> = Vec::new();
    for seen in &pages {
        let slots = history.slots(&seen.id, page.now - DAY);
        let times: Vec<f64> = slots.iter().filter(|it| it.asked > 0).map(|it| it.ms).collect();
        if !times.is_empty() {
            #[expect(clippy::cast_precision_loss, reason = "a count of slots")]
            means.push((times.iter().sum::<f64>() / times.len() as f64, seen));
        }
    }
    means.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (slowest, middle) = (means.last()?, means.get(means.len() / 2)?);
    Some(Tile {
        // What fails is not slow for it.
        class: "plain",
        place: "curves",
        label: both("Answer time, 24 h", "Temps de réponse, 24 h"),
        value: took(middle.0),
        more: format!(
            "{} <code>{}</code> {}",
            both("slowest:", "la plus lente\u{a0}:"),
            escaped(&slowest.1.owner),
            took(slowest.0)
        ),
    })
}

fn disk(page: &Page<'_>) -> Option<Tile> {
    let disks = of_kind(page, "disk");
    let full = |seen: &&&Seen| seen.memory.as_ref().and_then(|it| it.last.value);
    let fullest = disks
        .iter()
        .filter(|it| full(it).is_some())
        .max_by(|a, b| full(a).partial_cmp(&full(b)).unwrap_or(std::cmp::Ordering::Equal))?;
    let path = match page.setup.plan.get(&fullest.id).and_then(|it| it.probe.as_ref()) {
        Some(Probe::Disk(disk)) => format!("<code>{}</code>", escaped(disk.path.as_str())),
        _ => phrase(&fullest.about),
    };
    Some(Tile {
        class: class(&disks),
        place: "room",
        label: both("Fullest disk", "Disque le plus plein"),
        value: decimal(full(&fullest)?, 0, "%"),
        more: path,
    })
}

fn certificate(page: &Page<'_>) -> Option<Tile> {
    let all = safety::certificates(page);
    let first = all
        .iter()
        .filter(|it| it.days.is_some())
        .min_by(|a, b| a.days.partial_cmp(&b.days).unwrap_or(std::cmp::Ordering::Equal))?;
    Some(Tile {
        class: class(&of_kind(page, "certificate")),
        place: "certificates",
        label: both("Next certificate", "Prochain certificat"),
        value: safety::good_for(first.days?),
        more: escaped(&first.name),
    })
}

fn backup(page: &Page<'_>) -> Option<Tile> {
    let checks = of_kind(page, "backup");
    if checks.is_empty() {
        return None;
    }
    let items = safety::backups(page);
    let oldest = items.iter().filter_map(|it| it.newest).max();
    let value = oldest.map_or_else(|| "–".to_owned(), super::when::ago);
    let more = match items.iter().filter_map(|it| it.proven).min() {
        Some(age) => {
            let (english, french) = long(age);
            both(&format!("restore proven {english} ago"), &format!("restauration prouvée il y a {french}"))
        }
        None => both("no restore was proven", "aucune restauration prouvée"),
    };
    Some(Tile { class: class(&checks), place: "backups", label: both("Backups", "Sauvegardes"), value, more })
}
