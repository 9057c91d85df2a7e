//! The forms of texts that types take: paths, sizes, names and networks.

use std::net::IpAddr;

use serde_json::{Value, json};

/// Whether a text is an absolute path that leads nowhere else than it says.
pub fn path(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let part = |p: &str| !p.is_empty() && p != "." && p != ".." && p.chars().all(plain);
    text.strip_prefix('/').is_some_and(|rest| rest.split('/').all(part))
}

/// Whether a path is a directory of the system's, or below one where nothing but the system's belongs.
pub fn system_path(path: &str) -> bool {
    let mut parts = path.split('/').skip(1);
    let first = parts.next().unwrap_or_default();
    let itself = parts.next().is_none();
    match first {
        "bin" | "boot" | "dev" | "etc" | "proc" | "run" | "sbin" | "sys" | "usr" => true,
        "home" | "root" | "tmp" | "var" => itself,
        first => ["lib", "lib32", "lib64", "libx32"].contains(&first),
    }
}

/// A number of bytes, as in `32M`; nothing where it is none, or too large for one.
pub fn bytes(text: &str) -> Option<u64> {
    let shift = match text.chars().last()? {
        'K' => 10,
        'M' => 20,
        'G' => 30,
        _ => 0,
    };
    let digits = text.strip_suffix(['K', 'M', 'G']).unwrap_or(text);
    let number: u64 = digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())??;
    number.checked_mul(1 << shift)
}

/// A DNS name in lower case: labels of RFC 1123, at least two of them, the last not a number.
pub fn domain(text: &str) -> Option<String> {
    let label = |part: &str| {
        (1..=63).contains(&part.len())
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !part.starts_with('-')
            && !part.ends_with('-')
    };
    let (_, last) = text.rsplit_once('.')?;
    let good = text.len() <= 253 && text.split('.').all(label) && !last.bytes().all(|b| b.is_ascii_digit());
    good.then(|| text.to_ascii_lowercase())
}

/// `ACTION PORT/PROTOCOL [from NETWORK]`, taken apart.
pub fn firewall_rule(text: &str) -> Option<Value> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let (action, what, from) = match words[..] {
        [action, what] => (action, what, None),
        [action, what, "from", from] => (action, what, Some(from)),
        _ => return None,
    };
    let (port, protocol) = what.split_once('/')?;
    let port: u16 = port.parse().ok().filter(|port| *port > 0)?;
    if !["allow", "limit", "deny"].contains(&action) || !["tcp", "udp"].contains(&protocol) {
        return None;
    }
    let mut rule = json!({ "action": action, "port": port, "protocol": protocol });
    if let Some(from) = from {
        if !network(from) {
            return None;
        }
        rule["from"] = Value::from(from);
    }
    Some(rule)
}

/// Whether a text is an address, or one and how many of its bits name a network.
pub fn network(text: &str) -> bool {
    let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    address.parse::<IpAddr>().is_ok_and(|address| {
        let most = if address.is_ipv4() { 32 } else { 128 };
        bits.is_none_or(|bits| bits.parse::<u8>().is_ok_and(|bits| bits <= most))
    })
}
