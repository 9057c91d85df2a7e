//! Step types: what each one looks at, and what it does about it.
//!
//! One file a type. A type is a plain struct with the fields that it has on the stream; [`Converge`] is what it can
//! do. Checks see a machine through [`Probe`], which cannot write; only applying gets a [`System`].
//! Nothing here touches a machine by itself: `pq-machine` does, and `pq-testkit` has one in memory.

mod any;
mod converge;
mod error;
mod fields;
mod found;
pub mod ledger;
mod probe;
mod schema;
mod server;
mod shipped;
mod system;

pub mod types;

pub use any::{AnyStep, BadStep};
pub use converge::{Check, Converge, Differences};
pub use error::{Absent, Error};
pub use fields::{AbsPath, Mode, Ownership, Text};
pub use found::{FOUND, Found, Listener};
pub use probe::{
    Active, Certificate, Command, Free, Http, Kind, LARGEST_READ, Output, Package, Probe, Reply, SshLogin,
    Stat, Taken, Unit, UnitFile,
};
pub use schema::schema;
pub use server::{Engine, Heard, Refusal, Rows, Session, Talk};
pub use shipped::as_shipped;
pub use system::{Archive, CertificateRequest, Download, Meta, System, UnitVerb};
