//! The whole inventory, read as far as it was asked for: hosts, groups, and the variables of each host.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use pq_stream::Diagnostic;
use pq_template::Templates;

use crate::effective::Effective;
use crate::groups::{ALL, Groups, Variable};
use crate::lookups::Inside;
use crate::scope::{Base, ReadBy, Scope};
use crate::variables::Loader;
use crate::{file, hosts};

type Result<T> = std::result::Result<T, Box<Diagnostic>>;

/// What was read of an inventory.
#[derive(Debug)]
pub struct World {
    /// Hosts and groups.
    pub groups: Groups,
    /// Reads variable files.
    pub loader: Loader,
    /// Renders values.
    pub templates: Templates,
    /// What the groups of some hosts set, by the groups' numbers: most hosts share theirs with others.
    bases: Mutex<HashMap<Vec<usize>, Arc<Base>>>,
    /// What files give groups, by name.
    given: Mutex<HashMap<usize, Arc<Vec<Arc<Variable>>>>>,
    /// The scopes that `hostvars` has asked for; it may ask for them again.
    asked: Vec<OnceLock<Arc<Scope>>>,
    members: OnceLock<BTreeMap<String, Vec<String>>>,
    /// The directory in whose place this one is read.
    place: Option<PathBuf>,
}

impl World {
    /// Reads the hosts file of an inventory directory.
    ///
    /// # Errors
    /// Where there is none, or it is wrong.
    pub fn open(loader: Loader) -> Result<Arc<World>> {
        let directory = &loader.directory;
        let shown = directory.display();
        let found = file::leads_to(directory)?;
        if !found.as_ref().is_some_and(Metadata::is_dir) {
            let cause = if found.is_some() { "it is no directory" } else { "there is nothing of that name" };
            return Err(Box::new(
                Diagnostic::new(format!("cannot read the inventory `{shown}`")).cause(cause).hint(
                    match found.as_ref().is_some_and(Metadata::is_file) {
                        true => "rename the file to `hosts` (in YAML, `hosts.yml`), and name its directory: `-i DIR`",
                        false => "an inventory is a directory with a file `hosts` in it; name it with `-i DIR`",
                    },
                ),
            ));
        }
        let mut found = Vec::new();
        for name in hosts::NAMES {
            if file::leads_to(&directory.join(name))?.is_some() {
                found.push(name);
            }
        }
        if let [first, second, ..] = found[..] {
            return Err(Box::new(
                Diagnostic::new(format!("the inventory `{shown}` has both `{first}` and `{second}`"))
                    .hint("put all machines into one of them"),
            ));
        }
        let Some(name) = found.first() else {
            let error = Diagnostic::new(format!("the inventory `{shown}` has no file `hosts`"));
            return Err(Box::new(match otherwise_called(directory) {
                Some((name, right)) => error.hint(format!("rename `{name}` to `{right}`")),
                None => error.hint("name your machines in it, one a line, below a group such as `[prod]`"),
            }));
        };
        let file = Arc::new(loader.source(name)?);
        if file.text().starts_with("#!") {
            let error = Diagnostic::new(format!("`{}` is a script", file.shown));
            return Err(Box::new(
                error
                    .cause("scripts that print an inventory are not run")
                    .hint("keep what it prints: `ansible-inventory -i SCRIPT --list --yaml > hosts.yml`"),
            ));
        }
        let groups = hosts::read(&file)?;
        let asked = groups.hosts.iter().map(|_| OnceLock::new()).collect();
        Ok(Arc::new(World {
            groups,
            loader,
            templates: Templates::new(),
            bases: Mutex::default(),
            given: Mutex::default(),
            asked,
            members: OnceLock::new(),
            place: None,
        }))
    }

    /// Gives values the paths of another directory, and the files that they look up there.
    pub fn stand_for(&mut self, directory: &Path) {
        let keys = self.loader.lookups.keys.clone();
        self.loader.lookups = Arc::new(Inside { directory: directory.to_owned(), keys });
        self.place = Some(directory.to_owned());
    }

    /// The variables of a host, as its own templates see them.
    ///
    /// # Errors
    /// Where a file that speaks for the host cannot be read or opened, or is wrong.
    pub fn scope(self: &Arc<Self>, host: usize) -> Result<Arc<Scope>> {
        Ok(Arc::new(Scope::new(self, host, ReadBy::Itself, self.base(host)?, self.own(host)?)))
    }

    /// The variables of a host, as `hostvars` shows them; kept, so that nothing is resolved twice.
    ///
    /// # Errors
    /// As [`World::scope`].
    pub fn shown(self: &Arc<Self>, host: usize) -> Result<Arc<Scope>> {
        let Some(slot) = self.asked.get(host) else {
            return Err(Box::new(Diagnostic::new("there is no such host")));
        };
        if let Some(scope) = slot.get() {
            return Ok(scope.clone());
        }
        let scope = Scope::new(self, host, ReadBy::Hostvars, self.base(host)?, self.own(host)?);
        Ok(slot.get_or_init(|| Arc::new(scope)).clone())
    }

