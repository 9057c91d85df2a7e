//! The stream between the tools: one JSON object a line, told apart by `"type"`, grouped by host.
//!
//! This crate holds the records, their reader and writer, the exit statuses, secret tokens and
//! redaction. It opens no file and asks no machine: callers hand it readers and writers.

mod clock;
mod diagnostic;
mod escape;
mod name;
mod nearest;
mod reader;
mod record;
mod redact;
mod size;
mod status;
mod token;
mod upkeep;
pub mod version;
mod writer;

pub use clock::{from_utc, utc};
pub use diagnostic::{Diagnostic, Place, system_cause};
pub use name::{NameError, owner_of, valid_instance_id, valid_step_id};
pub use nearest::nearest;
pub use reader::{Reader, StreamError};
pub use record::{
    Connection, ConnectionKind, Counts, Difference, End, Event, FORMAT, Facts, Host, HostStatus, Instance,
    Outcome, Problem, Record, Run, RunLeft, Secret, Step, TransactionLeft,
};
pub use redact::Redactor;
pub use size::size;
pub use status::Status;
pub use token::{
    MASTER_KEY, MASTER_KEY_PREVIOUS, OPENING, Piece, Sink, Source, Token, TokenError, holds_token, pieces,
};
pub use upkeep::{
    HostInstalled, HostPackages, HostSpace, InstalledInstance, Kept, OutdatedService, PackageHeld,
    PackageUpgrade, PackagesDone,
};
pub use writer::Writer;
