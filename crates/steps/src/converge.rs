//! What every step type can do.

use pq_stream::{Diagnostic, Difference};

use crate::ledger::Thing;
use crate::{AbsPath, Error, Probe, System, Text};

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// All is as wanted.
    InSync,
    /// This differs.
    Differs(Vec<Difference>),
}

/// A step type: looks, then acts.
///
/// The laws that every type obeys (`pq_testkit::laws`): a bare machine is no error; after `apply`, `check` finds
/// nothing; a second `apply` changes nothing; `check` never writes; an `apply` killed anywhere and run again ends
/// in the same state.
pub trait Converge: Sync {
    /// Compares the machine with what is wanted. Never changes anything.
    ///
    /// # Errors
    /// [`Error::Absent`] where the answer depends on something that does not exist (yet): a user, a program, a
    /// unit. Any other error is a failure.
    fn check(&self, machine: &dyn Probe) -> Result<Check, Error>;

    /// Makes the machine what is wanted, starting from anything that `check` can find.
    ///
    /// # Errors
    /// What could not be done, and why.
    fn apply(&self, machine: &mut dyn System) -> Result<(), Error>;

    /// Finishes what a killed `apply` may have left undone where no check can see it. Called once, for the step that
    /// a killed run was in, before it is looked at; on a step that was finished it changes nothing.
    ///
    /// # Errors
    /// As `apply`.
    fn finish(&self, _machine: &mut dyn System) -> Result<(), Error> {
        Ok(())
    }

    /// What is worth knowing of a step in sync: what is still to come, and why it is not there.
    ///
    /// # Errors
    /// As `check`.
    fn notice(&self, _machine: &dyn Probe) -> Result<Option<Diagnostic>, Error> {
        Ok(None)
    }

    /// What is wrong with the fields themselves, beyond what their types refuse.
    ///
    /// # Errors
    /// A sentence that names the field.
    fn validate(&self) -> Result<(), String> {
        Ok(())
    }

    /// What it makes or needs on the machine: the ledger books it to the step's owner.
    fn things(&self) -> Vec<Thing> {
        Vec::new()
    }

    /// The file that it writes whole, with its content: where people changed such a file, it is kept.
    fn whole_file(&self) -> Option<(AbsPath, Vec<u8>)> {
        None
    }

    /// The same, where what people make of it is theirs too: how it was when it was made is remembered.
    fn made_file(&self) -> Option<(AbsPath, Vec<u8>)> {
        self.whole_file()
    }

    /// The files that its commands write beside that: a transaction brings them back.
    fn rewrites(&self) -> Vec<AbsPath> {
        Vec::new()
    }

    /// The texts in which secret tokens may stand; the executor fills them in before the first check.
    fn texts(&mut self) -> Vec<&mut Text> {
        Vec::new()
    }
}

/// Collects differences while a check looks.
#[derive(Debug, Default)]
pub struct Differences(Vec<Difference>);

impl Differences {
    /// None yet.
    pub fn new() -> Self {
        Differences::default()
    }

    /// The verdict that something is missing altogether.
    pub fn missing(what: &str) -> Check {
        let mut found = Differences::new();
        found.push(what, Some("missing"), Some("present"));
        found.into_check()
    }

    /// Notes one difference by its two sides.
    pub fn push(&mut self, what: &str, is: Option<&str>, want: Option<&str>) {
        self.0.push(Difference {
            what: what.to_owned(),
            is: is.map(str::to_owned),
            want: want.map(str::to_owned),
            diff: None,
        });
    }

    /// Notes a difference if the two sides are not the same.
    pub fn between<T: PartialEq + ToString>(&mut self, what: &str, is: &T, want: &T) {
        if is != want {
            self.push(what, Some(&is.to_string()), Some(&want.to_string()));
        }
    }

    /// Notes that a text differs, with a unified diff unless it is secret or not text, or not `open` to everyone: what
    /// is there may hold a secret that the plan no longer knows of.
    pub fn content(&mut self, is: &[u8], want: &Text, open: bool) {
        if is == want.as_bytes() {
            return;
        }
        let mut difference = Difference { what: "content".to_owned(), is: None, want: None, diff: None };
        if want.is_secret() {
            difference.what = "content (secret)".to_owned();
        } else if !open {
            difference.what = "content (not shown: not everyone may read it)".to_owned();
        } else if let Ok(is) = std::str::from_utf8(is) {
            let diff = similar::TextDiff::from_lines(is, want.as_str());
            difference.diff = Some(diff.unified_diff().context_radius(3).header("is", "want").to_string());
        }
        self.0.push(difference);
    }

    /// The verdict.
    pub fn into_check(self) -> Check {
        match self.0.is_empty() {
            true => Check::InSync,
            false => Check::Differs(self.0),
        }
    }
}
