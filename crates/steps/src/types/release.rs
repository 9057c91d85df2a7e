//! A release is unpacked, whole or not at all, with what is kept outside it linked in.
//!
//! It is a directory as `unpack` makes them, whose archive is fetched and removed again, with links in it. Which release
//! is the current one is a link, and a step, of its own.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::unpack::{default_max_bytes, default_max_entries};
use super::unpacked::{Found, Unpacked, is_below_another};
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
    /// Where it is no archive but one program, compressed by itself: what that is called in the release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
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

impl Release {
    fn unpacked(&self) -> Unpacked<'_> {
        Unpacked {
            what: "release",
            path: &self.path,
            sha256: &self.sha256,
            strip: self.strip,
            usual_strip: default_strip(),
        }
    }

    /// Fetches the archive and puts what is in it in its place.
    fn make(&self, machine: &mut dyn System) -> Result<(), Error> {
        let unpacked = self.unpacked();
        let fetched = unpacked.beside(".archive")?;
        machine.remove(&fetched)?;
        let download =
            Download { url: self.url.clone(), sha256: self.sha256.clone(), max_bytes: self.max_bytes };
        machine.download(&download, &fetched)?;
        let archive = Archive {
            path: fetched,
            sha256: self.sha256.clone(),
            strip: if self.program.is_some() { 0 } else { self.strip },
            program: self.program.clone(),
            max_bytes: self.max_bytes,
            max_entries: self.max_entries,
            links: self.links.clone(),
            meta: Meta::default(),
        };
        unpacked.make(machine, &archive, true)
    }

    /// Puts right the links of a release that is otherwise whole.
    fn link(&self, machine: &mut dyn System) -> Result<(), Error> {
        let meta = Meta::new(Mode::from_bits(0o755), "root", "root");
        for (name, target) in &self.links {
            let path = self.unpacked().below(name)?;
            if machine.read_link(&path)?.as_ref() == Some(target) {
                continue;
            }
            let shipped = self.unpacked().below(&format!(".paquerette/shipped/{name}"))?;
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
        let unpacked = self.unpacked();
        let mut found = Differences::new();
        match unpacked.look(machine)? {
            Found::Nothing => return Ok(Differences::missing("release")),
            Found::Ours { whole: false, .. } => found.push("archive", Some("another"), Some(&self.sha256)),
            Found::Ours { whole: true, .. } => {
                for (name, target) in &self.links {
                    let is = machine.read_link(&unpacked.below(name)?)?;
                    if is.as_ref() != Some(target) {
                        found.push(&format!("link {name}"), is.as_deref(), Some(target));
                    }
                }
            }
        }
        unpacked.left_over(machine, &mut found)?;
        Ok(found.into_check())
    }

    fn apply(&self, machine: &mut dyn System) -> Result<(), Error> {
        match self.unpacked().look(machine)? {
            Found::Ours { whole: true, .. } => {
                self.link(machine)?;
                self.unpacked().tidy(machine)
            }
            _ => self.make(machine),
        }
    }

    fn validate(&self) -> Result<(), String> {
        rules::url("url", &self.url)?;
        rules::sha256("sha256", &self.sha256)?;
        is_below_another("path", &self.path)?;
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
