//! What is known of one instance before its steps are written: its version, its paths, what its templates see.

use pq_recipes::{ARCHIVE, App, Engine, Os, Phase, Pin, Releases, Variable, compare};
use pq_stream::{Diagnostic, Host, Instance, valid_instance_id};
use serde_json::{Map, Value, json};

use super::state::State;
use super::{keys, links, source};
use crate::draft::Draft;
use crate::platform;
use crate::recipe::Recipe;
use crate::scope::Scope;
use crate::values::at;

/// One instance.
pub(crate) struct Life<'p> {
    /// Its host.
    pub host: &'p Host,
    /// As the inventory has it.
    pub instance: &'p Instance,
    /// Its application.
    pub app: &'p App,
    /// Whether it is served.
    pub state: State,
    /// Its version.
    pub version: String,
    /// Where that version comes from; nothing where it has no code.
    pub pin: Option<Pin>,
    /// Where the files of its recipe lie.
    pub directory: String,
    /// Its paths.
    pub paths: Paths,
    /// What holds its data, where it has a database.
    pub engine: Option<Engine>,
    /// What its templates see.
    pub scope: Scope,
    /// The environment of all that runs of it.
    pub env: Map<String, Value>,
}

/// Where an instance lives.
pub(crate) struct Paths {
    /// `…/www/<id>`
    pub home: String,
    /// `…/www/<id>/releases/<version>`: its code.
    pub release: String,
    /// `…/www/<id>/current`: the link to the release that is served.
    pub current: String,
    /// `…/www/<id>/kept`: what survives a new release.
    pub kept: String,
    /// `…/www/<id>/data`
    pub data: String,
    /// `…/tmp/<id>`
    pub tmp: String,
    /// `/etc/paquerette/tls/<id>`
    pub tls: String,
}

/// Where the authority is that signs what is selfsigned.
pub(crate) const AUTHORITY: &str = "/etc/paquerette/ca";

/// The commands of pq-instance, which could not be told from an id.
const COMMANDS: [&str; 8] = ["catalogue", "clean", "lint", "outdated", "pin", "remove", "renew", "show"];

impl<'p> Life<'p> {
    /// Reads an instance.
    ///
    /// # Errors
    /// Where a key is missing, wrong or not known, or nothing is pinned for its version.
    pub fn read(draft: &Draft<'p>, instance: &'p Instance) -> Result<Self, Diagnostic> {
        Life::of(draft, instance, true)
    }

    /// Reads one that is only there beside those that are planned: where its code comes from is not asked, so that a version that is not
    /// pinned, or does not suit the machine, holds up no other.
    ///
    /// # Errors
    /// Where a key is missing, wrong or not known.
    pub fn beside(draft: &Draft<'p>, instance: &'p Instance) -> Result<Self, Diagnostic> {
        Life::of(draft, instance, false)
    }

