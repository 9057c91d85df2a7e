//! What is backed up and watched on a machine, and how: the files below `/etc/paquerette` that recipes, planners and
//! people write, and the tools of backup and monitoring read.
//!
//! Types, their form and their schema: nothing here looks at a machine. A value that was read is whole: each of its texts
//! has the form that its type says, names within a file are known and distinct, and nothing was skipped for being unknown.

mod backup;
mod check;
mod commands;
mod document;
mod monitor;
mod schedule;
mod schema;
mod span;
mod strategies;
mod texts;
mod windows;

pub use backup::{BackupItem, Database, Engine, Instance, Paths, Retention};
pub use check::{
    Certificate, Check, Disk, FileAge, Http, Probe, Process, Program, Queue, Restart, Socket, Tcp, UnitRuns,
};
pub use commands::{Argv, Command};
pub use document::{read, write};
pub use monitor::{Checks, Damping, MonitorItem};
pub use schedule::{Schedule, cron_time};
pub use schema::schema;
pub use span::Span;
pub use strategies::{
    BackupAlerts, BackupStrategy, BackupTimes, MonitorAlerts, MonitorStrategy, MonitorTimes, Place, Target,
    Thresholds, Used,
};
pub use texts::{
    AbsolutePath, DatabaseName, Id, Line, MailAddress, Percent, Reference, TargetUrl, UnitName, Url,
};
pub use windows::{Day, Moment, TimeOfDay, Weekly, When, Window};
