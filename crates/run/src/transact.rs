//! Transactions: steps that are done altogether, or undone.
//!
//! Always true here: what undoes a transaction is on disk before its first change. One that fails is undone at once. One whose
//! run was killed is gone on with by the same plan, and undone by every other run that applies, and at boot. One that the
//! operator interrupted is held until they decide.

use std::time::{Duration, SystemTime};

use pq_steps::types::{Rollback, Transaction};
use pq_steps::{AbsPath, AnyStep, Check, Error, System};
use pq_store::{State, Unfinished};
use pq_stream::{Diagnostic, Outcome, Step, owner_of, utc};

use crate::Told;
use crate::edits::sha256;
use crate::host::{HostRun, Look, Mode, Progress};
use crate::recovery;
use crate::recovery::rollback;
use crate::undo;
use crate::way_in::{WayIn, stop_timer};
use crate::work::Planned;

/// The steps of a plan that a transaction does.
pub(crate) fn members<'p>(transaction: &Transaction, steps: &'p [Planned]) -> Vec<&'p Planned> {
    let named = |id: &String| steps.iter().find(|planned| planned.record.id == *id);
    transaction.steps.iter().filter_map(named).collect()
}

/// Whether what a member does is brought back by nothing but the transaction's own steps.
fn stays(member: &Planned) -> bool {
    member.step.written().is_empty()
        && !matches!(member.step, AnyStep::Assert(_) | AnyStep::Installed(_) | AnyStep::Http(_))
}

/// SHA-256 over a transaction and all that it does: by it a killed one is known again.
pub(crate) fn digest(planned: &Planned, members: &[&Planned]) -> String {
    let all: Vec<&str> =
        members.iter().map(|it| it.digest.as_str()).chain([planned.digest.as_str()]).collect();
    sha256(all.join("\n").as_bytes())
}

/// A transaction that is at work.
struct Begun {
    open: Unfinished,
    /// Where it counts only once somebody came in anew.
    way_in: Option<WayIn>,
}