    fn of(draft: &Draft<'p>, instance: &'p Instance, chosen: bool) -> Result<Self, Diagnostic> {
        let host = draft.host;
        let app = platform::app(draft, instance)?;
        let error = |text: String, key: &str| at(Diagnostic::new(text), keys::place(host, instance, key));
        valid_instance_id(&instance.id).map_err(|cause| error(cause.to_string(), "id"))?;
        if draft.os.reserved.contains(&instance.id) {
            let text = format!("`{}` on `{}` cannot be the id of an instance", instance.id, host.host);
            return Err(error(text, "id")
                .cause("the system, or paquerette itself, has something of that name")
                .hint("choose another id"));
        }
        if COMMANDS.contains(&instance.id.as_str()) {
            let text = format!("`{}` on `{}` cannot be the id of an instance", instance.id, host.host);
            let error = error(text, "id").cause("`pq-instance` or `pq-upgrade` has a command of that name");
            return Err(error.hint("choose another id"));
        }
        let mut scope = draft.scope.clone();
        let mut it: Map<String, Value> = instance.keys.clone();
        it.insert("id".to_owned(), instance.id.clone().into());
        it.insert("app".to_owned(), instance.app.clone().into());
        it.insert("user".to_owned(), instance.id.clone().into());
        scope.set("instance", it.clone());
        let values = keys::read(draft, instance, app, &mut scope)?;
        let text = |name: &str| values.get(name).and_then(Value::as_str);

        let state = State::of(host, instance, text("state"))?;
        let (version, pin) = match versioned(draft, instance, app, &values) {
            Err(_) if !chosen => (text("version").unwrap_or_default().to_owned(), None),
            found => found?,
        };
        it.insert("version".to_owned(), version.clone().into());
        it.insert("source".to_owned(), source::name(pin.as_ref()).into());
        for name in ["domain", "aliases"] {
            if let Some(value) = values.get(name) {
                it.insert(name.to_owned(), value.clone());
            }
        }
        let paths = Paths::new(text("base_prod_path").unwrap_or_default(), &instance.id, &version);
        let kept: Map<String, Value> = app
            .keep
            .iter()
            .map(|keep| (keep.path.clone(), Value::from(format!("{}/{}", paths.kept, keep.path))))
            .collect();
        let engine = keys::engine(draft, instance, app)?;
        if app.needs.database.is_some() {
            scope.set("database", super::data::told(draft, &instance.id, engine));
        }
        if app.needs.redis {
            scope.set("redis", json!({ "socket": super::redis::socket(&instance.id) }));
        }
        scope.set("instance", it);
        let mut told = paths.to_json();
        told["python"] = format!("{}/python", source::programs(&paths.current, pin.as_ref())).into();
        told["socket"] = format!("/run/pq-{}.sock", instance.id).into();
        scope.set("paths", told);
        scope.set("kept", kept);
        scope.derive(text("secret_scope").unwrap_or(&instance.id));
        links::set(draft, instance, app, &values, &mut scope)?;
        scope.set("vars", values);
        let mut env = Map::new();
        for (name, node) in &app.env {
            env.insert(name.clone(), draft.renderer.text(&app.source, node, &scope)?.into());
        }
        let directory = format!("apps/{}", app.name);
        Ok(Life { host, instance, app, state, version, pin, directory, paths, engine, scope, env })
    }

    /// Whether it says itself where its code comes from.
    pub fn is_named(&self) -> bool {
        source::key(self).is_some()
    }

    /// The same at another version.
    ///
    /// # Errors
    /// Where that one is not pinned for the host's processor.
    pub fn as_of(&self, draft: &Draft<'_>, version: &str) -> Result<Self, Diagnostic> {
        let mut scope = self.scope.clone();
        for (name, key, value) in [
            ("instance", "version", version.to_owned()),
            ("paths", "release", format!("{}/releases/{version}", self.paths.home)),
        ] {
            let mut seen = scope.get(name).cloned().unwrap_or_default();
            seen[key] = value.into();
            scope.set(name, seen);
        }
        // One that is not pinned any more is only gone from.
        let pin = self.app.pins.get(version).cloned().or_else(|| self.pin.clone());
        let (version, pin) = of_architecture(draft, version.to_owned(), pin).map_err(|text| {
            Diagnostic::new(format!("`{}` on `{}` cannot be planned: {text}", self.id(), self.host.host))
        })?;
        let base = self.scope.text("base_prod_path").unwrap_or_default();
        Ok(Life {
            host: self.host,
            instance: self.instance,
            app: self.app,
            state: self.state,
            paths: Paths::new(base, self.id(), &version),
            version,
            pin,
            directory: self.directory.clone(),
            engine: self.engine,
            scope,
            env: self.env.clone(),
        })
    }

