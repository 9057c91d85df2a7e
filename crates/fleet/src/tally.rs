//! Holds what a machine says against its plan: only steps of the plan, each ended once, and the counts are ours.

use std::collections::BTreeMap;

use pq_run::{Mode, Verdict};
use pq_stream::{Counts, Difference, Event, Outcome, Problem, Redactor};

/// What one machine has said so far.
#[derive(Debug)]
pub struct Tally<'a> {
    host: &'a str,
    mode: Mode,
    /// Id to title, and how the step ended.
    steps: BTreeMap<&'a str, (&'a str, Option<Outcome>)>,
    counts: Counts,
    /// The step at work.
    at_work: Option<String>,
}

impl<'a> Tally<'a> {
    /// Nothing was said yet.
    pub fn new(host: &'a str, mode: Mode, steps: &'a [(String, String)]) -> Self {
        let steps = steps.iter().map(|(id, title)| (id.as_str(), (title.as_str(), None))).collect();
        Tally { host, mode, steps, counts: Counts::default(), at_work: None }
    }

    /// Takes an event, and answers it as it may be shown: the plan's own words where it has them, and no secret.
    ///
    /// # Errors
    /// Where no run of this plan could have said it.
    pub fn take(&mut self, event: Event, redactor: &Redactor) -> Result<Event, String> {
        let Some((title, ended)) = self.steps.get_mut(event.id.as_str()) else {
            return Err("it tells of a step that it was not given".to_owned());
        };
        let possible = match event.outcome {
            Outcome::Started | Outcome::Changed => self.mode == Mode::Apply,
            Outcome::Differs | Outcome::Unknown => self.mode == Mode::Check,
            Outcome::Ok | Outcome::Kept | Outcome::Reported | Outcome::Failed | Outcome::NotReached => true,
        };
        if ended.is_some() || !possible {
            return Err(format!("what it tells of `{}` cannot be", event.id));
        }
        self.at_work = (event.outcome == Outcome::Started).then(|| event.id.clone());
        if event.outcome != Outcome::Started {
            *ended = Some(event.outcome);
        }
        self.counts.add(event.outcome);
        let clean = |text: String| redactor.redact(&text);
        Ok(Event {
            host: self.host.to_owned(),
            title: (*title).to_owned(),
            differences: event
                .differences
                .into_iter()
                .map(|it| Difference {
                    what: clean(it.what),
                    is: it.is.map(clean),
                    want: it.want.map(clean),
                    diff: it.diff.map(clean),
                })
                .collect(),
            problem: event.problem.map(|problem| shown(problem, redactor)),
            id: event.id,
            outcome: event.outcome,
            ms: event.ms,
        })
    }

    /// The machine.
    pub fn host(&self) -> &str {
        self.host
    }

    /// How many steps have ended.
    pub fn ended(&self) -> usize {
        self.steps.values().filter(|(_, ended)| ended.is_some()).count()
    }

    /// How many steps ended how.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The step that was at work when it last said something.
    pub fn at_work(&self) -> Option<&str> {
        self.at_work.as_deref()
    }

    /// The verdict, once the machine said that this is all.
    ///
    /// # Errors
    /// Where it is not all.
    pub fn verdict(&self) -> Result<Verdict, String> {
        if self.ended() < self.steps.len() {
            return Err("it says that all was told, and of some steps nothing was".to_owned());
        }
        Ok(Verdict::of(self.counts, self.mode))
    }
}

/// A problem as it may be shown.
pub fn shown(problem: Problem, redactor: &Redactor) -> Problem {
    let clean = |text: String| redactor.redact(&text);
    Problem {
        message: clean(problem.message),
        causes: problem.causes.into_iter().map(clean).collect(),
        hints: problem.hints.into_iter().map(clean).collect(),
    }
}

#[cfg(test)]
mod tests {
    use pq_stream::Status;

    use super::*;

    fn event(id: &str, outcome: Outcome) -> Event {
        let problem = Problem { message: "hunter22".to_owned(), causes: Vec::new(), hints: Vec::new() };
        Event {
            host: "other".to_owned(),
            id: id.to_owned(),
            title: "\u{1b}[2J".to_owned(),
            outcome,
            differences: Vec::new(),
            problem: Some(problem),
            ms: None,
        }
    }

    fn steps() -> Vec<(String, String)> {
        ["a/one", "a/two"].map(|id| (id.to_owned(), format!("title of {id}"))).to_vec()
    }

    #[test]
    fn the_plan_has_the_last_word_about_what_was_said() {
        let steps = steps();
        let mut tally = Tally::new("web", Mode::Apply, &steps);
        let mut redactor = Redactor::default();
        redactor.add("pw", "hunter22");
        let shown = tally.take(event("a/one", Outcome::Failed), &redactor).unwrap();
        assert_eq!((shown.host.as_str(), shown.title.as_str()), ("web", "title of a/one"));
        assert_eq!(shown.problem.unwrap().message, "<secret pw>");
        assert!(tally.verdict().is_err());
        tally.take(event("a/two", Outcome::NotReached), &redactor).unwrap();
        let verdict = tally.verdict().unwrap();
        assert_eq!(
            (verdict.status, verdict.counts.failed, verdict.counts.not_reached),
            (Status::Failed, 1, 1)
        );
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let steps = steps();
        let mut tally = Tally::new("web", Mode::Check, &steps);
        let redactor = Redactor::default();
        assert!(tally.take(event("b/other", Outcome::Ok), &redactor).is_err());
        assert!(tally.take(event("a/one", Outcome::Changed), &redactor).is_err());
        tally.take(event("a/one", Outcome::Ok), &redactor).unwrap();
        assert!(tally.take(event("a/one", Outcome::Ok), &redactor).is_err());
    }
}
