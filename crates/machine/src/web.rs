//! How we speak HTTP: which authorities are trusted, and when we give up.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use pq_steps::{AbsPath, Error};
use ureq::Agent;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};

use crate::cause::words;
use crate::look;

/// Where Debian keeps the authorities that the machine trusts, a site's own among them.
const SYSTEM_ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";

/// An agent for the outside: the machine's authorities, a limit on silence but none on length.
pub fn outside() -> Result<Agent, Error> {
    Ok(Agent::config_builder()
        .http_status_as_error(false)
        .user_agent(concat!("paquerette/", env!("CARGO_PKG_VERSION")))
        .accept_encoding("identity")
        .timeout_resolve(Some(Duration::from_secs(20)))
        .timeout_connect(Some(Duration::from_secs(20)))
        .timeout_recv_response(Some(Duration::from_secs(60)))
        .timeout_per_read(Some(Duration::from_secs(60)))
        .tls_config(tls(None)?)
        .build()
        .new_agent())
}

/// An agent for the server at an address, whatever the host is called: no proxy, no redirects, no name is looked up.
pub fn at(address: IpAddr, ca: Option<&AbsPath>, timeout: Duration) -> Result<Agent, Error> {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .user_agent(concat!("paquerette/", env!("CARGO_PKG_VERSION")))
        .accept_encoding("identity")
        .proxy(None)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_global(Some(timeout))
        .tls_config(tls(ca)?)
        .build();
    Ok(Agent::with_parts(config, DefaultConnector::new(), Fixed(address)))
}

/// The machine's authorities, else those that are built in; those of a file beside them.
fn tls(ca: Option<&AbsPath>) -> Result<TlsConfig, Error> {
    let system =
        AbsPath::new(SYSTEM_ROOTS).map_err(|cause| Error::failed("cannot read the authorities", cause))?;
    let mut roots = authorities(&system)?;
    if let Some(ca) = ca {
        match authorities(ca)? {
            None => return Err(Error::absent("file", ca.as_str())),
            more => roots = Some([roots, more].into_iter().flatten().flatten().collect()),
        }
    }
    let roots = roots.map_or(RootCerts::WebPki, RootCerts::from);
    Ok(TlsConfig::builder().root_certs(roots).build())
}

/// The authorities that stand in a file; nothing where there is none.
fn authorities(path: &AbsPath) -> Result<Option<Vec<Certificate<'static>>>, Error> {
    let Some(pem) = look::read(path)? else { return Ok(None) };
    let found: Vec<_> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    match found.is_empty() {
        true => Err(Error::failed(format!("cannot trust `{path}`"), "it holds no certificate")),
        false => Ok(Some(found)),
    }
}

/// Finds every name at one address.
#[derive(Debug)]
struct Fixed(IpAddr);

impl Resolver for Fixed {
    fn resolve(&self, uri: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let default = if uri.scheme_str() == Some("https") { 443 } else { 80 };
        let mut found = self.empty();
        found.push(SocketAddr::new(self.0, uri.port_u16().unwrap_or(default)));
        Ok(found)
    }
}

/// What went wrong, in words.
pub fn cause(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Io(error) => words(error),
        ureq::Error::HostNotFound => "its host is not known".to_owned(),
        ureq::Error::Timeout(_) => "no answer in time".to_owned(),
        other => other.to_string(),
    }
}
