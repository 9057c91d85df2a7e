//! The planner of every layer: one host in, its steps out.

use pq_recipes::{Catalogue, Os};
use pq_stream::{Diagnostic, Host, Instance, Step, nearest, owner_of};
use pq_template::Templates;
use serde_json::Map;

use crate::draft::Draft;
use crate::instance::Data;
use crate::instance::upgrade::{self, Way};
use crate::{Choice, instance, platform, server};

/// Plans hosts from one catalogue.
#[derive(Debug)]
pub struct Planner {
    catalogue: Catalogue,
    templates: Templates,
}

/// What becomes of what earlier plans made and this one does not want.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Unused {
    /// It stays.
    #[default]
    Stays,
    /// It is taken away, as the machine's ledger has it; what is data stays.
    Goes,
}

impl Unused {
    /// It goes where that is wished.
    pub fn when(wished: bool) -> Self {
        if wished { Unused::Goes } else { Unused::Stays }
    }
}

/// The steps of one host.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// In order.
    pub steps: Vec<Step>,
    /// What they are for: one a component or instance.
    pub parts: Vec<Part>,
}

/// What some of a plan's steps are for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What it is called: `server/base`, `platform/nginx`, `wiki`.
    pub owner: String,
    /// What it is, in one line.
    pub about: String,
    /// Which of the plan's steps are its own.
    pub steps: Vec<usize>,
}

impl Plan {
    /// Adds another plan's steps, those that are there already but once.
    fn join(&mut self, other: Plan) {
        let mut places = Vec::new();
        for step in other.steps {
            let there = self.steps.iter().position(|it| it.id == step.id && *it == step);
            places.push(there.unwrap_or_else(|| {
                self.steps.push(step);
                self.steps.len() - 1
            }));
        }
        for part in other.parts {
            let steps = part.steps.iter().filter_map(|at| places.get(*at).copied()).collect::<Vec<_>>();
            match self.parts.iter().any(|it| it.owner == part.owner) {
                true => {}
                false => self.parts.push(Part { steps, ..part }),
            }
        }
    }

    /// Takes a step out.
    fn leave_out(&mut self, id: &str) {
        let Some(out) = self.steps.iter().position(|step| step.id == id) else { return };
        self.steps.remove(out);
        for part in &mut self.parts {
            part.steps.retain(|at| *at != out);
            part.steps.iter_mut().filter(|at| **at > out).for_each(|at| *at -= 1);
        }
    }
}

/// What is to be said of an instance that is to be upgraded.
#[derive(Debug, Clone)]
pub struct Upgrading {
    /// Its id.
    pub id: String,
    /// Its application.
    pub app: String,
    /// What is to become of it.
    pub state: Upgradable,
}

/// What is to become of an instance.
#[derive(Debug, Clone)]
pub enum Upgradable {
    /// It is not installed.
    Absent,
    /// It is at its version already.
    There {
        /// The version.
        is: String,
        /// The newest pinned one of another major version, where there is one.
        beyond: Option<String>,
    },
    /// It goes through versions.
    Through {
        /// The version that is installed.
        is: String,
        /// Those that it goes through, the last one where it ends.
        hops: Vec<String>,
        /// Whether nobody is served meanwhile.
        closed: bool,
    },
    /// It cannot be upgraded.
    Blocked(Diagnostic),
}

/// Reports which instances are on the machine and not listed.
fn unlisted(host: &Host) -> Step {
    let listed: Vec<&str> = host.instances.iter().map(|it| it.id.as_str()).collect();
    Step {
        host: host.host.clone(),
        id: "platform/instances".to_owned(),
        title: "every instance is in the inventory".to_owned(),
        kind: "instances".to_owned(),
        before: None,
        after: None,
        destroys: None,
        audit: Some("always".to_owned()),
        secrets: Vec::new(),
        body: Map::from_iter([("listed".to_owned(), listed.into())]),
    }
}

impl Planner {
    /// A planner that knows these recipes.
    pub fn new(catalogue: Catalogue) -> Self {
        Planner { catalogue, templates: Templates::new() }
    }

