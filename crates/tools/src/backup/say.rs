//! What is said while backups are at work: progress on a terminal, text for people, records for the next tool.

use std::io::{IsTerminal as _, Write as _, stderr, stdout};
use std::time::{Duration, Instant};

use pq_backup::{Copied, Forgotten, Placed, Rehearsed, Teller, What, Written};
use pq_cli::{Failure, Form, printable, report, tell, tool_name};
use pq_stream::{Diagnostic, End, Event, Outcome, Record, Status, Writer, size};

use super::shown::day;
use crate::upkeep::{counted, nobodys_run, this_host};

/// How often the line on a terminal moves.
const TICK: Duration = Duration::from_millis(200);

/// Says it.
pub(super) struct Voice {
    form: Form,
    quiet: bool,
    live: bool,
    last: Option<Instant>,
}

impl Voice {
    /// In this form; a quiet one says only what is wrong.
    pub fn new(form: Form, quiet: bool) -> Self {
        let live = !quiet && form == Form::Text && stderr().is_terminal();
        Voice { form, quiet, live, last: None }
    }

    /// The stream begins.
    pub fn begin(&mut self, host: &str) -> Result<(), Failure> {
        if self.form == Form::Json && !self.quiet {
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
        if self.form == Form::Json && !self.quiet {
            let end = |host, hosts| Record::End(End { host, hosts, status, counts: None });
            self.record(&end(Some(host.to_owned()), None))?;
            self.record(&end(None, Some(1)))?;
        }
        Ok(())
    }

    /// Takes the line on a terminal away.
    pub fn over(&mut self) {
        if self.last.take().is_some() {
            tell("\r\u{1b}[K");
        }
    }

    /// What was copied.
    pub fn copied(&mut self, copied: &[Copied]) {
        for it in copied {
            self.line(&format!("copied to {}: {}", it.target, counted(it.sets, "backup", "backups")));
        }
    }

    /// What was forgotten, or would be.
    pub fn forgotten(&mut self, gone: &[Forgotten], look: bool) {
        for it in gone {
            let (goes, whole) =
                (if look { "would go" } else { "went" }, it.gone.iter().filter(|set| set.is_whole()));
            let (count, unfinished) =
                (whole.clone().count(), it.gone.iter().filter(|set| !set.is_whole()).count());
            let mut text = format!("{} in {}: {} stay, {count} {goes}", it.item, it.target, it.stay);
            if unfinished > 0 {
                text.push_str(&format!(", and {unfinished} that were never finished"));
            }
            let days: Vec<&str> = whole.map(|set| day(&set.time)).collect();
            if !days.is_empty() {
                text.push_str(&format!(": {}", days.join(", ")));
            }
            self.line(&text);
        }
    }

    /// What was proven.
    pub fn rehearsed(&mut self, it: &Rehearsed) {
        if it.wrong.is_empty() {
            let proven = &it.proven;
            self.line(&format!(
                "{}: the backup of {} was restored in {} s and compared: {}, {}, {}; all of that is gone again",
                it.item,
                day(&it.time),
                proven.seconds,
                counted(usize::try_from(proven.files).unwrap_or(usize::MAX), "entry", "entries"),
                size(proven.bytes),
                counted(usize::try_from(proven.rows).unwrap_or(usize::MAX), "row", "rows"),
            ));
        }
        it.wrong.iter().for_each(|wrong| self.wrong(wrong));
    }

    /// What was exchanged.
    pub fn placed(&mut self, what: &What, other: Option<&str>, it: &Placed) {
        let (time, before) = (day(&it.time), &it.before);
        self.line(&match other {
            None => format!("{} is as of {time} again; what it was until now is backup {before}", what.item),
            Some(other) => {
                format!(
                    "{other} has what {} had on {time}; what it was until now is backup {before}",
                    what.item
                )
            }
        });
        if other.is_some() {
            self.note("its settings may still name the other: `pq-instance --apply` puts back its own");
        }
        it.databases.iter().for_each(|words| self.line(&format!("back: {words}")));
        it.kept.iter().for_each(|path| self.line(&format!("kept: {}", path.display())));
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
        let databases = if it.databases.is_empty() {
            String::new()
        } else {
            format!(", with {}", it.databases.join(", "))
        };
        self.line(&format!("{item}: as of {}{databases}", day(&it.time)));
    }

    /// The recovery kit that was written.
    pub fn kit(&mut self, it: &Written) {
        it.files.iter().for_each(|path| self.line(&path.display().to_string()));
        self.note(&format!("it opens {}; keep it where this machine is not", it.targets.join(", ")));
        it.failed.iter().for_each(|wrong| self.wrong(wrong));
    }

    /// A line for people.
    fn line(&mut self, text: &str) {
        self.over();
        if self.quiet {
            return;
        }
        let text = printable(text);
        match self.form {
            Form::Text => drop(writeln!(stdout(), "{text}")),
            Form::Json => tell(&format!("{}: note: {text}\n", tool_name())),
        }
    }

    fn record(&self, record: &Record) -> Result<(), Failure> {
        let mut out = stdout().lock();
        Writer::new(&mut out).write(record).map_err(|error| Failure::output(&error))
    }
}

impl Teller for Voice {
    fn progress(&mut self, what: &str, part: f64) {
        if !self.live || self.last.is_some_and(|last| last.elapsed() < TICK) {
            return;
        }
        self.last = Some(Instant::now());
        let part = if part > 0.0 { format!(" {:.0} %", part.min(1.0) * 100.0) } else { String::new() };
        tell(&format!("\r\u{1b}[K  {}{part}", printable(what)));
    }

    fn event(&mut self, event: Event) {
        self.over();
        if self.quiet {
            return;
        }
        if self.form == Form::Json {
            // Who does not listen any more is no reason to stop a backup.
            let _ = self.record(&Record::Event(event));
            return;
        }
        let item = event.id.split('/').next().unwrap_or_default();
        let word = if event.outcome == Outcome::Failed { "failed" } else { "ok" };
        let seconds = event.ms.map_or(String::new(), |ms| format!(", {:.1} s", ms as f64 / 1000.0));
        let _ = writeln!(stdout(), "{word:6}  {item}: {}{seconds}", printable(&event.title));
    }

    fn note(&mut self, note: &str) {
        self.over();
        if !self.quiet {
            tell(&format!("{}: note: {}\n", tool_name(), printable(note)));
        }
    }

    fn wrong(&mut self, diagnostic: &Diagnostic) {
        self.over();
        report(diagnostic);
    }
}
