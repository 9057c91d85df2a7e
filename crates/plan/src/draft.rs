//! The plan of one host while it is written.

use std::collections::{BTreeMap, BTreeSet};

use pq_recipes::{Catalogue, Os, Phase, WebServer};
use pq_steps::AnyStep;
use pq_stream::{
    Diagnostic, Host, MASTER_KEY, Piece, Place, Step, holds_token, owner_of, pieces, valid_step_id,
};
use pq_template::Templates;
use serde_json::{Map, Value, json};

use crate::misread;
use crate::region;
use crate::render::Renderer;
use crate::scope::Scope;
use crate::values::{self, Reading};
use crate::{Part, Plan};

/// The plan of one host while it is written.
pub(crate) struct Draft<'p> {
    /// The machine.
    pub host: &'p Host,
    /// What differs on its operating system.
    pub os: &'p Os,
    /// The recipes.
    pub catalogue: &'p Catalogue,
    /// Renders them.
    pub renderer: Renderer<'p>,
    /// What every recipe of this host sees: `host`, `os`, and `vars` of `host.yml`.
    pub scope: Scope,
    plan: Plan,
    /// Where the step of an id stands in the plan.
    ids: BTreeMap<String, usize>,
    /// The part that the next steps are for.
    part: Option<usize>,
    /// The ids of the steps that a transaction further down does, by its own.
    pub members: BTreeMap<String, Vec<String>>,
}

/// A step before it is held to the rules.
pub(crate) struct Draught {
    /// `owner/name`.
    pub id: String,
    /// What it is, for people.
    pub title: String,
    /// The step type.
    pub kind: String,
    /// When it is executed.
    pub phase: Phase,
    /// Whether it is hardening, which may be wished to be reported only.
    pub hardening: bool,
    /// The fields of its type.
    pub fields: Map<String, Value>,
}

impl<'p> Draft<'p> {
    /// A plan that begins with what must hold of the machine.
    pub fn new(
        host: &'p Host,
        os: &'p Os,
        catalogue: &'p Catalogue,
        templates: &'p Templates,
    ) -> Result<Self, Diagnostic> {
        let mut draft = Draft {
            host,
            os,
            catalogue,
            renderer: Renderer(templates),
            scope: Scope::default(),
            plan: Plan::default(),
            ids: BTreeMap::new(),
            part: None,
            members: BTreeMap::new(),
        };
        draft.scope.set("os", serde_json::to_value(os).map_err(|error| Diagnostic::from_error(&error))?);
        draft.scope.set(
            "host",
            json!({
                "name": host.host,
                "groups": host.groups,
                "ssh_port": host.connection.port.unwrap_or(22),
            }),
        );
        draft.step(
            "platform/os",
            format!("the machine runs {}", os.about),
            "assert",
            json!({ "os": os.os }),
        )?;
        let vars = draft.declared(&catalogue.host)?;
        if let Some(mut it) = draft.scope.get("host").cloned() {
            for name in ["memory_mb", "admin_email"] {
                it[name] = vars.get(name).cloned().unwrap_or_default();
            }
            for (name, value) in region::told(host, vars.get("admin_email").and_then(Value::as_str))? {
                it[name] = value;
            }
            draft.scope.set("host", it);
        }
        let base = vars.get("base_prod_path").cloned().unwrap_or_default();
        let mounted = vars.get("base_prod_mount") == Some(&Value::Bool(true));
        draft.scope.set("vars", vars);
        if mounted {
            let title = format!("a file system is mounted on {}", base.as_str().unwrap_or_default());
            draft.step("platform/mount", title, "assert", json!({ "mount": base }))?;
        }
        Ok(draft)
    }

    /// The web server that answers for the host's instances.
    pub fn web_server(&self) -> (&'static str, &'p WebServer) {
        match self.scope.text("web_server") {
            Some("apache2") => ("apache2", &self.os.apache2),
            _ => ("nginx", &self.os.nginx),
        }
    }

    /// The facts that a file of the catalogue reads: what the machine said, else what holds without. What it said is asserted.
    ///
    /// # Errors
    /// Where what holds without is none.
    pub fn facts(&mut self, declared: &pq_recipes::Declared) -> Result<Map<String, Value>, Diagnostic> {
        let (host, mut facts) = (self.host, Map::new());
        for (name, without) in &declared.facts {
            let Some(said) = host.facts.get(name) else {
                let without = self.renderer.node(&declared.source, without, &self.scope)?;
                facts.insert(name.clone(), without);
                continue;
            };
            let holds = match name.as_str() {
                "memory" if !host.vars.contains_key("memory_mb") => {
                    Some((format!("the machine has {said} MiB of memory"), json!({ "memory": said })))
                }
                "databases" if said.get("mysql").is_some() => {
                    Some(("the machine has MySQL".to_owned(), json!({ "mysql": true })))
                }
                _ => None,
            };
            if let Some((title, fields)) = holds {
                self.step(&format!("platform/{name}"), title, "assert", fields)?;
            }
            facts.insert(name.clone(), said.clone());
        }
        Ok(facts)
    }

