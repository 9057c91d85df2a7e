//! The first that is seen: whether all is well, and what is not.

use std::fmt::Write as _;

use super::when::{ago, moment};
use super::words::{both, count, phrase};
use super::{Page, escaped, shown};
use crate::Level;

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
    let works = (("thing does not work", "things do not work"), ("point ne fonctionne pas", "points ne fonctionnent pas"));
    let look = (("thing needs a look", "things need a look"), ("point est à regarder", "points sont à regarder"));
    let known = (("thing is not known", "things are not known"), ("point est inconnu", "points sont inconnus"));
    let (class, text) = match (page.view.at, critical, warning, unknown) {
        (0, ..) => ("unknown", both("There was no run yet", "Rien n'a encore été vérifié")),
        _ if stale => (
            "critical",
            both("Nothing was asked for more than ten minutes", "Rien n'a été vérifié depuis plus de dix minutes"),
        ),
        (_, 0, 0, 0) => ("ok", both("All is well", "Tout va bien")),
        (_, 0, 0, unknown) => ("unknown", count(unknown, known.0, known.1)),
        (_, 0, warning, _) => ("warning", count(warning, look.0, look.1)),
        (_, critical, ..) => ("critical", count(critical, works.0, works.1)),
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
        at => format!("{} {} · ", both("As of", "État du"), moment(at, &page.zone, true)),
    };
    let _ = writeln!(
        html,
        "<section class=\"hero {class}\">\n<svg viewBox=\"0 0 50 50\" aria-hidden=\"true\"><circle cx=\"25\" cy=\"25\" r=\"25\"/><path d=\"{icon}\"/></svg>\n<div><p class=\"verdict\">{text}</p>\n<p class=\"quiet\">{at}{}</p></div>\n</section>",
        parts.join(", "),
    );
}

/// What is not well, the worst first; what is explained by something else behind that.
pub fn attention(html: &mut String, page: &Page<'_>) {
    let mut bad: Vec<_> = page.bad().collect();
    if bad.is_empty() {
        return;
    }
    bad.sort_by_key(|(_, memory)| (memory.because.is_some(), std::cmp::Reverse(memory.level)));
    let _ = writeln!(html, "<h2>{}</h2>\n<ul class=\"attention\">", both("Not well now", "Ce qui ne va pas"));
    for (seen, memory) in bad {
        let (class, word) = shown(seen);
        let _ = write!(
            html,
            "<li class=\"{class}\">\n<h3>{} <span class=\"pill {class}\">{word}</span> <code class=\"quiet\">{}</code></h3>\n<p class=\"said\">{}</p>\n",
            phrase(&seen.about),
            escaped(&seen.id),
            phrase(&memory.last.message)
        );
        if let Some(hint) = memory.last.hint.as_ref().filter(|_| memory.last.level.is_bad()) {
            let _ = writeln!(html, "<p class=\"hint\">{}</p>", phrase(hint));
        }
        if let Some(because) = &memory.because {
            let _ = writeln!(
                html,
                "<p class=\"hint\">{} <code>{}</code></p>",
                both("explained by", "expliqué par"),
                escaped(because)
            );
        }
        let _ = writeln!(
            html,
            "<p class=\"quiet\">{} {} ({})</p>\n</li>",
            both("Since", "Depuis le"),
            moment(memory.since, &page.zone, false),
            ago(page.now - memory.since)
        );
    }
    html.push_str("</ul>\n");
}
