//! Whether this machine has a network at all: else what it cannot reach says nothing of those who are not reached.

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use pq_items::Line;

use crate::Answer;
use crate::probe::addresses;

/// How long a place beyond this machine may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// The codes of answers that a machine without a network gives.
const BLIND: [&str; 4] = ["timeout", "unreachable", "name", "gone"];

/// Whether an answer may come of a network that is gone.
pub fn may_be(answer: &Answer) -> bool {
    BLIND.contains(&answer.code.as_str())
}

/// Why this machine has no network; nothing where it has one, or where nobody can say.
pub fn gone(places: &[Line]) -> Option<String> {
    if !routes(Path::new("/")) {
        return Some("there is no way out: no default route over a line that is up".to_owned());
    }
    if places.is_empty() {
        return None;
    }
    let asked: Vec<_> = places
        .iter()
        .map(|place| {
            let place = place.as_str().to_owned();
            thread::spawn(move || reaches(&place))
        })
        .collect();
    let any = asked.into_iter().any(|it| it.join().unwrap_or(false));
    let names: Vec<&str> = places.iter().map(|it| it.as_str()).collect();
    (!any).then(|| format!("none of {} answers", names.join(", ")))
}

/// Whether somebody there answers: to be refused is an answer.
fn reaches(place: &str) -> bool {
    let place = port_of(place);
    let Some((host, port)) = place.rsplit_once(':') else { return false };
    let Ok(port) = port.parse() else { return false };
    let found = addresses(host, port, Instant::now() + PATIENCE).unwrap_or_default();
    found.iter().any(|address| match TcpStream::connect_timeout(address, PATIENCE) {
        Ok(_) => true,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionRefused,
    })
}

/// The place with its port: as it is written, or where an https address leads.
fn port_of(place: &str) -> String {
    let Some(rest) = place.strip_prefix("https://") else { return place.to_owned() };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    if has_port { host.to_owned() } else { format!("{host}:443") }
}

/// Whether a default route leads over a line that is up; where the kernel does not say, it is taken for granted.
fn routes(root: &Path) -> bool {
    let table = fs::read_to_string(root.join("proc/net/route"));
    let six = fs::read_to_string(root.join("proc/net/ipv6_route"));
    let (Ok(table), six) = (table, six.unwrap_or_default()) else { return true };
    let up = |name: &str| {
        let state = fs::read_to_string(root.join("sys/class/net").join(name).join("operstate"));
        state.is_ok_and(|state| !["down", "lowerlayerdown", "notpresent"].contains(&state.trim()))
    };
    // `eth0 00000000 0102000A 0003 …`: the line, and where to
    let four = table.lines().skip(1).any(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        fields.get(1) == Some(&"00000000") && fields.first().is_some_and(|name| up(name))
    });
    // `000…0 00 … eth0`: where to, how many bits of it count, and at the end the line
    let six = six.lines().any(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let all = fields.first().is_some_and(|to| to.bytes().all(|it| it == b'0'));
        let name = fields.last().copied().unwrap_or("lo");
        all && fields.get(1) == Some(&"00") && name != "lo" && up(name)
    });
    four || six
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_an_address_with_a_port_or_that_of_a_page() {
        for (place, is) in [
            ("192.0.2.1:53", "192.0.2.1:53"),
            ("https://wiki.example.org/start?a=b", "wiki.example.org:443"),
            ("https://wiki.example.org:8443", "wiki.example.org:8443"),
            ("https://[2001:db8::1]/", "[2001:db8::1]:443"),
        ] {
            assert_eq!(port_of(place), is);
        }
    }

    #[test]
    fn a_default_route_over_a_line_that_is_up_is_a_network() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::create_dir_all(root.join("proc/net")).unwrap();
        fs::create_dir_all(root.join("sys/class/net/eth0")).unwrap();
        assert!(routes(root), "where the kernel does not say, nobody is blamed");
        let head = "Iface\tDestination\tGateway\tFlags\n";
        let set = |lines: &str, state: &str| {
            fs::write(root.join("proc/net/route"), format!("{head}{lines}")).unwrap();
            fs::write(root.join("sys/class/net/eth0/operstate"), state).unwrap();
        };
        set("eth0\t00000000\t0102000A\t0003\n", "up\n");
        assert!(routes(root));
        set("eth0\t00000000\t0102000A\t0003\n", "down\n");
        assert!(!routes(root));
        set("eth0\t0002000A\t00000000\t0001\n", "up\n");
        assert!(!routes(root));
        let zero = "0".repeat(32);
        fs::write(
            root.join("proc/net/ipv6_route"),
            format!("{zero} 00 {zero} 00 {zero} 00000400 1 0 3 eth0\n"),
        )
        .unwrap();
        assert!(routes(root));
    }
}
