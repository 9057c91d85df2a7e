//! What of an instance is past its time: releases of long ago, and what killed runs left. Which these are, the machine's ledger says.

use pq_stream::{Diagnostic, Instance};
use serde_json::json;

use super::life::Life;
use crate::draft::Draft;

/// It goes, of each of these.
pub(crate) fn clean(draft: &mut Draft<'_>, chosen: &[&Instance]) -> Result<(), Diagnostic> {
    for instance in chosen {
        let life = Life::read(draft, instance)?;
        if life.pin.is_none() {
            continue;
        }
        let id = life.id();
        draft.part(id, "what is past its time");
        let keep = life.scope.var("old_releases").cloned().unwrap_or_else(|| json!(2));
        let fields = json!({
            "owner": id, "path": format!("{}/releases", life.paths.home), "current": life.paths.current, "keep": keep,
        });
        draft.step(&life.step("clean"), format!("old releases of {id}"), "releases", fields)?;
    }
    Ok(())
}
