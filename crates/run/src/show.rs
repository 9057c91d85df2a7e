//! Shows what happens: as records for the next tool, or as text for people.

use std::io::{self, Write};
use std::time::Duration;

use pq_cli::{Form, printable};
use pq_stream::{Counts, Difference, End, Event, Outcome, Problem, Record, Run, Writer};

use crate::host::{Mode, Verdict};
use crate::live::Live;
use crate::tell::in_words;

const BOLD: &str = "\u{1b}[1m";
const DIM: &str = "\u{1b}[2m";
const RED: &str = "\u{1b}[31m";
const GREEN: &str = "\u{1b}[32m";
const YELLOW: &str = "\u{1b}[33m";
const CYAN: &str = "\u{1b}[36m";
const PLAIN: &str = "\u{1b}[0m";

/// Where records or text go. A closed pipe ends the telling, never the work.
pub struct Show {
    form: Form,
    verbose: bool,
    mode: Mode,
    out: Option<Box<dyn Write>>,
    live: Live,
    lost: Option<io::Error>,
}

impl Show {
    /// Shows in `form` on standard output; `steps` are to be told of.
    pub fn new(form: Form, verbose: bool, mode: Mode, steps: usize) -> Self {
        let out: Box<dyn Write> = match form {
            Form::Json => Box::new(io::stdout()),
            Form::Text => Box::new(anstream::stdout()),
        };
        Show { form, verbose, mode, out: Some(out), live: Live::new(form, steps), lost: None }
    }

    /// Something happens to a step, whether or not it is its machine's turn to be shown.
    pub fn live(&mut self, host: &str, event: &Event) {
        self.live.event(host, event);
    }

    /// Writes something to people that stays, above what is at work.
    pub fn above<T>(&self, write: impl FnOnce() -> T) -> T {
        self.live.above(write)
    }

    /// The stream's first line.
    pub fn run(&mut self, run: &Run) {
        if self.form == Form::Json {
            self.record(&Record::Run(run.clone()));
        }
    }

    /// A machine begins; its records are passed on.
    pub fn host(&mut self, host: &str, lines: &[String]) {
        match self.form {
            Form::Json => lines.iter().for_each(|line| self.line(line)),
            Form::Text => self.line(&format!("{BOLD}{host}{PLAIN}")),
        }
    }

    /// Something happened to a step.
    pub fn event(&mut self, event: &Event) {
        match self.form {
            Form::Json => self.record(&Record::Event(event.clone())),
            Form::Text => {
                if let Some(text) = self.event_text(event) {
                    self.line(&text);
                }
            }
        }
    }

    /// A machine's verdict.
    pub fn verdict(&mut self, host: &str, verdict: Verdict, time: Duration) {
        let (counts, status) = (Some(verdict.counts), verdict.status);
        match self.form {
            Form::Json => {
                self.record(&Record::End(End { host: Some(host.to_owned()), hosts: None, status, counts }))
            }
            Form::Text => self.line(&self.recap(host, verdict.counts, time)),
        }
    }

    /// A machine without a verdict, and why in a word.
    pub fn unfinished(&mut self, host: &str, verdict: Verdict, word: &str) {
        let Verdict { counts, status } = verdict;
        match self.form {
            Form::Json => {
                let counts = Some(counts).filter(|counts| *counts != Counts::default());
                self.record(&Record::End(End { host: Some(host.to_owned()), hosts: None, status, counts }));
            }
            Form::Text => self.line(&format!("{RED}{host}: {word}{PLAIN}")),
        }
    }

    /// Several machines are over; those where not all is well are named once more.
    pub fn hosts(&mut self, count: usize, others: &[(String, &str)]) {
        if self.form == Form::Json {
            return;
        }
        let well = count.saturating_sub(others.len());
        let mut text = format!("{BOLD}{count} hosts{PLAIN}: {well} well");
        for (host, word) in others {
            let colour = if *word == "differs" { YELLOW } else { RED };
            text.push_str(&format!(", {colour}{host}{PLAIN} {word}"));
        }
        self.line(&text);
    }

    /// The stream's last line.
    pub fn end(&mut self, end: End) {
        self.live.end();
        if self.form == Form::Json {
            self.record(&Record::End(end));
        }
    }

    /// Why not all could be told; a reader that has seen enough is no reason.
    pub fn lost(&self) -> Option<&io::Error> {
        self.lost.as_ref()
    }

    fn record(&mut self, record: &Record) {
        let Some(out) = &mut self.out else { return };
        let mut buffer = Vec::new();
        let written = Writer::new(&mut buffer).write(record).and_then(|()| out.write_all(&buffer));
        self.closed_on_error(written);
    }

