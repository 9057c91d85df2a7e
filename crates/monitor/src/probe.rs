//! Asks what a check asks. One file a kind.
//!
//! Always true here: nothing waits longer than until the moment that it is given, unless the kernel itself does not answer;
//! nothing reads more than a bounded part of what others send.

mod backup;
mod certificate;
mod chain;
mod clock;
mod command;
mod database;
mod disk;
mod dns;
mod file;
mod heartbeat;
mod http;
mod oom;
mod peer;
mod pending;
mod process;
mod queue;
mod runs;
mod system;
mod tcp;
mod unit;
mod updates;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use pq_items::{Probe, Thresholds};
use serde_json::Value;

use crate::Answer;

pub use backup::listed;
pub use heartbeat::{Beat, beat};
pub use tcp::{addresses, silent};
pub use unit::{Facts, facts};

/// What checks need beside what they ask.
#[derive(Clone)]
pub struct Context {
    /// Where items and strategies are: `/etc/paquerette`.
    pub etc: PathBuf,
    /// What tools remember: `/var/lib/paquerette`.
    pub lib: PathBuf,
    /// From when on something is told, where a check does not say.
    pub thresholds: Thresholds,
    /// Seconds since 1970.
    pub now: i64,
    /// What systemd says of the units that are asked about, or why it says nothing.
    pub units: Result<BTreeMap<String, Facts>, String>,
}

/// What came of asking: an answer, and what the check remembers until it is asked again.
pub struct Asked {
    /// The answer.
    pub answer: Answer,
    /// What it remembers.
    pub memo: Value,
}

impl From<Answer> for Asked {
    fn from(answer: Answer) -> Self {
        Asked { answer, memo: Value::Null }
    }
}

/// Asks once.
pub fn ask(probe: &Probe, context: &Context, until: Instant, memo: &Value) -> Asked {
    match probe {
        Probe::Unit(it) => unit::ask(it, context, memo),
        Probe::Http(it) => http::ask(it, until).into(),
        Probe::Peer(it) => peer::ask(it, until).into(),
        Probe::Tcp(it) => tcp::ask(it, until).into(),
        Probe::Socket(it) => tcp::unix(it, until).into(),
        Probe::Certificate(it) => certificate::ask(it, context, until).into(),
        Probe::Dns(it) => dns::ask(it, until).into(),
        Probe::Database(it) => database::ask(it, until).into(),
        Probe::Disk(it) => disk::ask(it, context, memo),
        Probe::File(it) => file::ask(it, context).into(),
        Probe::Process(it) => process::ask(it).into(),
        Probe::Queue(it) => queue::ask(it, context, until).into(),
        Probe::Load(it) => system::load(it).into(),
        Probe::Memory(it) => system::memory(it).into(),
        Probe::Swap(it) => system::swap(it).into(),
        Probe::Oom(it) => oom::ask(it, context, memo),
        Probe::Clock(_) => clock::ask(context, until).into(),
        Probe::Backup(it) => backup::ask(it, context).into(),
        Probe::Updates(it) => updates::ask(it, context, memo),
        Probe::Runs(_) => runs::ask().into(),
        Probe::Heartbeat(it) => heartbeat::ask(it, context).into(),
        Probe::Command(it) => command::ask(it, until).into(),
    }
}

/// How long a check of a kind may take where it does not say.
pub fn patience(probe: &Probe) -> Duration {
    let seconds = match probe {
        Probe::Command(it) => it.timeout.as_ref().map_or(10, pq_items::Span::seconds),
        Probe::Updates(_) => 45,
        _ => 10,
    };
    Duration::from_secs(seconds)
}

/// Whether a failure may be one of the moment: it is asked once more before it counts.
pub fn may_pass(probe: &Probe) -> bool {
    matches!(
        probe,
        Probe::Unit(_)
            | Probe::Http(_)
            | Probe::Peer(_)
            | Probe::Tcp(_)
            | Probe::Socket(_)
            | Probe::Certificate(_)
            | Probe::Dns(_)
            | Probe::Database(_)
            | Probe::Process(_)
            | Probe::Command(_)
    )
}

/// Whether the way to what is asked leads out of this machine.
pub fn is_outside(probe: &Probe) -> bool {
    let local = |host: &str| {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|it| it.is_loopback())
    };
    let place = |text: &str| local(text.rsplit_once(':').map_or(text, |(host, _)| host));
    match probe {
        Probe::Http(it) => !match &it.at {
            Some(at) => place(at.as_str()),
            None => http::host(it.url.as_str()).is_some_and(|host| local(&host)),
        },
        Probe::Peer(_) => true,
        Probe::Tcp(it) => !local(it.host.as_str()),
        Probe::Certificate(it) => it.served.as_ref().is_some_and(|served| !place(served.as_str())),
        Probe::Dns(it) => !it.server.as_ref().is_some_and(|server| local(server.as_str())),
        _ => false,
    }
}

/// How much is left until a moment; at least a little, so that what takes no time can still be done.
fn left(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
}
