//! What is only reported: hardening, where the inventory wants no more than that, or where the machine carried services of
//! others before paquerette came, which it could break.

use pq_machine::Machine;
use pq_steps::ledger::Ledger;
use pq_steps::{AnyStep, Check, Error, FOUND, Found};
use pq_stream::{Diagnostic, Difference, Outcome};

use crate::Told;
use crate::host::{HostRun, Mode, Progress};
use crate::work::{Planned, WorkHost};

/// Most rules of a firewall that are told; all are in the note.
const TOLD: usize = 10;

/// What may stand in a step's `audit`.
pub(crate) const WORDS: [&str; 2] = ["always", "carried"];

/// Whether a step is to be reported and not done.
pub(crate) fn is_audited(planned: &Planned, carries: bool) -> bool {
    match planned.record.audit.as_deref() {
        None => false,
        Some("carried") => carries,
        Some(_) => true,
    }
}

/// What this machine carried when paquerette first came, and whether it is to be noted: it is looked at now where this is the first
/// time. It is told where it decides about a step.
///
/// # Errors
/// Where it cannot be found out.
pub(crate) fn found(
    machine: &mut Machine,
    ledger: &Ledger,
    host: &WorkHost,
    mode: Mode,
    told: &mut dyn Told,
) -> Result<(Found, bool), Error> {
    let known = Found::of(machine)?;
    let first = known.is_none();
    let found = match known {
        Some(found) => found,
        // It was looked after before anybody noted what was there.
        None if !ledger.is_empty() => Found::default(),
        None => machine.found(host.host.connection.port.unwrap_or(22))?,
    };
    if found.carries() && host.steps.iter().any(|it| it.record.audit.as_deref() == Some("carried")) {
        told.note(&format!(
            "this machine carried services before paquerette came: {}; they stay, and what would harden it is only reported: \
             `hardening: enforce` in the inventory does it, `hardening: audit` says that it is to stay so ({})",
            found.services().join(", "),
            match mode {
                Mode::Apply => format!("`{FOUND}` has what was found"),
                Mode::Check => format!("what was found is kept in `{FOUND}` once something is done"),
            }
        ));
        if first && !found.rules.is_empty() {
            let more = match found.rules.len().saturating_sub(TOLD) {
                0 => String::new(),
                more => format!("; and {more} more"),
            };
            let rules: Vec<_> = found.rules.iter().take(TOLD).map(|it| format!("`{it}`")).collect();
            told.note(&format!(
                "rules of a firewall were there before paquerette, and stay: {}{more}",
                rules.join("; ")
            ));
        }
    }
    Ok((found, first && ledger.is_empty()))
}

impl HostRun<'_> {
    /// Notes what the machine carried, once, before anything is changed or booked.
    pub(crate) fn note_found(&mut self) -> Result<(), Diagnostic> {
        if let Some(found) = &self.unnoted {
            found.note(self.machine).map_err(Error::into_diagnostic)?;
            self.unnoted = None;
        }
        Ok(())
    }

    /// Looks at a step, and reports what differs.
    pub(crate) fn audit(&mut self, planned: &Planned, progress: &mut Progress) {
        if self.ends(progress) {
            return self.not_reached(planned, progress);
        }
        // Its own steps tell what is not as it should be, and what a service runs with is what was found there.
        if matches!(planned.step, AnyStep::Transaction(_) | AnyStep::Reload(_)) {
            return self.event(planned, progress, Outcome::Ok, Vec::new(), None, None);
        }
        match planned.step.converge().check(&*self.machine) {
            Ok(Check::InSync) => self.event(planned, progress, Outcome::Ok, Vec::new(), None, None),
            Ok(Check::Differs(differences)) => {
                self.event(planned, progress, Outcome::Reported, differences, None, None);
            }
            // What it would look at comes with a step that is reported too.
            Err(Error::Absent(absent)) => {
                let words = absent.to_string();
                let what = words.strip_prefix("there is no ").unwrap_or(&words).to_owned();
                let difference = Difference { what, is: Some("missing".to_owned()), want: None, diff: None };
                self.event(planned, progress, Outcome::Reported, vec![difference], None, None);
            }
            // What could not be done either is no failure of a run that does not do it.
            Err(error) => {
                let Diagnostic { message, causes, .. } = error.into_diagnostic();
                let what = [vec![message], causes].concat().join(": ");
                let difference = Difference { what, is: None, want: None, diff: None };
                self.event(planned, progress, Outcome::Reported, vec![difference], None, None);
            }
        }
    }
}

/// Refuses a transaction of which a part would be done and a part reported.
pub(crate) fn holds(step: &Planned, members: &[&Planned]) -> Result<(), Diagnostic> {
    match members.iter().find(|member| member.record.audit != step.record.audit) {
        None => Ok(()),
        Some(member) => Err(Diagnostic::new(format!("cannot execute transaction `{}`", step.record.id))
            .cause(format!("`audit` of its step `{}` is another than its own", member.record.id))
            .hint("nothing was touched")),
    }
}
