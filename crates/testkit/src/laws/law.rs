//! The laws themselves. Each is tried on machines in memory, and says how a step breaks it.

use std::fmt;

use pq_steps::{Check, Converge, Error, Text};

use crate::memory::MemoryMachine;

/// A law of steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Law {
    /// On a bare machine a check is in sync, differs, or waits for something absent; it is no failure.
    Bare,
    /// Where something is to be done, check says so.
    Seen,
    /// After an apply that succeeded, check finds nothing.
    Settled,
    /// A second apply changes nothing.
    TwiceIsOnce,
    /// A check changes nothing.
    OnlyLooks,
    /// An apply killed anywhere says so, and run again ends as if it had never been killed.
    Killed,
    /// From whatever state it starts, it ends in the same.
    SameEnd,
    /// No difference and no error shows a secret.
    Silent,
}

/// A law that a step breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Which.
    pub law: Law,
    /// How.
    pub how: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "law {:?}: {}", self.law, self.how)
    }
}

impl std::error::Error for Broken {}

fn broken(law: Law, how: impl Into<String>) -> Broken {
    Broken { law, how: how.into() }
}

/// Tries a step on a bare machine and from every start, which differs from what the step wants.
///
/// # Errors
/// The first law that it breaks.
pub fn judge(step: &dyn Converge, bare: &MemoryMachine, starts: &[MemoryMachine]) -> Result<(), Broken> {
    if let Err(error @ Error::Failed(_)) = look(step, bare)? {
        return Err(broken(Law::Bare, format!("check fails: {error}")));
    }
    let mut ends: Option<String> = None;
    for (index, start) in starts.iter().enumerate() {
        let end = one(step, start).map_err(|it| broken(it.law, format!("start {index}: {}", it.how)))?;
        match &ends {
            Some(first) if *first != end => {
                let how = format!("start {index} ends otherwise than start 0:\n{}", apart(first, &end));
                return Err(broken(Law::SameEnd, how));
            }
            _ => ends = Some(end),
        }
    }
    Ok(())
}

/// Tries a step from one start, and gives the state in which it ends.
fn one(step: &dyn Converge, start: &MemoryMachine) -> Result<String, Broken> {
    match look(step, start)? {
        Ok(Check::Differs(found)) if !found.is_empty() => {}
        other => return Err(broken(Law::Seen, format!("check says {other:?}"))),
    }
    let mut machine = start.clone();
    step.apply(&mut machine).map_err(|error| broken(Law::Settled, format!("apply fails: {error}")))?;
    settled(step, &machine, Law::Settled)?;
    let end = machine.snapshot();
    step.apply(&mut machine).map_err(|error| broken(Law::TwiceIsOnce, format!("apply fails: {error}")))?;
    settled(step, &machine, Law::TwiceIsOnce)?;
    if machine.snapshot() != end {
        let how = format!("a second apply changes the machine:\n{}", apart(&end, &machine.snapshot()));
        return Err(broken(Law::TwiceIsOnce, how));
    }
    kill_everywhere(step, start, &end, 1)?;
    Ok(end)
}

/// Checks, and sees to it that the check changed nothing.
fn look(step: &dyn Converge, machine: &MemoryMachine) -> Result<Result<Check, Error>, Broken> {
    let changes = machine.changes();
    let verdict = step.check(machine);
    match machine.changes() == changes {
        true => Ok(verdict),
        false => Err(broken(Law::OnlyLooks, "check changes the machine")),
    }
}

fn settled(step: &dyn Converge, machine: &MemoryMachine, law: Law) -> Result<(), Broken> {
    match look(step, machine)? {
        Ok(Check::InSync) => Ok(()),
        other => Err(broken(law, format!("after apply, check says {other:?}"))),
    }
}

/// Kills an apply after each number of changes, and what repairs it `again` times too.
fn kill_everywhere(
    step: &dyn Converge,
    start: &MemoryMachine,
    end: &str,
    again: usize,
) -> Result<(), Broken> {
    for after in 0.. {
        let fault = |how: String| broken(Law::Killed, format!("after {after} changes: {how}"));
        let mut machine = start.clone();
        machine.kill_after(after);
        let applied = step.apply(&mut machine);
        if !machine.killed() {
            return applied.map_err(|error| fault(format!("apply fails: {error}")));
        }
        if applied.is_ok() {
            return Err(fault("it was killed, and says that it succeeded".to_owned()));
        }
        machine.revive();
        match look(step, &machine)? {
            Ok(Check::InSync) => {}
            Ok(Check::Differs(_)) => {
                if again > 0 {
                    kill_everywhere(step, &machine, end, again - 1).map_err(|it| fault(it.how))?;
                }
                step.apply(&mut machine).map_err(|error| fault(format!("the next apply fails: {error}")))?;
                settled(step, &machine, Law::Killed).map_err(|it| fault(it.how))?;
            }
            Err(error) => return Err(fault(format!("the next check fails: {error}"))),
        }
        if machine.snapshot() != end {
            return Err(fault(format!("the end is another:\n{}", apart(end, &machine.snapshot()))));
        }
    }
    Ok(())
}

/// What the texts of a step hold in [`judge_silence`].
const CANARY: &str = "c4n4ry in the c0al mine";

/// Puts a secret into every text of a step that may hold one, and looks for it in all that is said.
///
/// # Errors
/// [`Law::Silent`] where it shows.
pub fn judge_silence(step: &mut dyn Converge, starts: &[MemoryMachine]) -> Result<(), Broken> {
    for text in step.texts() {
        *text = Text::from(format!("{}@secret{{canary}}", text.as_str()));
        let filled = text.as_str().replace("@secret{canary}", CANARY);
        text.fill(filled);
    }
    for start in starts {
        let mut machine = start.clone();
        let said = [
            format!("{:?}", step.check(&machine)),
            format!("{:?}", step.apply(&mut machine)),
            format!("{:?}", step.check(&machine)),
        ];
        if let Some(text) = said.into_iter().find(|text| text.contains(CANARY)) {
            return Err(broken(Law::Silent, format!("a secret shows in {text}")));
        }
    }
    Ok(())
}

/// The lines that only one of two snapshots has.
fn apart(first: &str, second: &str) -> String {
    let only = |of: &str, than: &str, mark: &str| -> Vec<String> {
        let there: Vec<&str> = than.lines().collect();
        of.lines().filter(|line| !there.contains(line)).map(|line| format!("{mark} {line}")).collect()
    };
    [only(first, second, "-"), only(second, first, "+")].concat().join("\n")
}
