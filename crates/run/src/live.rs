//! What is at work, on a terminal: the step, since when, and how many steps are left.
//!
//! It is a last line that goes away; everything that stays is written above it.

use std::io::{IsTerminal, stderr};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pq_cli::{Form, printable};
use pq_stream::{Event, Outcome};

/// How often the line moves.
const TICK: Duration = Duration::from_millis(120);

/// What is said between two changes.
const LOOKING: &str = "looking;";

/// The line, where a person looks on.
pub struct Live {
    wanted: bool,
    line: Option<ProgressBar>,
    left: usize,
    /// The host and step that are named.
    named: Option<(String, String)>,
}

impl Live {
    /// A line for so many steps; none where standard error is no terminal, or records are wanted.
    pub fn new(form: Form, steps: usize) -> Self {
        let wanted = form == Form::Text && stderr().is_terminal();
        Live { wanted, line: None, left: steps, named: None }
    }

    /// The line, from the first event on: before it, somebody may be asked for a password.
    fn line(&mut self) -> Option<&ProgressBar> {
        if self.wanted && self.line.is_none() {
            let line = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            // A template that cannot be read would be a mistake of ours: the plain one does then.
            let style = ProgressStyle::with_template("  {spinner} {msg} {elapsed}, {prefix}")
                .unwrap_or_else(|_| ProgressStyle::default_spinner());
            line.set_style(style);
            line.set_message(LOOKING);
            line.set_prefix(self.words());
            line.enable_steady_tick(TICK);
            self.line = Some(line);
        }
        self.line.as_ref()
    }

    /// Something happened to a step of a host.
    pub fn event(&mut self, host: &str, event: &Event) {
        let step = (host.to_owned(), event.id.clone());
        if event.outcome == Outcome::Started {
            if let Some(line) = self.line() {
                line.reset_elapsed();
                line.set_message(format!("{}: {};", event.id, printable(&event.title)));
            }
            self.named = Some(step);
            return;
        }
        self.left = self.left.saturating_sub(1);
        if self.named.as_ref() == Some(&step) {
            self.named = None;
            if let Some(line) = self.line() {
                line.set_message(LOOKING);
                line.reset_elapsed();
            }
        }
        self.count();
    }

    /// Writes something that stays.
    pub fn above<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.line {
            Some(line) => line.suspend(write),
            None => write(),
        }
    }

    /// Takes the line away.
    pub fn end(&mut self) {
        self.wanted = false;
        if let Some(line) = self.line.take() {
            line.finish_and_clear();
        }
    }

    fn count(&mut self) {
        let words = self.words();
        if let Some(line) = self.line() {
            line.set_prefix(words);
        }
    }

    fn words(&self) -> String {
        format!("{} {} left", self.left, if self.left == 1 { "step" } else { "steps" })
    }
}
