//! How everything is, as it was last seen: for tables, records, pages and programs. Nothing is asked, nothing is written.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::message::utc;
use crate::plan::Watched;
use crate::setup::Setup;
use crate::spool::Spool;
use crate::state::{Memory, State};
use crate::{Answer, Level};

/// A check, as it was last seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// Its whole name.
    pub id: String,
    /// Whose it is.
    pub owner: String,
    /// What it is, for people.
    pub about: String,
    /// Which kind it is: `http`, `unit`; `monitor` for what the monitor says of itself.
    pub kind: String,
    /// What is remembered of it; nothing where it was never asked.
    pub memory: Option<Memory>,
}

/// A check as a record.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Row {
    /// Always `check`.
    #[serde(rename = "type")]
    pub record: Cow<'static, str>,
    /// The machine.
    pub host: String,
    /// The check.
    pub check: String,
    /// What it is.
    pub target: String,
    /// How it is: `ok`, `unknown`, `warning`, `critical`; nothing where it was never asked.
    pub status: Option<Level>,
    /// What counts, behind the damping.
    pub counts: Option<Level>,
    /// The cause in a word.
    pub code: String,
    /// Since when what counts counts, in UTC.
    pub since: Option<String>,
    /// When it was asked, in UTC.
    pub asked: Option<String>,
    /// What was measured.
    pub value: Option<f64>,
    /// In which unit.
    pub unit: String,
    /// For people.
    pub message: String,
    /// What helps.
    pub hint: Option<String>,
    /// What explains it.
    pub because: Option<String>,
    /// How long it took.
    pub ms: u64,
}

/// How everything is.
#[derive(Debug)]
pub struct View {
    /// The machine.
    pub host: String,
    /// Each check, by name.
    pub checks: Vec<Seen>,
    /// When the last run ended.
    pub at: i64,
    /// How many messages wait.
    pub waiting: usize,
}

/// How everything was when it was last seen.
pub fn view(setup: &Setup) -> View {
    let dir = setup.places.monitor();
    let state = State::newest(&setup.places);
    let seen = |watched: &Watched| Seen {
        id: watched.id.clone(),
        owner: watched.owner.clone(),
        about: watched.about.clone(),
        kind: watched.probe.as_ref().map_or("monitor", |probe| probe.kind()).to_owned(),
        memory: state.checks.get(&watched.id).filter(|it| it.asked > 0).cloned(),
    };
    let waiting = Spool::new(&dir).count();
    View { host: setup.host.clone(), checks: setup.plan.iter().map(seen).collect(), at: state.at, waiting }
}

impl View {
    /// The worst that counts.
    pub fn worst(&self) -> Level {
        self.checks
            .iter()
            .filter_map(|it| it.memory.as_ref())
            .map(|it| it.level.max(it.last.level))
            .max()
            .unwrap_or_default()
    }

    /// How many checks are at a level, by their last answer.
    pub fn count(&self, level: Level) -> usize {
        self.checks.iter().filter(|it| it.memory.as_ref().is_some_and(|it| it.last.level == level)).count()
    }

    /// Each check as a record.
    pub fn rows(&self) -> Vec<Row> {
        let row = |seen: &Seen| {
            let memory = seen.memory.as_ref();
            let answer = memory.map(|it| it.last.clone()).unwrap_or_default();
            let Answer { code, message, hint, value, unit, ms, .. } = answer;
            Row {
                record: "check".into(),
                host: self.host.clone(),
                check: seen.id.clone(),
                target: seen.about.clone(),
                status: memory.map(|it| it.last.level),
                counts: memory.map(|it| it.level),
                code,
                since: memory.map(|it| utc(it.since)),
                asked: memory.map(|it| utc(it.asked)),
                value,
                unit,
                message,
                hint,
                because: memory.and_then(|it| it.because.clone()),
                ms,
            }
        };
        self.checks.iter().map(row).collect()
    }
}
