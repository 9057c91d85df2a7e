//! What paquerette keeps on a machine beside what it was asked for: locks in `/run/paquerette`, the journal in
//! `/var/lib/paquerette`.
//!
//! Never the truth about the machine: every run looks at the machine itself.

mod journal;
mod lock;

pub use journal::{Earlier, Interrupted, Journal};
pub use lock::{HostLock, Locked};

/// Where locks are.
pub const RUN_DIR: &str = "/run/paquerette";

/// Where everything that outlives a boot is.
pub const STATE_DIR: &str = "/var/lib/paquerette";
