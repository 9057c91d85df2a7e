//! All that is watched, by whom it belongs to: applications, what they stand on, the machine.

use std::fmt::Write as _;

use pq_items::Probe;

use super::when::{lasted, long};
use super::words::{both, decimal, heard, took};
use super::{Page, bars, escaped, shown};
use crate::view::Seen;
use crate::{Level, number};

/// The card of an owner with more checks than so many is as wide as the page.
const MANY: usize = 9;

/// Whether these belong to the machine itself, or to what applications stand on.
fn is_machine(owner: &str) -> bool {
    owner == "monitor" || owner == "server" || owner.starts_with("server-")
}

fn is_platform(owner: &str) -> bool {
    owner.starts_with("platform-")
}

/// Draws the cards of applications, and of whatever people watch beside ours.
pub fn applications(html: &mut String, page: &Page<'_>) {
    let title = both("Applications", "Applications");
    group(html, page, ("applications", &title), "grid", &|it| !is_machine(it) && !is_platform(it));
}

/// Draws the cards of what they stand on.
pub fn below(html: &mut String, page: &Page<'_>) {
    let title = both("What applications stand on", "Ce sur quoi reposent les applications");
    group(html, page, ("below", &title), "columns", &is_platform);
    group(html, page, ("machine", &both("The machine", "La machine")), "grid", &is_machine);
}

fn group(
    html: &mut String,
    page: &Page<'_>,
    (id, title): (&str, &str),
    class: &str,
    takes: &dyn Fn(&str) -> bool,
) {
    let mut owners: Vec<&str> = page.view.checks.iter().map(|it| it.owner.as_str()).collect();
    owners.retain(|it| takes(it));
    // The monitor's own come last: what it watches is of interest first.
    owners.sort_unstable_by_key(|it| (*it == "monitor", *it));
    owners.dedup();
    if owners.is_empty() {
        return;
    }
    // Said once.
    let legend = if html.contains("class=\"legend\"") { String::new() } else { bars::legend() };
    let _ = writeln!(
        html,
        "<div class=\"heading\"><h2 id=\"{id}\">{title}</h2>{legend}</div>\n<div class=\"{class}\">"
    );
    for owner in owners {
        let checks: Vec<&Seen> = page.view.checks.iter().filter(|it| it.owner == owner).collect();
        card(html, page, owner, &checks);
    }
    html.push_str("</div>\n");
}

/// The card of an owner: how it is, its bars, its checks.
fn card(html: &mut String, page: &Page<'_>, owner: &str, checks: &[&Seen]) {
    let level =
        checks.iter().filter_map(|it| it.memory.as_ref()).map(|it| it.level).max().unwrap_or(Level::Unknown);
    let _ = writeln!(
        html,
        "<article class=\"card owner{}\">\n<h3>{}{} <span class=\"pill {}\">{}</span></h3>",
        if checks.len() > MANY { " wide" } else { "" },
        escaped(owner),
        address(page, checks),
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
            page.about(seen),
            value(seen, class, &word)
        );
    }
    html.push_str("</ul>\n</article>\n");
}

/// Where the pages of some checks are: a link to their site, without what the check asks for there.
fn address(page: &Page<'_>, checks: &[&Seen]) -> String {
    let site = checks.iter().find_map(|seen| match page.setup.plan.get(&seen.id)?.probe.as_ref()? {
        Probe::Http(http) => site(http.url.as_str()),
        _ => None,
    });
    site.map_or_else(String::new, |(scheme, host)| {
        let host = escaped(host);
        format!(" <a class=\"quiet\" href=\"{scheme}://{host}/\" rel=\"noreferrer\">{host}</a>")
    })
}

/// Scheme, name and port of an address; never who logs in there.
fn site(url: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = url.split_once("://").filter(|it| ["http", "https"].contains(&it.0))?;
    let authority = rest.split(['/', '?', '#']).next()?;
    Some((scheme, authority.rsplit('@').next()?))
}

/// What is to be said of a check in two words: what it measured where it is well, how it is where it is not.
fn value(seen: &Seen, class: &str, word: &str) -> String {
    let Some(memory) = seen.memory.as_ref().filter(|_| class == "ok") else { return word.to_owned() };
    #[expect(clippy::cast_precision_loss, reason = "milliseconds")]
    let ms = memory.last.ms as f64;
    let last = &memory.last;
    let measured = match (seen.kind.as_str(), last.value) {
        ("http" | "tcp" | "dns" | "database" | "socket" | "peer", _) => took(ms),
        (_, None) => return word.to_owned(),
        ("certificate", Some(days)) => super::safety::good_for(days),
        #[expect(clippy::cast_possible_truncation, reason = "seconds")]
        ("backup" | "file" | "heartbeat", Some(age)) => lasted(age as i64),
        ("disk" | "memory" | "swap", Some(value)) => {
            format!("{} {}", decimal(value, 0, "%"), both("used", "utilisés"))
        }
        (_, Some(value)) if last.unit == "%" => decimal(value, 0, "%"),
        (_, Some(value)) if last.unit == "MiB" => {
            both(&format!("{value:.0}\u{a0}MiB"), &format!("{value:.0}\u{a0}Mio"))
        }
        #[expect(clippy::cast_possible_truncation, reason = "seconds")]
        (_, Some(value)) if last.unit == "s" && value >= 60.0 => {
            let (english, french) = long(value as i64);
            both(&english, &french)
        }
        ("queue" | "updates", Some(value)) => {
            both(&format!("{} waiting", number(value)), &format!("{} en attente", number(value)))
        }
        (_, Some(value)) => escaped(format!("{} {}", number(value), last.unit).trim_end()),
    };
    format!("{}{measured}", heard(&format!("{word}, ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_link_to_a_site_has_no_password_and_no_path() {
        assert_eq!(site("https://a:b@wiki.test:8443/x?y#z"), Some(("https", "wiki.test:8443")));
        assert_eq!(site("http://wiki.test?x@y"), Some(("http", "wiki.test")));
        assert_eq!(site("javascript:alert(1)"), None);
    }
}
