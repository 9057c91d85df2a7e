//! Runs the steps of one machine, in order, and tells what happened as events.
//!
//! Always true here: `check` precedes every `apply`, and follows it; difference left after `apply` is a failure. A
//! failure ends what its owner still had to do; one of the server or the platform, on which all stand, ends all.

use std::borrow::Cow;
use std::collections::BTreeSet;

use pq_steps::ledger::Entry;
use pq_steps::{AnyStep, Check, Error, Found, System};
use pq_store::{Earlier, Records, State, Unfinished};
use pq_stream::{Counts, Diagnostic, Difference, Outcome, Redactor, Status, owner_of};

use crate::Told;
use crate::audit::is_audited;
use crate::behind::Behind;
use crate::edits::{Decided, Decisions, Edit};
use crate::order::Order;
use crate::recovery::rollback;
use crate::served::{Served, served};
use crate::stop::Stop;
use crate::transact::{digest, members};
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

impl Verdict {
    /// The verdict that follows from how steps ended.
    pub fn of(counts: Counts, mode: Mode) -> Self {
        let status = match counts {
            _ if counts.failed > 0 || counts.not_reached > 0 => Status::Failed,
            _ if counts.differs > 0 || counts.unknown > 0 => Status::Differs,
            _ if counts.kept > 0 && mode == Mode::Check => Status::Differs,
            _ => Status::Done,
        };
        Verdict { counts, status }
    }
}

/// The run of one machine's steps.
pub struct HostRun<'a> {
    /// The machine.
    pub machine: &'a mut dyn System,
    /// Where what is about to be changed is noted.
    pub records: &'a mut Records,
    /// Takes secrets out of what is told.
    pub redactor: &'a Redactor,
    /// Check or apply.
    pub mode: Mode,
    /// Ask the applications' health even where nothing changed.
    pub verify: bool,
    /// Transactions that earlier runs did not finish.
    pub unfinished: Vec<Unfinished>,
    /// The held transactions that the operator lets go on.
    pub resume: &'a [String],
    /// The owners and steps that may destroy data without a verified backup.
    pub data_loss: &'a [String],
    /// What the operator decided about files that were changed by hand.
    pub decisions: &'a Decisions,
    /// Whether it was asked to stop.
    pub stop: &'a Stop,
    /// What earlier runs began and none has brought to a good end.
    pub earlier: &'a Earlier,
    /// Whether it carried services of others before paquerette came.
    pub carries: bool,
    /// What it carried, where nobody has noted that yet.
    pub unnoted: Option<Found>,
    /// Who is told.
    pub told: &'a mut dyn Told,
}

/// What is known while the steps go by.
#[derive(Default)]
pub(crate) struct Progress {
    pub(crate) counts: Counts,
    /// A step differs or is unknown, so later ones may not be answerable yet (check only).
    open: bool,
    /// Files that a service reads wait for their test, so that what stands on them is not answerable yet (apply only).
    pub(crate) staged: bool,
    pub(crate) changed: BTreeSet<String>,
    failed: BTreeSet<String>,
    stopped: bool,
    /// What was told before its turn.
    pub(crate) refused: BTreeSet<String>,
    /// What is in sync and not in the ledger yet.
    pub(crate) adopted: Vec<Entry>,
}

impl Progress {
    /// A step failed: its owner ends, or all.
    pub(crate) fn fail(&mut self, id: &str) {
        let owner = owner_of(id);
        self.stopped |= owner == "server" || owner == "platform" || owner.starts_with("platform/");
        self.failed.insert(owner.to_owned());
    }

    /// Whether something of a step's owner, or of the platform that it stands on, changed; in a check, differs.
    fn differs_below(&self, id: &str) -> bool {
        self.changed.iter().any(|owner| owner == owner_of(id) || owner.starts_with("platform/"))
    }

    /// Whether something of a step's owner failed.
    pub(crate) fn has_failed(&self, id: &str) -> bool {
        self.failed.contains(owner_of(id))
    }
}

