//! How an instance is closed, and how it goes: first nobody is served any more, then what ran stops, then what the ledger has is taken
//! away, and then it is looked whether anything is left.

use pq_recipes::Phase;
use pq_stream::Diagnostic;
use serde_json::{Value, json};

use crate::draft::{Draft, Draught};
use crate::platform;

/// What becomes of an instance's data.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Data {
    /// It stays, and is still known: the same id gets it back.
    #[default]
    Stays,
    /// It goes too.
    Goes,
}

/// What reads files of instances, and is reloaded once they are gone.
const SHARED: [&str; 3] = ["nginx", "apache2", "php"];

/// Where what runs of an instance is told to run: globs of paths.
fn running(id: &str) -> Vec<String> {
    vec![
        format!("/etc/cron.d/pq-{id}-*"),
        format!("/etc/php/*/fpm/pool.d/{id}.conf"),
        format!("/etc/systemd/system/pq-{id}.*"),
        format!("/etc/systemd/system/pq-{id}-*"),
        format!("/etc/fail2ban/jail.d/paquerette-{id}.local"),
        format!("/etc/fail2ban/filter.d/paquerette-{id}.conf"),
    ]
}

/// Where its sites are.
fn sites(id: &str) -> Vec<String> {
    ["nginx", "apache2"].map(|server| format!("/etc/{server}/sites-*/{id}.conf")).to_vec()
}

/// Nothing of it runs any more.
pub(super) fn stop(draft: &mut Draft<'_>, id: &str) -> Result<(), Diagnostic> {
    let fields = json!({ "owner": id, "only": running(id) });
    draft.step(&format!("{id}/stopped"), format!("nothing of {id} runs"), "remove", fields)
}

/// It goes.
pub(crate) fn remove(draft: &mut Draft<'_>, id: &str, data: Data) -> Result<(), Diagnostic> {
    let with_data = data == Data::Goes;
    draft.part(id, if with_data { "removed, with its data" } else { "removed; its data stays" });
    // What the web servers read, so that they need no other reload than the one below.
    let read = vec![format!("/etc/paquerette/tls/{id}/**")];
    let only = [running(id), sites(id), read].concat();
    let fields = json!({ "owner": id, "only": only });
    draft.step(&format!("{id}/stopped"), format!("nothing of {id} runs or is served"), "remove", fields)?;
    // What runs with what was taken away stops: only then is its user nobody's any more.
    reloads(draft, id)?;
    let fields = json!({ "owner": id, "with_data": with_data });
    behind(draft, format!("{id}/removed"), format!("{id}, as the ledger has it"), "remove", fields)?;
    let base = draft.scope.text("base_prod_path").unwrap_or_default().to_owned();
    let fields = json!({ "owner": id, "things": things(id), "paths": paths(id, &base) });
    behind(draft, format!("{id}/left"), format!("nothing else is left of {id}"), "gone", fields)
}

/// A step behind the reload of what is shared.
fn behind(
    draft: &mut Draft<'_>,
    id: String,
    title: String,
    kind: &str,
    fields: Value,
) -> Result<(), Diagnostic> {
    let fields = fields.as_object().cloned().unwrap_or_default();
    let (kind, phase, hardening) = (kind.to_owned(), Phase::AfterFiles, false);
    draft.push(Draught { id, title, kind, phase, hardening, fields }, None)
}

/// The web server and PHP, where they are, go on without it.
fn reloads(draft: &mut Draft<'_>, id: &str) -> Result<(), Diagnostic> {
    let fields = json!({
        "unit": "fail2ban.service",
        "reads": ["/etc/fail2ban/jail.d/*", "/etc/fail2ban/filter.d/*"],
        "test": ["fail2ban-client", "--test"],
        "optional": true,
    });
    behind(draft, format!("{id}/fail2ban"), format!("fail2ban runs without {id}"), "reload", fields)?;
    let mut scratch = Draft::new(draft.host, draft.os, draft.catalogue, draft.renderer.0)?;
    for component in SHARED {
        platform::component(&mut scratch, component)?;
    }
    for component in SHARED {
        let reload = scratch.body(&format!("platform/{component}/reload"));
        let mut fields = reload.cloned().unwrap_or_default();
        fields.insert("optional".to_owned(), true.into());
        let title = format!("{component} runs without {id}");
        behind(draft, format!("{id}/{component}"), title, "reload", fields.into())?;
    }
    Ok(())
}

/// What is known by its name and could be its own.
fn things(id: &str) -> Value {
    let thing = |kind: &str, name: String| json!({ "kind": kind, "name": name });
    json!([
        thing("user", id.to_owned()),
        thing("group", id.to_owned()),
        thing("database", format!("mariadb/{id}")),
        thing("database", format!("postgres/{id}")),
        thing("database_user", format!("mariadb/{id}")),
        thing("database_user", format!("postgres/{id}")),
    ])
}

/// Where something of it could be.
fn paths(id: &str, base: &str) -> Vec<String> {
    let own = [
        format!("{base}/www/{id}"),
        format!("{base}/tmp/{id}"),
        format!("/etc/paquerette/tls/{id}"),
        format!("/etc/paquerette/*.d/{id}.yml"),
        format!("/etc/letsencrypt/*/{id}"),
        format!("/etc/letsencrypt/renewal/{id}.conf"),
        format!("/etc/logrotate.d/pq-{id}"),
        format!("/etc/systemd/system/*.wants/pq-{id}.*"),
        format!("/var/log/*/{id}"),
        format!("/var/lib/apache2/site/*/{id}"),
        format!("/var/spool/cron/crontabs/{id}"),
        format!("/var/mail/{id}"),
    ];
    [running(id), sites(id), own.to_vec()].concat()
}
