//! What failed, the newest first.

use std::fmt::Write as _;

use super::when::{lasted, moment};
use super::words::{both, count, heard, phrase};
use super::{Page, bars, escaped};
use crate::history::Incident;

/// How many are shown at once, and how many at all.
const FIRST: usize = 10;
const MOST: usize = 60;

/// Draws those of ninety days.
pub fn draw(html: &mut String, page: &Page<'_>) {
    let Some(history) = &page.history else { return };
    let all = history.incidents(page.now - bars::DAYS * 86_400);
    let _ = writeln!(
        html,
        "<h2 id=\"incidents\">{}</h2>\n<div class=\"card incidents\">",
        both("Incidents, 90 days", "Incidents, 90 jours")
    );
    let (first, more) = all.split_at(all.len().min(FIRST));
    if first.is_empty() {
        let _ = writeln!(html, "<p class=\"quiet\">{}</p>", both("None.", "Aucun."));
    } else {
        list(html, page, first);
    }
    let more = &more[..more.len().min(MOST - FIRST)];
    if !more.is_empty() {
        let words = count(more.len(), ("older one", "older ones"), ("plus ancien", "plus anciens"));
        let _ = writeln!(html, "<details>\n<summary>{words}</summary>");
        list(html, page, more);
        html.push_str("</details>\n");
    }
    html.push_str("</div>\n");
}

fn list(html: &mut String, page: &Page<'_>, incidents: &[Incident]) {
    html.push_str("<ol>\n");
    for it in incidents {
        let long = match it.ended {
            Some(ended) => lasted(ended - it.began),
            None => {
                format!("<span class=\"pill {}\">{}</span>", it.level.class(), both("ongoing", "en cours"))
            }
        };
        let about =
            page.setup.plan.get(&it.check).map_or(it.check.as_str(), |watched| watched.about.as_str());
        let _ = writeln!(
            html,
            "<li><span class=\"quiet\">{}</span><div class=\"what {1}\"><span class=\"dot\"></span>{2}{3} <code class=\"quiet\">{4}</code><p>{5}</p></div><span class=\"quiet long\">{long}</span></li>",
            moment(it.began, &page.zone, false),
            it.level.class(),
            heard(&format!("{}: ", it.level.translated())),
            phrase(about),
            escaped(&it.check),
            phrase(&it.message)
        );
    }
    html.push_str("</ol>\n");
}
