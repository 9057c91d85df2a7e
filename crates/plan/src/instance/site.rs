//! How an instance is reached: its site, and whether it answers.

use pq_recipes::{Phase, WebKind};
use pq_stream::Diagnostic;
use serde_json::{Map, Value, json};

use super::life::Life;
use super::{process, tls};
use crate::draft::{Draft, Draught};

/// Its site.
pub(super) fn site(draft: &mut Draft<'_>, life: &Life<'_>) -> Result<(), Diagnostic> {
    whole(draft, life, false)
}

/// The same, which answers this machine alone: others are told that it is closed.
pub(super) fn inside(draft: &mut Draft<'_>, life: &Life<'_>) -> Result<(), Diagnostic> {
    whole(draft, life, true)
}

fn whole(draft: &mut Draft<'_>, life: &Life<'_>, inside: bool) -> Result<(), Diagnostic> {
    let web = &life.app.web;
    let source = &life.app.source;
    let text = |node: &Option<pq_recipes::Node>| -> Result<Option<String>, Diagnostic> {
        node.as_ref().map(|node| draft.renderer.text(source, node, &life.scope)).transpose()
    };
    let below = text(&web.root)?.unwrap_or_else(|| ".".to_owned());
    let root = match below.as_str() {
        "." => life.paths.current.clone(),
        below => format!("{}/{below}", life.paths.current),
    };
    let (server, _) = draft.web_server();
    let locations = match web.locations.get(server) {
        Some(name) => {
            let file = draft.catalogue.file(&life.directory, name, source)?;
            Value::from(draft.renderer.file(file, &life.scope)?)
        }
        None if web.locations.is_empty() => Value::Null,
        None => {
            let text = format!("`{}` has no site for {server}, for `{}`", life.app.name, life.id());
            let error = Diagnostic::new(text).cause(format!(
                "`{}` answers for the instances of `{}`, and the recipe has sites for {}",
                server,
                draft.host.host,
                web.locations.keys().cloned().collect::<Vec<_>>().join(", ")
            ));
            return Err(
                error.hint("set `web_server` of the host to one of these, or add the site to the recipe")
            );
        }
    };
    let max_body = text(&web.max_body)?.unwrap_or_else(|| "1M".to_owned());
    let block = json!({
        "inside": inside,
        "root": root,
        "index": web.index.as_deref().unwrap_or(if web.kind == WebKind::Php { "index.php" } else { "index.html" }),
        "deny": web.deny,
        "served": served(life, &below),
        "max_body": max_body,
        "max_body_bytes": pq_recipes::bytes(&max_body),
        "upstream": text(&web.upstream)?,
        "locations": locations,
        "socket": (web.kind == WebKind::Php).then(|| process::socket(draft, life)),
    });
    let kind = match web.kind {
        WebKind::Static | WebKind::Php => "files",
        WebKind::Proxy => "proxy",
    };
    answered(draft, life, kind, block)
}

/// What people are told of one that is closed.
pub(super) fn closed(draft: &mut Draft<'_>, life: &Life<'_>) -> Result<(), Diagnostic> {
    answered(draft, life, "closed", json!({}))
}

/// Its site of a kind, which sees what all sites have and what is particular to it.
fn answered(draft: &mut Draft<'_>, life: &Life<'_>, kind: &str, mut block: Value) -> Result<(), Diagnostic> {
    let (server, at) = draft.web_server();
    // Who does not trust the machine's own authority would find no way back.
    let hsts =
        life.scope.var("hsts") == Some(&Value::Bool(true)) && ["letsencrypt", "files"].contains(&life.tls());
    block["names"] = json!(life.names()?);
    block["tls"] = json!(life.tls() != "none");
    block["hsts"] = json!(hsts);
    block["hsts_file"] = json!((hsts && life.tls() == "letsencrypt").then(|| tls::hsts_file(life)));
    block["chain"] = format!("{}/chain.pem", life.paths.tls).into();
    block["key"] = format!("{}/key.pem", life.paths.tls).into();
    block["log"] = format!("{}/{}", at.log, life.id()).into();
    let scope = life.scope.with("site", block);
    let content =
        draft.renderer.file(draft.catalogue.path(&format!("instance/{server}-{kind}.conf"))?, &scope)?;
    let (id, etc) = (life.id(), &at.etc);
    let available = format!("{etc}/sites-available/{id}.conf");
    let title = format!("{server} site {}", life.domain()?);
    logs(draft, life)?;
    draft.step(
        &life.step("site"),
        title.clone(),
        "file",
        json!({ "path": available, "content": content }),
    )?;
    let title = format!("{title}, enabled");
    if server == "apache2" {
        let fields = json!({ "server": server, "name": id });
        return draft.step(&life.step("site-enabled"), title, "site", fields);
    }
    let link = json!({
        "path": format!("{etc}/sites-enabled/{id}.conf"),
        "target": format!("../sites-available/{id}.conf"),
    });
    draft.step(&life.step("site-enabled"), title, "symlink", link)
}

