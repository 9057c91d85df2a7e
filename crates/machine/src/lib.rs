//! Looks at and changes a real Linux machine: Debian or Ubuntu, with systemd.
//!
//! [`Machine`] is what checks and applies see of it, through the traits of `pq-steps`. This is the only crate that
//! touches a machine. Three rules hold throughout: a change is whole or not there, root follows no link that somebody
//! else could have planted, and nothing that comes from outside is trusted before its digest is known.

mod apt;
mod archive;
mod cause;
mod certificate;
mod children;
mod database;
mod download;
mod facts;
mod files;
mod found;
mod fresh;
mod held;
mod http;
mod inhibit;
mod kernel;
mod left;
mod logins;
mod look;
mod machine;
mod os;
mod outdated;
mod packages;
mod place;
mod policy;
mod presented;
mod private;
mod readonly;
mod reboot;
mod removal;
mod services;
mod simulation;
mod sources;
mod units;
mod unjudged;
mod upgrade;
mod upkeep;
mod usage;
mod users;
mod web;

pub use download::{fetch_small, fetch_unknown};
pub use facts::{Facts, Installed, Mount, facts, upstream};
pub use left::left_behind;
pub use machine::Machine;
pub use services::Services;
pub use simulation::Simulation;
pub use unjudged::unjudged;
pub use upgrade::{Upgrade, Wanted};
pub use upkeep::Pending;
pub use usage::{Until, Usage, usage};
