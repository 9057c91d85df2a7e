//! Hosts and recipes in, steps out: what is wanted, before any machine is looked at.
//!
//! Always true here: the same host and catalogue give the same steps. No disk, clock, network or chance is asked;
//! templates are rendered here, so that a step carries content only; every step was read as the executor reads it.

mod choice;
mod complaints;
mod draft;
mod firewall;
mod instance;
mod items;
mod misread;
mod planner;
mod platform;
mod recipe;
mod region;
mod render;
mod schemas;
mod scope;
mod server;
mod trial;
mod values;

pub use choice::Choice;
pub use complaints::complaints;
pub use instance::Data;
pub use instance::keys::is_of_one;
pub use planner::{Part, Plan, Planner, Unused, Upgradable, Upgrading};
pub use pq_template::with_room;
pub use schemas::recipe_schemas;
pub use trial::trial;
