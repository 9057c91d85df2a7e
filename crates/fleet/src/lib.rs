//! A plan for any number of machines: this one, and others over the system's own `ssh`.
//!
//! One connection a machine, several at a time. On the other side the same executor runs, sent once and kept; it gets the
//! machine's steps and the values that they need on its standard input, and says what happens while it happens.
//!
//! Always true here: nothing is begun before the whole plan was read; one machine's failure or cut line never disturbs
//! another; nothing that a machine says is believed beyond what its plan allows, and no secret is on a command line.

mod ask;
mod bootstrap;
mod confirm;
mod crew;
mod ear;
mod ending;
mod executor;
mod far;
mod job;
mod line;
mod login;
mod member;
mod order;
mod password;
mod question;
mod said;
mod scope;
mod secrets;
mod ssh;
mod stage;
mod tally;
mod tool;
mod upkeep;
mod visitor;
mod words;

pub use ask::{Answer, Asked, Spoken, facts, statuses};
pub use crew::{Crew, execute};
pub use far::serve;
pub use member::{Plan, read};
pub use tool::{backup, monitor};
pub use upkeep::{installed, packages, space, upgrade};
