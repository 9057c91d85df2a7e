//! A page: status, headers, text, redirections by the same rules, and how long it took.

use std::collections::BTreeSet;
use std::io::Read;
use std::net::SocketAddr;
use std::time::Instant;

use pq_items::Http;
use regex::RegexBuilder;
use ureq::http::Uri;
use ureq::http::header::LOCATION;

use super::{left, tcp};
use crate::{Answer, web};

/// The most that is read of a page.
const MOST: u64 = 1 << 20;

/// The largest automaton that an expression may become while it matches.
const AUTOMATON: usize = 1 << 20;

/// The host in an address.
pub fn host(url: &str) -> Option<String> {
    url.parse::<Uri>().ok()?.host().map(str::to_owned)
}

/// What was answered last, after all redirections.
struct Page {
    status: u16,
    headers: Vec<(String, String)>,
    text: String,
    whole: bool,
}

/// Asks it.
pub fn ask(http: &Http, until: Instant) -> Answer {
    let began = Instant::now();
    let answer = match follow(http, until) {
        Ok(page) => judge(http, &page),
        Err(answer) => return *answer,
    };
    let took = began.elapsed();
    let answer = answer.value(took.as_secs_f64(), "s");
    match &http.within {
        Some(within) if !answer.level.is_bad() && took.as_secs_f64() > seconds(within.seconds()) => {
            let text =
                format!("`{}` answers slowly: {:.1} s, more than {within}", http.url, took.as_secs_f64());
            answer.or_worse(Answer::warning("slow", text))
        }
        _ => answer,
    }
}

#[expect(clippy::cast_precision_loss, reason = "seconds of a limit")]
fn seconds(whole: u64) -> f64 {
    whole as f64
}

fn follow(http: &Http, until: Instant) -> Result<Page, Box<Answer>> {
    let mut url = http.url.as_str().to_owned();
    let mut seen = BTreeSet::new();
    let first = host(&url);
    loop {
        // Who is asked in its place holds for the same host alone.
        let at = http.at.as_ref().filter(|_| host(&url) == first);
        let at = at.map(|at| address(at.as_str(), until)).transpose()?;
        let page = fetch(&url, http, at, until)?;
        let location = page.headers.iter().find(|(name, _)| name == LOCATION.as_str()).map(|it| it.1.clone());
        let Some(location) = location.filter(|_| (300..400).contains(&page.status) && http.redirects > 0)
        else {
            return Ok(page);
        };
        if !seen.insert(url.clone()) {
            return Err(Box::new(Answer::critical(
                "loop",
                format!("`{}` is redirected in circles, over `{url}`", http.url),
            )));
        }
        if seen.len() > usize::from(http.redirects) {
            let text = format!("`{}` is redirected more than {} times", http.url, http.redirects);
            return Err(Box::new(Answer::critical("loop", text)));
        }
        url = joined(&url, &location).ok_or_else(|| {
            Box::new(Answer::critical(
                "redirect",
                format!("`{url}` redirects to `{location}`, which is no address"),
            ))
        })?;
    }
}

fn address(at: &str, until: Instant) -> Result<SocketAddr, Box<Answer>> {
    let wrong = || {
        Box::new(Answer::unknown(
            "address",
            format!("`at: {at}` is no address with a port, such as `127.0.0.1:443`"),
        ))
    };
    let (host, port) = at.rsplit_once(':').ok_or_else(wrong)?;
    let port = port.parse().map_err(|_| wrong())?;
    tcp::addresses(host, port, until)?.into_iter().next().ok_or_else(wrong)
}