    /// The recipes.
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// The server base of a host.
    ///
    /// # Errors
    /// Where a variable is missing or wrong, or a recipe cannot be rendered.
    pub fn server(&self, host: &Host, unused: Unused) -> Result<Plan, Diagnostic> {
        let mut draft = self.draft(host)?;
        server::plan(&mut draft, unused)?;
        Ok(draft.into_plan())
    }

    /// The components that a host's instances need, and those that its variable `platform` names.
    ///
    /// # Errors
    /// As [`Planner::server`].
    pub fn platform(&self, host: &Host, unused: Unused) -> Result<Plan, Diagnostic> {
        let mut draft = self.draft(host)?;
        platform::plan(&mut draft, unused)?;
        Ok(draft.into_plan())
    }

    /// The chosen instances of a host, and the components that they need.
    ///
    /// # Errors
    /// As [`Planner::server`].
    pub fn instances(&self, host: &Host, choice: &Choice) -> Result<Plan, Diagnostic> {
        let chosen: Vec<_> = host.instances.iter().filter(|it| choice.takes(it)).collect();
        if chosen.is_empty() {
            // Of a host without any instance, nothing need be known.
            let unlisted = if host.instances.is_empty() { vec![unlisted(host)] } else { Vec::new() };
            return Ok(Plan { steps: unlisted, parts: Vec::new() });
        }
        let mut draft = self.draft(host)?;
        instance::plan(&mut draft, &chosen)?;
        let mut plan = draft.into_plan();
        plan.steps.push(unlisted(host));
        Ok(plan)
    }

    /// Takes an instance away from a host that does not list it any more, or as `absent`.
    ///
    /// # Errors
    /// Where the host lists it, and as [`Planner::server`].
    pub fn removal(&self, host: &Host, id: &str, data: Data) -> Result<Plan, Diagnostic> {
        if let Some(listed) = instance::wanted(host).find(|it| it.id == id) {
            let text = format!("`{id}` cannot be removed from `{}`: the inventory lists it", host.host);
            let error = Diagnostic::new(text).hint(format!(
                "take it out of `instances` of `{0}`, or give it `state: absent`, and run again; `state: closed` closes its site and keeps everything",
                host.host
            ));
            return Err(crate::values::at(error, instance::keys::place(host, listed, "state")));
        }
        let mut draft = self.draft(host)?;
        instance::remove(&mut draft, id, data)?;
        Ok(draft.into_plan())
    }

    /// The public certificates of the chosen instances of a host, asked for now; nothing else of them.
    ///
    /// # Errors
    /// As [`Planner::server`]; where one of them has no such certificate.
    pub fn renewals(&self, host: &Host, choice: &Choice) -> Result<Plan, Diagnostic> {
        let whole = self.instances(host, choice)?;
        let mut plan = Plan::default();
        for instance in host.instances.iter().filter(|it| choice.takes(it)) {
            let id = &instance.id;
            let mut part = Part {
                owner: id.clone(),
                about: "its certificate, asked for now".to_owned(),
                steps: Vec::new(),
            };
            for step in whole.steps.iter().filter(|step| owner_of(&step.id) == id) {
                let mut step = step.clone();
                match step.id.strip_prefix(&format!("{id}/")) {
                    Some("acme") => {
                        step.id = format!("{id}/renew");
                        step.body.insert("now".to_owned(), true.into());
                    }
                    Some("serve") => {}
                    Some("served") if !part.steps.is_empty() => {}
                    _ => continue,
                }
                part.steps.push(plan.steps.len());
                plan.steps.push(step);
            }
            if part.steps.is_empty() {
                let error = Diagnostic::new(format!(
                    "`{id}` on `{}` has no certificate from a public authority",
                    host.host
                ));
                let error = crate::values::at(error, instance::keys::place(host, instance, "tls"));
                return Err(error.hint("`tls: letsencrypt` of the instance has it get one"));
            }
            plan.parts.push(part);
        }
        Ok(plan)
    }

