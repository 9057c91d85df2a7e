//! Which hosts are meant, by Ansible's patterns: names, groups, `web*`, `~regex`, `web[0]`, `web[1:3]`, lists of them;
//! `!` takes away, `&` keeps only what is in both.
//!
//! Which host `[0]` is goes by Ansible's order; what is chosen comes in the order of the inventory. Stricter than
//! Ansible in two things: a part that means nothing is an error, since it is mostly a slip; so is an empty pattern,
//! mostly a variable of the shell that is not set, which would mean every host.

use pq_stream::{Diagnostic, nearest};
use regex::Regex;

use crate::file::short;
use crate::groups::Groups;

/// The hosts that the patterns mean, in the order of the inventory; all of them where there is no pattern.
///
/// # Errors
/// An empty pattern, a name that is neither a host nor a group, or that nothing is left.
pub fn select(groups: &Groups, patterns: &[String]) -> Result<Vec<usize>, Box<Diagnostic>> {
    let mut terms: Vec<&str> = Vec::new();
    for pattern in patterns {
        let before = terms.len();
        terms.extend(split(pattern));
        if terms.len() == before {
            return Err(Box::new(
                Diagnostic::new(format!("the pattern `{}` is empty", short(pattern)))
                    .cause("it names no host and no group: is a variable of the shell not set?")
                    .hint("for every host write `all`, or no pattern"),
            ));
        }
    }
    if terms.iter().all(|term| term.starts_with(['!', '&'])) {
        terms.insert(0, "all");
    }
    // As in Ansible: first what is added, then what is kept of it, then what is taken away.
    terms.sort_by_key(|term| match term.as_bytes().first() {
        Some(b'&') => 1,
        Some(b'!') => 2,
        _ => 0,
    });
    let mut chosen = vec![false; groups.hosts.len()];
    for term in terms {
        let mut meant = vec![false; groups.hosts.len()];
        match term.strip_prefix(['!', '&']) {
            Some(rest) => of_term(groups, rest)?,
            // A host goes before a group of its name.
            None => groups.host(term).map_or_else(|| of_term(groups, term), |host| Ok(vec![host]))?,
        }
        .into_iter()
        .for_each(|host| meant[host] = true);
        for (chosen, meant) in chosen.iter_mut().zip(meant) {
            *chosen = match term.as_bytes().first() {
                Some(b'!') => *chosen && !meant,
                Some(b'&') => *chosen && meant,
                _ => *chosen || meant,
            };
        }
    }
    let hosts: Vec<usize> = (0..chosen.len()).filter(|host| chosen[*host]).collect();
    if hosts.is_empty() {
        let what = if patterns.is_empty() {
            "the inventory".to_owned()
        } else {
            format!("`{}`", patterns.join(","))
        };
        return Err(Box::new(
            Diagnostic::new(format!("{what} holds no host"))
                .hint("`pq-inventory` without a name shows every host"),
        ));
    }
    Ok(hosts)
}

/// The host of that name.
///
/// # Errors
/// That there is none, with a neighbour.
pub fn host(groups: &Groups, name: &str) -> Result<usize, Box<Diagnostic>> {
    groups.host(name).ok_or_else(|| {
        let error = Diagnostic::new(format!("no host `{}`", name.escape_debug()));
        Box::new(match nearest(name, groups.hosts.iter().map(|host| &host.name)) {
            Some(found) => error.hint(format!("did you mean `{found}`?")),
            None => error.hint("`pq-inventory` without a name shows every host"),
        })
    })
}

/// The terms of a pattern: separated by commas, or by colons or blanks, but not inside brackets or an IPv6 address.
fn split(pattern: &str) -> Vec<&str> {
    if pattern.contains(',') {
        return pattern.split(',').map(str::trim).filter(|term| !term.is_empty()).collect();
    }
    if pattern.parse::<std::net::Ipv6Addr>().is_ok() {
        return vec![pattern];
    }
    let mut inside = false;
    let separates = |c: char| {
        inside = match c {
            '[' => true,
            ']' => false,
            _ => inside,
        };
        !inside && (c == ':' || c.is_whitespace())
    };
    pattern.split(separates).filter(|term| !term.is_empty()).collect()
}

