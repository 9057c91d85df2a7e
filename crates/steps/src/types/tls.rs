//! Which pair of certificate and key the servers of a site read: a given one where it is good, else the operator's own that was served
//! before, as long as that is good, else the machine's own.
//!
//! Always true here: `chain.pem` and `key.pem` of the directory both lead through one link, `served`, to a directory with a whole
//! pair. So a pair takes the place of another at once, and no server ever starts with the key of one and the chain of another.

use std::time::SystemTime;

use pq_stream::{Diagnostic, Difference};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{in_the_way, rules};
use crate::ledger::{Thing, ThingKind};
use crate::{
    AbsPath, Certificate, Check, Command, Converge, Differences, Error, Kind, Meta, Mode, Probe, System,
};

/// The certificate and key that servers read in a directory: `chain.pem` and `key.pem`. The machine's own pair is below it, in `local`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The directory, which must exist.
    pub path: AbsPath,
    /// DNS names that the certificate is for.
    pub names: Vec<String>,
    /// The given chain, which is served where it is good.
    pub chain: AbsPath,
    /// Its key.
    pub key: AbsPath,
    /// Whether nothing else will do: then a copy of the given pair is served, it is an error where that is not good, and there is no
    /// `local`; else, where the given one is not good, what is served is a copy of before that still is (in `before`), or the one in `local`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub required: bool,
}

/// The two files that servers read.
const FILES: [&str; 2] = ["key.pem", "chain.pem"];

/// Where a pair may be.
const GIVEN: &str = "given";
const LOCAL: &str = "local";
const BEFORE: &str = "before";

impl Tls {
    /// A path below the directory.
    pub(super) fn at(&self, name: &str) -> Result<AbsPath, Error> {
        self.path.join(name).map_err(|cause| Error::failed("cannot serve a certificate", cause))
    }

    /// Why the given pair cannot be served; nothing where it is good.
    pub(super) fn flaw(&self, machine: &dyn Probe) -> Result<Option<String>, Error> {
        let chain = &self.chain;
        let said = match machine.certificate(chain) {
            Ok(None) => return Ok(Some(format!("there is no `{chain}`"))),
            Err(_) if machine.read(chain)?.is_some() => {
                return Ok(Some(format!("`{chain}` holds no certificate that can be read")));
            }
            said => said?,
        };
        let Some(said) = said else { return Ok(None) };
        if machine.sha256(&self.key)?.is_none() {
            return Ok(Some(format!("there is no `{}`", self.key)));
        }
        Ok(outside(&said, machine.now()).map(|why| format!("`{chain}` {why}")))
    }

