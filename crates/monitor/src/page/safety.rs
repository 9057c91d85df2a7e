//! What nobody misses until it is missing: how long certificates are good, how old backups are, when a restore was last proven.

use std::fmt::Write as _;
use std::time::UNIX_EPOCH;

use pq_items::Probe;
use pq_store::{At, BACKED, Backed};
use pq_stream::from_utc;

use super::when::{ago, lasted};
use super::words::{both, decimal, heard, phrase};
use super::{Page, escaped, shown};
use crate::bounded;
use crate::probe::listed;
use crate::view::Seen;

/// Certificates are drawn as a part of so many days, which public ones are good for at most.
const WHOLE: f64 = 90.0;

/// A certificate.
pub struct Certificate<'p> {
    seen: &'p Seen,
    /// The name that it is for.
    pub name: String,
    /// How many days it is good for.
    pub days: Option<f64>,
}

/// The certificates that are watched, in the order of their names.
pub fn certificates<'p>(page: &'p Page<'_>) -> Vec<Certificate<'p>> {
    let of = |seen: &'p Seen| {
        let probe = page.setup.plan.get(&seen.id)?.probe.as_ref()?;
        let Probe::Certificate(it) = probe else { return None };
        let name = it.names.first().map_or_else(|| seen.id.clone(), ToString::to_string);
        Some(Certificate { seen, name, days: seen.memory.as_ref().and_then(|it| it.last.value) })
    };
    page.view.checks.iter().filter_map(of).collect()
}

/// How old the newest backup of an item is.
pub struct Kept {
    owner: String,
    /// The age of the newest backup, in seconds.
    pub newest: Option<i64>,
    /// How long ago a restore was proven, in seconds.
    pub proven: Option<i64>,
    failed: bool,
}

/// What is backed up, as `pq-backup` remembers it.
pub fn backups(page: &Page<'_>) -> Vec<Kept> {
    let places = &page.setup.places;
    let state = bounded::read(&places.lib.join(BACKED)).ok();
    let state: Backed = state.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    let age = |at: Option<&At>| {
        let since = from_utc(&at?.when)?.duration_since(UNIX_EPOCH).ok()?.as_secs();
        Some((page.now - i64::try_from(since).ok()?).max(0))
    };
    let kept = |owner: String| {
        let item = state.items.get(&owner);
        Kept {
            newest: age(item.and_then(|it| it.newest.as_ref())),
            proven: age(item.and_then(|it| it.proven.as_ref())),
            failed: item.is_some_and(|it| it.failed.is_some()),
            owner,
        }
    };
    listed(&places.etc).into_iter().map(kept).collect()
}

/// So many days of a certificate.
pub fn good_for(days: f64) -> String {
    match days {
        ..1.0 => decimal((days * 24.0).floor(), 0, "h"),
        1.0..2.0 => both("1\u{a0}day", "1\u{a0}jour"),
        _ => both(&format!("{:.0}\u{a0}days", days.floor()), &format!("{:.0}\u{a0}jours", days.floor())),
    }
}

/// Draws both, beside each other where there is room.
pub fn draw(html: &mut String, page: &Page<'_>) {
    let (certificates, checks) =
        (certificates(page), page.view.checks.iter().filter(|it| it.kind == "backup").collect::<Vec<_>>());
    if certificates.is_empty() && checks.is_empty() {
        return;
    }
    html.push_str("<div class=\"pair\">\n");
    if !certificates.is_empty() {
        let _ = writeln!(
            html,
            "<section>\n<h2 id=\"certificates\">{}</h2>\n<div class=\"card\">\n<table>\n<thead><tr><th scope=\"col\">{}</th><th scope=\"col\"><span class=\"hidden\">{}</span></th><th scope=\"col\">{}</th></tr></thead>\n<tbody>",
            both("Certificates", "Certificats"),
            both("name", "nom"),
            both("a part of 90 days", "part de 90 jours"),
            both("good for", "valable encore")
        );
        for it in &certificates {
            row_of_certificate(html, it);
        }
        html.push_str("</tbody>\n</table>\n</div>\n</section>\n");
    }
    if !checks.is_empty() {
        let _ = writeln!(
            html,
            "<section>\n<h2 id=\"backups\">{}</h2>\n<div class=\"card\">",
            both("Backups", "Sauvegardes")
        );
        for seen in checks.into_iter().filter(|it| shown(it).0 != "ok") {
            let said = seen.memory.as_ref().map_or_else(|| shown(seen).1, |it| phrase(&it.last.message));
            let _ = writeln!(html, "<p class=\"said\">{said}</p>");
        }
        table_of_backups(html, &backups(page));
        html.push_str("</div>\n</section>\n");
    }
    html.push_str("</div>\n");
}

fn row_of_certificate(html: &mut String, it: &Certificate<'_>) {
    let (class, word) = shown(it.seen);
    let (part, good) = match it.days {
        Some(days) => ((days / WHOLE).clamp(0.0, 1.0) * 100.0, good_for(days)),
        None => (0.0, word.clone()),
    };
    let _ = writeln!(
        html,
        "<tr class=\"{class}\"><td class=\"{class}\"><span class=\"dot\"></span>{}{}</td><td class=\"left\"><svg class=\"life\" viewBox=\"0 0 100 6\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect class=\"track\" width=\"100\" height=\"6\"/><rect class=\"rest\" width=\"{part:.1}\" height=\"6\"/></svg></td><td>{good}</td></tr>",
        heard(&format!("{word}: ")),
        escaped(&it.name)
    );
}

fn table_of_backups(html: &mut String, items: &[Kept]) {
    if items.is_empty() {
        return;
    }
    let _ = writeln!(
        html,
        "<table>\n<thead><tr><th scope=\"col\">{}</th><th scope=\"col\">{}</th><th scope=\"col\">{}</th></tr></thead>\n<tbody>",
        both("item", "élément"),
        both("age of the newest", "âge de la dernière"),
        both("restore proven", "restauration prouvée")
    );
    for it in items {
        let newest = match (it.newest, it.failed) {
            (Some(age), false) => lasted(age),
            (Some(age), true) => {
                format!("{} ({})", lasted(age), both("the last one failed", "la dernière a échoué"))
            }
            (None, _) => both("none", "aucune"),
        };
        let class = if it.newest.is_none() || it.failed { "critical" } else { "ok" };
        let proven = it.proven.map_or_else(|| "–".to_owned(), ago);
        let _ = writeln!(
            html,
            "<tr><td class=\"{class}\"><span class=\"dot\"></span>{}</td><td>{newest}</td><td>{proven}</td></tr>",
            escaped(&it.owner)
        );
    }
    html.push_str("</tbody>\n</table>\n");
}
