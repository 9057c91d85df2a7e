//! `pq-backup peer`: this machine keeps the repositories of others, as files that only they can open.
//!
//! Always true here: what is here is never overwritten, and nothing comes in that is not what its name says (but for `config`, the first of
//! which stays). What a peer has no more stays as long as the strategy says, and for ever where the peer is not alive: so who has taken
//! a peer over can add to what is here, and take nothing of it away.

mod copy;
mod files;
mod ledger;
mod line;
mod losses;
mod names;
mod serve;

use std::path::Path;
use std::time::{Duration, SystemTime};

use pq_items::{BackupPeers, Peer};
use pq_stream::{Diagnostic, from_utc, nearest, utc};

pub use ledger::{Ledger, Lost};
pub use serve::serve;

use crate::run::problem;
use crate::session::{Session, Teller};
use copy::Copy;
use files::Files;

/// What became of a peer's repository here, or would.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pulled {
    /// The peer.
    pub peer: String,
    /// Files that came, or would.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Files that are here and it has no more.
    pub missing: usize,
    /// Files that went from here, since it has not had them for so long.
    pub expired: usize,
    /// What is wrong.
    pub wrong: Vec<Diagnostic>,
}

/// Fetches what is new of these peers, of all where none is named; with `look`, says what would be.
///
/// # Errors
/// Where there is none of a name, or nothing can be noted.
pub fn pull(
    session: &Session,
    named: &[String],
    look: bool,
    told: &mut dyn Teller,
) -> Result<Vec<Pulled>, Diagnostic> {
    let (peers, chosen) = chosen(session, named)?;
    let mut all = Vec::new();
    for peer in chosen {
        let now = SystemTime::now();
        let mut ledger = Ledger::load(peer.name.as_str());
        let root = Path::new(peers.directory.as_str()).join(peer.name.as_str());
        let copy = Copy { peers, peer, now, files: Files { root } };
        let mut pulled = match copy.pull(&mut ledger, session, look, told) {
            Ok(pulled) => pulled,
            Err(why) => {
                ledger.fails(&utc(now), problem(&why));
                Pulled { peer: peer.name.to_string(), wrong: vec![why], ..Pulled::default() }
            }
        };
        if let Some(lost) = &ledger.lost {
            pulled.wrong.push(has_lost(peer, lost, peers));
        }
        if !look {
            ledger.save(peer.name.as_str()).map_err(|error| crate::unnoted(&error))?;
        }
        pulled.wrong.iter().for_each(|it| told.wrong(it));
        all.push(pulled);
    }
    Ok(all)
}

/// Somebody has looked at what these peers lost: it is told no more.
///
/// # Errors
/// Where there is none of a name, or that cannot be noted.
pub fn accept(session: &Session, named: &[String]) -> Result<(), Diagnostic> {
    for peer in chosen(session, named)?.1 {
        let mut ledger = Ledger::load(peer.name.as_str());
        if ledger.lost.take().is_some() {
            ledger.save(peer.name.as_str()).map_err(|error| crate::unnoted(&error))?;
        }
    }
    Ok(())
}

/// How old what is kept of each peer is.
pub fn peers(session: &Session) -> Vec<Kept> {
    let Some(peers) = &session.setup.strategy.peers else { return Vec::new() };
    let (now, most) = (SystemTime::now(), session.setup.strategy.max_age.seconds());
    let old = |when: &Option<String>| {
        let age = when.as_deref().and_then(from_utc).and_then(|time| now.duration_since(time).ok());
        age.is_none_or(|age| age.as_secs() > most)
    };
    let kept = |peer: &Peer| {
        let known = Ledger::load(peer.name.as_str());
        Kept { peer: peer.name.to_string(), late: old(&known.pulled) || old(&known.newest), known }
    };
    peers.of.iter().map(kept).collect()
}

/// What is kept of a peer.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// The peer.
    pub peer: String,
    /// Whether it was not read, or made no new backup, for longer than backups may be old.
    pub late: bool,
    /// What is remembered of it.
    pub known: Ledger,
}

fn chosen<'s>(
    session: &'s Session,
    named: &[String],
) -> Result<(&'s BackupPeers, Vec<&'s Peer>), Diagnostic> {
    let peers = session.setup.strategy.peers.as_ref().ok_or_else(|| {
        Diagnostic::new("this machine keeps nobody's repository")
            .hint("`backup_peers` in the inventory names the machines whose repositories it keeps")
    })?;
    let known: Vec<&str> = peers.of.iter().map(|peer| peer.name.as_str()).collect();
    if let Some(name) = named.iter().find(|name| !known.contains(&name.as_str())) {
        let hint = match nearest(name, &known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are {}", known.join(", ")),
        };
        return Err(Diagnostic::new(format!("there is no peer `{name}`")).hint(hint));
    }
    let is_named = |peer: &&Peer| named.is_empty() || named.iter().any(|name| name == peer.name.as_str());
    Ok((peers, peers.of.iter().filter(is_named).collect()))
}

fn has_lost(peer: &Peer, lost: &Lost, peers: &BackupPeers) -> Diagnostic {
    let why = lost.what.iter().fold(
        Diagnostic::new(format!(
            "the repository of peer `{}` lost what no repository loses by itself",
            peer.name
        )),
        |why, words| why.cause(words.clone()),
    );
    let keep = Duration::from_secs(peers.keep.seconds()).as_secs() / 86_400;
    why.hint(format!(
        "seen since {}; all that was fetched is still in `{}/{}`, what is gone there for {keep} d more, and restic opens it with that machine's password",
        lost.since, peers.directory, peer.name
    ))
    .hint(format!("look at that machine; where it was meant, `pq-backup peer --accept {}`", peer.name))
}
