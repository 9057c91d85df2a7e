//! What is backed up and watched of an instance: what its life says by itself, and what its recipe adds.

use pq_recipes::{Engine, WebKind};
use pq_stream::Diagnostic;
use serde_json::{Value, json};

use super::life::Life;
use super::state::State;
use super::{process, tls};
use crate::draft::Draft;
use crate::items::{Blocks, Items};

/// Writes its two items.
pub(super) fn items(draft: &mut Draft<'_>, life: &Life<'_>) -> Result<(), Diagnostic> {
    of(draft, life)?.write(draft, life.id(), false)
}

/// Writes what is watched of one that is closed, whatever is installed: what was watched of it before does not answer any more.
pub(super) fn watched_closed(draft: &mut Draft<'_>, life: &Life<'_>) -> Result<(), Diagnostic> {
    let items = of(draft, life)?;
    if items.watches() {
        return items.write_monitor(draft, life.id(), false);
    }
    let fields =
        json!({ "owner": life.id(), "only": [format!("/etc/paquerette/monitor.d/{}.yml", life.id())] });
    draft.step(&life.step("monitor-item"), format!("nothing is watched of {}", life.id()), "remove", fields)
}

/// Writes what is backed up of one that is closed.
pub(super) fn backed_up(draft: &mut Draft<'_>, life: &Life<'_>) -> Result<(), Diagnostic> {
    of(draft, life)?.write_backup(draft, life.id(), false)
}

/// Its two items.
fn of(draft: &Draft<'_>, life: &Life<'_>) -> Result<Items, Diagnostic> {
    let mut items = Items::of(life.id())?;
    let (backup, monitor) = (backup(life)?, monitor(draft, life)?);
    items.know(backup, monitor)?;
    let app = life.app;
    // What its recipe watches of one that is closed does not run, and is not to be started.
    let watched = app.monitor.as_ref().filter(|_| life.state == State::Present);
    let blocks = Blocks { source: &app.source, backup: app.backup.as_ref(), monitor: watched };
    items.add(draft.renderer, &blocks, &life.scope)?;
    Ok(items)
}

/// What survives a new release, and its certificate: code comes again from where it came.
fn backup(life: &Life<'_>) -> Result<Value, Diagnostic> {
    let paths = &life.paths;
    let engine = life.engine.and_then(Engine::component).into_iter();
    let mut include = vec![&paths.kept, &paths.data];
    include.extend((life.tls() != "none").then_some(&paths.tls));
    let databases = engine.map(|engine| json!({ "engine": engine, "name": life.id() }));
    Ok(json!({
        "instance": {
            "app": life.app.name,
            "version": life.version,
            "domain": life.domain()?,
            "secret_scope": life.scope.text("secret_scope").unwrap_or(life.id()),
        },
        "paths": { "include": include },
        "databases": databases.collect::<Vec<_>>(),
    }))
}

/// Its process, its certificate, and its pages.
fn monitor(draft: &Draft<'_>, life: &Life<'_>) -> Result<Value, Diagnostic> {
    let id = life.id();
    let (web, _) = draft.web_server();
    let ca = tls::trusted(life);
    let plain = life.tls() == "none";
    let mut checks = Vec::new();
    let served = life.state == State::Present;
    if served && life.app.service.is_some() {
        checks.push(json!({
            "id": "runs",
            "about": format!("the process of {id} runs"),
            "unit": { "name": process::unit(life), "restart": { "most": 5, "within": "1h" } },
        }));
    }
    if served && life.app.needs.redis {
        checks.push(json!({
            "id": "redis",
            "about": format!("the Redis of {id} runs"),
            "unit": { "name": super::redis::unit(life), "restart": { "most": 5, "within": "1h" } },
        }));
    }
    if served && life.app.web.kind == WebKind::Php {
        checks.push(json!({
            "id": "pool",
            "about": format!("the PHP pool of {id} answers"),
            "socket": { "path": process::socket(draft, life) },
        }));
    }
    if !plain {
        checks.push(json!({
        "id": "certificate",
        "about": format!("the certificate of {id} is good, and served"),
        "certificate": {
            "names": life.names()?,
            "file": format!("{}/chain.pem", life.paths.tls),
            "served": "127.0.0.1:443",
            "ca": ca,
            "asked": (life.tls() == "letsencrypt").then(|| tls::asked(life)),
        },
        }));
    }
    if life.tls() == "letsencrypt" {
        let failed = tls::failed(life);
        let script = format!("test ! -e {failed} || {{ head -c 400 {failed}; exit 2; }}");
        checks.push(json!({
            "id": "renewal",
            "about": format!("the web server has read the renewed certificate of {id}"),
            "command": { "argv": ["sh", "-c", script] },
        }));
    }
    // What its pages stand on within it: where that is down, one message says so.
    let own =
        checks.iter().filter_map(|it| it["id"].as_str()).filter(|it| ["runs", "redis", "pool"].contains(it));
    let own: Vec<String> = own.map(|it| format!("{id}/{it}")).collect();
    for (index, health) in life.app.health.iter().enumerate().filter(|_| served) {
        let source = &life.app.source;
        let path = draft.renderer.text(source, &health.http, &life.scope)?;
        let body = health.body.as_ref().map(|it| draft.renderer.text(source, it, &life.scope)).transpose()?;
        checks.push(json!({
            "id": super::site::health_name(index),
            "about": format!("{id} answers"),
            "depends_on": own,
            "http": {
                "url": format!("{}://{}{path}", life.scheme(), life.domain()?),
                "status": health.status,
                "body": body,
                "at": if plain { "127.0.0.1:80" } else { "127.0.0.1:443" },
                "ca": ca,
            },
        }));
    }
    let stands_on = life.app.components(life.engine, web).into_iter().filter(|it| *it != "python");
    let depends_on: Vec<String> = stands_on.map(|component| format!("platform-{component}")).collect();
    Ok(json!({ "depends_on": depends_on, "checks": checks }))
}
