//! A certificate from the machine's own authority is there, for exactly these names, and far from its end.
//!
//! Whether the private key belongs to the certificate is seen when a server loads them, not here: `System::issue`
//! writes the key first, and a certificate whose key is missing is removed before, so that no kill leaves a pair
//! that looks right and is not.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::tls::valid_names;
use super::{compare_meta, in_the_way, root};
use crate::ledger::{Thing, ThingKind};
use crate::{
    AbsPath, CertificateRequest, Check, Converge, Differences, Error, Kind, Meta, Mode, Probe, System,
};

/// A certificate for these DNS names, signed by an authority that the machine keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// DNS names, the first also as common name.
    pub names: Vec<String>,
    /// Where the chain is; its directory must exist.
    pub chain: AbsPath,
    /// Where the private key is, 0600 and of root; its directory must exist.
    pub key: AbsPath,
    /// Directory of the authority, made where there is none.
    pub authority: AbsPath,
    /// Days that it is valid, 397 by default; it is renewed when two thirds of them are over.
    #[serde(default = "default_days")]
    pub days: u32,
}

fn default_days() -> u32 {
    397
}

const KEY: Mode = Mode::from_bits(0o600);

impl Certificate {
    /// Whether a key is there; anything else in its place is an error.
    fn has_key(&self, machine: &dyn Probe) -> Result<bool, Error> {
        match machine.stat(&self.key)? {
            Some(is) if is.kind == Kind::Symlink => Ok(machine.sha256(&self.key)?.is_some()),
            Some(is) if is.kind != Kind::File => Err(in_the_way("key", &self.key, &is)),
            is => Ok(is.is_some()),
        }
    }

    /// What the chain says; `None` where the file is there, and holds no certificate that can be read.
    fn said(&self, machine: &dyn Probe) -> Result<Option<crate::Certificate>, Error> {
        match machine.certificate(&self.chain) {
            // A file that cannot be read at all is another matter, and said by the read.
            Err(_) if machine.read(&self.chain)?.is_some() => Ok(None),
            said => said,
        }
    }

    /// Those of the two that are links: another pair was served here, and may be somebody else's.
    fn links(&self, machine: &dyn Probe) -> Result<Vec<&AbsPath>, Error> {
        let mut links = Vec::new();
        for path in [&self.key, &self.chain] {
            if machine.stat(path)?.is_some_and(|is| is.kind == Kind::Symlink) {
                links.push(path);
            }
        }
        Ok(links)
    }

    /// Has what a link leads to stand in its place: at every instant, key and chain belong together.
    fn no_link(&self, machine: &mut dyn System, link: &AbsPath) -> Result<(), Error> {
        let Some(content) = machine.read(link)? else { return machine.remove(link) };
        let beside = AbsPath::new(format!("{link}.new"))
            .map_err(|cause| Error::failed(format!("cannot replace link `{link}`"), cause))?;
        let mode = if *link == self.key { KEY } else { Mode::from_bits(0o644) };
        machine.write(&beside, &content, &Meta::new(mode, &root(), &root()))?;
        machine.rename(&beside, link)
    }

    /// What only a new certificate puts right.
    fn due(&self, machine: &dyn Probe) -> Result<Differences, Error> {
        let mut found = Differences::new();
        if !self.has_key(machine)? {
            found.push("key", Some("missing"), Some("present"));
        }
        let ca = self.authority.join("ca.pem");
        let ca =
            ca.map_err(|cause| Error::failed(format!("cannot use authority `{}`", self.authority), cause))?;
        let Some(is) = self.said(machine)? else {
            let there = machine.stat(&self.chain)?.map_or("missing", |_| "unreadable");
            found.push("certificate", Some(there), Some("present"));
            return Ok(found);
        };
        let mut names = self.names.clone();
        names.sort();
        found.between("names", &is.names.join(" "), &names.join(" "));
        match machine.certificate(&ca)? {
            None => found.push("authority", Some("missing"), Some("present")),
            Some(ca) if is.authority.is_empty() || is.authority != ca.subject => {
                found.push("authority", Some("another"), Some(self.authority.as_str()));
            }
            Some(_) => {}
        }
        let (now, life) = (machine.now(), is.not_after.duration_since(is.not_before).unwrap_or_default());
        if now < is.not_before {
            found.push("validity", Some("not yet valid"), Some("valid"));
        } else if now >= is.not_before + life * 2 / 3 {
            let over = if now >= is.not_after { "expired" } else { "two thirds over" };
            found.push("validity", Some(over), Some("less than two thirds over"));
        }
        Ok(found)
    }
}

impl Converge for Certificate {
    fn check(&self, machine: &dyn Probe) -> Result<Check, Error> {
        let mut found = self.due(machine)?;
        for link in self.links(machine)? {
            found.push(link.name(), Some("a link"), Some("a file"));
        }
        if let Some(is) = machine.stat(&self.key)?.filter(|is| is.kind == Kind::File) {
            compare_meta(&mut found, &is, KEY, &root(), &root());
        }
        Ok(found.into_check())
    }

    fn apply(&self, machine: &mut dyn System) -> Result<(), Error> {
        for link in self.links(machine)?.into_iter().cloned().collect::<Vec<_>>() {
            self.no_link(machine, &link)?;
        }
        if self.due(machine)?.into_check() != Check::InSync {
            if !self.has_key(machine)? {
                machine.remove(&self.chain)?;
            }
            machine.make_dir(&self.authority, &Meta::new(Mode::from_bits(0o700), &root(), &root()))?;
            machine.issue(&CertificateRequest {
                authority: self.authority.clone(),
                names: self.names.clone(),
                chain: self.chain.clone(),
                key: self.key.clone(),
                days: self.days,
            })?;
        }
        machine.set_meta(&self.key, &Meta::new(KEY, &root(), &root()))
    }

    fn validate(&self) -> Result<(), String> {
        valid_names(&self.names)?;
        if self.chain == self.key {
            return Err("`chain` and `key` are one file".to_owned());
        }
        match (1..=3650).contains(&self.days) {
            true => Ok(()),
            false => Err(format!("`days` {} is not from 1 to 3650", self.days)),
        }
    }

    fn things(&self) -> Vec<Thing> {
        vec![Thing::at(ThingKind::File, &self.chain), Thing::at(ThingKind::File, &self.key)]
    }
}
