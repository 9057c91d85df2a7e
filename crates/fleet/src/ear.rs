//! What is told of a machine's run: on this one as it happens, of another one as far as it can be true.

use std::time::Duration;

use pq_cli::Failure;
use pq_run::Told;
use pq_stream::{Diagnostic, Event, Redactor, Status};

use crate::ending::Ending;
use crate::line::Hears;
use crate::said::Said;
use crate::stage::Heard;
use crate::tally::{Tally, shown};
use crate::visitor::Visitor;

/// A failure before any step.
pub fn of_failure(failure: Failure) -> Ending {
    let (status, why) = match failure {
        Failure::Because(status, why) => (status, why),
        Failure::Told(status) => (status, Vec::new()),
        Failure::ClosedPipe => (Status::Failed, Vec::new()),
    };
    Ending { status, word: if status == Status::Busy { "busy" } else { "failed" }, why }
}

/// Says what happens on this machine.
pub struct Says<'a>(pub &'a mut dyn FnMut(Heard));

impl Told for Says<'_> {
    fn event(&mut self, event: &Event) {
        (self.0)(Heard::Event(event.clone()));
    }

    fn note(&mut self, note: &str) {
        (self.0)(Heard::Note(note.to_owned()));
    }

    fn come_in_anew(&mut self, within: Duration) {
        let seconds = within.as_secs();
        self.note(&format!(
            "log in to this machine from another terminal within {seconds} s, and leave this one open: \
             else what was done to the way in is undone"
        ));
    }
}

/// Hears what happens on another.
pub struct Ear<'a> {
    /// What it has said, held against its plan.
    pub tally: Tally<'a>,
    /// Takes the host's secrets out of it.
    pub redactor: &'a Redactor,
    /// Who is told.
    pub say: &'a mut dyn FnMut(Heard),
    /// Why nothing was looked at or changed, where it said so.
    pub refused: Option<Ending>,
    /// Comes in by a new connection.
    pub visitor: Visitor,
}

impl Hears for Ear<'_> {
    fn hear(&mut self, said: Said) -> Result<bool, String> {
        match said {
            Said::Event(event) => {
                let event = self.tally.take(event, self.redactor)?;
                (self.say)(Heard::Event(event));
                Ok(false)
            }
            Said::Note { note } => {
                let note: String = self.redactor.redact(&note).chars().take(400).collect();
                (self.say)(Heard::Note(note));
                Ok(false)
            }
            Said::ComeIn { seconds } => {
                self.visitor.come_in(Duration::from_secs(seconds));
                Ok(false)
            }
            Said::Refused { status, problems } => {
                let why = problems.into_iter().take(10).map(|problem| {
                    let problem = shown(problem, self.redactor);
                    Diagnostic {
                        message: format!("host `{}`: {}", self.tally.host(), problem.message),
                        place: None,
                        causes: problem.causes,
                        hints: problem.hints,
                    }
                });
                let failure = Failure::Because(status.max(Status::Busy), why.collect());
                self.refused = Some(of_failure(failure));
                Ok(true)
            }
            Said::End(_) => Ok(true),
            _ => Err("it speaks out of turn".to_owned()),
        }
    }

    fn at_work(&self) -> Option<String> {
        self.tally.at_work().map(str::to_owned)
    }
}
