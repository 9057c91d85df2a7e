//! Runs the steps of one machine, in order, and tells what happened as events.
//!
//! Always true here: `check` precedes every `apply`, and follows it; difference left after `apply` is a failure. A
//! failure ends what its owner still had to do; one of the server or the platform, on which all stand, ends all.

use std::collections::BTreeSet;
use std::time::Instant;

use pq_steps::{AnyStep, Check, Error, System};
use pq_store::{Earlier, Journal};
use pq_stream::{Counts, Diagnostic, Difference, Event, Outcome, Problem, Redactor, Status, owner_of};

use crate::order::{Phase, ordered, phase};
use crate::stop::Stop;
use crate::work::Planned;

/// What a run does about differences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Tells them; changes nothing.
    Check,
    /// Ends them.
    Apply,
}

/// How a machine's run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// How many steps ended how.
    pub counts: Counts,
    /// The status that follows.
    pub status: Status,
}

/// The run of one machine's steps.
pub struct HostRun<'a> {
    /// The machine.
    pub machine: &'a mut dyn System,
    /// Where what is about to be changed is noted.
    pub journal: &'a mut Journal,
    /// Takes secrets out of what is told.
    pub redactor: &'a Redactor,
    /// Check or apply.
    pub mode: Mode,
    /// Ask the applications' health even where nothing changed.
    pub verify: bool,
    /// Whether it was asked to stop.
    pub stop: &'a Stop,
    /// What earlier runs began and none has brought to a good end.
    pub earlier: &'a Earlier,
    /// Who is told.
    pub tell: &'a mut dyn FnMut(&Event),
}

/// What is known while the steps go by.
#[derive(Default)]
struct Progress {
    counts: Counts,
    /// A step differs or is unknown, so later ones may not be answerable yet (check only).
    open: bool,
    changed: BTreeSet<String>,
    failed: BTreeSet<String>,
    stopped: bool,
}

impl Progress {
    fn fail(&mut self, id: &str) {
        let owner = owner_of(id);
        self.stopped |= owner == "server" || owner == "platform" || owner.starts_with("platform/");
        self.failed.insert(owner.to_owned());
    }
}

/// What a look at one step said.
enum Look {
    InSync,
    Differs(Vec<Difference>),
    Unknown(String),
    Failed(Diagnostic),
}

