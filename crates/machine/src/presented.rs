//! How this machine looks from outside: the certificate that its web server gives for a name, and where names lead.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use pq_steps::{Certificate, Error};
use rustls::ClientConnection;
use rustls::pki_types::ServerName;

use crate::cause::{failed, words};
use crate::certificate;
use crate::unjudged::unjudged;

/// How long a handshake may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The certificate that 127.0.0.1:443 gives for a name.
pub fn presented(name: &str) -> Result<Option<Certificate>, Error> {
    let none = |cause: String| Error::failed(format!("no certificate is served for `{name}`"), cause);
    let port = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 443);
    let mut stream = match TcpStream::connect_timeout(&port, PATIENCE) {
        Ok(stream) => stream,
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => return Ok(None),
        Err(error) => return Err(none(words(&error))),
    };
    for set in [stream.set_read_timeout(Some(PATIENCE)), stream.set_write_timeout(Some(PATIENCE))] {
        set.map_err(|error| none(words(&error)))?;
    }
    let config = unjudged().map_err(|error| none(error.to_string()))?;
    let server = ServerName::try_from(name.to_owned()).map_err(|error| none(error.to_string()))?;
    let mut talk =
        ClientConnection::new(Arc::new(config), server).map_err(|error| none(error.to_string()))?;
    while talk.is_handshaking() {
        talk.complete_io(&mut stream).map_err(|error| none(words(&error)))?;
    }
    match talk.peer_certificates().and_then(<[_]>::first) {
        Some(first) => certificate::said(first, &none).map(Some),
        None => Err(none("the handshake brought none".to_owned())),
    }
}

/// Every address that a name leads to.
pub fn addresses(name: &str) -> Result<Vec<IpAddr>, Error> {
    let found = (name, 80)
        .to_socket_addrs()
        .map_err(|error| failed(format!("`{name}` leads to no address"), error))?;
    let mut found: Vec<IpAddr> = found.map(|it| it.ip()).collect();
    found.sort();
    found.dedup();
    Ok(found)
}
