//! Tries the names before the authority does: a file in the place of a challenge is fetched by http through every address of each.
//!
//! An authority counts those who ask in vain, and shuts them out for a while.

use std::time::{Duration, UNIX_EPOCH};

use sha2::{Digest, Sha256};

use super::Acme;
use crate::{AbsPath, Error, Http, Meta, Mode, Probe, System};

/// How long one answer may take.
const ONE: Duration = Duration::from_secs(10);

/// With what our own begin.
const OURS: &str = "paquerette-";

/// What certbot left in the place of challenges is taken away after this.
const STALE: Duration = Duration::from_secs(60 * 60);

/// What each name says through each address, and whether all is well.
pub(super) fn all(of: &Acme, machine: &mut dyn System) -> Result<(Vec<String>, bool), Error> {
    let cannot = |cause: String| Error::failed("cannot lay out a challenge", cause);
    let directory = of.webroot.join(".well-known/acme-challenge").map_err(cannot)?;
    tidy(machine, &directory)?;
    // One name for all attempts: what a killed one left is written over.
    let file = format!("{OURS}{}", of.name);
    let since = machine.now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let digest = Sha256::digest(format!("{} {}", of.name, since.as_nanos()));
    let token = digest.iter().take(16).fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    let path = directory.join(&file).map_err(cannot)?;
    machine.make_dir(&directory, &Meta::new(Mode::from_bits(0o755), "root", "root"))?;
    machine.write(&path, token.as_bytes(), &Meta::new(Mode::from_bits(0o644), "root", "root"))?;
    let (mut said, mut well) = (Vec::new(), true);
    for name in &of.names {
        for (words, good) in one(machine, name, &file, &token) {
            well &= good;
            said.push(words);
        }
    }
    machine.remove(&path)?;
    Ok((said, well))
}

/// What one name says, and whether that is well.
fn one(machine: &dyn Probe, name: &str, file: &str, token: &str) -> Vec<(String, bool)> {
    let addresses = match machine.addresses(name) {
        Ok(addresses) if addresses.is_empty() => {
            return vec![(format!("`{name}` leads to no address"), false)];
        }
        Ok(addresses) => addresses,
        Err(error) => {
            let said = error.into_diagnostic();
            return vec![([vec![said.message], said.causes].concat().join(": "), false)];
        }
    };
    let url = format!("http://{name}/.well-known/acme-challenge/{file}");
    let ask = |at| {
        let words = |what: String| format!("`{name}` at {at}, port 80: {what}");
        match machine.http(&Http { url: url.clone(), at: Some(at), ca: None, timeout: ONE }) {
            Ok(reply) if reply.status == 200 && reply.body.trim() == token => {
                (words("leads here".to_owned()), true)
            }
            // An authority follows it: only it can tell where that ends.
            Ok(reply) if (300..400).contains(&reply.status) => {
                (words(format!("answers {}, and leads on", reply.status)), true)
            }
            Ok(reply) if reply.status == 200 => {
                (words("answers something else: it is not this machine".to_owned()), false)
            }
            Ok(reply) => (words(format!("answers {} instead of the challenge", reply.status)), false),
            Err(error) => (words(error.into_diagnostic().causes.join(": ")), false),
        }
    };
    addresses.into_iter().map(ask).collect()
}

/// Takes away challenges that nobody will fetch any more.
fn tidy(machine: &mut dyn System, directory: &AbsPath) -> Result<(), Error> {
    for name in machine.list(directory)?.unwrap_or_default() {
        let Ok(path) = directory.join(&name) else { continue };
        let old = |changed| machine.now().duration_since(changed).is_ok_and(|age| age > STALE);
        if machine.stat(&path)?.is_some_and(|is| name.starts_with(OURS) || old(is.changed)) {
            machine.remove(&path)?;
        }
    }
    Ok(())
}
