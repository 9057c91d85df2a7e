//! `pq-secret rekey`: every file is encrypted to those who are listed now.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use pq_cli::Failure;
use pq_secrets::{ExposeSecret, Header, Listed};
use pq_stream::Status;

use super::keeper::{Keeper, Keys, recipients_file, secret};
use super::say;

/// Encrypts files again; none is replaced before each of them was opened, encrypted and opened once more.
///
/// # Errors
/// Where one of them cannot be opened or written; nothing was changed then, unless the error says so.
pub fn run(keys: &Keys, files: &[PathBuf]) -> Result<Status, Failure> {
    let files = if files.is_empty() { keys.all()? } else { files.to_vec() };
    let (mut staged, mut removed, mut anonymous) = (Vec::new(), false, false);
    for file in &once(keys, &files)? {
        let keeper = Keeper::new(keys, file)?;
        let lock = keeper.lock()?;
        let plain = keeper.plain()?;
        let listed = Listed::load(&recipients_file(&keeper.path)?).map_err(secret)?;
        let header = keeper.encrypted()?.as_deref().and_then(Header::read);
        let differs = header.as_ref().map(|header| header.differs(&listed)).unwrap_or_default();
        let before = header.as_ref().map_or(0, Header::count);
        let strangers = differs.iter().any(|said| said.contains("not listed"));
        removed |= before > listed.len() || strangers;
        anonymous |= before >= listed.len() && header.is_some_and(|header| header.is_anonymous());
        staged.push((keeper.stage(plain.expose_secret(), 0o600)?, keeper, lock, before, listed.len()));
    }
    for (_, keeper, ..) in &staged {
        keeper.unchanged()?;
    }
    let count = staged.len();
    for (at, (staged, keeper, _lock, before, now)) in staged.into_iter().enumerate() {
        keeper.publish(staged).inspect_err(|_| {
            if at > 0 {
                say(&format!("{at} of {count} files were encrypted again before that: run this once more"));
            }
        })?;
        say(&format!("`{}`: {before} could open it, now {now}", keeper.path.display()));
    }
    if anonymous {
        say(
            "a file does not tell whose `age1…` keys it was for: `git log -p` of `.age-recipients` tells who was removed or replaced",
        );
    }
    if removed {
        say("who was removed still knows the values as they were, and has them in old copies and in git");
        say(
            "change them: `pq-secret set --generate` for those you chose, `pq-secret rotate` for those derived",
        );
    }
    Ok(Status::Done)
}

/// Each file once, however often and under whatever names it was given.
fn once(keys: &Keys, files: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let (mut known, mut chosen) = (BTreeSet::new(), Vec::new());
    for file in files {
        let path = keys.path(file)?;
        if known.insert(fs::canonicalize(&path).unwrap_or(path)) {
            chosen.push(file.clone());
        }
    }
    Ok(chosen)
}