    fn line(&mut self, text: &str) {
        let Some(out) = &mut self.out else { return };
        let written = self.live.above(|| writeln!(out, "{text}").and_then(|()| out.flush()));
        self.closed_on_error(written);
    }

    fn closed_on_error(&mut self, written: io::Result<()>) {
        let Err(error) = written else { return };
        self.out = None;
        if error.kind() != io::ErrorKind::BrokenPipe {
            self.lost = Some(error);
        }
    }

    fn event_text(&self, event: &Event) -> Option<String> {
        let (colour, word) = match event.outcome {
            Outcome::Ok if self.verbose => (DIM, "ok"),
            Outcome::Unknown if self.verbose => (DIM, "unknown"),
            Outcome::NotReached if self.verbose => (DIM, "not reached"),
            Outcome::Ok | Outcome::Started | Outcome::Unknown | Outcome::NotReached => return None,
            Outcome::Changed => (YELLOW, "changed"),
            Outcome::Kept => (CYAN, "kept"),
            Outcome::Reported => (CYAN, "reported"),
            Outcome::Differs => (YELLOW, "differs"),
            Outcome::Failed => (RED, "failed"),
        };
        let mut text = format!("  {colour}{word:11}{PLAIN} {:32} {}", event.id, printable(&event.title));
        if let Some(ms) = event.ms.filter(|ms| *ms >= 100) {
            text.push_str(&format!(" {DIM}({:.1} s){PLAIN}", Duration::from_millis(ms).as_secs_f64()));
        }
        if event.outcome == Outcome::Changed && self.mode == Mode::Apply && !self.verbose {
            // What goes is always named.
            event
                .differences
                .iter()
                .filter(|it| it.goes())
                .for_each(|it| text.push_str(&difference_text(it)));
        }
        if self.mode == Mode::Check || self.verbose || event.outcome == Outcome::Reported {
            event.differences.iter().for_each(|difference| text.push_str(&difference_text(difference)));
        }
        if let Some(problem) = &event.problem {
            text.push_str(&problem_text(problem, event.outcome));
        }
        Some(text)
    }

    fn recap(&self, host: &str, counts: Counts, time: Duration) -> String {
        let Counts { ok, changed, kept, reported, differs, unknown, failed, not_reached } = counts;
        let mut parts = vec![format!("{ok} ok")];
        let mut part = |colour: &str, count: usize, words: &str, always: bool| {
            if count > 0 {
                parts.push(format!("{colour}{count} {words}{PLAIN}"));
            } else if always {
                parts.push(format!("{count} {words}"));
            }
        };
        part(YELLOW, changed, "changed", self.mode == Mode::Apply);
        part(YELLOW, differs, "differ", self.mode == Mode::Check);
        part(DIM, unknown, "not known yet", false);
        part(CYAN, kept, "kept", false);
        part(CYAN, reported, "only reported", false);
        part(RED, failed, "failed", false);
        part(RED, not_reached, "not reached", false);
        let colour = if failed > 0 { RED } else { GREEN };
        format!("{colour}{host}{PLAIN}: {} {DIM}({:.2} s){PLAIN}", parts.join(", "), time.as_secs_f64())
    }
}

fn difference_text(difference: &Difference) -> String {
    let Some(diff) = difference.diff.as_deref().map(printable) else {
        return format!("\n      {}", printable(&in_words(difference)).replace('\n', "\n        "));
    };
    let coloured = diff.lines().map(|line| match line.as_bytes().first() {
        Some(b'+') => format!("\n      {GREEN}{line}{PLAIN}"),
        Some(b'-') => format!("\n      {RED}{line}{PLAIN}"),
        Some(b'@') => format!("\n      {CYAN}{line}{PLAIN}"),
        _ => format!("\n      {line}"),
    });
    coloured.collect()
}

fn problem_text(problem: &Problem, outcome: Outcome) -> String {
    let label = match outcome {
        // What is kept is as it should be.
        Outcome::Kept => format!("{CYAN}note:{PLAIN}"),
        _ => format!("{RED}error:{PLAIN}"),
    };
    let mut text = format!("\n      {label} {}", printable(&problem.message).replace('\n', "\n        "));
    for cause in &problem.causes {
        text.push_str(&format!("\n      cause: {}", printable(cause).replace('\n', "\n        ")));
    }
    for hint in &problem.hints {
        text.push_str(&format!(
            "\n      {GREEN}hint:{PLAIN} {}",
            printable(hint).replace('\n', "\n        ")
        ));
    }
    text
}
