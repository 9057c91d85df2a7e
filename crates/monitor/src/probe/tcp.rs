//! Ports and unix sockets.

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use pq_items::{Socket, Tcp};
use pq_stream::system_cause;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect as dial, socket_with, sockopt,
};

use super::left;
use crate::Answer;

/// Asks a port.
pub fn ask(tcp: &Tcp, until: Instant) -> Answer {
    let began = Instant::now();
    let place = format!("{}:{}", tcp.host, tcp.port);
    match connect(tcp.host.as_str(), tcp.port, until) {
        Ok(_) => Answer::ok(format!("{place} answers")).value(began.elapsed().as_secs_f64(), "s"),
        Err(answer) => *answer,
    }
}

/// Asks a unix socket.
pub fn unix(socket: &Socket, until: Instant) -> Answer {
    let path = socket.path.as_str();
    match unix_stream(path, left(until)) {
        Ok(_) => Answer::ok(format!("`{path}` answers")),
        Err(error) => silent(&format!("`{path}`"), &error),
    }
}

/// A connection to a unix socket; the queue of who does not take it up is waited in for so long.
pub fn unix_stream(path: &str, patience: Duration) -> io::Result<std::os::unix::net::UnixStream> {
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Send, Some(patience))?;
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(patience))?;
    dial(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(std::os::unix::net::UnixStream::from(socket))
}

/// A connection to the first address of a name that takes one.
///
/// # Errors
/// Where none does.
pub fn connect(host: &str, port: u16, until: Instant) -> Result<TcpStream, Box<Answer>> {
    let found = addresses(host, port, until)?;
    let mut answer = Answer::critical("name", format!("`{host}` leads to no address"));
    for address in found {
        match TcpStream::connect_timeout(&address, left(until)) {
            Ok(stream) => {
                let patience = Some(left(until));
                let set = stream.set_read_timeout(patience).and_then(|()| stream.set_write_timeout(patience));
                return set.map(|()| stream).map_err(|error| Box::new(silent(&address.to_string(), &error)));
            }
            Err(error) => answer = silent(&address.to_string(), &error),
        }
    }
    Err(Box::new(answer))
}

/// The addresses of a name. The system's resolver knows no limit of ours: it is left behind where it takes too long.
///
/// # Errors
/// Where there is none, or not in time.
pub fn addresses(host: &str, port: u16, until: Instant) -> Result<Vec<SocketAddr>, Box<Answer>> {
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    if let Ok(address) = host.parse() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let (tell, told) = mpsc::channel();
    let name = host.clone();
    thread::spawn(move || tell.send((name.as_str(), port).to_socket_addrs().map(Vec::from_iter)));
    let found = told.recv_timeout(left(until));
    match found {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(error)) => Err(Box::new(
            Answer::critical("name", format!("the name `{host}` is not found: {}", system_cause(&error)))
                .hint("does its entry in the DNS exist, and does this machine's resolver answer (`getent hosts`)?"),
        )),
        Err(_) => Err(Box::new(
            Answer::critical("name", format!("nobody said in time where `{host}` is"))
                .hint("this machine's resolver does not answer: see /etc/resolv.conf"),
        )),
    }
}

/// Why nobody answered at a place.
pub fn silent(place: &str, error: &io::Error) -> Answer {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::ConnectionRefused => {
            Answer::critical("refused", format!("{place} refuses connections: nobody listens"))
        }
        Kind::NotFound => Answer::critical("absent", format!("{place} is not there")),
        Kind::TimedOut | Kind::WouldBlock => {
            Answer::critical("timeout", format!("{place} does not answer in time"))
        }
        Kind::HostUnreachable | Kind::NetworkUnreachable | Kind::NetworkDown => {
            Answer::critical("unreachable", format!("there is no way to {place}: {}", system_cause(error)))
        }
        _ => Answer::critical("broken", format!("{place}: {}", system_cause(error))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(500)
    }

    fn asked(host: &str, port: u16) -> Answer {
        ask(&Tcp { host: host.to_owned().try_into().unwrap(), port }, soon())
    }

    #[test]
    fn a_port_that_answers_is_told_apart_from_one_that_refuses_or_has_no_address() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_eq!(asked("127.0.0.1", port).code, "ok");
        drop(listener);
        assert_eq!(asked("127.0.0.1", port).code, "refused");
        assert_eq!(asked("nowhere.invalid", 80).code, "name");
    }

    #[test]
    fn a_socket_whose_owner_does_not_take_anybody_up_is_not_waited_for_for_ever() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let shown = path.display().to_string();
        let at = |until| unix(&Socket { path: shown.clone().try_into().unwrap() }, until);
        assert_eq!(at(soon()).code, "absent");
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        assert_eq!(at(soon()).code, "ok");
        rustix::net::listen(&listener, 0).unwrap();
        let held: Vec<_> = (0..2).map(|_| unix_stream(&shown, Duration::from_millis(200))).collect();
        let answer = at(Instant::now() + Duration::from_millis(300));
        assert_eq!(answer.code, "timeout", "{answer:?}");
        drop((held, listener));
        assert_eq!(at(soon()).code, "refused");
    }
}
