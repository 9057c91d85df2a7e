//! What was last tried to get a certificate, and when the next time is.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::{Acme, seconds};
use crate::{AbsPath, Error, Meta, Mode, Probe, System};

/// Where it is noted.
const STATE: &str = "/var/lib/paquerette/acme";

/// The while after the first failure; it doubles with each.
const FIRST: Duration = Duration::from_secs(60 * 60);

/// The longest while.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Most of the authority's words that are kept, in characters.
const MOST: usize = 600;

/// What was last tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tried {
    /// For which names.
    names: Vec<String>,
    /// Of which authority.
    directory: String,
    /// When, in seconds since 1970.
    pub at: u64,
    /// How many seconds must pass before the next time; 0 after one that got what it wanted.
    pub wait: u64,
    /// What names, this machine and the authority said.
    pub said: Vec<String>,
    /// The process that tried: what is asked for now is asked for once in a run.
    by: u32,
}

impl Tried {
    /// Where the note of a certificate is.
    pub fn path(of: &Acme) -> String {
        format!("{STATE}/{}.json", of.name)
    }

    fn place(of: &Acme) -> Result<AbsPath, Error> {
        AbsPath::new(Self::path(of)).map_err(|cause| Error::failed("cannot note what was tried", cause))
    }

    /// The last attempt at the same certificate; one that cannot be read counts for none.
    pub fn of(machine: &dyn Probe, of: &Acme) -> Result<Option<Self>, Error> {
        let noted = machine.read(&Self::place(of)?)?;
        let tried: Option<Tried> = noted.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Ok(tried.filter(|it| it.names == of.names && it.directory == of.directory))
    }

    /// One of now.
    pub fn now(of: &Acme, now: SystemTime, got: bool, before: Option<&Tried>, mut said: Vec<String>) -> Self {
        for words in &mut said {
            if let Some((end, _)) = words.char_indices().nth(MOST) {
                words.truncate(end);
                words.push('…');
            }
        }
        let wait = if got { Duration::ZERO } else { next(before.map(|it| Duration::from_secs(it.wait))) };
        let (names, directory) = (of.names.clone(), of.directory.clone());
        Tried { names, directory, at: seconds(now), wait: wait.as_secs(), said, by: std::process::id() }
    }

    /// Whether this process tried.
    pub fn is_ours(&self) -> bool {
        self.by == std::process::id()
    }

    /// Whether it is too early for another one. A clock that went back counts for nothing.
    pub fn waits(&self, now: u64) -> bool {
        self.at <= now && now < self.at.saturating_add(self.wait)
    }

    /// Notes it.
    pub fn note(&self, machine: &mut dyn System, of: &Acme) -> Result<(), Error> {
        let cannot = |error: String| Error::failed("cannot note what was tried", error);
        let text = serde_json::to_string_pretty(self).map_err(|error| cannot(error.to_string()))?;
        let meta = |bits| Meta::new(Mode::from_bits(bits), "root", "root");
        machine.make_dir(&AbsPath::new(STATE).map_err(cannot)?, &meta(0o700))?;
        machine.write(&Self::place(of)?, format!("{text}\n").as_bytes(), &meta(0o600))
    }
}

/// The while after a failure, by that of the failure before it.
fn next(before: Option<Duration>) -> Duration {
    match before {
        Some(before) if before >= FIRST => (before * 2).min(LONGEST),
        _ => FIRST,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_while_doubles_up_to_a_day() {
        let hours = |it: Duration| it.as_secs() / 3600;
        let mut all = vec![next(None)];
        for _ in 0..6 {
            all.push(next(all.last().copied()));
        }
        assert_eq!(all.into_iter().map(hours).collect::<Vec<_>>(), [1, 2, 4, 8, 16, 24, 24]);
        assert_eq!(next(Some(Duration::ZERO)), FIRST, "after one that got what it wanted");
    }

    #[test]
    fn a_clock_that_went_back_waits_for_nothing() {
        let tried =
            Tried { names: vec![], directory: String::new(), at: 1000, wait: 3600, said: vec![], by: 0 };
        assert!(tried.waits(1000) && tried.waits(4599));
        assert!(!tried.waits(4600) && !tried.waits(999));
        assert!(!Tried { wait: 0, ..tried }.waits(1000));
    }
}
