//! A certificate with its chain, as a file holds it or a server sends it: what it is for, how much of its life is left, and
//! whether it leads to an authority that is trusted.

use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pq_items::Used;
use pq_machine::unjudged;
use rustls::ClientConnection;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{left, tcp};
use crate::{Answer, web};

/// A certificate, and those that were sent or written with it.
pub type Chain = Vec<CertificateDer<'static>>;

/// The chain in a file's text.
pub fn of_pem(pem: &[u8]) -> Chain {
    web::certificates(pem).take(20).map(|it| CertificateDer::from(it.der().to_vec())).collect()
}

/// The chain that a server sends for a name.
///
/// # Errors
/// Where it sends none.
pub fn sent(host: &str, port: u16, name: &str, until: Instant) -> Result<Chain, Box<Answer>> {
    let place = format!("{host}:{port}");
    let broken = |error: &rustls::Error| {
        Box::new(Answer::critical("tls", format!("{place} does not speak TLS as it should: {error}")))
    };
    let mut stream = tcp::connect(host, port, until)?;
    let config = unjudged().map_err(|error| broken(&error))?;
    let server = server_name(name)?;
    let mut talk = ClientConnection::new(Arc::new(config), server).map_err(|error| broken(&error))?;
    while talk.is_handshaking() {
        set_patience(&stream, left(until));
        talk.complete_io(&mut stream).map_err(|error| {
            let tls = error.get_ref().and_then(|it| it.downcast_ref::<rustls::Error>());
            tls.map_or_else(|| Box::new(tcp::silent(&place, &error)), broken)
        })?;
        if Instant::now() >= until {
            return Err(Box::new(Answer::critical(
                "timeout",
                format!("{place} does not end its handshake in time"),
            )));
        }
    }
    match talk.peer_certificates() {
        Some(chain) if !chain.is_empty() => Ok(chain.iter().map(|it| it.clone().into_owned()).collect()),
        _ => Err(Box::new(Answer::critical("tls", format!("{place} sends no certificate for `{name}`")))),
    }
}

fn set_patience(stream: &TcpStream, patience: Duration) {
    let _ = stream.set_read_timeout(Some(patience));
    let _ = stream.set_write_timeout(Some(patience));
}

fn server_name(name: &str) -> Result<ServerName<'static>, Box<Answer>> {
    ServerName::try_from(name.to_owned())
        .map_err(|_| Box::new(Answer::unknown("name", format!("`{name}` is no name of a server"))))
}

/// Judges a chain at a time: `what` it is, the names that it is for, a file with authorities that are trusted too.
pub fn judge(chain: &Chain, what: &str, names: &[&str], ca: Option<&str>, now: i64, limits: &Used) -> Answer {
    let Some(first) = chain.first() else {
        return Answer::critical("absent", format!("{what} holds no certificate"));
    };
    let parsed = match X509Certificate::from_der(first) {
        Ok((_, parsed)) => parsed,
        Err(error) => return Answer::critical("certificate", format!("{what} is no certificate: {error}")),
    };
    let (begins, ends) = (parsed.validity().not_before.timestamp(), parsed.validity().not_after.timestamp());
    if now >= ends {
        let text = format!("{what} expired {} ago", days(now - ends));
        return Answer::critical("expired", text).value(0.0, "d").hint(renew(names));
    }
    if now < begins {
        let text =
            format!("{what} is valid in {} only, or this machine's clock is behind", days(begins - now));
        return Answer::critical("not_yet", text);
    }
    let mut answer = age(what, begins, ends, now, limits, names);
    for (at, der) in chain.iter().enumerate().skip(1) {
        if let Ok((_, it)) = X509Certificate::from_der(der) {
            let end = it.validity().not_after.timestamp();
            if now >= end {
                let text = format!(
                    "{what}: the certificate number {} of its chain, `{}`, expired {} ago",
                    at + 1,
                    it.subject(),
                    days(now - end)
                );
                answer = answer.or_worse(Answer::critical("chain_expired", text));
            }
        }
    }
    let roots = match web::roots(ca) {
        Ok(roots) => Arc::new(roots),
        Err(why) => return answer.or_worse(Answer::unknown("authority", why)),
    };
    let provider = Arc::new(ring::default_provider());
    let verifier = match WebPkiServerVerifier::builder_with_provider(roots, provider).build() {
        Ok(verifier) => verifier,
        Err(_) => {
            return answer.or_worse(Answer::unknown("authority", "this machine trusts no authority at all"));
        }
    };
    let time = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(now).unwrap_or_default()));
    for name in names {
        let server = match server_name(name) {
            Ok(server) => server,
            Err(wrong) => return answer.or_worse(*wrong),
        };
        if let Err(error) = verifier.verify_server_cert(first, &chain[1..], &server, &[], time) {
            answer = answer.or_worse(unverified(what, name, chain, &parsed, &error));
            break;
        }
    }
    answer
}

fn unverified(
    what: &str,
    name: &str,
    chain: &Chain,
    first: &X509Certificate<'_>,
    error: &rustls::Error,
) -> Answer {
    use rustls::CertificateError as Why;
    let place = format!("`{name}`");
    match error {
        rustls::Error::InvalidCertificate(Why::UnknownIssuer)
            if chain.len() == 1 && first.issuer() != first.subject() =>
        {
            let text = format!(
                "{what} comes without its chain: nothing of its issuer `{}` is with it",
                first.issuer()
            );
            Answer::critical("chain_incomplete", text).hint("serve `fullchain.pem`, not `cert.pem`; some programs find the rest by themselves, others do not")
        }
        rustls::Error::InvalidCertificate(Why::UnknownIssuer) => {
            let last = chain.last().and_then(|it| X509Certificate::from_der(it).ok());
            let issuer = last.map_or_else(String::new, |(_, it)| it.issuer().to_string());
            Answer::critical("chain", format!("{what} leads to `{issuer}`, whom this machine does not trust"))
        }
        rustls::Error::InvalidCertificate(Why::NotValidForName | Why::NotValidForNameContext { .. }) => {
            Answer::critical("name_wrong", format!("{what} is not for the name `{name}`"))
        }
        other => web::of_tls(&place, other),
    }
}

/// How much of its life is over.
fn age(what: &str, begins: i64, ends: i64, now: i64, limits: &Used, names: &[&str]) -> Answer {
    let whole = (ends - begins).max(1);
    let over = (now - begins) * 100 / whole;
    let text = format!("{what} is good for {} ({over} % of its time are over)", days(ends - now));
    let answer = match over {
        _ if over >= i64::from(limits.critical.get()) => Answer::critical("old", text).hint(renew(names)),
        _ if over >= i64::from(limits.warn.get()) => Answer::warning("old", text).hint(renew(names)),
        _ => Answer::ok(text),
    };
    #[expect(clippy::cast_precision_loss, reason = "days")]
    answer.value(((ends - now) / 864) as f64 / 100.0, "d")
}

fn renew(names: &[&str]) -> String {
    match names.first() {
        Some(name) => {
            format!("`certbot certificates` says when `{name}` is renewed, `certbot renew` does it")
        }
        None => "it should have been renewed".to_owned(),
    }
}

/// So many days, or hours where it is less than two of them.
fn days(seconds: i64) -> String {
    match seconds {
        ..7_200 => format!("{} minutes", seconds / 60),
        7_200..172_800 => format!("{} hours", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// The serial number of a certificate, as openssl shows it.
pub fn serial(chain: &Chain) -> Option<String> {
    let (_, it) = X509Certificate::from_der(chain.first()?).ok()?;
    Some(it.raw_serial_as_string())
}

#[cfg(test)]
mod tests;
