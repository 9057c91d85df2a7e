//! What paquerette keeps on a machine beside what it was asked for: locks in `/run/paquerette`; the journal,
//! the ledger, plans and old files in `/var/lib/paquerette`.
//!
//! Never the truth about the machine: every run looks at the machine itself.

mod append;
mod backed;
mod journal;
mod ledger;
mod lock;
mod maintenance;
mod plans;
mod records;
mod replace;
mod transactions;
mod undo;

pub use backed::{At, BACKED, Backed, BackedItem, BackedTarget, Failed, ReadBack, Why};
pub use journal::{Earlier, Interrupted, Journal, began, is_of};
pub use ledger::LedgerFile;
pub use lock::{HostLock, Locked};
pub use maintenance::{Maintenance, Window};
pub use plans::{PLANS, forget_plan, keep_plan, kept_plans, plan};
pub use records::Records;
pub use replace::{replace, replace_for};
pub use transactions::{State, Transactions, Unfinished};
pub use undo::{Before, Undo};

/// Where locks are.
pub const RUN_DIR: &str = "/run/paquerette";

/// Where everything that outlives a boot is.
pub const STATE_DIR: &str = "/var/lib/paquerette";