/// The hosts of one term, in Ansible's order.
fn of_term(groups: &Groups, term: &str) -> Result<Vec<usize>, Box<Diagnostic>> {
    let (name, part) = subscript(term);
    let hosts = named(groups, name)?;
    let Some(part) = part else { return Ok(hosts) };
    let count = hosts.len();
    part.of(hosts).ok_or_else(|| {
        let error = Diagnostic::new(format!("`{}` is no host", short(term)));
        let error = error.cause(format!("`{}` has {count}, counted from 0", short(name)));
        Box::new(error.hint(format!("`pq-inventory {}` shows them in their order", short(name))))
    })
}

/// What stands in brackets behind a term.
enum Part {
    /// `[2]`, or `[-1]` from the end.
    One(i64),
    /// `[1:3]`, both ends included; without an end, `[1:]`, to the last.
    Range(usize, Option<usize>),
}

impl Part {
    /// That part of some hosts; nothing where there is no such host.
    fn of(&self, hosts: Vec<usize>) -> Option<Vec<usize>> {
        let at = |at: i64| {
            let from_end = usize::try_from(at.unsigned_abs()).ok()?;
            let at = if at < 0 { hosts.len().checked_sub(from_end)? } else { from_end };
            hosts.get(at).map(|host| vec![*host])
        };
        match *self {
            _ if hosts.is_empty() => Some(hosts),
            Part::One(one) => at(one),
            // As Ansible has it: an end of 0 counts as none given, and leaves the first.
            Part::Range(start, Some(0)) => at(i64::try_from(start).ok()?),
            Part::Range(start, end) => {
                let end = end.map_or(hosts.len(), |end| end.saturating_add(1).min(hosts.len()));
                Some(hosts.get(start..end).unwrap_or_default().to_vec())
            }
        }
    }
}

