//! Every file of one directory is in another: some always fresh, the others only seeded. What is extra there stays.
//!
//! Always true here: a directory or file appears whole, with its owner, so that a killed apply leaves nothing that
//! looks finished; and no symbolic link in the target is followed.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use pq_stream::Diagnostic;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{in_the_way, root};
use crate::{AbsPath, Check, Converge, Differences, Error, Kind, Meta, Mode, Probe, System};

/// Every file of `from` is in `to`; those that `fresh` names have its content, the others were seeded once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Copy {
    /// The directory to copy; it must exist.
    pub from: AbsPath,
    /// The directory that gets the files; made where it is missing.
    pub to: AbsPath,
    /// Globs, relative to `from`, of the files whose content is always that of `from`; `*` stays in a directory.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fresh: Vec<String>,
    /// Owner of what is made, `root` by default.
    #[serde(default = "root")]
    pub owner: String,
    /// Group of what is made, `root` by default.
    #[serde(default = "root")]
    pub group: String,
}

/// How many differences are told one by one.
const TOLD: usize = 20;

/// One thing to do, in the order in which it must be done.
enum Task {
    /// Make a directory.
    Directory(AbsPath),
    /// Write a file: where from, where to, and whether it was there.
    File { from: AbsPath, to: AbsPath, there: bool },
    /// Make a symbolic link.
    Link { target: String, to: AbsPath },
}

impl Copy {
    fn fresh(&self) -> Result<GlobSet, String> {
        let mut set = GlobSetBuilder::new();
        for glob in &self.fresh {
            let built = GlobBuilder::new(glob).literal_separator(true).build();
            set.add(built.map_err(|error| format!("`fresh`: {error}"))?);
        }
        set.build().map_err(|error| format!("`fresh`: {error}"))
    }

    fn meta(&self, mode: u32) -> Meta {
        Meta::new(Mode::from_bits(mode), &self.owner, &self.group)
    }

    /// Everything that is to be done, the directories before what is in them.
    fn tasks(&self, machine: &dyn Probe) -> Result<Vec<Task>, Error> {
        match machine.stat(&self.from)? {
            None => return Err(Error::absent("directory", self.from.as_str())),
            Some(is) if is.kind != Kind::Directory => return Err(in_the_way("directory", &self.from, &is)),
            Some(_) => {}
        }
        let fresh = self.fresh().map_err(|cause| Error::failed("cannot copy", cause))?;
        let mut tasks = Vec::new();
        self.walk(machine, &fresh, "", &mut tasks)?;
        Ok(tasks)
    }

    /// Looks at the directory at `below`, a path relative to both sides; empty for the top.
    fn walk(
        &self,
        machine: &dyn Probe,
        fresh: &GlobSet,
        below: &str,
        tasks: &mut Vec<Task>,
    ) -> Result<(), Error> {
        let side = |top: &AbsPath, below: &str| match below {
            "" => Ok(top.clone()),
            below => {
                top.join(below).map_err(|cause| Error::failed(format!("cannot copy from `{top}`"), cause))
            }
        };
        let (from, to) = (side(&self.from, below)?, side(&self.to, below)?);
        match machine.stat(&to)? {
            Some(is) if is.kind == Kind::Directory => {}
            Some(is) => return Err(in_the_way("directory", &to, &is)),
            None => tasks.push(Task::Directory(to)),
        }
        for name in machine.list(&from)?.unwrap_or_default() {
            let below = if below.is_empty() { name } else { format!("{below}/{name}") };
            let (from, to) = (side(&self.from, &below)?, side(&self.to, &below)?);
            let Some(source) = machine.stat(&from)? else { continue };
            if source.kind == Kind::Directory {
                self.walk(machine, fresh, &below, tasks)?;
                continue;
            }
            let is = machine.stat(&to)?;
            let always = fresh.is_match(&below);
            match source.kind {
                Kind::Symlink => {
                    let target = machine.read_link(&from)?.unwrap_or_default();
                    if !stays_inside(&target, below.matches('/').count()) {
                        return Err(leads_out(&from, &target));
                    }
                    let same = || Ok::<_, Error>(machine.read_link(&to)?.as_deref() == Some(&target));
                    if is.is_none() || (always && !same()?) {
                        tasks.push(Task::Link { target, to });
                    }
                }
                Kind::File => match is {
                    None => tasks.push(Task::File { from, to, there: false }),
                    Some(is) if always && is.kind != Kind::File => return Err(in_the_way("file", &to, &is)),
                    Some(is)
                        if always
                            && (is.size != source.size
                                || machine.sha256(&from)? != machine.sha256(&to)?) =>
                    {
                        tasks.push(Task::File { from, to, there: true });
                    }
                    Some(_) => {}
                },
                _ => return Err(in_the_way("file", &from, &source)),
            }
        }
        Ok(())
    }
}

