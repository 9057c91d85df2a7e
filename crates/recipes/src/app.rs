//! An application: what is particular to it. The life of its instances is in `pq_plan`.

mod misfit;
mod needs;
mod parts;
mod upgrade;
mod written;

use std::collections::BTreeMap;

use pq_stream::Diagnostic;
use schemars::JsonSchema;
use serde::Deserialize;

pub use needs::{DatabaseNeeds, Engine, Needs, PhpNeeds, PythonNeeds};
pub use parts::{Brings, Guarded, Health, Job, Keep, Merge, Service, VersionProbe, Web, WebKind};
pub(crate) use upgrade::Upgrades;
pub use upgrade::{Support, Upgrade};
pub(crate) use written::Recipe;

use crate::code::ARCHIVE;
use crate::{Apt, Kind, Link, Node, Pins, Source, StepTemplate, Variable, yaml};

/// The variable that says what holds an application's data; it is there where the application has a database.
pub const DATABASE: &str = "database";

/// What that variable says where there is none.
pub const NO_DATABASE: &str = "none";

/// An application.
#[derive(Debug, Clone, PartialEq)]
pub struct App {
    /// Its name.
    pub name: String,
    /// Its recipe.
    pub source: Source,
    /// What it is, in one line.
    pub about: String,
    /// What its recipe reads of its instances and of the host's variables.
    pub variables: BTreeMap<String, Variable>,
    /// Where its code comes from.
    pub releases: Releases,
    /// Where its packages come from, where they are none of Debian's.
    pub apt: Option<Apt>,
    /// Whether a machine can have one instance of it at most.
    pub single: bool,
    /// The instances that it works for, by the variable that names them.
    pub links: BTreeMap<String, Link>,
    /// What it stands on.
    pub needs: Needs,
    /// How it is reached.
    pub web: Web,
    /// Settings of PHP.
    pub php_values: BTreeMap<String, Node>,
    /// Variables of the environment of all that runs of an instance: its pool or unit, its jobs, the commands of its recipe.
    pub env: BTreeMap<String, Node>,
    /// What survives a new release.
    pub keep: Vec<Keep>,
    /// Steps before the package transaction.
    pub before_packages: Vec<StepTemplate>,
    /// Steps at every run, before the release is switched to.
    pub configure: Vec<StepTemplate>,
    /// Steps once the release is switched to, before anything is served: its own installer, guarded by what it leaves behind.
    pub install: Vec<StepTemplate>,
    /// What it does from time to time.
    pub cron: Vec<Job>,
    /// Its own process.
    pub service: Option<Service>,
    /// Steps once everything else is in place.
    pub enable: Vec<StepTemplate>,
    /// Its own logs, beside those of the web server: each is there, and is rotated.
    pub logs: Vec<Node>,
    /// Where fail2ban finds who guesses its passwords.
    pub fail2ban: Option<Guarded>,
    /// How its code, or the application itself, tells its version.
    pub version_probe: Option<VersionProbe>,
    /// What must be answered in the end.
    pub health: Vec<Health>,
    /// What is watched beside its page, its process and its certificate.
    pub monitor: Option<Node>,
    /// What is backed up beside what is kept, or is left out of that.
    pub backup: Option<Node>,
    /// How it comes from one version to the next.
    pub upgrade: Upgrade,
    /// Its versions.
    pub pins: Pins,
}

/// Where an application's code comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Releases {
    /// From what is pinned beside the recipe.
    #[default]
    Pinned,
    /// From the archive that each instance names by its key `archive`.
    Own,
    /// From what each instance names by one of its keys `archive`, `git`, `packages` and `directory`, into a Python environment of
    /// its own; from what is pinned where it names nothing.
    Python,
    /// From nowhere: it has none.
    None,
}

impl App {
    /// Reads an application's recipe.
    ///
    /// # Errors
    /// Where the file is none, or does not fit together.
    pub fn read(name: &str, source: &Source, pins: Pins) -> Result<Self, Diagnostic> {
        let mut recipe: Recipe = yaml::read(source)?;
        if let Some(needs) = &recipe.needs.database {
            let none = needs.optional.then_some(NO_DATABASE);
            let engines = none.into_iter().chain(needs.engines.iter().map(|engine| engine.name()));
            let database = Variable::choice(
                engines.map(str::to_owned).collect(),
                "What holds its data; it stays what it is once the instance is installed",
            );
            recipe.variables.entry(DATABASE.to_owned()).or_insert(database);
        }
        if recipe.releases == Releases::Own {
            let about = "Its code: where the archive is, of which version, with which digest";
            recipe.variables.entry(ARCHIVE.to_owned()).or_insert(Variable::required(Kind::Archive, about));
        }
        if recipe.releases == Releases::Python {
            for (key, variable) in crate::code::variables() {
                recipe.variables.entry(key.to_owned()).or_insert(variable);
            }
        }
        for (key, link) in &recipe.links {
            recipe.variables.entry(key.clone()).or_insert(Variable {
                many: true,
                distinct: true,
                default: Some(Node { mark: Default::default(), data: crate::Data::List(Vec::new()) }),
                ..Variable::required(Kind::Instance, &link.about)
            });
        }
        let app = App {
            name: name.to_owned(),
            about: recipe.about,
            variables: recipe.variables,
            releases: recipe.releases,
            apt: recipe.apt,
            single: recipe.single,
            links: recipe.links,
            needs: recipe.needs,
            web: recipe.web,
            php_values: recipe.php_values,
            env: recipe.env,
            keep: recipe.keep,
            before_packages: StepTemplate::all(source, &recipe.before_packages)?,
            configure: StepTemplate::all(source, &recipe.configure)?,
            install: StepTemplate::all(source, &recipe.install)?,
            cron: recipe.cron,
            service: recipe.service,
            enable: StepTemplate::all(source, &recipe.enable)?,
            logs: recipe.logs,
            fail2ban: recipe.fail2ban,
            version_probe: recipe.version_probe,
            health: recipe.health,
            monitor: recipe.monitor,
            backup: recipe.backup,
            upgrade: Upgrade::read(source, recipe.upgrade)?,
            pins,
            source: source.clone(),
        };
        match (recipe.app == name, app.misfit()) {
            (false, _) => {
                Err(Diagnostic::new(format!("`app` is `{}` in the directory `{name}`", recipe.app)))
            }
            (true, Some(text)) => Err(Diagnostic::new(text)),
            (true, None) => return Ok(app),
        }
        .map_err(|error| error.at(source.place(crate::Mark::default())))
    }

    /// The components that it stands on with this engine; what answers to the world, this web server, last.
    pub fn components<'a>(&self, engine: Option<Engine>, web_server: &'a str) -> Vec<&'a str> {
        let php = self.needs.php.is_some().then_some("php");
        let python = self.needs.python.is_some().then_some("python");
        let database = engine.and_then(Engine::component);
        let redis = self.needs.redis.then_some("redis");
        [database, redis, php, python, Some(web_server)].into_iter().flatten().collect()
    }

    /// The engine of that name, where it will do.
    pub fn engine(&self, name: &str) -> Option<Engine> {
        self.needs.database.as_ref()?.engines.iter().copied().find(|engine| engine.name() == name)
    }
}