    /// What is set for a host, by Ansible's precedence, lowest first: the hosts file's groups, then files for
    /// `all`, files for the other groups from `all` down, the hosts file's line, files for the host.
    ///
    /// # Errors
    /// As [`World::scope`].
    pub(crate) fn layers(&self, host: usize) -> Result<Vec<Layer>> {
        let mut layers = self.group_layers(&self.groups.of_host(host))?;
        layers.extend(self.host_layers(host)?);
        Ok(layers)
    }

    fn group_layers(&self, groups: &[usize]) -> Result<Vec<Layer>> {
        let inline = |group: &usize| Layer {
            source: LayerSource::Group(*group),
            variables: Arc::new(self.groups.groups[*group].variables.clone()),
        };
        let mut layers: Vec<Layer> = groups.iter().map(inline).collect();
        let rest = groups.iter().filter(|group| **group != ALL);
        for group in [ALL].iter().chain(rest) {
            layers.push(Layer {
                source: LayerSource::GroupFiles(*group),
                variables: self.files_of_group(*group)?,
            });
        }
        Ok(layers)
    }

    fn host_layers(&self, host: usize) -> Result<[Layer; 2]> {
        let host = &self.groups.hosts[host];
        let files = self.loader.given("host_vars", &host.name)?.into_iter().map(Arc::new).collect();
        Ok([
            Layer { source: LayerSource::Host, variables: Arc::new(host.variables.clone()) },
            Layer { source: LayerSource::HostFiles, variables: Arc::new(files) },
        ])
    }

    /// What the groups of a host set, merged.
    ///
    /// # Errors
    /// As [`World::scope`].
    pub fn base(&self, host: usize) -> Result<Arc<Base>> {
        let groups = self.groups.of_host(host);
        let known = self.bases.lock().unwrap_or_else(PoisonError::into_inner).get(&groups).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let base = Arc::new(Base::new(merged(&self.group_layers(&groups)?)));
        self.bases.lock().unwrap_or_else(PoisonError::into_inner).insert(groups, base.clone());
        Ok(base)
    }

    /// What the host itself sets, merged; it goes before what its groups set.
    ///
    /// # Errors
    /// As [`World::scope`].
    pub fn own(&self, host: usize) -> Result<Effective> {
        Ok(merged(&self.host_layers(host)?))
    }

    /// What files give a group; they are read once.
    fn files_of_group(&self, group: usize) -> Result<Arc<Vec<Arc<Variable>>>> {
        let known = self.given.lock().unwrap_or_else(PoisonError::into_inner).get(&group).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let read = self.loader.given("group_vars", &self.groups.groups[group].name)?;
        let given = Arc::new(read.into_iter().map(Arc::new).collect::<Vec<_>>());
        self.given.lock().unwrap_or_else(PoisonError::into_inner).insert(group, given.clone());
        Ok(given)
    }

    /// The hosts of every group, by name: the variable `groups`.
    pub fn members(&self) -> &BTreeMap<String, Vec<String>> {
        self.members.get_or_init(|| {
            let name = |host: usize| self.groups.hosts[host].name.clone();
            let groups = self.groups.groups.iter().enumerate();
            let members = |group: usize| self.groups.members(group).into_iter().map(name).collect();
            groups.map(|(index, group)| (group.name.clone(), members(index))).collect()
        })
    }

    /// The absolute path of the inventory directory.
    ///
    /// # Errors
    /// Where the system cannot tell it.
    pub fn absolute(&self) -> Result<String> {
        let directory = self.place.as_ref().unwrap_or(&self.loader.directory);
        let path = directory.canonicalize().map_err(|error| {
            Box::new(
                Diagnostic::new(format!("cannot find `{}`", directory.display())).cause(error.to_string()),
            )
        })?;
        path.into_os_string().into_string().map_err(|_| {
            Box::new(Diagnostic::new(format!("the path of `{}` is no UTF-8", directory.display())))
        })
    }

    /// A SHA-256 over what the inventory is made of.
    ///
    /// # Errors
    /// Where a file cannot be read.
    pub fn digest(&self) -> Result<String> {
        crate::digest::of(&self.loader.directory, &self.loader.lookups)
    }
}

/// A file that Ansible would read as the hosts file, and what it has to be called here; of several the first.
fn otherwise_called(directory: &Path) -> Option<(String, &'static str)> {
    let entries = fs::read_dir(directory).ok()?.flatten().filter(|entry| entry.path().is_file());
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names.into_iter().find_map(|name| {
        let right = match name.rsplit_once('.') {
            Some((stem, "ini")) if !stem.is_empty() => "hosts",
            Some(("inventory", "yml" | "yaml")) => "hosts.yml",
            None if name == "inventory" => "hosts",
            _ => return None,
        };
        Some((name, right))
    })
}

/// Variables that one place sets for a host.
#[derive(Debug, Clone)]
pub struct Layer {
    /// Which place.
    pub source: LayerSource,
    /// What it sets, in its order; of one name the last counts.
    pub variables: Arc<Vec<Arc<Variable>>>,
}

/// A place that may set variables for a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LayerSource {
    /// The hosts file, for this group.
    Group(usize),
    /// The files in `group_vars`, for this group.
    GroupFiles(usize),
    /// The hosts file, for the host.
    Host,
    /// The files in `host_vars`.
    HostFiles,
}

fn merged(layers: &[Layer]) -> Effective {
    Effective::new(layers.iter().flat_map(|layer| layer.variables.iter()))
}
