//! All that is watched, by whom it belongs to: applications, what they stand on, the machine.

use std::fmt::Write as _;

use super::words::{both, decimal, heard, phrase, took};
use super::when::{lasted, long};
use super::{Page, bars, escaped, shown};
use crate::view::Seen;
use crate::{Level, number};

/// Draws the cards of all owners, in three groups.
pub fn draw(html: &mut String, page: &Page<'_>) {
    let mut owners: Vec<&str> = page.view.checks.iter().map(|it| it.owner.as_str()).collect();
    owners.sort_unstable();
    owners.dedup();
    let machine = |it: &str| it == "monitor" || it == "server" || it.starts_with("server-");
    let platform = |it: &str| it.starts_with("platform-");
    let groups: [(String, &str, Vec<&str>); 3] = [
        (both("Applications", "Applications"), "grid", owners.iter().copied().filter(|it| !machine(it) && !platform(it)).collect()),
        (both("What they stand on", "Ce sur quoi elles reposent"), "columns", owners.iter().copied().filter(|it| platform(it)).collect()),
        (both("The machine", "La machine"), "columns", owners.iter().copied().filter(|it| machine(it)).collect()),
    ];
    let mut first = true;
    for (title, class, owners) in groups.iter().filter(|it| !it.2.is_empty()) {
        let (id, legend) = if first { (" id=\"watched\"", bars::legend()) } else { ("", String::new()) };
        first = false;
        let _ = writeln!(html, "<div class=\"heading\"{id}><h2>{title}</h2>{legend}</div>\n<div class=\"{class}\">");
        for owner in owners {
            let checks: Vec<&Seen> = page.view.checks.iter().filter(|it| it.owner == *owner).collect();
            card(html, page, owner, &checks);
        }
        html.push_str("</div>\n");
    }
}

/// The card of an owner: how it is, its bars, its checks.
fn card(html: &mut String, page: &Page<'_>, owner: &str, checks: &[&Seen]) {
    let level = checks.iter().filter_map(|it| it.memory.as_ref()).map(|it| it.level).max().unwrap_or(Level::Unknown);
    let _ = writeln!(
        html,
        "<article class=\"card owner\">\n<h3>{} <span class=\"pill {}\">{}</span></h3>",
        escaped(owner),
        level.class(),
        level.translated()
    );
    // An application is there for people where its pages answer them.
    let pages: Vec<&Seen> = checks.iter().copied().filter(|it| it.kind == "http").collect();
    bars::draw(html, page, if pages.is_empty() { checks } else { &pages });
    html.push_str("<ul class=\"checks\">\n");
    for seen in checks {
        let (class, word) = shown(seen);
        let _ = writeln!(
            html,
            "<li class=\"{class}\"><span class=\"dot\"></span><span class=\"what\">{}</span><span class=\"value\">{}</span></li>",
            phrase(&seen.about),
            value(seen, class, &word)
        );
    }
    html.push_str("</ul>\n</article>\n");
}

/// What is to be said of a check in two words: what it measured where it is well, how it is where it is not.
fn value(seen: &Seen, class: &str, word: &str) -> String {
    let Some(memory) = seen.memory.as_ref().filter(|_| class == "ok") else { return word.to_owned() };
    #[expect(clippy::cast_precision_loss, reason = "milliseconds")]
    let ms = memory.last.ms as f64;
    let last = &memory.last;
    let measured = match (seen.kind.as_str(), last.value) {
        ("http" | "tcp" | "dns" | "database" | "socket", _) => took(ms),
        (_, None) => return word.to_owned(),
        ("certificate", Some(days)) => super::safety::good_for(days),
        #[expect(clippy::cast_possible_truncation, reason = "seconds")]
        ("backup" | "file" | "heartbeat", Some(age)) => lasted(age as i64),
        (_, Some(value)) if last.unit == "%" => decimal(value, 0, "%"),
        (_, Some(value)) if last.unit == "MiB" => decimal(value, 0, "MiB"),
        #[expect(clippy::cast_possible_truncation, reason = "seconds")]
        (_, Some(value)) if last.unit == "s" && value >= 60.0 => {
            let (english, french) = long(value as i64);
            both(&english, &french)
        }
        ("queue" | "updates", Some(value)) => both(&format!("{} waiting", number(value)), &format!("{} en attente", number(value))),
        (_, Some(value)) => escaped(format!("{} {}", number(value), last.unit).trim_end()),
    };
    format!("{}{measured}", heard(&format!("{word}, ")))
}
