//! Heartbeats of others' jobs: what they said last, and when.

use std::io;
use std::path::{Path, PathBuf};

use pq_items::{Heartbeat, Id};
use pq_store::replace;
use pq_stream::system_cause;
use serde::{Deserialize, Serialize};

use super::{Context, file};
use crate::{Answer, bounded};

/// What a job said of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Beat {
    /// When.
    pub at: i64,
    /// Whether it had failed.
    #[serde(default)]
    pub failed: bool,
    /// What it said beside.
    #[serde(default)]
    pub message: String,
}

fn path(lib: &Path, name: &Id) -> PathBuf {
    lib.join("monitor/heartbeats").join(format!("{name}.json"))
}

/// Notes what a job says.
///
/// # Errors
/// Where it cannot be written.
pub fn beat(lib: &Path, name: &Id, beat: &Beat) -> io::Result<()> {
    replace(&path(lib, name), &serde_json::to_vec(beat)?)
}

/// Asks for it.
pub fn ask(heartbeat: &Heartbeat, context: &Context) -> Answer {
    let name = &heartbeat.name;
    let hint = format!("the job should end with `pq-monitor heartbeat {name}`");
    let read = bounded::read(&path(&context.lib, name));
    let beat: Beat = match read.as_ref().map(|bytes| serde_json::from_slice(bytes)) {
        Ok(Ok(beat)) => beat,
        Ok(Err(_)) => {
            return Answer::unknown("heartbeat", format!("what `{name}` said last cannot be read"))
                .hint(hint);
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Answer::critical("never", format!("`{name}` never said that it is well")).hint(hint);
        }
        Err(error) => {
            return Answer::unknown(
                "heartbeat",
                format!("cannot read what `{name}` said last: {}", system_cause(error)),
            );
        }
    };
    let age = u64::try_from(context.now - beat.at).unwrap_or_default();
    let answer = match (beat.failed, age > heartbeat.within.seconds()) {
        (_, true) => {
            let text =
                format!("`{name}` said nothing for {}, more than {}", file::span(age), heartbeat.within);
            Answer::critical("silent", text).hint("it did not run, or did not come to its end")
        }
        (true, false) => {
            let words = if beat.message.is_empty() { String::new() } else { format!(": {}", beat.message) };
            Answer::critical("failed", format!("`{name}` failed {} ago{words}", file::span(age)))
        }
        (false, false) => Answer::ok(format!("`{name}` was well {} ago", file::span(age))),
    };
    #[expect(clippy::cast_precision_loss, reason = "seconds")]
    answer.value(age as f64, "s")
}
