//! `pq-instance catalogue`.

use std::io::{Write as _, stdout};

use pq_cli::{Failure, Form, Table};
use pq_stream::Status;
use serde_json::json;

use super::{RecipeArgs, needs, versions};

/// Lists the applications.
pub(super) fn tell(args: &RecipeArgs) -> Result<Status, Failure> {
    let catalogue = args.catalogue()?;
    let text = match args.output.form()? {
        Form::Text => {
            let mut table = Table::of(&["application", "newest", "needs", "about"]);
            for app in catalogue.apps() {
                let newest = versions(app).into_iter().next().unwrap_or_default();
                table.row([app.name.clone(), newest, needs(app).join(", "), app.about.clone()]);
            }
            table.text()
        }
        Form::Json => {
            let record = |app: &pq_recipes::App| {
                json!({
                    "type": "application", "name": app.name, "about": app.about, "versions": app.pins.versions(),
                    "needs": needs(app), "recipe": app.source.shown,
                })
            };
            catalogue.apps().map(|app| format!("{}\n", record(app))).collect()
        }
    };
    stdout().write_all(text.as_bytes()).map_err(|error| Failure::output(&error))?;
    Ok(Status::Done)
}
