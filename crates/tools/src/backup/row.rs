//! What is said of backups as records: into a pipe, and from another machine to this one.

use std::path::PathBuf;

use pq_backup::{Failure, Known, Lost, Made, Proven};
use pq_stream::{Diagnostic, Event, Problem};
use serde::{Deserialize, Serialize};

/// One record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Row {
    /// What is expected of the next run of an item.
    Forecast { item: String, size: u64, added: u64, known: bool, target: Option<String> },
    /// The room of a target on the machine, and what may be written so that so many percent stay free.
    Room { target: String, free: u64, size: u64, left: u64, keep: u8 },
    /// How old an item's backup is.
    Backup {
        item: String,
        late: bool,
        unlisted: bool,
        newest: Option<Made>,
        failed: Option<Failure>,
        proven: Option<Proven>,
    },
    /// How a target is.
    Target { target: String, known: Option<Known> },
    /// A backup that there is.
    Set { item: String, set: String, time: String, size: u64, dumps: usize, complete: bool },
    /// A file in a backup.
    Found { path: String, set: String, time: String, size: u64, changed: String, kind: String },
    /// What came back, into a directory of that machine.
    Restored {
        item: String,
        into: PathBuf,
        set: String,
        time: String,
        files: u64,
        bytes: u64,
        dumps: Vec<PathBuf>,
        missing: Vec<String>,
        failed: Vec<String>,
    },
    /// What was copied.
    Copied { target: String, sets: usize },
    /// What was forgotten of an item, or would be.
    Forgotten {
        item: String,
        target: String,
        stay: usize,
        gone: Vec<String>,
        unfinished: usize,
        only_looked: bool,
    },
    /// What was proven.
    Rehearsed { item: String, time: String, proven: Proven },
    /// What was exchanged: an item has what itself, or another, had.
    Placed {
        item: String,
        of: String,
        time: String,
        before: String,
        databases: Vec<String>,
        kept: Vec<PathBuf>,
    },
    /// What a rebuild brought back.
    Rebuilt { item: String, time: String, databases: Vec<String> },
    /// What was fetched of a peer's repository, or would be; what it has no more, and what of that went here.
    Pulled { peer: String, files: usize, bytes: u64, missing: usize, expired: usize, only_looked: bool },
    /// How what is kept of a peer is.
    Peer {
        peer: String,
        late: bool,
        pulled: Option<String>,
        newest: Option<String>,
        snapshots: u64,
        files: u64,
        bytes: u64,
        missing: usize,
        refused: usize,
        lost: Option<Lost>,
        failed: Option<Failure>,
    },
    /// The recovery kit that was written.
    Kit { files: Vec<PathBuf>, targets: Vec<String> },
}

impl Row {
    /// Whether nobody could go on without it: a quiet command says it too.
    pub fn is_answer(&self) -> bool {
        matches!(self, Row::Restored { .. })
    }

    /// Whether it is shown in a table with others like it, or behind one.
    pub fn is_of_a_table(&self) -> bool {
        use Row::{Backup, Forecast, Found, Peer, Room, Set, Target};
        matches!(
            self,
            Forecast { .. }
                | Room { .. }
                | Backup { .. }
                | Target { .. }
                | Peer { .. }
                | Set { .. }
                | Found { .. }
        )
    }
}

/// A record of a machine, as it goes into a pipe.
#[derive(Debug, Serialize)]
pub(super) struct OfHost<'a> {
    #[serde(flatten)]
    pub row: &'a Row,
    pub host: &'a str,
}

/// What a machine says to another one that asked it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Afar {
    Word(Word),
    Row(Box<Row>),
}

/// What is no record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Word {
    /// How far it is.
    Progress { what: String, part: f64 },
    /// Something ended.
    Event(Event),
    /// Something worth knowing.
    Note { note: String },
    /// Something is wrong.
    Wrong(Problem),
}

/// An error as it travels: without the place in a file, which is of another machine.
pub(super) fn problem(of: &Diagnostic) -> Problem {
    let place = of.place.as_ref().map(ToString::to_string);
    let causes = place.into_iter().chain(of.causes.iter().cloned()).collect();
    Problem { message: of.message.clone(), causes, hints: of.hints.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_machine_says_is_heard_as_it_was_meant() {
        let rows = [
            Afar::Row(Box::new(Row::Copied { target: "away".into(), sets: 2 })),
            Afar::Row(Box::new(Row::Backup {
                item: "wiki".into(),
                late: true,
                unlisted: false,
                newest: None,
                failed: None,
                proven: Some(Proven { seconds: 4, ..Proven::default() }),
            })),
            Afar::Word(Word::Progress { what: "wiki".into(), part: 0.5 }),
            Afar::Word(Word::Wrong(Problem {
                message: "gone".into(),
                causes: vec![],
                hints: vec!["look".into()],
            })),
        ];
        for said in rows {
            let line = serde_json::to_string(&said).unwrap();
            assert_eq!(serde_json::from_str::<Afar>(&line).unwrap(), said, "{line}");
        }
        assert!(serde_json::from_str::<Afar>(r#"{"type":"hello"}"#).is_err());
    }
}
