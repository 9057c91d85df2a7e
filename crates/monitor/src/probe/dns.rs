//! A name in the DNS, asked of a server itself.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::path::Path;
use std::time::Instant;

use pq_items::{Dns, RecordType};
use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, Question, RCODE, TYPE};

use super::{left, tcp};
use crate::{Answer, bounded};

/// Asks it.
pub fn ask(dns: &Dns, until: Instant) -> Answer {
    let began = Instant::now();
    let name = dns.name.as_str();
    let server = match server(dns) {
        Ok(server) => server,
        Err(answer) => return *answer,
    };
    let place = format!("the name server {}", server.ip());
    let question = match question(name, dns.kind) {
        Ok(question) => question,
        Err(_) => return Answer::unknown("name", format!("`{name}` is no name of the DNS")),
    };
    let bytes = match exchange(server, &question, until) {
        Ok(bytes) => bytes,
        Err(error) => {
            let answer = tcp::silent(&place, &error);
            return answer.hint("nothing that is looked up by its name is found while it does not answer");
        }
    };
    judge(dns, &place, &bytes).value(began.elapsed().as_secs_f64(), "s")
}

/// The server that is asked: the check's, or the first one of the machine.
fn server(dns: &Dns) -> Result<SocketAddr, Box<Answer>> {
    let text = match &dns.server {
        Some(server) => server.as_str().to_owned(),
        None => {
            let resolv = bounded::text(Path::new("/etc/resolv.conf")).unwrap_or_default();
            let first = resolv
                .lines()
                .find_map(|line| line.trim().strip_prefix("nameserver")?.split_whitespace().next());
            first.unwrap_or("127.0.0.1").to_owned()
        }
    };
    let with_port = text.parse().ok();
    let alone = || text.parse::<IpAddr>().ok().map(|address| SocketAddr::new(address, 53));
    with_port.or_else(alone).ok_or_else(|| {
        Box::new(Answer::unknown("address", format!("`server: {text}` is no address, such as `192.0.2.53`")))
    })
}

fn question(name: &str, kind: RecordType) -> Result<Vec<u8>, simple_dns::SimpleDnsError> {
    let kind = match kind {
        RecordType::A => TYPE::A,
        RecordType::Aaaa => TYPE::AAAA,
        RecordType::Mx => TYPE::MX,
        RecordType::Txt => TYPE::TXT,
        RecordType::Ns => TYPE::NS,
        RecordType::Cname => TYPE::CNAME,
    };
    // Who answers another question than this one is not listened to: the socket takes from this server alone.
    let id = u16::try_from(std::process::id() & 0xffff).unwrap_or(1) ^ 0x5a5a;
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    let name = Name::new(name.trim_end_matches('.'))?;
    packet.questions.push(Question::new(name, kind.into(), CLASS::IN.into(), false));
    packet.build_bytes_vec()
}

