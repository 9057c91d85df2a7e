//! Tells what happened to a step, without secrets.

use pq_stream::{Diagnostic, Difference, Event, Outcome, Problem};

use crate::host::{HostRun, Progress};
use crate::work::Planned;

impl HostRun<'_> {
    /// Tells something that belongs to no step.
    pub(crate) fn note_of(&mut self, diagnostic: &Diagnostic) {
        let Diagnostic { message, causes, hints, .. } = diagnostic;
        let words = [message].into_iter().chain(causes).chain(hints).map(|it| self.redactor.redact(it));
        let words = words.collect::<Vec<_>>().join("; ");
        self.told.note(&words);
    }

    /// Tells what is worth knowing of a step in sync; whether there was something.
    pub(crate) fn notice(&mut self, planned: &Planned) -> bool {
        let told = match planned.step.converge().notice(&*self.machine) {
            Ok(None) => return false,
            Ok(Some(told)) => told,
            Err(error) => error.into_diagnostic(),
        };
        self.note_of(&told);
        true
    }

    /// Counts what became of a step, and tells it.
    pub(crate) fn event(
        &mut self,
        planned: &Planned,
        progress: &mut Progress,
        outcome: Outcome,
        differences: Vec<Difference>,
        diagnostic: Option<Diagnostic>,
        ms: Option<u64>,
    ) {
        progress.counts.add(outcome);
        let clean = |text: String| self.redactor.redact(&text);
        let problem = diagnostic.map(|diagnostic| Problem {
            message: clean(diagnostic.message),
            causes: diagnostic.causes.into_iter().map(clean).collect(),
            hints: diagnostic.hints.into_iter().map(clean).collect(),
        });
        let differences = differences
            .into_iter()
            .map(|it| Difference {
                what: it.what,
                is: it.is.map(clean),
                want: it.want.map(clean),
                diff: it.diff.map(clean),
            })
            .collect();
        let Planned { record, .. } = planned;
        let (host, id, title) = (record.host.clone(), record.id.clone(), record.title.clone());
        self.told.event(&Event { host, id, title, outcome, differences, problem, ms });
    }
}

/// A text as an answer may hold it: short, and without a character that a terminal would obey.
pub(crate) fn short(text: &str) -> String {
    let mut short = String::new();
    for c in pq_cli::printable(&text.replace(['\n', '\t'], " ")).chars() {
        if short.len() + c.len_utf8() > 480 {
            short.push('…');
            break;
        }
        short.push(c);
    }
    short
}

/// A difference in a few words.
pub fn in_words(difference: &Difference) -> String {
    match (&difference.is, &difference.want) {
        (Some(is), Some(want)) => format!("{} is {is}, wanted {want}", difference.what),
        (Some(is), None) => format!("{} is {is}", difference.what),
        (None, Some(want)) => format!("{}: wanted {want}", difference.what),
        (None, None) => format!("{} differs", difference.what),
    }
}
