//! `pq-server packages`: what apt would change on this machine, and with `--apply` the change itself.
//!
//! Always true here: a change is made under the host's lock and noted in the journal before it begins; what is told of it
//! is read back from dpkg, systemd and the applications, and no exit status is believed.

use pq_cli::{Failure, report};
use pq_machine::{Machine, Services};
use pq_steps::{AnyStep, Check, Error, System, UnitVerb};
use pq_store::{HostLock, Records};
use pq_stream::{Diagnostic, HostPackages, Outcome, OutdatedService, PackagesDone, Problem, owner_of, utc};
use sha2::{Digest, Sha256};

use crate::Told;
use crate::execute::{lock, open_records, unclosed, unfinished};
use crate::host::Mode;
use crate::tell::short;
use crate::work::Planned;

/// What the journal calls it.
const ID: &str = "server/upgrade";

/// Most items of a list that are told.
const MOST: usize = 4000;

/// What apt would change on this machine; its name is left empty. Nothing is changed.
///
/// # Errors
/// Where apt or dpkg do not say it.
pub fn packages() -> Result<HostPackages, Diagnostic> {
    look(&Machine::local()).map_err(Error::into_diagnostic)
}

fn look(machine: &Machine) -> Result<HostPackages, Error> {
    let pending = machine.pending()?;
    let mut upgrades = pending.simulation.upgrades;
    // In apt's own order within each half.
    upgrades.sort_by_key(|it| !it.security);
    upgrades.truncate(MOST);
    Ok(HostPackages {
        host: String::new(),
        lists: pending.lists.map(utc),
        upgrades,
        held: pending.held,
        removes: pending.simulation.removes,
        unfinished: pending.unfinished,
        reboot: machine.reboot_reasons()?,
        outdated: machine.outdated()?,
        failed: machine.services()?.failed,
        done: None,
    })
}

/// What is upgraded, and who is asked afterwards.
pub struct Upgrading<'a> {
    /// Only what is for security.
    pub security: bool,
    /// How the applications are asked whether they are well.
    pub health: &'a [Planned],
    /// What others are told of this run while it holds the machine's lock.
    pub command: &'a str,
    /// Who is told.
    pub told: &'a mut dyn Told,
}

