//! What of an instance is saved before a migration, and where. The executor's own helper saves it and brings it back.

use pq_recipes::{Engine, Keep};
use pq_steps::types::EXECUTOR;
use pq_stream::Diagnostic;
use serde_json::{Value, json};

use crate::draft::Draft;
use crate::instance::life::Life;

/// Where that of all instances is.
pub(super) fn above(life: &Life<'_>) -> String {
    format!("{}/backups/upgrade", life.scope.text("base_prod_path").unwrap_or_default())
}

/// Where that of an instance is.
pub(super) fn directory(life: &Life<'_>) -> String {
    format!("{}/{}", above(life), life.id())
}

/// A mark, whose time says when something began.
pub(super) fn mark(life: &Life<'_>, name: &str) -> String {
    format!("{}/{name}", directory(life))
}

/// Its database, where a server has it.
pub(super) fn database(life: &Life<'_>) -> Option<Value> {
    let engine = life.engine.and_then(Engine::component)?;
    Some(json!({ "engine": engine, "name": life.id() }))
}

/// The directories that are copied: what each release changes of what is kept, and what its recipe names.
pub(super) fn paths(draft: &Draft<'_>, life: &Life<'_>) -> Result<Vec<String>, Diagnostic> {
    let changed = |keep: &&Keep| keep.merge.is_some() || !keep.fresh.is_empty();
    let kept = life.app.keep.iter().filter(changed).map(|keep| format!("{}/{}", life.paths.kept, keep.path));
    let mut paths: Vec<String> = kept.collect();
    for node in &life.app.upgrade.touches {
        let path = draft.renderer.text(&life.app.source, node, &life.scope)?;
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    Ok(paths)
}

/// What the helper is told of an instance.
pub(super) fn told(draft: &Draft<'_>, life: &Life<'_>) -> Result<Value, Diagnostic> {
    let mut told = json!({
        "directory": directory(life),
        "since": mark(life, "closed"),
        "when": mark(life, "migrating"),
        "version": life.version,
        "paths": paths(draft, life)?,
    });
    if let Some(database) = database(life) {
        told["database"] = database;
    }
    Ok(told)
}

/// A call of the helper, as the fields of a `command`.
pub(super) fn helper(word: &str, told: &Value, timeout: u64) -> Value {
    let told = told.to_string();
    json!({
        "argv": [EXECUTOR, "--saved", word, told],
        "unless": [EXECUTOR, "--saved", format!("is-{word}"), told],
        "timeout": timeout,
    })
}
