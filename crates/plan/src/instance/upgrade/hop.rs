//! One hop, as a transaction. Where data is migrated: nobody is served, nothing runs, data is saved, the new release takes over, migrates, starts,
//! is well for this machine alone, and only then answers for everybody. Where nothing is migrated, the new release takes over while people
//! are served.
//!
//! Always true here: as long as it can be undone, nobody writes to what would be undone.

use pq_recipes::Phase;
use pq_stream::{Diagnostic, Step, holds_token};
use serde_json::{Value, json};

use super::{drawn, migrates, renamed, saved};
use crate::draft::{Draft, Draught};
use crate::instance::life::Life;
use crate::instance::{probe, process, release, site};
use crate::platform;

/// How long saving, or bringing back, may take: six hours.
const SAVING: u64 = 6 * 3600;

/// How long what runs of an instance may take to end.
const RESTING: u64 = 120;

/// One hop.
pub(super) struct Hop<'l, 'p> {
    from: &'l Life<'p>,
    to: &'l Life<'p>,
    /// How long a migration may take, where the operator says so.
    limit: Option<u64>,
    members: Vec<String>,
}

impl<'l, 'p> Hop<'l, 'p> {
    pub fn new(from: &'l Life<'p>, to: &'l Life<'p>, limit: Option<u64>) -> Self {
        Hop { from, to, limit, members: Vec::new() }
    }

    /// Writes its steps, and the transaction that does them.
    pub fn write(mut self, draft: &mut Draft<'_>) -> Result<(), Diagnostic> {
        let (from, to) = (self.from, self.to);
        let closed = migrates(to);
        let told = saved::told(draft, from)?;
        self.mark(draft, "began")?;
        if closed {
            self.closes(draft)?;
            self.member(
                draft,
                "save",
                format!("data of {} is saved", to.id()),
                "command",
                saved::helper("save", &told, SAVING),
            )?;
            self.mark(draft, "migrating")?;
            self.recipe(draft, &to.app.upgrade.before)?;
        }
        self.takes(draft, drawn(draft, to, |draft| release::kept(draft, to))?)?;
        self.recipe(draft, &to.app.configure)?;
        self.takes(draft, drawn(draft, to, |draft| release::switch(draft, to))?)?;
        self.recipe(draft, &to.app.upgrade.each)?;
        // What has no migration of its own migrates where it starts.
        let by_start = to.app.upgrade.each.is_empty();
        if closed && !by_start {
            self.sane(draft, &told)?;
        }
        self.takes(draft, drawn(draft, to, |draft| probe::installed(draft, to))?)?;
        self.runs(draft)?;
        if closed && by_start {
            self.sane(draft, &told)?;
        }
        if closed {
            if let Some(socket) = self.door(draft) {
                let fields = saved::helper("open", &json!({ "socket": socket }), RESTING);
                self.member(
                    draft,
                    "php-opens",
                    format!("PHP of {} takes requests", to.id()),
                    "command",
                    fields,
                )?;
            }
            self.answers(draft, "inside", drawn(draft, to, |draft| site::inside(draft, to))?)?;
        }
        self.takes(draft, drawn(draft, to, |draft| site::health(draft, to))?)?;
        self.transaction(draft, closed, &told)
    }

    /// Its tables have what they had.
    fn sane(&mut self, draft: &mut Draft<'_>, told: &Value) -> Result<(), Diagnostic> {
        let to = self.to;
        if to.engine.is_none() {
            return Ok(());
        }
        let fields = saved::helper("sane", told, RESTING);
        self.member(draft, "sane", format!("no table of {} has lost its rows", to.id()), "command", fields)
    }

    /// Nobody is served, and nothing of it runs.
    fn closes(&mut self, draft: &mut Draft<'_>) -> Result<(), Diagnostic> {
        let to = self.to;
        for job in &to.app.cron {
            let fields = json!({ "path": format!("/etc/cron.d/pq-{}-{}", to.id(), job.id) });
            self.member(
                draft,
                &format!("no-{}", job.id),
                format!("cron does not run {} of {}", job.id, to.id()),
                "absent",
                fields,
            )?;
        }
        let site = drawn(draft, to, |draft| {
            site::closed(draft, to)?;
            site::says_closed(draft, to)
        })?;
        self.answers(draft, "closed", site)?;
        for (name, fields) in self.stopped() {
            self.member(draft, name, format!("nothing of {} runs", to.id()), "service", fields)?;
        }
        self.mark(draft, "closed")?;
        let mut whose = json!({ "user": to.id(), "since": saved::mark(to, "closed") });
        if let Some(socket) = self.door(draft) {
            whose["socket"] = socket.into();
        }
        let fields = saved::helper("rest", &whose, RESTING);
        self.member(draft, "rest", format!("what {} had begun is over", to.id()), "command", fields)
    }

