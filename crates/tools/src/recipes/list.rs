//! `pq-instance catalogue`.

use std::fmt::Write as _;
use std::io::{Write as _, stdout};

use pq_cli::{Failure, Form, Table, printable};
use pq_recipes::Catalogue;
use pq_stream::Status;
use serde_json::json;

use super::{RecipeArgs, needs, show, versions};
use crate::inventory::declared::{self, Declared};

/// Of what, and how.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// List the variables of a host instead: what the base of a server, the platform and every instance read
    #[arg(long)]
    variables: bool,
    #[command(flatten)]
    recipes: RecipeArgs,
}

/// Lists the applications, or the variables of a host.
pub(super) fn tell(args: &Args) -> Result<Status, Failure> {
    let catalogue = args.recipes.catalogue()?;
    let form = args.recipes.output.form()?;
    let text = if args.variables { variables(&catalogue, form) } else { applications(&catalogue, form) };
    stdout().write_all(text.as_bytes()).map_err(|error| Failure::output(&error))?;
    Ok(Status::Done)
}

/// The variables of a host, but those of single applications, by who reads them.
fn variables(catalogue: &Catalogue, form: Form) -> String {
    let mut text = String::new();
    let mut before = String::new();
    for Declared { name, variable, reader } in declared::for_all(catalogue) {
        if form == Form::Json {
            let mut record = show::described(variable);
            record["type"] = "variable".into();
            record["name"] = name.into();
            record["read_by"] = reader.into();
            let _ = writeln!(text, "{record}");
            continue;
        }
        if reader != before {
            let _ = writeln!(text, "read by {reader}");
            before = reader;
        }
        show::variable(&mut text, &name, variable);
    }
    if form == Form::Text { printable(&text) } else { text }
}

fn applications(catalogue: &Catalogue, form: Form) -> String {
    match form {
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
    }
}