fn fetch(url: &str, http: &Http, at: Option<SocketAddr>, until: Instant) -> Result<Page, Box<Answer>> {
    let place = format!("`{url}`");
    let agent = web::agent(http.ca.as_ref().map(|ca| ca.as_str()), at, left(until))
        .map_err(|why| Box::new(Answer::unknown("authority", why)))?;
    let answer = agent.get(url).call().map_err(|error| Box::new(web::silent(&place, &error)))?;
    let status = answer.status().as_u16();
    let headers = answer.headers().iter().map(|(name, value)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    });
    let headers = headers.collect();
    let (mut bytes, mut body) = (Vec::new(), answer.into_body().into_reader().take(MOST + 1));
    body.read_to_end(&mut bytes).map_err(|error| {
        let timeout = error.get_ref().and_then(|it| it.downcast_ref::<ureq::Error>());
        let cause = match timeout {
            Some(ureq::Error::Timeout(_)) => {
                Answer::critical("timeout", format!("{place} began to answer and did not end in time"))
            }
            _ => Answer::critical(
                "broken",
                format!("the answer of {place} broke off after {} bytes", bytes_read(&error)),
            ),
        };
        Box::new(cause)
    })?;
    let whole = bytes.len() as u64 <= MOST;
    bytes.truncate(usize::try_from(MOST).unwrap_or(usize::MAX));
    Ok(Page { status, headers, text: String::from_utf8_lossy(&bytes).into_owned(), whole })
}

fn bytes_read(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::UnexpectedEof => "fewer than it announced".to_owned(),
        _ => "some".to_owned(),
    }
}

/// The address that a redirection leads to, from where it was found.
fn joined(from: &str, to: &str) -> Option<String> {
    if to.starts_with("http://") || to.starts_with("https://") {
        return to.parse::<Uri>().ok().map(|_| to.to_owned());
    }
    let (scheme, rest) = from.split_once("://")?;
    let cut = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(cut);
    let url = match to {
        _ if to.starts_with("//") => format!("{scheme}:{to}"),
        _ if to.starts_with('/') => format!("{scheme}://{authority}{to}"),
        _ => {
            let path = path.split(['?', '#']).next().unwrap_or_default();
            let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
            format!("{scheme}://{authority}{directory}/{to}")
        }
    };
    url.parse::<Uri>().ok().map(|_| url)
}

fn judge(http: &Http, page: &Page) -> Answer {
    let url = &http.url;
    let part = if page.whole { "" } else { " in its first MiB" };
    if page.status != http.status {
        let hint = match page.status {
            502..=504 => "the web server runs, and what it hands on to does not answer",
            500..600 => "the application failed: its log says why",
            401 | 403 => "it lets nobody in",
            404 => "nothing is there",
            300..=399 => "it redirects: `redirects` of the check says how many are followed",
            _ => "",
        };
        let answer =
            Answer::critical("status", format!("`{url}` answers {}, not {}", page.status, http.status));
        return if hint.is_empty() { answer } else { answer.hint(hint) };
    }
    for (name, wanted) in &http.headers {
        let same = |it: &&(String, String)| it.0.eq_ignore_ascii_case(name.as_str());
        let found: Vec<&str> = page.headers.iter().filter(same).map(|it| it.1.as_str()).collect();
        if !found.iter().any(|value| value.contains(wanted.as_str())) {
            let is = if found.is_empty() { "missing".to_owned() } else { format!("`{}`", found.join(", ")) };
            return Answer::critical(
                "header",
                format!("the header `{name}` of `{url}` is {is}, not `{wanted}`"),
            );
        }
    }
    if let Some(body) = http.body.as_ref().filter(|body| !page.text.contains(body.as_str())) {
        let text = format!("`{url}` answers {} without the text `{body}`{part}", page.status);
        return Answer::critical("body", text).hint(format!("it begins `{}`", beginning(&page.text)));
    }
    if let Some(without) = http.without.as_ref().filter(|without| page.text.contains(without.as_str())) {
        return Answer::critical(
            "body",
            format!("`{url}` answers {} with the text `{without}`", page.status),
        );
    }
    if let Some(pattern) = &http.matches {
        let built =
            RegexBuilder::new(pattern.as_str()).size_limit(AUTOMATON).dfa_size_limit(AUTOMATON).build();
        match built {
            Ok(expression) if expression.is_match(&page.text) => {}
            Ok(_) => {
                let text = format!("`{url}` answers {} and does not match `{pattern}`{part}", page.status);
                return Answer::critical("body", text).hint(format!("it begins `{}`", beginning(&page.text)));
            }
            Err(_) => return Answer::unknown("pattern", format!("`{pattern}` is no regular expression")),
        }
    }
    Answer::ok(format!("`{url}` answers {}", page.status))
}

fn beginning(text: &str) -> String {
    text.trim_start().chars().take(80).collect()
}

#[cfg(test)]
mod tests;