/// What the web server itself reads of what is kept: the beginning of its addresses, and where it lies.
fn served(life: &Life<'_>, root: &str) -> Vec<Value> {
    let below = |path: &str| match root {
        "." => Some(path.to_owned()),
        root => path.strip_prefix(root)?.strip_prefix('/').map(str::to_owned),
    };
    let kept = life.app.keep.iter().filter(|keep| keep.served);
    kept.filter_map(|keep| {
        let at = below(&keep.path)?;
        Some(json!({
            "at": format!("/{at}/"), "path": format!("{}/{}", life.paths.kept, keep.path), "inert": keep.inert,
        }))
    })
    .collect()
}

/// Its logs, which hold its visitors' addresses: a web server would let everybody read what it makes itself.
fn logs(draft: &mut Draft<'_>, life: &Life<'_>) -> Result<(), Diagnostic> {
    let (id, (_, at)) = (life.id(), draft.web_server());
    let directory = format!("{}/{id}", at.log);
    // A web server that is told to open them anew does so as its own user.
    let fields = json!({ "path": directory, "mode": "0751", "group": at.log_group });
    draft.step(&life.step("site-logs"), format!("directory {directory}"), "directory", fields)?;
    for log in ["access", "error"] {
        let path = format!("{directory}/{log}.log");
        let fields = json!({
            "path": path,
            "content": "",
            "owner": draft.os.web.user,
            "group": at.log_group,
            "mode": "0640",
            "seed": true,
        });
        draft.step(&life.step(&format!("{log}-log")), format!("{log} log of {id}"), "file", fields)?;
    }
    Ok(())
}

/// It answers.
pub(super) fn health(draft: &mut Draft<'_>, life: &Life<'_>) -> Result<(), Diagnostic> {
    for (index, health) in life.app.health.iter().enumerate() {
        let source = &life.app.source;
        let path = draft.renderer.text(source, &health.http, &life.scope)?;
        let url = format!("{}://{}{path}", life.scheme(), life.domain()?);
        let body =
            health.body.as_ref().map(|node| draft.renderer.text(source, node, &life.scope)).transpose()?;
        let title = format!("{url} answers");
        let draught = asked(life, &health_name(index), title, url, health.status, body);
        draft.push(draught, Some(source.place(health.http.mark)))?;
    }
    Ok(())
}

/// It says that it is closed.
pub(super) fn says_closed(draft: &mut Draft<'_>, life: &Life<'_>) -> Result<(), Diagnostic> {
    let url = format!("{}://{}/", life.scheme(), life.domain()?);
    draft.push(asked(life, "health", format!("{url} is closed"), url, 503, None), None)
}

/// A page that must be answered.
fn asked(
    life: &Life<'_>,
    name: &str,
    title: String,
    url: String,
    status: u16,
    body: Option<String>,
) -> Draught {
    let mut fields = Map::new();
    fields.insert("url".to_owned(), url.into());
    fields.insert("status".to_owned(), status.into());
    fields.extend(tls::trusted(life).map(|ca| ("ca".to_owned(), ca.into())));
    fields.extend(body.map(|body| ("body".to_owned(), body.into())));
    let (id, kind, phase) = (life.step(name), "http".to_owned(), Phase::AfterFiles);
    Draught { id, title, kind, phase, hardening: false, fields }
}

/// What a page that must be answered is called, as a step and as a check.
pub(super) fn health_name(index: usize) -> String {
    match index {
        0 => "health".to_owned(),
        more => format!("health-{}", more + 1),
    }
}
