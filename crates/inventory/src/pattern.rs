//! Which hosts are meant: names, groups, `*`, lists; `!` takes away, `&` keeps only what is in both.

use pq_stream::{Diagnostic, nearest};

use crate::groups::{ALL, Groups};

/// The hosts that the patterns mean, in the order of the inventory; all of them where there is no pattern.
///
/// # Errors
/// A name that is neither a host nor a group, or that nothing is left.
pub fn select(groups: &Groups, patterns: &[String]) -> Result<Vec<usize>, Box<Diagnostic>> {
    let mut terms: Vec<&str> = patterns.iter().flat_map(|pattern| split(pattern)).collect();
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
        let name = term.trim_start_matches(['!', '&']);
        let mut meant = vec![false; groups.hosts.len()];
        named(groups, name)?.into_iter().for_each(|host| meant[host] = true);
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
        Box::new(match nearest(name, groups.hosts.iter().map(|host| host.name.clone())) {
            Some(found) => error.hint(format!("did you mean `{found}`?")),
            None => error.hint("`pq-inventory` without a name shows every host"),
        })
    })
}

/// The terms of a pattern: separated by commas, or by colons as Ansible has it, but not inside an IPv6 address.
fn split(pattern: &str) -> Vec<&str> {
    let by_colon = !pattern.contains(',') && pattern.parse::<std::net::Ipv6Addr>().is_err();
    let separator = |c: char| c == ',' || (by_colon && c == ':');
    pattern.split(separator).map(str::trim).filter(|term| !term.is_empty()).collect()
}

/// The hosts of one name.
fn named(groups: &Groups, name: &str) -> Result<Vec<usize>, Box<Diagnostic>> {
    if let Some(group) = groups.group(name) {
        return Ok(groups.members(group));
    }
    if let Some(host) = groups.host(name) {
        return Ok(vec![host]);
    }
    if name.contains(['*', '?']) {
        let all = groups.members(ALL).into_iter();
        let mut found: Vec<usize> = all.filter(|host| matches(name, &groups.hosts[*host].name)).collect();
        for (index, group) in groups.groups.iter().enumerate() {
            if matches(name, &group.name) {
                found.extend(groups.members(index));
            }
        }
        if !found.is_empty() {
            return Ok(found);
        }
    }
    let error = Diagnostic::new(format!("no host or group `{name}`"));
    let names =
        groups.hosts.iter().map(|host| &host.name).chain(groups.groups.iter().map(|group| &group.name));
    Err(Box::new(match nearest(name, names.cloned()) {
        Some(found) => error.hint(format!("did you mean `{found}`?")),
        None => error.hint("`pq-inventory` without a name shows every host"),
    }))
}

/// Whether a name fits a pattern with `*` and `?`.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n, mut star) = (0, 0, None);
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == '?' || *c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    p = at + 1;
                    n = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
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
    fn an_unknown_name_gets_a_suggestion() {
        assert_eq!(chosen(&["wbe1"]), Err("no host or group `wbe1`: did you mean `web1`?".into()));
        assert!(chosen(&["staging"]).unwrap_err().starts_with("no host or group `staging`: `pq-inventory`"));
        assert!(chosen(&["x*"]).is_err());
        assert!(chosen(&["web:&db:!web1"]).unwrap_err().starts_with("`web:&db:!web1` holds no host"));
    }
}