impl Converge for Copy {
    fn check(&self, machine: &dyn Probe) -> Result<Check, Error> {
        let tasks = self.tasks(machine)?;
        let mut found = Differences::new();
        for task in tasks.iter().take(TOLD) {
            match task {
                Task::Directory(path)
                | Task::Link { to: path, .. }
                | Task::File { to: path, there: false, .. } => {
                    found.push(path.as_str(), Some("missing"), Some("present"));
                }
                Task::File { to: path, there: true, .. } => {
                    found.push(path.as_str(), Some("other content"), Some("as in the release"));
                }
            }
        }
        if tasks.len() > TOLD {
            found.push(&format!("and {} more", tasks.len() - TOLD), None, None);
        }
        Ok(found.into_check())
    }

    fn apply(&self, machine: &mut dyn System) -> Result<(), Error> {
        for task in self.tasks(machine)? {
            match task {
                Task::Directory(path) => {
                    // Under another name first: a directory that is there has its owner.
                    let fresh = beside(&path)?;
                    machine.remove(&fresh)?;
                    machine.make_dir(&fresh, &self.meta(0o750 | inherited(machine, &path)?))?;
                    machine.rename(&fresh, &path)?;
                }
                Task::File { from, to, .. } => {
                    let content = machine.read(&from)?.ok_or_else(|| Error::absent("file", from.as_str()))?;
                    machine.write(&to, &content, &self.meta(0o640))?;
                }
                Task::Link { target, to } => machine.symlink(&target, &to)?,
            }
        }
        Ok(())
    }

    fn validate(&self) -> Result<(), String> {
        let inside = |path: &AbsPath, top: &AbsPath| {
            path == top || path.as_str().starts_with(&format!("{}/", top.as_str().trim_end_matches('/')))
        };
        if inside(&self.from, &self.to) || inside(&self.to, &self.from) {
            return Err("of `from` and `to`, one is inside the other".to_owned());
        }
        self.fresh().map(|_| ())
    }
}

/// Whether the target of a link, in a directory this deep below the top, is below the top itself. Steps upwards may
/// only be at its beginning: behind a name, which may be a link too, they lead anywhere.
fn stays_inside(target: &str, depth: usize) -> bool {
    let parts: Vec<&str> = target.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let upwards = parts.iter().take_while(|part| **part == "..").count();
    !target.starts_with('/') && upwards <= depth && !parts[upwards..].contains(&"..")
}

fn leads_out(link: &AbsPath, target: &str) -> Error {
    Diagnostic::new(format!("cannot copy `{link}`"))
        .cause(format!("it is a symbolic link to `{target}`, which is not in what is copied"))
        .hint("use a release whose links stay inside of it")
        .into()
}

/// The set-group-id bit of the directory that a new one goes into, which it takes over as with `mkdir`.
fn inherited(machine: &dyn Probe, path: &AbsPath) -> Result<u32, Error> {
    let above = path.parent().map(|parent| machine.stat(&parent)).transpose()?.flatten();
    Ok(above.map_or(0, |above| above.mode.bits() & 0o2000))
}

/// Where a directory is made before it gets its name.
fn beside(path: &AbsPath) -> Result<AbsPath, Error> {
    let parent = path.parent().ok_or_else(|| Error::failed("cannot make `/`", "it has no parent"))?;
    parent
        .join(&format!(".{}.pq-new", path.name()))
        .map_err(|cause| Error::failed(format!("cannot make directory `{path}`"), cause))
}
