//! A Python environment holds exactly the pinned packages, each archive of them known by its digest.
//!
//! Always true here: the marker with the digest of the requirements is written last, so an environment that was
//! not finished is made anew; the one before is kept beside it until then, and comes back where python or pip fails.
//! A directory that has another's content and no marker is not touched.

use std::collections::BTreeSet;
use std::time::Duration;

use pq_stream::{Diagnostic, Difference};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::requirements;
use super::{in_the_way, rules};
use crate::ledger::{Thing, ThingKind};
use crate::{AbsPath, Check, Command, Converge, Differences, Error, Kind, Meta, Mode, Probe, System};

/// A virtual environment of Python with packages pinned by version and digest, owned by root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Venv {
    /// Where; the directory that it is in must exist.
    pub path: AbsPath,
    /// All packages in pip's format: `name==version --hash=sha256:…`, or `name @ https://…/name-version-….whl --hash=sha256:…`,
    /// their dependencies too.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub requirements: String,
    /// Instead: the file of the machine that lists them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<AbsPath>,
    /// Further packages in the same format; of those that are listed above, the version there counts.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub also: String,
    /// Where the archives are listed, instead of pip's own index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub find_links: Option<String>,
    /// The interpreter, `/usr/bin/python3` by default.
    #[serde(default = "default_python")]
    pub python: String,
}

fn default_python() -> String {
    "/usr/bin/python3".to_owned()
}

/// What pip may take to fetch and install everything.
const TIMEOUT: Duration = Duration::from_secs(1800);

/// The file that tells whose environment it is, and with which requirements.
const MARKER: &str = ".paquerette-venv";

/// What the marker holds while the environment is being made.
const UNFINISHED: &str = "unfinished\n";

impl Venv {
    fn below(&self, name: &str) -> Result<AbsPath, Error> {
        self.path.join(name).map_err(|cause| self.cannot(cause))
    }

    /// A path beside the environment, of something that only exists while it is made.
    fn beside(&self, what: &str) -> Result<AbsPath, Error> {
        let parent = self.path.parent().ok_or_else(|| self.cannot("it has no parent directory"))?;
        parent.join(&format!(".tmp-{}{what}", self.path.name())).map_err(|cause| self.cannot(cause))
    }

    fn cannot(&self, cause: impl std::fmt::Display) -> Error {
        Error::failed(format!("cannot make python environment `{}`", self.path), cause)
    }

    /// All that it is to hold, as pip takes it.
    fn listed(&self, machine: &dyn Probe) -> Result<String, Error> {
        let mut all = match &self.file {
            None => self.requirements.clone(),
            Some(path) => {
                let bytes = machine.read(path)?.ok_or_else(|| Error::absent("file", path.as_str()))?;
                String::from_utf8(bytes).map_err(|_| self.cannot(format!("`{path}` is no UTF-8")))?
            }
        };
        if self.also.is_empty() {
            return Ok(all);
        }
        let named = requirements::read(&all).map_err(|cause| self.unpinned(&cause))?;
        for (text, one) in requirements::each(&self.also).map_err(|cause| self.cannot(cause))? {
            if !named.iter().any(|it| it.name == one.name) {
                all.push_str(&format!("\n{text}"));
            }
        }
        Ok(all + "\n")
    }

    /// Why what a file of the machine lists cannot be installed.
    fn unpinned(&self, cause: &str) -> Error {
        let error = Diagnostic::new(format!("cannot make python environment `{}`", self.path)).cause(cause);
        match &self.file {
            Some(file) => error
                .cause(format!("`{file}` lists its packages"))
                .hint("`pip-compile --generate-hashes` writes a list with every version and digest"),
            None => error,
        }
        .into()
    }

    fn marker(&self, listed: &str) -> String {
        let digest = Sha256::digest(listed.as_bytes());
        digest.iter().map(|byte| format!("{byte:02x}")).chain(["\n".to_owned()]).collect()
    }

    fn python(&self) -> Result<AbsPath, Error> {
        AbsPath::new(self.python.as_str()).map_err(|cause| self.cannot(cause))
    }

