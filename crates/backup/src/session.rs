//! What every command stands on: locks, state, targets.
//!
//! Always true here: one writes at a time, under the lock of the backups. A repository that this machine has used before is never
//! made anew: where it is gone, that is an error. One that holds backups of other machines alone is not taken for ours.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use pq_items::{BackupItem, Target};
use pq_store::{HostLock, Locked, RUN_DIR};
use pq_stream::{Diagnostic, Event, system_cause, utc};

use crate::item::SCRATCH;
use crate::quiet;
use crate::restic::{Kind, Restic};
use crate::setup::Setup;
use crate::state::{self, Known, State};

/// Who is told.
pub trait Teller {
    /// How far something is: a few words, and from 0 to 1 where that is known.
    fn progress(&mut self, what: &str, part: f64);
    /// Something ended.
    fn event(&mut self, event: Event);
    /// Something worth knowing.
    fn note(&mut self, note: &str);
    /// Something is wrong, and the rest goes on.
    fn wrong(&mut self, diagnostic: &Diagnostic);
}

/// Backups at work: nobody else writes meanwhile.
pub struct Session {
    /// What is backed up, and how.
    pub setup: Setup,
    /// What is remembered.
    pub state: State,
    /// The version of restic.
    pub version: String,
    lock: Option<HostLock>,
    machine: Option<HostLock>,
}

/// Why nothing was begun.
#[derive(Debug)]
pub enum Unbegun {
    /// Somebody is at work: later.
    Busy(Diagnostic),
    /// Something must be edited.
    Input(Diagnostic),
}

impl Session {
    /// Looks only: no lock is taken, nothing is written.
    ///
    /// # Errors
    /// Where what is backed up cannot be read.
    pub fn look(setup: Setup) -> Result<Self, Diagnostic> {
        let state = match State::load(Path::new(state::DIR)) {
            Ok((state, _)) => state,
            Err(error) => return Err(unread(&error)),
        };
        Ok(Session { setup, state, version: String::new(), lock: None, machine: None })
    }

    /// Begins to write: waits at most so long for who is at work. With `machine`, nobody changes the machine meanwhile.
    ///
    /// # Errors
    /// Where somebody is at work all that time, or nothing can be done at all.
    pub fn begin(
        setup: Setup,
        command: &str,
        wait: Duration,
        machine: bool,
        told: &mut dyn Teller,
    ) -> Result<Self, Unbegun> {
        let end = Instant::now() + wait;
        let run = Path::new(RUN_DIR);
        let lock = wait_for(end, || HostLock::backups(run), "backups are being made", told)?;
        let machine = match machine {
            true => Some(wait_for(end, || HostLock::share(run), "this machine is being changed", told)?),
            false => None,
        };
        let (state, aside) =
            State::load(Path::new(state::DIR)).map_err(|error| Unbegun::Input(unread(&error)))?;
        if let Some(aside) = aside {
            told.wrong(
                &Diagnostic::new("what was remembered of earlier backups cannot be read")
                    .cause(format!("it is set aside as `{}`", aside.display()))
                    .hint("repositories are asked instead; nothing of them is lost"),
            );
        }
        let version = Restic::version(&setup.program()).map_err(Unbegun::Input)?;
        fs::DirBuilder::new().recursive(true).mode(0o700).create(SCRATCH).map_err(|error| {
            Unbegun::Input(Diagnostic::new(format!("cannot use `{SCRATCH}`")).cause(system_cause(&error)))
        })?;
        let mut session = Session { setup, state, version, lock: Some(lock), machine };
        let name = |lock: &mut Option<HostLock>| match lock {
            Some(lock) => lock.name(command).map_err(|error| Unbegun::Input(Diagnostic::from_error(&error))),
            None => Ok(()),
        };
        name(&mut session.lock)?;
        name(&mut session.machine)?;
        session.wake_all(told);
        Ok(session)
    }

    /// Wakes what an earlier run quieted before it was killed.
    fn wake_all(&mut self, told: &mut dyn Teller) {
        for owner in self.state.quiet.clone() {
            let item = self.setup.items.iter().find(|item| item.owner.as_str() == owner).cloned();
            let Some(item) = item else {
                self.state.quiet.retain(|it| *it != owner);
                continue;
            };
            match quiet::wake(&item, &mut self.state, Path::new(state::DIR)) {
                Ok(()) => {
                    told.note(&format!("`{owner}` was quieted by a run that was killed, and is awake again"))
                }
                Err(error) => told.wrong(&error),
            }
        }
    }