impl HostRun<'_> {
    /// Runs the steps.
    pub fn run(mut self, steps: &[Planned]) -> Verdict {
        let begun = self.earlier.begun.iter().map(|id| owner_of(id).to_owned());
        let mut progress = Progress { changed: begun.collect(), ..Progress::default() };
        let units: Vec<&str> = steps.iter().filter_map(|planned| planned.step.unit()).collect();
        self.machine.gather_units(&units);
        let steps = ordered(steps);
        let packages = steps.iter().filter(|planned| phase(planned) == Phase::Packages).count();
        let first = steps.iter().take_while(|planned| phase(planned) < Phase::Packages).count();
        let (before, rest) = steps.split_at(first);
        let (transaction, after) = rest.split_at(packages);
        before.iter().for_each(|planned| self.step(planned, &mut progress));
        self.transaction(transaction, &mut progress);
        after.iter().for_each(|planned| self.step(planned, &mut progress));
        let counts = progress.counts;
        let status = match counts {
            _ if counts.failed > 0 || counts.not_reached > 0 => Status::Failed,
            _ if counts.differs > 0 || counts.unknown > 0 => Status::Differs,
            _ => Status::Done,
        };
        Verdict { counts, status }
    }

    /// Whether no further step may begin.
    fn ends(&self, progress: &Progress) -> bool {
        progress.stopped || self.stop.asked().is_some()
    }

    /// Whether this step may not begin.
    fn blocked(&self, id: &str, progress: &Progress) -> bool {
        self.ends(progress) || progress.failed.contains(owner_of(id))
    }

    /// One step: looked at, and done where it differs.
    fn step(&mut self, planned: &Planned, progress: &mut Progress) {
        let id = &planned.record.id;
        if self.blocked(id, progress) {
            return self.event(planned, progress, Outcome::NotReached, Vec::new(), None, None);
        }
        if self.unasked(planned, progress) {
            return self.event(planned, progress, Outcome::Ok, Vec::new(), None, None);
        }
        if let Err(diagnostic) = self.finish(planned) {
            return self.told(planned, Look::Failed(diagnostic), progress);
        }
        match self.look(planned, progress) {
            Look::Differs(differences) if self.mode == Mode::Apply => {
                self.change(planned, differences, progress, |planned, machine| {
                    planned.step.converge().apply(machine)
                });
            }
            look => self.told(planned, look, progress),
        }
    }

    /// Finishes what a killed run may have left of this step out of sight.
    fn finish(&mut self, planned: &Planned) -> Result<(), Diagnostic> {
        if self.mode == Mode::Check || !self.earlier.killed_within(&planned.record.id) {
            return Ok(());
        }
        match planned.step.converge().finish(self.machine) {
            // What is not there was not left half done; the look that follows says what is missing.
            Ok(()) | Err(Error::Absent(_)) => Ok(()),
            Err(error) => Err(error.into_diagnostic()),
        }
    }

    /// All packages that are missing, in one transaction.
    fn transaction(&mut self, steps: &[&Planned], progress: &mut Progress) {
        let mut missing = Vec::new();
        for planned in steps {
            if self.blocked(&planned.record.id, progress) {
                self.event(planned, progress, Outcome::NotReached, Vec::new(), None, None);
                continue;
            }
            match self.look(planned, progress) {
                Look::Differs(differences) if self.mode == Mode::Apply => {
                    missing.push((*planned, differences))
                }
                look => self.told(planned, look, progress),
            }
        }
        if self.ends(progress) {
            return missing.iter().for_each(|(planned, _)| {
                self.event(planned, progress, Outcome::NotReached, Vec::new(), None, None)
            });
        }
        let names: BTreeSet<String> = missing
            .iter()
            .filter_map(|(planned, _)| match &planned.step {
                AnyStep::Package(package) => Some(package.names.clone()),
                _ => None,
            })
            .flatten()
            .collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut result = None;
        for (planned, differences) in missing {
            self.change(planned, differences, progress, |_, machine| {
                result.get_or_insert_with(|| machine.install(&names)).clone()
            });
        }
    }

    /// Changes what differs: journal, apply, look again.
    fn change(
        &mut self,
        planned: &Planned,
        differences: Vec<Difference>,
        progress: &mut Progress,
        apply: impl FnOnce(&Planned, &mut dyn System) -> Result<(), Error>,
    ) {
        let id = &planned.record.id;
        let begun = Instant::now();
        self.event(planned, progress, Outcome::Started, Vec::new(), None, None);
        let noted = self.journal.begin(id, &planned.digest);
        let result = noted
            .map_err(|error| Diagnostic::new("cannot write the journal").cause(error.to_string()))
            .and_then(|()| apply(planned, self.machine).map_err(Error::into_diagnostic))
            .and_then(|()| self.read_back(planned));
        let outcome = if result.is_ok() { Outcome::Changed } else { Outcome::Failed };
        let result = self
            .journal
            .end(id, outcome)
            .map_err(|error| Diagnostic::new("cannot write the journal").cause(error.to_string()))
            .and(result);
        let ms = u64::try_from(begun.elapsed().as_millis()).ok();
        match result {
            // Having waited for an application to answer is no change.
            Ok(()) if matches!(planned.step, AnyStep::Http(_)) => {
                self.event(planned, progress, Outcome::Ok, Vec::new(), None, ms);
            }
            Ok(()) => {
                progress.changed.insert(owner_of(id).to_owned());
                self.event(planned, progress, Outcome::Changed, differences, None, ms);
            }
            Err(diagnostic) => {
                progress.fail(id);
                self.event(planned, progress, Outcome::Failed, differences, Some(diagnostic), ms);
            }
        }
    }

    /// What was done is read back from the machine: no exit status is believed.
    fn read_back(&self, planned: &Planned) -> Result<(), Diagnostic> {
        match planned.step.converge().check(&*self.machine) {
            Ok(Check::InSync) => Ok(()),
            Ok(Check::Differs(left)) => {
                let left: Vec<String> = left.iter().map(in_words).collect();
                Err(Diagnostic::new("it was done without an error, and the machine still differs")
                    .cause(left.join("; "))
                    .hint("something else may change the same thing: look at what runs on this machine"))
            }
            Err(error) => Err(error.into_diagnostic()),
        }
    }

    /// Looks at one step.
    fn look(&self, planned: &Planned, progress: &Progress) -> Look {
        let waits = progress.open && matches!(planned.step, AnyStep::Reload(_));
        match planned.step.converge().check(&*self.machine) {
            Ok(Check::InSync) => Look::InSync,
            Ok(Check::Differs(_)) if waits => Look::Unknown("an earlier step differs".to_owned()),
            Ok(Check::Differs(differences)) => Look::Differs(differences),
            Err(Error::Absent(absent)) if progress.open => Look::Unknown(absent.to_string()),
            Err(error) => Look::Failed(error.into_diagnostic()),
        }
    }

    /// Tells what a look said, where nothing is to be done about it.
    fn told(&mut self, planned: &Planned, look: Look, progress: &mut Progress) {
        match look {
            Look::InSync => self.event(planned, progress, Outcome::Ok, Vec::new(), None, None),
            Look::Differs(differences) => {
                progress.open = true;
                progress.changed.insert(owner_of(&planned.record.id).to_owned());
                self.event(planned, progress, Outcome::Differs, differences, None, None);
            }
            Look::Unknown(cause) => {
                progress.open = true;
                self.event(
                    planned,
                    progress,
                    Outcome::Unknown,
                    Vec::new(),
                    Some(Diagnostic::new(cause)),
                    None,
                );
            }
            Look::Failed(diagnostic) => {
                progress.fail(&planned.record.id);
                self.event(planned, progress, Outcome::Failed, Vec::new(), Some(diagnostic), None);
            }
        }
    }

    /// An application is asked for its health after a change to its instance, also one by an earlier run that did not
    /// come to a good end, and when somebody wants to know.
    fn unasked(&self, planned: &Planned, progress: &Progress) -> bool {
        let changed = match self.mode {
            Mode::Apply => progress.changed.contains(owner_of(&planned.record.id)),
            // A check asks where an earlier run was not told that all is well, unless something else is to be done first.
            Mode::Check => {
                !progress.open
                    && self.earlier.begun.iter().any(|id| owner_of(id) == owner_of(&planned.record.id))
            }
        };
        matches!(planned.step, AnyStep::Http(_)) && !self.verify && !changed
    }

    fn event(
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
        (self.tell)(&Event { host, id, title, outcome, differences, problem, ms });
    }
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
