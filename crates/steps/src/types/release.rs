//! A release is unpacked, whole or not at all, with what is kept outside it linked in.
//!
//! Always true here: at the path stands nothing, or a release whose marker tells its archive's digest; the marker
//! is written before the directory gets its name. A directory without a marker is somebody else's and stays.
//! Which release is the current one is a link, and a step, of its own.

use std::collections::BTreeMap;

use pq_stream::Diagnostic;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{in_the_way, rules};
use crate::ledger::{Thing, ThingKind};
use crate::{
    AbsPath, Archive, Check, Converge, Differences, Download, Error, Kind, Meta, Mode, Probe, System,
};

/// An archive with this SHA-256 is unpacked at a path, and these paths in it are symbolic links.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// Where the release is; the directory that it is in must exist.
    pub path: AbsPath,
    /// Where its archive is fetched from, `https://` or `http://`.
    pub url: String,
    /// The archive's SHA-256 in hexadecimal.
    pub sha256: String,
    /// How many leading directories of each entry's name are dropped, 1 by default.
    #[serde(default = "default_strip")]
    pub strip: usize,
    /// What is a symbolic link: path below the release → its target. What the archive has there is kept in
    /// `.paquerette/shipped/<path>`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub links: BTreeMap<String, String>,
    /// The most bytes that are taken, and that may come out, 4 GiB by default.
    #[serde(default = "default_max_bytes")]
    pub max_bytes: u64,
    /// The most entries that may come out, 500 000 by default.
    #[serde(default = "default_max_entries")]
    pub max_entries: u64,
}

fn default_strip() -> usize {
    1
}

fn default_max_bytes() -> u64 {
    4 << 30
}

fn default_max_entries() -> u64 {
    500_000
}

/// What stands at the path.
enum Found {
    Nothing,
    Ours { whole: bool },
}

impl Release {
    fn below(&self, name: &str) -> Result<AbsPath, Error> {
        self.path.join(name).map_err(|cause| self.cannot(cause))
    }

    /// A path beside the release, of something that only exists while it is made.
    fn beside(&self, what: &str) -> Result<AbsPath, Error> {
        let parent = self.path.parent().ok_or_else(|| self.cannot("it has no parent directory"))?;
        parent.join(&format!(".tmp-{}{what}", self.path.name())).map_err(|cause| self.cannot(cause))
    }

    fn cannot(&self, cause: impl std::fmt::Display) -> Error {
        Error::failed(format!("cannot make release `{}`", self.path), cause)
    }

    fn look(&self, machine: &dyn Probe) -> Result<Found, Error> {
        let Some(is) = machine.stat(&self.path)? else { return Ok(Found::Nothing) };
        if is.kind != Kind::Directory {
            return Err(in_the_way("release", &self.path, &is));
        }
        match machine.read(&self.below(".paquerette/release")?)? {
            Some(marker) => Ok(Found::Ours { whole: marker == self.marker() }),
            None => Err(Diagnostic::new(format!("cannot make release `{}`", self.path))
                .cause("a directory stands there that paquerette did not make")
                .hint("move it away, then run again")
                .into()),
        }
    }

    fn marker(&self) -> Vec<u8> {
        format!("{}\n", self.sha256).into_bytes()
    }

    /// Fetches, unpacks and marks the release under another name.
    fn prepare(&self, machine: &mut dyn System, fresh: &AbsPath) -> Result<(), Error> {
        let archive = self.beside(".archive")?;
        let download =
            Download { url: self.url.clone(), sha256: self.sha256.clone(), max_bytes: self.max_bytes };
        machine.download(&download, &archive)?;
        let unpacked = machine.unpack(
            &Archive {
                path: archive.clone(),
                strip: self.strip,
                max_bytes: self.max_bytes,
                max_entries: self.max_entries,
                links: self.links.clone(),
            },
            fresh,
        );
        machine.remove(&archive)?;
        unpacked?;
        let ours = fresh.join(".paquerette").map_err(|cause| self.cannot(cause))?;
        machine.make_dir(&ours, &Meta::new(Mode::from_bits(0o755), "root", "root"))?;
        let marker = ours.join("release").map_err(|cause| self.cannot(cause))?;
        machine.write(&marker, &self.marker(), &Meta::new(Mode::from_bits(0o644), "root", "root"))
    }

