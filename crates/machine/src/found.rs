//! What a machine carries that is not ours: sockets on which others are answered, and rules of a firewall.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use pq_steps::{Command, Error, Found, Listener};

use crate::users::Users;
use crate::{children, look};

/// Programs that every machine may have, and that no service stands on.
const USUAL: [&str; 13] = [
    "sshd",
    "systemd-network",
    "systemd-resolve",
    "systemd-timesyn",
    "dhclient",
    "dhcpcd",
    "NetworkManager",
    "chronyd",
    "ntpd",
    "ntpsec",
    "avahi-daemon",
    "rpcbind",
    "rpc.statd",
];

/// Where the kernel says from which ports a client gets its own: what a program has bound there in UDP answers nobody.
const CLIENTS: &str = "/proc/sys/net/ipv4/ip_local_port_range";

/// The state of a TCP socket that listens, in `/proc/net/tcp`; proc(5).
const LISTENS: &str = "0A";

/// The state of a UDP socket that is connected to nobody.
const UNCONNECTED: &str = "07";

/// What this machine carries. `ssh` is the port by which it is looked after.
///
/// # Errors
/// Where who has a socket cannot be found out.
pub fn found(ssh: u16, users: &Users) -> Result<Found, Error> {
    let mut sockets = Vec::new();
    for (table, protocol, state) in [
        ("tcp", "tcp", LISTENS),
        ("tcp6", "tcp", LISTENS),
        ("udp", "udp", UNCONNECTED),
        ("udp6", "udp", UNCONNECTED),
    ] {
        // a kernel without IPv6 has two of them
        let text = fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default();
        sockets.extend(text.lines().skip(1).filter_map(|line| socket(line, protocol, state)));
    }
    sockets.retain(|it| !it.loopback);
    let programs = programs(sockets.iter().map(|it| it.inode).collect());
    let range = fs::read_to_string(CLIENTS).unwrap_or_default();
    let mut range = range.split_whitespace().map(|end| end.parse::<u16>().unwrap_or(u16::MAX));
    let (first, last) = (range.next().unwrap_or(u16::MAX), range.next().unwrap_or(u16::MAX));
    let listener = |it: Socket| Listener {
        port: it.port,
        protocol: it.protocol.to_owned(),
        program: programs.get(&it.inode).cloned().unwrap_or_default(),
    };
    let mut listeners: Vec<Listener> = sockets.into_iter().map(listener).collect();
    listeners.retain(|it| {
        // systemd may hold the socket of ssh; the kernel itself has sockets of tunnels, which nobody's program has
        let of_ssh = it.protocol == "tcp" && it.port == ssh && ["", "systemd"].contains(&it.program.as_str());
        let of_client = it.protocol == "udp" && !it.program.is_empty() && (first..=last).contains(&it.port);
        !of_ssh && !of_client && !USUAL.contains(&it.program.as_str())
    });
    listeners.sort();
    listeners.dedup();
    Ok(Found { listeners, rules: rules(users)? })
}

/// What listens on a TCP port of 127.0.0.1, or of all addresses.
pub fn listener(port: u16) -> Option<Listener> {
    let tables =
        ["tcp", "tcp6"].map(|table| fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default());
    let mut sockets =
        tables.iter().flat_map(|text| text.lines().skip(1)).filter_map(|line| socket(line, "tcp", LISTENS));
    let found = sockets.find(|it| it.port == port && (it.loopback || it.everywhere))?;
    let program = programs(BTreeSet::from([found.inode])).remove(&found.inode).unwrap_or_default();
    Some(Listener { port, protocol: "tcp".to_owned(), program })
}

/// A socket of one of the kernel's tables.
struct Socket {
    port: u16,
    protocol: &'static str,
    loopback: bool,
    everywhere: bool,
    inode: u64,
}

/// A line of a table, where it is a socket in that state: `sl local_address rem_address st … inode`.
fn socket(line: &str, protocol: &'static str, state: &str) -> Option<Socket> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (address, port) = words.get(1)?.rsplit_once(':')?;
    if *words.get(3)? != state {
        return None;
    }
    // 32 bits at a time in the machine's own order of bytes
    let loopback = (address.len() == 8 && address.ends_with("7F"))
        || address == "00000000000000000000000001000000"
        || address.starts_with("0000000000000000FFFF0000") && address.ends_with("7F");
    let everywhere = address.bytes().all(|digit| digit == b'0');
    let inode = words.get(9)?.parse().ok()?;
    Some(Socket { port: u16::from_str_radix(port, 16).ok()?, protocol, loopback, everywhere, inode })
}

