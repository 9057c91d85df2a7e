//! Host patterns of an INI inventory: `web[01:10].example.org`, `db[a:c]`, `host:2222`.

use crate::file::short;

/// More hosts than this from one line are refused.
const MAX_HOSTS: usize = 65_536;

/// Longer names are refused: a host's is that of a file in `host_vars`, which may be as long with its extension.
pub const MAX_NAME: usize = 240;

/// Longer patterns are refused.
const MAX_PATTERN: usize = 1000;

const LETTERS: &[u8; 52] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

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
        let values = range(&rest[open + 1..close])?;
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
        None if port.is_some() && !hosts.iter().all(|host| takes_port(host)) => {
            Err(format!("no port can stand behind `{}`", short(pattern)))
        }
        None => Ok((hosts, port)),
    }
}

/// Names end up in paths, commands and the stream: nothing that one of them could take for more than a name.
fn is_name(host: &str) -> bool {
    host.starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':')
        && host.chars().all(|c| c.is_alphanumeric() || "._-:@%".contains(c))
}

/// Whether Ansible tells a port from this name: elsewhere the colon and the port are a part of the name there.
fn takes_port(host: &str) -> bool {
    let label = |label: &str| {
        label.starts_with(|c: char| c.is_alphanumeric() || c == '_')
            && !label.ends_with(['_', '-'])
            && label.chars().all(|c| c.is_alphanumeric() || "_-".contains(c))
    };
    is_address(host) || host.split('.').all(label)
}

/// The pattern without the port behind it: that is what stands behind the one colon outside of brackets. Brackets
/// around everything before it only keep the colons of an address from the port.
fn split_port(pattern: &str) -> Result<(&str, Option<u16>), String> {
    let mut depth = 0;
    let (mut colons, mut closed) = (Vec::new(), None);
    for (at, c) in pattern.char_indices() {
        match c {
            '[' => depth += 1,
            ']' => depth -= 1,
            ':' if depth == 0 => colons.push(at),
            _ => {}
        }
        if depth == 0 {
            closed.get_or_insert(at);
        }
    }
    match colons[..] {
        [at] if pattern[at + 1..].bytes().all(|byte| byte.is_ascii_digit()) => {
            let port = pattern[at + 1..].parse().ok().filter(|port| *port > 0);
            let port = port.ok_or_else(|| format!("`{}` is no port", short(&pattern[at + 1..])))?;
            let within = pattern[..at].strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
            match within {
                Some(inner) if closed == Some(at - 1) => Ok((inner, Some(port))),
                _ => Ok((&pattern[..at], Some(port))),
            }
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
    if is_address(text) {
        return Err(format!("an address in brackets has a port behind it: `[{}]:22`", short(text)));
    }
    let parts: Vec<&str> = text.split(':').collect();
    let (start, end, step) = match parts[..] {
        [start, end] => (start, end, 1),
        [start, end, step] => (start, end, step.parse().ok().filter(|step| *step > 0).ok_or_else(error)?),
        _ => return Err(error()),
    };
    // As Python has them: the capital letters come behind the small ones.
    let letter = |text: &str| match text.as_bytes() {
        [letter] => LETTERS.iter().position(|known| known == letter),
        _ => None,
    };
    if let (Some(first), Some(last)) = (letter(start), letter(end)) {
        let letters = LETTERS.get(first..=last).filter(|letters| !letters.is_empty()).ok_or_else(error)?;
        return Ok(letters.iter().step_by(step).map(|letter| char::from(*letter).to_string()).collect());
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
        assert_eq!(hosts("h[y:B]"), Ok(("hy hz hA hB".into(), None)));
        assert_eq!(hosts("[w[1:2]]:22"), Ok(("w1 w2".into(), Some(22))));
        assert_eq!(hosts("[2001:db8::[1:2]]:22"), Ok(("2001:db8::1 2001:db8::2".into(), Some(22))));
        assert_eq!(hosts("[1:2].[3:4]:22"), Ok(("1.3 1.4 2.3 2.4".into(), Some(22))));
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
            "w[1]",
            "w[C:a]",
            "w[c:b]",
            "[g]x",
            "[::1]",
            "[::1]x",
            "user@[::1]:22",
            "user@w:22",
            "w_:22",
            "[1:2]:22",
            "../x",
            "a/b",
            "-x",
            "",
        ] {
            assert!(expand(pattern).is_err(), "{pattern}");
        }
    }
}
