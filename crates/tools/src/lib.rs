//! The command lines of the tools.
pub mod apply;
pub mod backup;
mod facts;
mod filter;
mod input;
pub mod instance;
pub mod inventory;
mod listing;
pub mod monitor;
mod one_line;
pub mod platform;
mod recipes;
pub mod secret;
pub mod server;
mod status;
pub mod upgrade;
mod upkeep;
mod verbs;

/// The command lines of all tools, for their man pages and completions.
pub fn commands() -> Vec<clap::Command> {
    use clap::CommandFactory as _;
    vec![
        inventory::Args::command(),
        server::Args::command(),
        platform::Args::command(),
        instance::Args::command(),
        apply::Args::command(),
        upgrade::Args::command(),
        backup::Args::command(),
        monitor::Args::command(),
        secret::Args::command(),
    ]
}
