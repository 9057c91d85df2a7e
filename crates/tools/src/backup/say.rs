//! What is said while backups are at work: progress on a terminal, text for people, records for the next tool, and records for a machine
//! that asked this one, which says them in its own way.

use std::io::{IsTerminal as _, Write as _, stderr, stdout};
use std::time::{Duration, Instant};

use pq_backup::{Copied, Forgotten, Placed, Pulled, Rehearsed, Restored, Teller, What, Written};
use pq_cli::{Failure, Form, printable, report, tell, tool_name};
use pq_stream::{Diagnostic, End, Event, Outcome, Record, Status, Writer};
use serde::Serialize;

use super::row::{OfHost, Row, Word, problem};
use super::shown::{self, day};
use crate::upkeep::{nobodys_run, this_host};

/// How often the line on a terminal moves.
const TICK: Duration = Duration::from_millis(200);

/// To whom it is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mouth {
    /// Who called.
    Here(Form),
    /// A machine that asked this one.
    Afar,
}

/// Says it.
pub(super) struct Voice {
    mouth: Mouth,
    quiet: bool,
    live: bool,
    last: Option<Instant>,
    host: String,
    /// What stands in a table, which is shown when it is whole.
    kept: Vec<(Option<String>, Row)>,
    /// Why what was said was not heard.
    lost: Option<Failure>,
}

impl Voice {
    /// In this form; a quiet one says only what is wrong.
    pub fn new(form: Form, quiet: bool) -> Self {
        Voice::of(Mouth::Here(form), quiet)
    }

    /// To somebody; a quiet one says only what is wrong.
    pub fn of(mouth: Mouth, quiet: bool) -> Self {
        let live = match mouth {
            Mouth::Here(Form::Text) => !quiet && stderr().is_terminal(),
            Mouth::Here(Form::Json) => false,
            Mouth::Afar => !quiet,
        };
        let host = this_host().host;
        Voice { mouth, quiet, live, last: None, host, kept: Vec::new(), lost: None }
    }

    /// The stream begins.
    pub fn begin(&mut self, host: &str) -> Result<(), Failure> {
        if self.mouth == Mouth::Here(Form::Json) && !self.quiet {
            let mut host_record = this_host();
            host.clone_into(&mut host_record.host);
            self.record(&Record::Run(nobodys_run()))?;
            self.record(&Record::Host(host_record))?;
        }
        Ok(())
    }

    /// The stream ends.
    pub fn end(&mut self, host: &str, status: Status) -> Result<(), Failure> {
        self.over();
        if self.mouth == Mouth::Here(Form::Json) && !self.quiet {
            let end = |host, hosts| Record::End(End { host, hosts, status, counts: None });
            self.record(&end(Some(host.to_owned()), None))?;
            self.record(&end(None, Some(1)))?;
        }
        Ok(())
    }

    /// Takes the line on a terminal away.
    pub fn over(&mut self) {
        if self.last.take().is_some() && self.mouth != Mouth::Afar {
            tell("\r\u{1b}[K");
        }
    }

    /// Shows the tables, or that there is nothing in them.
    ///
    /// # Errors
    /// Where what was said is not heard.
    pub fn close(&mut self, nothing: &str) -> Result<(), Failure> {
        self.over();
        if self.mouth == Mouth::Here(Form::Text) {
            let text = shown::tables(&self.kept);
            let text = if text.is_empty() { nothing } else { &text };
            stdout().write_all(printable(text).as_bytes()).map_err(|error| Failure::output(&error))?;
        }
        self.lost.take().map_or(Ok(()), Err)
    }

    /// A record.
    pub fn row(&mut self, row: Row) {
        self.over();
        if self.quiet && !row.is_answer() {
            return;
        }
        match self.mouth {
            Mouth::Here(Form::Text) if row.is_of_a_table() => self.kept.push((None, row)),
            Mouth::Here(Form::Text) => {
                let (lines, beside) = shown::line(None, &row);
                let _ = stdout().write_all(printable(&lines).as_bytes());
                if !self.quiet {
                    tell(&printable(&beside));
                }
            }
            Mouth::Here(Form::Json) => {
                let line = serde_json::to_string(&OfHost { host: &self.host, row: &row });
                self.line(line.unwrap_or_default());
            }
            Mouth::Afar => self.afar(&row),
        }
    }

    /// What was copied.
    pub fn copied(&mut self, copied: &[Copied]) {
        for it in copied {
            self.row(Row::Copied { target: it.target.clone(), sets: it.sets });
        }
    }

    /// What was forgotten, or would be.
    pub fn forgotten(&mut self, gone: &[Forgotten], only_looked: bool) {
        for it in gone {
            let whole = it.gone.iter().filter(|set| set.is_whole());
            self.row(Row::Forgotten {
                item: it.item.clone(),
                target: it.target.clone(),
                stay: it.stay,
                gone: whole.map(|set| day(&set.time).to_owned()).collect(),
                unfinished: it.gone.iter().filter(|set| !set.is_whole()).count(),
                only_looked,
            });
        }
    }

    /// What was proven.
    pub fn rehearsed(&mut self, it: &Rehearsed) {
        if it.wrong.is_empty() {
            let (item, time) = (it.item.clone(), it.time.clone());
            self.row(Row::Rehearsed { item, time, proven: it.proven.clone() });
        }
        it.wrong.iter().for_each(|wrong| self.wrong(wrong));
    }

