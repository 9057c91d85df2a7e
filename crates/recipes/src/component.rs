//! A part of the server or of the platform: its variables and its steps.

use std::collections::BTreeMap;

use pq_stream::Diagnostic;
use serde::Deserialize;

use crate::catalogue::known_facts;
use crate::{Node, Source, StepTemplate, Variable, yaml};

/// A part of the server or of the platform.
#[derive(Debug, Clone, PartialEq)]
pub struct Component {
    /// Its name, which its steps' ids begin with.
    pub name: String,
    /// Its recipe.
    pub source: Source,
    /// What it is for, in one line.
    pub about: String,
    /// What its recipe reads of the host's variables.
    pub variables: BTreeMap<String, Variable>,
    /// The facts that its recipe reads, with what holds where the machine was not asked.
    pub facts: BTreeMap<String, Node>,
    /// Components whose steps come before.
    pub needs: Vec<String>,
    /// Components that cannot be on the same machine, and why.
    pub excludes: BTreeMap<String, String>,
    /// Whether all of its steps are hardening.
    pub hardening: bool,
    /// Its steps, in order.
    pub steps: Vec<StepTemplate>,
    /// What is watched of it.
    pub monitor: Option<Node>,
    /// What is backed up of it.
    pub backup: Option<Node>,
    /// How the machine is watched, for a part of the server.
    pub monitor_strategy: Option<Node>,
    /// How the machine is backed up, for a part of the server.
    pub backup_strategy: Option<Node>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Recipe {
    about: String,
    #[serde(default)]
    variables: BTreeMap<String, Variable>,
    #[serde(default)]
    facts: BTreeMap<String, Node>,
    #[serde(default)]
    needs: Vec<String>,
    #[serde(default)]
    excludes: BTreeMap<String, String>,
    #[serde(default)]
    hardening: bool,
    steps: Vec<Node>,
    #[serde(default)]
    monitor: Option<Node>,
    #[serde(default)]
    backup: Option<Node>,
    #[serde(default)]
    monitor_strategy: Option<Node>,
    #[serde(default)]
    backup_strategy: Option<Node>,
}

impl Component {
    /// Reads a component's recipe.
    ///
    /// # Errors
    /// Where the file is none.
    pub fn read(name: &str, source: &Source) -> Result<Self, Diagnostic> {
        let recipe: Recipe = yaml::read(source)?;
        known_facts(source, &recipe.facts)?;
        Ok(Component {
            name: name.to_owned(),
            about: recipe.about,
            variables: recipe.variables,
            facts: recipe.facts,
            needs: recipe.needs,
            excludes: recipe.excludes,
            hardening: recipe.hardening,
            steps: StepTemplate::all(source, &recipe.steps)?,
            monitor: recipe.monitor,
            backup: recipe.backup,
            monitor_strategy: recipe.monitor_strategy,
            backup_strategy: recipe.backup_strategy,
            source: source.clone(),
        })
    }
}