    /// The directory of the pair that is to be served.
    fn wanted(&self, machine: &dyn Probe) -> Result<&'static str, Error> {
        let refused = |cause: String| {
            Diagnostic::new(format!("the certificate of {} cannot be served", self.names.join(", ")))
                .cause(cause)
                .hint("put a chain and its key there, or choose another `tls` for the instance; the site was not touched")
        };
        let nameless = |cause: String| {
            let name = self.names.first().map(String::as_str).unwrap_or_default();
            refused(cause).hint(format!(
                "have it issued with its names as subjectAltName: `openssl req -addext subjectAltName=DNS:{name}` asks for that"
            ))
        };
        if self.required {
            for (path, key, what) in [
                (
                    &self.chain,
                    "tls_chain",
                    "the certificate there, with those of its authorities behind it, mode 0644",
                ),
                (&self.key, "tls_key", "the key of the certificate there, of root and mode 0600"),
            ] {
                if machine.sha256(path)?.is_none() {
                    let hint = format!("put {what}, or correct `{key}` of the instance in the inventory");
                    return Err(Error::absent_for("file", path.as_str(), hint));
                }
            }
        }
        match self.flaw(machine)? {
            Some(flaw) if self.required => Err(refused(flaw).into()),
            Some(_) => self.instead(machine),
            None if self.required => {
                let said = machine.certificate(&self.chain)?;
                let (has, common) = said.map(|it| (it.names, it.common_name)).unwrap_or_default();
                if has.is_empty() {
                    let only = common.map_or_else(String::new, |name| {
                        format!(", only the common name `{name}`, by which browsers take none")
                    });
                    let cause = format!("`{}` has no DNS name as subjectAltName{only}", self.chain);
                    return Err(nameless(cause).into());
                }
                if let Some(name) = self.lacks(&has) {
                    let has = format!("`{}` is for {}, and not for `{name}`", self.chain, has.join(", "));
                    return Err(refused(has).into());
                }
                match is_a_pair(machine, &self.chain, &self.key) {
                    Ok(true) => Ok(GIVEN),
                    Ok(false) => Err(refused(format!("`{}` is not its key", self.key)).into()),
                    // openssl comes with this run
                    Err(error @ Error::Absent(_)) => Err(error),
                    Err(_) => {
                        let cause =
                            format!("`{}` holds no key that can be read without a passphrase", self.key);
                        Err(refused(cause).into())
                    }
                }
            }
            None => Ok(GIVEN),
        }
    }

    /// The first name that those of a certificate do not stand for.
    fn lacks(&self, has: &[String]) -> Option<&String> {
        self.names.iter().find(|name| !has.iter().any(|is| covers(is, name)))
    }

    /// The directory of what is served while the given pair is no good.
    fn instead(&self, machine: &dyn Probe) -> Result<&'static str, Error> {
        Ok(if self.before(machine)?.is_some() { BEFORE } else { LOCAL })
    }

    /// What the operator's own pair says, of which a copy was served before and still is, where it is good for every name.
    pub(super) fn before(&self, machine: &dyn Probe) -> Result<Option<Certificate>, Error> {
        for directory in [GIVEN, BEFORE] {
            if !self.is_served(machine, directory)? {
                continue;
            }
            for name in FILES {
                let is = machine.stat(&self.at(&format!("{directory}/{name}"))?)?;
                if is.is_none_or(|is| is.kind != Kind::File) {
                    return Ok(None);
                }
            }
            // One that cannot be read is no good.
            let said = machine.certificate(&self.at(&format!("{directory}/chain.pem"))?).ok().flatten();
            let good = |said: &Certificate| {
                outside(said, machine.now()).is_none() && self.lacks(&said.names).is_none()
            };
            return Ok(said.filter(good));
        }
        Ok(None)
    }

    /// The links to the given pair.
    fn given(&self) -> Result<Vec<(AbsPath, String)>, Error> {
        Ok(vec![
            (self.at("given/key.pem")?, self.key.as_str().to_owned()),
            (self.at("given/chain.pem")?, self.chain.as_str().to_owned()),
        ])
    }

    /// Each link, and where it leads.
    fn links(&self, served: &str) -> Result<Vec<(AbsPath, String)>, Error> {
        let mut links = if self.required { Vec::new() } else { self.given()? };
        links.push((self.at("served")?, served.to_owned()));
        for name in FILES {
            links.push((self.at(name)?, format!("served/{name}")));
        }
        Ok(links)
    }

    /// Whether a directory of ours holds a copy of the given pair.
    fn holds(&self, machine: &dyn Probe, directory: &str) -> Result<bool, Error> {
        for (from, name) in [(&self.key, "key.pem"), (&self.chain, "chain.pem")] {
            let copy = self.at(&format!("{directory}/{name}"))?;
            let is_file = machine.stat(&copy)?.is_some_and(|is| is.kind == Kind::File);
            if !is_file || machine.sha256(&copy)? != machine.sha256(from)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Makes a directory that is not served hold a copy of a pair, and nothing else.
    fn copy(
        &self,
        machine: &mut dyn System,
        directory: &str,
        (from_chain, from_key): (&AbsPath, &AbsPath),
    ) -> Result<(), Error> {
        let into = self.at(directory)?;
        if machine.stat(&into)?.is_some() {
            machine.remove(&into)?;
        }
        machine.make_dir(&into, &Meta::new(Mode::from_bits(0o700), "root", "root"))?;
        for (from, name, mode) in [(from_key, "key.pem", 0o600), (from_chain, "chain.pem", 0o644)] {
            let content = machine.read(from)?.ok_or_else(|| Error::absent("file", from.as_str()))?;
            let meta = Meta::new(Mode::from_bits(mode), "root", "root");
            machine.write(&self.at(&format!("{directory}/{name}"))?, &content, &meta)?;
        }
        // What was looked at before may have been exchanged meanwhile.
        let (chain, key) =
            (self.at(&format!("{directory}/chain.pem"))?, self.at(&format!("{directory}/key.pem"))?);
        match is_a_pair(machine, &chain, &key)? {
            true => Ok(()),
            false => Err(Diagnostic::new(format!(
                "`{from_chain}` and `{from_key}` changed while they were copied"
            ))
            .hint("run again: what was served before is served")
            .into()),
        }
    }

    /// Has a copy of the given pair be served from where such a pair is: what is served meanwhile is whole, too.
    fn serve_copy(&self, machine: &mut dyn System) -> Result<(), Error> {
        let pair = (&self.chain, &self.key);
        if self.is_served(machine, GIVEN)? {
            if self.holds(machine, GIVEN)? {
                return Ok(());
            }
            self.copy(machine, LOCAL, pair)?;
            point(machine, LOCAL, &self.at("served")?)?;
        }
        self.copy(machine, GIVEN, pair)
    }

    /// The operator's own pair goes on being served, from where no link takes its place.
    fn keep_before(&self, machine: &mut dyn System) -> Result<(), Error> {
        if self.is_served(machine, GIVEN)? {
            let (chain, key) = (self.at("given/chain.pem")?, self.at("given/key.pem")?);
            self.copy(machine, BEFORE, (&chain, &key))?;
            point(machine, BEFORE, &self.at("served")?)?;
        }
        Ok(())
    }

    /// Where links to the given pair take the place of others: the machine's own pair is served meanwhile.
    fn step_aside(&self, machine: &mut dyn System) -> Result<(), Error> {
        let mut changes = false;
        for (path, target) in self.given()? {
            changes |= machine.read_link(&path)?.as_deref() != Some(target.as_str());
        }
        for name in FILES {
            changes &= machine.sha256(&self.at(&format!("{LOCAL}/{name}"))?)?.is_some();
        }
        match changes && self.is_served(machine, GIVEN)? {
            true => point(machine, LOCAL, &self.at("served")?),
            false => Ok(()),
        }
    }

    /// Whether the pair of a directory is the one that is served.
    fn is_served(&self, machine: &dyn Probe, directory: &str) -> Result<bool, Error> {
        Ok(machine.read_link(&self.at("served")?)?.as_deref() == Some(directory))
    }

    /// The directories of pairs that are not needed where that of `wanted` is served.
    fn unused(&self, machine: &dyn Probe, wanted: &str) -> Result<Vec<AbsPath>, Error> {
        let mut unused = Vec::new();
        for directory in [LOCAL, BEFORE] {
            let path = self.at(directory)?;
            // the machine's own is there for what may come
            let needed = directory == wanted || directory == LOCAL && !self.required;
            if !needed && machine.stat(&path)?.is_some() {
                unused.push(path);
            }
        }
        Ok(unused)
    }

    /// A pair that was served as plain files goes on being served while links take their places: as the one in `local`.
    fn take_over(&self, machine: &mut dyn System) -> Result<(), Error> {
        let is_file = |machine: &dyn Probe, name: &str| -> Result<bool, Error> {
            Ok(machine.stat(&self.at(name)?)?.is_some_and(|is| is.kind == Kind::File))
        };
        // The key is the first to become a link: where it is one, all of this was done before.
        if !is_file(machine, "key.pem")? || !is_file(machine, "chain.pem")? {
            return Ok(());
        }
        let meta = |bits| Meta::new(Mode::from_bits(bits), "root", "root");
        machine.make_dir(&self.at(LOCAL)?, &meta(0o700))?;
        for (name, mode) in [("key.pem", 0o600), ("chain.pem", 0o644)] {
            let content = machine.read(&self.at(name)?)?.unwrap_or_default();
            machine.write(&self.at(&format!("{LOCAL}/{name}"))?, &content, &meta(mode))?;
        }
        point(machine, LOCAL, &self.at("served")?)?;
        FILES.iter().try_for_each(|name| point(machine, &format!("served/{name}"), &self.at(name)?))
    }
}

/// Makes a link where another one or a file may stand.
fn point(machine: &mut dyn System, target: &str, path: &AbsPath) -> Result<(), Error> {
    match machine.stat(path)? {
        Some(is) if is.kind == Kind::File => {
            let beside = AbsPath::new(format!("{path}.link"))
                .map_err(|cause| Error::failed(format!("cannot make link `{path}`"), cause))?;
            machine.symlink(target, &beside)?;
            machine.rename(&beside, path)
        }
        Some(_) if machine.read_link(path)?.as_deref() == Some(target) => Ok(()),
        _ => machine.symlink(target, path),
    }
}

/// Whether a key is that of a chain, as openssl reads them.
pub(super) fn is_a_pair(machine: &dyn Probe, chain: &AbsPath, key: &AbsPath) -> Result<bool, Error> {
    let ask = |argv: &[&str]| -> Result<String, Error> {
        let command = Command::new(argv.iter().copied());
        Ok(machine.ask(&command)?.success(&command)?.stdout)
    };
    let of_chain = ask(&["openssl", "x509", "-noout", "-pubkey", "-in", chain.as_str()])?;
    let of_key = ask(&["openssl", "pkey", "-pubout", "-passin", "pass:", "-in", key.as_str()])?;
    Ok(of_chain == of_key)
}

/// Why a certificate is no good now; nothing where it is.
pub(super) fn outside(said: &Certificate, now: SystemTime) -> Option<&'static str> {
    match now {
        now if now < said.not_before => Some("is not valid yet"),
        now if now >= said.not_after => Some("has expired"),
        _ => None,
    }
}

