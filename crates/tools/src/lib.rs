//! The command lines of the tools.
pub mod apply;
mod facts;
mod filter;
pub mod instance;
pub mod inventory;
mod listing;
pub mod platform;
pub mod secret;
pub mod server;
mod status;
