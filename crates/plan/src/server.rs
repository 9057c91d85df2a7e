//! The server base: every recipe of `server/`.

use pq_stream::Diagnostic;

use crate::draft::Draft;
use crate::firewall;
use crate::recipe::Recipe;

/// Writes the steps of the server base.
pub(crate) fn plan(draft: &mut Draft<'_>) -> Result<(), Diagnostic> {
    let catalogue = draft.catalogue;
    for component in &catalogue.server {
        let scope = draft.component_scope(component)?;
        firewall::check(draft.host, component, &scope)?;
        let directory = format!("server/{}", component.name);
        let recipe =
            Recipe { owner: "server", source: &component.source, directory: &directory, phase: None };
        draft.part(&directory, &component.about);
        draft.recipe(&recipe, &component.steps, &scope)?;
    }
    Ok(())
}