/// The program of each of these sockets, by its inode.
fn programs(mut left: BTreeSet<u64>) -> BTreeMap<u64, String> {
    let mut all = BTreeMap::new();
    // systemd, which holds sockets for services that are not started yet, comes last: theirs is the better name
    let processes = if left.is_empty() { Vec::new() } else { names("/proc") };
    let mut numbers: Vec<u32> = processes.iter().filter_map(|name| name.parse().ok()).collect();
    numbers.sort_unstable_by_key(|number| (*number == 1, *number));
    for number in numbers {
        if left.is_empty() {
            break;
        }
        for file in names(&format!("/proc/{number}/fd")) {
            let Ok(link) = fs::read_link(format!("/proc/{number}/fd/{file}")) else { continue };
            let inode =
                link.to_str().and_then(|it| it.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok());
            if let Some(inode) = inode.filter(|inode| left.remove(inode)) {
                let name = fs::read_to_string(format!("/proc/{number}/comm")).unwrap_or_default();
                all.insert(inode, name.trim().to_owned());
            }
        }
    }
    all
}

/// What is in a directory of the kernel's; nothing where it is gone, as those of a process that ended.
fn names(path: &str) -> Vec<String> {
    look::names(path).unwrap_or_default()
}

/// The rules of a firewall that somebody gave this machine.
fn rules(users: &Users) -> Result<Vec<String>, Error> {
    let mut all = Vec::new();
    for file in ["/etc/ufw/user.rules", "/etc/ufw/user6.rules"] {
        let text = fs::read_to_string(file).unwrap_or_default();
        let rule = |line: &str| Some(format!("ufw: {}", line.strip_prefix("### tuple ### ")?));
        all.extend(text.lines().filter_map(rule));
    }
    for program in ["iptables-save", "ip6tables-save"] {
        let said = said(&[program], users)?;
        // what belongs to ufw is told above
        let own = |line: &&str| line.starts_with("-A ") && !line.contains(" ufw");
        all.extend(
            said.lines().filter(own).filter(|it| !it.contains("-A ufw")).map(|it| format!("{program}: {it}")),
        );
    }
    let mut table = "";
    let ruleset = said(&["nft", "-s", "list", "ruleset"], users)?;
    for line in ruleset.lines() {
        if let Some(name) = line.strip_prefix("table ") {
            table = name.trim_end_matches([' ', '{']);
        }
        let rule = line.strip_prefix("\t\t").map(str::trim).unwrap_or_default();
        let kind = rule.split(' ').next().unwrap_or_default();
        // what iptables made is told above
        let told =
            ["ip filter", "ip6 filter", "ip nat", "ip6 nat", "ip mangle", "ip6 mangle", "ip raw", "ip6 raw"];
        if !["", "type", "elements", "flags", "}"].contains(&kind) && !told.contains(&table) {
            all.push(format!("nft: {table}: {rule}"));
        }
    }
    Ok(all)
}

/// What a program says; nothing where it is not there, or may not look.
fn said(argv: &[&str], users: &Users) -> Result<String, Error> {
    match children::ask(&Command::new(argv.to_vec()), users) {
        Ok(output) if output.status == 0 => Ok(output.stdout),
        Ok(_) | Err(Error::Absent(_)) => Ok(String::new()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_listens_for_others_unless_it_is_bound_to_the_machine_itself() {
        let tcp = |address: &str, state: &str| {
            let line = format!(
                "   0: {address} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000     0        0 4711 1 0"
            );
            socket(&line, "tcp", LISTENS).map(|it| (it.port, it.loopback, it.inode))
        };
        assert_eq!(tcp("00000000:20FB", "0A"), Some((8443, false, 4711)));
        assert_eq!(tcp("0100007F:20FB", "0A"), Some((8443, true, 4711)));
        assert_eq!(tcp("00000000000000000000000001000000:0050", "0A"), Some((80, true, 4711)));
        assert_eq!(tcp("0000000000000000FFFF00000100007F:0050", "0A"), Some((80, true, 4711)));
        assert_eq!(tcp("00000000000000000000000000000000:0050", "0A"), Some((80, false, 4711)));
        assert_eq!(tcp("00000000:20FB", "01"), None);
        assert_eq!(socket("", "tcp", LISTENS).map(|it| it.port), None);
    }

    #[test]
    fn who_listens_is_named() {
        let socket = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let users = Users::parse("root:x:0:0:root:/root:/bin/sh\n", "root:x:0:\n");
        let found = found(22, &users).unwrap();
        let it = found.listeners.iter().find(|it| it.port == port).expect("it is found");
        let comm = fs::read_to_string("/proc/self/comm").unwrap();
        assert_eq!((it.protocol.as_str(), it.program.as_str()), ("tcp", comm.trim()));
        // What has another name than ssh's is somebody's, whatever the port.
        assert!(super::found(port, &users).unwrap().listeners.iter().any(|it| it.port == port));
    }
}