/// Whether a name of a certificate, perhaps with a wildcard, stands for a name.
fn covers(is: &str, name: &str) -> bool {
    match is.strip_prefix("*.") {
        Some(parent) => name.split_once('.').is_some_and(|(_, rest)| rest == parent),
        None => is == name,
    }
}

impl Converge for Tls {
    fn check(&self, machine: &dyn Probe) -> Result<Check, Error> {
        let wanted = self.wanted(machine)?;
        let mut found = Differences::new();
        for (path, target) in self.links(wanted)? {
            let name = path.as_str().strip_prefix(&format!("{}/", self.path)).unwrap_or_default().to_owned();
            match machine.stat(&path)? {
                None => found.push(&name, Some("missing"), Some(&target)),
                Some(is) if is.kind == Kind::Symlink => {
                    found.between(&name, &machine.read_link(&path)?.unwrap_or_default(), &target);
                }
                // a pair of before
                Some(is) if is.kind == Kind::File && path.name() != "served" => {
                    found.push(&name, Some("a file"), Some(&target));
                }
                Some(is) => return Err(in_the_way("link", &path, &is)),
            }
        }
        if self.required && !self.holds(machine, GIVEN)? {
            found.push(GIVEN, Some("another pair"), Some(&format!("that of `{}`", self.chain)));
        }
        for unused in self.unused(machine, wanted)? {
            found.push(unused.name(), Some("a pair that is not served"), Some(Difference::ABSENT));
        }
        Ok(found.into_check())
    }