/// What a look at one step said.
pub(crate) enum Look {
    InSync,
    Differs(Vec<Difference>),
    /// A file that was changed by hand, and is kept.
    Kept(Vec<Difference>, Box<Edit>),
    Unknown(String),
    Failed(Diagnostic),
}

impl HostRun<'_> {
    /// Runs the steps.
    pub fn run(mut self, steps: &[Planned]) -> Verdict {
        let carries = self.carries;
        let begun = self.earlier.begun.iter().map(|id| owner_of(id).to_owned());
        let mut progress = Progress { changed: begun.collect(), ..Progress::default() };
        if self.mode == Mode::Apply {
            self.settle(steps, &mut progress);
        }
        // Which version is installed, what earlier runs left may have decided just now.
        let behind = Behind::of(&*self.machine, steps);
        let going = || steps.iter().filter(|it| !behind.holds(it));
        let audited: Vec<&Planned> = going().filter(|it| is_audited(it, carries)).collect();
        let done: Cow<'_, [Planned]> = match audited.is_empty() && behind.is_empty() {
            true => Cow::Borrowed(steps),
            false => going().filter(|it| !is_audited(it, carries)).cloned().collect(),
        };
        let steps = &*done;
        let units: Vec<&str> = steps.iter().filter_map(|planned| planned.step.unit()).collect();
        self.machine.gather_units(&units);
        let services = served(steps);
        let order = Order::of(steps, &services);
        self.stays(behind, &mut progress);
        order.assert.iter().for_each(|planned| self.step(planned, &mut progress));
        if self.mode == Mode::Apply && !self.ends(&progress) {
            self.sound_before(&services, &mut progress);
        }
        order.sources.iter().for_each(|planned| self.step(planned, &mut progress));
        self.transaction(&order.packages, &mut progress);
        for planned in &order.rest {
            match &planned.step {
                AnyStep::Transaction(it) => self.transact(planned, &members(it, steps), &mut progress),
                _ => self.step(planned, &mut progress),
            }
        }
        services.iter().for_each(|service| self.serve(service, &mut progress));
        for planned in &order.services {
            if progress.refused.contains(&planned.record.id) {
                continue;
            }
            match services.iter().find(|service| service.reload.record.id == planned.record.id) {
                Some(service) => self.reload(service, &mut progress),
                None => self.step(planned, &mut progress),
            }
        }
        audited.iter().for_each(|planned| self.audit(planned, &mut progress));
        if self.mode == Mode::Apply
            && let Err(error) = self.enter(&std::mem::take(&mut progress.adopted))
        {
            self.note_of(&error.hint("what was to be done was done; run the same command again"));
        }
        Verdict::of(progress.counts, self.mode)
    }

    /// What earlier runs left half-way: gone on with by this plan, held, or undone before anything else.
    fn settle(&mut self, steps: &[Planned], progress: &mut Progress) {
        let known =
            |id: &&String| self.unfinished.iter().any(|it| it.id == **id || owner_of(&it.id) == id.as_str());
        for id in self.resume.iter().filter(|id| !known(id)) {
            let id = id.escape_debug();
            self.told.note(&format!("there is no unfinished transaction `{id}` to go on with"));
        }
        for open in self.unfinished.clone() {
            let id = &open.id;
            let same = |it: &Planned| match &it.step {
                AnyStep::Transaction(transaction) => {
                    it.record.id == *id && digest(it, &members(transaction, steps)) == open.digest
                }
                _ => false,
            };
            let here = steps.iter().any(same);
            let held = open.state == State::Held;
            if held && !self.resume.iter().any(|it| it == id || it == owner_of(id)) {
                self.note_of(
                    &Diagnostic::new(format!("transaction `{id}` is held since {}", open.since))
                        .cause("the operator interrupted it half-way; nothing of its owner is touched")
                        .hint(format!("go on with `--resume {id}`, or undo it: {}", rollback(id))),
                );
                progress.failed.insert(owner_of(id).to_owned());
            } else if held && !here {
                self.note_of(
                    &Diagnostic::new(format!("transaction `{id}` cannot go on"))
                        .cause("this plan does not hold it, or not as it was begun")
                        .hint(format!("plan it again as it was, or undo it: {}", rollback(id))),
                );
                progress.failed.insert(owner_of(id).to_owned());
            } else if (matches!(open.state, State::Returning | State::Finishing)
                || !here
                || !(open.resumes || held))
                && let Err(error) = self.end_of(&open)
            {
                self.note_of(&error);
                progress.stopped = true;
            }
        }
    }

    /// Whether no further step may begin.
    pub(crate) fn ends(&self, progress: &Progress) -> bool {
        progress.stopped || self.stop.asked().is_some()
    }

    /// Whether this step may not begin.
    pub(crate) fn blocked(&self, id: &str, progress: &Progress) -> bool {
        self.ends(progress) || progress.has_failed(id)
    }

    /// One step: looked at, and done where it differs.
    pub(crate) fn step(&mut self, planned: &Planned, progress: &mut Progress) {
        if let Some(differences) = self.looked_at(planned, progress) {
            self.change(planned, differences, progress, |planned, machine, _| {
                planned.step.converge().apply(machine)
            });
        }
    }

    /// A service that runs on what it has read. One that refuses what it should read gets back what it had.
    fn reload(&mut self, service: &Served<'_>, progress: &mut Progress) {
        let planned = service.reload;
        let Some(differences) = self.looked_at(planned, progress) else { return };
        let begun = self.begins(planned, progress);
        // What could not be noted was not done, and refused by nobody.
        let result = self.note(planned).and_then(|()| {
            let done = self.done(planned, |planned, machine, _| planned.step.converge().apply(machine));
            done.map_err(|error| error.hint(self.bring_back(service)))
        });
        self.ended(planned, differences, progress, result, begun);
    }

    /// Looks at a step, and tells what needs nothing to be done. Answers in what one differs that is to be changed.
    pub(crate) fn looked_at(
        &mut self,
        planned: &Planned,
        progress: &mut Progress,
    ) -> Option<Vec<Difference>> {
        if self.blocked(&planned.record.id, progress) {
            self.not_reached(planned, progress);
            return None;
        }
        if self.unasked(planned, progress) {
            let waits = self.mode == Mode::Check && progress.differs_below(&planned.record.id);
            let look = match waits {
                true => Look::Unknown("something that it stands on differs".to_owned()),
                false => Look::InSync,
            };
            self.told(planned, look, progress);
            return None;
        }
        if let Err(diagnostic) = self.finish(planned) {
            self.told(planned, Look::Failed(diagnostic), progress);
            return None;
        }
        match self.look(planned, progress) {
            Look::Differs(_) if self.mode == Mode::Apply && !self.may_destroy(planned) => {
                let owner = owner_of(&planned.record.id);
                let error =
                    Diagnostic::new("it destroys data, and no backup was made and verified in this run")
                        .hint(format!("`--allow-data-loss {owner}` does it all the same"));
                self.told(planned, Look::Failed(error), progress);
            }
            Look::Differs(differences) if self.mode == Mode::Apply => return Some(differences),
            Look::Kept(differences, edit) if self.mode == Mode::Apply => {
                self.kept(planned, differences, &edit, progress);
            }
            Look::InSync if self.mode == Mode::Apply => {
                let look = self.adopt(planned, progress).map_or_else(Look::Failed, |()| Look::InSync);
                self.told(planned, look, progress);
            }
            look => self.told(planned, look, progress),
        }
        None
    }

    /// Whether a step destroys no data, or the operator allowed it.
    fn may_destroy(&self, planned: &Planned) -> bool {
        let id = &planned.record.id;
        planned.record.destroys.is_none()
            || self.data_loss.iter().any(|allowed| allowed == id || allowed == owner_of(id))
    }

    /// A step that may not begin.
    pub(crate) fn not_reached(&mut self, planned: &Planned, progress: &mut Progress) {
        self.event(planned, progress, Outcome::NotReached, Vec::new(), None, None);
    }

    /// A file that was changed by hand stays, and ours comes beside it; or stays from now on.
    fn kept(
        &mut self,
        planned: &Planned,
        differences: Vec<Difference>,
        edit: &Edit,
        progress: &mut Progress,
    ) {
        let decided = self.decisions.of(&edit.path);
        match self.keep_edit(planned, edit, decided) {
            Ok(()) if decided == Some(Decided::Theirs) => {
                let path = &edit.path;
                let told =
                    Diagnostic::new(format!("`{path}` stays as it is, until we want something else of it"));
                self.event(planned, progress, Outcome::Kept, Vec::new(), Some(told), None);
            }
            Ok(()) => {
                let path = &edit.path;
                let told = edit.told().hint(format!("what paquerette would write is in `{path}.new`"));
                self.event(planned, progress, Outcome::Kept, differences, Some(told), None);
            }
            Err(error) => self.told(planned, Look::Failed(error), progress),
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
                self.not_reached(planned, progress);
                continue;
            }
            match self.look(planned, progress) {
                Look::Differs(differences) if self.mode == Mode::Apply => {
                    missing.push((*planned, differences))
                }
                look => self.told(planned, look, progress),
            }
        }
        for (planned, _) in &missing {
            // What cannot be noted is told by the change itself.
            let _ = self.book(planned);
        }
        if self.ends(progress) {
            return missing.iter().for_each(|(planned, _)| self.not_reached(planned, progress));
        }
        // Those that are there already are not named: apt would upgrade them.
        let names: BTreeSet<String> = missing
            .iter()
            .filter_map(|(planned, _)| match &planned.step {
                AnyStep::Package(package) => package.wanting(&*self.machine).ok(),
                _ => None,
            })
            .flatten()
            .map(str::to_owned)
            .collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut result = None;
        for (planned, differences) in missing {
            self.change(planned, differences, progress, |_, machine, told| {
                result.get_or_insert_with(|| machine.install(&names, &mut |note| told.note(note))).clone()
            });
        }
    }

    /// Looks at one step.
    fn look(&self, planned: &Planned, progress: &Progress) -> Look {
        let waits = progress.open && matches!(planned.step, AnyStep::Reload(_));
        match planned.step.converge().check(&*self.machine) {
            Ok(Check::InSync) => Look::InSync,
            Ok(Check::Differs(_)) if waits => Look::Unknown("an earlier step differs".to_owned()),
            Ok(Check::Differs(differences)) => self.edited(planned, differences),
            Err(Error::Absent(absent)) if progress.open => Look::Unknown(absent.to_string()),
            Err(Error::Absent(absent)) if progress.staged => {
                let what = absent.to_string();
                Look::Differs(vec![Difference { what, is: None, want: None, diff: None }])
            }
            Err(error) => Look::Failed(error.into_diagnostic()),
        }
    }

    /// Whether what differs is somebody's work, on which nobody has decided yet.
    fn edited(&self, planned: &Planned, differences: Vec<Difference>) -> Look {
        let whole = planned.step.converge().whole_file();
        if whole.is_some_and(|(path, _)| self.decisions.of(&path) == Some(Decided::Ours)) {
            return Look::Differs(differences);
        }
        match Edit::of(planned, &*self.machine, self.records.ledger.ledger()) {
            Ok(Some(edit)) if edit.accepted => Look::InSync,
            Ok(Some(edit)) => Look::Kept(differences, Box::new(edit)),
            Ok(None) => Look::Differs(differences),
            Err(error) => Look::Failed(error.into_diagnostic()),
        }
    }

    /// Tells what a look said, where nothing is to be done about it.
    pub(crate) fn told(&mut self, planned: &Planned, look: Look, progress: &mut Progress) {
        match look {
            Look::InSync => {
                self.event(planned, progress, Outcome::Ok, Vec::new(), None, None);
                self.notice(planned);
            }
            Look::Differs(differences) => {
                progress.open = true;
                progress.changed.insert(owner_of(&planned.record.id).to_owned());
                self.event(planned, progress, Outcome::Differs, differences, None, None);
            }
            Look::Kept(differences, edit) => {
                self.event(planned, progress, Outcome::Kept, differences, Some(edit.told()), None);
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
}
