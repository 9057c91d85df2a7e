//! Host patterns of an INI inventory: `web[01:10].example.org`, `db[a:c]`, `host:2222`.

use crate::file::short;

/// More hosts than this from one line are refused.
const MAX_HOSTS: usize = 65_536;

/// Longer names are refused: a host's is that of a file in `host_vars`, which may be as long with its extension.
pub const MAX_NAME: usize = 240;

/// Longer patterns are refused.
const MAX_PATTERN: usize = 1000;

/// The hosts of a pattern, and the port behind it.
///
/// # Errors
/// A range that is none, or too large.
pub fn expand(pattern: &str) -> Result<(Vec<String>, Option<u16>), String> {
    if pattern.len() > MAX_PATTERN {
        return Err(format!("`{}` is longer than {MAX_PATTERN} characters", short(pattern)));
    }
    let (pattern, port) = split_port(pattern)?;
    let mut hosts = vec![String::new()];
    let mut rest = pattern;
    while let Some(open) = rest.find('[') {
        let close = rest[open..].find(']').map(|at| open + at).ok_or("a `[` has no `]`")?;
        let values = match rest[open + 1..close].contains(':') && !is_address(&rest[open + 1..close]) {
            true => range(&rest[open + 1..close])?,
            // An IPv6 address: the brackets only keep its colons from the port.
            false => vec![rest[open + 1..close].to_owned()],
        };
        if hosts.len() * values.len() > MAX_HOSTS {
            return Err(format!("the pattern makes more than {MAX_HOSTS} hosts"));
        }
        hosts = hosts
            .iter()
            .flat_map(|host| values.iter().map(move |value| format!("{host}{}{value}", &rest[..open])))
            .collect();
        rest = &rest[close + 1..];
    }
    hosts.iter_mut().for_each(|host| host.push_str(rest));
    match hosts.iter().find(|host| !is_name(host)) {
        Some(host) => Err(format!("`{}` is no name of a host", short(host))),
        None if hosts.iter().any(|host| host.len() > MAX_NAME) => {
            Err(format!("the name of a host is longer than {MAX_NAME} characters"))
        }
        None => Ok((hosts, port)),
    }
}

/// Names end up in paths, commands and the stream: nothing that one of them could take for more than a name.
fn is_name(host: &str) -> bool {
    host.starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':')
        && host.chars().all(|c| c.is_alphanumeric() || "._-:@%".contains(c))
}

/// The port behind the last colon outside of brackets, if there is exactly one such colon.
fn split_port(pattern: &str) -> Result<(&str, Option<u16>), String> {
    let mut depth = 0;
    let mut colons = Vec::new();
    for (at, c) in pattern.char_indices() {
        match c {
            '[' => depth += 1,
            ']' => depth -= 1,
            ':' if depth == 0 => colons.push(at),
            _ => {}
        }
    }
    match colons[..] {
        [at] if pattern[at + 1..].bytes().all(|byte| byte.is_ascii_digit()) => {
            let port = pattern[at + 1..].parse().ok().filter(|port| *port > 0);
            port.map(|port| (&pattern[..at], Some(port)))
                .ok_or_else(|| format!("`{}` is no port", short(&pattern[at + 1..])))
        }
        _ => Ok((pattern, None)),
    }
}

fn is_address(text: &str) -> bool {
    text.parse::<std::net::Ipv6Addr>().is_ok()
}

/// `01:10`, `a:f`, `0:20:5`.
fn range(text: &str) -> Result<Vec<String>, String> {
    let error = || format!("`[{}]` is no range such as `[01:10]` or `[a:f]`", short(text));
    let parts: Vec<&str> = text.split(':').collect();
    let (start, end, step) = match parts[..] {
        [start, end] => (start, end, 1),
        [start, end, step] => (start, end, step.parse().ok().filter(|step| *step > 0).ok_or_else(error)?),
        _ => return Err(error()),
    };
    let letters = |text: &str| match text.as_bytes() {
        [letter] if letter.is_ascii_alphabetic() => Some(*letter),
        _ => None,
    };
    if let (Some(first), Some(last)) = (letters(start), letters(end)) {
        let letters = (first..=last).filter(u8::is_ascii_alphabetic).step_by(step);
        let values: Vec<String> = letters.map(|letter| (letter as char).to_string()).collect();
        return if values.is_empty() { Err(error()) } else { Ok(values) };
    }
    let start_number: usize = if start.is_empty() { 0 } else { start.parse().map_err(|_| error())? };
    let end_number: usize = end.parse().map_err(|_| error())?;
    if end_number < start_number {
        return Err(error());
    }
    if (end_number - start_number) / step >= MAX_HOSTS {
        return Err(format!("the pattern makes more than {MAX_HOSTS} hosts"));
    }
    // Leading zeros are kept, and then both ends are equally wide.
    let width = if start.starts_with('0') && start.len() > 1 { start.len() } else { 0 };
    if width > 0 && width != end.len() {
        return Err(format!("both ends of `[{}]` must have as many digits", short(text)));
    }
    Ok((start_number..=end_number).step_by(step).map(|number| format!("{number:0width$}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_unfold() {
        let hosts = |pattern| expand(pattern).map(|(hosts, port)| (hosts.join(" "), port));
        assert_eq!(hosts("web"), Ok(("web".into(), None)));
        assert_eq!(hosts("web:2222"), Ok(("web".into(), Some(2222))));
        assert_eq!(hosts("web[08:11].x"), Ok(("web08.x web09.x web10.x web11.x".into(), None)));
        assert_eq!(hosts("db[a:c]"), Ok(("dba dbb dbc".into(), None)));
        assert_eq!(hosts("n[0:6:3]r[1:2]:22"), Ok(("n0r1 n0r2 n3r1 n3r2 n6r1 n6r2".into(), Some(22))));
        assert_eq!(hosts("[::1]:22"), Ok(("::1".into(), Some(22))));
        assert_eq!(hosts("fe80::1"), Ok(("fe80::1".into(), None)));
        assert_eq!(hosts("w[:2]"), Ok(("w0 w1 w2".into(), None)));
    }

    #[test]
    fn what_is_no_range_or_name_is_refused() {
        for pattern in [
            "w[1",
            "w[5:1]",
            "w[a:9]",
            "w[01:5]",
            "w[1:2:0]",
            "w:0",
            "w:99999",
            "w[0:99999999]",
            "../x",
            "a/b",
            "-x",
            "",
        ] {
            assert!(expand(pattern).is_err(), "{pattern}");
        }
    }
}