    /// Refuses a place where others than root can put a link: python and pip would write through it as root.
    fn is_guarded(&self, machine: &dyn Probe) -> Result<(), Error> {
        match machine.guarded(&self.path)? {
            true => Ok(()),
            false => Err(Diagnostic::new(format!("cannot make python environment `{}`", self.path))
                .cause("not only root can write to a directory on the way, and could put a link there")
                .hint("put the environment where all directories on the way are root's")
                .into()),
        }
    }

    /// What is wrong with the environment, apart from what stands beside it.
    fn own(&self, machine: &dyn Probe) -> Result<Differences, Error> {
        let mut found = Differences::new();
        match machine.stat(&self.path)? {
            None => found.push("python environment", Some("missing"), Some("present")),
            Some(is) if is.kind != Kind::Directory => return Err(in_the_way("directory", &self.path, &is)),
            Some(_) => self.look(machine, &mut found)?,
        }
        Ok(found)
    }

    /// What is wrong with an environment that is there.
    fn look(&self, machine: &dyn Probe, found: &mut Differences) -> Result<(), Error> {
        let marker = machine.read(&self.below(MARKER)?)?;
        let listed = self.listed(machine)?;
        if marker.is_none() && machine.list(&self.path)?.is_some_and(|names| !names.is_empty()) {
            return Err(Diagnostic::new(format!("cannot make python environment `{}`", self.path))
                .cause("a directory stands there that paquerette did not make")
                .hint("move it away, then run again")
                .into());
        }
        if marker.as_deref() != Some(self.marker(&listed).as_bytes()) {
            found.push("requirements", Some("others, or unfinished"), Some("as pinned"));
            return Ok(());
        }
        let Some(interpreter) = self.interpreter(machine)? else {
            found.push("bin/python", Some("missing"), Some("present"));
            return Ok(());
        };
        let libraries = machine.list(&self.below("lib")?)?.unwrap_or_default();
        let named = |name: &&String| name.starts_with("python3.") && !interpreter.starts_with("python3.");
        let library = libraries.iter().find(|name| **name == interpreter || named(name));
        let Some(library) = library else {
            found.push("lib", Some("of another python"), Some(&interpreter));
            return Ok(());
        };
        let packages = self.below(&format!("lib/{library}/site-packages"))?;
        let installed = machine.list(&packages)?.unwrap_or_default();
        for wanted in requirements::read(&listed).map_err(|cause| self.unpinned(&cause))? {
            if !wanted.conditional && !installed.iter().any(|name| wanted.is_installed_as(name)) {
                found.push(&wanted.name, Some("missing"), Some(&wanted.version));
            }
        }
        Ok(())
    }

    /// The name of the program at the end of the links from `bin/python`, such as `python3.11`.
    fn interpreter(&self, machine: &dyn Probe) -> Result<Option<String>, Error> {
        let mut path = self.below("bin/python")?;
        for _ in 0..8 {
            let Some(is) = machine.stat(&path)? else { return Ok(None) };
            if is.kind != Kind::Symlink {
                break;
            }
            let target = machine.read_link(&path)?.unwrap_or_default();
            let next = match path.parent() {
                Some(parent) if !target.starts_with('/') => parent.join(&target),
                _ => AbsPath::new(target),
            };
            match next {
                Ok(next) => path = next,
                Err(_) => break,
            }
        }
        Ok(Some(path.name().to_owned()))
    }

    fn pip(&self, listed: &str) -> Result<Command, Error> {
        let python = self.below("bin/python")?;
        let mut hosts = BTreeSet::new();
        let mut argv =
            vec![python.as_str(), "-m", "pip", "install", "--no-input", "--disable-pip-version-check"];
        argv.extend(["--require-hashes", "--no-deps", "--only-binary=:all:", "--no-cache-dir"]);
        if let Some(url) = &self.find_links {
            argv.extend(["--no-index", "--find-links", url]);
            if url.starts_with("http://") {
                hosts.insert(rules::host_of(url).to_owned());
            }
        }
        for one in requirements::read(listed).map_err(|cause| self.unpinned(&cause))? {
            if let Some(url) = one.url.filter(|url| url.starts_with("http://")) {
                hosts.insert(rules::host_of(&url).to_owned());
            }
        }
        hosts.iter().for_each(|host| argv.extend(["--trusted-host", host]));
        argv.extend(["-r", "/dev/stdin"]);
        let mut command = Command::new(argv);
        command.stdin = Some(listed.into());
        command.timeout = TIMEOUT;
        Ok(command)
    }
}