impl HostRun<'_> {
    /// A transaction: its steps, one after the other; begun with the first that differs.
    pub(crate) fn transact(&mut self, planned: &Planned, members: &[&Planned], progress: &mut Progress) {
        if self.blocked(&planned.record.id, progress) || self.mode == Mode::Check {
            members.iter().for_each(|member| self.step(member, progress));
            return self.step(planned, progress);
        }
        let known = self.unfinished.iter().find(|it| it.id == planned.record.id).cloned();
        let mut begun = match known.map(|known| self.goes_on(planned, known)).transpose() {
            Ok(begun) => begun,
            Err(error) => return self.ends_before(planned, members, error, progress),
        };
        for (at, member) in members.iter().enumerate() {
            if let Some(Begun { open, way_in: None }) = &begun
                && self.stop.asked().is_some()
            {
                let error = self.hold(open);
                return self.ends_before(planned, &members[at..], error, progress);
            }
            let Some(differences) = self.looked_at(member, progress) else { continue };
            if let Err(error) = self.can_come_back(member) {
                self.told(member, Look::Failed(error), progress);
                continue;
            }
            if begun.is_none() {
                match self.opens(planned, members) {
                    Ok(now) => begun = Some(now),
                    Err(error) => return self.ends_before(planned, &members[at..], error, progress),
                }
            }
            self.change(member, differences, progress, |planned, machine, _| {
                planned.step.converge().apply(machine)
            });
        }
        let Some(Begun { open, way_in }) = begun else { return self.step(planned, progress) };
        if progress.has_failed(&planned.record.id) {
            return self.gives_up(planned, &open, Diagnostic::new("what it had done was undone"), progress);
        }
        if let Some(way) = &way_in
            && let Err(error) = self.wait_for(way, &open)
        {
            let error = error.cause("what it had done was undone");
            return self.gives_up(planned, &open, error, progress);
        }
        match self.finish_of(&open) {
            Ok(()) => self.event(planned, progress, Outcome::Changed, Vec::new(), None, None),
            Err(error) => self.told(planned, Look::Failed(error), progress),
        }
    }

    /// It cannot be done altogether, so it is undone.
    fn gives_up(&mut self, planned: &Planned, open: &Unfinished, why: Diagnostic, progress: &mut Progress) {
        let look = match self.undo(open) {
            Ok(()) => Look::Failed(why.hint(as_before(open))),
            Err(error) => Look::Failed(error),
        };
        self.told(planned, look, progress);
    }

    /// Refuses a step that would replace or take away what no transaction brings back.
    fn can_come_back(&self, member: &Planned) -> Result<(), Diagnostic> {
        for path in member.step.written() {
            if let Some(why) = undo::never(&*self.machine, &path).map_err(Error::into_diagnostic)? {
                let error = Diagnostic::new(format!("`{path}` {why}, which a transaction cannot bring back"));
                return Err(error.hint("take it away in a step behind the transaction; it was not touched"));
            }
        }
        Ok(())
    }

    /// Begins a transaction: what undoes it is on disk, and boot knows of it.
    fn opens(&mut self, planned: &Planned, members: &[&Planned]) -> Result<Begun, Diagnostic> {
        let new = self.unfinished_of(planned, members)?;
        let begun = self.under_guard(planned, new)?;
        if let AnyStep::Transaction(Transaction { maintenance: Some(minutes), .. }) = &planned.step {
            let most = Duration::from_secs(u64::from(*minutes) * 60);
            self.records
                .maintenance
                .open(owner_of(&planned.record.id), &planned.record.title, SystemTime::now(), most)
                .map_err(|error| cannot("open a maintenance window", &error))?;
        }
        let prepared = recovery::prepare(self.machine).map_err(Error::into_diagnostic)?;
        if !prepared && !begun.open.resumes {
            let error = Diagnostic::new("there is no `pq-apply` beside this program");
            self.close(&begun.open)?;
            return Err(error.hint(
                "put all of the tools into one directory: at boot, that one undoes what is left half-way",
            ));
        }
        Ok(begun)
    }

    /// Goes on with a transaction whose run was killed, or that the operator lets go on.
    fn goes_on(&mut self, planned: &Planned, mut known: Unfinished) -> Result<Begun, Diagnostic> {
        known.state = State::Open;
        known.runs.push(self.records.journal.run().to_owned());
        self.under_guard(planned, known)
    }

    /// Sets up what undoes it should it lock somebody out, and writes it down.
    fn under_guard(&mut self, planned: &Planned, mut open: Unfinished) -> Result<Begun, Diagnostic> {
        let confirm = match &planned.step {
            AnyStep::Transaction(transaction) => transaction.confirm,
            _ => None,
        };
        let way_in = self.guard(confirm)?;
        open.guarded = way_in.is_some();
        let written = match self.records.transactions.unconfirm(&open.id) {
            Ok(()) => self.write(&open),
            Err(error) => Err(cannot("write the transaction down", &error)),
        };
        if let Err(error) = written {
            if open.guarded {
                stop_timer(self.machine);
            }
            return Err(error);
        }
        Ok(Begun { open, way_in })
    }

    /// What a transaction that begins is known by.
    fn unfinished_of(&self, planned: &Planned, members: &[&Planned]) -> Result<Unfinished, Diagnostic> {
        let AnyStep::Transaction(transaction) = &planned.step else {
            return Err(Diagnostic::new("this step is no transaction"));
        };
        let record = &planned.record;
        let step = |it: &Rollback| Step {
            host: record.host.clone(),
            id: it.id.clone(),
            title: it.title.clone(),
            kind: it.kind.clone(),
            before: None,
            after: None,
            destroys: None,
            audit: None,
            secrets: Vec::new(),
            body: it.body.clone(),
        };
        let all = |steps: &[Rollback]| steps.iter().map(step).collect::<Vec<Step>>();
        let places = members.iter().flat_map(|it| it.step.written());
        Ok(Unfinished {
            id: record.id.clone(),
            digest: digest(planned, members),
            since: utc(SystemTime::now()),
            command: std::env::args().collect::<Vec<_>>().join(" "),
            state: State::Open,
            runs: vec![self.records.journal.run().to_owned()],
            places: places.map(|it| it.as_str().to_owned()).collect(),
            guarded: false,
            beyond: members.iter().filter(|it| stays(it)).map(|it| it.record.id.clone()).collect(),
            rollback: all(&transaction.rollback),
            data: all(&transaction.data),
            finish: all(&transaction.finish),
            resumes: transaction.resumes,
            undone: transaction.undone.clone(),
        })
    }

    /// It ends before these steps were reached.
    fn ends_before(
        &mut self,
        planned: &Planned,
        left: &[&Planned],
        error: Diagnostic,
        progress: &mut Progress,
    ) {
        left.iter().for_each(|member| self.not_reached(member, progress));
        self.told(planned, Look::Failed(error), progress);
    }

    /// The operator wants it to stop: it stays as it is until they decide. Answers what is said of that.
    fn hold(&mut self, open: &Unfinished) -> Diagnostic {
        let id = &open.id;
        match self.write(&Unfinished { state: State::Held, ..open.clone() }) {
            Ok(()) => Diagnostic::new("it was interrupted half-way, and is held as it is")
                .hint(format!("go on with `--resume {id}`, or undo it: {}", rollback(id))),
            Err(error) => error,
        }
    }

    /// All of its steps are done: what comes behind them is, and it is closed. From here on it is not undone.
    fn finish_of(&mut self, open: &Unfinished) -> Result<(), Diagnostic> {
        if open.finish.is_empty() {
            return self.close(open);
        }
        self.write(&Unfinished { state: State::Finishing, ..open.clone() })?;
        for record in &open.finish {
            self.undo_by(record).map_err(|error| Diagnostic {
                message: format!("transaction `{}` is done, and not finished", open.id),
                causes: [vec![error.message], error.causes].concat(),
                hints: [
                    error.hints,
                    vec!["mend that and run again: it is finished before anything else".to_owned()],
                ]
                .concat(),
                place: None,
            })?;
        }
        self.close(open)
    }

    /// Ends what an earlier run left: finished where all of its steps were done, else undone.
    ///
    /// # Errors
    /// What could not be done; it stays known, and is tried again by the next run.
    pub(crate) fn end_of(&mut self, open: &Unfinished) -> Result<(), Diagnostic> {
        if open.state != State::Finishing {
            return self.undo(open);
        }
        self.finish_of(open)?;
        self.told.note(&format!("transaction `{}`, which was done already, is finished", open.id));
        Ok(())
    }

    /// It is done.
    fn close(&mut self, open: &Unfinished) -> Result<(), Diagnostic> {
        let finished = self.records.transactions.finish(&open.id);
        finished.map_err(|error| cannot("finish the transaction", &error))?;
        self.unfinished.retain(|it| it.id != open.id);
        if open.guarded {
            stop_timer(self.machine);
        }
        self.records
            .maintenance
            .close(owner_of(&open.id))
            .map_err(|error| cannot("close the maintenance window", &error))?;
        match self.unfinished.is_empty() {
            true => recovery::dismiss(self.machine).map_err(Error::into_diagnostic),
            false => Ok(()),
        }
    }

    /// Undoes a transaction: its files and links come back, then its own steps are done.
    ///
    /// # Errors
    /// What could not be undone; it stays known, and is tried again by the next run.
    pub(crate) fn undo(&mut self, open: &Unfinished) -> Result<(), Diagnostic> {
        self.write(&Unfinished { state: State::Returning, ..open.clone() })?;
        let within = |error: Diagnostic| Diagnostic {
            message: format!("transaction `{}` cannot be undone", open.id),
            causes: [vec![error.message], error.causes].concat(),
            hints: [
                error.hints,
                vec!["mend that and run again: it is tried again before anything else".to_owned()],
            ]
            .concat(),
            place: None,
        };
        if let Err(error) = self.undone(open) {
            // What is down and stays so is no maintenance any more: those who watch are to tell it.
            let _ = self.records.maintenance.close(owner_of(&open.id));
            return Err(within(error));
        }
        self.close(open)?;
        self.told.note(&format!("transaction `{}` is undone: {}", open.id, as_before(open)));
        Ok(())
    }

    /// Data, files, and what its own steps say.
    fn undone(&mut self, open: &Unfinished) -> Result<(), Diagnostic> {
        open.data.iter().try_for_each(|record| self.undo_by(record))?;
        self.bring_back_files(open)?;
        open.rollback.iter().try_for_each(|record| self.undo_by(record))
    }

    /// One step that undoes something.
    fn undo_by(&mut self, record: &Step) -> Result<(), Diagnostic> {
        let step = AnyStep::read(&record.kind, &record.body).map_err(|bad| Diagnostic::new(bad.cause))?;
        let planned = Planned { record: record.clone(), step, digest: String::new() };
        match planned.step.converge().check(&*self.machine) {
            Ok(Check::InSync) => return Ok(()),
            // What is not there yet is made by doing it.
            Ok(Check::Differs(_)) | Err(Error::Absent(_)) => {}
            Err(error) => return Err(error.into_diagnostic()),
        }
        let unseen = match &planned.step {
            AnyStep::Command(it) => it.creates.is_none() && it.unless.is_none(),
            _ => false,
        };
        let apply = |planned: &Planned, machine: &mut dyn System, _: &mut dyn Told| {
            planned.step.converge().apply(machine)
        };
        let result = match unseen {
            // What nothing shows can only be believed; done once more it is no worse.
            true => self
                .note(&planned)
                .and_then(|()| apply(&planned, self.machine, self.told).map_err(Error::into_diagnostic)),
            false => self.attempt(&planned, apply),
        };
        let outcome = if result.is_ok() { Outcome::Changed } else { Outcome::Failed };
        let noted = self.records.journal.end(&record.id, outcome);
        result?;
        noted.map_err(|error| cannot("write the journal", &error))
    }

    /// The files and links that a transaction's runs replaced.
    fn bring_back_files(&mut self, open: &Unfinished) -> Result<(), Diagnostic> {
        for place in &open.places {
            let path = AbsPath::new(place.clone()).map_err(Diagnostic::new)?;
            let before = self.records.before(place, &open.runs);
            if let Some(before) = before.map_err(|error| cannot("read its old files", &error))? {
                // Somebody may have mended it by hand meanwhile.
                self.keep_now(&path).map_err(Error::into_diagnostic)?;
                undo::restore(self.machine, &path, before.as_ref()).map_err(Error::into_diagnostic)?;
            }
        }
        Ok(())
    }

    fn write(&mut self, unfinished: &Unfinished) -> Result<(), Diagnostic> {
        self.unfinished.retain(|it| it.id != unfinished.id);
        self.unfinished.push(unfinished.clone());
        self.records
            .transactions
            .write(unfinished)
            .map_err(|error| cannot("write the transaction down", &error))
    }
}

/// What is to be said of what was undone.
fn as_before(open: &Unfinished) -> String {
    if let Some(told) = &open.undone {
        return told.clone();
    }
    match open.rollback.is_empty() && !open.beyond.is_empty() {
        true => {
            format!("files and links are as they were before; what `{}` did stays", open.beyond.join("`, `"))
        }
        false => "all is as it was before".to_owned(),
    }
}

fn cannot(what: &str, error: &std::io::Error) -> Diagnostic {
    Diagnostic::new(format!("cannot {what}")).cause(error.to_string())
}