    fn apply(&self, machine: &mut dyn System) -> Result<(), Error> {
        let mut wanted = self.wanted(machine)?;
        if wanted == GIVEN && !self.required && !is_a_pair(machine, &self.chain, &self.key)? {
            wanted = self.instead(machine)?;
        }
        self.take_over(machine)?;
        if self.required {
            self.serve_copy(machine)?;
        } else {
            if wanted == BEFORE {
                self.keep_before(machine)?;
            }
            self.step_aside(machine)?;
            machine.make_dir(&self.at(GIVEN)?, &Meta::new(Mode::from_bits(0o700), "root", "root"))?;
        }
        self.links(wanted)?.into_iter().try_for_each(|(path, target)| point(machine, &target, &path))?;
        self.unused(machine, wanted)?.iter().try_for_each(|path| machine.remove(path))
    }

    fn validate(&self) -> Result<(), String> {
        valid_names(&self.names)?;
        match self.chain == self.key {
            true => Err("`chain` and `key` are one file".to_owned()),
            false => Ok(()),
        }
    }

    fn things(&self) -> Vec<Thing> {
        let mut things = vec![Thing::new(ThingKind::Directory, format!("{}/{GIVEN}", self.path))];
        let given = if self.required { ThingKind::File } else { ThingKind::Link };
        for (name, kind) in [("given/key.pem", given), ("given/chain.pem", given)]
            .into_iter()
            .chain(["served", "key.pem", "chain.pem"].map(|name| (name, ThingKind::Link)))
        {
            things.push(Thing::new(kind, format!("{}/{name}", self.path)));
        }
        if !self.required {
            things.push(Thing::new(ThingKind::Directory, format!("{}/{BEFORE}", self.path)));
            things.extend(
                FILES.map(|name| Thing::new(ThingKind::File, format!("{}/{BEFORE}/{name}", self.path))),
            );
        }
        things
    }
}

/// Whether names can stand in a certificate, each once.
pub(super) fn valid_names(names: &[String]) -> Result<(), String> {
    if names.is_empty() {
        return Err("`names` is empty".to_owned());
    }
    for (index, name) in names.iter().enumerate() {
        rules::dns_name("names", name)?;
        if names[..index].contains(name) {
            return Err(format!("`names` has `{name}` twice"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::covers;

    #[test]
    fn a_wildcard_stands_for_one_label() {
        assert!(covers("*.demo.test", "wiki.demo.test") && covers("a.test", "a.test"));
        assert!(!covers("*.demo.test", "a.wiki.demo.test") && !covers("*.demo.test", "demo.test"));
    }
}
