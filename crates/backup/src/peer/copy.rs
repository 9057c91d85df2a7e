//! What is fetched of one peer, what is refused, and what goes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use pq_items::{BackupPeers, Peer};
use pq_stream::{Diagnostic, from_utc, size, system_cause, utc};

use super::Pulled;
use super::files::{Files, Took, create, take};
use super::ledger::Ledger;
use super::line::{Line, Listed};
use super::losses::Before;
use super::names::{CONFIG, Name};
use crate::item::SCRATCH;
use crate::room;
use crate::run::problem;
use crate::session::{Session, Teller};

/// The copy of one peer's repository.
pub struct Copy<'a> {
    /// How peers are kept.
    pub peers: &'a BackupPeers,
    /// Which.
    pub peer: &'a Peer,
    /// Now.
    pub now: SystemTime,
    /// Its files here.
    pub files: Files,
}

impl Copy<'_> {
    /// Fetches what is new, and notes it; with `look`, says what would be.
    ///
    /// # Errors
    /// Where the peer is not to be read, or nothing can be kept; what was fetched before stays.
    pub fn pull(
        &self,
        ledger: &mut Ledger,
        session: &Session,
        look: bool,
        told: &mut dyn Teller,
    ) -> Result<Pulled, Diagnostic> {
        let name = self.peer.name.as_str();
        let now = utc(self.now);
        let mut line = Line::call(self.peers, self.peer, Path::new(SCRATCH))?;
        let listed = match line.list() {
            Ok(listed) => listed,
            Err(error) => return Err(line.lost(&error)),
        };
        let here = self.files.here().map_err(|error| self.unusable(&error))?;
        if listed.files.is_empty() && here.is_empty() {
            told.note(&format!("peer `{name}` has no repository yet"));
        }
        let mut pulled = Pulled { peer: name.to_owned(), ..Pulled::default() };
        let there: BTreeMap<&Name, u64> = listed.files.iter().map(|(name, size)| (name, *size)).collect();
        let names: BTreeSet<Name> = listed.files.iter().map(|(name, _)| name.clone()).collect();
        self.complain(&listed, &here, &there, &mut pulled);

        // What it had when it was last read, and what it has.
        let known = here.keys().filter(|it| !ledger.missing.contains_key(it.path())).cloned();
        ledger.loses(&now, Before::new(known).lost(&names));
        let gone = here.keys().filter(|it| !names.contains(*it)).map(|it| it.path().to_owned());
        let since = |path: String| {
            let since = ledger.missing.get(&path).cloned().unwrap_or_else(|| now.clone());
            (path, since)
        };
        let missing: BTreeMap<String, String> = gone.map(since).collect();
        ledger.missing = missing;
        pulled.missing = ledger.missing.len();

        ledger.refused.retain(|path, size| Name::read(path).is_some_and(|it| there.get(&it) == Some(size)));
        let mut wanted: Vec<(Name, u64)> =
            listed.files.iter().filter(|(it, _)| !here.contains_key(it)).cloned().collect();
        wanted.retain(|(it, _)| !ledger.refused.contains_key(it.path()));
        wanted.sort_by(|(one, _), (other, _)| one.turn().cmp(&other.turn()).then_with(|| one.cmp(other)));
        wanted.dedup_by(|one, other| one.0 == other.0);
        (pulled.files, pulled.bytes) =
            (wanted.len(), wanted.iter().fold(0, |sum: u64, (_, size)| sum.saturating_add(*size)));
        self.demand_room(session, pulled.bytes)?;
        if look {
            pulled.wrong.extend(self.refusals(ledger));
            return Ok(pulled);
        }
        let snapshots = wanted.iter().any(|(it, _)| it.kind() == "snapshots");
        let came = self.fetch(line, wanted, pulled.bytes, ledger, told);
        let (files, bytes) = match came {
            Ok(came) => came,
            Err((came, why)) => {
                pulled.wrong.push(why);
                came
            }
        };
        (pulled.files, pulled.bytes) = (files, bytes);
        pulled.wrong.extend(self.refusals(ledger));
        ledger.snapshots = names.iter().filter(|it| it.kind() == "snapshots").count() as u64;
        if pulled.wrong.is_empty() {
            (ledger.pulled, ledger.failed) = (Some(now.clone()), None);
            if snapshots {
                ledger.newest = Some(now);
            }
            pulled.expired = self.expire(ledger).map_err(|error| self.unusable(&error))?;
        } else if let Some(first) = pulled.wrong.first() {
            ledger.fails(&now, problem(first));
        }
        let kept = self.files.here().map_err(|error| self.unusable(&error))?;
        (ledger.files, ledger.bytes) = (kept.len() as u64, kept.values().sum());
        Ok(pulled)
    }

    /// What there is no doubt is not as it was: a file never changes.
    fn complain(
        &self,
        listed: &Listed,
        here: &BTreeMap<Name, u64>,
        there: &BTreeMap<&Name, u64>,
        pulled: &mut Pulled,
    ) {
        let peer = &self.peer.name;
        let changed: Vec<&str> = here
            .iter()
            .filter(|(name, size)| there.get(*name).is_some_and(|it| it != *size))
            .map(|(name, _)| name.path())
            .collect();
        if let Some(first) = changed.first() {
            pulled.wrong.push(
                Diagnostic::new(format!(
                    "files of the repository of peer `{peer}` were changed: {}",
                    changed.len()
                ))
                .cause(format!("`{first}` has another size there; no file of a repository ever changes"))
                .hint("what is here stays as it was; look at that machine"),
            );
        }
        let (odd, count) = &listed.odd;
        if *count > 0 {
            let shown: Vec<String> = odd.iter().map(|it| it.chars().take(80).collect()).collect();
            pulled.wrong.push(
                Diagnostic::new(format!("peer `{peer}` names what is no file of a repository: {count}"))
                    .cause(format!("`{}`", shown.join("`, `")))
                    .hint("they were not fetched; look at that machine"),
            );
        }
    }

    /// What came and was not what its name says.
    fn refusals(&self, ledger: &Ledger) -> Option<Diagnostic> {
        let first = ledger.refused.keys().next()?;
        let count = ledger.refused.len();
        Some(
            Diagnostic::new(format!("files of peer `{}` are not what their names say: {count}", self.peer.name))
                .cause(format!("`{first}` has another digest"))
                .hint("they are not kept here; look at that machine: `pq-backup verify --all` there finds what is damaged"),
        )
    }

    fn demand_room(&self, session: &Session, needed: u64) -> Result<(), Diagnostic> {
        let left = room::room_at(&self.files.root)
            .map_or(u64::MAX, |room| room.left(session.setup.strategy.keep_free));
        if needed <= left {
            return Ok(());
        }
        Err(Diagnostic::new(format!("there is no room for what is new of peer `{}`", self.peer.name))
            .cause(format!(
                "it is {}, and {} may be written to `{}` so that {} % stay free",
                size(needed),
                size(left),
                self.peers.directory,
                session.setup.strategy.keep_free.get()
            ))
            .hint("make room, or lower `backup_keep_free`; what is here stays"))
    }

    /// Fetches files, and answers how many came and their bytes, also where the line was lost.
    fn fetch(
        &self,
        mut line: Line,
        wanted: Vec<(Name, u64)>,
        all: u64,
        ledger: &mut Ledger,
        told: &mut dyn Teller,
    ) -> Result<(usize, u64), ((usize, u64), Diagnostic)> {
        let mut came = (0, 0);
        let made = self.files.make().and_then(|()| self.files.incoming());
        let incoming = made.map_err(|error| (came, self.unusable(&error)))?;
        line.want(wanted.iter().map(|(name, _)| name.clone()).collect());
        for (name, listed) in wanted {
            match line.next() {
                // A run there took it away meanwhile.
                Ok(None) => continue,
                Ok(Some(size)) if size == listed => {}
                Ok(Some(_)) => {
                    let error = io::Error::other(format!("`{}` is not as large as it said", name.path()));
                    return Err((came, line.lost(&error)));
                }
                Err(error) => return Err((came, line.lost(&error))),
            }
            let beside = incoming.join(name.path().rsplit('/').next().unwrap_or_default());
            let mut file = create(&beside).map_err(|error| (came, self.unusable(&error)))?;
            match take(&mut line, listed, &mut file) {
                Ok(digest) if name.digest().is_none_or(|it| it == digest) => {
                    let kept = file.sync_all().and_then(|()| self.files.keep(&beside, &name));
                    kept.map_err(|error| (came, self.unusable(&error)))?;
                    came = (came.0 + 1, came.1 + listed);
                    told.progress(self.peer.name.as_str(), came.1 as f64 / all.max(1) as f64);
                }
                Ok(_) => {
                    let _ = fs::remove_file(&beside);
                    ledger.refused.insert(name.path().to_owned(), listed);
                }
                Err(Took::Line(error)) => return Err((came, line.lost(&error))),
                Err(Took::Disk(error)) => return Err((came, self.unusable(&error))),
            }
        }
        let _ = fs::remove_dir_all(&incoming);
        Ok(came)
    }

    /// Takes away what the peer has not had for longer than it is kept; nothing where it is not alive, or lost something.
    fn expire(&self, ledger: &mut Ledger) -> io::Result<usize> {
        let keep = Duration::from_secs(self.peers.keep.seconds());
        let past = |when: &str| {
            from_utc(when).and_then(|time| self.now.duration_since(time).ok()).is_some_and(|age| age > keep)
        };
        let is_alive = ledger.newest.as_deref().is_some_and(|newest| !past(newest));
        if ledger.lost.is_some() || !ledger.refused.is_empty() || !is_alive {
            return Ok(0);
        }
        let old: Vec<String> =
            ledger.missing.iter().filter(|(_, since)| past(since)).map(|(path, _)| path.clone()).collect();
        // What stands on others goes first: who is killed in between leaves no snapshot that lacks something.
        let mut names: Vec<Name> = old.iter().filter_map(|path| Name::read(path)).collect();
        names.retain(|name| name.path() != CONFIG);
        names.sort_by_key(|name| std::cmp::Reverse(name.turn()));
        for name in &names {
            match fs::remove_file(self.files.root.join(name.path())) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => drop(ledger.missing.remove(name.path())),
            }
        }
        Ok(names.len())
    }

    fn unusable(&self, error: &io::Error) -> Diagnostic {
        Diagnostic::new(format!("cannot keep the repository of peer `{}`", self.peer.name))
            .cause(format!("`{}`: {}", self.files.root.display(), system_cause(error)))
            .hint("what was fetched before is here; run the same command again")
    }
}
