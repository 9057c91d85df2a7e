//! What is remembered from one run to the next.
//!
//! Always true here: it is replaced as a whole. What cannot be read is set aside and told; the run goes on with nothing
//! remembered. Messages leave it only once they are in the spool, so none is lost where a run is killed in between.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use pq_store::replace;
use pq_stream::{Diagnostic, system_cause};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::setup::Places;
use crate::{Answer, Level, Message};

/// The number of this form of the file.
const SCHEMA: u32 = 1;

const FILE: &str = "state.json";

/// How many files that could not be read are kept.
const SPOILT: u32 = 5;

/// What is remembered. Times are seconds since 1970.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// The form of the file.
    pub schema: u32,
    /// How many runs there were.
    pub runs: u64,
    /// The boot in which the last one ended, and how long the machine had been up.
    pub boot: String,
    /// Seconds since that boot.
    pub up: f64,
    /// When the last one ended.
    pub at: i64,
    /// Each check.
    pub checks: BTreeMap<String, Memory>,
    /// Messages that are not in the spool yet.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outbox: Vec<Message>,
    /// When each channel last took something.
    pub proven: BTreeMap<String, i64>,
}

/// What is remembered of a check.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// What counts.
    pub level: Level,
    /// Since when.
    pub since: i64,
    /// When it was last asked.
    pub asked: i64,
    /// What it answered then.
    pub last: Answer,
    /// Since when its answers are bad.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bad_since: Option<i64>,
    /// Its last answers that count, the newest last.
    pub recent: Vec<Level>,
    /// Whether it comes and goes.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub flaps: bool,
    /// The check that it stands on, and that explains its failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// What people were told of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub told: Option<Told>,
    /// When it was started again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub restarts: Vec<i64>,
    /// What the check itself remembers.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub memo: Value,
}

/// What people were told of a check.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Told {
    /// How bad it was.
    pub level: Level,
    /// When it was first told.
    pub first: i64,
    /// When it was last told.
    pub last: i64,
    /// How many times again.
    pub again: u32,
}

impl State {
    /// What is remembered in a directory. What is wrong with it is answered beside, and never stops anybody.
    pub fn load(dir: &Path) -> (Self, Option<Diagnostic>) {
        let path = dir.join(FILE);
        let fresh = || State { schema: SCHEMA, ..State::default() };
        let told = |cause: String| {
            Diagnostic::new("what was remembered of checks is lost: each begins anew")
                .cause(format!("cannot read `{}`: {cause}", path.display()))
                .hint("messages that wait are in the spool, and are not lost")
        };
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return (fresh(), None),
            Err(error) => return (fresh(), Some(told(system_cause(&error)))),
        };
        let cause = match serde_json::from_slice::<State>(&bytes) {
            Ok(state) if state.schema == SCHEMA => return (state, None),
            Ok(state) => format!("its form is {}, and {SCHEMA} is known here", state.schema),
            Err(error) => error.to_string(),
        };
        let aside = set_aside(&path);
        let told = told(cause);
        match aside {
            Ok(aside) => (fresh(), Some(told.hint(format!("it is kept as `{}`", aside.display())))),
            Err(_) => (fresh(), Some(told)),
        }
    }

    /// What is remembered, to look at: what cannot be read stays where it is.
    pub fn look(dir: &Path) -> Self {
        let read =
            fs::read(dir.join(FILE)).ok().and_then(|bytes| serde_json::from_slice::<State>(&bytes).ok());
        read.filter(|state| state.schema == SCHEMA).unwrap_or_default()
    }

    /// The newest that is remembered, to look at: on the disk, or in memory while that took nothing.
    pub fn newest(places: &Places) -> Self {
        let (kept, aside) = (State::look(&places.monitor()), State::look(&places.aside()));
        if aside.runs > kept.runs { aside } else { kept }
    }

    /// Writes it.
    ///
    /// # Errors
    /// Where it cannot be.
    pub fn save(&self, dir: &Path) -> io::Result<()> {
        replace(&dir.join(FILE), &serde_json::to_vec(self)?)
    }

    /// Shifts every time: the clock was set, and lengths of time must stay what they were. Nothing lies in the future after.
    pub fn shift(&mut self, by: i64, now: i64) {
        let moved = |time: &mut i64| *time = time.saturating_add(by).clamp(0, now);
        for memory in self.checks.values_mut() {
            moved(&mut memory.since);
            moved(&mut memory.asked);
            memory.bad_since.iter_mut().for_each(moved);
            memory.restarts.iter_mut().for_each(moved);
            if let Some(told) = &mut memory.told {
                moved(&mut told.first);
                moved(&mut told.last);
            }
        }
        self.proven.values_mut().for_each(moved);
    }
}

/// Moves a file that cannot be read out of the way, as `.bad-1` and so on; only the last few are kept.
fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let name = |number: u32| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".bad-{number}"));
        PathBuf::from(name)
    };
    let free = (1..SPOILT).find(|number| !name(*number).exists()).unwrap_or(SPOILT);
    fs::rename(path, name(free))?;
    Ok(name(free))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> State {
        let mut state = State { schema: SCHEMA, ..State::default() };
        state.checks.insert("wiki/page".into(), Memory { since: 100, asked: 200, ..Memory::default() });
        state
    }

    #[test]
    fn what_is_truncated_or_spoilt_is_set_aside_and_told() {
        let dir = tempfile::tempdir().unwrap();
        some().save(dir.path()).unwrap();
        assert_eq!(State::load(dir.path()), (some(), None));
        let path = dir.path().join(FILE);
        let whole = fs::read(&path).unwrap();
        for (number, bad) in
            [&whole[..whole.len() / 2], b"", b"\0\0\0", b"{\"schema\":99}"].iter().enumerate()
        {
            fs::write(&path, bad).unwrap();
            let (state, told) = State::load(dir.path());
            assert!(state.checks.is_empty());
            assert!(told.unwrap().message.contains("is lost"));
            assert_eq!(fs::read(dir.path().join(format!("{FILE}.bad-{}", number + 1))).unwrap(), *bad);
        }
    }

    #[test]
    fn times_that_are_shifted_keep_their_distance_and_none_is_to_come() {
        let mut state = some();
        state.shift(1_000, 1_150);
        let memory = &state.checks["wiki/page"];
        assert_eq!((memory.since, memory.asked), (1_100, 1_150));
    }
}
