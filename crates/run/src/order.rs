//! The four phases of a plan; steps keep their order within one.

use pq_steps::AnyStep;

use crate::Planned;

/// When a step is executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// What must be true before anything is changed.
    Assert,
    /// What the package transaction reads.
    Sources,
    /// The one package transaction.
    Packages,
    /// All else.
    Rest,
}

/// The phase of a step.
pub fn phase(planned: &Planned) -> Phase {
    match &planned.step {
        AnyStep::Assert(_) => Phase::Assert,
        _ if planned.record.before.is_some() => Phase::Sources,
        AnyStep::Package(_) => Phase::Packages,
        _ => Phase::Rest,
    }
}

/// The steps in the order in which they are executed.
pub fn ordered(steps: &[Planned]) -> Vec<&Planned> {
    let mut steps: Vec<&Planned> = steps.iter().collect();
    steps.sort_by_key(|planned| phase(planned));
    steps
}