    /// Where hardening is reported and not done.
    fn audit(&self) -> Option<&'static str> {
        match self.scope.text("hardening") {
            Some("enforce") => None,
            Some("audit") => Some("always"),
            _ => Some("carried"),
        }
    }

    /// The host's values of variables that a file of the catalogue declares.
    ///
    /// # Errors
    /// Where a value is not of its variable's type.
    pub fn declared(&mut self, declared: &pq_recipes::Declared) -> Result<Map<String, Value>, Diagnostic> {
        let facts = self.facts(declared)?;
        self.values(declared, facts)
    }

    /// The same, where the facts that the file reads are known.
    pub fn values(
        &mut self,
        declared: &pq_recipes::Declared,
        facts: Map<String, Value>,
    ) -> Result<Map<String, Value>, Diagnostic> {
        let host = self.host;
        let scope = self.scope.with("facts", facts);
        let reading = Reading { renderer: self.renderer, scope: &scope };
        let values =
            reading.all(&declared.source, &declared.variables, |name| values::of_host(host, name))?;
        for name in declared.variables.keys().filter(|name| !values.contains_key(*name)) {
            self.scope.miss(
                name,
                format!(
                    "set `{name}` for `{}` or one of its groups: {}",
                    host.host,
                    declared.variables[name].words()
                ),
            );
        }
        Ok(values)
    }

    /// Writes a step that the planner itself makes.
    ///
    /// # Errors
    /// Where it breaks a rule of its type.
    pub fn step(
        &mut self,
        id: &str,
        title: impl Into<String>,
        kind: &str,
        fields: Value,
    ) -> Result<(), Diagnostic> {
        let fields = match fields {
            Value::Object(fields) => fields,
            _ => Map::new(),
        };
        let (id, title, kind) = (id.to_owned(), title.into(), kind.to_owned());
        self.push(Draught { id, title, kind, phase: Phase::InOrder, hardening: false, fields }, None)
    }

    /// Writes a step; the same one twice is one.
    ///
    /// # Errors
    /// Where it breaks a rule of its type, or another of the same id is there.
    pub fn push(&mut self, draught: Draught, place: Option<Place>) -> Result<(), Diagnostic> {
        let Draught { id, title, kind, phase, hardening, fields } = draught;
        let error = |cause: String| {
            let error = Diagnostic::new(format!("step `{id}` of `{}` cannot be planned", self.host.host))
                .cause(cause);
            match &place {
                Some(place) => error.at(place.clone()),
                None => error,
            }
        };
        valid_step_id(&id).map_err(|cause| error(cause.to_string()))?;
        if holds_token(&title) {
            return Err(error("its title holds a secret".to_owned()));
        }
        AnyStep::read(&kind, &fields).map_err(|bad| match misread::told(&kind, &fields, bad) {
            (cause, Some(hint)) => error(cause).hint(hint),
            (cause, None) => error(cause),
        })?;
        let secrets = needs(&fields).map_err(error)?;
        if secrets.iter().any(|name| name == MASTER_KEY) && !self.host.vars.contains_key(MASTER_KEY) {
            return Err(error(format!("it derives a password, and no variable `{MASTER_KEY}` is set")).hint(format!(
                "put a long random text under `{MASTER_KEY}` into an age file, such as group_vars/all/secrets.yml.age"
            )));
        }
        let marked = |this: Phase, word: &str| (phase == this).then(|| word.to_owned());
        let step = Step {
            host: self.host.host.clone(),
            id: id.clone(),
            title,
            kind,
            before: marked(Phase::BeforePackages, "packages"),
            after: marked(Phase::AfterFiles, "files"),
            destroys: None,
            audit: hardening.then(|| self.audit()).flatten().map(str::to_owned),
            secrets,
            body: fields,
        };
        match self.ids.get(&id) {
            Some(at) if self.plan.steps[*at] == step => {}
            Some(_) => return Err(error("another step has the same id, and other content".to_owned())),
            None => {
                let at = self.plan.steps.len();
                self.ids.insert(id, at);
                self.plan.steps.push(step);
                if let Some(part) = self.part {
                    self.plan.parts[part].steps.push(at);
                }
            }
        }
        Ok(())
    }

    /// The fields of a step that was written.
    pub fn body(&self, id: &str) -> Option<&Map<String, Value>> {
        self.ids.get(id).map(|at| &self.plan.steps[*at].body)
    }

    /// Has what an owner was given before be taken away, but what its steps of this plan want: all of those are written by now.
    ///
    /// # Errors
    /// As [`Draft::push`].
    pub fn unused(&mut self, owner: &str, title: String) -> Result<(), Diagnostic> {
        let mut keep = BTreeSet::new();
        for step in self.plan.steps.iter().filter(|step| owner_of(&step.id) == owner) {
            let read = AnyStep::read(&step.kind, &step.body);
            keep.extend(read.map_err(|bad| Diagnostic::from_error(&bad))?.converge().things());
        }
        self.step(&format!("{owner}/unused"), title, "remove", json!({ "owner": owner, "keep": keep }))
    }

    /// What the next steps are for; a part may be gone on with.
    pub fn part(&mut self, owner: &str, about: &str) {
        let part = self.plan.parts.iter().position(|part| part.owner == owner);
        self.part = Some(part.unwrap_or_else(|| {
            self.plan.parts.push(Part {
                owner: owner.to_owned(),
                about: about.to_owned(),
                steps: Vec::new(),
            });
            self.plan.parts.len() - 1
        }));
    }

    /// The plan.
    pub fn into_plan(self) -> Plan {
        self.plan
    }
}

/// The secret variables that the tokens in a step's fields need, sorted.
fn needs(fields: &Map<String, Value>) -> Result<Vec<String>, String> {
    let mut names = Vec::new();
    let mut left: Vec<&Value> = fields.values().collect();
    while let Some(value) = left.pop() {
        match value {
            Value::String(text) if holds_token(text) => {
                for piece in pieces(text).map_err(|error| error.to_string())? {
                    if let Piece::Token(token) = piece {
                        names.extend(token.needs().map(str::to_owned));
                    }
                }
            }
            Value::Array(items) => left.extend(items),
            Value::Object(map) => left.extend(map.values()),
            _ => {}
        }
    }
    names.sort();
    names.dedup();
    Ok(names)
}
