//! An application: what is particular to it. The life of its instances is in `pq_plan`.

use std::collections::BTreeMap;

use pq_stream::Diagnostic;
use schemars::JsonSchema;
use serde::Deserialize;

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
    /// From what each instance names by one of its keys `archive`, `git` and `packages`, into a Python environment of its
    /// own; from what is pinned where it names nothing.
    Python,
    /// From nowhere: it has none.
    None,
}

/// What an application stands on.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Needs {
    /// PHP.
    #[serde(default)]
    pub php: Option<PhpNeeds>,
    /// Python.
    #[serde(default)]
    pub python: Option<PythonNeeds>,
    /// A database of its own.
    #[serde(default)]
    pub database: Option<DatabaseNeeds>,
    /// A Redis of its own, for what may be forgotten: locks, caches.
    #[serde(default)]
    pub redis: bool,
}

/// What an application wants of a database. Which engine it is, its key `database` chooses.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DatabaseNeeds {
    /// The engines that will do, the one without a choice first.
    pub engines: Vec<Engine>,
    /// Whether an instance may do without one, as it does where nobody says otherwise.
    #[serde(default)]
    pub optional: bool,
    /// The oldest version of an engine that will do, by its name.
    #[serde(default)]
    pub min: BTreeMap<String, String>,
    /// How text is ordered in MariaDB; without it as the server orders it.
    #[serde(default)]
    pub collation: Option<String>,
}

/// What holds an application's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// MariaDB, or a MySQL that was there.
    Mariadb,
    /// PostgreSQL.
    Postgres,
    /// A file of its own, which the application makes.
    Sqlite,
}

impl Engine {
    /// Its name, as in a recipe.
    pub fn name(self) -> &'static str {
        match self {
            Engine::Mariadb => "mariadb",
            Engine::Postgres => "postgres",
            Engine::Sqlite => "sqlite",
        }
    }

    /// The extension of PHP that speaks with it.
    pub fn php_extension(self) -> &'static str {
        match self {
            Engine::Mariadb => "mysqli",
            Engine::Postgres => "pgsql",
            Engine::Sqlite => "pdo_sqlite",
        }
    }

    /// The component of the platform that serves it, where one does.
    pub fn component(self) -> Option<&'static str> {
        match self {
            Engine::Mariadb | Engine::Postgres => Some(self.name()),
            Engine::Sqlite => None,
        }
    }
}

/// What an application wants of PHP.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PhpNeeds {
    /// The oldest version that will do.
    pub min: String,
    /// The newest, where not all that come will do.
    #[serde(default)]
    pub max: Option<String>,
    /// Extensions.
    #[serde(default)]
    pub extensions: Vec<Node>,
    /// The variable in which an instance names further extensions.
    #[serde(default)]
    pub more: Option<String>,
}

impl PhpNeeds {
    /// The names of its extensions.
    pub fn names(&self) -> Vec<&str> {
        self.extensions.iter().filter_map(Node::text).collect()
    }
}

/// What an application wants of Python.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PythonNeeds {
    /// The oldest version that will do.
    pub min: String,
    /// The file beside the recipe that lists what an environment holds beside what an instance names.
    #[serde(default)]
    pub with: Option<Node>,
}

/// How a site answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WebKind {
    /// Files, and nothing that is run.
    Static,
    /// Files, and PHP in a pool of its own.
    Php,
    /// A process of its own that the web server hands requests to.
    Proxy,
}

/// How an application is reached.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Web {
    /// How the site answers.
    pub kind: WebKind,
    /// The part of the release that is served (`static`, `php`).
    #[serde(default)]
    pub root: Option<Node>,
    /// The page of a directory (`static`, `php`).
    #[serde(default)]
    pub index: Option<String>,
    /// Paths that nobody may fetch.
    #[serde(default)]
    pub deny: Vec<String>,
    /// Where the process listens (`proxy`): `127.0.0.1:8080`.
    #[serde(default)]
    pub upstream: Option<Node>,
    /// Largest body of a request, as nginx writes it.
    #[serde(default)]
    pub max_body: Option<Node>,
    /// Files beside the recipe with what is particular to its site, by the web server for which they are written.
    #[serde(default)]
    pub locations: BTreeMap<String, Node>,
}

/// A path that lives outside the releases.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Keep {
    /// Below the release.
    pub path: String,
    /// What of it the release brings, where that is not all of a directory.
    #[serde(default)]
    pub brings: Brings,
    /// What is taken from each new release again.
    #[serde(default)]
    pub fresh: Vec<String>,
    /// `added`: what the release brings is code and is taken again; what people added stays.
    #[serde(default)]
    pub merge: Option<Merge>,
    /// Whether the web server itself reads files there.
    #[serde(default)]
    pub served: bool,
    /// Whether nothing there is ever run (of what is served): what people upload.
    #[serde(default)]
    pub inert: bool,
}

