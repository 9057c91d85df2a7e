//! Instances that are installed at another version than the plan's: nothing of theirs is touched, and that is told. Their settings, their
//! installer and their pages are planned for a release that is not the one that is served.

use std::collections::BTreeSet;

use pq_steps::{AnyStep, Check, Probe};
use pq_stream::{Diagnostic, Outcome, owner_of};

use crate::host::{HostRun, Progress};
use crate::work::Planned;

/// The steps of a plan that are left alone, and of which instances.
#[derive(Debug, Default)]
pub(crate) struct Behind<'p> {
    ids: BTreeSet<&'p str>,
    instances: Vec<(&'p Planned, Diagnostic)>,
}

impl<'p> Behind<'p> {
    /// Looks which instances are installed at another version. What cannot be read is a failure of its step, when its turn comes.
    pub fn of(machine: &dyn Probe, steps: &'p [Planned]) -> Self {
        let mut behind = Behind::default();
        let mut owners = BTreeSet::new();
        for planned in steps {
            let owner = owner_of(&planned.record.id);
            if let AnyStep::Installed(step) = &planned.step
                && let Ok(Some(is)) = step.another(machine)
            {
                owners.insert(owner);
                behind.instances.push((planned, step.told(owner, &is)));
            }
            if owners.contains(owner) {
                behind.ids.insert(&planned.record.id);
            }
        }
        behind
    }

    /// Whether a step is left alone.
    pub fn holds(&self, planned: &Planned) -> bool {
        self.ids.contains(planned.record.id.as_str())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}

impl HostRun<'_> {
    /// Tells of each instance that stays as it is.
    pub(crate) fn stays(&mut self, behind: Behind<'_>, progress: &mut Progress) {
        for (planned, told) in behind.instances {
            let differences = match planned.step.converge().check(&*self.machine) {
                Ok(Check::Differs(differences)) => differences,
                _ => Vec::new(),
            };
            self.event(planned, progress, Outcome::Kept, differences, Some(told), None);
        }
    }
}
