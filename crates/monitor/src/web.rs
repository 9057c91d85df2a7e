//! How HTTP is spoken: which authorities are trusted, and when we give up.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use pq_stream::system_cause;
use rustls::{CertificateError, RootCertStore};
use ureq::Agent;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};

use crate::{Answer, bounded, probe};

/// Where Debian keeps the authorities that the machine trusts.
pub const SYSTEM: &str = "/etc/ssl/certs/ca-certificates.crt";

/// How we call ourselves: a web server can leave it out of its logs by this name.
pub const AGENT: &str = concat!("pq-monitor/", env!("CARGO_PKG_VERSION"));

type Authorities = Arc<Vec<Certificate<'static>>>;

/// The machine's authorities, read once.
fn system() -> Authorities {
    static FOUND: OnceLock<Authorities> = OnceLock::new();
    Arc::clone(FOUND.get_or_init(|| Arc::new(authorities(Path::new(SYSTEM)).unwrap_or_default())))
}

/// The machine's authorities, and those of a file beside them.
///
/// # Errors
/// Where that file cannot be used, in words.
pub fn trusted(ca: Option<&str>) -> Result<Authorities, String> {
    let system = system();
    let Some(ca) = ca else { return Ok(system) };
    let mut all = authorities(Path::new(ca))?;
    all.extend(system.iter().cloned());
    Ok(Arc::new(all))
}

/// The same as rustls keeps them; what it does not take is left out.
///
/// # Errors
/// Where that file cannot be used, in words.
pub fn roots(ca: Option<&str>) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    for certificate in trusted(ca)?.iter() {
        let _ = store.add(rustls::pki_types::CertificateDer::from_slice(certificate.der()).into_owned());
    }
    Ok(store)
}

/// The certificates in a text.
pub fn certificates(pem: &[u8]) -> impl Iterator<Item = Certificate<'static>> {
    parse_pem(pem).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    })
}

fn authorities(path: &Path) -> Result<Vec<Certificate<'static>>, String> {
    let shown = path.display();
    let pem =
        bounded::read(path).map_err(|error| format!("cannot read `{shown}`: {}", system_cause(&error)))?;
    let found: Vec<_> = certificates(&pem).collect();
    match found.is_empty() {
        true => Err(format!("`{shown}` holds no certificate")),
        false => Ok(found),
    }
}

/// An agent that asks once: no proxy, no redirection, within so much time. With an address, that is asked, whatever the host
/// is called.
///
/// # Errors
/// Where an authority cannot be used, in words.
pub fn agent(ca: Option<&str>, at: Option<SocketAddr>, patience: Duration) -> Result<Agent, String> {
    let trusted = trusted(ca)?;
    let roots = match trusted.is_empty() {
        true => RootCerts::WebPki,
        false => RootCerts::Specific(trusted),
    };
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .user_agent(AGENT)
        .accept_encoding("identity")
        .proxy(None)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .max_response_header_size(64 << 10)
        .timeout_global(Some(patience))
        .tls_config(TlsConfig::builder().root_certs(roots).build())
        .build();
    Ok(Agent::with_parts(config, DefaultConnector::new(), Finder(at)))
}

/// Finds every name at one address, where there is one; else as the system does.
#[derive(Debug)]
struct Finder(Option<SocketAddr>);

impl Resolver for Finder {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let Some(address) = self.0 else {
            let found = DefaultResolver::default().resolve(uri, config, timeout);
            // What the system says of a name that it does not find is an error of input and output like any other.
            return found.map_err(|error| match error {
                ureq::Error::Io(_) => ureq::Error::HostNotFound,
                other => other,
            });
        };
        let mut found = self.empty();
        found.push(address);
        Ok(found)
    }
}

/// Why nothing was answered. No address stands in it: some are secrets.
pub fn silent(place: &str, error: &ureq::Error) -> Answer {
    match error {
        ureq::Error::Io(error) => match error.get_ref().and_then(|it| it.downcast_ref::<rustls::Error>()) {
            Some(error) => of_tls(place, error),
            None => probe::silent(place, error),
        },
        ureq::Error::Rustls(error) => of_tls(place, error),
        ureq::Error::HostNotFound => Answer::critical("name", format!("the name of {place} is not found"))
            .hint(
                "does its entry in the DNS exist, and does this machine's resolver answer (`getent hosts`)?",
            ),
        ureq::Error::Timeout(ureq::Timeout::Resolve) => {
            Answer::critical("name", format!("nobody said in time where {place} is"))
                .hint("this machine's resolver does not answer: see /etc/resolv.conf")
        }
        ureq::Error::Timeout(ureq::Timeout::Connect) => {
            Answer::critical("timeout", format!("{place} takes up no connection in time"))
        }
        ureq::Error::Timeout(_) => Answer::critical("timeout", format!("{place} does not answer in time")),
        ureq::Error::ConnectionFailed => {
            Answer::critical("refused", format!("{place} takes up no connection"))
        }
        ureq::Error::BadUri(_) => Answer::unknown("address", format!("{place} has an address that is none")),
        ureq::Error::LargeResponseHeader(..) => {
            Answer::critical("headers", format!("{place} sends more headers than anybody reads"))
        }
        _ => Answer::critical("protocol", format!("{place} does not speak HTTP as it should")),
    }
}

/// What is wrong with a line that should be encrypted.
pub fn of_tls(place: &str, error: &rustls::Error) -> Answer {
    let rustls::Error::InvalidCertificate(why) = error else {
        return Answer::critical("tls", format!("{place} does not speak TLS as it should: {error}"));
    };
    match why {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            Answer::critical("expired", format!("the certificate of {place} has expired"))
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Answer::critical(
            "not_yet",
            format!("the certificate of {place} is of the future, or this machine's clock is behind"),
        ),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            Answer::critical("name_wrong", format!("the certificate of {place} is for other names"))
        }
        CertificateError::UnknownIssuer => Answer::critical(
            "chain",
            format!(
                "the certificate of {place} is not trusted: its chain is incomplete, or ends at an unknown authority"
            ),
        ),
        other => Answer::critical("certificate", format!("the certificate of {place} is not good: {other}")),
    }
}