    /// What is past its time of the chosen instances of a host: old releases, and what killed runs left.
    ///
    /// # Errors
    /// As [`Planner::server`].
    pub fn clean(&self, host: &Host, choice: &Choice) -> Result<Plan, Diagnostic> {
        let chosen: Vec<_> = instance::wanted(host).filter(|it| choice.takes(it)).collect();
        if chosen.is_empty() {
            return Ok(Plan::default());
        }
        let mut draft = self.draft(host)?;
        instance::clean(&mut draft, &chosen)?;
        Ok(draft.into_plan())
    }

    /// Brings the chosen instances of a host, whose facts say which versions are installed, to the versions of the inventory; what is to
    /// be said of each. One that cannot be upgraded holds up no other. `limit` is how many seconds a migration may take.
    pub fn upgrades(&self, host: &Host, choice: &Choice, limit: Option<u64>) -> (Plan, Vec<Upgrading>) {
        let (mut all, mut told) = (Plan::default(), Vec::new());
        // What has no code of its own has no version.
        let has_code = |it: &&Instance| {
            self.catalogue.app(&it.app).is_none_or(|app| app.releases != pq_recipes::Releases::None)
        };
        for instance in instance::wanted(host).filter(|it| choice.takes(it)).filter(has_code) {
            let state = match self.upgrade(host, instance, limit) {
                Ok((plan, state)) => {
                    all.join(plan);
                    state
                }
                Err(error) => Upgradable::Blocked(error),
            };
            told.push(Upgrading { id: instance.id.clone(), app: instance.app.clone(), state });
        }
        all.steps.push(unlisted(host));
        (all, told)
    }

    fn upgrade(
        &self,
        host: &Host,
        instance: &Instance,
        limit: Option<u64>,
    ) -> Result<(Plan, Upgradable), Diagnostic> {
        let is = host.facts.get("instances").and_then(|all| all.get(&instance.id)?.get("version")?.as_str());
        let Some(is) = is.filter(|is| !is.is_empty()) else {
            return Ok((Plan::default(), Upgradable::Absent));
        };
        let going = upgrade::way(&self.draft(host)?, instance, is)?;
        match going.way {
            Way::There { is, beyond } => Ok((Plan::default(), Upgradable::There { is, beyond })),
            Way::Through { is, hops, closed } => {
                let to = going.host.instances.iter().find(|it| it.id == instance.id).unwrap_or(instance);
                let mut draft = self.draft(&going.host)?;
                upgrade::write(&mut draft, to, &is, &hops, limit)?;
                let mut plan = draft.into_plan();
                // Which version is installed is what this plan is about.
                plan.leave_out(&format!("{}/installed", instance.id));
                Ok((plan, Upgradable::Through { is, hops, closed }))
            }
        }
    }

    fn draft<'p>(&'p self, host: &'p Host) -> Result<Draft<'p>, Diagnostic> {
        Draft::new(host, self.os(host)?, &self.catalogue, &self.templates)
    }

    fn os(&self, host: &Host) -> Result<&Os, Diagnostic> {
        let known = || self.catalogue.systems().collect::<Vec<_>>().join(", ");
        let said = || host.facts.get("os").and_then(serde_json::Value::as_str);
        let Some(name) = host.os.as_deref().or_else(said) else {
            let error = Diagnostic::new(format!("the operating system of `{}` is not known", host.host));
            return Err(error.cause("the variable `os` is undefined").hint(format!(
                "set it for the host or one of its groups, as in `os: debian-12`, or have the machine asked, with `pq-inventory --facts`; the recipes know {}",
                known()
            )));
        };
        self.catalogue.os(name).ok_or_else(|| {
            let error = Diagnostic::new(format!(
                "there is no recipe for `{name}`, the operating system of `{}`",
                host.host
            ));
            let error = crate::values::at(error, crate::values::origin(host, &["os"]));
            match nearest(name, self.catalogue.systems()) {
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None => error.hint(format!("the recipes know {}", known())),
            }
        })
    }
}