    /// The repository of a target, opened: made where this machine has never used it and nothing is there.
    ///
    /// # Errors
    /// Where it is gone, somebody else's, or cannot be opened.
    pub fn open(
        &mut self,
        target: &Target,
        like: Option<&Restic>,
        told: &mut dyn Teller,
    ) -> Result<Restic, Diagnostic> {
        let restic = self.setup.restic(target)?;
        let name = target.name.as_str();
        if self.state.targets.get(name).is_some_and(|known| known.url == restic.url) {
            return Ok(restic);
        }
        let id = match restic.id() {
            Ok(id) => {
                self.ours(&restic)?;
                told.note(&format!("target `{name}`: goes on with the repository that is there"));
                id
            }
            Err(failed) if failed.kind == Kind::NoRepository => {
                let known = self.state.targets.get(name);
                let made = restic.init(like).map_err(|failed| failed.why)?;
                told.note(&match known {
                    Some(known) => {
                        format!("target `{name}`: a new repository; the one before stays in `{}`", known.url)
                    }
                    None => format!("target `{name}`: a new repository"),
                });
                made
            }
            Err(failed) => return Err(failed.why),
        };
        if let Err(failed) = restic.cheapen() {
            told.note(&format!("target `{name}`: {}", failed.why));
        }
        let known = Known { id, url: restic.url.clone(), since: utc(SystemTime::now()), ..Known::default() };
        self.state.targets.insert(name.to_owned(), known);
        self.save()?;
        Ok(restic)
    }

    /// Demands that what is in a repository is not of other machines alone.
    fn ours(&self, restic: &Restic) -> Result<(), Diagnostic> {
        let there = restic.snapshots(&[]).map_err(|failed| failed.why)?;
        let mut others: Vec<&str> =
            there.iter().map(|it| it.hostname.as_str()).filter(|it| *it != self.setup.host).collect();
        others.sort_unstable();
        others.dedup();
        match there.is_empty() || there.iter().any(|it| it.hostname == self.setup.host) {
            true => Ok(()),
            false => Err(Diagnostic::new(format!("`{}` is the repository of another machine", restic.url))
                .cause(format!("it has backups of {}, none of `{}`", others.join(", "), self.setup.host))
                .hint("give this machine a place of its own in `backup_targets`; nothing was written")),
        }
    }

    /// An item by its name.
    ///
    /// # Errors
    /// Where there is none.
    pub fn item(&self, name: &str) -> Result<&BackupItem, Diagnostic> {
        let found = self.setup.named(&[name.to_owned()])?;
        found.into_iter().next().ok_or_else(|| Diagnostic::new(format!("no item `{name}`")))
    }

    /// Writes what is remembered.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn save(&self) -> Result<(), Diagnostic> {
        self.state.save(Path::new(state::DIR)).map_err(|error| crate::unnoted(&error))
    }

    /// Ends: others may write.
    pub fn end(self) {
        for lock in [self.machine, self.lock].into_iter().flatten() {
            let _ = lock.release();
        }
    }
}

fn unread(error: &std::io::Error) -> Diagnostic {
    Diagnostic::new(format!("cannot read `{}`", state::DIR)).cause(system_cause(error))
}

/// Takes a lock, and waits for who has it.
fn wait_for(
    end: Instant,
    take: impl Fn() -> Result<HostLock, Locked>,
    what: &str,
    told: &mut dyn Teller,
) -> Result<HostLock, Unbegun> {
    let mut said = false;
    loop {
        match take() {
            Ok(lock) => return Ok(lock),
            Err(Locked::By(holder)) if Instant::now() < end => {
                if !said {
                    told.note(&format!("{what} by {holder}: waiting"));
                    said = true;
                }
                thread::sleep(Duration::from_millis(500));
            }
            Err(Locked::By(holder)) => {
                return Err(Unbegun::Busy(
                    Diagnostic::new(format!("{what} by {holder}"))
                        .hint("nothing was begun; run again later, or wait longer with `--wait`"),
                ));
            }
            Err(error @ Locked::Unusable(..)) => return Err(Unbegun::Input(Diagnostic::from_error(&error))),
        }
    }
}