impl Upgrading<'_> {
    /// Upgrades this machine's packages, restarts what still runs on the old files, and looks whether all is well.
    ///
    /// # Errors
    /// Where somebody else changes the machine, or nothing could be begun; nothing was touched then. What fails later is among the
    /// problems.
    pub fn run(mut self) -> Result<HostPackages, Failure> {
        let lock = lock(Mode::Apply, self.command)?;
        let untouched = |error: Error| Failure::failed(error.into_diagnostic().hint("nothing was touched"));
        let mut machine = Machine::local();
        let records = open_records()?;
        unfinished(&records, self.told)?;
        machine.recover().map_err(untouched)?;
        let before = machine.services().map_err(untouched)?;
        let answered: Vec<bool> = self.health.iter().map(|it| answers(it, &machine)).collect();
        let mut noted = Noted { records, begun: false };
        let mut done = PackagesDone::default();
        let result = self.change(&mut machine, &mut noted, &mut done);
        done.problems.extend(result.err().map(problem));
        if noted.begun {
            self.ask_afterwards(&mut machine, &before, &answered, &mut done);
        }
        noted.close(done.problems.is_empty());
        if let Some(Err(error)) = lock.map(HostLock::release) {
            report(&Diagnostic::from_error(&error));
        }
        match look(&machine) {
            Ok(is) => Ok(HostPackages { done: Some(done), ..is }),
            Err(error) => {
                done.problems.push(problem(error));
                Ok(HostPackages { done: Some(done), ..HostPackages::default() })
            }
        }
    }

    /// Mends, upgrades, restarts.
    fn change(
        &mut self,
        machine: &mut Machine,
        noted: &mut Noted,
        done: &mut PackagesDone,
    ) -> Result<(), Error> {
        let mut unmended = None;
        if machine.packages_interrupted(&mut |note| self.told.note(note))? {
            noted.begin("an interrupted installation")?;
            self.told.note("an earlier installation was interrupted: it is ended first");
            unmended = machine.mend_packages().err();
        }
        let upgraded = self.upgrade(machine, noted, done);
        done.problems.extend(upgraded.err().map(problem));
        // A newer version may have put right what could not be ended.
        if let Some(error) = unmended
            && machine.packages_interrupted(&mut |_| {})?
        {
            done.problems.push(problem(error));
        }
        for OutdatedService { unit, .. } in machine.outdated()?.into_iter().filter(|it| it.listed.is_none()) {
            noted.begin(&unit)?;
            match machine.unit_do(UnitVerb::Restart, &unit) {
                Ok(()) => done.restarted.push(unit),
                Err(error) => done.problems.push(problem(error)),
            }
        }
        Ok(())
    }

    fn upgrade(
        &mut self,
        machine: &mut Machine,
        noted: &mut Noted,
        done: &mut PackagesDone,
    ) -> Result<(), Error> {
        let mut wanted = machine.upgrades_wanted(self.security)?;
        done.problems.extend(wanted.unread.take().map(problem));
        if wanted.upgrades.is_empty() {
            return Ok(());
        }
        noted.begin(&format!("{:?}", wanted.upgrades))?;
        let packages = match wanted.upgrades.len() {
            1 => "1 package is".to_owned(),
            many => format!("{many} packages are"),
        };
        self.told.note(&format!("{packages} being upgraded"));
        let upgrade = machine.upgrade(wanted)?;
        done.upgraded = upgrade.upgraded;
        done.problems.extend(upgrade.problem.map(problem));
        Ok(())
    }

    /// What ran before runs, and what answered before answers.
    fn ask_afterwards(
        &mut self,
        machine: &mut Machine,
        before: &Services,
        answered: &[bool],
        done: &mut PackagesDone,
    ) {
        match machine.worse_than(before) {
            Ok(worse) => done.problems.extend(worse.into_iter().map(problem)),
            Err(error) => done.problems.push(problem(error)),
        }
        for (planned, answered) in self.health.iter().zip(answered) {
            let owner = owner_of(&planned.record.id);
            if !answered {
                if !answers(planned, machine) {
                    self.told.note(&format!("`{owner}` does not answer, and did not before"));
                }
                continue;
            }
            match planned.step.converge().apply(machine) {
                Ok(()) if done.well.iter().any(|it| it == owner) => {}
                Ok(()) => done.well.push(owner.to_owned()),
                Err(error) => {
                    let mut told = problem(error);
                    let message = std::mem::take(&mut told.message);
                    told.causes.insert(0, message);
                    told.message = format!("`{owner}` answered before, and does not any more");
                    done.problems.push(told);
                }
            }
        }
    }
}

/// Whether an application answers as it should. What else a step may be is not done here.
fn answers(planned: &Planned, machine: &Machine) -> bool {
    matches!(planned.step, AnyStep::Http(_))
        && matches!(planned.step.converge().check(machine), Ok(Check::InSync))
}

/// The notes of a change, begun with the first thing that is changed.
struct Noted {
    records: Records,
    begun: bool,
}

impl Noted {
    fn begin(&mut self, what: &str) -> Result<(), Error> {
        if self.begun {
            return Ok(());
        }
        let digest: String = Sha256::digest(what).iter().map(|byte| format!("{byte:02x}")).collect();
        let noted = self.records.journal.begin(ID, &digest);
        noted.map_err(|error| Error::failed("cannot note in the journal what is about to be done", error))?;
        self.begun = true;
        Ok(())
    }

    fn close(mut self, well: bool) {
        let outcome = if well { Outcome::Changed } else { Outcome::Failed };
        let ended = match self.begun {
            true => self.records.journal.end(ID, outcome),
            false => Ok(()),
        };
        if let Err(error) = ended.and_then(|()| self.records.close(well, &[ID].into())) {
            report(&unclosed(&error));
        }
    }
}

fn problem(error: Error) -> Problem {
    let Diagnostic { message, causes, hints, .. } = error.into_diagnostic();
    let all = |texts: Vec<String>| texts.iter().map(|text| short(text)).collect();
    Problem { message: short(&message), causes: all(causes), hints: all(hints) }
}
