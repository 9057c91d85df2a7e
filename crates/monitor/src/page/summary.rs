//! The first that is seen: whether all is well, and what is not.

use std::fmt::Write as _;

use super::when::{ago, moment};
use super::words::{Plural, both, count, counted, phrase};
use super::{Page, escaped, shown};
use crate::Level;
use crate::state::Memory;
use crate::view::Seen;

/// After how long without a run the page says that nothing is asked any more, in seconds.
const STALE: i64 = 600;

const WELL: &str = "M16 25l6.5 6.5L36 18";
const LOOK: &str = "M25 15v13M25 34.5v.1";
const BROKEN: &str = "M18 18l14 14M32 18L18 32";

/// Whether all is well.
pub fn verdict(html: &mut String, page: &Page<'_>) {
    let of = |level: Level| page.roots().filter(|(_, it)| it.level == level).count();
    let (critical, warning, unknown) = (of(Level::Critical), of(Level::Warning), of(Level::Unknown));
    let stale = page.now - page.view.at > STALE;
    let works = (
        ("thing does not work", "things do not work"),
        ("point ne fonctionne pas", "points ne fonctionnent pas"),
    );
    let look =
        (("thing needs a look", "things need a look"), ("point est à regarder", "points sont à regarder"));
    let known =
        (("thing is not known", "things are not known"), ("point est inconnu", "points sont inconnus"));
    let of_whom = |number: usize, words: (Plural, Plural), level: Level| {
        let (english, french) = counted(number, words.0, words.1);
        let owners = owners(page, level);
        both(&format!("{english}: {owners}"), &format!("{french}\u{a0}: {owners}"))
    };
    let (class, text) = match (page.view.at, critical, warning, unknown) {
        (0, ..) => ("unknown", both("There was no run yet", "Rien n'a encore été vérifié")),
        _ if stale => (
            "critical",
            both(
                "Nothing was asked for more than ten minutes",
                "Rien n'a été vérifié depuis plus de dix minutes",
            ),
        ),
        (_, 0, 0, 0) => ("ok", both("All is well", "Tout va bien")),
        (_, 0, 0, unknown) => ("unknown", of_whom(unknown, known, Level::Unknown)),
        (_, 0, warning, _) => ("warning", of_whom(warning, look, Level::Warning)),
        (_, critical, ..) => ("critical", of_whom(critical, works, Level::Critical)),
    };
    let icon = match class {
        "ok" => WELL,
        "critical" => BROKEN,
        _ => LOOK,
    };
    let all = page.view.checks.len();
    let mut parts = vec![
        count(all, ("check", "checks"), ("vérification", "vérifications")),
        count(all - page.bad().count(), ("well", "well"), ("va bien", "vont bien")),
    ];
    let counted = |level: Level| page.bad().filter(|(_, it)| it.level == level).count();
    for (level, english, french) in [
        (Level::Critical, ("critical", "critical"), ("critique", "critiques")),
        (Level::Warning, ("warning", "warnings"), ("avertissement", "avertissements")),
        (Level::Unknown, ("not known", "not known"), ("inconnue", "inconnues")),
    ] {
        let number = counted(level);
        if number > 0 {
            parts.push(count(number, english, french));
        }
    }
    let at = match page.view.at {
        0 => String::new(),
        at => format!("<span>{} {}</span> ", both("As of", "État du"), moment(at, &page.zone, true)),
    };
    let _ = writeln!(
        html,
        "<section class=\"hero {class}\">\n<svg viewBox=\"0 0 50 50\" aria-hidden=\"true\"><circle cx=\"25\" cy=\"25\" r=\"25\"/><path d=\"{icon}\"/></svg>\n<div><p class=\"verdict\">{text}</p>\n<p class=\"quiet\">{at}<span>{}</span></p></div>\n</section>",
        parts.join(", "),
    );
}

/// What is not well, the worst first; what fails because of something else stands with that.
pub fn attention(html: &mut String, page: &Page<'_>) {
    let bad: Vec<_> = page.bad().collect();
    if bad.is_empty() {
        return;
    }
    // The first cause of a check, as far as that is bad too.
    let cause = |seen: &Seen| {
        let mut at = seen.id.as_str();
        for _ in 0..bad.len() {
            let below = bad.iter().find(|it| it.0.id == at).and_then(|it| it.1.because.as_deref());
            match below.filter(|below| bad.iter().any(|it| it.0.id == **below)) {
                Some(below) => at = below,
                None => break,
            }
        }
        at.to_owned()
    };
    let mut roots: Vec<_> = bad.iter().filter(|it| cause(it.0) == it.0.id).collect();
    roots.sort_by_key(|it| std::cmp::Reverse(it.1.level));
    let _ = writeln!(html, "<h2>{}</h2>\n<ul class=\"attention\">", both("Not well now", "Ce qui ne va pas"));
    for (seen, memory) in roots {
        let with: Vec<&Seen> =
            bad.iter().map(|it| it.0).filter(|it| it.id != seen.id && cause(it) == seen.id).collect();
        one(html, page, seen, memory, &with);
    }
    html.push_str("</ul>\n");
}

/// One that is not well: what it answered, what helps, what fails with it, and what it is.
fn one(html: &mut String, page: &Page<'_>, seen: &Seen, memory: &Memory, with: &[&Seen]) {
    let (class, word) = shown(seen);
    let _ = writeln!(
        html,
        "<li class=\"{class}\">\n<h3><span class=\"pill {class}\">{word}</span> <span class=\"said\">{}</span></h3>",
        phrase(&memory.last.message)
    );
    let mut more = Vec::new();
    if let Some(hint) = memory.last.hint.as_ref().filter(|_| memory.last.level.is_bad()) {
        more.push(phrase(hint));
    }
    let code = |id: &str| format!("<code>{}</code>", escaped(id));
    if let Some(because) = &memory.because {
        more.push(format!("{} {}", both("explained by", "expliqué par"), code(because)));
    }
    if !with.is_empty() {
        let names: Vec<String> = with.iter().map(|it| code(&it.id)).collect();
        more.push(format!("{} {}", both("Fails with it:", "Tombe avec\u{a0}:"), names.join(", ")));
    }
    for it in more {
        let _ = writeln!(html, "<p class=\"hint\">{it}</p>");
    }
    let _ = writeln!(
        html,
        "<p class=\"quiet about\"><span>{}</span> <span>{}</span> <span>{} {} ({})</span></p>\n</li>",
        code(&seen.id),
        phrase(&seen.about),
        both("since", "depuis le"),
        moment(memory.since, &page.zone, false),
        ago(page.now - memory.since)
    );
}

/// Whose the things of a level are: three of them at most.
fn owners(page: &Page<'_>, level: Level) -> String {
    let mut owners: Vec<&str> =
        page.roots().filter(|it| it.1.level == level).map(|it| it.0.owner.as_str()).collect();
    owners.dedup();
    let more = if owners.len() > 3 { ", …" } else { "" };
    owners.truncate(3);
    format!("{}{more}", owners.join(", "))
}