/// Asks by UDP, twice within the time; by TCP where the answer does not fit.
fn exchange(server: SocketAddr, question: &[u8], until: Instant) -> io::Result<Vec<u8>> {
    let any: IpAddr =
        if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(server)?;
    let mut bytes = vec![0; 4096];
    let mut last = io::Error::from(io::ErrorKind::TimedOut);
    for _ in 0..2 {
        socket.set_read_timeout(Some((left(until) / 2).max(std::time::Duration::from_millis(1))))?;
        socket.send(question)?;
        match socket.recv(&mut bytes) {
            Ok(read) if bytes.get(..2) == question.get(..2) && read > 2 => {
                bytes.truncate(read);
                let cut =
                    simple_dns::header_buffer::has_flags(&bytes, PacketFlag::TRUNCATION).unwrap_or(false);
                return if cut { by_tcp(server, question, until) } else { Ok(bytes) };
            }
            Ok(_) => {}
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn by_tcp(server: SocketAddr, question: &[u8], until: Instant) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&server, left(until))?;
    stream.set_read_timeout(Some(left(until)))?;
    let length = u16::try_from(question.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    stream.write_all(&[&length.to_be_bytes(), question].concat())?;
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut bytes = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn judge(dns: &Dns, place: &str, bytes: &[u8]) -> Answer {
    let name = &dns.name;
    let packet = match Packet::parse(bytes) {
        Ok(packet) => packet,
        Err(_) => return Answer::critical("protocol", format!("{place} answers what nobody understands")),
    };
    match packet.rcode() {
        RCODE::NoError => {}
        RCODE::NameError => {
            return Answer::critical("name", format!("{place} says that there is no `{name}`"));
        }
        RCODE::ServerFailure => {
            return Answer::critical(
                "servfail",
                format!("{place} cannot find out about `{name}` (SERVFAIL)"),
            )
            .hint("the servers of that domain do not answer, or its signatures are not good");
        }
        RCODE::Refused => {
            return Answer::critical("refused", format!("{place} refuses to say anything of `{name}`"));
        }
        other => return Answer::critical("protocol", format!("{place} answers {other:?} for `{name}`")),
    }
    let found: Vec<String> =
        packet.answers.iter().filter_map(|record| shown(&record.rdata, dns.kind)).collect();
    let missing: Vec<&str> = dns
        .expect
        .iter()
        .map(|it| it.as_str())
        .filter(|want| !found.iter().any(|it| same(it, want)))
        .collect();
    match (found.is_empty(), missing.is_empty()) {
        (true, _) => Answer::critical("empty", format!("{place} says nothing of that kind of `{name}`")),
        (false, false) => {
            let text = format!("`{name}` is {}, and not {}", found.join(", "), missing.join(", "));
            Answer::critical("differs", text)
        }
        (false, true) => Answer::ok(format!("`{name}` is {}", found.join(", "))),
    }
}

fn same(is: &str, want: &str) -> bool {
    match (is.parse::<IpAddr>(), want.parse::<IpAddr>()) {
        (Ok(is), Ok(want)) => is == want,
        _ => is.trim_end_matches('.').eq_ignore_ascii_case(want.trim_end_matches('.')),
    }
}

fn shown(data: &RData<'_>, kind: RecordType) -> Option<String> {
    match (data, kind) {
        (RData::A(it), RecordType::A) => Some(Ipv4Addr::from(it.address).to_string()),
        (RData::AAAA(it), RecordType::Aaaa) => Some(Ipv6Addr::from(it.address).to_string()),
        (RData::MX(it), RecordType::Mx) => Some(it.exchange.to_string()),
        (RData::NS(it), RecordType::Ns) => Some(it.0.to_string()),
        (RData::CNAME(it), RecordType::Cname) => Some(it.0.to_string()),
        (RData::TXT(it), RecordType::Txt) => String::try_from(it.clone()).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use simple_dns::ResourceRecord;
    use simple_dns::rdata::A;
    use std::thread;
    use std::time::Duration;

    /// A name server that knows `wiki.test`, has nothing of `empty.test`, cannot find `fails.test`, and says nothing of `mute.test`.
    fn serve() -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        thread::spawn(move || {
            let mut bytes = [0; 512];
            while let Ok((read, from)) = socket.recv_from(&mut bytes) {
                let packet = Packet::parse(&bytes[..read]).unwrap();
                let name = packet.questions[0].qname.to_string();
                let mut reply = Packet::new_reply(packet.id());
                match name.as_str() {
                    "wiki.test" => {
                        let data = RData::A(A { address: Ipv4Addr::new(192, 0, 2, 7).into() });
                        reply.answers.push(ResourceRecord::new(
                            Name::new_unchecked("wiki.test"),
                            CLASS::IN,
                            60,
                            data,
                        ));
                    }
                    "fails.test" => *reply.rcode_mut() = RCODE::ServerFailure,
                    "empty.test" => {}
                    "mute.test" => continue,
                    _ => *reply.rcode_mut() = RCODE::NameError,
                }
                socket.send_to(&reply.build_bytes_vec().unwrap(), from).unwrap();
            }
        });
        address
    }

    #[test]
    fn what_a_name_server_says_is_told_apart() {
        let server = serve();
        let asked = |name: &str, expect: &str| {
            let text = format!("{{ name: {name}, server: '{server}', expect: [{expect}] }}");
            let dns: Dns = pq_items::read("a name", "x.yml", &text).unwrap();
            ask(&dns, Instant::now() + Duration::from_millis(400)).code
        };
        assert_eq!(asked("wiki.test", "192.0.2.7"), "ok");
        assert_eq!(asked("wiki.test", "192.0.2.8"), "differs");
        assert_eq!(asked("nowhere.test", ""), "name");
        assert_eq!(asked("fails.test", ""), "servfail");
        assert_eq!(asked("empty.test", ""), "empty");
        assert_eq!(asked("mute.test", ""), "timeout");
    }
}