    /// Through which its PHP is asked, where it is made of PHP.
    fn door(&self, draft: &Draft<'_>) -> Option<String> {
        let php = self.to.app.web.kind == pq_recipes::WebKind::Php;
        php.then(|| process::socket(draft, self.to))
    }

    /// Its units, which do not run, nor start at boot: that would run old code on new data where this is not finished then.
    fn stopped(&self) -> Vec<(&'static str, Value)> {
        let Some(service) = &self.to.app.service else { return Vec::new() };
        let rests = |unit: String| json!({ "unit": unit, "running": false, "enabled": false });
        let socket = service.socket.then(|| ("no-socket", rests(format!("pq-{}.socket", self.to.id()))));
        socket.into_iter().chain([("no-service", rests(process::unit(self.to)))]).collect()
    }

    /// A file whose time says since when something is so.
    fn mark(&mut self, draft: &mut Draft<'_>, name: &str) -> Result<(), Diagnostic> {
        let content = format!("{} → {}\n", self.from.version, self.to.version);
        let fields = json!({ "path": saved::mark(self.to, name), "content": content, "mode": "0600" });
        self.member(draft, &format!("mark-{name}"), format!("{}: {name}", self.to.id()), "file", fields)
    }

    /// Its site is this one now, and gives this answer.
    fn answers(&mut self, draft: &mut Draft<'_>, how: &str, steps: Vec<Step>) -> Result<(), Diagnostic> {
        let to = self.to;
        for step in steps.iter().filter(|step| step.id == to.step("site")) {
            self.member(
                draft,
                how,
                format!("{}, {how}", step.title),
                "file",
                Value::Object(step.body.clone()),
            )?;
        }
        let fields = reload(draft, draft.web_server().0)?;
        self.member(draft, &format!("web-{how}"), "the web server has read that", "reload", fields)?;
        for step in steps.into_iter().filter(|step| step.kind == "http") {
            self.member(draft, &format!("is-{how}"), step.title, &step.kind, Value::Object(step.body))?;
        }
        Ok(())
    }

    /// What runs it: its pool or its unit, of the new version.
    fn runs(&mut self, draft: &mut Draft<'_>) -> Result<(), Diagnostic> {
        let to = self.to;
        let steps = drawn(draft, to, |draft| {
            process::php(draft, to)?;
            process::service(draft, to)
        })?;
        let pool = steps.iter().any(|step| step.id == to.step("pool"));
        self.takes(draft, steps)?;
        if pool {
            let fields = reload(draft, "php")?;
            self.member(draft, "php", "PHP has read its pool", "reload", fields)?;
        }
        Ok(())
    }

    /// The transaction, with what undoes it and what finishes it.
    fn transaction(self, draft: &mut Draft<'_>, closed: bool, told: &Value) -> Result<(), Diagnostic> {
        let (from, to) = (self.from, self.to);
        let hop = |name: &str| to.step(&format!("{}-{name}", to.version));
        let mut data = Vec::new();
        if closed {
            for (name, fields) in self.stopped() {
                data.push(back(&hop(&format!("back-{name}")), "service", fields));
            }
            if let Some(engine) = from.engine.and_then(pq_recipes::Engine::component) {
                let unit = match engine {
                    "mariadb" => &draft.os.mariadb.unit,
                    _ => &draft.os.postgres.unit,
                };
                data.push(back(&hop("back-server"), "service", json!({ "unit": unit })));
            }
            data.push(back(
                &hop("back-rest"),
                "command",
                saved::helper("rest", &json!({ "user": to.id() }), RESTING),
            ));
            data.push(back(&hop("back-data"), "command", saved::helper("restore", told, SAVING)));
        }
        let mut rollback = Vec::new();
        if !closed {
            let kept = drawn(draft, from, |draft| release::kept(draft, from))?;
            rollback.extend(
                kept.into_iter().filter(|step| step.kind == "copy").map(|step| described(&hop, step)),
            );
        }
        let runs = drawn(draft, from, |draft| process::service(draft, from))?;
        rollback
            .extend(runs.into_iter().filter(|step| step.kind != "unit").map(|step| described(&hop, step)));
        if from.app.web.kind == pq_recipes::WebKind::Php {
            rollback.push(back(&hop("back-php"), "reload", reload(draft, "php")?));
        }
        if let Some(socket) = self.door(draft).filter(|_| closed) {
            let fields = saved::helper("open", &json!({ "socket": socket }), RESTING);
            rollback.push(back(&hop("back-door"), "command", fields));
        }
        rollback.push(back(&hop("back-web"), "reload", reload(draft, draft.web_server().0)?));
        let pages = drawn(draft, from, |draft| site::health(draft, from))?;
        rollback.extend(pages.into_iter().map(|step| described(&hop, step)));
        let mut finish = Vec::new();
        if closed {
            let open = drawn(draft, to, |draft| {
                site::site(draft, to)?;
                process::jobs(draft, to)
            })?;
            let wanted = |step: &Step| step.id == to.step("site") || step.kind == "cron";
            let plain = |step: &Step| !holds_token(&Value::Object(step.body.clone()).to_string());
            let open = open.into_iter().filter(|step| wanted(step) && plain(step));
            finish.extend(open.map(|step| {
                json_of(&hop(&format!("open-{}", name_of(&step))), &step.title, &step.kind, step.body.into())
            }));
            finish.push(json_of(
                &hop("open-web"),
                "the web server has read that",
                "reload",
                reload(draft, draft.web_server().0)?,
            ));
        }
        for name in if closed { &["migrating", "closed", "began"][..] } else { &["began"] } {
            let fields = json!({ "path": saved::mark(to, name) });
            finish.push(json_of(&hop(&format!("unmark-{name}")), "no mark is left", "absent", fields));
        }
        let with = if closed { ", with its data of before" } else { "" };
        let kept = if closed {
            format!("; what was saved, and what failed, is in `{}`", saved::directory(to))
        } else {
            String::new()
        };
        let fields = json!({
            "steps": self.members, "data": data, "rollback": rollback, "finish": finish, "resumes": false,
            "maintenance": self.limit.map_or(180, |limit| limit / 60 + 60).min(24 * 60),
            "undone": format!("`{}` is {} {} again{with}{kept}", to.id(), to.app.name, from.version),
        });
        let title = format!("{}: {} {} → {}", to.id(), to.app.name, from.version, to.version);
        draft.step(&hop("upgrade"), title, "transaction", fields)
    }