/// What a release brings of a kept path.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Brings {
    /// A directory, with what is in it.
    #[default]
    Directory,
    /// Nothing: the application makes what is in the directory.
    Nothing,
    /// Nothing: it is a file, which the recipe writes.
    NoFile,
}

/// How a kept path and a new release come together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Merge {
    /// All of the release is taken again, and what was added stays.
    Added,
}

/// The process of an application, as a hardened systemd unit.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Program and arguments.
    pub exec: Vec<Node>,
    /// Whether it tells systemd when it is ready.
    #[serde(default)]
    pub notify: bool,
    /// Whether systemd listens for it, at `paths.socket`, which the web server may speak to.
    #[serde(default)]
    pub socket: bool,
    /// What must run before it.
    #[serde(default)]
    pub after: Vec<Node>,
    /// Further settings of its unit, by name, which come behind those that every unit has.
    #[serde(default)]
    pub settings: BTreeMap<String, Node>,
    /// Files with variables of its environment, which only root need be able to read.
    #[serde(default)]
    pub env_files: Vec<Node>,
    /// Directories that it writes to.
    #[serde(default)]
    pub writes: Vec<Node>,
    /// Its environment.
    #[serde(default)]
    pub env: BTreeMap<String, Node>,
    /// Files that it reads when it starts: when one differs, it is restarted.
    #[serde(default)]
    pub reads: Vec<Node>,
}

/// What an application does from time to time, as the instance's user.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// Its name among the instance's jobs.
    pub id: String,
    /// When, as in crontab(5).
    pub schedule: Node,
    /// Program and arguments.
    pub argv: Vec<Node>,
}

/// What fail2ban looks for, on hosts that have it.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Guarded {
    /// The log in which it looks; one of `logs`.
    pub log: Node,
    /// Patterns of fail2ban for lines in which somebody came with a wrong password, `<HOST>` where the address stands.
    pub failregex: Vec<String>,
    /// How the time of a line is written, where fail2ban does not find it by itself.
    #[serde(default)]
    pub datepattern: Option<String>,
}

/// Where an application's own word of its version stands: in a file of the release, or in what a command says, which runs as
/// the instance once it is installed.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VersionProbe {
    /// A file below the release.
    #[serde(default)]
    pub file: Option<String>,
    /// Program and arguments.
    #[serde(default)]
    pub argv: Vec<Node>,
    /// A pattern, as Perl reads it, whose first group is the version.
    pub r#match: String,
}

/// A page that must be answered.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Health {
    /// Path and query.
    pub http: Node,
    /// The status.
    #[serde(default = "ok")]
    pub status: u16,
    /// A text that the answer holds.
    #[serde(default)]
    pub body: Option<Node>,
}

fn ok() -> u16 {
    200
}

