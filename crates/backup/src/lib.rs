//! Backs a machine up into repositories of restic, copies that away, restores it, and proves that it can be restored.
//!
//! One snapshot a dump and one of the files make the *set* of an item; the files' one comes last and has the manifest, so a set is
//! whole or none. Nothing here plans or changes what a machine is: it reads, and writes below the repositories, `/var/lib/paquerette/backup`
//! and where it is told to restore to.

mod accounts;
mod alert;
mod copy;
mod databases;
mod dump;
mod find;
mod forecast;
mod forget;
mod in_place;
mod item;
mod keep;
mod kit;
mod manifest;
mod peer;
mod quiet;
pub mod rebuild;
mod rehearse;
mod renamed;
mod restic;
mod restore;
mod room;
mod run;
mod saved;
mod session;
mod set;
mod setup;
mod state;
mod status;
mod verify;

use std::io;

use pq_stream::{Diagnostic, system_cause};

pub use copy::{Copied, copy};
pub use dump::dump;
pub use find::{Found, find};
pub use forecast::{Forecast, forecast};
pub use forget::{Forgotten, forget};
pub use in_place::{Placed, in_place};
pub use kit::{Kit, Written, write_kit};
pub use manifest::{Manifest, Source};
pub use peer::{Kept, Ledger, Lost, Pulled, accept as accept_losses, peers, pull, serve};
pub use rebuild::Plans;
pub use rehearse::{Rehearsed, rehearse};
pub use restore::{Restored, What, restore};
pub use room::Room;
pub use run::{RunOptions, run};
pub use saved::saved;
pub use session::{Session, Teller, Unbegun};
pub use set::Set;
pub use setup::{ETC, Setup};
pub use state::{DIR as STATE, Failure, Known, Made, Proven, Verified};
pub use status::{Listed, Newest, list, status};
pub use verify::verify;

/// What was done could not be noted.
fn unnoted(error: &io::Error) -> Diagnostic {
    Diagnostic::new(format!("cannot write below `{}`", state::DIR))
        .cause(system_cause(error))
        .hint("make room there, or remount it read-write, and run again")
}
