//! The server base: every recipe of `server/`.

use pq_stream::Diagnostic;

use crate::Unused;
use crate::draft::Draft;
use crate::firewall;
use crate::items::{self, Blocks, Items};
use crate::recipe::Recipe;

/// Writes the steps of the server base; strategies and items last, when the directories of all are there.
pub(crate) fn plan(draft: &mut Draft<'_>, unused: Unused) -> Result<(), Diagnostic> {
    let catalogue = draft.catalogue;
    // What is watched of hardening stands apart: where that is only reported, so is this.
    let (mut all, mut hard) = (Items::of("server")?, Items::of("server-hardening")?);
    let mut scopes = Vec::new();
    for component in &catalogue.server {
        let scope = draft.component_scope(component)?;
        firewall::check(draft.host, component, &scope)?;
        let directory = format!("server/{}", component.name);
        let recipe = Recipe {
            owner: "server",
            source: &component.source,
            directory: &directory,
            phase: None,
            hardening: component.hardening,
            env: None,
        };
        draft.part(&directory, &component.about);
        draft.recipe(&recipe, &component.steps, &scope)?;
        let items = if component.hardening { &mut hard } else { &mut all };
        items.add(draft.renderer, &Blocks::of(component), &scope)?;
        scopes.push((component, scope));
    }
    draft.part("server/items", "What is backed up and watched of the machine itself, and how");
    for (component, scope) in &scopes {
        items::strategies(draft, component, scope)?;
    }
    all.write(draft, "server", false)?;
    hard.write(draft, "server", true)?;
    match unused {
        Unused::Stays => Ok(()),
        Unused::Goes => {
            draft.part("server/unused", "What the server does not need any more");
            draft.unused("server", "what the server does not need any more".to_owned())
        }
    }
}
