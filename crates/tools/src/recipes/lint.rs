//! `pq-instance lint`.

use std::io::{Write as _, stdout};
use std::path::PathBuf;

use pq_cli::{Failure, Form, OutputArgs};
use pq_inventory::Finding;
use pq_plan::{Planner, trial};
use pq_recipes::Catalogue;
use pq_stream::{Diagnostic, Status};

use crate::inventory::{self, lint};

/// Which recipes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The directory of the recipes, with `apps/` in it (default: `recipes/` of the inventory)
    directory: Option<PathBuf>,
    #[command(flatten)]
    output: OutputArgs,
}

/// Says what is wrong.
pub(super) fn tell(args: &Args) -> Result<Status, Failure> {
    let directory = match &args.directory {
        Some(directory) => directory.clone(),
        None => inventory::directory(None)?.join("recipes"),
    };
    if !directory.is_dir() {
        let error = Diagnostic::new(format!("there is no directory `{}`", directory.display()));
        return Err(Failure::input(
            error.hint("name the one that holds `apps/`, as in `pq-instance lint inventory/recipes`"),
        ));
    }
    let (catalogue, mut errors) = Catalogue::survey(Some(&directory)).map_err(Failure::input)?;
    let own: Vec<_> = catalogue.own_apps().into_iter().cloned().collect();
    if own.is_empty() && errors.is_empty() {
        let error = Diagnostic::new(format!("there is no recipe below `{}`", directory.display()));
        return Err(Failure::input(
            error.hint("an application is `apps/<name>/recipe.yml` there, with `pins.yml` beside it"),
        ));
    }
    let planner = Planner::new(catalogue);
    errors.extend(own.iter().flat_map(|app| trial(&planner, app)));
    let findings: Vec<Finding> =
        errors.into_iter().map(|diagnostic| Finding { rule: "recipe", diagnostic }).collect();
    let text = match args.output.form()? {
        Form::Text => lint::text(&findings),
        Form::Json => lint::json(&findings),
    };
    stdout().write_all(text.as_bytes()).map_err(|error| Failure::output(&error))?;
    Ok(if findings.is_empty() { Status::Done } else { Status::Differs })
}