    /// What came back.
    pub fn restored(&mut self, item: &str, it: &Restored) {
        self.row(Row::Restored {
            item: item.to_owned(),
            into: it.into.clone(),
            set: it.set.clone(),
            time: it.time.clone(),
            files: it.files,
            bytes: it.bytes,
            dumps: it.dumps.clone(),
            missing: it.missing.clone(),
            failed: it.failed.iter().map(ToString::to_string).collect(),
        });
        for missing in &it.missing {
            self.note(&format!("was missing already when it was backed up: {missing}"));
        }
        it.failed.iter().for_each(|wrong| self.wrong(wrong));
    }

    /// What was exchanged.
    pub fn placed(&mut self, what: &What, other: Option<&str>, it: &Placed) {
        self.row(Row::Placed {
            item: other.unwrap_or(&what.item).to_owned(),
            of: what.item.clone(),
            time: it.time.clone(),
            before: it.before.clone(),
            databases: it.databases.clone(),
            kept: it.kept.clone(),
        });
        let apart = match (what.database_only, what.files_only || !what.paths.is_empty()) {
            (true, _) => Some("its database is of that time, its files are as they were until now"),
            (_, true) => Some("its files are of that time, its database is as it was until now"),
            _ => None,
        };
        if let Some(words) = apart {
            self.note(&format!("`{}`: {words}: they may not fit together", what.item));
        }
        it.failed.iter().for_each(|wrong| self.wrong(wrong));
    }

    /// What came back into its place.
    pub fn rebuilt(&mut self, item: &str, it: &Placed) {
        let (time, databases) = (it.time.clone(), it.databases.clone());
        self.row(Row::Rebuilt { item: item.to_owned(), time, databases });
    }

    /// The recovery kit that was written.
    pub fn kit(&mut self, it: &Written) {
        self.row(Row::Kit { files: it.files.clone(), targets: it.targets.clone() });
        it.failed.iter().for_each(|wrong| self.wrong(wrong));
    }

    /// What was fetched of peers, or would be.
    pub fn pulled(&mut self, pulled: &[Pulled], only_looked: bool) {
        for it in pulled {
            let (peer, files, bytes) = (it.peer.clone(), it.files, it.bytes);
            let (missing, expired) = (it.missing, it.expired);
            self.row(Row::Pulled { peer, files, bytes, missing, expired, only_looked });
        }
    }

    fn afar(&mut self, what: &impl Serialize) {
        self.line(serde_json::to_string(what).unwrap_or_default());
    }

    fn line(&mut self, line: String) {
        if let Err(error) = writeln!(stdout(), "{line}") {
            self.lost.get_or_insert(Failure::output(&error));
        }
    }

    fn record(&self, record: &Record) -> Result<(), Failure> {
        let mut out = stdout().lock();
        Writer::new(&mut out).write(record).map_err(|error| Failure::output(&error))
    }
}

/// How far something is, for a terminal.
pub(super) fn progress(what: &str, part: f64) -> String {
    let part = if part > 0.0 { format!(" {:.0} %", part.min(1.0) * 100.0) } else { String::new() };
    format!("\r\u{1b}[K  {}{part}", printable(what))
}

/// Something that ended, for people.
pub(super) fn ended(event: &Event) -> String {
    let item = event.id.split('/').next().unwrap_or_default();
    let word = if event.outcome == Outcome::Failed { "failed" } else { "ok" };
    let seconds = event.ms.map_or(String::new(), |ms| format!(", {:.1} s", ms as f64 / 1000.0));
    format!("{word:6}  {}: {}{seconds}", printable(item), printable(&event.title))
}

impl Teller for Voice {
    fn progress(&mut self, what: &str, part: f64) {
        let often = if self.mouth == Mouth::Afar { 5 * TICK } else { TICK };
        if !self.live || self.last.is_some_and(|last| last.elapsed() < often) {
            return;
        }
        self.last = Some(Instant::now());
        match self.mouth {
            Mouth::Afar => self.afar(&Word::Progress { what: what.to_owned(), part }),
            Mouth::Here(_) => tell(&progress(what, part)),
        }
    }

    fn event(&mut self, event: Event) {
        self.over();
        if self.quiet {
            return;
        }
        match self.mouth {
            Mouth::Afar => self.afar(&Word::Event(event)),
            // Who does not listen any more is no reason to stop a backup.
            Mouth::Here(Form::Json) => drop(self.record(&Record::Event(event))),
            Mouth::Here(Form::Text) => drop(writeln!(stdout(), "{}", ended(&event))),
        }
    }

    fn note(&mut self, note: &str) {
        self.over();
        match self.mouth {
            _ if self.quiet => {}
            Mouth::Afar => self.afar(&Word::Note { note: note.to_owned() }),
            Mouth::Here(_) => tell(&format!("{}: note: {}\n", tool_name(), printable(note))),
        }
    }

    fn wrong(&mut self, diagnostic: &Diagnostic) {
        self.over();
        match self.mouth {
            Mouth::Afar => self.afar(&Word::Wrong(problem(diagnostic))),
            Mouth::Here(_) => report(diagnostic),
        }
    }
}
