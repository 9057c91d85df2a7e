//! The whole catalogue: every recipe, read and held to its form at once.

use std::collections::BTreeMap;
use std::path::Path;

use pq_stream::Diagnostic;
use serde::Deserialize;

use crate::files::Files;
use crate::{App, Component, Node, Os, Pins, Source, Variable, yaml};

/// The facts that recipes may read: those of which a plan can have it asserted that they still hold.
const FACTS: [&str; 2] = ["databases", "memory"];

/// Every recipe there is.
#[derive(Debug, Clone)]
pub struct Catalogue {
    files: Files,
    /// Variables that every recipe may read, from `host.yml`.
    pub host: Declared,
    /// Keys that every instance may have, from `instance/keys.yml`.
    pub instance: Declared,
    /// The parts of the server, in the order of their names.
    pub server: Vec<Component>,
    systems: BTreeMap<String, Os>,
    platform: BTreeMap<String, Component>,
    apps: BTreeMap<String, App>,
}

/// Variables and the file that declares them.
#[derive(Debug, Clone, PartialEq)]
pub struct Declared {
    /// The file.
    pub source: Source,
    /// The variables.
    pub variables: BTreeMap<String, Variable>,
    /// The facts that the file reads, with what holds where the machine was not asked.
    pub facts: BTreeMap<String, Node>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Variables {
    #[serde(default)]
    facts: BTreeMap<String, Node>,
    variables: BTreeMap<String, Variable>,
}

impl Catalogue {
    /// The catalogue that is built in, overlaid with a directory of the same layout where there is one: file by file,
    /// and `pins.yml` version by version.
    ///
    /// # Errors
    /// Where a recipe cannot be read.
    pub fn load(own: Option<&Path>) -> Result<Self, Diagnostic> {
        let files = Files::load(own)?;
        let mut catalogue = Catalogue {
            host: declared(&files, "host.yml")?,
            instance: declared(&files, "instance/keys.yml")?,
            server: Vec::new(),
            systems: BTreeMap::new(),
            platform: BTreeMap::new(),
            apps: BTreeMap::new(),
            files: files.clone(),
        };
        for name in files.between("os/", ".yml") {
            let os: Os = yaml::read(required(&files, &format!("os/{name}.yml"))?)?;
            catalogue.systems.insert(name, os);
        }
        for name in files.between("server/", ".yml") {
            let component = Component::read(&name, required(&files, &format!("server/{name}.yml"))?)?;
            catalogue.server.push(component);
        }
        for name in files.between("platform/", ".yml") {
            let component = Component::read(&name, required(&files, &format!("platform/{name}.yml"))?)?;
            if let Some(strategy) = component.monitor_strategy.as_ref().or(component.backup_strategy.as_ref())
            {
                let error = Diagnostic::new(
                    "a strategy belongs to the whole machine, and this is one of its components",
                );
                let place = component.source.place(strategy.mark);
                return Err(error.at(place).hint("a part of the server, below `server/`, has it"));
            }
            catalogue.platform.insert(name, component);
        }
        for name in files.between("apps/", "/recipe.yml") {
            let mut pins = Pins::default();
            files.both(&format!("apps/{name}/pins.yml")).try_for_each(|source| pins.add(source))?;
            let app = App::read(&name, required(&files, &format!("apps/{name}/recipe.yml"))?, pins)?;
            catalogue.apps.insert(name, app);
        }
        Ok(catalogue)
    }

    /// What differs on an operating system.
    pub fn os(&self, name: &str) -> Option<&Os> {
        self.systems.get(name)
    }

    /// The operating systems that are known.
    pub fn systems(&self) -> impl Iterator<Item = &str> {
        self.systems.keys().map(String::as_str)
    }

    /// A component of the platform.
    pub fn component(&self, name: &str) -> Option<&Component> {
        self.platform.get(name)
    }

    /// The components of the platform, by name.
    pub fn components(&self) -> impl Iterator<Item = &Component> {
        self.platform.values()
    }

    /// An application.
    pub fn app(&self, name: &str) -> Option<&App> {
        self.apps.get(name)
    }

    /// The applications, by name.
    pub fn apps(&self) -> impl Iterator<Item = &App> {
        self.apps.values()
    }

    /// A file of a directory of the catalogue, such as `apps/dokuwiki`.
    ///
    /// # Errors
    /// Where there is none, pointing at the recipe that names it.
    pub fn file(&self, directory: &str, name: &Node, recipe: &Source) -> Result<&Source, Diagnostic> {
        let text = name.text().unwrap_or_default();
        self.files.get(&format!("{directory}/{text}")).ok_or_else(|| {
            Diagnostic::new(format!("there is no file `{text}` beside this recipe"))
                .at(recipe.place(name.mark))
                .hint(format!("it is looked for as `recipes/{directory}/{text}` of the inventory, then among those built in"))
        })
    }

    /// A file by its path in the catalogue.
    ///
    /// # Errors
    /// Where there is none.
    pub fn path(&self, path: &str) -> Result<&Source, Diagnostic> {
        required(&self.files, path)
    }
}

/// Refuses a fact that no plan can be made from.
pub(crate) fn known_facts(source: &Source, facts: &BTreeMap<String, Node>) -> Result<(), Diagnostic> {
    match facts.iter().find(|(name, _)| !FACTS.contains(&name.as_str())) {
        None => Ok(()),
        Some((name, node)) => Err(Diagnostic::new(format!("there is no fact `{name}` for recipes"))
            .at(source.place(node.mark))
            .hint(format!("there are {}", FACTS.join(", ")))),
    }
}

fn required<'f>(files: &'f Files, name: &str) -> Result<&'f Source, Diagnostic> {
    files.get(name).ok_or_else(|| Diagnostic::new(format!("the catalogue has no file `{name}`")))
}

fn declared(files: &Files, name: &str) -> Result<Declared, Diagnostic> {
    let source = required(files, name)?;
    let Variables { facts, variables } = yaml::read(source)?;
    known_facts(source, &facts)?;
    Ok(Declared { source: source.clone(), variables, facts })
}
