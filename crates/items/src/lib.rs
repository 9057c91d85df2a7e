//! What is backed up and watched on a machine, and how: the files below `/etc/paquerette` that recipes, planners and
//! people write, and the tools of backup and monitoring read.
//!
//! Types, their form and their schema: nothing here looks at a machine. A value that was read is whole: each of its texts
//! has the form that its type says, names within a file are known and distinct, and nothing was skipped for being unknown.

mod alerts;
mod backup;
mod check;
mod commands;
mod document;
mod files;
mod kinds;
mod monitor;
mod schedule;
mod schema;
mod span;
mod strategies;
mod texts;
mod windows;

pub use alerts::{
    Channel, Exec, How, Matrix, Mattermost, MonitorAlerts, Ntfy, Ping, Smtp, Tls, Urgency, Webhook,
};
pub use backup::{BackupItem, Database, Engine, Instance, Paths, Retention};
pub use check::{Check, Probe};
pub use commands::{Argv, Command};
pub use document::{read, write};
pub use files::{Owned, Text, items, of_file};
pub use kinds::{
    Backups, Certificate, Clock, Database as DatabaseAnswers, Disk, Dns, FileAge, Heartbeat, Http, Load,
    Memory, MonitorPeer, OomKills, Process, Program, Queue, RecordType, Restart, Runs, Server, Socket, Swap,
    Tcp, UnitRuns, Updates,
};
pub use monitor::{Checks, Damping, MonitorItem};
pub use schedule::{Schedule, cron_time};
pub use schema::schema;
pub use span::Span;
pub use strategies::{
    BackupAlerts, BackupPeers, BackupStrategy, BackupTimes, MonitorStrategy, MonitorTimes, Peer, Place,
    Target, Thresholds, Used,
};
pub use texts::{
    AbsolutePath, DatabaseName, Id, Line, MachineName, MailAddress, Pattern, Percent, PublicKey, Reference,
    TargetUrl, UnitName, Url,
};
pub use windows::{Day, Moment, TimeOfDay, Weekly, When, Window};
