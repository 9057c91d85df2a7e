//! The whole catalogue: every recipe, read and held to its form at once.

use std::collections::BTreeMap;
use std::path::Path;

use pq_stream::Diagnostic;
use serde::Deserialize;

use crate::files::Files;
use crate::{App, Component, Node, Os, Pins, Source, Variable, yaml};

/// The facts that recipes may read: those that never change, or of which a plan can have it asserted that they still hold.
const FACTS: [&str; 3] = ["architecture", "databases", "memory"];

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
        let (catalogue, errors) = Catalogue::survey(own)?;
        errors.into_iter().next().map_or(Ok(catalogue), Err)
    }

    /// The same with every recipe that can be read, and what is wrong with each that cannot.
    ///
    /// # Errors
    /// Where the directory cannot be read, or what every recipe stands on.
    pub fn survey(own: Option<&Path>) -> Result<(Self, Vec<Diagnostic>), Diagnostic> {
        let files = Files::load(own)?;
        let mut errors = Vec::new();
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
            let os = required(&files, &format!("os/{name}.yml")).and_then(yaml::read::<Os>);
            catalogue.systems.extend(read(os, &mut errors).map(|os| (name, os)));
        }
        for name in files.between("server/", ".yml") {
            let source = required(&files, &format!("server/{name}.yml"));
            let component = source.and_then(|source| Component::read(&name, source));
            catalogue.server.extend(read(component, &mut errors));
        }
        for name in files.between("platform/", ".yml") {
            let source = required(&files, &format!("platform/{name}.yml"));
            let component = source.and_then(|source| Component::read(&name, source)).and_then(of_platform);
            catalogue.platform.extend(read(component, &mut errors).map(|component| (name, component)));
        }
        for name in files.between("apps/", "/recipe.yml") {
            let app = app(&files, &name);
            catalogue.apps.extend(read(app, &mut errors).map(|app| (name, app)));
        }
        Ok((catalogue, errors))
    }

    /// The applications of which the user's own directory has a file.
    pub fn own_apps(&self) -> Vec<&App> {
        self.apps.values().filter(|app| self.files.has_own(&format!("apps/{}/", app.name))).collect()
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

/// What was read; an error is noted.
fn read<T>(read: Result<T, Diagnostic>, errors: &mut Vec<Diagnostic>) -> Option<T> {
    read.map_err(|error| errors.push(error)).ok()
}

/// Refuses what only a part of the server may have.
fn of_platform(component: Component) -> Result<Component, Diagnostic> {
    match component.monitor_strategy.as_ref().or(component.backup_strategy.as_ref()) {
        None => Ok(component),
        Some(strategy) => {
            let what = "a strategy belongs to the whole machine, and this is one of its components";
            let error = Diagnostic::new(what).at(component.source.place(strategy.mark));
            Err(error.hint("a part of the server, below `server/`, has it"))
        }
    }
}

/// Reads an application with its pins.
fn app(files: &Files, name: &str) -> Result<App, Diagnostic> {
    let mut pins = Pins::default();
    files.both(&format!("apps/{name}/pins.yml")).try_for_each(|source| pins.add(source))?;
    App::read(name, required(files, &format!("apps/{name}/recipe.yml"))?, pins)
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