    /// Its id, which is also its user and what its steps' ids begin with.
    pub fn id(&self) -> &'p str {
        &self.instance.id
    }

    /// The recipe of its application, for the steps of one of its moments.
    pub fn recipe(&self, phase: Option<Phase>) -> Recipe<'_> {
        let (owner, source) = (&self.instance.id, &self.app.source);
        Recipe { owner, source, directory: &self.directory, phase, hardening: false, env: Some(&self.env) }
    }

    /// The id of one of its steps.
    pub fn step(&self, name: &str) -> String {
        format!("{}/{name}", self.instance.id)
    }

    /// Where its certificate comes from.
    pub fn tls(&self) -> &str {
        self.scope.text("tls").unwrap_or(keys::PUBLIC)
    }

    /// How its web server is spoken to.
    pub fn scheme(&self) -> &'static str {
        if self.tls() == "none" { "http" } else { "https" }
    }

    /// The name under which it is reached.
    ///
    /// # Errors
    /// Where it has none.
    pub fn domain(&self) -> Result<&str, Diagnostic> {
        self.scope.text("domain").ok_or_else(|| {
            let text = format!("`{}` on `{}` has no `domain`", self.instance.id, self.host.host);
            at(Diagnostic::new(text), keys::place(self.host, self.instance, "app"))
                .hint("set it beside its `app` and `id`, as in `domain: wiki.example.org`")
        })
    }

    /// Every name under which it is reached.
    ///
    /// # Errors
    /// Where it has no domain.
    pub fn names(&self) -> Result<Vec<String>, Diagnostic> {
        let mut names = vec![self.domain()?.to_owned()];
        let aliases = self.scope.var("aliases").and_then(Value::as_array);
        for alias in aliases.into_iter().flatten().filter_map(Value::as_str) {
            if !names.iter().any(|name| name == alias) {
                names.push(alias.to_owned());
            }
        }
        Ok(names)
    }

    /// An address on the site's own mirror, where there is one.
    pub fn mirrored(&self, url: &str) -> String {
        match (self.mirror(), url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))) {
            (Some(mirror), Some(rest)) => format!("{mirror}/{rest}"),
            _ => url.to_owned(),
        }
    }

    /// The site's own mirror of sources.
    pub fn mirror(&self) -> Option<&str> {
        self.scope.text("source_mirror").map(|mirror| mirror.trim_end_matches('/'))
    }
}

impl Paths {
    fn new(base: &str, id: &str, version: &str) -> Self {
        let home = format!("{base}/www/{id}");
        Paths {
            release: format!("{home}/releases/{version}"),
            current: format!("{home}/current"),
            kept: format!("{home}/kept"),
            data: format!("{home}/data"),
            tmp: format!("{base}/tmp/{id}"),
            tls: format!("/etc/paquerette/tls/{id}"),
            home,
        }
    }

    fn to_json(&self) -> Value {
        json!({
            "home": self.home,
            "release": self.release,
            "current": self.current,
            "kept": self.kept,
            "data": self.data,
            "tmp": self.tmp,
        })
    }
}

/// The version of an instance's own archive.
fn own(values: &Map<String, Value>) -> Option<(String, Option<Pin>)> {
    let archive = values.get(ARCHIVE)?;
    source::archive(archive).map(|(version, pin)| (version, Some(pin)))
}

/// The pinned version that an instance means.
fn pinned(
    draft: &Draft<'_>,
    instance: &Instance,
    app: &App,
    wanted: Option<&str>,
) -> Result<(String, Option<Pin>), Diagnostic> {
    if let Some((version, pin)) = app.pins.newest(wanted) {
        return Ok((version.to_owned(), Some(pin.clone())));
    }
    let asked = wanted.map_or_else(String::new, |wanted| format!(" `{wanted}`"));
    let error = Diagnostic::new(format!(
        "no version{asked} of `{}` is pinned, for `{}` on `{}`",
        app.name, instance.id, draft.host.host
    ));
    let error = at(error, keys::place(draft.host, instance, "version"));
    let pinned = match app.pins.versions() {
        versions if versions.is_empty() => "no version is".to_owned(),
        versions => format!("pinned are {}", versions.join(", ")),
    };
    Err(error.hint(format!(
        "{pinned}; add one with its digest to recipes/apps/{}/pins.yml of the inventory",
        app.name
    )))
}

