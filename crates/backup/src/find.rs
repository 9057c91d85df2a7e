//! `pq-backup find`: in which sets of an item a file is, and how it was.

use pq_stream::Diagnostic;
use serde::Deserialize;

use crate::restic::Message;
use crate::session::Session;
use crate::set::sets;

/// A file in a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its path.
    pub path: String,
    /// When the set was made.
    pub time: String,
    /// The set.
    pub set: String,
    /// Bytes; 0 of what is no file.
    pub size: u64,
    /// When it was last changed.
    pub changed: String,
    /// `file`, `dir`, `symlink`…
    pub kind: String,
}

/// The files of an item whose name or path fits a pattern, the newest set first.
///
/// # Errors
/// Where the repository cannot be read.
pub fn find(
    session: &Session,
    target: Option<&str>,
    item: &str,
    pattern: &str,
) -> Result<Vec<Found>, Diagnostic> {
    #[derive(Deserialize)]
    struct Hits {
        #[serde(default)]
        matches: Vec<Match>,
        snapshot: String,
    }
    #[derive(Deserialize)]
    struct Match {
        path: String,
        #[serde(default)]
        size: u64,
        #[serde(default)]
        mtime: String,
        #[serde(rename = "type", default)]
        kind: String,
    }
    let restic = session.setup.restic(session.setup.target(target)?)?;
    let sets = sets(&restic, Some(item)).map_err(|failed| failed.why)?;
    let tag = format!("item:{item}");
    let args = ["find", "--tag", &tag, "--", pattern].map(str::to_owned);
    let mut hits: Vec<Hits> = Vec::new();
    let ran = restic.call("look for files", &args, &mut |message| {
        if let Message::Answer(text) = message {
            hits.extend(serde_json::from_str::<Vec<Hits>>(text).unwrap_or_default());
        }
    });
    ran.map_err(|failed| failed.why)?;
    let mut found = Vec::new();
    for set in sets.iter().rev().filter(|set| set.is_whole()) {
        let of_it = hits.iter().filter(|hit| set.snapshots().any(|it| it.id == hit.snapshot));
        for it in of_it.flat_map(|hit| &hit.matches) {
            found.push(Found {
                path: it.path.clone(),
                time: set.time.clone(),
                set: set.id.clone(),
                size: it.size,
                changed: it.mtime.clone(),
                kind: it.kind.clone(),
            });
        }
    }
    Ok(found)
}
