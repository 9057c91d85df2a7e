//! Certificates as plain text: what a real one says, without any cryptography. Keys are numbers.

use std::time::Duration;

use pq_steps::{AbsPath, Certificate, CertificateRequest, Error, Meta, Mode, System};

use super::MemoryMachine;
use super::probe::{moment, sha256};

const HEADER: &str = "certificate in memory";

/// The first certificate of a file.
pub(super) fn parse(path: &AbsPath, content: &[u8]) -> Result<Certificate, Error> {
    let text = String::from_utf8_lossy(content);
    let bad = || Error::failed(format!("cannot read certificate `{path}`"), "the file holds none");
    let block = text.strip_prefix(HEADER).ok_or_else(bad)?;
    let value = |name: &str| {
        block
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
            .unwrap_or_default()
            .to_owned()
    };
    let time = |name: &str| value(name).parse().map(moment).map_err(|_| bad());
    Ok(Certificate {
        digest: sha256(content),
        names: value("names").split_whitespace().map(str::to_owned).collect(),
        common_name: Some(value("common name")).filter(|name| !name.is_empty()),
        not_after: time("not after")?,
        not_before: time("not before")?,
        key: value("key"),
        authority: value("authority"),
        subject: value("key"),
    })
}

/// The number of the key in a file.
pub(super) fn key_in(text: &str) -> Option<String> {
    text.lines().find_map(|line| line.strip_prefix("key: ")).map(str::to_owned)
}

impl MemoryMachine {
    pub(super) fn write_text(&mut self, path: &AbsPath, text: &str, mode: u32) -> Result<(), Error> {
        self.write(path, text.as_bytes(), &Meta::new(Mode::from_bits(mode), "root", "root"))
    }

    pub(super) fn certificate_text(&self, names: &str, days: u64, key: &str, authority: &str) -> String {
        let begin = self.disk.clock;
        let life = u64::try_from(Duration::from_secs(days * 86_400).as_millis()).unwrap_or(u64::MAX);
        format!(
            "{HEADER}\nnames: {names}\nnot before: {begin}\nnot after: {}\nkey: {key}\nauthority: {authority}\n",
            begin.saturating_add(life)
        )
    }

    /// Issues a certificate: the authority's key, its certificate, then the new key, then the new chain.
    pub(super) fn issue_certificate(&mut self, request: &CertificateRequest) -> Result<(), Error> {
        let below = |name: &str| {
            let cannot = |cause: String| Error::failed("cannot issue a certificate", cause);
            request.authority.join(name).map_err(cannot)
        };
        let (ca, ca_key) = (below("ca.pem")?, below("ca.key")?);
        if self.disk.get(request.authority.as_str()).is_none() {
            self.make_dir(&request.authority, &Meta::new(Mode::from_bits(0o700), "root", "root"))?;
        }
        if self.disk.get(ca_key.as_str()).is_none() {
            let number = self.disk.clock;
            self.write_text(&ca_key, &format!("key: {number}\n"), 0o600)?;
        }
        let authority = key_in(&self.disk.text(ca_key.as_str())).unwrap_or_default();
        if key_in(&self.disk.text(ca.as_str())).as_ref() != Some(&authority) {
            let text = self.certificate_text("", 3650, &authority, &authority);
            self.write_text(&ca, &text, 0o644)?;
        }
        let number = self.disk.clock.to_string();
        self.write_text(&request.key, &format!("key: {number}\n"), 0o600)?;
        let mut names = request.names.clone();
        names.sort();
        let leaf = self.certificate_text(&names.join(" "), request.days.into(), &number, &authority);
        let chain = leaf + &self.disk.text(ca.as_str());
        self.write_text(&request.chain, &chain, 0o644)
    }
}