    /// Steps of a recipe, as members.
    fn recipe(
        &mut self,
        draft: &mut Draft<'_>,
        steps: &[pq_recipes::StepTemplate],
    ) -> Result<(), Diagnostic> {
        let to = self.to;
        let scope = to.scope.with("upgrade", json!({ "from": self.from.version, "to": to.version }));
        let mut written = drawn(draft, to, |draft| draft.recipe(&to.recipe(None), steps, &scope))?;
        // Packages go before everything, as the steps of the instance at its last version have them.
        written.retain(|step| step.before.is_none() && step.after.is_none() && step.kind != "package");
        if let Some(limit) = self.limit {
            for step in written.iter_mut().filter(|step| step.kind == "command") {
                step.body.insert("timeout".to_owned(), limit.into());
            }
        }
        self.takes(draft, written)
    }

    /// Steps of the instance at its new version, as members.
    fn takes(&mut self, draft: &mut Draft<'_>, steps: Vec<Step>) -> Result<(), Diagnostic> {
        for step in steps {
            let id = renamed(self.to, &step.id);
            self.push(draft, id, step.title, &step.kind, Value::Object(step.body))?;
        }
        Ok(())
    }

    fn member(
        &mut self,
        draft: &mut Draft<'_>,
        name: &str,
        title: impl Into<String>,
        kind: &str,
        fields: Value,
    ) -> Result<(), Diagnostic> {
        let id = self.to.step(&format!("{}-{name}", self.to.version));
        self.push(draft, id, title.into(), kind, fields)
    }

    fn push(
        &mut self,
        draft: &mut Draft<'_>,
        id: String,
        title: String,
        kind: &str,
        fields: Value,
    ) -> Result<(), Diagnostic> {
        let fields = fields.as_object().cloned().unwrap_or_default();
        self.members.push(id.clone());
        draft.push(
            Draught { id, title, kind: kind.to_owned(), phase: Phase::InOrder, hardening: false, fields },
            None,
        )
    }
}

/// What has a component read its files again.
fn reload(draft: &Draft<'_>, component: &str) -> Result<Value, Diagnostic> {
    let mut scratch = Draft::new(draft.host, draft.os, draft.catalogue, draft.renderer.0)?;
    platform::component(&mut scratch, component)?;
    let fields = scratch.body(&format!("platform/{component}/reload")).cloned().unwrap_or_default();
    Ok(fields.into())
}

/// The last part of a step's id.
fn name_of(step: &Step) -> &str {
    step.id.rsplit('/').next().unwrap_or_default()
}

/// A step of the instance as it was, which undoes something.
fn described(hop: &dyn Fn(&str) -> String, step: Step) -> Value {
    json_of(&hop(&format!("back-{}", name_of(&step))), &step.title, &step.kind, step.body.into())
}

fn back(id: &str, kind: &str, fields: Value) -> Value {
    json_of(id, "as it was before", kind, fields)
}

fn json_of(id: &str, title: &str, kind: &str, mut fields: Value) -> Value {
    fields["id"] = id.into();
    fields["title"] = title.into();
    fields["do"] = kind.into();
    fields
}