/// What `recipe.yml` of an application says.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Recipe {
    /// Its name, which is that of its directory.
    app: String,
    /// What it is, in one line.
    about: String,
    /// What its recipe reads of its instances and of the host's variables.
    #[serde(default)]
    variables: BTreeMap<String, Variable>,
    /// Where its code comes from.
    #[serde(default)]
    releases: Releases,
    /// Where its packages come from, where they are none of Debian's.
    #[serde(default)]
    apt: Option<Apt>,
    /// Whether a machine can have one instance of it at most.
    #[serde(default)]
    single: bool,
    /// The instances that it works for, by the variable that names them.
    #[serde(default)]
    links: BTreeMap<String, Link>,
    /// What it stands on.
    #[serde(default)]
    needs: Needs,
    /// How it is reached.
    web: Web,
    /// Settings of PHP.
    #[serde(default)]
    php_values: BTreeMap<String, Node>,
    /// Variables of the environment of all that runs of an instance.
    #[serde(default)]
    env: BTreeMap<String, Node>,
    /// What survives a new release.
    #[serde(default)]
    keep: Vec<Keep>,
    /// Steps before the package transaction.
    #[schemars(with = "Vec<crate::schema::Step>")]
    #[serde(default)]
    before_packages: Vec<Node>,
    /// Steps at every run, before the release is switched to.
    #[schemars(with = "Vec<crate::schema::Step>")]
    #[serde(default)]
    configure: Vec<Node>,
    /// Steps once the release is switched to: its own installer, guarded by what it leaves behind.
    #[schemars(with = "Vec<crate::schema::Step>")]
    #[serde(default)]
    install: Vec<Node>,
    /// What it does from time to time.
    #[serde(default)]
    cron: Vec<Job>,
    /// Its own process.
    #[serde(default)]
    service: Option<Service>,
    /// Steps once everything else is in place.
    #[schemars(with = "Vec<crate::schema::Step>")]
    #[serde(default)]
    enable: Vec<Node>,
    /// Its own logs: each is there, and is rotated.
    #[serde(default)]
    logs: Vec<Node>,
    /// Where fail2ban finds who guesses its passwords.
    #[serde(default)]
    fail2ban: Option<Guarded>,
    /// How its code, or the application itself, tells its version.
    #[serde(default)]
    version_probe: Option<VersionProbe>,
    /// What must be answered in the end.
    #[serde(default)]
    health: Vec<Health>,
    /// What is watched beside its page, its process and its certificate.
    #[serde(default)]
    monitor: Option<Node>,
    /// What is backed up beside what is kept, or is left out of that.
    #[serde(default)]
    backup: Option<Node>,
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

    /// What does not fit together.
    fn misfit(&self) -> Option<String> {
        let plain =
            |path: &str| !path.is_empty() && path.split('/').all(|part| !["", ".", ".."].contains(&part));
        let takes = |keep: &&Keep| keep.merge.is_some() || !keep.fresh.is_empty();
        if let Some(keep) = self.keep.iter().find(|keep| keep.brings != Brings::Directory && takes(keep)) {
            return Some(format!(
                "`keep` has `{}`, of which the release brings nothing, with `fresh` or `merge`",
                keep.path
            ));
        }
        if let Some(keep) = self.keep.iter().find(|keep| !plain(&keep.path)) {
            return Some(format!("`keep` has `{}`, which is no path below the release", keep.path));
        }
        if self.needs.database.as_ref().is_some_and(|it| it.engines.is_empty()) {
            return Some("`database` of `needs` names no engine: `engines: [mariadb, postgres]`".to_owned());
        }
        let plain_name = |name: &str| {
            name.starts_with(|c: char| c.is_ascii_uppercase())
                && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
        };
        if let Some(name) = self.env.keys().find(|name| !plain_name(name)) {
            return Some(format!(
                "`env` has the name `{name}`: it is made of capital letters, digits and `_`"
            ));
        }
        let plain = |id: &str| {
            !id.is_empty() && id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        };
        if let Some(job) = self.cron.iter().find(|job| !plain(&job.id)) {
            return Some(format!(
                "`cron` has the id `{}`: it is made of lower case letters, digits and `-`",
                job.id
            ));
        }
        if let Some(guarded) = &self.fail2ban {
            if !self.logs.iter().any(|log| log.text() == guarded.log.text()) {
                return Some("`log` of `fail2ban` is none of `logs`".to_owned());
            }
            let lines = guarded.failregex.iter().chain(&guarded.datepattern);
            if guarded.failregex.is_empty() || lines.clone().any(|line| line.contains('\n')) {
                return Some("`fail2ban` needs patterns of one line each: `failregex: ['^login of \\S+ from <HOST> failed']`".to_owned());
            }
        }
        if let Some(probe) = &self.version_probe {
            if probe.file.is_some() != probe.argv.is_empty() {
                return Some("`version_probe` reads either a `file` or what `argv` says".to_owned());
            }
            if !probe.r#match.contains('(') {
                return Some(
                    "`match` of `version_probe` has no group around the version: `'^(\\S+)'`".to_owned(),
                );
            }
        }
        if self.releases == Releases::None && (self.web.kind != WebKind::Proxy || !self.keep.is_empty()) {
            return Some("without releases there are no files to serve or to keep: `web` is of kind `proxy` then, and `keep` is empty".to_owned());
        }
        if self.releases == Releases::Python && (self.needs.python.is_none() || !self.keep.is_empty()) {
            return Some("with `releases: python`, `needs` has `python`, and `keep` is empty: what survives is in `paths.data`".to_owned());
        }
        let more = self.needs.php.as_ref().and_then(|php| php.more.as_ref());
        if let Some(name) = more.filter(|name| !self.variables.get(*name).is_some_and(|it| it.many)) {
            return Some(format!("`more` of `php` is `{name}`, which `variables` does not have as a list"));
        }
        match self.web.kind {
            WebKind::Static if self.needs.php.is_some() => {
                Some("`web` is of kind `static`, and `needs` has `php`".to_owned())
            }
            WebKind::Static if self.web.upstream.is_some() => {
                Some("`upstream` belongs to `web` of kind `proxy`".to_owned())
            }
            WebKind::Php if self.needs.php.is_none() => {
                Some("`web` is of kind `php`, and `needs` has no `php`".to_owned())
            }
            WebKind::Php if self.web.upstream.is_some() => {
                Some("`upstream` belongs to `web` of kind `proxy`".to_owned())
            }
            WebKind::Proxy if self.web.upstream.is_none() => {
                Some("`web` of kind `proxy` has no `upstream`".to_owned())
            }
            WebKind::Proxy if self.web.root.is_some() || self.web.index.is_some() => {
                Some("`root` and `index` belong to `web` of kind `static` or `php`".to_owned())
            }
            _ => None,
        }
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