/// The version that is asked for, and where it comes from.
fn versioned(
    draft: &Draft<'_>,
    instance: &Instance,
    app: &App,
    values: &Map<String, Value>,
) -> Result<(String, Option<Pin>), Diagnostic> {
    let host = draft.host;
    let error = |text: String, key: &str| at(Diagnostic::new(text), keys::place(host, instance, key));
    let wanted = values.get("version").and_then(Value::as_str);
    let (version, pin) = match app.releases {
        Releases::Pinned => pinned(draft, instance, app, wanted)?,
        Releases::Own => own(values).ok_or_else(|| {
            let wants = app.variables.get(ARCHIVE).map(Variable::words).unwrap_or_default();
            error(format!("`{}` on `{}` has no `{ARCHIVE}`", instance.id, host.host), "app")
                .cause(format!("`{}` serves what the instance names", app.name))
                .hint(format!("set `{ARCHIVE}` of the instance: {wants}"))
        })?,
        Releases::Python => match source::of(values).map_err(|(key, other)| {
            let text = format!("`{}` on `{}` has both `{key}` and `{other}`", instance.id, host.host);
            error(text, other).cause("each says where its code comes from").hint("leave one of them out")
        })? {
            Some((version, pin)) => (version, Some(pin)),
            None => pinned(draft, instance, app, wanted)?,
        },
        Releases::None => ("none".to_owned(), None),
    };
    let (version, pin) = of_architecture(draft, version, pin).map_err(|text| {
        let text = format!("`{}` on `{}` cannot be planned: {text}", instance.id, host.host);
        error(text, "version").hint(format!("add it to recipes/apps/{}/pins.yml of the inventory", app.name))
    })?;
    compatible(draft.os, app, pin.as_ref()).map_err(|text| {
        let fits = app.pins.versions().into_iter();
        let fits: Vec<&str> = fits.filter(|it| compatible(draft.os, app, app.pins.get(it)).is_ok()).collect();
        let error = error(text, "version");
        match fits.is_empty() {
            true => error,
            false => error.hint(format!("what it has will do for {}", fits.join(", "))),
        }
    })?;
    Ok((version, pin))
}

/// What is pinned for the host's processor.
fn of_architecture(
    draft: &Draft<'_>,
    version: String,
    pin: Option<Pin>,
) -> Result<(String, Option<Pin>), String> {
    let architecture = draft.scope.text("architecture").unwrap_or("amd64");
    match pin.map(|pin| pin.on(architecture)) {
        Some(None) => Err(format!("version `{version}` is not pinned for {architecture}")),
        Some(Some(pin)) => Ok((version, Some(pin))),
        None => Ok((version, None)),
    }
}

/// Whether the operating system brings what this version of the application stands on.
pub(crate) fn compatible(os: &Os, app: &App, pin: Option<&Pin>) -> Result<(), String> {
    let of_pin = pin.and_then(|pin| pin.php.as_ref()).map(|php| (&php.min, php.max.as_ref()));
    let php = app.needs.php.as_ref().map(|php| of_pin.unwrap_or((&php.min, php.max.as_ref())));
    let php = php.map(|(min, max)| ("PHP", min, max, &os.php.version));
    let python = app.needs.python.as_ref().map(|python| ("Python", &python.min, None, &os.python.version));
    let database = app.needs.database.as_ref().and_then(|needs| {
        // where there is a choice, another engine will do
        let [engine] = needs.engines[..] else { return None };
        let has = match engine {
            Engine::Mariadb => ("MariaDB", &os.mariadb.version),
            Engine::Postgres => ("PostgreSQL", &os.postgres.version),
            Engine::Sqlite => return None,
        };
        needs.min.get(engine.name()).map(|min| (has.0, min, None, has.1))
    });
    for (what, min, max, has) in [php, python, database].into_iter().flatten() {
        if compare(has, min).is_lt() {
            return Err(format!("`{}` needs {what} {min}, and `{}` has {has}", app.name, os.os));
        }
        if let Some(max) = max.filter(|max| compare(has, max).is_gt()) {
            return Err(format!("`{}` runs on {what} {max} at most, and `{}` has {has}", app.name, os.os));
        }
    }
    Ok(())
}
