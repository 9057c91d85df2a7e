//! Rules that fields of several step types obey. Each says what is wrong with a sentence that names the field.

/// A URL that may be fetched: `http://` or `https://`, a host, no user or password in it, nothing that is not ASCII.
pub(super) fn url(field: &str, url: &str) -> Result<(), String> {
    let bad = |why: &str| Err(format!("`{field}` `{}` {why}", url.escape_debug()));
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let Some(rest) = rest else { return bad("begins neither with `https://` nor with `http://`") };
    if !url.bytes().all(|byte| byte.is_ascii_graphic()) {
        return bad("holds a character that has no place in a URL");
    }
    let host = rest.split(['/', '?', '#']).next().unwrap_or("");
    if host.contains('@') {
        return Err(format!("`{field}` holds a user or a password, which would be seen in logs"));
    }
    if host.is_empty() || host.starts_with(':') {
        return bad("names no host");
    }
    Ok(())
}

/// The host of a URL that obeys [`url`], without its port.
pub(super) fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.split(['/', '?', '#']).next().unwrap_or("");
    match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.split(':').next().unwrap_or(""),
    }
}

/// Refuses what no id of a step begins with.
pub(super) fn owner(owner: &str) -> Result<(), String> {
    let id = format!("{owner}/x");
    match pq_stream::valid_step_id(&id).is_ok() && pq_stream::owner_of(&id) == owner {
        true => Ok(()),
        false => Err(format!("`owner` `{}` is none: ids of steps begin with it", owner.escape_debug())),
    }
}

/// A SHA-256 digest: 64 hexadecimal digits in lower case.
pub(super) fn sha256(field: &str, digest: &str) -> Result<(), String> {
    let hexadecimal = digest.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    match hexadecimal && digest.len() == 64 {
        true => Ok(()),
        false => Err(format!("`{field}` is no SHA-256: 64 hexadecimal digits in lower case")),
    }
}

/// A command: its program is named, and nothing in it holds a NUL.
pub(super) fn argv(field: &str, argv: &[String]) -> Result<(), String> {
    match argv.first() {
        None => Err(format!("`{field}` is empty")),
        Some(program) if program.is_empty() => Err(format!("`{field}` names no program")),
        Some(_) if argv.iter().any(|part| part.contains('\0')) => Err(format!("`{field}` holds a NUL")),
        Some(_) => Ok(()),
    }
}

/// Whether a variable of an environment may be called that: letters, digits and `_`, no digit first.
pub(super) fn is_variable(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// A DNS name after RFC 1123: labels of lower case letters, digits and inner `-`; no wildcard.
pub(super) fn dns_name(field: &str, name: &str) -> Result<(), String> {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    match name.len() <= 253 && name.split('.').all(label) {
        true => Ok(()),
        false => Err(format!(
            "`{field}`: `{}` is no DNS name: labels of lower case letters, digits and `-`, without wildcards",
            name.escape_debug()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_that_could_surprise_is_refused() {
        for bad in
            ["ftp://h/x", "https://", "https:///x", "https://u:p@h/x", "https://h/a b", "//h", "http://é/"]
        {
            assert!(url("url", bad).is_err(), "{bad}");
        }
        for good in ["https://h", "http://10.77.0.1:8088/x?y=z", "https://[::1]:443/a@b"] {
            assert_eq!(url("url", good), Ok(()), "{good}");
        }
        assert_eq!(host_of("http://10.77.0.1:8088/x"), "10.77.0.1");
        assert_eq!(host_of("https://[::1]:443/"), "::1");
    }

    #[test]
    fn a_name_that_no_certificate_may_carry_is_refused() {
        let long = "a".repeat(64);
        for bad in ["", "*.demo.test", "a..b", "-a.b", "a-.b", "A.b", "a_b", "a.b.", &long] {
            assert!(dns_name("names", bad).is_err(), "{bad}");
        }
        for good in ["localhost", "wiki.demo.test", "xn--bcher-kva.example", "1.2.3.4a"] {
            assert_eq!(dns_name("names", good), Ok(()), "{good}");
        }
    }

    #[test]
    fn a_digest_in_capitals_or_cut_short_is_refused() {
        assert_eq!(sha256("sha256", &"0a".repeat(32)), Ok(()));
        assert!(sha256("sha256", &"0A".repeat(32)).is_err());
        assert!(sha256("sha256", &"0a".repeat(31)).is_err());
    }
}
