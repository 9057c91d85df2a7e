//! The command lines of the tools.
pub mod inventory;
pub mod server;
pub mod platform;
pub mod instance;
pub mod apply;
