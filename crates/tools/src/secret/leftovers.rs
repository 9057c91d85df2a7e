//! What a `pq-secret` left that was killed: said before the next one changes a file, and removed where it is nothing.
//!
//! Always true here: what somebody works on is not touched, and no plain text is removed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use pq_secrets::{left_drafts, store};

use super::say;

/// What was said in this run: several files lie in one directory.
static SAID: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// Says what is left beside a file, and which drafts of its inventory are left in memory.
pub fn said(file: &Path) {
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    let real = fs::canonicalize(file).or_else(|_| std::path::absolute(file)).unwrap_or(file.to_owned());
    let beside = real.parent().and_then(|directory| store::left_behind(directory).ok());
    for left in beside.unwrap_or_default() {
        let path = left.path.display();
        if left.removed {
            say(&format!(
                "a `pq-secret` that was killed left `{path}`, which was encrypted or empty: it is gone now"
            ));
        } else if said.insert(left.path.clone()) {
            say(&format!(
                "a `pq-secret` that was killed left `{path}` {}: it may hold plain text; look, then remove it",
                ago(left.changed)
            ));
        }
    }
    let Some(own) = inventory(&real) else { return };
    for draft in left_drafts() {
        if inventory(&draft.of).is_some_and(|other| other == own) && said.insert(draft.directory.clone()) {
            let (of, directory) = (draft.of.display(), draft.directory.display());
            say(&format!(
                "a draft of `{of}` lies in `{directory}`, in plain text, begun {}",
                ago(draft.begun)
            ));
            say(&format!(
                "take from it what you need, unless an editor has it open, then `rm -r {directory}`"
            ));
        }
    }
}

/// The directory whose `.age-recipients` speaks for a file.
fn inventory(file: &Path) -> Option<PathBuf> {
    let found = file.ancestors().skip(1).find(|directory| directory.join(".age-recipients").exists())?;
    fs::canonicalize(found).ok()
}

/// How long ago a time was.
fn ago(time: SystemTime) -> String {
    let minutes = time.elapsed().unwrap_or_default().as_secs() / 60;
    let (count, unit) = match minutes {
        0 => return "just now".to_owned(),
        1..120 => (minutes, "minute"),
        120..2880 => (minutes / 60, "hour"),
        _ => (minutes / 1440, "day"),
    };
    format!("{count} {unit}{} ago", if count == 1 { "" } else { "s" })
}