    /// Puts right the links of a release that is otherwise whole.
    fn link(&self, machine: &mut dyn System) -> Result<(), Error> {
        let meta = Meta::new(Mode::from_bits(0o755), "root", "root");
        for (name, target) in &self.links {
            let path = self.below(name)?;
            if machine.read_link(&path)?.as_ref() == Some(target) {
                continue;
            }
            let shipped = self.below(&format!(".paquerette/shipped/{name}"))?;
            match machine.stat(&path)? {
                Some(is) if is.kind != Kind::Symlink => {
                    if machine.stat(&shipped)?.is_some() {
                        return Err(in_the_way("link", &path, &is));
                    }
                    make_parent(machine, &shipped, &meta)?;
                    machine.rename(&path, &shipped)?;
                }
                Some(_) => {}
                None => make_parent(machine, &path, &meta)?,
            }
            machine.symlink(target, &path)?;
        }
        Ok(())
    }
}

/// Makes the directory that something is to be in, unless it is there.
fn make_parent(machine: &mut dyn System, path: &AbsPath, meta: &Meta) -> Result<(), Error> {
    match path.parent() {
        Some(parent) if machine.stat(&parent)?.is_none() => machine.make_dir(&parent, meta),
        _ => Ok(()),
    }
}

impl Converge for Release {
    fn check(&self, machine: &dyn Probe) -> Result<Check, Error> {
        let mut found = Differences::new();
        match self.look(machine)? {
            Found::Nothing => return Ok(Differences::missing("release")),
            Found::Ours { whole: false } => found.push("archive", Some("another"), Some(&self.sha256)),
            Found::Ours { whole: true } => {
                for (name, target) in &self.links {
                    let is = machine.read_link(&self.below(name)?)?;
                    if is.as_ref() != Some(target) {
                        found.push(&format!("link {name}"), is.as_deref(), Some(target));
                    }
                }
            }
        }
        let replaced = self.beside(".old")?;
        if machine.stat(&replaced)?.is_some() {
            found.push(replaced.as_str(), Some("left over"), Some("absent"));
        }
        Ok(found.into_check())
    }

    fn apply(&self, machine: &mut dyn System) -> Result<(), Error> {
        let (fresh, replaced) = (self.beside("")?, self.beside(".old")?);
        if let Found::Ours { whole: true } = self.look(machine)? {
            self.link(machine)?;
            return machine.remove(&replaced);
        }
        machine.remove(&fresh)?;
        machine.remove(&self.beside(".archive")?)?;
        self.prepare(machine, &fresh)?;
        machine.remove(&replaced)?;
        if machine.stat(&self.path)?.is_some() {
            machine.rename(&self.path, &replaced)?;
        }
        machine.rename(&fresh, &self.path)?;
        machine.remove(&replaced)
    }

    fn validate(&self) -> Result<(), String> {
        rules::url("url", &self.url)?;
        rules::sha256("sha256", &self.sha256)?;
        if self.path.parent().is_none_or(|parent| parent.as_str() == "/") {
            return Err(format!("`path` `{}` is a directory of the system itself", self.path));
        }
        for (name, target) in &self.links {
            let bad = |why: &str| Err(format!("`links`: `{}` {why}", name.escape_debug()));
            if self.path.join(name).is_err() || name.split('/').next() == Some(".paquerette") {
                return bad("is no path below the release");
            }
            if target.is_empty() || target.chars().any(char::is_control) {
                return bad("has a target that is empty or holds a control character");
            }
            if self
                .links
                .keys()
                .any(|other| name.strip_prefix(other.as_str()).is_some_and(|rest| rest.starts_with('/')))
            {
                return bad("is below another link");
            }
        }
        Ok(())
    }

    fn things(&self) -> Vec<Thing> {
        vec![Thing::at(ThingKind::Tree, &self.path)]
    }
}
