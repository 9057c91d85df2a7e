//! `pq-instance catalogue`, `show` and `lint`: the recipes themselves, for whoever chooses an application or writes one.

mod lint;
mod list;
mod show;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use pq_cli::{EXIT_STATUS, Failure, OutputArgs};
use pq_recipes::{App, Catalogue, Releases};
use pq_stream::Status;

use crate::inventory;

/// What is asked of the recipes.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// List the applications that there are recipes for
    ///
    /// With the newest version that is pinned, and what each needs: PHP or Python of that version or newer, one of these databases.
    /// Recipes of the inventory's own are among them; `show` says more of one. With --variables it lists what a host may set for all of
    /// them: `acme_email`, `source_mirror`, `timezone`; `pq-inventory --explain NAME HOST` says what a host sets.
    #[command(after_help = EXIT_STATUS)]
    Catalogue(list::Args),
    /// Explain an application's recipe: versions, needs, variables, what survives an upgrade, what is set and what is only seeded, what runs
    #[command(after_help = EXIT_STATUS)]
    Show(show::Args),
    /// Say what is wrong with recipes of one's own, with file and line
    ///
    /// Recipes are read from `recipes/` of an inventory, where `apps/NAME/recipe.yml` is one; docs/recipes.md says how to write it.
    /// Each application is also planned on every system that has what it needs, behind each web server that it has a site for, with
    /// each word of each choice: what a template reads and nobody declares shows here, and not on a machine. No machine is looked at.
    #[command(after_help = EXIT_STATUS)]
    Lint(lint::Args),
}

impl Verb {
    /// Runs it.
    ///
    /// # Errors
    /// Where the recipes cannot be read, or there is none of that name.
    pub fn run(self) -> Result<Status, Failure> {
        match self {
            Verb::Catalogue(args) => list::tell(&args),
            Verb::Show(args) => show::tell(&args),
            Verb::Lint(args) => lint::tell(&args),
        }
    }
}

/// Which recipes.
#[derive(Debug, Args)]
pub(crate) struct RecipeArgs {
    /// Also read the recipes of this inventory, in its `recipes/` (default: $PQ_INVENTORY, else ./inventory, else the current
    /// directory, where there is an inventory)
    #[arg(short, long, value_name = "DIR")]
    inventory: Option<PathBuf>,
    #[command(flatten)]
    output: OutputArgs,
}

impl RecipeArgs {
    /// The recipes that are built in, and those of the inventory.
    fn catalogue(&self) -> Result<Catalogue, Failure> {
        // A directory that was not asked for need not be there.
        let directory = match &self.inventory {
            Some(directory) => Some(directory.clone()),
            None => inventory::directory(None).ok(),
        };
        Catalogue::load(directory.map(|it| it.join("recipes")).as_deref()).map_err(Failure::input)
    }
}

/// Its versions, the newest first, or where they come from, in words.
fn versions(app: &App) -> Vec<String> {
    match (app.releases, app.pins.versions()) {
        (Releases::Pinned, versions) if versions.is_empty() => vec!["none is pinned".to_owned()],
        (Releases::Pinned, versions) => versions.into_iter().map(str::to_owned).collect(),
        (Releases::Python, versions) => {
            let own = std::iter::once("the instance's own");
            own.chain(versions).map(str::to_owned).collect()
        }
        (Releases::Own, _) => vec!["the instance's own".to_owned()],
        (Releases::None, _) => vec!["has none".to_owned()],
    }
}

/// What an application stands on, in words: `PHP 8.2`, `MariaDB/PostgreSQL`.
fn needs(app: &App) -> Vec<String> {
    let php = app.needs.php.as_ref().map(|php| format!("PHP {}", php.min));
    let python = app.needs.python.as_ref().map(|python| format!("Python {}", python.min));
    let database = app.needs.database.as_ref().map(|needs| {
        let names: Vec<&str> = needs.engines.iter().map(|engine| engine.title()).collect();
        format!("{}{}", names.join("/"), if needs.optional { " if wanted" } else { "" })
    });
    let redis = app.needs.redis.then(|| "Redis".to_owned());
    php.into_iter().chain(python).chain(database).chain(redis).collect()
}