/// A term without the brackets behind it; a regular expression has none.
fn subscript(term: &str) -> (&str, Option<Part>) {
    let inner = term.strip_suffix(']').and_then(|rest| rest.rsplit_once('['));
    let Some((name, inner)) = inner.filter(|(name, _)| !name.is_empty() && !name.starts_with('~')) else {
        return (term, None);
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let part = if digits(inner.strip_prefix('-').unwrap_or(inner)) {
        inner.parse().ok().map(Part::One)
    } else {
        inner.split_once([':', '-']).filter(|(start, end)| digits(start) && digits(end)).and_then(
            |(start, end)| {
                let end = if end.is_empty() { Some(None) } else { end.parse().ok().map(Some) };
                Some(Part::Range(start.parse().ok()?, end?))
            },
        )
    };
    if part.is_some() { (name, part) } else { (term, None) }
}

/// The hosts of one name, glob or regular expression; one may occur several times.
fn named(groups: &Groups, name: &str) -> Result<Vec<usize>, Box<Diagnostic>> {
    let fits = matcher(name)?;
    let of_groups: Vec<usize> =
        (0..groups.groups.len()).filter(|group| fits(&groups.groups[*group].name)).collect();
    let mut found: Vec<usize> = of_groups.iter().flat_map(|group| groups.members(*group)).collect();
    if of_groups.is_empty() || name.starts_with('~') || name.contains(['.', '?', '*', '[']) {
        found.extend((0..groups.hosts.len()).filter(|host| fits(&groups.hosts[*host].name)));
    }
    if !found.is_empty() || !of_groups.is_empty() {
        return Ok(found);
    }
    let error = Diagnostic::new(format!("no host or group `{}`", short(name)));
    let names =
        groups.hosts.iter().map(|host| &host.name).chain(groups.groups.iter().map(|group| &group.name));
    Err(Box::new(match nearest(name, names) {
        Some(found) => error.hint(format!("did you mean `{found}`?")),
        None => error.hint("`pq-inventory` without a name shows every host"),
    }))
}

/// Whether a name fits: from its beginning for a regular expression, as a whole for a glob.
fn matcher(pattern: &str) -> Result<impl Fn(&str) -> bool, Box<Diagnostic>> {
    let expression = match pattern.strip_prefix('~') {
        Some(expression) => format!("^(?:{expression})"),
        None => glob(pattern),
    };
    let expression = Regex::new(&expression).map_err(|error| {
        let text = error.to_string();
        let cause = text.lines().last().unwrap_or("").trim_start_matches("error: ").to_owned();
        let error = Diagnostic::new(format!("`{}` is no pattern of hosts", short(pattern))).cause(cause);
        Box::new(match pattern.starts_with('~') {
            true => error.hint("behind `~` stands a regular expression, as of the crate `regex`: no look-around, no backreferences"),
            false => error.hint("in brackets stand letters, as in `web[abc]`, or numbers of hosts, as in `web[0]`"),
        })
    })?;
    Ok(move |name: &str| expression.is_match(name))
}

/// A glob as a regular expression: `*`, `?`, `[abc]`, `[!abc]`.
fn glob(pattern: &str) -> String {
    let mut expression = String::from(r"(?s)\A");
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        // A `]` that comes first, also behind `!`, is one of the letters.
        let first = usize::from(rest.starts_with('!'));
        let close = rest.get(first + 1..).and_then(|more| more.find(']')).map(|at| first + 1 + at);
        match (c, close) {
            ('*', _) => expression.push_str(".*"),
            ('?', _) => expression.push('.'),
            ('[', Some(close)) => {
                let letters = rest[..close].strip_prefix('!').unwrap_or(&rest[..close]);
                expression.push_str(if first > 0 { "[^" } else { "[" });
                for letter in letters.chars() {
                    if r"\[]^&~".contains(letter) {
                        expression.push('\\');
                    }
                    expression.push(letter);
                }
                expression.push(']');
                rest = &rest[close + 1..];
            }
            (c, _) => expression.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
        }
    }
    expression + r"\z"
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::file::SourceFile;

    fn chosen(patterns: &[&str]) -> Result<String, String> {
        let text = "[web]\nweb[1:3]\n[db]\ndb1\nweb1\n[prod:children]\nweb\ndb\n";
        let file = Arc::new(SourceFile::new("hosts".into(), "hosts".into(), text.into(), false));
        let groups = crate::hosts::read(&file).unwrap();
        let patterns: Vec<String> = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
        let names =
            |hosts: Vec<usize>| hosts.iter().map(|host| groups.hosts[*host].name.clone()).collect::<Vec<_>>();
        select(&groups, &patterns).map(|hosts| names(hosts).join(" ")).map_err(|error| {
            format!("{error}{}", error.hints.iter().map(|hint| format!(": {hint}")).collect::<String>())
        })
    }

    #[test]
    fn patterns_are_ansibles() {
        let cases: [(&[&str], &str); 10] = [
            (&[], "web1 web2 web3 db1"),
            (&["all"], "web1 web2 web3 db1"),
            (&["db"], "db1 web1"),
            (&["db", "web2"], "web1 web2 db1"),
            (&["db1,web3"], "web3 db1"),
            (&["prod:!db"], "web2 web3"),
            (&["!db", "prod"], "web2 web3"),
            (&["web:&db"], "web1"),
            (&["!web1"], "web2 web3 db1"),
            (&["*b1"], "web1 db1"),
        ];
        for (patterns, expected) in cases {
            let expected = expected.split(' ').collect::<std::collections::BTreeSet<_>>();
            let found = chosen(patterns).unwrap();
            assert_eq!(found.split(' ').collect::<std::collections::BTreeSet<_>>(), expected, "{patterns:?}");
        }
    }

    #[test]
    fn an_empty_pattern_is_not_every_host() {
        for pattern in ["", " ", ":", ",", " , "] {
            for patterns in [&[pattern][..], &["web1", pattern]] {
                let error = chosen(patterns).unwrap_err();
                assert!(error.starts_with(&format!("the pattern `{pattern}` is empty")), "{error}");
            }
        }
        assert_eq!(chosen(&["web1,"]).unwrap(), "web1");
    }

    #[test]
    fn an_unknown_name_gets_a_suggestion() {
        assert_eq!(chosen(&["wbe1"]), Err("no host or group `wbe1`: did you mean `web1`?".into()));
        assert!(chosen(&["staging"]).unwrap_err().starts_with("no host or group `staging`: `pq-inventory`"));
        assert!(chosen(&["x*"]).is_err());
        assert!(chosen(&["web:&db:!web1"]).unwrap_err().starts_with("`web:&db:!web1` holds no host"));
    }
}
