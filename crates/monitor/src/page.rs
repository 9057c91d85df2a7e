//! One HTML page of how everything is and was: nothing is loaded from elsewhere, curves are drawn here, light and dark, for a phone
//! and for a desk, in English and French.
//!
//! Always true here: whatever a check answered is text on the page, never a part of it; and the page forbids the browser to load
//! anything or to run any script but its own, which it can be read without.

mod bars;
mod charts;
mod curve;
mod french;
mod incidents;
mod owners;
mod safety;
mod summary;
mod tiles;
mod when;
mod words;

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::tz::TimeZone;
use sha2::{Digest as _, Sha256};

use crate::Level;
use crate::history::History;
use crate::setup::Setup;
use crate::state::Memory;
use crate::view::{Seen, View, view};
use words::both;

const STYLE: &str = include_str!("page/page.css");
const SCRIPT: &str = include_str!("page/page.js");

/// A flower of eight petals, and so the picture in the browser's tab.
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http:%2F%2Fwww.w3.org%2F2000%2Fsvg' viewBox='0 0 32 32'%3E%3Cg fill='%23fff' stroke='%23b9b3a3' stroke-width='.7'%3EPETALS%3C/g%3E%3Ccircle cx='16' cy='16' r='5' fill='%23f0b400'/%3E%3C/svg%3E";

/// What the parts of the page are made from.
struct Page<'p> {
    setup: &'p Setup,
    view: View,
    history: Option<History>,
    zone: TimeZone,
    now: i64,
}

/// The page of a machine.
pub fn page(setup: &Setup, now: i64) -> String {
    let history = History::look(&setup.places.monitor());
    let page = Page { setup, view: view(setup), history, zone: TimeZone::system(), now };
    let mut html = String::new();
    head(&mut html, &page);
    html.push_str("<main id=\"main\">\n");
    summary::verdict(&mut html, &page);
    tiles::draw(&mut html, &page);
    summary::attention(&mut html, &page);
    owners::applications(&mut html, &page);
    charts::draw(&mut html, &page);
    safety::draw(&mut html, &page);
    incidents::draw(&mut html, &page);
    owners::below(&mut html, &page);
    html.push_str("</main>\n");
    let _ = write!(
        html,
        "<footer><p>pq-monitor {}</p></footer>\n<script>{SCRIPT}</script>\n</body>\n</html>\n",
        env!("CARGO_PKG_VERSION"),
    );
    html
}

fn head(html: &mut String, page: &Page<'_>) {
    let (host, state) = (escaped(&page.view.host), page.level().word());
    let petals = |quote: char| -> String {
        let petal = |turn: i32| {
            format!("<ellipse cx='16' cy='7.5' rx='3.1' ry='6' transform='rotate({} 16 16)'/>", turn * 45)
        };
        (0..8).map(petal).collect::<String>().replace('\'', &quote.to_string())
    };
    let icon = ICON.replace("PETALS", &petals('\'').replace('<', "%3C").replace('>', "%3E"));
    let script = STANDARD.encode(Sha256::digest(SCRIPT));
    let _ = write!(
        html,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{host}: {state}</title>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{script}'; img-src data:; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"referrer\" content=\"no-referrer\">\n<meta name=\"robots\" content=\"noindex\">\n\
         <link rel=\"icon\" href=\"{icon}\">\n<style>\n{STYLE}</style>\n</head>\n<body>\n"
    );
    let choice = |code: &str, name: &str, checked: &str| {
        format!(
            "<label lang=\"{code}\"><input type=\"radio\" name=\"language\" value=\"{code}\" autocomplete=\"off\"{checked}>{name}</label>"
        )
    };
    let _ = writeln!(
        html,
        "<a class=\"skip\" href=\"#main\">{}</a>\n<header>\n<div class=\"name\"><svg class=\"daisy\" viewBox=\"0 0 32 32\" aria-hidden=\"true\">{}<circle cx=\"16\" cy=\"16\" r=\"5\"/></svg><h1>{host}</h1></div>\n<fieldset><legend class=\"hidden\">{}</legend>{}{}</fieldset>\n</header>",
        both("To the content", "Au contenu"),
        petals('"'),
        both("Language", "Langue"),
        choice("en", "English", " checked"),
        choice("fr", "Français", "")
    );
}

impl Page<'_> {
    /// Checks that count as bad and are not explained by another that is.
    fn roots(&self) -> impl Iterator<Item = (&Seen, &Memory)> {
        self.bad().filter(|(_, memory)| memory.because.is_none())
    }

    /// Checks that count as bad.
    fn bad(&self) -> impl Iterator<Item = (&Seen, &Memory)> {
        let all = self.view.checks.iter().filter_map(|it| Some((it, it.memory.as_ref()?)));
        all.filter(|(_, memory)| memory.level.is_bad())
    }

    /// What a check is about; with its name where another one of its owner is about the same.
    fn about(&self, seen: &Seen) -> String {
        let twin = |it: &&Seen| it.owner == seen.owner && it.about == seen.about && it.id != seen.id;
        let name = seen.id.rsplit('/').next().unwrap_or_default();
        match self.view.checks.iter().find(twin) {
            Some(_) => {
                format!("{} <code class=\"quiet\">{}</code>", words::phrase(&seen.about), escaped(name))
            }
            None => words::phrase(&seen.about),
        }
    }

    /// The worst that counts.
    fn level(&self) -> Level {
        self.bad().map(|(_, memory)| memory.level).max().unwrap_or_default()
    }
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

/// How a check is shown: a class, and a word of it.
fn shown(seen: &Seen) -> (&'static str, String) {
    match &seen.memory {
        None => ("unknown", both("not asked yet", "pas encore vérifié")),
        Some(memory) if memory.flaps => {
            (memory.level.max(Level::Warning).class(), both("comes and goes", "instable"))
        }
        // Bad for the first time, and not counted as long as it may be of the moment.
        Some(memory) if !memory.level.is_bad() && memory.last.level.is_bad() => {
            (memory.last.level.class(), both("just failed", "vient d'échouer"))
        }
        Some(memory) if memory.level.is_bad() && !memory.last.level.is_bad() => {
            (memory.level.class(), both("recovers", "se rétablit"))
        }
        Some(memory) => (memory.level.class(), memory.level.translated()),
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
