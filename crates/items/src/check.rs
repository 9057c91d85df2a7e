//! One check: what is asked, how often, and what it stands on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kinds::{
    Backups, Certificate, Clock, Database, Disk, Dns, FileAge, Heartbeat, Http, Load, Memory, MonitorPeer,
    OomKills, Process, Queue, Runs, Socket, Swap, Tcp, UnitRuns, Updates,
};
use crate::{Command, Damping, Id, Line, Reference, Span};

/// One check. Exactly one of the keys from `unit` on says what is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Written", into = "Written")]
pub struct Check {
    /// Its name among those of its item.
    pub id: Id,
    /// What it is, for people.
    pub about: Option<Line>,
    /// How often it is asked, at each run by default.
    pub every: Option<Span>,
    /// After how long an answer counts as none.
    pub timeout: Option<Span>,
    /// What it stands on beside that of its item.
    pub depends_on: Vec<Reference>,
    /// How often it must fail before it counts, where that is not what its item or the strategy says.
    pub damping: Option<Damping>,
    /// What is asked.
    pub probe: Probe,
}

/// Each thing that a check may ask, by its key: the enum, how a check is written, and the way from one to the other.
macro_rules! probes {
    ($($(#[$doc:meta])* $key:ident: $name:ident($type:ty),)*) => {
        /// What a check asks.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Probe {
            $($(#[$doc])* $name($type),)*
        }

        impl Probe {
            /// The key that asks it.
            pub fn kind(&self) -> &'static str {
                match self {
                    $(Probe::$name(_) => stringify!($key),)*
                }
            }
        }

        /// One check. Exactly one of the keys from `unit` on says what is asked.
        #[derive(Clone, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        #[schemars(rename = "Check")]
        struct Written {
            /// Its name among those of its item.
            id: Id,
            /// What it is, for people.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            about: Option<Line>,
            /// How often it is asked, at each run by default.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            every: Option<Span>,
            /// After how long an answer counts as none.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            timeout: Option<Span>,
            /// What it stands on beside that of its item.
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            depends_on: Vec<Reference>,
            /// How often it must fail before it counts, where that is not what its item or the strategy says.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            damping: Option<Damping>,
            $($(#[$doc])* #[serde(default, skip_serializing_if = "Option::is_none")] $key: Option<$type>,)*
        }

        impl TryFrom<Written> for Check {
            type Error = String;

            fn try_from(it: Written) -> Result<Self, String> {
                let probes = [$(it.$key.map(Probe::$name),)*];
                let mut probes = probes.into_iter().flatten();
                let (Some(probe), None) = (probes.next(), probes.next()) else {
                    let keys = [$(concat!("`", stringify!($key), "`"),)*].join(", ");
                    return Err(format!("the check `{}` asks not exactly one of {keys}", it.id));
                };
                let Written { id, about, every, timeout, depends_on, damping, .. } = it;
                Ok(Check { id, about, every, timeout, depends_on, damping, probe })
            }
        }

        impl From<Check> for Written {
            fn from(check: Check) -> Self {
                let Check { id, about, every, timeout, depends_on, damping, probe } = check;
                let mut it = Written { id, about, every, timeout, depends_on, damping, $($key: None,)* };
                match probe {
                    $(Probe::$name(asked) => it.$key = Some(asked),)*
                }
                it
            }
        }
    };
}

probes! {
    /// A systemd unit is active.
    unit: Unit(UnitRuns),
    /// A page is answered.
    http: Http(Box<Http>),
    /// Another machine is there: it answers over https, whatever it answers.
    peer: Peer(MonitorPeer),
    /// A TCP port answers.
    tcp: Tcp(Tcp),
    /// A unix socket answers.
    socket: Socket(Socket),
    /// A certificate is good, served, and not near its end.
    certificate: Certificate(Certificate),
    /// A name leads where it should.
    dns: Dns(Dns),
    /// A database server lets in and answers.
    database: Database(Database),
    /// A file system has room, for bytes and for files, and can be written.
    disk: Disk(Disk),
    /// A file is there, and not too old.
    file: File(FileAge),
    /// Processes run, as many as should.
    process: Process(Process),
    /// A queue of mail does not grow.
    queue: Queue(Queue),
    /// The processors keep up.
    load: Load(Load),
    /// There is memory left.
    memory: Memory(Memory),
    /// There is swap left.
    swap: Swap(Swap),
    /// The kernel ended nothing for want of memory.
    oom: Oom(OomKills),
    /// The clock is right.
    clock: Clock(Clock),
    /// Backups are young enough, and a restore was proven.
    backup: Backup(Backups),
    /// Updates are installed, and the machine was booted anew where they ask for it.
    updates: Updates(Updates),
    /// No run of these tools was left half-way.
    runs: Runs(Runs),
    /// Somebody else's job says from time to time that it is well: `pq-monitor heartbeat NAME`.
    heartbeat: Heartbeat(Heartbeat),
    /// A program ends well, as a Nagios plugin: 0 well, 1 warning, 2 critical, 3 not known.
    command: Command(Command),
}
