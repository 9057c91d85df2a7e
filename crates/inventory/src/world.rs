//! The whole inventory, read as far as it was asked for: hosts, groups, and the variables of each host.

use std::collections::{BTreeMap, HashMap};
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use pq_stream::Diagnostic;
use pq_template::Templates;

use crate::groups::{ALL, Groups, Variable};
use crate::scope::Scope;
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
    /// What files give groups, by name.
    given: Mutex<HashMap<String, Arc<Vec<Variable>>>>,
    scopes: Vec<OnceLock<Arc<Scope>>>,
    members: OnceLock<BTreeMap<String, Vec<String>>>,
}

impl World {
    /// Reads the hosts file of an inventory directory.
    ///
    /// # Errors
    /// Where there is none, or it is wrong.
    pub fn open(directory: &Path, identity_files: Vec<PathBuf>) -> Result<Arc<World>> {
        let shown = directory.display();
        let found = file::leads_to(directory)?;
        if !found.as_ref().is_some_and(Metadata::is_dir) {
            let cause = if found.is_some() { "it is no directory" } else { "there is nothing of that name" };
            return Err(Box::new(
                Diagnostic::new(format!("cannot read the inventory `{shown}`"))
                    .cause(cause)
                    .hint("an inventory is a directory with a file `hosts` in it; name it with `-i DIR`"),
            ));
        }
        let loader = Loader::new(directory, identity_files);
        if file::leads_to(&directory.join("hosts"))?.is_none() {
            return Err(Box::new(
                Diagnostic::new(format!("the inventory `{shown}` has no file `hosts`"))
                    .hint("name your machines in it, one a line, below a group such as `[prod]`"),
            ));
        }
        let groups = hosts::read(&Arc::new(loader.source("hosts")?))?;
        let scopes = groups.hosts.iter().map(|_| OnceLock::new()).collect();
        Ok(Arc::new(World {
            groups,
            loader,
            templates: Templates::new(),
            given: Mutex::default(),
            scopes,
            members: OnceLock::new(),
        }))
    }

    /// The variables of a host, as templates see them.
    ///
    /// # Errors
    /// Where a file that speaks for the host cannot be read or opened, or is wrong.
    pub fn scope(self: &Arc<Self>, host: usize) -> Result<Arc<Scope>> {
        let Some(slot) = self.scopes.get(host) else {
            return Err(Box::new(Diagnostic::new("there is no such host")));
        };
        if let Some(scope) = slot.get() {
            return Ok(scope.clone());
        }
        let scope = Arc::new(Scope::new(self, host, self.variables(host)?));
        Ok(slot.get_or_init(|| scope).clone())
    }

    /// What is set for a host, by Ansible's precedence: the hosts file's groups, then files for `all`, files for
    /// the other groups from `all` down, the hosts file's line, files for the host.
    fn variables(&self, host: usize) -> Result<BTreeMap<String, Variable>> {
        let groups = self.groups.of_host(host);
        let mut layers: Vec<Arc<Vec<Variable>>> = Vec::new();
        for group in &groups {
            layers.push(Arc::new(self.groups.groups[*group].variables.clone()));
        }
        layers.push(self.of_group(ALL)?);
        for group in groups.iter().filter(|group| **group != ALL) {
            layers.push(self.of_group(*group)?);
        }
        let host = &self.groups.hosts[host];
        layers.push(Arc::new(host.variables.clone()));
        layers.push(Arc::new(self.loader.given("host_vars", &host.name)?));
        let all = layers.iter().flat_map(|layer| layer.iter());
        Ok(all.map(|variable| (variable.name.clone(), variable.clone())).collect())
    }

    /// What files give a group; they are read once.
    fn of_group(&self, group: usize) -> Result<Arc<Vec<Variable>>> {
        let name = &self.groups.groups[group].name;
        let known = self.given.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let given = Arc::new(self.loader.given("group_vars", name)?);
        self.given.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), given.clone());
        Ok(given)
    }

    /// The hosts of every group, by name: the variable `groups`.
    pub fn members(&self) -> &BTreeMap<String, Vec<String>> {
        self.members.get_or_init(|| {
            let mut members: BTreeMap<String, Vec<String>> =
                self.groups.groups.iter().map(|group| (group.name.clone(), Vec::new())).collect();
            for (index, host) in self.groups.hosts.iter().enumerate() {
                for group in self.groups.of_host(index) {
                    if let Some(hosts) = members.get_mut(&self.groups.groups[group].name) {
                        hosts.push(host.name.clone());
                    }
                }
            }
            members
        })
    }

    /// The absolute path of the inventory directory.
    ///
    /// # Errors
    /// Where the system cannot tell it.
    pub fn absolute(&self) -> Result<String> {
        let directory = &self.loader.directory;
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
        crate::digest::of(&self.loader.directory, file::bytes)
    }
}
