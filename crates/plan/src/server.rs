//! The server base: every recipe of `server/`.

use pq_stream::Diagnostic;

use crate::draft::Draft;
use crate::firewall;
use crate::items::{self, Blocks, Items};
use crate::recipe::Recipe;

/// Writes the steps of the server base; strategies and items last, when the directories of all are there.
pub(crate) fn plan(draft: &mut Draft<'_>) -> Result<(), Diagnostic> {
    let catalogue = draft.catalogue;
    let mut all = Items::of("server")?;
    let mut scopes = Vec::new();
    for component in &catalogue.server {
        let scope = draft.component_scope(component)?;
        firewall::check(draft.host, component, &scope)?;
        let directory = format!("server/{}", component.name);
        let recipe =
            Recipe { owner: "server", source: &component.source, directory: &directory, phase: None };
        draft.part(&directory, &component.about);
        draft.recipe(&recipe, &component.steps, &scope)?;
        all.add(draft.renderer, &Blocks::of(component), &scope)?;
        scopes.push((component, scope));
    }
    draft.part("server/items", "What is backed up and watched of the machine itself, and how");
    for (component, scope) in &scopes {
        items::strategies(draft, component, scope)?;
    }
    all.write(draft, "server")
}