impl Venv {
    /// Clears the name for a new environment: a finished one goes beside, an unfinished one away at once. A name is
    /// lost before the content, so what a kill leaves under the name is whole.
    fn set_aside(&self, machine: &mut dyn System, old: &AbsPath, fresh: &AbsPath) -> Result<(), Error> {
        machine.remove(fresh)?;
        if machine.stat(&self.path)?.is_none() {
            return Ok(());
        }
        if machine.read(&self.below(MARKER)?)?.as_deref() == Some(UNFINISHED.as_bytes()) {
            machine.rename(&self.path, fresh)?;
            return machine.remove(fresh);
        }
        machine.remove(old)?;
        machine.rename(&self.path, old)
    }

    /// Makes the environment under its name, where nothing is.
    fn make(&self, machine: &mut dyn System, fresh: &AbsPath) -> Result<(), Error> {
        machine.make_dir(fresh, &Meta::new(Mode::from_bits(0o755), "root", "root"))?;
        let meta = Meta::new(Mode::from_bits(0o644), "root", "root");
        let unfinished = fresh.join(MARKER).map_err(|cause| self.cannot(cause))?;
        machine.write(&unfinished, UNFINISHED.as_bytes(), &meta)?;
        machine.rename(fresh, &self.path)?;
        let mut make = Command::new([self.python.as_str(), "-m", "venv", self.path.as_str()]);
        make.timeout = TIMEOUT;
        let listed = self.listed(machine)?;
        for command in [make, self.pip(&listed)?] {
            machine.run(&command)?.success(&command)?;
        }
        machine.write(&self.below(MARKER)?, self.marker(&listed).as_bytes(), &meta)
    }

    /// Brings the environment before back, where there was one.
    fn bring_back(&self, machine: &mut dyn System, old: &AbsPath, fresh: &AbsPath) -> Result<(), Error> {
        if machine.stat(old)?.is_none() {
            return Ok(());
        }
        machine.remove(fresh)?;
        if machine.stat(&self.path)?.is_some() {
            machine.rename(&self.path, fresh)?;
        }
        machine.rename(old, &self.path)?;
        machine.remove(fresh)
    }
}

impl Converge for Venv {
    fn check(&self, machine: &dyn Probe) -> Result<Check, Error> {
        let mut found = self.own(machine)?;
        for what in [".old", ".new"] {
            let left = self.beside(what)?;
            if machine.stat(&left)?.is_some() {
                found.push(left.as_str(), Some("left over"), Some(Difference::ABSENT));
            }
        }
        let check = found.into_check();
        if check != Check::InSync {
            self.is_guarded(machine)?;
        }
        if check != Check::InSync && machine.stat(&self.python()?)?.is_none() {
            return Err(Error::absent("program", self.python.as_str()));
        }
        Ok(check)
    }

    fn apply(&self, machine: &mut dyn System) -> Result<(), Error> {
        let (old, fresh) = (self.beside(".old")?, self.beside(".new")?);
        if self.own(machine)?.into_check() != Check::InSync {
            self.is_guarded(machine)?;
            self.set_aside(machine, &old, &fresh)?;
            if let Err(error) = self.make(machine, &fresh) {
                // Why it failed matters more than why the one before cannot come back, which check tells.
                let _ = self.bring_back(machine, &old, &fresh);
                return Err(error);
            }
        }
        machine.remove(&old)?;
        machine.remove(&fresh)
    }

    fn validate(&self) -> Result<(), String> {
        if self.path.parent().is_none_or(|parent| parent.as_str() == "/") {
            return Err(format!("`path` `{}` is a directory of the system itself", self.path));
        }
        AbsPath::new(self.python.as_str()).map_err(|cause| format!("`python`: {cause}"))?;
        self.find_links.as_ref().map_or(Ok(()), |url| rules::url("find_links", url))?;
        match (&self.file, self.requirements.is_empty()) {
            (Some(_), false) => return Err("both `requirements` and `file` are given".to_owned()),
            (Some(_), true) => {}
            (None, _) => drop(requirements::read(&self.requirements)?),
        }
        match self.also.is_empty() {
            true => Ok(()),
            false => requirements::read(&self.also).map(drop),
        }
    }

    fn things(&self) -> Vec<Thing> {
        vec![Thing::at(ThingKind::Tree, &self.path)]
    }
}
