//! Looks whether what a machine does is done, and tells people where it is not.
//!
//! One run a minute, by cron: what is due is asked (`probe`, `crew`), the answers become what people are told (`engine`, which knows
//! no clock and no disk), that is written down (`state`, `spool`) and sent (`channel`, `deliver`). Nothing here changes a machine but
//! that a unit with a budget for it is started again.

mod answer;
mod bounded;
mod channel;
mod crew;
mod damping;
mod deliver;
mod digest;
mod engine;
mod event;
mod explain;
mod history;
mod level;
mod message;
mod metrics;
mod network;
mod overlap;
mod page;
mod ping;
mod plan;
mod probe;
mod program;
mod restart;
mod run;
mod setup;
mod spool;
mod state;
mod test;
mod time;
mod view;
mod web;
mod windows;

pub use answer::{Answer, line, number};
pub use digest::{digest, words};
pub use event::{Event, Kind};
pub use explain::{explain, find};
pub use history::{History, Incident, Span};
pub use level::Level;
pub use message::{Message, here, utc};
pub use metrics::metrics;
pub use page::page;
pub use plan::{Plan, Watched};
pub use probe::{Beat, beat};
pub use run::{DEADLINE, Options, Ran, Report, run};
pub use setup::{Places, Setup};
pub use state::{Memory, State, Told};
pub use test::{test, test_alert};
pub use view::{Row, Seen, View, view};
