//! Changes what differs. First it is noted what will be changed: in the ledger, the old file, the journal; then it is done;
//! then the machine is looked at again, since no exit status is believed.

use std::time::Instant;

use pq_steps::ledger::{Entry, Thing, ThingKind, What};
use pq_steps::{AbsPath, AnyStep, Check, Error, Meta, Mode as Bits, System};
use pq_stream::{Diagnostic, Difference, Outcome, owner_of};

use crate::Told;
use crate::edits::{Decided, Edit, beside, beside_thing, sha256};
use crate::foreign;
use crate::host::{HostRun, Progress};
use crate::tell::in_words;
use crate::undo;
use crate::work::Planned;

impl HostRun<'_> {
    /// Changes what differs: notes, apply, look again.
    pub(crate) fn change(
        &mut self,
        planned: &Planned,
        differences: Vec<Difference>,
        progress: &mut Progress,
        apply: impl FnOnce(&Planned, &mut dyn System, &mut dyn Told) -> Result<(), Error>,
    ) {
        let begun = self.begins(planned, progress);
        let result = self.attempt(planned, apply);
        self.ended(planned, differences, progress, result, begun);
    }

    /// Tells that a step begins, and answers when.
    pub(crate) fn begins(&mut self, planned: &Planned, progress: &mut Progress) -> Instant {
        self.event(planned, progress, Outcome::Started, Vec::new(), None, None);
        Instant::now()
    }

    /// Notes, applies, and looks again.
    pub(crate) fn attempt(
        &mut self,
        planned: &Planned,
        apply: impl FnOnce(&Planned, &mut dyn System, &mut dyn Told) -> Result<(), Error>,
    ) -> Result<(), Diagnostic> {
        self.note(planned)?;
        self.done(planned, apply)
    }

    /// Applies what was noted, and looks again.
    pub(crate) fn done(
        &mut self,
        planned: &Planned,
        apply: impl FnOnce(&Planned, &mut dyn System, &mut dyn Told) -> Result<(), Error>,
    ) -> Result<(), Diagnostic> {
        let applied = apply(planned, self.machine, self.told).map_err(Error::into_diagnostic);
        if matches!(planned.step, AnyStep::Remove(_) | AnyStep::Releases(_)) {
            // They write the ledger themselves.
            self.records
                .ledger
                .reload()
                .map_err(|error| Diagnostic::new("cannot read the ledger").cause(error.to_string()))?;
        }
        applied?;
        self.read_back(planned)
    }

    /// Notes how a step ended, and tells it.
    pub(crate) fn ended(
        &mut self,
        planned: &Planned,
        differences: Vec<Difference>,
        progress: &mut Progress,
        result: Result<(), Diagnostic>,
        begun: Instant,
    ) {
        let id = &planned.record.id;
        let outcome = if result.is_ok() { Outcome::Changed } else { Outcome::Failed };
        let result = self
            .records
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
            // Nor is having asked in vain.
            Ok(()) if matches!(planned.step, AnyStep::Acme(_)) && self.notice(planned) => {
                self.event(planned, progress, Outcome::Ok, Vec::new(), None, ms);
            }
            Ok(()) => {
                progress.changed.insert(owner_of(id).to_owned());
                if let AnyStep::ServedCertificate(step) = &planned.step {
                    step.was_wrong(&differences).iter().for_each(|told| self.note_of(told));
                }
                self.event(planned, progress, Outcome::Changed, differences, None, ms);
            }
            Err(diagnostic) => {
                progress.fail(id);
                self.event(planned, progress, Outcome::Failed, differences, Some(diagnostic), ms);
            }
        }
    }

    /// Notes what is about to be changed, and waits until that is on disk.
    pub(crate) fn note(&mut self, planned: &Planned) -> Result<(), Diagnostic> {
        self.machine.hold();
        self.note_found()?;
        self.book(planned)?;
        self.keep_old(planned)?;
        self.records
            .journal
            .begin(&planned.record.id, &planned.digest)
            .map_err(|error| Diagnostic::new("cannot write the journal").cause(error.to_string()))
    }

    /// Enters into the ledger what a step is about to make.
    pub(crate) fn book(&mut self, planned: &Planned) -> Result<(), Diagnostic> {
        let mut entries = self.unbooked(planned, false).map_err(Error::into_diagnostic)?;
        if let Some((thing, hash)) = written(planned)
            && self.records.ledger.ledger().get(&thing).is_none_or(|it| it.hashes.last() != Some(&hash))
        {
            entries.push(Entry { thing, what: What::Written { hash } });
        }
        self.enter(&entries)
    }

    /// What of a step's things the ledger does not know its owner to want. In a step in sync, they were there before us.
    pub(crate) fn unbooked(&self, planned: &Planned, in_sync: bool) -> Result<Vec<Entry>, Error> {
        let (ledger, owner) = (self.records.ledger.ledger(), owner_of(&planned.record.id));
        let mut entries = Vec::new();
        for thing in planned.step.converge().things() {
            let booked = ledger.get(&thing);
            if booked.is_some_and(|booked| booked.owners.contains(owner)) {
                continue;
            }
            let before = match foreign::booked(ledger, &thing) {
                Some(other) => booked.is_none() && other.before,
                None => in_sync || thing.is_there(&*self.machine)?,
            };
            entries.push(Entry { thing, what: What::Wanted { owner: owner.to_owned(), before } });
        }
        Ok(entries)
    }

    /// Notes a step in sync whose things are not booked to its owner yet: entered at the end of the run, all at once.
    pub(crate) fn adopt(&mut self, planned: &Planned, progress: &mut Progress) -> Result<(), Diagnostic> {
        let mut entries = self.unbooked(planned, true).map_err(Error::into_diagnostic)?;
        let Some((thing, hash)) = written(planned) else {
            progress.adopted.extend(entries);
            return Ok(());
        };
        if self.records.ledger.ledger().get(&thing).is_none_or(|booked| !booked.hashes.contains(&hash)) {
            entries.push(Entry { thing, what: What::Written { hash } });
        }
        progress.adopted.extend(entries);
        self.clear_beside(planned)
    }

    /// Enters something into the ledger.
    pub(crate) fn enter(&mut self, entries: &[Entry]) -> Result<(), Diagnostic> {
        if !entries.is_empty() {
            self.note_found()?;
        }
        self.records
            .ledger
            .enter(entries)
            .map_err(|error| Diagnostic::new("cannot write the ledger").cause(error.to_string()))
    }

    /// Keeps what stands where the step is about to put something else.
    fn keep_old(&mut self, planned: &Planned) -> Result<(), Diagnostic> {
        let paths = planned.step.written();
        paths.iter().try_for_each(|path| self.keep_now(path)).map_err(Error::into_diagnostic)
    }

    /// Keeps what stands at a path now, unless this run did so before, or nothing could bring it back.
    pub(crate) fn keep_now(&mut self, path: &AbsPath) -> Result<(), Error> {
        if undo::never(&*self.machine, path)?.is_some() {
            return Ok(());
        }
        let before = undo::now(&*self.machine, path)?;
        let kept = self.records.undo.keep(path.as_str(), before.as_ref());
        kept.map_err(|error| Error::failed(format!("cannot keep what `{path}` is now"), error))
    }

    /// Leaves a file that was changed by hand as it is, and puts ours beside it.
    pub(crate) fn keep_edit(
        &mut self,
        planned: &Planned,
        edit: &Edit,
        decided: Option<Decided>,
    ) -> Result<(), Diagnostic> {
        let thing = Thing::at(ThingKind::File, &edit.path);
        if decided == Some(Decided::Theirs) {
            let thing = planned.step.converge().things().into_iter().next().unwrap_or(thing);
            let what = What::Accepted { theirs: edit.theirs.clone(), ours: edit.ours.clone() };
            self.enter(&[Entry { thing, what }])?;
            return self.clear_beside(planned);
        }
        let new = beside(&edit.path).map_err(Error::into_diagnostic)?;
        if self.machine.sha256(&new).ok().flatten().as_ref() == Some(&edit.ours) {
            return Ok(());
        }
        let owner = owner_of(&planned.record.id).to_owned();
        let wanted = What::Wanted { owner, before: false };
        self.enter(&[Entry { thing: beside_thing(&edit.path), what: wanted }])?;
        let meta = Meta::new(Bits::from_bits(0o600), "root", "root");
        self.machine.write(&new, &edit.content, &meta).map_err(Error::into_diagnostic)
    }

    /// Takes away what was put beside a file that is as we want it now.
    pub(crate) fn clear_beside(&mut self, planned: &Planned) -> Result<(), Diagnostic> {
        let Some((path, _)) = planned.step.converge().whole_file() else { return Ok(()) };
        let thing = beside_thing(&path);
        if self.records.ledger.ledger().get(&thing).is_none() {
            return Ok(());
        }
        let new = beside(&path).map_err(Error::into_diagnostic)?;
        self.machine.remove(&new).map_err(Error::into_diagnostic)?;
        self.enter(&[Entry { thing, what: What::Gone }])
    }

    /// What was done is read back from the machine: no exit status is believed.
    fn read_back(&mut self, planned: &Planned) -> Result<(), Diagnostic> {
        match planned.step.converge().check(&*self.machine) {
            Ok(Check::InSync) => self.clear_beside(planned),
            Ok(Check::Differs(left)) => {
                let left: Vec<String> = left.iter().map(in_words).collect();
                Err(Diagnostic::new("it was done without an error, and the machine still differs")
                    .cause(left.join("; "))
                    .hint("something else may change the same thing: look at what runs on this machine"))
            }
            Err(error) => Err(error.into_diagnostic()),
        }
    }
}

/// The thing that a step writes whole, or makes once, and SHA-256 of what it writes.
fn written(planned: &Planned) -> Option<(Thing, String)> {
    let step = planned.step.converge();
    let (_, content) = step.made_file()?;
    Some((step.things().into_iter().next()?, sha256(&content)))
}
